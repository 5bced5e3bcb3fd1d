package workflow

import (
	"slices"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
)

// Budget is what a launch may take, from the request to the active tenant.
const Budget = 10 * time.Minute

// Progress is how far an operation is, by how long its steps usually take.
type Progress struct {
	// Percent is the part of the critical path that is done: 100 only if every step is.
	Percent int `json:"percent"`
	// Done counts the steps that are done, of Steps.
	Done  int `json:"done"`
	Steps int `json:"steps"`
	// Expected is how long the critical path takes, and Left what is left of it.
	Expected time.Duration `json:"expected"`
	Left     time.Duration `json:"left"`
	// CriticalPath are the steps that decide how long what is left takes.
	CriticalPath []string `json:"criticalPath,omitempty"`
}

// ProgressOf is how far an operation with this blueprint is, by the records of its steps.
func ProgressOf(b *blueprint.Blueprint, op registry.Operation, records []registry.Step, now time.Time) Progress {
	graph := b.Steps
	if op.Kind == registry.Remove {
		graph = reversed(b.Steps)
	}
	p := Progress{Steps: len(graph)}
	_, p.Expected = CriticalPath(graph)
	var left []blueprint.Step
	for _, s := range graph {
		var r registry.Step
		if i := slices.IndexFunc(records, func(r registry.Step) bool { return r.Name == s.Name }); i >= 0 {
			r = records[i]
		}
		if over(op, r) {
			p.Done++
			continue
		}
		if r.State == registry.StepRunning && r.Operation == op.ID {
			// One that takes longer than usual is never quite done.
			s.Policy.Expected = max(s.Policy.Expected-now.Sub(r.Started), s.Policy.Expected/10)
		}
		left = append(left, s)
	}
	p.CriticalPath, p.Left = CriticalPath(left)
	switch {
	case len(left) == 0:
		p.Percent = 100
	case p.Expected > 0:
		p.Percent = min(int(100*(p.Expected-p.Left)/p.Expected), 99)
	}
	return p
}

// over reports whether a step has nothing to do any more in an operation.
func over(op registry.Operation, r registry.Step) bool {
	if op.Kind == registry.Remove {
		return undone(r)
	}
	return r.State == registry.StepDone && r.Operation == op.ID
}
