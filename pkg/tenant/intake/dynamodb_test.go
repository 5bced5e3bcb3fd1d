package intake_test

import (
	"testing"
	"time"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/test/dynamo"
)

// TestLifeInDynamoDB holds that a tenant's life is the same in a table as in memory.
func TestLifeInDynamoDB(t *testing.T) {
	life := func(h *harness) string {
		h.launch("1", "acme")
		h.finish("acme", registry.Held)
		h.mustAsk(`{"action":"retry","tenant":"acme"}`)
		h.pass(time.Second)
		h.deliver(request("2", "acme", "change", specOf("acme", "new", "")))
		h.launch("3", "acme")
		h.finish("acme", registry.Succeeded)
		h.end("acme", "")
		h.pass(3 * time.Minute)
		h.sweep()
		h.mustAsk(`{"action":"abandon","tenant":"acme"}`)
		h.pass(time.Second)
		h.deliver(request("4", "acme", "remove", ""))
		h.pass(25 * time.Hour)
		h.finish("acme", registry.Succeeded)
		h.mustAsk(`{"action":"tenants"}`)
		return h.state("acme")
	}
	want := life(newHarness(t))
	layout := registry.Layout("registry-intake")
	dynamo.Each(t, layout.Table, []string{layout.Partition, layout.Sort}, func(t *testing.T, db dynamo.DB) {
		if got := life(newHarnessOn(t, registry.NewDynamoDB(db, layout.Table))); got != want {
			t.Errorf("it ends as\n%s\nwant\n%s", got, want)
		}
	})
}
