package example

import (
	"testing"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/source"
)

func load(t testing.TB) *blueprint.Blueprint {
	t.Helper()
	b, err := source.Load(FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoad(t *testing.T) {
	b := load(t)
	for _, name := range []string{"reserve-production", "database-staging", "mail", "smoke-production", "activate-staging", "google-calendar"} {
		if _, ok := b.Step(name); !ok {
			t.Errorf("the product has no %s", name)
		}
	}
}
