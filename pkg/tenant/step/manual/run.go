package manual

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// Engine starts what reminds people of a task: [StepFunctions], or the runner of package
// workflow.
type Engine interface {
	// StartManual starts the execution that waits for a task. Starting it again for the same
	// operation and step is harmless.
	StartManual(context.Context, workflow.ManualExecution) error
}

// Kind is the kind of step.
type Kind struct {
	registry *registry.Registry
	engine   Engine
}

// New returns the kind.
func New(r *registry.Registry, e Engine) *Kind { return &Kind{r, e} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check looks for the task. A completed one is present unless it asked for something else.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return "", err
	}
	var found registry.ManualTask
	err = k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) (err error) {
		found, err = tx.Task(in.Step)
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("read manual task %s of %s: %w", in.Step, in.Tenant, err)
	case found.Step == "" || !found.Cancelled.IsZero():
		return step.Absent, nil
	case !asks(found, p):
		return step.Drifted, nil
	}
	return step.Present, nil
}

// Apply creates the task, or one that was completed with other instructions anew, and starts
// its reminders. A task with the same instructions stays as it is, completed or not.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, err
	}
	var task registry.ManualTask
	var wait time.Duration
	err = k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) error {
		found, err := tx.Task(in.Step)
		if err != nil {
			return err
		}
		task = wanted(found, p, in, tx.Now())
		wait = max(time.Second, task.Due.Sub(tx.Now())/2) // the first reminder comes at half-time
		if task == found {
			return nil
		}
		if err := tx.Put(task); err != nil {
			return err
		}
		return tx.Audit(in.Operation, "step "+in.Step, "asked "+task.Owner+" for: "+task.Title)
	})
	if err != nil {
		return nil, fmt.Errorf("create manual task %s of %s: %w", in.Step, in.Tenant, err)
	}
	if task.Completed.IsZero() {
		if err := k.engine.StartManual(ctx, workflow.ManualExecution{Tenant: in.Tenant, Operation: in.Operation, Step: in.Step, Wait: int(wait / time.Second)}); err != nil {
			return nil, fmt.Errorf("start the reminders of manual task %s of %s: %w", in.Step, in.Tenant, err)
		}
	}
	return step.Outputs{"due": task.Due.UTC().Format(time.RFC3339)}, nil
}

// wanted is the task as it should be, from the one that is there. An open one gets new instructions and
// keeps its due date: people were notified of it.
func wanted(found registry.ManualTask, p Parameters, in step.Input, now time.Time) registry.ManualTask {
	closed := !found.Cancelled.IsZero() || !found.Completed.IsZero() && !asks(found, p)
	if found.Step == "" || closed {
		d, _ := time.ParseDuration(cmp.Or(p.Due, "72h")) // the form was checked
		found = registry.ManualTask{Tenant: in.Tenant, Step: in.Step, Created: now, Due: now.Add(d)}
	}
	found.Title, found.Owner, found.Instructions = p.Title, p.Owner, p.Instructions
	if found.Completed.IsZero() {
		found.Operation = in.Operation // its execution is started next
	}
	return found
}

// asks reports whether a task is what the parameters ask for.
func asks(t registry.ManualTask, p Parameters) bool {
	return t.Title == p.Title && t.Owner == p.Owner && t.Instructions == p.Instructions
}

// Undo cancels a task, also a completed one: a tenant that is launched under this name later is another
// one, and nobody has done it for that. The execution that waits for an open task finds that when its
// next reminder is due, and ends.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	err := k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) error {
		found, err := tx.Task(in.Step)
		if err != nil || found.Step == "" || !found.Cancelled.IsZero() {
			return err
		}
		found.Cancelled = tx.Now()
		return tx.Put(found)
	})
	if err != nil {
		return fmt.Errorf("cancel manual task %s of %s: %w", in.Step, in.Tenant, err)
	}
	return nil
}
