package backup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/backup"
	"deployhooks/test/region"
)

// TestPermissionsExact: the role allows nothing that proofs and fills do not need.
func TestPermissionsExact(t *testing.T) {
	e := oldTraining(t, func(e *environment) {
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, DeletionProtection: true, Tags: map[string]string{"deployhooks:restored-for": training}})
	})
	e.play(sweep)
	e.play(prove)
	e.play(fillNow)
	if unused := e.role.Unused(); len(unused) > 0 {
		t.Errorf("nothing needs %v", unused)
	}
	if err := e.role.Authorize("rds:DeleteDBInstance", "arn:aws:rds:eu-west-1:123456789012:db:"+training, nil); err == nil {
		t.Error("the role may delete the environment's instance")
	}
	if err := e.role.Authorize("rds:DeleteDBInstance", "arn:aws:rds:eu-west-1:123456789012:db:"+proofOf+training, nil); err == nil {
		t.Error("the role may delete an instance that it has not made")
	}
}

// TestPermissionsWithoutFill: an environment that is not filled has a role that cannot change
// its database, nor read its master password.
func TestPermissionsWithoutFill(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		e.config.FillFrom, e.config.Secret = "", ""
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, DeletionProtection: true, Tags: map[string]string{"deployhooks:restored-for": training}})
	})
	e.play(sweep)
	if got := e.play(prove); got != "SUCCEEDED" {
		t.Fatalf("the proof has %s: %q", got, e.notices())
	}
	e.RemoveDBSnapshots(training)
	e.play(prove) // operators are notified
	if unused := e.role.Unused(); len(unused) > 0 {
		t.Errorf("nothing needs %v", unused)
	}
	for action, resource := range map[string]string{"rds:ModifyDBInstance": "arn:aws:rds:eu-west-1:123456789012:db:" + training, "secretsmanager:GetSecretValue": secretARN} {
		if err := e.role.Authorize(action, resource, nil); err == nil {
			t.Errorf("the role has %s", action)
		}
	}
}

// TestNoSecretInExecutions: neither execution data nor records nor metrics nor notifications
// have a password.
func TestNoSecretInExecutions(t *testing.T) {
	e := oldTraining(t)
	e.play(prove)
	e.play(fillNow)
	var all strings.Builder
	for _, execution := range e.Executions() {
		out, err := e.StepFunctions().GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: &execution})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range out.Events {
			for _, text := range texts(event) {
				all.WriteString(text)
			}
		}
	}
	all.WriteString(e.metrics.String() + strings.Join(e.notices(), ""))
	if all.Len() < 1000 {
		t.Fatalf("only %d bytes were read", all.Len())
	}
	if strings.Contains(all.String(), password) {
		t.Error("an execution has the master password")
	}
}

func TestStatus(t *testing.T) {
	e := newEnvironment(t)
	e.play(prove)
	report := e.ask(`{"action":"status"}`).Report
	if report == nil || report.Status != "available" || report.Proof == nil || report.NewestBackup == "" || report.Next != "nothing" {
		t.Errorf("status is %+v", report)
	}
	e.start(fillNow)
	e.Advance(3 * time.Minute)
	if report := e.ask(`{"action":"status"}`).Report; report.Run == nil || report.Run.Action != backup.Fill || !strings.Contains(report.Next, "creating") || len(report.Instances) != 1 {
		t.Errorf("during the fill it is %+v", report)
	}
	for _, bad := range []string{`{"action":"prove"}`, `{"action":"erase"}`, `{}`} {
		if _, err := e.invoke(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
