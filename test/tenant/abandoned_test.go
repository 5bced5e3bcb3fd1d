package tenant_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// launched is an installation with one tenant.
func launched(t *testing.T) *installation {
	i := install(t, building("database", "dns", "config"))
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if got := i.viewOf("acme").Tenant.State; got != registry.Active {
		t.Fatal(i.history("acme"))
	}
	return i
}

// removed removes a tenant, and returns what is left of it.
func (i *installation) removed(tenant string) []string {
	i.request(tenant, "remove", "")
	i.pass(2 * time.Hour)
	if i.viewOf(tenant).Tenant.State != registry.Removed {
		i.t.Error(i.history(tenant))
	}
	return i.places.left(tenant)
}

// TestFailedTriesAreUndone: changes that failed with different names leave nothing behind.
func TestFailedTriesAreUndone(t *testing.T) {
	i := launched(t)
	for _, host := range []string{"one", "two", "one"} {
		i.cloud.script["config"] = []error{failing(step.Refused)}
		i.request("acme", "change", host)
		i.pass(time.Minute)
		if _, err := i.ask("abandon", "acme"); err != nil {
			t.Fatal(err, i.history("acme"))
		}
	}
	i.request("acme", "change", "two")
	i.pass(time.Minute)
	if got := i.current("acme"); got.ID != "" {
		t.Fatal(i.history("acme"))
	}
	for _, s := range i.viewOf("acme").Steps {
		if s.Name == "config" && fmt.Sprintf("%s", s.Tried) != `[{"place":"acme/config/one"}]` {
			t.Errorf("after the last change config has tried %s", s.Tried)
		}
	}
	if left := i.removed("acme"); len(left) > 0 {
		t.Errorf("the removed tenant leaves %v", left)
	}
}

// TestHostsOfAbandonedChange: what a change did before it was abandoned stays, and with it the
// hosts: both the one that it made and the one that the tenant is to go back to.
func TestHostsOfAbandonedChange(t *testing.T) {
	i := launched(t)
	i.cloud.script["config"] = []error{failing(step.Refused)}
	i.request("acme", "change", "new")
	i.pass(time.Minute)
	if _, err := i.ask("abandon", "acme"); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"new.example.com", "acme.example.com"} {
		if got := i.owner(host); got != "acme" {
			t.Errorf("%s is %q's: another tenant gets the host that this one answers at", host, got)
		}
	}
	i.request("acme", "change", "new")
	i.pass(time.Minute)
	if got := i.owner("acme.example.com"); got != "" {
		t.Errorf("the former host is still %q's", got)
	}
	if left := i.removed("acme"); len(left) > 0 || i.owner("new.example.com") != "" {
		t.Errorf("the removed tenant leaves %v and has new.example.com", left)
	}
}

// TestStepsOfAbandonedChange: a removal undoes the steps that an abandoned change of a newer
// blueprint has added.
func TestStepsOfAbandonedChange(t *testing.T) {
	i := launched(t)
	i.deploy(building("database", "dns", "branding", "config"))
	i.cloud.script["config"] = []error{failing(step.Refused)}
	i.request("acme", "change", "new")
	i.pass(time.Minute)
	if _, err := i.ask("abandon", "acme"); err != nil {
		t.Fatal(err)
	}
	if left := i.removed("acme"); len(left) > 0 {
		t.Errorf("the removed tenant leaves %v", left)
	}
}

// TestQueuedRemoval: a removal that waits for a change undoes what that has added.
func TestQueuedRemoval(t *testing.T) {
	i := launched(t)
	i.deploy(building("database", "dns", "branding", "config"))
	i.request("acme", "change", "new")
	if left := i.removed("acme"); len(left) > 0 {
		t.Errorf("the removed tenant leaves %v", left)
	}
}

// TestStepsMissingInNewBlueprint: a change with a blueprint that lacks a step of the tenant, or has
// another kind for it, is refused: nobody would undo what the step has made.
func TestStepsMissingInNewBlueprint(t *testing.T) {
	other := building("database", "dns", "config")
	other.Steps[2].Kind = string(step.Mail)
	other.Version = other.Hash()
	for name, c := range map[string]struct {
		deploy func(*installation)
		want   string
	}{
		"a step is gone":     {func(i *installation) { i.deploy(building("database", "dns")) }, "config"},
		"is of another kind": {func(i *installation) { i.deploy(other) }, "config"},
		"gone, and only a queued change has it": {func(i *installation) {
			i.cloud.script["dns"] = []error{failing(step.Refused)}
			i.request("acme", "change", "one")
			i.pass(time.Minute) // held
			i.deploy(building("database", "dns", "config", "branding"))
			i.request("acme", "change", "two")
			i.deploy(building("database", "dns", "config"))
		}, "branding"},
	} {
		t.Run(name, func(t *testing.T) {
			i := launched(t)
			c.deploy(i)
			i.request("acme", "change", "new")
			ops := i.viewOf("acme").Operations
			n := slices.IndexFunc(ops, func(o registry.Operation) bool { return o.State == registry.Rejected })
			if n < 0 || len(ops[n].Faults) != 1 || !strings.Contains(ops[n].Faults[0].Fault, ": "+c.want+".") {
				t.Fatalf("not refused for %s: %s", c.want, i.history("acme"))
			}
			if i.current("acme").State == registry.Held {
				if _, err := i.ask("abandon", "acme"); err != nil {
					t.Fatal(err)
				}
				i.pass(time.Minute)
			}
			if left := i.removed("acme"); len(left) > 0 {
				t.Errorf("the removed tenant leaves %v", left)
			}
		})
	}
}

// TestSecondLife: a step that an earlier life of the tenant has undone, and that a later launch
// has not come to, does not stand in the way when that is abandoned.
func TestSecondLife(t *testing.T) {
	i := launched(t)
	if left := i.removed("acme"); len(left) > 0 {
		t.Fatalf("left %v", left)
	}
	i.cloud.script["dns"] = []error{failing(step.Refused)}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if _, err := i.ask("abandon", "acme"); err != nil {
		t.Fatal(err)
	}
	i.pass(time.Minute)
	if i.viewOf("acme").Tenant.State != registry.Removed || len(i.places.left("acme")) > 0 {
		t.Errorf("the abandoned launch leaves %v: %s", i.places.left("acme"), i.history("acme"))
	}
}

// TestStepBegunTooLate: a worker that has found its operation running, and is then slow, does
// nothing for one that was abandoned and undone meanwhile.
func TestStepBegunTooLate(t *testing.T) {
	i := install(t, building("database", "dns", "config"))
	i.cloud.script["config"] = []error{failing(step.Refused)}
	i.cloud.script["dns"] = []error{failing(step.Refused)}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if _, err := i.ask("retry", "acme"); err != nil {
		t.Fatal(err)
	}
	w := i.workers[step.Storage]
	read, slow := w.Blueprints, true
	w.Blueprints = i.meanwhile(read, &slow, func() {
		i.abort("acme")
		i.report(false)
		if _, err := i.ask("abandon", "acme"); err != nil {
			t.Fatal(err)
		}
		i.pass(time.Minute)
	})
	i.pass(time.Minute)
	if i.viewOf("acme").Tenant.State != registry.Removed || len(i.places.left("acme")) > 0 {
		t.Errorf("the abandoned launch leaves %v: %s", i.places.left("acme"), i.history("acme"))
	}
}

// TestHostsDuringChange: until a change has succeeded, nobody else gets the tenant's hosts: not
// those that it still answers at, whatever the steps have released.
func TestHostsDuringChange(t *testing.T) {
	i := install(t, building("reserve", "dns"))
	i.request("acme", "launch", "old")
	i.pass(time.Minute)
	i.cloud.script["dns"] = []error{failing(step.Refused)}
	i.request("acme", "change", "new")
	i.pass(time.Minute)
	i.request("beta", "launch", "old")
	if i.viewOf("beta").Tenant.Name != "" || i.owner("old.example.com") != "acme" {
		t.Errorf("another tenant gets the host that acme answers at: %s%s", i.history("acme"), i.history("beta"))
	}
	if _, err := i.ask("retry", "acme"); err != nil {
		t.Fatal(err)
	}
	i.pass(time.Minute)
	if got := i.owner("old.example.com"); got != "" {
		t.Errorf("after the change the former host is %q's", got)
	}
	i.request("beta", "launch", "old")
	i.pass(time.Minute)
	if got := i.viewOf("beta").Tenant.State; got != registry.Active {
		t.Errorf("the host that moves from one tenant to another: %s", i.history("beta"))
	}
	if left := append(i.removed("acme"), i.removed("beta")...); len(left) > 0 {
		t.Errorf("the removed tenants leave %v", left)
	}
}
