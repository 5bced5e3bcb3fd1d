// Package tenant_test is the scenarios of the tenant domain's workflow: launches, changes
// and removals on both engines, with steps that fail, and processes that are killed.
package tenant_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

// tenants is a registry, a cloud and the workers of all classes, for an engine.
type tenants struct {
	blueprints map[string]*blueprint.Blueprint
	registry   *registry.Registry
	calls      *calls
	cloud      *cloud
	workers    map[step.Class]*workflow.Worker
	engine     engine
	operations int

	mu    sync.Mutex
	tasks []workflow.Task
	// twice has every task delivered once more after it is done.
	twice bool
}

// engine runs the present attempt of an operation to its end.
type engine interface {
	run(registry.Operation)
}

const tenantName = "acme"

func newTenants(now func() time.Time, b *blueprint.Blueprint) *tenants {
	return newTenantsOn(registry.NewMemory(), now, b)
}

func newTenantsOn(s registry.Store, now func() time.Time, b *blueprint.Blueprint) *tenants {
	h := &tenants{blueprints: map[string]*blueprint.Blueprint{b.Version: b}, calls: &calls{}}
	h.cloud = newCloud(h.calls)
	h.registry = registry.New(faultyStore{s, h.calls}, now)
	h.workers = map[step.Class]*workflow.Worker{}
	fakes := map[string]step.Kind{}
	for _, class := range step.Classes() {
		fakes[string(class)] = kind{cloud: h.cloud, class: class}
	}
	for name, d := range kinds.Descriptions() {
		fakes[name] = kind{h.cloud, d.Class, d.Outputs}
	}
	for _, class := range step.Classes() {
		h.workers[class] = workflow.NewWorker(workflow.Parts{
			Class: class, Registry: h.registry, Kinds: maps.Clone(fakes),
			Blueprints: h.blueprint, Now: now, Log: harness.Logger(),
		})
	}
	return h
}

func (h *tenants) blueprint(_ context.Context, version string) (*blueprint.Blueprint, error) {
	if b := h.blueprints[version]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("no blueprint %s", version)
}

// invoke runs a task in a process of its own, as Lambda does.
func (h *tenants) invoke(ctx context.Context, class step.Class, t workflow.Task) (workflow.Result, error) {
	h.mu.Lock()
	h.tasks = append(h.tasks, t)
	h.mu.Unlock()
	inv := &invocation{}
	result, err := h.workers[class].Run(context.WithValue(ctx, invocationKey{}, inv), t)
	h.calls.mu.Lock()
	killed := inv.killed
	h.calls.mu.Unlock()
	if killed {
		return workflow.Result{}, region.ErrKilled
	}
	if h.twice {
		_, _ = h.workers[class].Run(ctx, t) // what a second delivery answers nobody reads
	}
	return result, err
}

// begin accepts an operation, as intake does, and returns it.
func (h *tenants) begin(kind registry.OperationKind, version, spec string) registry.Operation {
	h.operations++
	op := registry.Operation{ID: fmt.Sprintf("%s-%s-%d", tenantName, kind, h.operations), Tenant: tenantName, Kind: kind, Spec: json.RawMessage(spec), Blueprint: version, Machine: version}
	h.update(func(tx *registry.Tx) error {
		t, err := tx.Tenant()
		if err != nil {
			return err
		}
		if t.Name == "" {
			t = registry.Tenant{Name: tenantName, State: registry.Launching, Created: tx.Now()}
		}
		op.Created, op.NotBefore = tx.Now(), tx.Now()
		if kind == registry.Remove {
			op.NotBefore = tx.Now().Add(24 * time.Hour)
		}
		op = op.Begun(tx.Now())
		t.Operation = op.ID
		return tx.Put(op, t)
	})
	return op
}

// retry begins the next attempt of a held operation.
func (h *tenants) retry(op registry.Operation) registry.Operation {
	h.update(func(tx *registry.Tx) error {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		t, err := tx.Tenant()
		if err != nil {
			return err
		}
		op = now.Retried(t.State)
		return tx.Put(op)
	})
	return op
}

// update writes without faults.
func (h *tenants) update(fn func(*registry.Tx) error) {
	fault := h.calls.fault
	h.calls.fault = nil
	defer func() { h.calls.fault = fault }()
	if err := h.registry.Update(context.Background(), tenantName, fn); err != nil {
		panic(err)
	}
}

// view is everything of the tenant.
func (h *tenants) view() registry.View {
	v, err := h.registry.View(context.Background(), tenantName)
	if err != nil {
		panic(err)
	}
	return v
}

// state is how an operation is, in one line with its steps.
func (h *tenants) state(op registry.Operation) string {
	v := h.view()
	o := v.Operation(op.ID)
	text := fmt.Sprintf("%s %s %s", v.Tenant.State, o.Kind, o.State)
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	for _, s := range v.Steps {
		text += fmt.Sprintf("; %s %s", s.Name, s.State)
		if s.Error != nil {
			text += " " + string(s.Error.Class)
		}
	}
	return text
}

// summary is what must be the same whatever engine ran: all but the times, and how
// often a step was tried.
func (h *tenants) summary() string {
	v := h.view()
	slices.SortFunc(v.Operations, func(a, b registry.Operation) int { return strings.Compare(a.ID, b.ID) })
	for i := range v.Steps {
		s := &v.Steps[i]
		s.Started, s.Ended, s.Lease, s.Attempt, s.Holder = time.Time{}, time.Time{}, time.Time{}, 0, ""
	}
	for i := range v.Operations {
		o := &v.Operations[i]
		o.Created, o.Started, o.Ended, o.NotBefore = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		o.Ledger.Outbox = nil
	}
	v.Tenant.Created, v.Tenant.Activated, v.Tenant.Removed = time.Time{}, time.Time{}, time.Time{}
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text) + fmt.Sprint(h.cloud.left())
}

// engines runs a scenario on each engine.
func engines(t *testing.T, b *blueprint.Blueprint, scenario func(t *testing.T, h *tenants)) {
	t.Run("step functions", func(t *testing.T) { scenario(t, onStepFunctions(t, b)) })
	t.Run("runner", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { scenario(t, onRunner(b)) })
	})
}

// onRunner is for a bubble of synctest, whose time is virtual.
func onRunner(b *blueprint.Blueprint) *tenants {
	h := newTenants(time.Now, b)
	h.engine = runnerEngine{workflow.NewRunner(workflow.RunnerParts{
		Run: h.invoke, Blueprints: h.blueprint, Now: time.Now, Fraction: func() float64 { return 0.5 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			time.Sleep(d)
			return ctx.Err()
		},
	})}
	return h
}

type runnerEngine struct{ *workflow.Runner }

func (r runnerEngine) run(op registry.Operation) {
	if err := r.Start(context.Background(), op); err != nil {
		panic(err)
	}
	r.Wait()
}

// stepFunctions is the region's engine, with the state machines of each blueprint.
type stepFunctions struct {
	*region.Region
	tenants *tenants
	// machines are ARNs by blueprint version and kind.
	machines map[string]string
}

func onStepFunctions(t testing.TB, b *blueprint.Blueprint) *tenants {
	r := region.New(region.Options{})
	h := newTenants(r.Now, b)
	e := &stepFunctions{Region: r, tenants: h, machines: map[string]string{}}
	h.engine = e
	h.addFunctions(r)
	return h
}

// addFunctions has a region's state machines invoke the workers.
func (h *tenants) addFunctions(r *region.Region) {
	for _, class := range step.Classes() {
		r.AddFunction(region.Function{Name: workflow.Substitution(class), Handler: func(payload []byte) ([]byte, error) {
			var task workflow.Task
			if err := json.Unmarshal(payload, &task); err != nil {
				return nil, err
			}
			result, err := h.invoke(context.Background(), class, task)
			if err != nil {
				return nil, err
			}
			return json.Marshal(result)
		}})
	}
}

// machine is the state machine for an operation, created on first use.
func (e *stepFunctions) machine(op registry.Operation) string {
	kind := "converge"
	define := workflow.Converge
	if op.Kind == registry.Remove {
		kind, define = "remove", workflow.Remove
	}
	name := kind + "-" + op.Blueprint
	if e.machines[name] == "" {
		text, err := define(e.tenants.blueprints[op.Blueprint])
		if err != nil {
			panic(err)
		}
		out, err := e.StepFunctions().CreateStateMachine(context.Background(), &sfn.CreateStateMachineInput{Name: &name, Definition: aws.String(substitute(string(text))), RoleArn: aws.String("arn:aws:iam::123456789012:role/machine")})
		if err != nil {
			panic(err)
		}
		e.machines[name] = *out.StateMachineArn
	}
	return e.machines[name]
}

// substitute is what CloudFormation does with a definition.
func substitute(definition string) string {
	pairs := []string{"${Partition}", "aws"}
	for _, class := range step.Classes() {
		name := workflow.Substitution(class)
		pairs = append(pairs, "${"+name+"}", "arn:aws:lambda:eu-west-1:123456789012:function:"+name)
	}
	return strings.NewReplacer(pairs...).Replace(definition)
}

func (e *stepFunctions) run(op registry.Operation) {
	input, err := json.Marshal(workflow.ExecutionOf(op))
	if err != nil {
		panic(err)
	}
	out, err := e.StepFunctions().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: aws.String(e.machine(op)), Name: aws.String(workflow.ExecutionName(op)), Input: aws.String(string(input))})
	if err != nil {
		panic(err)
	}
	e.Advance(op.NotBefore.Sub(e.Now()))
	ended := e.RunUntil(func() bool {
		x, err := e.StepFunctions().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: out.ExecutionArn})
		return err != nil || x.Status != "RUNNING"
	}, 72*time.Hour)
	if !ended {
		panic("the execution of " + op.ID + " does not end")
	}
}
