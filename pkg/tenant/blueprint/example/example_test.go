package example

import (
	"testing"

	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/source"
)

func TestLoads(t *testing.T) {
	b, err := source.Load(FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Steps {
		t.Log(s.Name, s.Needs, string(s.Parameters))
	}
}
