package tenant_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// TestRetainedData: what a removal retained is not given to the next tenant of the name, unless
// an operator releases it.
func TestRetainedData(t *testing.T) {
	b := building("database", "dns", "config")
	b.Steps[0].Retain = true
	b.Version = b.Hash()
	i := install(t, b)
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if left := i.removed("acme"); !slices.Equal(left, []string{"acme/database/acme"}) {
		t.Fatalf("left %v, want the database", left)
	}

	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	v := i.viewOf("acme")
	rejected := slices.IndexFunc(v.Operations, func(o registry.Operation) bool { return o.State == registry.Rejected })
	if v.Tenant.State != registry.Removed || rejected < 0 || !strings.Contains(v.Operations[rejected].Faults[0].Fault, "database") {
		t.Fatalf("the next client of the name gets the data of the former: %s", i.history("acme"))
	}
	if _, err := i.ask("release", "nobody"); err == nil {
		t.Error("the name of nobody is released")
	}
	for range 2 {
		if _, err := i.ask("release", "acme"); err != nil {
			t.Fatal(err)
		}
	}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if got := i.viewOf("acme").Tenant; got.State != registry.Active {
		t.Errorf("after the release the launch is not accepted: %s", i.history("acme"))
	}
	if _, err := i.ask("release", "acme"); err == nil {
		t.Error("an active tenant is released")
	}
}

// TestDataOfAbandonedLaunch: what the undoing of an abandoned launch retained blocks the name as
// well, and the fault says how a launch gets through.
func TestDataOfAbandonedLaunch(t *testing.T) {
	b := building("database", "dns", "config")
	b.Steps[0].Retain = true
	b.Version = b.Hash()
	i := install(t, b)
	i.cloud.script["dns"] = []error{failing(step.Refused)}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if _, err := i.ask("abandon", "acme"); err != nil {
		t.Fatal(err)
	}
	i.pass(time.Minute)
	if got := i.viewOf("acme").Tenant; got.State != registry.Removed || !slices.Equal(got.Retained, []string{"database"}) {
		t.Fatalf("the tenant is %+v: nobody knows of the database that is left, %v", got, i.places.left("acme"))
	}

	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	v := i.viewOf("acme")
	rejected := slices.IndexFunc(v.Operations, func(o registry.Operation) bool { return o.State == registry.Rejected })
	if v.Tenant.State != registry.Removed || rejected < 0 {
		t.Fatalf("the next client of the name gets the data of an abandoned launch: %s", i.history("acme"))
	}
	if fault := v.Operations[rejected].Faults[0].Fault; !strings.Contains(fault, "release this one and send the request under another ID") {
		t.Errorf("the fault is %q: after the release the same request is rejected again", fault)
	}
	if _, err := i.ask("release", "acme"); err != nil {
		t.Fatal(err)
	}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	if got := i.viewOf("acme").Tenant; got.State != registry.Active {
		t.Errorf("after the release the launch is not accepted: %s", i.history("acme"))
	}
}

// TestRecheck: what changes by itself is looked at in each change, and applied only if it is not
// as it should be; a retry does not look again.
func TestRecheck(t *testing.T) {
	b := product()
	b.Steps[4].Policy.Recheck = true
	b.Version = b.Hash()
	engines(t, b, func(t *testing.T, h *tenants) {
		h.engine.run(h.begin(registry.Launch, b.Version, spec1))
		h.cloud.applied = nil
		h.engine.run(h.begin(registry.Change, b.Version, spec1))
		if len(h.cloud.applied) > 0 {
			t.Errorf("applied %v although nothing has changed", h.cloud.applied)
		}
		delete(h.cloud.things, "acme/mail/content")
		h.engine.run(h.begin(registry.Change, b.Version, spec1))
		if got := h.cloud.applied; !slices.Contains(got, "acme/mail") {
			t.Errorf("applied %v: what has changed by itself stays as it is", got)
		}
	})
}
