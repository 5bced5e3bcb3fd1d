package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Action is what is asked for.
type Action string

// The actions. Prove and Fill are those of executions of the state machine, and Sweep as
// well; Status is for a direct invocation.
const (
	Prove  Action = "prove"
	Fill   Action = "fill"
	Sweep  Action = "sweep"
	Status Action = "status"
)

// Request is the input of an execution, and of a direct invocation.
type Request struct {
	Action Action `json:"action"`
	// Confirm is the name of the environment that loses its data, for [Fill].
	Confirm string `json:"confirm,omitempty"`
}

// Task is one invocation: by the state machine with its input and ARN, or by an operator
// with a request.
type Task struct {
	Request
	Input     *Request `json:"input,omitempty"`
	Execution string   `json:"execution,omitempty"`
}

// States of a [Result].
const (
	Waiting = "waiting" // call again after Wait seconds
	Done    = "done"
	Failed  = "failed"
)

// Result is the answer to a task.
type Result struct {
	State string `json:"state"`
	// Wait is in seconds.
	Wait int `json:"wait"`
	// Text says what is waited for, or what became of the run.
	Text string `json:"text"`
	// Report is the answer to [Status].
	Report *Report `json:"report,omitempty"`
}

// request is what is asked for, unless it can never be done.
func (b *Backups) request(t Task) (Request, error) {
	r := t.Request
	if t.Input != nil {
		r = *t.Input
	}
	switch r.Action {
	case Status:
		return r, nil
	case Prove, Fill, Sweep:
		if t.Execution == "" {
			return r, refuse("action %q takes longer than an invocation: start an execution of the state machine with it", r.Action)
		}
	default:
		return r, refuse("unknown action %q: give prove, fill, sweep or status", r.Action)
	}
	switch {
	case r.Action != Fill:
	case b.Config.FillFrom == "":
		return r, refuse("environment %s has no fillFrom: set it under backups in the environment file of an environment whose data may be replaced", b.Config.Environment)
	case r.Confirm != b.Config.Environment:
		return r, refuse(`a fill replaces all data of environment %s: confirm it with {"action":"fill","confirm":%q}; it says %q`, b.Config.Environment, b.Config.Environment, r.Confirm)
	}
	return r, nil
}

// runOf identifies the run of an execution.
func runOf(execution string) string {
	sum := sha256.Sum256([]byte(execution))
	return hex.EncodeToString(sum[:6])
}

// refusal is the error of a request that no retry helps.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// ErrorType is the error's name in the state machine; see [invoke.Task].
func (refusal) ErrorType() string { return "Refused" }

func (r refusal) Unwrap() error { return r.error }
