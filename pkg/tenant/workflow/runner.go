package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"deployhooks/pkg/invoke"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// Runner is the engine in the process, for tests, the demo and the benchmarks. It runs
// the same tasks as the state machines with the same retries, and starts each step as
// soon as what it needs has had its turn. It forgets everything when the process ends.
type Runner struct {
	RunnerParts

	mu         sync.Mutex
	executions map[string]*run
	tokens     map[string]chan struct{}
	all        sync.WaitGroup
}

// RunnerParts is what a [Runner] works with.
type RunnerParts struct {
	// Run runs a task with the worker of a class.
	Run        func(context.Context, step.Class, Task) (Result, error)
	Blueprints func(ctx context.Context, version string) (*blueprint.Blueprint, error)
	Now        func() time.Time
	// Sleep waits, or returns the context's error.
	Sleep func(context.Context, time.Duration) error
	// Fraction returns the random part of a delay, in [0, 1).
	Fraction func() float64
	// Observe, if set, is called when a task begins, fails and ends, from several goroutines.
	Observe func(Event)
	// OnEnd, if set, is called when an execution has ended, as EventBridge reports it.
	OnEnd func(e Execution, status string)
}

// Event is one thing that happened in a [Runner].
type Event struct {
	Task
	At     time.Time
	What   string // begins, fails, ends
	Result Result
	Err    error
}

// run is one execution.
type run struct {
	input  Execution
	status string // empty while it runs
}

// The statuses of executions, as of Step Functions.
const (
	statusSucceeded = "SUCCEEDED"
	statusFailed    = "FAILED"
)

// NotStarted is what [Runner.Ended] and its like report of an execution that does not exist.
const NotStarted = "not started"

// NewRunner makes a runner.
func NewRunner(p RunnerParts) *Runner {
	return &Runner{RunnerParts: p, executions: map[string]*run{}, tokens: map[string]chan struct{}{}}
}

// Start starts the present attempt of an operation, once. The execution outlives ctx's
// cancellation: it ends by itself.
func (r *Runner) Start(ctx context.Context, op registry.Operation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := ExecutionName(op)
	if r.executions[name] != nil {
		return nil
	}
	x := &run{input: ExecutionOf(op)}
	r.executions[name] = x
	ctx = context.WithoutCancel(ctx)
	r.all.Go(func() {
		status := statusSucceeded
		if err := r.execute(ctx, x.input, op); err != nil {
			status = statusFailed
		}
		r.mu.Lock()
		x.status = status
		r.mu.Unlock()
		if r.OnEnd != nil {
			r.OnEnd(x.input, status)
		}
	})
	return nil
}

// Ended reports how the execution of an operation's present attempt ended: empty while it
// runs, [NotStarted] without one.
func (r *Runner) Ended(_ context.Context, op registry.Operation) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.executions[ExecutionName(op)]; x != nil {
		return x.status, nil
	}
	return NotStarted, nil
}

// Wait waits until nothing runs any more.
func (r *Runner) Wait() { r.all.Wait() }

// errHeld is how an execution ends whose operation is held.
var errHeld = errors.New("the operation is held")

// execute does what the state machines of [Converge] and [Remove] do.
func (r *Runner) execute(ctx context.Context, e Execution, op registry.Operation) error {
	b, err := r.Blueprints(ctx, op.Blueprint)
	if err != nil {
		return fmt.Errorf("read blueprint %s: %w", op.Blueprint, err)
	}
	t := Task{Task: RunStep, Tenant: e.Tenant, Operation: e.Operation, Attempt: e.Attempt, Blueprint: e.Blueprint}
	steps := b.Steps
	if op.Kind == registry.Remove {
		if err := r.Sleep(ctx, e.NotBefore.Sub(r.Now())); err != nil {
			return err
		}
		began, err := r.control(ctx, t, Begin)
		if err != nil || began.State != string(registry.Running) {
			return err
		}
		t.Task, steps = UndoStep, reversed(b.Steps)
	}
	if err := r.steps(ctx, t, steps); err != nil {
		return err
	}
	finished, err := r.control(ctx, t, Finish)
	if err == nil && finished.State != string(registry.Succeeded) {
		return errHeld
	}
	return err
}

// steps runs each step after all that it needs has had its turn.
func (r *Runner) steps(ctx context.Context, t Task, steps []blueprint.Step) error {
	over := map[string]chan struct{}{}
	for _, s := range steps {
		over[s.Name] = make(chan struct{})
	}
	errs := make([]error, len(steps))
	var all sync.WaitGroup
	for i, s := range steps {
		all.Go(func() {
			defer close(over[s.Name])
			for _, need := range s.Needs {
				<-over[need]
			}
			errs[i] = r.step(ctx, t, s)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// step is a step's state and the state that records its failure.
func (r *Runner) step(ctx context.Context, t Task, s blueprint.Step) error {
	t.Step = s.Name
	if _, err := r.try(ctx, s.Class, t, retriersOf(s.Policy)); err == nil {
		return nil
	}
	_, err := r.control(ctx, t, Failed)
	return err
}

func (r *Runner) control(ctx context.Context, t Task, task TaskName) (Result, error) {
	t.Task = task
	return r.try(ctx, step.Control, t, bookkeeping)
}

// try runs a task until it succeeds or its retries are used up.
func (r *Runner) try(ctx context.Context, class step.Class, t Task, retriers []retrier) (Result, error) {
	retries := make([]int, len(retriers))
	for {
		r.observe(t, "begins", Result{}, nil)
		result, err := r.Run(ctx, class, t)
		if err == nil {
			r.observe(t, "ends", result, nil)
			return result, nil
		}
		r.observe(t, "fails", Result{}, err)
		i := retrierFor(retriers, errorType(err))
		if i < 0 || retries[i] >= retriers[i].attempts {
			return Result{}, err
		}
		retries[i]++
		if err := r.Sleep(ctx, retriers[i].delay(retries[i], r.Fraction())); err != nil {
			return Result{}, err
		}
	}
}

// errorType is the name of an error in the state machine. A worker that ends without
// an answer has none.
func errorType(err error) string {
	if name, ok := invoke.ErrorType(err); ok {
		return name
	}
	return "Lambda.Unknown"
}

func (r *Runner) observe(t Task, what string, result Result, err error) {
	if r.Observe != nil {
		r.Observe(Event{Task: t, At: r.Now(), What: what, Result: result, Err: err})
	}
}

// StartManual waits for a person as the state machine of [Manual] does, until [Runner.Resume]
// or the end of the task.
func (r *Runner) StartManual(ctx context.Context, e ManualExecution) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := ManualExecutionName(e.Operation, e.Step)
	if r.executions[name] != nil {
		return nil
	}
	x := &run{}
	r.executions[name] = x
	go func() {
		r.waitForPerson(context.WithoutCancel(ctx), e)
		r.mu.Lock()
		defer r.mu.Unlock()
		x.status = statusSucceeded
	}()
	return nil
}

func (r *Runner) waitForPerson(ctx context.Context, e ManualExecution) {
	t := Task{Tenant: e.Tenant, Operation: e.Operation, Step: e.Step}
	for wait := e.Wait; ; {
		t.Token = fmt.Sprintf("%s-%s-%d", e.Operation, e.Step, r.Now().UnixNano())
		done := make(chan struct{})
		r.mu.Lock()
		r.tokens[t.Token] = done
		r.mu.Unlock()
		awaiting := slices.Insert(slices.Clone(bookkeeping), 0, retrier{errors: []string{endedError}})
		t.Task = Await
		if _, err := r.try(ctx, step.Control, t, awaiting); err != nil && errorType(err) == endedError {
			return
		}
		if r.wokenWithin(ctx, done, time.Duration(wait)*time.Second) {
			return
		}
		t.Token = ""
		reminded, err := r.control(ctx, t, Remind)
		if err != nil || reminded.State != manualOpen {
			return
		}
		wait = reminded.Wait
	}
}

func (r *Runner) wokenWithin(ctx context.Context, done chan struct{}, d time.Duration) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slept := make(chan struct{})
	go func() {
		defer close(slept)
		_ = r.Sleep(ctx, d)
	}()
	select {
	case <-done:
		return true
	case <-slept:
		return false
	}
}

// Resume ends the wait for a manual task. A token that no execution waits for is no error.
func (r *Runner) Resume(_ context.Context, token string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if done := r.tokens[token]; done != nil {
		delete(r.tokens, token)
		close(done)
	}
	return nil
}
