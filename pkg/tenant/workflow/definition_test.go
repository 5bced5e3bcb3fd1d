package workflow_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

var update = flag.Bool("update", false, "renew the golden files")

// small is a blueprint with each shape of a workflow.
func small() *blueprint.Blueprint {
	policy := func(limit, expected time.Duration) step.Policy {
		return step.Policy{TimeLimit: limit, Expected: expected}
	}
	mail := policy(time.Minute, time.Minute)
	mail.Wait, mail.Interval = 5*time.Minute, 15*time.Second
	return &blueprint.Blueprint{Name: "small", Version: "0123456789ab", Steps: []blueprint.Step{
		{Name: "reserve", Kind: "reserve", Class: step.Control, Policy: policy(time.Minute, time.Second)},
		{Name: "database", Kind: "postgres", Class: step.Database, Needs: []string{"reserve"}, Policy: policy(5*time.Minute, 20*time.Second)},
		{Name: "mail", Kind: "ses-identity", Class: step.Mail, Needs: []string{"reserve"}, Policy: mail},
		{Name: "activate", Kind: "activate", Class: step.Control, Needs: []string{"database"}, Policy: policy(time.Minute, time.Second)},
	}}
}

func TestDefinitions(t *testing.T) {
	manual := func(*blueprint.Blueprint) ([]byte, error) { return workflow.Manual() }
	for name, define := range map[string]func(*blueprint.Blueprint) ([]byte, error){"converge": workflow.Converge, "remove": workflow.Remove, "manual": manual} {
		t.Run(name, func(t *testing.T) {
			got, err := define(small())
			if err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + name + ".asl.json"
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the state machine has changed; renew with -update (-golden +now):\n%s", diff)
			}
		})
	}
}

func TestDefinitionOfNoSteps(t *testing.T) {
	for name, define := range map[string]func(*blueprint.Blueprint) ([]byte, error){"converge": workflow.Converge, "remove": workflow.Remove} {
		text, err := define(&blueprint.Blueprint{Name: "empty"})
		var m struct {
			StartAt string
			States  map[string]any
		}
		if err != nil || json.Unmarshal(text, &m) != nil || m.States[m.StartAt] == nil {
			t.Errorf("%s of a blueprint without steps: %v %s", name, err, text)
		}
	}
}

func TestNamesOfStatesTooLong(t *testing.T) {
	long := strings.Repeat("x", 74)
	_, err := workflow.Converge(&blueprint.Blueprint{Steps: []blueprint.Step{{Name: long, Class: step.Control}}})
	if err == nil || !strings.Contains(err.Error(), long) {
		t.Errorf("CloudFormation refuses a state's name of 81 characters only when it is deployed: %v", err)
	}
}

func TestManualExecutionNames(t *testing.T) {
	operation := strings.Repeat("x", 32) + "-launch-0123456789abcdef-undo"
	a, b := workflow.ManualExecutionName(operation, strings.Repeat("a", 60)+"1"), workflow.ManualExecutionName(operation, strings.Repeat("a", 60)+"2")
	if len(a) > 80 || a == b {
		t.Errorf("%s, %s: Step Functions refuses a long name, and starts one of two executions of one name", a, b)
	}
}
