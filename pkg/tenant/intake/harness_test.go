package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/pkg/tenant/blueprint"
	. "deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// harness is an intake with everything around it: a registry, an engine that runs what
// its tests say, and subscribers.
type harness struct {
	t        testing.TB
	intake   *Intake
	registry *registry.Registry // without faults
	engine   *engine
	process  *process
	logs     *bytes.Buffer

	mu        sync.Mutex // protects what follows
	now       time.Time
	published []string // subjects
	texts     []string
	details   []Report
	silent    error // of the topic
}

func newHarness(t testing.TB) *harness { return newHarnessOn(t, registry.NewMemory()) }

func newHarnessOn(t testing.TB, s registry.Store) *harness {
	h := &harness{t: t, now: noon, process: &process{}, logs: &bytes.Buffer{}}
	h.engine = &engine{process: h.process, executions: map[string]execution{}}
	h.registry = registry.New(s, h.time)
	cfg := Config{RemovalDelay: 24 * time.Hour, Offer: Offer{Blueprint: "v1", ConvergeMachine: machine("converge"), RemoveMachine: machine("remove")}}
	h.intake = New(cfg, Parts{
		Registry:   registry.New(faultyStore{s, h.process}, h.time),
		Blueprints: func(context.Context, string) (*blueprint.Blueprint, error) { return testBlueprint() },
		Validate:   validate, Engine: h.engine,
		Notices: notice.New(notice.Config{TopicARN: "topic", EventBus: "bus"}, "intake", topic{h}, bus{h}, &bytes.Buffer{}, h.time),
	}, slog.New(slog.NewTextHandler(&locked{h: h}, &slog.HandlerOptions{Level: slog.LevelDebug})), h.time)
	return h
}

// validated are the answers of [spec.Validate], which takes milliseconds.
var validated sync.Map

func validate(schema, text json.RawMessage) []registry.Fault {
	known, ok := validated.Load(string(text))
	if !ok {
		known, _ = validated.LoadOrStore(string(text), spec.Validate(schema, text))
	}
	return slices.Clone(known.([]registry.Fault))
}

func machine(name string) string {
	return "arn:aws:states:eu-west-1:123456789012:stateMachine:" + name + ":1"
}

// testBlueprint has three steps. Its schema takes milliseconds.
var testBlueprint = sync.OnceValues(func() (*blueprint.Blueprint, error) {
	schema, err := spec.Schema(map[string]any{"alias": map[string]any{"type": "string", "description": "a name in its host"}}, []string{"alias"})
	expect := func(d time.Duration) step.Policy { return step.Policy{Expected: d} }
	return &blueprint.Blueprint{
		Name: "test", Version: "v1", Spec: schema,
		Environments: map[string]blueprint.Environment{"production": {Host: "${spec.alias}.example.com"}},
		Steps: []blueprint.Step{
			{Name: "database", Kind: "postgres", Policy: expect(time.Minute)},
			{Name: "dns", Kind: "dns", Policy: expect(2 * time.Minute)},
			{Name: "smoke", Kind: "smoke", Needs: []string{"database", "dns"}, Policy: expect(time.Minute)},
		},
	}, err
})

func (h *harness) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *harness) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// locked writes logs one line at a time.
type locked struct{ h *harness }

func (l *locked) Write(p []byte) (int, error) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	return l.h.logs.Write(p)
}

// errKilled is what a process that was killed sees, if it saw anything.
var errKilled = errors.New("killed")

// process can be killed at one of its calls, before or after its effect.
type process struct {
	mu    sync.Mutex // protects what follows
	calls int
	dead  bool
	kill
	written []string // into the registry
}

// kill is when a process is killed.
type kill struct {
	at    int  // the call, 0 for never
	after bool // after its effect
	fail  bool // the call fails, and the process lives
}

func (p *process) call(effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	switch {
	case p.dead:
		return errKilled
	case p.calls != p.at:
		return effect()
	}
	p.dead = !p.fail
	if p.after {
		_ = effect()
	}
	return errKilled
}

type faultyStore struct {
	registry.Store
	process *process
}

type item = store.Item[json.RawMessage]

func (f faultyStore) Get(ctx context.Context, keys ...store.Key) (items map[store.Key]item, err error) {
	err = f.process.call(func() (err error) { items, err = f.Store.Get(ctx, keys...); return err })
	return items, err
}

func (f faultyStore) Open(ctx context.Context) (items []item, err error) {
	err = f.process.call(func() (err error) { items, err = f.Store.Open(ctx); return err })
	return items, err
}

func (f faultyStore) List(ctx context.Context, partition string) (items []item, err error) {
	err = f.process.call(func() (err error) { items, err = f.Store.List(ctx, partition); return err })
	return items, err
}

func (f faultyStore) Last(ctx context.Context, partition string, limit int) (items []item, err error) {
	err = f.process.call(func() (err error) { items, err = f.Store.Last(ctx, partition, limit); return err })
	return items, err
}

func (f faultyStore) PutAll(ctx context.Context, items ...item) (conflicts []store.Key, err error) {
	err = f.process.call(func() (err error) {
		for _, i := range items {
			f.process.written = append(f.process.written, i.Key.String()+" "+string(i.Value))
		}
		conflicts, err = f.Store.PutAll(ctx, items...)
		return err
	})
	return conflicts, err
}

// engine keeps executions, which end when a test says so.
type engine struct {
	process    *process
	executions map[string]execution // by name
	started    []string
	resumed    []string
	err        error // of Start
	endedErr   error // of Ended
}

type execution struct {
	op     registry.Operation
	status string
}

func (e *engine) Start(_ context.Context, op registry.Operation) error {
	return e.process.call(func() error {
		if e.err != nil {
			return e.err
		}
		name := workflow.ExecutionName(op)
		if _, exists := e.executions[name]; !exists {
			e.executions[name] = execution{op: op}
			e.started = append(e.started, name)
		}
		return nil
	})
}

func (e *engine) Ended(_ context.Context, op registry.Operation) (status string, err error) {
	err = e.process.call(func() error {
		x, exists := e.executions[workflow.ExecutionName(op)]
		if status = x.status; !exists {
			status = workflow.NotStarted
		}
		return e.endedErr
	})
	return status, err
}

func (e *engine) Resume(_ context.Context, token string) error {
	return e.process.call(func() error { e.resumed = append(e.resumed, token); return nil })
}

type topic struct{ h *harness }

func (s topic) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	return &sns.PublishOutput{}, s.h.process.call(func() error {
		s.h.mu.Lock()
		defer s.h.mu.Unlock()
		if s.h.silent != nil {
			return s.h.silent
		}
		s.h.published, s.h.texts = append(s.h.published, *in.Subject), append(s.h.texts, *in.Message)
		return nil
	})
}

type bus struct{ h *harness }

func (s bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return &eventbridge.PutEventsOutput{}, s.h.process.call(func() error {
		var r Report
		if err := json.Unmarshal([]byte(*in.Entries[0].Detail), &r); err != nil {
			return err
		}
		s.h.mu.Lock()
		defer s.h.mu.Unlock()
		s.h.details = append(s.h.details, r)
		return nil
	})
}

// request is a message of the topic.
func request(id, tenant, operation, body string) event.TenantRequest {
	r := event.TenantRequest{ID: id, Tenant: tenant, Operation: operation}
	if body != "" {
		r.Spec = json.RawMessage(body)
	}
	return r
}

// specOf is a good spec; more is added to it.
func specOf(name, alias, more string) string {
	return fmt.Sprintf(`{"schemaVersion":1,"name":%q,"title":"A shop","contacts":{"owner":{"name":"Jo","email":"jo@example.com"}},"alias":%q%s}`, name, alias, more)
}

// deliver delivers messages as one batch, each of which must succeed.
func (h *harness) deliver(events ...event.Event) {
	h.t.Helper()
	for _, err := range h.try(events...) {
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *harness) try(events ...event.Event) []error {
	batch := make([]event.Message, len(events))
	for i, e := range events {
		batch[i].Event = e
	}
	return h.intake.Handle(context.Background(), batch)
}

func (h *harness) launch(id, tenant string) {
	h.t.Helper()
	h.deliver(request(id, tenant, "launch", specOf(tenant, tenant, "")))
}

// finish has the tenant's operation end as the last task of its state machine has it, and reports it.
func (h *harness) finish(tenant string, state registry.OperationState) {
	h.t.Helper()
	h.deliver(h.end(tenant, state))
}

// end is finish without the report, which it returns. An empty state is that of an execution that was
// aborted from outside.
func (h *harness) end(tenant string, state registry.OperationState) event.Execution {
	h.t.Helper()
	op := h.current(tenant)
	name := workflow.ExecutionName(op)
	x, running := h.engine.executions[name]
	if !running {
		h.t.Fatalf("%s of %s does not run", name, tenant)
	}
	status := "ABORTED"
	if state != "" {
		status = map[registry.OperationState]string{registry.Succeeded: "SUCCEEDED", registry.Held: "FAILED"}[state]
		h.update(tenant, func(tx *registry.Tx) error {
			if op.Kind == registry.Remove {
				if _, err := tx.Begin(op.ID, op.Attempt, "worker"); err != nil {
					return err
				}
			}
			return tx.End(op.ID, op.Attempt, state, "worker", "")
		})
	}
	h.engine.executions[name] = execution{x.op, status}
	input, err := json.Marshal(workflow.ExecutionOf(op))
	if err != nil {
		h.t.Fatal(err)
	}
	return event.Execution{Machine: op.Machine, Name: name, Status: status, Input: string(input)}
}

func (h *harness) update(tenant string, fn func(*registry.Tx) error) {
	h.t.Helper()
	if err := h.registry.Update(context.Background(), tenant, fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) view(tenant string) registry.View {
	h.t.Helper()
	v, err := h.registry.View(context.Background(), tenant)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// current is the tenant's operation.
func (h *harness) current(tenant string) registry.Operation {
	h.t.Helper()
	v := h.view(tenant)
	return v.Operation(v.Tenant.Operation)
}

// last is the tenant's newest operation.
func (h *harness) last(tenant string) registry.Operation {
	h.t.Helper()
	all := h.view(tenant).Operations
	if len(all) == 0 {
		h.t.Fatalf("%s has no operations", tenant)
	}
	return all[len(all)-1]
}

// ask is an operator's direct invocation.
func (h *harness) ask(body string) (string, error) {
	answer, err := h.intake.Invoke(context.Background(), []byte(body))
	return string(answer), err
}

func (h *harness) mustAsk(body string) string {
	h.t.Helper()
	answer, err := h.ask(body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

func (h *harness) sweep() { h.t.Helper(); h.deliver(event.Continuation{Body: []byte(`{"sweep":{}}`)}) }

// state is all that matters in the end, in words, without times.
func (h *harness) state(tenants ...string) string {
	h.t.Helper()
	var b strings.Builder
	for _, tenant := range tenants {
		v := h.view(tenant)
		fmt.Fprintf(&b, "%s: %s %s runs %q then %q\n", tenant, v.Tenant.State, v.Tenant.Spec, v.Tenant.Operation, v.Tenant.Queued)
		for _, op := range v.Operations {
			fmt.Fprintf(&b, "  %s %s %s attempt %d blueprint %s on %s: %s %v; unsent %d, sent %v\n", op.ID, op.Kind, op.State, op.Attempt, op.Blueprint, op.Machine, op.Reason, op.Faults, len(op.Ledger.Outbox), op.Ledger.Sent)
		}
		for _, m := range v.Tasks {
			fmt.Fprintf(&b, "  %s completed %t by %s\n", m.Step, !m.Completed.IsZero(), m.CompletedBy)
		}
		audit, err := h.registry.History(context.Background(), tenant, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		var lines []string // those of one instant are in no order
		for _, e := range audit {
			lines = append(lines, fmt.Sprintf("  %s: %s by %s\n", e.Operation, e.What, e.By))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	fmt.Fprintf(&b, "executions %q, resumed %t", h.engine.started, len(h.engine.resumed) > 0)
	return b.String()
}
