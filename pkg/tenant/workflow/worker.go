package workflow

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// Parts is what a [Worker] works with.
type Parts struct {
	// Class is the only one whose steps the worker runs. That of the control tasks is
	// [step.Control].
	Class    step.Class
	Registry *registry.Registry
	// Kinds are at least those of the class, by name.
	Kinds map[string]step.Kind
	// Blueprints reads a compiled blueprint by its version. It is called for each task.
	Blueprints func(ctx context.Context, version string) (*blueprint.Blueprint, error)
	// Notices sends the reminders of manual tasks; only needed by the control tasks.
	Notices interface {
		Publish(context.Context, notice.Notice) error
	}
	Now func() time.Time
	Log *slog.Logger
}

// Worker runs the tasks of a workflow, each in one call, and keeps nothing between them but
// blueprints' files. Its methods may be called from several goroutines.
type Worker struct {
	Parts

	mu    sync.Mutex
	files map[string]fs.FS // by the blueprint's version
}

// NewWorker makes a worker. It makes no call.
func NewWorker(p Parts) *Worker { return &Worker{Parts: p, files: map[string]fs.FS{}} }

// Run runs a task. Its errors have a method ErrorType() string, by which the engines
// decide about retries, and their texts hold no secrets.
func (w *Worker) Run(ctx context.Context, t Task) (Result, error) {
	result, err := w.run(ctx, t)
	if err != nil {
		f := failureOf(err)
		w.Log.ErrorContext(ctx, "task failed", "tenant", t.Tenant, "operation", t.Operation, "step", t.Step, "task", t.Task, "class", f.kind, "error", f.text)
		return Result{}, f
	}
	w.Log.InfoContext(ctx, "task done", "tenant", t.Tenant, "operation", t.Operation, "step", t.Step, "task", t.Task, "state", result.State)
	return result, nil
}

func (w *Worker) run(ctx context.Context, t Task) (Result, error) {
	if t.Task != RunStep && t.Task != UndoStep && w.Class != step.Control {
		return Result{}, refuse("task %q is of class %s, and this worker of class %s: the state machine calls the wrong function", t.Task, step.Control, w.Class)
	}
	switch t.Task {
	case RunStep, UndoStep:
		return w.step(ctx, t)
	case Begin:
		return w.begin(ctx, t)
	case Failed:
		return w.failed(ctx, t)
	case Finish:
		return w.finish(ctx, t)
	case Await:
		return w.await(ctx, t)
	case Remind:
		return w.remind(ctx, t)
	}
	return Result{}, refuse("task %q is not known: the state machine is of another version than this function", t.Task)
}

// work is the step of one call of a worker, and what was found out about it.
type work struct {
	Task
	holder    string
	op        registry.Operation
	blueprint *blueprint.Blueprint
	step      blueprint.Step
	kind      step.Kind
	record    registry.Step // as it was before
	input     step.Input
	hash      string
	taken     *registry.Tx // the transaction that took the lease
}

// step runs or undoes a step: it takes the step's lease, does the work and records how
// it went. What is skipped or has nothing to do is recorded at once.
func (w *Worker) step(ctx context.Context, t Task) (Result, error) {
	k := &work{Task: t, holder: rand.Text()}
	if err := w.find(ctx, k); err != nil {
		return Result{}, err
	}
	state, err := w.take(ctx, k)
	if err != nil || state != registry.StepRunning {
		return Result{State: string(state)}, err
	}
	limited, cancel := context.WithTimeout(ctx, limitOf(k.step.Policy))
	outputs, err := w.do(limited, k)
	cancel()
	// The record is written even if the invocation's time is up.
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin/2)
	defer cancel()
	if err != nil {
		f := failureOf(err)
		if unrecorded := w.recordFailure(recording, k, f); unrecorded != nil {
			w.Log.WarnContext(ctx, "failure not recorded", "tenant", t.Tenant, "step", t.Step, "error", unrecorded)
		}
		return Result{}, f
	}
	state = registry.StepDone
	if t.Task == UndoStep {
		state = registry.StepUndone
	}
	return Result{State: string(state)}, w.recordSuccess(recording, k, state, outputs)
}

// find finds the step and its kind.
func (w *Worker) find(ctx context.Context, k *work) (err error) {
	if k.blueprint, err = w.Blueprints(ctx, k.Blueprint); err != nil {
		return fmt.Errorf("read blueprint %s: %w", k.Blueprint, err)
	}
	var ok bool
	if k.step, ok = k.blueprint.Step(k.Step); !ok {
		return refuse("blueprint %s has no step %q", k.Blueprint, k.Step)
	}
	if k.step.Class != w.Class {
		return refuse("step %s is of class %s, and this worker of class %s: it has not the permissions", k.Step, k.step.Class, w.Class)
	}
	if k.kind, ok = w.Kinds[k.step.Kind]; !ok {
		return refuse("step %s is of kind %q, which this function does not know: deploy the version that the blueprint was made for", k.Step, k.step.Kind)
	}
	return nil
}

// runs is the error of a task whose operation does not run, or in another attempt.
func runs(op registry.Operation, t Task) error {
	switch {
	case op.ID == "":
		return refuse("tenant %s has no operation %s", t.Tenant, t.Operation)
	case op.Attempt != t.Attempt:
		return refuse("operation %s is in attempt %d, and this is attempt %d", op.ID, op.Attempt, t.Attempt)
	case op.State != registry.Running:
		return refuse("operation %s is %s", op.ID, op.State)
	case t.Blueprint != "" && t.Blueprint != op.Blueprint:
		return refuse("operation %s runs with blueprint %s, and this task is of blueprint %s", op.ID, op.Blueprint, t.Blueprint)
	}
	return nil
}

// do calls the kind. A panic of it is an error like any other.
func (w *Worker) do(ctx context.Context, k *work) (outputs step.Outputs, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.ErrorContext(ctx, "kind panicked", "tenant", k.Tenant, "step", k.Step, "kind", k.step.Kind, "stack", string(debug.Stack()))
			err = step.Refuse(fmt.Errorf("kind %s panicked: %v", k.step.Kind, p), "This is a bug of the kind; the function's log has the stack.")
		}
	}()
	if k.input.Files, err = w.filesOf(k.blueprint); err != nil {
		return nil, err
	}
	if k.Task.Task == UndoStep {
		return nil, w.undo(ctx, k)
	}
	// What was done with the same input may still be there, if a later try with another
	// input failed.
	if k.record.InputHash == k.hash {
		state, err := k.kind.Check(ctx, k.input)
		if err != nil {
			return nil, err
		}
		if state == step.Present {
			return k.record.Outputs, nil
		}
	}
	return k.kind.Apply(ctx, k.input)
}

// undo undoes what the last success and all other tries may have left.
func (w *Worker) undo(ctx context.Context, k *work) error {
	for _, parameters := range append(slices.Clone(k.record.Tried), k.record.Parameters) {
		if len(parameters) == 0 { // it has never succeeded
			continue
		}
		k.input.Parameters = parameters
		if err := k.kind.Undo(ctx, k.input); err != nil {
			return err
		}
	}
	return nil
}

// filesOf are the files of a blueprint, which are costly to unpack.
func (w *Worker) filesOf(b *blueprint.Blueprint) (fs.FS, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if files, ok := w.files[b.Version]; ok {
		return files, nil
	}
	files, err := b.FS()
	if err != nil {
		return nil, err
	}
	w.files = map[string]fs.FS{b.Version: files} // of the last one only
	return files, nil
}
