package intake_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
)

var (
	tenants = []string{"acme", "beta", "gamma"}
	aliases = []string{"acme", "beta", "shared"}
)

// TestRandomRequests draws requests, ends of executions, operators' commands, faults and
// sweeps, and holds after each what is always true.
func TestRandomRequests(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(t)
		var reports []event.Execution // to be delivered, perhaps late, perhaps again
		for range rapid.IntRange(1, 25).Draw(rt, "length") {
			tenant := rapid.SampledFrom(tenants).Draw(rt, "tenant")
			h.pass(time.Duration(rapid.IntRange(0, 200).Draw(rt, "seconds")) * time.Second)
			switch rapid.SampledFrom([]string{"request", "request", "request", "end", "end", "report", "command", "sweep"}).Draw(rt, "what") {
			case "request":
				h.withFault(rt, randomRequest(rt, tenant))
			case "end":
				if _, runs := h.engine.executions[workflow.ExecutionName(h.current(tenant))]; runs && h.current(tenant).ID != "" && h.current(tenant).State != registry.Held {
					reports = append(reports, h.end(tenant, rapid.SampledFrom([]registry.OperationState{registry.Succeeded, registry.Succeeded, registry.Held, ""}).Draw(rt, "end")))
				}
			case "report":
				if len(reports) > 0 {
					h.withFault(rt, rapid.SampledFrom(reports).Draw(rt, "report"))
				}
			case "command":
				action := rapid.SampledFrom([]string{"retry", "abandon", "cancel", "tenant"}).Draw(rt, "action")
				h.arm(rt)
				_, _ = h.ask(fmt.Sprintf(`{"action":%q,"tenant":%q}`, action, tenant)) // which may be refused
				h.process.dead, h.process.kill = false, kill{}
			case "sweep":
				h.withFault(rt, event.Continuation{Body: []byte(`{"sweep":{}}`)})
			}
			h.consistent(rt)
		}
		h.settle()
		h.settled(rt)
		h.endAll(rt)
	})
}

func randomRequest(rt *rapid.T, tenant string) event.TenantRequest {
	id := fmt.Sprint(rapid.IntRange(1, 12).Draw(rt, "id"))
	operation := rapid.SampledFrom([]string{"launch", "launch", "change", "change", "remove"}).Draw(rt, "operation")
	body := specOf(tenant, rapid.SampledFrom(aliases).Draw(rt, "alias"), rapid.SampledFrom([]string{"", "", "", `,"protected":true`, `,"locale":7`}).Draw(rt, "more"))
	if operation == "remove" {
		body = ""
	}
	return request(id, tenant, operation, body)
}

// arm may let a call of what follows fail.
func (h *harness) arm(rt *rapid.T) {
	h.process.calls = 0
	h.process.kill = kill{at: rapid.IntRange(0, 12).Draw(rt, "call"), after: rapid.Bool().Draw(rt, "after"), fail: rapid.Bool().Draw(rt, "fail")}
}

// withFault delivers a message to a process that may die, and perhaps again.
func (h *harness) withFault(rt *rapid.T, e event.Event) {
	h.arm(rt)
	err := h.try(e)[0]
	dead := h.process.dead
	h.process.dead, h.process.kill = false, kill{}
	if err != nil || dead || rapid.Bool().Draw(rt, "twice") {
		if err := h.try(e)[0]; err != nil {
			rt.Fatalf("delivered again: %v", err)
		}
	}
}

// settle leaves the rest to the sweep.
func (h *harness) settle() {
	for range 3 {
		h.pass(3 * time.Minute)
		h.sweep()
	}
}

// consistent holds what is true at any moment.
func (h *harness) consistent(rt *rapid.T) {
	owners := map[string]string{}
	for _, tenant := range tenants {
		v := h.view(tenant)
		h.oneOperation(rt, v)
		claimed := h.owned(tenant)
		wanted := map[string]bool{}
		if v.Tenant.State != registry.Removed {
			for _, host := range v.Tenant.Hosts {
				wanted[host] = true
			}
		}
		for _, op := range v.Operations {
			if !op.Over() {
				for _, host := range op.Hosts {
					wanted[host] = true
				}
			}
		}
		for host := range wanted {
			if !claimed[host] {
				rt.Fatalf("%s needs %s, which is not claimed: another tenant can take it\n%s", tenant, host, h.state(tenants...))
			}
			if owners[host] != "" {
				rt.Fatalf("%s is of %s and of %s", host, owners[host], tenant)
			}
			owners[host] = tenant
		}
		for host := range claimed {
			if !wanted[host] {
				rt.Fatalf("%s has claimed %s and does not need it: nobody gets it ever again\n%s", tenant, host, h.state(tenants...))
			}
		}
	}
}

// oneOperation holds that a tenant has one operation at a time, that every other one that has not
// ended waits for it, and that a request is one operation.
func (h *harness) oneOperation(rt *rapid.T, v registry.View) {
	requests := map[string]string{}
	for _, op := range v.Operations {
		switch {
		case op.State == registry.Queued && !slices.Contains(v.Tenant.Queued, op.ID):
			rt.Fatalf("%s is queued, and in no queue", op.ID)
		case op.State != registry.Queued && !op.Over() && v.Tenant.Operation != op.ID:
			rt.Fatalf("%s is %s beside %q", op.ID, op.State, v.Tenant.Operation)
		}
		if op.State == registry.Rejected || strings.HasSuffix(op.ID, "-undo") {
			continue
		}
		key := string(op.Kind) + op.Request
		if requests[key] != "" {
			rt.Fatalf("request %s is %s and %s", op.Request, requests[key], op.ID)
		}
		requests[key] = op.ID
	}
	for _, id := range append(slices.Clone(v.Tenant.Queued), v.Tenant.Operation) {
		if id != "" && (v.Operation(id).ID == "" || v.Operation(id).Over()) {
			rt.Fatalf("the tenant waits for %s, which is %q", id, v.Operation(id).State)
		}
	}
	if len(v.Tenant.Queued) > 0 && v.Tenant.Operation == "" {
		rt.Fatalf("%v wait for nothing", v.Tenant.Queued)
	}
}

func (h *harness) owned(tenant string) map[string]bool {
	owned := map[string]bool{}
	h.update(tenant, func(tx *registry.Tx) error {
		var hosts []string
		for _, a := range aliases {
			hosts = append(hosts, a+".example.com")
		}
		owners, err := tx.Owners(hosts...)
		for host, owner := range owners {
			if owner == tenant {
				owned[host] = true
			}
		}
		return err
	})
	return owned
}

// settled holds what is true after the sweep has had its turn: what is to run runs, once, and
// everybody is notified.
func (h *harness) settled(rt *rapid.T) {
	for _, tenant := range tenants {
		for _, op := range h.view(tenant).Operations {
			if len(op.Ledger.Outbox) > 0 {
				rt.Fatalf("%s has %+v to send", op.ID, op.Ledger.Outbox)
			}
			x, exists := h.engine.executions[workflow.ExecutionName(op)]
			if (op.State == registry.Running || op.State == registry.Delayed) && (!exists || x.status != "") {
				rt.Fatalf("%s is %s, and its execution is %q", op.ID, op.State, x.status)
			}
		}
	}
	started := slices.Clone(h.engine.started)
	slices.Sort(started)
	if len(slices.Compact(started)) != len(h.engine.started) {
		rt.Fatalf("started are %v", h.engine.started)
	}
}

// endAll has all operations succeed and removes all tenants: nothing is left.
func (h *harness) endAll(rt *rapid.T) {
	for round := range 100 {
		busy := false
		for _, tenant := range tenants {
			v := h.view(tenant)
			op := h.current(tenant)
			switch {
			case op.State == registry.Held:
				h.mustAsk(fmt.Sprintf(`{"action":"retry","tenant":%q}`, tenant))
			case op.ID != "":
				h.pass(25 * time.Hour)
				h.finish(tenant, registry.Succeeded)
			case v.Tenant.Name != "" && v.Tenant.State != registry.Removed:
				h.deliver(request(fmt.Sprint("last-", round), tenant, "change", specOf(tenant, h.alias(tenant), "")))
				h.finish(tenant, registry.Succeeded)
				h.deliver(request(fmt.Sprint("last-", round), tenant, "remove", ""))
			default:
				continue
			}
			busy = true
		}
		if busy {
			continue
		}
		open, err := h.registry.Open(context.Background())
		if err != nil || len(open) > 0 {
			rt.Fatalf("open are %+v, %v", open, err)
		}
		for _, tenant := range tenants {
			if owned := h.owned(tenant); len(owned) > 0 {
				rt.Fatalf("removed, %s has %v", tenant, owned)
			}
		}
		return
	}
	rt.Fatalf("it does not end:\n%s", h.state(tenants...))
}

// alias is the tenant's own host's.
func (h *harness) alias(tenant string) string {
	alias, _, _ := strings.Cut(h.view(tenant).Tenant.Hosts[0], ".")
	return alias
}
