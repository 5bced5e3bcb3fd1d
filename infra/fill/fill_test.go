package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:backups"

// account plays the AWS APIs that fill calls. The execution ends with the second question.
type account struct {
	machine, ending string // ARN, and the last status
	started         []string
	asked           int
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch action {
	case "StartExecution":
		var request struct{ StateMachineArn, Input string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		a.started = append(a.started, request.StateMachineArn+" "+request.Input)
		fmt.Fprint(w, `{"executionArn": "the-execution", "startDate": 0}`)
	case "DescribeExecution":
		status := "RUNNING"
		if a.asked++; a.asked > 1 {
			status = a.ending
		}
		fmt.Fprintf(w, `{"status": %q, "cause": "see the notification"}`, status)
	case "GetExecutionHistory":
		fmt.Fprintf(w, `{"events": [{"type": "WaitStateEntered"}, {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "reconcile", "output": "{\"state\":\"waiting\",\"wait\":30,\"text\":\"answer %d\"}"}}]}`, a.asked)
	default: // DescribeStacks
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName><StackStatus>CREATE_COMPLETE</StackStatus>
			<Outputs><member><OutputKey>BackupMachineArn</OutputKey><OutputValue>%s</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, a.machine)
	}
}

// fill runs the command for an environment, with what is typed.
func (a *account) fill(t *testing.T, environment, typed string) (string, error) {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	var out strings.Builder
	err := run(context.Background(), []string{"../environment/" + environment + ".yaml"}, strings.NewReader(typed), &out, 0)
	return out.String(), err
}

func TestFillStartsOnceTheNameIsTyped(t *testing.T) {
	a := &account{machine: machine, ending: "SUCCEEDED"}
	said, err := a.fill(t, "spec/testdata/everything", "staging\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := machine + ` {"action":"fill","confirm":"staging"}`; len(a.started) != 1 || a.started[0] != want {
		t.Errorf("started %v, want %s once", a.started, want)
	}
	for _, want := range []string{"staging will be replaced by the newest backup of other", "Started the-execution", "answer 1\nanswer 2\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("an operator does not read %q: %s", want, said)
		}
	}
}

func TestFillIsRefused(t *testing.T) {
	elsewhere := strings.Replace(machine, "123456789012", "999999999999", 1)
	for scenario, tt := range map[string]struct {
		machine, environment, typed, want string
	}{
		"another name is typed":              {machine, "spec/testdata/everything", "production\n", `got "production", which is not staging: nothing was done`},
		"nothing is typed":                   {machine, "spec/testdata/everything", "", "nothing was done"},
		"credentials of another account":     {elsewhere, "spec/testdata/everything", "staging\n", "credentials are for account 999999999999"},
		"an environment that keeps its data": {machine, "production", "production\n", "has no fillFrom"},
	} {
		t.Run(scenario, func(t *testing.T) {
			a := &account{machine: tt.machine}
			_, err := a.fill(t, tt.environment, tt.typed)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(a.started) > 0 {
				t.Error("data of an environment is lost that nobody has confirmed")
			}
		})
	}
}

func TestFailedFillFailsTheCommand(t *testing.T) {
	a := &account{machine: machine, ending: "FAILED"}
	if _, err := a.fill(t, "spec/testdata/everything", "staging\n"); err == nil || !strings.Contains(err.Error(), "FAILED:  see the notification") {
		t.Errorf("a fill that has failed ends with %v", err)
	}
}
