package tenant_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/region"
)

// randomBlueprint has steps of random classes and needs, some retained, some that
// refer to the spec or to one another.
func randomBlueprint(t *rapid.T) *blueprint.Blueprint {
	b := &blueprint.Blueprint{Name: "random", Spec: product().Spec}
	for i := range rapid.IntRange(1, 9).Draw(t, "steps") {
		class := rapid.SampledFrom(step.Classes()).Draw(t, "class")
		s := blueprint.Step{
			Name: fmt.Sprintf("s%d", i), Kind: string(class), Class: class, Retain: rapid.IntRange(0, 4).Draw(t, "retain") == 0,
			Policy: step.Policy{TimeLimit: time.Minute, Expected: time.Duration(rapid.IntRange(0, 60).Draw(t, "expected")) * time.Second, Wait: time.Minute, Interval: 10 * time.Second},
		}
		parameters := map[string]string{"name": "${spec.name}"}
		if rapid.Bool().Draw(t, "title") {
			parameters["title"] = "${spec.title}"
		}
		for j := range i {
			if rapid.IntRange(0, 2).Draw(t, "need") == 0 {
				s.Needs = append(s.Needs, b.Steps[j].Name)
				parameters[b.Steps[j].Name] = "${steps." + b.Steps[j].Name + ".id}"
			}
		}
		s.Parameters, _ = json.Marshal(parameters)
		b.Steps = append(b.Steps, s)
	}
	b.Version = b.Hash()
	return b
}

// trouble has calls fail by chance, and kills processes.
func trouble(seed uint64, oneIn int) func(int, string) region.Fault {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(int, string) region.Fault {
		if random.IntN(oneIn) > 0 {
			return region.Fault{}
		}
		return []region.Fault{
			{Before: errors.New("unavailable")}, {After: errors.New("answer lost")}, {Before: region.ErrKilled}, {After: region.ErrKilled},
			{Before: failing(step.Refused)}, {Before: failing(step.NotYet)}, {After: failing(step.Conflict)},
		}[random.IntN(7)]
	}
}

// life is a tenant's: launched, changed and removed in trouble, retried by an operator where it
// is held. It returns what is wrong at the end.
func life(h *tenants, b *blueprint.Blueprint, seed uint64, oneIn int) (wrong []string) {
	for n, next := range []struct {
		kind registry.OperationKind
		spec string
	}{{registry.Launch, spec1}, {registry.Change, spec2}, {registry.Remove, spec2}} {
		op := h.begin(next.kind, b.Version, next.spec)
		h.calls.fault = trouble(seed+uint64(n), oneIn)
		h.engine.run(op)
		h.calls.fault = nil
		// An execution that ended before it could finish is held by intake's sweep.
		h.update(func(tx *registry.Tx) error {
			return tx.End(op.ID, op.Attempt, registry.Held, "sweep", "its execution has ended")
		})
		if h.view().Operation(op.ID).State == registry.Held {
			h.cloud.applied = nil
			h.engine.run(h.retry(op))
		}
		if got := h.view().Operation(op.ID).State; got != registry.Succeeded {
			wrong = append(wrong, "after a retry without faults: "+h.state(op))
		}
	}
	if len(h.cloud.overlap) > 0 {
		wrong = append(wrong, fmt.Sprintf("two tries at once of %v", h.cloud.overlap))
	}
	var retained []string
	for _, s := range b.Steps {
		if s.Retain {
			retained = append(retained, tenantName+"/"+s.Name+"/content", tenantName+"/"+s.Name+"/shell")
		}
	}
	slices.Sort(retained)
	if left := h.cloud.left(); !slices.Equal(left, retained) {
		wrong = append(wrong, fmt.Sprintf("left behind %v, and retained %v", left, retained))
	}
	return wrong
}

// TestRandomLives: whatever the graph, and whatever fails, nothing is left of a removed
// tenant but what is retained.
func TestRandomLives(t *testing.T) {
	check := func(play func(t *testing.T, b *blueprint.Blueprint, seed uint64, oneIn int) []string) func(*testing.T) {
		return func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				b := randomBlueprint(rt)
				seed := rapid.Uint64().Draw(rt, "seed")
				oneIn := rapid.IntRange(3, 60).Draw(rt, "one call in")
				if wrong := play(t, b, seed, oneIn); len(wrong) > 0 {
					rt.Fatal(strings.Join(wrong, "\n"))
				}
			})
		}
	}
	t.Run("step functions", check(func(t *testing.T, b *blueprint.Blueprint, seed uint64, oneIn int) []string {
		return life(onStepFunctions(t, b), b, seed, oneIn)
	}))
	t.Run("runner", check(func(t *testing.T, b *blueprint.Blueprint, seed uint64, oneIn int) (wrong []string) {
		synctest.Test(t, func(*testing.T) { wrong = life(onRunner(b), b, seed, oneIn) })
		return wrong
	}))
}
