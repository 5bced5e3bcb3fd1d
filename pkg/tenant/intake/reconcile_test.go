package intake_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/event"
	. "deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
)

// faultsOf are the faults of the tenant's rejected operation, "" if there is none.
func faultsOf(op registry.Operation) string {
	var all []string
	for _, f := range op.Faults {
		all = append(all, f.Path+" "+f.Fault)
	}
	return strings.Join(all, "; ")
}

func TestLaunch(t *testing.T) {
	h := newHarness(t)
	h.launch("order-1", "acme")
	v := h.view("acme")
	op := h.current("acme")
	if v.Tenant.State != registry.Launching || op.State != registry.Running || op.Kind != registry.Launch || op.Request != "order-1" || op.Blueprint != "v1" || !slices.Equal(v.Tenant.Hosts, []string{"acme.example.com"}) {
		t.Errorf("after the request: %+v, %+v", v.Tenant, op)
	}
	if !slices.Equal(h.engine.started, []string{op.ID}) || h.process.calls != 3 {
		t.Errorf("started %v in %d calls, want one execution in 3: read, write, start", h.engine.started, h.process.calls)
	}
	h.pass(5 * time.Minute)
	h.finish("acme", registry.Succeeded)
	if v := h.view("acme"); v.Tenant.State != registry.Active || v.Tenant.Activated.IsZero() || v.Tenant.Operation != "" {
		t.Errorf("after its execution: %+v", v.Tenant)
	}
	if !slices.Equal(h.published, []string{"launch of tenant acme: succeeded"}) || h.details[0].Seconds != 300 {
		t.Errorf("notified of %v, %+v", h.published, h.details)
	}
}

// TestSameRequestTwice holds that it is one operation, whenever it comes again.
func TestSameRequestTwice(t *testing.T) {
	h := newHarness(t)
	again := request("1", "acme", "launch", specOf("acme", "acme", ""))
	spaced := request("1", "acme", "launch", strings.ReplaceAll(specOf("acme", "acme", ""), ",", " ,\n"))
	h.deliver(again, again)
	h.deliver(spaced)
	h.finish("acme", registry.Succeeded)
	h.deliver(again)
	if v := h.view("acme"); len(v.Operations) != 1 || len(h.engine.started) != 1 || len(h.published) != 1 {
		t.Errorf("one request made %d operations, %d executions and %d notifications", len(v.Operations), len(h.engine.started), len(h.published))
	}
	bad := request("2", "acme", "launch", specOf("acme", "acme", ""))
	h.deliver(bad)
	h.deliver(bad)
	if v := h.view("acme"); len(v.Operations) != 2 || len(h.published) != 2 {
		t.Errorf("a rejected request that comes twice is %d operations, and %d notifications", len(v.Operations)-1, len(h.published)-1)
	}
}

// TestRejections holds that a request which cannot be done is answered with every
// fault, keeps nothing of the spec, and changes nothing.
func TestRejections(t *testing.T) {
	good := specOf("acme", "acme", "")
	active := func(h *harness) { h.launch("0", "acme"); h.finish("acme", registry.Succeeded) }
	removing := func(h *harness) { active(h); h.deliver(request("r", "acme", "remove", "")) }
	for name, c := range map[string]struct {
		before func(*harness)
		event.TenantRequest
		tenant string // where it is kept: acme where empty
		want   string // part of the faults
	}{
		"a form at fault":              {TenantRequest: event.TenantRequest{ID: "1", Tenant: "acme", Operation: "launch", Faults: []event.Fault{{Path: "spek", Reason: "is not a field of a tenant request"}, {Path: "spec", Reason: "is missing"}}}, want: "spek is not a field of a tenant request; spec is missing"},
		"no ID":                        {TenantRequest: request("", "acme", "launch", good), want: "id is missing"},
		"an operation that is none":    {TenantRequest: request("1", "acme", "delete", ""), want: `operation is none of "launch", "change" and "remove"`},
		"a launch without a spec":      {TenantRequest: request("1", "acme", "launch", ""), want: "spec is missing"},
		"a change without a spec":      {before: active, TenantRequest: request("1", "acme", "change", ""), want: "spec is missing"},
		"a removal with a spec":        {before: active, TenantRequest: request("1", "acme", "remove", good), want: "spec has no meaning in a removal"},
		"a name that cannot be one":    {TenantRequest: request("1", "ACME", "launch", good), tenant: registry.Unnamed, want: "tenant "},
		"a name with a path in it":     {TenantRequest: request("1", "../acme#x", "remove", ""), tenant: registry.Unnamed, want: "tenant "},
		"another name in the spec":     {TenantRequest: request("1", "acme", "launch", specOf("beta", "acme", "")), want: "spec.name is not the request's tenant"},
		"faults of the spec":           {TenantRequest: request("1", "acme", "launch", specOf("acme", "acme", `,"locale":7,"unknown":true`)), want: "spec.locale "},
		"a host that is none":          {TenantRequest: request("1", "acme", "launch", specOf("acme", "a_b/c", "")), want: "spec.name "},
		"a launch of what there is":    {before: active, TenantRequest: request("1", "acme", "launch", good), want: "tenant exists and is active"},
		"a change of what is not":      {TenantRequest: request("1", "acme", "change", good), want: "tenant does not exist"},
		"a removal of what is not":     {TenantRequest: request("1", "acme", "remove", ""), want: "tenant does not exist"},
		"a change of what is removed":  {before: removing, TenantRequest: request("1", "acme", "change", good), want: "tenant is to be removed by operation acme-remove-"},
		"a removal of what is removed": {before: removing, TenantRequest: request("1", "acme", "remove", ""), want: "tenant is to be removed by operation acme-remove-"},
		"a removal of a protected one": {before: func(h *harness) {
			h.deliver(request("0", "acme", "launch", specOf("acme", "acme", `,"protected":true`)))
			h.finish("acme", registry.Succeeded)
		}, TenantRequest: request("1", "acme", "remove", ""), want: "tenant is protected"},
		"a removal of one that will be": {before: func(h *harness) {
			active(h)
			h.deliver(request("c", "acme", "change", specOf("acme", "acme", `,"protected":true`)))
		}, TenantRequest: request("1", "acme", "remove", ""), want: "tenant is protected"},
		"a host that another one has": {before: func(h *harness) { h.deliver(request("0", "beta", "launch", specOf("beta", "acme", ""))) }, TenantRequest: request("1", "acme", "launch", good), want: "spec.name leads to the host acme.example.com, which is another tenant's"},
		"an ID used for another spec": {before: active, TenantRequest: request("0", "acme", "launch", specOf("acme", "other", "")), want: "id was used for another spec"},
		"more than may wait": {before: func(h *harness) {
			h.launch("0", "acme")
			for n := range 10 {
				h.deliver(request(fmt.Sprint("c", n), "acme", "change", good))
			}
		}, TenantRequest: request("1", "acme", "change", good), want: "tenant has 10 operations that wait for acme-launch-"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			if c.before != nil {
				c.before(h)
			}
			if c.tenant == "" {
				c.tenant = "acme"
			}
			h.pass(time.Second)
			before, started, sent := h.view(c.tenant).Tenant, len(h.engine.started), len(h.published)
			h.deliver(c.TenantRequest)
			op := h.last(c.tenant)
			if op.State != registry.Rejected || !strings.Contains(faultsOf(op), c.want) || op.Ended.IsZero() {
				t.Errorf("it is %s with the faults %q, want %q", op.State, faultsOf(op), c.want)
			}
			if op.Spec != nil {
				t.Errorf("it keeps the spec %s, which may hold what it is rejected for", op.Spec)
			}
			if after := h.view(c.tenant).Tenant; after.State != before.State || len(after.Queued) != len(before.Queued) || len(h.engine.started) != started {
				t.Errorf("the tenant was %+v and is %+v", before, after)
			}
			if len(h.published) != sent+1 || !strings.Contains(h.published[sent], "rejected") || !strings.Contains(h.texts[sent], strings.Split(c.want, "; ")[0]) || h.details[sent].Outcome != registry.Rejected {
				t.Errorf("its sender is answered %q", h.published[sent:])
			}
		})
	}
}

// TestCorrectedRequest holds that a rejected request can be sent again under its ID once it is right.
func TestCorrectedRequest(t *testing.T) {
	h := newHarness(t)
	h.deliver(request("order-1", "acme", "launch", specOf("acme", "acme", `,"locale":7`)))
	h.deliver(request("order-1", "acme", "launch", specOf("acme", "acme", "")))
	if op := h.current("acme"); op.State != registry.Running {
		t.Errorf("it is %+v", op)
	}
}

func TestQueue(t *testing.T) {
	h := newHarness(t)
	h.launch("0", "acme")
	h.pass(time.Second)
	h.deliver(request("1", "acme", "change", specOf("acme", "first", "")))
	h.pass(time.Second)
	h.deliver(request("2", "acme", "change", specOf("acme", "second", "")))
	h.pass(time.Second)
	h.deliver(request("3", "acme", "remove", ""))
	if op := h.last("acme"); len(h.engine.started) != 1 || !strings.Contains(op.Reason, "waits for acme-launch-") {
		t.Errorf("started are %v, and the last one says %q", h.engine.started, op.Reason)
	}
	if h.deliver(request("4", "beta", "launch", specOf("beta", "second", ""))); h.last("beta").State != registry.Rejected {
		t.Error("a host that a queued change asks for is given to another tenant")
	}
	h.finish("acme", registry.Succeeded)
	h.finish("acme", registry.Succeeded)
	if hosts := h.view("acme").Tenant.Hosts; !slices.Equal(hosts, []string{"first.example.com"}) {
		t.Errorf("after the first change it has %v", hosts)
	}
	h.finish("acme", registry.Succeeded)
	op := h.current("acme")
	if op.Kind != registry.Remove || op.State != registry.Delayed || op.Machine != machine("remove") || !strings.Contains(string(op.Spec), "second") || len(h.engine.started) != 4 {
		t.Errorf("after both changes: %+v", op)
	}
	h.finish("acme", registry.Succeeded)
	if v := h.view("acme"); v.Tenant.State != registry.Removed {
		t.Errorf("after all: %+v", v.Tenant)
	}
	h.pass(time.Second)
	if h.deliver(request("5", "beta", "launch", specOf("beta", "second", ""))); h.last("beta").State != registry.Running {
		t.Errorf("the hosts of a removed tenant are not free: %s", faultsOf(h.last("beta")))
	}
	h.launch("6", "acme")
	if v := h.view("acme"); v.Tenant.State != registry.Launching || !v.Tenant.Removed.IsZero() {
		t.Errorf("a name that was used before: %+v", v.Tenant)
	}
}

// TestAtTheSameMoment holds that of two requests for one name, or one host, one is done and the
// other answered.
func TestAtTheSameMoment(t *testing.T) {
	for name, pair := range map[string][2]event.TenantRequest{
		"two launches of one name": {request("1", "acme", "launch", specOf("acme", "a", "")), request("2", "acme", "launch", specOf("acme", "b", ""))},
		"two tenants for one host": {request("1", "acme", "launch", specOf("acme", "a", "")), request("2", "beta", "launch", specOf("beta", "a", ""))},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				h := newHarness(t)
				other := newHarnessOn(t, registry.NewMemory()) // another process on the same registry
				other.intake = New(Config{Offer: Offer{Blueprint: "v1", ConvergeMachine: machine("converge"), RemoveMachine: machine("remove")}}, h.intake.Parts, h.intake.Log, h.time)
				done := make(chan []error)
				go func() { done <- other.try(pair[0]) }()
				h.deliver(pair[1])
				if err := errors.Join(<-done...); err != nil {
					t.Fatal(err)
				}
				states := map[registry.OperationState]int{}
				for _, tenant := range []string{"acme", "beta"} {
					for _, op := range h.view(tenant).Operations {
						states[op.State]++
					}
				}
				if states[registry.Running] != 1 || states[registry.Rejected] != 1 || len(h.engine.started) != 1 {
					t.Fatalf("they are %v, with %d executions", states, len(h.engine.started))
				}
			}
		})
	}
}

// TestOutOfOrder holds that a report on an execution which comes late or twice changes nothing.
func TestOutOfOrder(t *testing.T) {
	h := newHarness(t)
	h.launch("0", "acme")
	first := h.end("acme", registry.Held)
	h.deliver(first)
	h.mustAsk(`{"action":"retry","tenant":"acme"}`)
	h.deliver(first, first) // of the first attempt, while the second runs
	if op := h.current("acme"); op.State != registry.Running || op.Attempt != 2 || len(h.engine.started) != 2 {
		t.Errorf("an old report made it %s", op.State)
	}
	h.finish("acme", registry.Succeeded)
	h.deliver(first)
	if v := h.view("acme"); v.Tenant.State != registry.Active || len(h.published) != 2 {
		t.Errorf("the tenant is %s, notified of %v", v.Tenant.State, h.published)
	}
	h.deliver(event.Execution{Name: "other", Status: "FAILED", Input: `{"some":"thing"}`}, event.Execution{Name: "x", Status: "FAILED", Input: `nothing`},
		event.Execution{Status: "FAILED", Input: `{"tenant":"nobody","operation":"none","attempt":1}`}, event.Execution{Status: "RUNNING", Input: first.Input})
}

func TestExecutionsThatEndWithoutTheirLastTask(t *testing.T) {
	t.Run("reported", func(t *testing.T) {
		h := newHarness(t)
		h.launch("0", "acme")
		h.finish("acme", "")
		if op := h.current("acme"); op.State != registry.Held || !strings.Contains(op.Reason, "aborted") || len(h.published) != 1 {
			t.Errorf("it is %s (%s), notified of %v", op.State, op.Reason, h.published)
		}
	})
	t.Run("found by the sweep", func(t *testing.T) {
		h := newHarness(t)
		h.launch("0", "acme")
		h.end("acme", "")
		h.sweep()
		if op := h.current("acme"); op.State != registry.Running {
			t.Errorf("it is %s before its messages had their time", op.State)
		}
		h.pass(3 * time.Minute)
		h.sweep()
		h.sweep()
		if op := h.current("acme"); op.State != registry.Held || len(h.published) != 1 || !strings.Contains(h.texts[0], `{"action":"retry","tenant":"acme"}`) {
			t.Errorf("it is %s, notified of %v", op.State, h.texts)
		}
	})
	t.Run("never started", func(t *testing.T) {
		h := newHarness(t)
		h.engine.err = errors.New("lost")
		if err := h.try(request("0", "acme", "launch", specOf("acme", "acme", "")))[0]; err == nil {
			t.Error("the message counts as handled: nobody starts the launch until the sweep")
		}
		h.engine.err = nil
		h.pass(3 * time.Minute)
		h.sweep()
		if len(h.engine.started) != 1 {
			t.Errorf("started are %v", h.engine.started)
		}
	})
}

// TestStartRefused holds that what only an operator can solve is held for one, with the remedy.
func TestStartRefused(t *testing.T) {
	h := newHarness(t)
	h.engine.err = &smithy.OperationError{ServiceID: "SFN", OperationName: "StartExecution", Err: &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}}
	h.launch("0", "acme")
	op := h.current("acme")
	if op.State != registry.Held || len(h.texts) != 1 || !strings.Contains(h.texts[0], "states:StartExecution") {
		t.Errorf("it is %s: %v", op.State, h.texts)
	}
	h.engine.err = nil
	h.mustAsk(`{"action":"retry","tenant":"acme"}`)
	if op := h.current("acme"); op.State != registry.Running || len(h.engine.started) != 1 {
		t.Errorf("after a retry it is %s", op.State)
	}
}
