package tenant_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/region"
)

// definitions are the state machines of a blueprint, as CloudFormation would deploy them.
func definitions(t *testing.T, b *blueprint.Blueprint) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, define := range map[string]func() ([]byte, error){
		"converge": func() ([]byte, error) { return workflow.Converge(b) },
		"remove":   func() ([]byte, error) { return workflow.Remove(b) },
		"manual":   workflow.Manual,
	} {
		text, err := define()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = substitute(string(text))
	}
	return all
}

// TestDefinitionsValid: asl-validator and the region accept the definitions.
func TestDefinitionsValid(t *testing.T) {
	npx, err := exec.LookPath("npx")
	if err != nil {
		t.Fatal("npx is not installed: it comes with npm, which comes with Node from https://nodejs.org")
	}
	arguments := []string{"--yes", "asl-validator@4.0.0"}
	all := definitions(t, exampleBlueprint(t))
	for name, text := range definitions(t, product()) {
		all["product-"+name] = text
	}
	for name, text := range all {
		path := filepath.Join(t.TempDir(), name+".json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, "--json-path", path)
		_, err := region.New(region.Options{}).StepFunctions().CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: &name, Definition: &text, RoleArn: aws.String("arn:aws:iam::123456789012:role/m")})
		if err != nil {
			t.Errorf("the region refuses %s: %v", name, err)
		}
	}
	if said, err := exec.Command(npx, arguments...).CombinedOutput(); err != nil {
		t.Errorf("asl-validator: %v\n%s", err, said)
	}
}

// TestTransitions counts what a launch costs: Standard workflows are priced by the state
// transition.
func TestTransitions(t *testing.T) {
	b := product()
	h := onStepFunctions(t, b)
	h.engine.run(h.begin(registry.Launch, b.Version, spec1))
	r := h.engine.(*stepFunctions).Region
	// One for each step, one for each Parallel state (two), finish, its choice and the end.
	if got, want := r.Transitions(r.Executions()[0]), len(b.Steps)+2+3; got != want {
		t.Errorf("a launch of %d steps takes %d state transitions, not %d", len(b.Steps), got, want)
	}
}

// TestProgressOfRemoval: steps are undone in reverse order.
func TestProgressOfRemoval(t *testing.T) {
	b := product()
	launch := workflow.ProgressOf(b, registry.Operation{ID: "x", Kind: registry.Launch}, nil, time.Time{}).CriticalPath
	var made []registry.Step
	for _, s := range b.Steps {
		made = append(made, registry.Step{Name: s.Name, State: registry.StepDone, Operation: "x", Parameters: []byte("{}")})
	}
	removal := workflow.ProgressOf(b, registry.Operation{ID: "y", Kind: registry.Remove}, made, time.Time{}).CriticalPath
	slices.Reverse(removal)
	if len(launch) < 3 || !slices.Equal(launch, removal) {
		t.Errorf("a removal says that it waits for %q, the last first, and a launch for %q: operators look at the wrong step", removal, launch)
	}
}

func TestProgress(t *testing.T) {
	b := product()
	op := registry.Operation{ID: "x", Kind: registry.Launch}
	at := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	done := func(names ...string) (all []registry.Step) {
		for _, n := range names {
			all = append(all, registry.Step{Name: n, State: registry.StepDone, Operation: "x"})
		}
		return all
	}
	running := registry.Step{Name: "config", State: registry.StepRunning, Operation: "x", Started: at.Add(-5 * time.Second)}
	for name, c := range map[string]struct {
		records []registry.Step
		percent int
		left    time.Duration
	}{
		"nothing":                         {nil, 0, 40 * time.Second},
		"the first":                       {done("reserve"), 25, 30 * time.Second},
		"a step beside the critical path": {done("reserve", "database"), 25, 30 * time.Second},
		"in the middle of a step":         {append(done("reserve", "database", "storage", "dns", "mail"), running), 62, 15 * time.Second},
		"everything":                      {done("reserve", "database", "storage", "dns", "mail", "config", "activate"), 100, 0},
		"of an earlier operation":         {[]registry.Step{{Name: "reserve", State: registry.StepDone, Operation: "w"}}, 0, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := workflow.ProgressOf(b, op, c.records, at); got.Percent != c.percent || got.Left != c.left {
				t.Errorf("%d %% with %s left, not %d %% with %s", got.Percent, got.Left, c.percent, c.left)
			}
		})
	}
}
