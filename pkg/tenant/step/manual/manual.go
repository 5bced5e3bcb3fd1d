// Package manual is the step that asks people for what only they can do. It creates a task
// and is done: a launch never waits for people.
package manual

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Title        string `json:"title" required:"true" doc:"What is to be done, in a few words."`
	Owner        string `json:"owner" required:"true" doc:"Who does it: a team or an address."`
	Due          string `json:"due" doc:"How long people have, such as 72h (the default): 1h to 8760h."`
	Instructions string `json:"instructions" required:"true" doc:"What exactly to do, with the values to enter."`
}

// Validate reports what the schema of the parameters cannot.
func (p Parameters) Validate() error {
	if p.Due == "" || strings.Contains(p.Due, "${") {
		return nil
	}
	if d, err := time.ParseDuration(p.Due); err != nil || d < time.Hour || d > 8760*time.Hour {
		return fmt.Errorf("due is %q: want a duration between 1h and 8760h", p.Due)
	}
	return nil
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "manual",
		Summary:    "Creates a task for people, with an owner, a due date and reminders. Nothing waits for it.",
		Class:      step.Control,
		Parameters: func() any { return new(Parameters) },
		Outputs:    []step.Output{{Name: "due", Doc: "When the task is due (RFC 3339)."}},
		Permissions: func(json.RawMessage) []step.Permission {
			return []step.Permission{{Actions: []string{"states:StartExecution"}, Resources: []string{"arn:{partition}:states:{region}:{account}:stateMachine:*"}}}
		},
		Policy: step.Policy{TimeLimit: 30 * time.Second, Expected: 500 * time.Millisecond},
	}
}
