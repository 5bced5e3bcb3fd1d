package workflow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// by names the workflow in audit events.
const by = "workflow"

// begin starts a removal, unless it was cancelled meanwhile.
func (w *Worker) begin(ctx context.Context, t Task) (Result, error) {
	var state registry.OperationState
	err := w.Registry.Update(ctx, t.Tenant, func(tx *registry.Tx) error {
		ok, err := tx.Begin(t.Operation, t.Attempt, by)
		if err != nil {
			return err
		}
		op, err := tx.Operation(t.Operation)
		state = op.State
		if state == registry.Delayed && op.Attempt == t.Attempt { // the clocks differ
			return fmt.Errorf("operation %s does not begin before %s", op.ID, op.NotBefore.Format(time.RFC3339))
		}
		if !ok && state == registry.Running { // another attempt runs
			state = registry.Cancelled
		}
		return err
	})
	return Result{State: string(state)}, err
}

// failed records that the retries of a step are used up, so that an operator sees it.
func (w *Worker) failed(ctx context.Context, t Task) (Result, error) {
	err := w.Registry.Update(ctx, t.Tenant, func(tx *registry.Tx) error {
		if err := tx.Load(t.Operation, t.Step); err != nil {
			return err
		}
		op, err := tx.Operation(t.Operation)
		if err != nil || runs(op, t) != nil { // nobody waits for this attempt
			return err
		}
		all, err := tx.Steps(t.Step)
		s := all[t.Step]
		if err != nil || s.Operation == t.Operation && s.State != registry.StepRunning {
			return err
		}
		if s.Operation != t.Operation {
			s.Operation, s.Attempt, s.Error = t.Operation, 0, nil
		}
		if s.Error == nil {
			s.Error = &registry.StepError{Class: step.Transient, Text: "the worker ended without recording why", Remedy: "The function's log has more. Retry the operation."}
		}
		s.State, s.Ended = registry.StepFailed, tx.Now()
		return tx.Put(s)
	})
	return Result{State: string(registry.StepFailed)}, err
}

// finish decides what becomes of the operation: it has succeeded, or is held for an
// operator.
func (w *Worker) finish(ctx context.Context, t Task) (Result, error) {
	k := &work{Task: t}
	err := w.Registry.Update(ctx, t.Tenant, func(tx *registry.Tx) (err error) {
		if k.op, err = tx.Operation(t.Operation); err != nil {
			return err
		}
		if runs(k.op, t) != nil { // finished before, or in another attempt
			return nil
		}
		if k.blueprint, err = w.Blueprints(ctx, k.op.Blueprint); err != nil {
			return fmt.Errorf("read blueprint %s: %w", k.op.Blueprint, err)
		}
		names := make([]string, 0, len(k.blueprint.Steps))
		for _, s := range k.blueprint.Steps {
			names = append(names, s.Name)
		}
		all, err := tx.Steps(names...)
		if err != nil {
			return err
		}
		state, reason := outcome(k, all)
		if err := tx.End(t.Operation, t.Attempt, state, by, reason); err != nil {
			return err
		}
		k.op.State = state
		return keepRetained(tx, k, all)
	})
	return Result{State: string(k.op.State)}, err
}

// keepRetained notes with a tenant that is removed what was retained.
func keepRetained(tx *registry.Tx, k *work, all map[string]registry.Step) error {
	if k.op.Kind != registry.Remove || k.op.State != registry.Succeeded {
		return nil
	}
	t, err := tx.Tenant()
	if err != nil {
		return err
	}
	t.Retained = nil
	for _, s := range k.blueprint.Steps {
		if all[s.Name].State == registry.StepRetained {
			t.Retained = append(t.Retained, s.Name)
		}
	}
	return tx.Put(t)
}

// outcome is what becomes of an operation by the states of its steps.
func outcome(k *work, all map[string]registry.Step) (registry.OperationState, string) {
	failed, skipped := failedSteps(k, all)
	if len(failed)+len(skipped) == 0 {
		return registry.Succeeded, ""
	}
	reason := "failed: " + strings.Join(failed, ", ")
	if len(skipped) > 0 {
		reason += "; skipped, because they need those: " + strings.Join(skipped, ", ")
	}
	return registry.Held, reason
}

// failedSteps are the names of the steps of an operation that are not where they should
// be, in the blueprint's order.
func failedSteps(k *work, all map[string]registry.Step) (failed, skipped []string) {
	for _, s := range k.blueprint.Steps {
		r := all[s.Name]
		switch {
		case over(k.op, r):
		case r.State == registry.StepSkipped && r.Operation == k.Operation:
			skipped = append(skipped, s.Name)
		default:
			failed = append(failed, s.Name)
		}
	}
	return failed, skipped
}

// reminderInterval is the time between two reminders of a manual task.
const reminderInterval = 24 * time.Hour

// await keeps the token of the execution that waits for a person.
func (w *Worker) await(ctx context.Context, t Task) (Result, error) {
	_, err := w.manual(ctx, t, func(m *registry.ManualTask) { m.Token = t.Token })
	return Result{State: manualOpen}, err
}

// remind sends a reminder of a manual task that is not completed.
func (w *Worker) remind(ctx context.Context, t Task) (Result, error) {
	now := w.Now()
	m, err := w.manual(ctx, t, func(m *registry.ManualTask) { m.Reminded = now })
	if f, ok := err.(*failure); ok && f.kind == endedError {
		return Result{State: manualEnded}, nil
	}
	if err != nil {
		return Result{}, err
	}
	when := "is due at " + m.Due.UTC().Format(time.RFC3339)
	if m.Due.Before(now) {
		when = "was due at " + m.Due.UTC().Format(time.RFC3339)
	}
	err = w.Notices.Publish(ctx, notice.Notice{
		ActionRequired: m.Due.Before(now),
		Subject:        fmt.Sprintf("Tenant %s: %s (%s)", m.Tenant, m.Title, m.Owner),
		Text:           fmt.Sprintf("The task %q of tenant %s %s and is not completed.\n\nOwner: %s\n\n%s\n\nComplete it with {\"action\":\"complete\",\"tenant\":%q,\"step\":%q,\"by\":\"…\"}.", m.Title, m.Tenant, when, m.Owner, m.Instructions, m.Tenant, m.Step),
	})
	return Result{State: manualOpen, Wait: int(reminderInterval / time.Second)}, err
}

// manual changes a manual task if it is still open and belongs to the operation; else the error
// is of the type [endedError].
func (w *Worker) manual(ctx context.Context, t Task, change func(*registry.ManualTask)) (m registry.ManualTask, err error) {
	var over bool
	err = w.Registry.Update(ctx, t.Tenant, func(tx *registry.Tx) (err error) {
		if m, err = tx.Task(t.Step); err != nil {
			return err
		}
		if over = m.Step == "" || m.Operation != t.Operation || !m.Completed.IsZero() || !m.Cancelled.IsZero(); over {
			return nil
		}
		change(&m)
		return tx.Put(m)
	})
	if err == nil && over {
		err = &failure{kind: endedError, text: "the task " + t.Step + " is completed, cancelled or of a later operation"}
	}
	return m, err
}
