package tenant_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// reminders keeps what is sent.
type reminders struct{ sent []notice.Notice }

func (r *reminders) Publish(_ context.Context, n notice.Notice) error {
	r.sent = append(r.sent, n)
	return nil
}

// TestManualTasks: a task waits for a person for as long as it takes, with reminders, and
// ends when it is completed or cancelled, whenever that is.
func TestManualTasks(t *testing.T) {
	complete := func(m *registry.ManualTask, now time.Time) { m.Completed, m.CompletedBy = now, "ann" }
	cancel := func(m *registry.ManualTask, now time.Time) { m.Cancelled = now }
	replace := func(m *registry.ManualTask, _ time.Time) { m.Operation = "change" } // which has an execution of its own
	for name, c := range map[string]struct {
		after     time.Duration
		end       func(*registry.ManualTask, time.Time)
		resume    bool // by the token
		reminders int
	}{
		"completed before it is due":                 {time.Hour, complete, true, 0},
		"completed after two reminders":              {80 * time.Hour, complete, true, 2},
		"completed while nobody waits for the token": {time.Hour, complete, false, 0},
		"cancelled with the tenant":                  {60 * time.Hour, cancel, false, 1},
		"asked for anew by a later operation":        {60 * time.Hour, replace, false, 1},
		"completed before anybody waits":             {0, complete, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := onStepFunctions(t, product())
			r := h.engine.(*stepFunctions).Region
			var sent reminders
			h.workers[step.Control].Notices = &sent
			task := registry.ManualTask{Tenant: tenantName, Step: "store", Operation: "launch", Title: "Open a store account", Owner: "mobile", Instructions: "…", Created: r.Now(), Due: r.Now().Add(48 * time.Hour)}
			h.update(func(tx *registry.Tx) error { return tx.Put(task) })
			end := func() {
				h.update(func(tx *registry.Tx) error {
					var err error
					if task, err = tx.Task("store"); err != nil {
						return err
					}
					c.end(&task, tx.Now())
					return tx.Put(task)
				})
			}
			if c.after == 0 {
				end()
			}
			text := definitions(t, product())["manual"]
			m, err := r.StepFunctions().CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("manual"), Definition: &text, RoleArn: aws.String("arn:aws:iam::123456789012:role/m")})
			if err != nil {
				t.Fatal(err)
			}
			input, err := json.Marshal(workflow.ManualExecution{Tenant: tenantName, Operation: "launch", Step: "store", Wait: int((48 * time.Hour).Seconds())})
			if err != nil {
				t.Fatal(err)
			}
			x, err := r.StepFunctions().StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: m.StateMachineArn, Input: aws.String(string(input))})
			if err != nil {
				t.Fatal(err)
			}
			status := func() string {
				out, err := r.StepFunctions().DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: x.ExecutionArn})
				if err != nil {
					t.Fatal(err)
				}
				return string(out.Status)
			}
			if c.after > 0 {
				r.Advance(c.after)
				if status() != "RUNNING" {
					t.Fatalf("the execution is %s although nobody has completed the task", status())
				}
				end()
				if c.resume {
					if _, err := r.StepFunctions().SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{TaskToken: &task.Token, Output: aws.String("{}")}); err != nil {
						t.Fatal(err)
					}
				}
			}
			limit := time.Second
			if !c.resume {
				limit = 49 * time.Hour // the next reminder notices
			}
			r.Advance(limit)
			if status() != "SUCCEEDED" {
				t.Errorf("the execution is %s after the task's end", status())
			}
			if len(sent.sent) != c.reminders {
				t.Errorf("%d reminders, not %d: people are not reminded, or of what is done", len(sent.sent), c.reminders)
			}
			for _, n := range sent.sent {
				if !strings.Contains(n.Text, "mobile") || strings.Contains(n.Text, "token") {
					t.Errorf("the reminder says %q", n.Text)
				}
			}
		})
	}
}
