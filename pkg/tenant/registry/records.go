// Package registry keeps the state of tenants: who they are, what was requested, how far
// it is, what people have to do, and what happened. It is the only state of the tenant
// domain, kept in one table by package store.
package registry

import (
	"encoding/json"
	"time"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/step"
)

// Tenant is one tenant.
type Tenant struct {
	Name  string      `json:"name"`
	State TenantState `json:"state"`
	// Spec is that of the last operation that succeeded, or of the launch.
	Spec json.RawMessage `json:"spec"`
	// Blueprint is that of the last operation that ran, whatever became of it: it has all steps that
	// were ever tried. RemoveMachine is the ARN of the state machine version that undoes them.
	Blueprint     string `json:"blueprint"`
	RemoveMachine string `json:"removeMachine,omitempty"`
	// Hosts are those of the last operation that succeeded, and of changes that were abandoned since.
	Hosts []string `json:"hosts"`
	// Operation is the one that runs, waits or is held; empty for none. Queued are the IDs of those after it.
	Operation string    `json:"operation,omitempty"`
	Queued    []string  `json:"queued,omitempty"`
	Created   time.Time `json:"created"`
	Activated time.Time `json:"activated,omitzero"`
	Removed   time.Time `json:"removed,omitzero"`
	// Retained are the steps whose data the removal kept. The name is not given to a new tenant
	// until an operator releases it: it would get that data.
	Retained []string `json:"retained,omitempty"`
}

// TenantState is where a tenant is in its life.
type TenantState string

// The states of a tenant.
const (
	Launching TenantState = "launching"
	Active    TenantState = "active"
	Removing  TenantState = "removing"
	Removed   TenantState = "removed"
)

// Operation is one request that was accepted, or rejected with its faults.
type Operation struct {
	ID     string         `json:"id"`
	Tenant string         `json:"tenant"`
	Kind   OperationKind  `json:"kind"`
	State  OperationState `json:"state"`
	// Request identifies the sender's request: the same one twice is one operation.
	Request   string          `json:"request"`
	Spec      json.RawMessage `json:"spec,omitempty"`
	Blueprint string          `json:"blueprint,omitempty"` // the version
	// Hosts are the host names that the spec asks for.
	Hosts []string `json:"hosts,omitempty"`
	// Machine is the ARN of the state machine version that runs it, and Attempt counts the executions.
	// RemoveMachine is that of the one that undoes the blueprint's steps.
	Machine       string `json:"machine,omitempty"`
	RemoveMachine string `json:"removeMachine,omitempty"`
	Attempt       int    `json:"attempt,omitempty"`
	// NotBefore is when a removal begins.
	NotBefore time.Time `json:"notBefore,omitzero"`
	Created   time.Time `json:"created"`
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Faults    []Fault   `json:"faults,omitempty"`
	// Reason says in a sentence why the operation is where it is, where that is not plain.
	Reason string `json:"reason,omitempty"`
	// Ledger are the notifications of the operation.
	Ledger notice.Ledger[Matter] `json:"ledger,omitzero"`
}

// Matter is what a notification is about. Its text is composed when it is sent.
type Matter struct {
	State   OperationState `json:"state"`
	Attempt int            `json:"attempt,omitempty"`
	At      time.Time      `json:"at"`
}

// Over reports whether the operation has ended for good.
func (o Operation) Over() bool {
	switch o.State {
	case Rejected, Succeeded, Abandoned, Cancelled:
		return true
	}
	return false
}

// Unnamed stands for the tenant of rejected requests that name none: no tenant has this name.
const Unnamed = "-"

// OperationKind is what an operation does.
type OperationKind string

// The kinds of operations.
const (
	Launch OperationKind = "launch"
	Change OperationKind = "change"
	Remove OperationKind = "remove"
)

// OperationState is how far an operation is.
type OperationState string

// The states of an operation. Held waits for an operator: retry or abandon.
const (
	Rejected  OperationState = "rejected"
	Queued    OperationState = "queued"
	Delayed   OperationState = "delayed"
	Running   OperationState = "running"
	Held      OperationState = "held"
	Succeeded OperationState = "succeeded"
	Abandoned OperationState = "abandoned"
	Cancelled OperationState = "cancelled"
)

// Fault is one thing wrong with a request: where, what, and what would be right.
type Fault struct {
	Path  string `json:"path"`
	Fault string `json:"fault"`
}

// Step is the state of one step of one tenant. It outlives operations: a later change compares with it.
type Step struct {
	Tenant      string    `json:"tenant"`
	Name        string    `json:"name"`
	Kind        string    `json:"kind"`
	Environment string    `json:"environment,omitempty"`
	State       StepState `json:"state"`
	// Operation is the last that touched it, and Attempt counts that operation's tries.
	Operation string `json:"operation"`
	Attempt   int    `json:"attempt"`
	// InputHash is that of the parameters and files of the last Apply that succeeded.
	InputHash string       `json:"inputHash,omitempty"`
	Outputs   step.Outputs `json:"outputs,omitempty"`
	// Parameters are those of that Apply, and Tried those of other tries, which may have left
	// something behind: all of it is to be undone.
	Parameters json.RawMessage   `json:"parameters,omitempty"`
	Tried      []json.RawMessage `json:"tried,omitempty"`
	Started    time.Time         `json:"started,omitzero"`
	Ended      time.Time         `json:"ended,omitzero"`
	// Error is that of the last try that failed.
	Error *StepError `json:"error,omitempty"`
	// Holder has the lease of the step until Lease: one try at a time.
	Holder string    `json:"holder,omitempty"`
	Lease  time.Time `json:"lease,omitzero"`
}

// LeasedByOther reports whether somebody else than the holder has the step.
func (s Step) LeasedByOther(holder string, now time.Time) bool {
	return s.Holder != "" && s.Holder != holder && now.Before(s.Lease)
}

// StepState is how far a step is.
type StepState string

// The states of a step. A skipped one needs a step that failed or was skipped.
const (
	StepRunning  StepState = "running"
	StepDone     StepState = "done"
	StepFailed   StepState = "failed"
	StepSkipped  StepState = "skipped"
	StepUndone   StepState = "undone"
	StepRetained StepState = "retained"
)

// StepError is why a step failed.
type StepError struct {
	Class  step.ErrorClass `json:"class"`
	Text   string          `json:"text"`
	Remedy string          `json:"remedy,omitempty"`
}

// ManualTask is what only people can do.
type ManualTask struct {
	Tenant string `json:"tenant"`
	Step   string `json:"step"`
	// Operation is the one whose execution waits for the task and reminds of it. Those of earlier
	// operations end when they wake up.
	Operation    string    `json:"operation,omitempty"`
	Title        string    `json:"title"`
	Owner        string    `json:"owner"`
	Instructions string    `json:"instructions"`
	Due          time.Time `json:"due"`
	Created      time.Time `json:"created"`
	Reminded     time.Time `json:"reminded,omitzero"`
	Completed    time.Time `json:"completed,omitzero"`
	CompletedBy  string    `json:"completedBy,omitempty"`
	Cancelled    time.Time `json:"cancelled,omitzero"`
	// Token resumes the state machine that waits for the task. It is never shown.
	Token string `json:"token,omitempty"`
}

// AuditEvent is one thing that happened, kept for good.
type AuditEvent struct {
	Tenant    string    `json:"tenant"`
	Operation string    `json:"operation,omitempty"`
	At        time.Time `json:"at"`
	By        string    `json:"by"` // the sender of a request, or the function
	What      string    `json:"what"`
}
