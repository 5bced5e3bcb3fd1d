package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// take decides in one transaction what becomes of the step, and takes its lease for this
// try if there is work to do: then the state is [registry.StepRunning].
func (w *Worker) take(ctx context.Context, k *work) (state registry.StepState, err error) {
	decide := w.takeToRun
	if k.Task.Task == UndoStep {
		decide = w.takeToUndo
	}
	err = w.Registry.Update(ctx, k.Tenant, func(tx *registry.Tx) error {
		names := append(needed(k.blueprint, k.step), dependents(k.blueprint, k.Step)...)
		names = append(names, k.Step)
		if err := tx.Load(k.Operation, names...); err != nil {
			return err
		}
		if k.op, err = tx.Operation(k.Operation); err != nil {
			return err
		}
		if err := runs(k.op, k.Task); err != nil {
			return err
		}
		all, err := tx.Steps(names...)
		if err != nil {
			return err
		}
		s := all[k.Step]
		if s.LeasedByOther(k.holder, tx.Now()) {
			return &failure{kind: leased, text: fmt.Sprintf("another try of step %s runs, or was killed: its lease ends at %s", k.Step, s.Lease.UTC().Format("15:04:05"))}
		}
		k.record = s
		k.input = step.Input{
			Tenant: k.Tenant, Operation: k.Operation, Step: k.Step, Environment: k.step.Environment,
			Spec: k.op.Spec, Before: s.Outputs,
		}
		if state, err = decide(k, all); err != nil {
			return err
		}
		k.taken = tx
		return tx.Put(k.begun(s, state, tx))
	})
	if err != nil {
		return "", fmt.Errorf("begin step %s: %w", k.Step, err)
	}
	return state, nil
}

// begun is the record of a step that is in a state from now on.
func (k *work) begun(s registry.Step, state registry.StepState, tx *registry.Tx) registry.Step {
	now := tx.Now()
	if s.Operation != k.Operation {
		s.Attempt, s.Error = 0, nil
	}
	s.Kind, s.Environment, s.Operation, s.State = k.step.Kind, k.step.Environment, k.Operation, state
	if state != registry.StepRunning {
		s.Ended, s.Holder = now, ""
		return s
	}
	s.Attempt++
	s.Started, s.Ended = now, time.Time{}
	if k.Task.Task == RunStep && !slices.ContainsFunc(s.Tried, k.hasParameters) {
		s.Tried = append(slices.Clone(s.Tried), k.input.Parameters)
	}
	s.Holder, s.Lease = k.holder, now.Add(limitOf(k.step.Policy)+margin)
	return s
}

// takeToRun: a step waits for what it needs, and has nothing to do if its input is
// that of its last success.
func (w *Worker) takeToRun(k *work, all map[string]registry.Step) (registry.StepState, error) {
	for _, need := range k.step.Needs {
		// Done in this operation: an earlier one may have had other outputs.
		if n := all[need]; n.State != registry.StepDone || n.Operation != k.Operation {
			return registry.StepSkipped, nil
		}
	}
	outputs := map[string]step.Outputs{}
	for _, need := range needed(k.blueprint, k.step) {
		outputs[need] = all[need].Outputs
	}
	parameters, err := k.blueprint.Render(k.step, k.op.Spec, outputs)
	if err != nil {
		return "", step.Refuse(err, "Correct the spec, or the step's parameters in the blueprint.")
	}
	k.input.Parameters, k.hash = parameters, k.blueprint.InputHash(k.step, parameters)
	if k.record.State == registry.StepDone && k.record.InputHash == k.hash && !(k.step.Policy.Recheck && k.record.Operation != k.Operation) {
		return registry.StepDone, nil
	}
	return registry.StepRunning, nil
}

// takeToUndo: a step is undone after all that need it, unless it is retained or has
// never been tried.
func (w *Worker) takeToUndo(k *work, all map[string]registry.Step) (registry.StepState, error) {
	if k.record.State == registry.StepUndone || k.record.State == registry.StepRetained {
		return k.record.State, nil
	}
	for _, name := range dependents(k.blueprint, k.Step) {
		if !undone(all[name]) {
			return registry.StepSkipped, nil
		}
	}
	switch {
	case untried(k.record):
		return registry.StepUndone, nil
	case k.step.Retain:
		return registry.StepRetained, nil
	}
	return registry.StepRunning, nil
}

// needed are the steps that a step needs, directly or not: its parameters may refer to
// the outputs of any of them.
func needed(b *blueprint.Blueprint, s blueprint.Step) []string {
	all := slices.Clone(s.Needs)
	for i := 0; i < len(all); i++ {
		direct, _ := b.Step(all[i])
		for _, n := range direct.Needs {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// dependents are the steps that need a step directly.
func dependents(b *blueprint.Blueprint, name string) (all []string) {
	for _, s := range b.Steps {
		if slices.Contains(s.Needs, name) {
			all = append(all, s.Name)
		}
	}
	return all
}

// undone reports whether nothing of a step is left that is not to be retained.
func undone(s registry.Step) bool {
	return untried(s) || s.State == registry.StepUndone || s.State == registry.StepRetained
}

// untried reports whether nothing was tried since the step was last undone.
func untried(s registry.Step) bool { return len(s.Parameters) == 0 && len(s.Tried) == 0 }

// hasParameters reports whether the step is run with these parameters.
func (k *work) hasParameters(parameters json.RawMessage) bool {
	return bytes.Equal(k.input.Parameters, parameters)
}

// errLost means that another try has taken the step, because this one took longer than its
// lease; or that the record was written before and the answer was lost. The next try finds out.
var errLost = errors.New("the lease of the step is lost to another try")

func (w *Worker) recordSuccess(ctx context.Context, k *work, state registry.StepState, outputs step.Outputs) error {
	return w.record(ctx, k, state, func(s *registry.Step) {
		s.Error = nil
		if state == registry.StepUndone {
			s.InputHash, s.Outputs, s.Parameters, s.Tried = "", nil, nil, nil
			return
		}
		s.InputHash, s.Outputs, s.Parameters = k.hash, outputs, k.input.Parameters
		s.Tried = slices.DeleteFunc(s.Tried, k.hasParameters)
	})
}

// recordFailure keeps why a try failed. The step stays in state running until its retries
// are used up.
func (w *Worker) recordFailure(ctx context.Context, k *work, f *failure) error {
	return w.record(ctx, k, registry.StepRunning, func(s *registry.Step) {
		s.Error = &registry.StepError{Class: step.ErrorClass(f.kind), Text: f.text, Remedy: f.remedy}
	})
}

// record ends a try and its lease.
func (w *Worker) record(ctx context.Context, k *work, state registry.StepState, change func(*registry.Step)) error {
	err := k.taken.Then(ctx, func(tx *registry.Tx) error {
		all, err := tx.Steps(k.Step)
		if err != nil {
			return err
		}
		s := all[k.Step]
		if s.Holder != k.holder {
			return errLost
		}
		s.State, s.Ended, s.Holder = state, tx.Now(), ""
		change(&s)
		return tx.Put(s)
	})
	if err != nil {
		return fmt.Errorf("record step %s: %w", k.Step, err)
	}
	return nil
}
