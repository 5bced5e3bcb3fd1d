package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
)

// Summary is one tenant in a list.
type Summary struct {
	Tenant    string               `json:"tenant"`
	State     registry.TenantState `json:"state"`
	Hosts     []string             `json:"hosts,omitempty"`
	Operation string               `json:"operation,omitempty"`
	Queued    int                  `json:"queued,omitempty"`
	Created   time.Time            `json:"created,omitzero"`
	Activated time.Time            `json:"activated,omitzero"`
	Removed   time.Time            `json:"removed,omitzero"`
}

// Status is how a tenant stands.
type Status struct {
	Summary
	// Progress is of the operation that runs, waits or is held.
	Progress *Progress `json:"progress,omitempty"`
	// WaitsFor says in words what has to happen next, and Next are the direct invocations
	// that an operator may want to make now.
	WaitsFor string       `json:"waitsFor,omitempty"`
	Next     []Command    `json:"next,omitempty"`
	Steps    []StepStatus `json:"steps"`
	Tasks    []TaskStatus `json:"manualTasks,omitempty"`
	// Operations are all of the tenant, the newest first.
	Operations []OperationStatus `json:"operations"`
	// History is what happened last, the newest first: at most [historyLimit] audit events.
	History []AuditEvent `json:"history"`
}

// historyLimit is how many audit events an answer has. The registry keeps all.
const historyLimit = 20

// Progress is how far an operation is.
type Progress struct {
	Operation string `json:"operation"`
	// Percent is of the critical path.
	Percent int `json:"percent"`
	// Elapsed is since the operation began, and Remaining what its steps are expected to
	// take still, in seconds; Budget is what a launch may take.
	Elapsed   int `json:"elapsedSeconds"`
	Remaining int `json:"remainingSeconds"`
	Budget    int `json:"budgetSeconds,omitempty"`
	// Late means that it is over its budget, or will be.
	Late bool `json:"late,omitempty"`
	// Critical are the steps still to be done that decide how long it takes.
	Critical []string `json:"criticalPath,omitempty"`
}

// StepStatus is how a step stands.
type StepStatus struct {
	Step    string              `json:"step"`
	State   registry.StepState  `json:"state"`
	Attempt int                 `json:"attempt,omitempty"`
	Started time.Time           `json:"started,omitzero"`
	Seconds int                 `json:"seconds"`
	Error   *registry.StepError `json:"error,omitempty"`
}

// StepWaiting is the state of a step that has not had its turn.
const StepWaiting registry.StepState = "waiting"

// TaskStatus is how a manual task stands.
type TaskStatus struct {
	Step         string    `json:"step"`
	Title        string    `json:"title"`
	State        string    `json:"state"` // open, overdue, completed or cancelled
	Owner        string    `json:"owner"`
	Due          time.Time `json:"due"`
	Instructions string    `json:"instructions,omitempty"`
	Completed    time.Time `json:"completed,omitzero"`
	CompletedBy  string    `json:"completedBy,omitempty"`
}

// OperationStatus is how an operation stands.
type OperationStatus struct {
	Operation string                  `json:"operation"`
	Kind      registry.OperationKind  `json:"kind"`
	State     registry.OperationState `json:"state"`
	Request   string                  `json:"request"`
	Blueprint string                  `json:"blueprint,omitempty"`
	Attempt   int                     `json:"attempt,omitempty"`
	Reason    string                  `json:"reason,omitempty"`
	Faults    []registry.Fault        `json:"faults,omitempty"`
	NotBefore time.Time               `json:"notBefore,omitzero"`
	Created   time.Time               `json:"created"`
	Started   time.Time               `json:"started,omitzero"`
	Ended     time.Time               `json:"ended,omitzero"`
}

// AuditEvent is one thing that happened to a tenant, and who caused it.
type AuditEvent struct {
	At        time.Time `json:"at"`
	By        string    `json:"by"`
	What      string    `json:"what"`
	Operation string    `json:"operation,omitempty"`
}

func (i *Intake) tenants(ctx context.Context) ([]Summary, error) {
	all, err := i.Registry.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	answer := make([]Summary, len(all))
	for n, t := range all {
		answer[n] = summarize(t)
	}
	return answer, nil
}

func summarize(t registry.Tenant) Summary {
	return Summary{
		Tenant: t.Name, State: t.State, Hosts: t.Hosts, Operation: t.Operation, Queued: len(t.Queued),
		Created: t.Created, Activated: t.Activated, Removed: t.Removed,
	}
}

// status reads everything of a tenant, its newest audit events, and the blueprint of its operation.
func (i *Intake) status(ctx context.Context, tenant string) (Status, error) {
	v, err := i.Registry.View(ctx, tenant)
	if err != nil {
		return Status{}, err
	}
	if v.Tenant.Name == "" && len(v.Operations) == 0 {
		return Status{}, fmt.Errorf("there is no tenant %q", tenant)
	}
	v.Tenant.Name = tenant
	version := v.Tenant.Blueprint
	if op := v.Operation(v.Tenant.Operation); op.Blueprint != "" {
		version = op.Blueprint
	}
	b := &blueprint.Blueprint{}
	if version != "" {
		if b, err = i.Blueprints(ctx, version); err != nil {
			return Status{}, fmt.Errorf("read blueprint %s: %w", version, err)
		}
	}
	events, err := i.Registry.History(ctx, tenant, historyLimit)
	if err != nil {
		return Status{}, err
	}
	s := statusOf(v, b, i.now())
	for _, e := range events {
		s.History = append(s.History, AuditEvent{At: e.At, By: e.By, What: e.What, Operation: e.Operation})
	}
	return s, nil
}

// statusOf puts together what is known of a tenant.
func statusOf(v registry.View, b *blueprint.Blueprint, now time.Time) Status {
	s := Status{Summary: summarize(v.Tenant), Steps: []StepStatus{}, Operations: []OperationStatus{}, History: []AuditEvent{}}
	op := v.Operation(v.Tenant.Operation)
	s.Steps = stepsOf(v, b.Steps, op, now)
	for _, m := range v.Tasks {
		s.Tasks = append(s.Tasks, taskOf(m, now))
	}
	for _, o := range slices.Backward(v.Operations) {
		s.Operations = append(s.Operations, OperationStatus{
			Operation: o.ID, Kind: o.Kind, State: o.State, Request: o.Request, Blueprint: o.Blueprint, Attempt: o.Attempt, Reason: o.Reason,
			Faults: o.Faults, NotBefore: o.NotBefore, Created: o.Created, Started: o.Started, Ended: o.Ended,
		})
	}
	if op.ID != "" {
		s.Progress = progressOf(v, b, op, now)
		s.WaitsFor, s.Next = nextOf(s, op)
	}
	for _, m := range s.Tasks {
		if m.State == "open" || m.State == "overdue" {
			s.Next = append(s.Next, Command{Action: "complete", Tenant: v.Tenant.Name, Step: m.Step})
		}
	}
	return s
}

// stepsOf are the blueprint's steps in its order, and then others that the registry has. A step
// that the operation has not touched yet waits for its turn.
func stepsOf(v registry.View, steps []blueprint.Step, op registry.Operation, now time.Time) []StepStatus {
	all := []StepStatus{}
	known := map[string]registry.Step{}
	for _, s := range v.Steps {
		known[s.Name] = s
	}
	add := func(name string) {
		s := known[name]
		status := StepStatus{Step: name, State: s.State, Attempt: s.Attempt, Started: s.Started, Error: s.Error}
		if s.State == "" || op.ID != "" && s.Operation != op.ID {
			status = StepStatus{Step: name, State: StepWaiting}
		} else if end := s.Ended; s.State == registry.StepRunning {
			status.Seconds = int(now.Sub(s.Started) / time.Second)
		} else if !end.IsZero() {
			status.Seconds = int(end.Sub(s.Started) / time.Second)
		}
		all = append(all, status)
		delete(known, name)
	}
	for _, s := range steps {
		add(s.Name)
	}
	for _, s := range v.Steps {
		if _, more := known[s.Name]; more {
			add(s.Name)
		}
	}
	return all
}

// progressOf adds the time of an operation to the progress of its steps.
func progressOf(v registry.View, b *blueprint.Blueprint, op registry.Operation, now time.Time) *Progress {
	of := workflow.ProgressOf(b, op, v.Steps, now)
	p := &Progress{Operation: op.ID, Percent: of.Percent, Remaining: int(of.Left / time.Second), Critical: of.CriticalPath}
	if !op.Started.IsZero() {
		p.Elapsed = int(now.Sub(op.Started) / time.Second)
	}
	if op.Kind == registry.Launch {
		p.Budget = int(workflow.Budget / time.Second)
		p.Late = p.Elapsed+p.Remaining > p.Budget
	}
	return p
}

func taskOf(m registry.ManualTask, now time.Time) TaskStatus {
	t := TaskStatus{Step: m.Step, Title: m.Title, State: "open", Owner: m.Owner, Due: m.Due, Instructions: m.Instructions, Completed: m.Completed, CompletedBy: m.CompletedBy}
	switch {
	case !m.Completed.IsZero():
		t.State, t.Instructions = "completed", ""
	case !m.Cancelled.IsZero():
		t.State, t.Instructions = "cancelled", ""
	case !m.Due.IsZero() && now.After(m.Due):
		t.State = "overdue"
	}
	return t
}

// nextOf says what an operation waits for, and what an operator can do about it.
func nextOf(s Status, op registry.Operation) (waits string, next []Command) {
	named := func(state registry.StepState) string {
		var names []string
		for _, step := range s.Steps {
			if step.State == state {
				names = append(names, step.Step)
			}
		}
		return strings.Join(names, ", ")
	}
	offer := func(action string) { next = append(next, Command{Action: action, Tenant: s.Tenant}) }
	switch op.State {
	case registry.Held:
		waits = "an operator"
		if names := named(registry.StepFailed); names != "" {
			waits = "an operator, as steps failed: " + names
		} else if op.Reason != "" {
			waits = "an operator, as " + op.Reason
		}
		offer("retry")
		if op.Kind != registry.Remove {
			offer("abandon")
		} else if s.State != registry.Removing {
			offer("cancel")
		}
	case registry.Delayed:
		waits = "its time, " + op.NotBefore.UTC().Format(time.RFC3339)
		offer("cancel")
	default:
		waits = "its steps"
		if names := named(registry.StepRunning); names != "" {
			waits = "its steps: " + names
		}
	}
	return waits, next
}
