// Package workflow runs the steps of a blueprint for a tenant. From the graph of the
// steps come the state machines of Step Functions ([Converge], [Remove], [Manual]), the
// runner in the process ([Runner]) and the figures of progress ([ProgressOf]). What either
// engine does in a step is [Worker.Run]; function step and the runner call it.
//
// The engines carry no data. A task says which step of which operation to run;
// parameters, outputs and errors are in the registry.
package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"deployhooks/pkg/tenant/registry"
)

// TaskName is what a worker is to do.
type TaskName string

// The tasks. All but the first two are of class control.
const (
	RunStep  TaskName = "step"   // check, and apply where needed
	UndoStep TaskName = "undo"   // undo, unless it is retained
	Begin    TaskName = "begin"  // of a removal: is it still wanted?
	Failed   TaskName = "failed" // the step's retries are used up
	Finish   TaskName = "finish" // all steps have had their turn
	Await    TaskName = "await"  // a person is to complete a manual task: keep the token
	Remind   TaskName = "remind" // nobody has completed it yet
)

// Task is the input of a worker.
type Task struct {
	Task      TaskName `json:"task"`
	Tenant    string   `json:"tenant"`
	Operation string   `json:"operation"`
	// Attempt is the operation's, as of the execution that runs the task.
	Attempt int `json:"attempt,omitempty"`
	// Blueprint is the version that the operation runs with; of [RunStep] and [UndoStep].
	Blueprint string `json:"blueprint,omitempty"`
	Step      string `json:"step,omitempty"`
	// Token resumes the state machine; only of [Await].
	Token string `json:"token,omitempty"`
}

// Result is a worker's answer. The state machines decide by State and Wait.
type Result struct {
	// State is the step's, or the operation's for begin and finish; of a manual task it is
	// "open" or "ended".
	State string `json:"state"`
	// Wait is how many seconds to wait for a person until the next reminder.
	Wait int `json:"wait"`
}

// The states of a manual task in a [Result].
const (
	manualOpen  = "open"
	manualEnded = "ended"
)

// Execution is the input of an execution of [Converge] and [Remove].
type Execution struct {
	Tenant    string `json:"tenant"`
	Operation string `json:"operation"`
	Attempt   int    `json:"attempt"`
	Blueprint string `json:"blueprint"`
	// NotBefore is when a removal begins. It is required there; the past is at once.
	NotBefore time.Time `json:"notBefore,omitzero"`
}

// ExecutionOf is the input of the operation's present attempt.
func ExecutionOf(op registry.Operation) Execution {
	e := Execution{Tenant: op.Tenant, Operation: op.ID, Attempt: op.Attempt, Blueprint: op.Blueprint}
	if op.Kind == registry.Remove {
		e.NotBefore = op.NotBefore
		if e.NotBefore.IsZero() {
			e.NotBefore = op.Created
		}
	}
	return e
}

// ExecutionName names the execution of the operation's present attempt, so that
// starting it twice starts it once.
func ExecutionName(op registry.Operation) string {
	if op.Attempt <= 1 {
		return op.ID
	}
	return op.ID + "-" + strconv.Itoa(op.Attempt)
}

// ManualExecution is the input of an execution of [Manual].
type ManualExecution struct {
	Tenant    string `json:"tenant"`
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Wait is how many seconds to wait until the first reminder, at least 1.
	Wait int `json:"wait"`
}

// ManualExecutionName names the execution that waits for a manual task. The name of an
// execution has at most 80 characters (StartExecution, AWS Step Functions API Reference).
func ManualExecutionName(operation, step string) string {
	name := operation + "-" + step
	if len(name) <= 80 {
		return name
	}
	sum := sha256.Sum256([]byte(step))
	return operation + "-" + hex.EncodeToString(sum[:8])
}
