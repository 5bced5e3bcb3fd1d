package tenant_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/region"
)

var (
	customers = []string{"acme", "beta"}
	hosts     = []string{"one", "two", "three"}
)

// TestHostileSchedules draws requests, commands, faults and deployments in any order, also in
// the middle of a step, on intake, DynamoDB, Step Functions and workers together. A host that
// answers for a tenant is that tenant's at any time; and when the faults are over, an operator
// gets every tenant removed, and nothing is left.
func TestHostileSchedules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		i := install(t, building("reserve", "database", "dns", "config"))
		var sent []event.TenantRequest
		for range rapid.IntRange(3, 25).Draw(rt, "length") {
			i.cloud.during = nil
			if rapid.IntRange(0, 4).Draw(rt, "in the middle of a step") == 0 {
				inside := i.draw(rt, []string{"command", "abort", "deploy", "request", "again", "sweep", "report"}, &sent)
				i.cloud.during = func(step.Input) {
					i.cloud.during = nil
					inside()
				}
			}
			i.draw(rt, []string{"request", "request", "request", "time", "time", "command", "again", "abort", "deploy", "failure", "outage", "sweep", "report"}, &sent)()
			i.hostsAreClaimed(rt)
		}
		i.cloud.during, i.cloud.script, i.calls.fault = nil, map[string][]error{}, nil
		i.end(rt)
	})
}

// draw draws one of some things to do.
func (i *installation) draw(rt *rapid.T, of []string, sent *[]event.TenantRequest) func() {
	tenant := rapid.SampledFrom(customers).Draw(rt, "tenant")
	switch rapid.SampledFrom(of).Draw(rt, "what") {
	case "request":
		operation := rapid.SampledFrom([]string{"launch", "launch", "change", "change", "remove"}).Draw(rt, "operation")
		host := rapid.SampledFrom(hosts).Draw(rt, "host")
		return func() { *sent = append(*sent, i.request(tenant, operation, host)) }
	case "again":
		n := rapid.IntRange(0, 30).Draw(rt, "request")
		return func() {
			if len(*sent) > 0 {
				i.deliver((*sent)[n%len(*sent)])
			}
		}
	case "time":
		seconds := rapid.SampledFrom([]int{1, 5, 60, 1800, 7200}).Draw(rt, "seconds")
		return func() { i.region.Advance(time.Duration(seconds) * time.Second) }
	case "report":
		again := rapid.Bool().Draw(rt, "earlier ones again")
		return func() { i.report(again) }
	case "command":
		action := rapid.SampledFrom([]string{"retry", "abandon", "cancel"}).Draw(rt, "action")
		twice := rapid.Bool().Draw(rt, "twice")
		return func() {
			_, _ = i.ask(action, tenant) // which may be refused
			if twice {
				_, _ = i.ask(action, tenant)
			}
		}
	case "abort":
		return func() { i.abort(tenant) }
	case "deploy":
		b := building(rapid.SampledFrom([][]string{{"reserve", "database", "dns", "config"}, {"reserve", "database", "dns"}, {"reserve", "database", "dns", "branding", "config"}}).Draw(rt, "steps")...)
		return func() { i.deploy(b) }
	case "failure":
		name := rapid.SampledFrom([]string{"database", "dns", "config"}).Draw(rt, "step")
		all := repeat(rapid.SampledFrom([]error{failing(step.Refused), failing(step.Transient), region.ErrKilled}).Draw(rt, "error"), rapid.IntRange(1, 30).Draw(rt, "failures"))
		return func() { i.cloud.script[name] = all }
	case "outage": // of DynamoDB, for some calls
		calls := rapid.IntRange(1, 60).Draw(rt, "calls")
		return func() {
			until := i.calls.made + calls
			i.calls.fault = func(n int, _ string) region.Fault {
				if n < until {
					return region.Fault{Before: errors.New("throttled")}
				}
				return region.Fault{}
			}
		}
	}
	return i.sweep
}

// hostsAreClaimed holds that nobody else can get the host that a tenant's DNS step has made.
func (i *installation) hostsAreClaimed(rt *rapid.T) {
	fault := i.calls.fault
	i.calls.fault = nil
	defer func() { i.calls.fault = fault }()
	for _, tenant := range customers {
		for _, s := range i.viewOf(tenant).Steps {
			if host := s.Outputs["place"]; s.Name == "dns" && host != "" && i.owner(host) != tenant {
				rt.Fatalf("%s answers for %s, and is %q's\n%s", host, tenant, i.owner(host), i.history(tenant))
			}
		}
	}
	if len(i.cloud.overlap) > 0 {
		rt.Fatalf("two tries at once of %v", i.cloud.overlap)
	}
}

// end has an operator bring all operations to their end and remove all tenants.
func (i *installation) end(rt *rapid.T) {
	i.deploy(building("reserve", "database", "dns", "branding", "config"))
	for round := 0; ; round++ {
		busy := false
		for _, tenant := range customers {
			i.sweep()
			i.pass(2 * time.Hour)
			i.hostsAreClaimed(rt)
			v, op := i.viewOf(tenant), i.current(tenant)
			switch {
			case op.State == registry.Held:
				if _, err := i.ask("retry", tenant); err != nil {
					rt.Fatal(err)
				}
			case op.ID == "" && v.Tenant.Name != "" && v.Tenant.State != registry.Removed:
				i.request(tenant, "remove", "")
			case op.ID == "":
				continue
			}
			busy = true
		}
		if !busy {
			break
		}
		if round == 40 {
			rt.Fatalf("it does not end:\n%s\n%s", i.history(customers[0]), i.history(customers[1]))
		}
	}
	if left := slices.Sorted(maps.Keys(i.places.owners)); len(left) > 0 {
		rt.Fatalf("all tenants are removed, and there is %v\n%s\n%s", left, i.history(customers[0]), i.history(customers[1]))
	}
	for _, host := range hosts {
		if owner := i.owner(host + ".example.com"); owner != "" {
			rt.Fatalf("removed, %s has %s", owner, host)
		}
	}
	open, err := i.registry.Open(rt.Context())
	if err != nil || len(open) > 0 {
		rt.Fatalf("open are %+v, %v", open, err)
	}
	for _, tenant := range customers {
		for _, o := range i.viewOf(tenant).Operations {
			subject := fmt.Sprintf("of tenant %s: %s", tenant, o.State)
			if o.State != registry.Queued && !slices.ContainsFunc(i.subjects, func(s string) bool { return strings.HasSuffix(s, subject) }) {
				rt.Fatalf("nobody was notified of %s, which is %s", o.ID, o.State)
			}
		}
	}
}
