package tenant_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/workflow"
)

var update = flag.Bool("update", false, "renew the golden files")

func exampleBlueprint(t *testing.T) *blueprint.Blueprint {
	t.Helper()
	b, err := source.Load(example.FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExampleDefinitions are the state machines of the shipped example, to be read in a review.
func TestExampleDefinitions(t *testing.T) {
	b := exampleBlueprint(t)
	for name, text := range definitions(t, b) {
		path := filepath.Join("testdata", name+".asl.json")
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s has changed; renew with -update (-golden +now):\n%s", name, diff)
		}
	}
}

// TestExampleLosesNothing: the state machine of the example is as fast as its graph.
func TestExampleLosesNothing(t *testing.T) {
	b := exampleBlueprint(t)
	path, least := workflow.CriticalPath(b.Steps)
	arranged := workflow.Arrange(b.Steps)
	t.Logf("%d steps, critical path of %s: %v, arranged in %s", len(b.Steps), least, path, arranged.Expected)
	if arranged.Expected > least+least/20 {
		t.Errorf("a launch takes %s by the state machine, and %s by the graph: steps wait for what they do not need", arranged.Expected, least)
	}
	if least > workflow.Budget/2 {
		t.Errorf("a launch is expected to take %s of its budget of %s", least, workflow.Budget)
	}
}

// TestExampleLaunch runs the shipped example with kinds that make nothing: what a launch
// costs of Step Functions and of the registry.
func TestExampleLaunch(t *testing.T) {
	const spec = `{"schemaVersion":1,"name":"acme","title":"Acme","contacts":{"owner":{"name":"Ana","email":"ana@example.com"}}}`
	b := exampleBlueprint(t)
	h := onStepFunctions(t, b)
	op := h.begin(registry.Launch, b.Version, spec)
	h.calls.made = 0
	h.engine.run(op)
	if got := h.view().Operation(op.ID).State; got != registry.Succeeded {
		t.Fatal(h.state(op))
	}
	r := h.engine.(*stepFunctions).Region
	transitions := r.Transitions(r.Executions()[0])
	calls := h.calls.made - 2*len(b.Steps) // a fake kind makes two
	t.Logf("%d steps: %d state transitions, %d calls of the registry", len(b.Steps), transitions, calls)
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("(%d steps) takes %d state transitions", len(b.Steps), transitions); !strings.Contains(string(readme), want) {
		t.Errorf("the README says other figures than %q: people expect another bill", want)
	}
	if transitions > 2*len(b.Steps) {
		t.Errorf("%d state transitions for %d steps", transitions, len(b.Steps))
	}
	if calls > 5*len(b.Steps)+5 {
		t.Errorf("%d calls of the registry for %d steps: more than five each, and five for the end", calls, len(b.Steps))
	}
	removal := h.begin(registry.Remove, b.Version, spec)
	h.engine.run(removal)
	if got := h.view().Operation(removal.ID).State; got != registry.Succeeded {
		t.Error(h.state(removal))
	}
}
