// Package step is the vocabulary of a tenant's workflow: what a kind of step is, what
// it works with, and how it fails. Each kind has a package of its own below this one;
// package kinds lists them. Package workflow runs them.
package step

import (
	"context"
	"encoding/json"
	"io/fs"
	"time"
)

// Kind is one kind of step, such as "postgres". Every method may be called again with
// the same input at any time, also after a call of it that took effect and reported a
// failure, or that was killed half-way.
type Kind interface {
	Describe() Description
	// Check reads how things are, and changes nothing.
	Check(context.Context, Input) (State, error)
	// Apply creates what the step is about, or converges what is there to the
	// parameters, and returns its outputs.
	Apply(context.Context, Input) (Outputs, error)
	// Undo removes it. It is safe when there is nothing to remove.
	Undo(context.Context, Input) error
}

// State is what [Kind.Check] found.
type State string

// The states.
const (
	Absent  State = "absent"
	Present State = "present"
	Drifted State = "drifted"
)

// Input is what a step works with.
type Input struct {
	Tenant, Operation, Step string
	// Environment is empty for a step that is not made for each environment.
	Environment string
	// Parameters are those of the blueprint, with every reference replaced: JSON that
	// decodes into what [Description.Parameters] returns. They hold no secrets, only
	// references to them.
	Parameters json.RawMessage
	// Files are the blueprint's.
	Files fs.FS
	// Spec is the tenant's whole spec, for templates of files.
	Spec json.RawMessage
	// Before are the outputs of the last Apply for this tenant; nil before the first.
	Before Outputs
}

// Outputs are what later steps and operators may refer to: names and IDs, by the
// names that [Description.Outputs] declares. They hold no secrets.
type Outputs map[string]string

// Class is what a step's worker may reach. Workers of one class have one role.
type Class string

// The privilege classes.
const (
	Network  Class = "network"
	Database Class = "database"
	Storage  Class = "storage"
	Mail     Class = "mail"
	Control  Class = "control"
)

// Classes lists them all.
func Classes() []Class { return []Class{Network, Database, Storage, Mail, Control} }

// Description is what is known of a kind without running it.
type Description struct {
	Name    string
	Summary string // one sentence, for the table in the documentation
	Class   Class
	// Parameters returns a pointer to a new struct that the parameters decode into.
	// Its fields are strings, booleans, integers, lists and maps of strings, with tags
	// json, doc (a sentence) and, where a value is needed, required:"true". If it has a method
	// Validate() error, that is asked as well, at synthesis with references still
	// in place, and before each run.
	Parameters func() any
	// Files are the names of parameters that hold a path of the blueprint's files.
	Files   []string
	Outputs []Output
	// Permissions are the IAM permissions of the worker for one step of this kind, given its
	// parameters as they are in the blueprint.
	Permissions func(parameters json.RawMessage) []Permission
	Policy      Policy
}

// Output is one of a kind's outputs.
type Output struct{ Name, Doc string }

// Permission is one IAM statement that allows. Resources may hold {partition}, {region}, {account},
// {bucket}, which is the ARN of the tenants' bucket, and {manual}, which is the name of the state
// machine that waits for people; references to the spec are replaced by "*".
type Permission struct {
	Actions   []string
	Resources []string
}

// Policy is how a step is run.
type Policy struct {
	// TimeLimit bounds one try: at most 14 minutes, as Lambda ends an invocation after 15.
	TimeLimit time.Duration
	// Wait bounds how long an error of class [NotYet] is retried, and Interval is how
	// long to wait between two tries.
	Wait, Interval time.Duration
	// Expected is how long the step usually takes, for progress and the order of the
	// workflow.
	Expected time.Duration
	// Recheck has [Kind.Check] asked in each change, also when the input is that of the last success: what
	// the step is about changes by itself.
	Recheck bool
	// Retain keeps what the step made when the tenant is removed. A blueprint may say otherwise.
	Retain bool
}
