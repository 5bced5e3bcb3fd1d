package tenant_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/region"
)

// TestStateMachineDeleted: an operation whose state machine somebody has deleted is held, and goes on
// when its blueprint is deployed again: also the removal of an abandoned launch, which nothing
// else could end.
func TestStateMachineDeleted(t *testing.T) {
	i := install(t, building("database", "dns"))
	i.cloud.script["dns"] = []error{failing(step.Refused)}
	i.request("acme", "launch", "acme")
	i.pass(time.Minute)
	err := i.registry.Update(context.Background(), "acme", func(tx *registry.Tx) error {
		op, err := tx.Operation(i.current("acme").ID)
		if err != nil {
			return err
		}
		op.Machine, op.RemoveMachine = op.Machine+"9", op.RemoveMachine+"9" // versions that are not there
		return tx.Put(op)
	})
	if err != nil {
		t.Fatal(err)
	}
	offered := building("database", "dns")
	i.deploy(building("database", "dns", "config"))
	for _, action := range []string{"retry", "abandon", "retry"} {
		if _, err := i.ask(action, "acme"); err != nil {
			t.Fatal(err)
		}
		i.pass(time.Minute)
		if op := i.current("acme"); op.State != registry.Held || !strings.Contains(op.Reason, "does not exist") && !strings.Contains(op.Reason, "Does Not Exist") {
			t.Fatalf("without its state machine it is not held: %s", i.history("acme"))
		}
	}
	i.deploy(offered)
	if _, err := i.ask("retry", "acme"); err != nil {
		t.Fatal(err)
	}
	i.pass(time.Minute)
	if left := i.places.left("acme"); len(left) > 0 || i.viewOf("acme").Tenant.State != registry.Removed {
		t.Errorf("with the blueprint deployed again there is left %v: %s", left, i.history("acme"))
	}
}

// TestWorkerNeverRuns: a step of a change whose function is gone is shown as failed, though an
// earlier operation has done it.
func TestWorkerNeverRuns(t *testing.T) {
	i := launched(t)
	i.region.AddFunction(region.Function{Name: workflow.Substitution(step.Network), Handler: func([]byte) ([]byte, error) { return nil, region.ErrKilled }})
	i.request("acme", "change", "new")
	i.pass(2 * time.Hour)
	for _, s := range i.viewOf("acme").Steps {
		if s.Name == "dns" && (s.State != registry.StepFailed || s.Operation != i.current("acme").ID || s.Error == nil) {
			t.Errorf("an operator sees nothing of what failed: %s", i.history("acme"))
		}
	}
	i.addFunctions(i.region)
	if _, err := i.ask("retry", "acme"); err != nil {
		t.Fatal(err)
	}
	i.pass(time.Minute)
	if left := i.removed("acme"); len(left) > 0 {
		t.Errorf("the removed tenant leaves %v", left)
	}
}
