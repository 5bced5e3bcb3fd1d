package tenant_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

var _ intake.Engine = (*workflow.Runner)(nil)

// slow is a kind that takes until its time is up, and then some.
type slow struct {
	kind
	then func()
}

func (s slow) Apply(ctx context.Context, _ step.Input) (step.Outputs, error) {
	<-ctx.Done()
	s.then()
	return nil, ctx.Err()
}

// TestTimeLimit: a try that takes too long ends in time to be recorded, and is retried.
func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := product()
		h := onRunner(b)
		op := h.begin(registry.Launch, b.Version, spec1)
		task := workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: op.ID, Attempt: 1, Blueprint: op.Blueprint, Step: "reserve"}
		over := false
		h.workers[step.Control].Kinds["control"] = slow{kind{cloud: h.cloud, class: step.Control}, func() {
			if over {
				return
			}
			over = true
			if _, err := h.invoke(t.Context(), step.Control, task); err == nil || !strings.Contains(err.Error(), "lease") {
				t.Errorf("a try that is over and not recorded yet lets another begin: %v", err)
			}
		}}
		began := time.Now()
		_, err := h.invoke(t.Context(), step.Control, task)
		if typed, ok := err.(interface{ ErrorType() string }); !ok || typed.ErrorType() != string(step.Transient) || time.Since(began) != 2*time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if s := h.view().Steps[0]; s.Error == nil || s.Holder != "" {
			t.Errorf("recorded as %+v: nobody sees why, or the next try waits for the lease", s)
		}
	})
}

// TestInvocationEnds: a try whose invocation's time is up is recorded all the same.
func TestInvocationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := onRunner(product())
		op := h.begin(registry.Launch, product().Version, spec1)
		h.workers[step.Control].Kinds["control"] = slow{kind{cloud: h.cloud, class: step.Control}, func() {}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // less than the step's limit
		defer cancel()
		_, _ = h.invoke(ctx, step.Control, workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: op.ID, Attempt: 1, Blueprint: op.Blueprint, Step: "reserve"})
		if s := h.view().Steps[0]; s.Error == nil || s.Holder != "" {
			t.Errorf("recorded as %+v: nobody sees why, or the next try waits for the lease", s)
		}
	})
}

// TestErrorsAreCut: the texts of errors are bounded and without secrets.
func TestErrorsAreCut(t *testing.T) {
	const secret = "s3cr3tvalue"
	for _, text := range []string{
		"dial postgres://admin:" + secret + "@db.internal:5432/x: refused", "password=" + secret, `{"password": "` + secret + `"}`,
		"PGPASSWORD='" + secret + "'", "api_key: " + secret, "Authorization: Bearer " + secret, "SecretAccessKey=" + secret,
		"-----BEGIN RSA PRIVATE KEY-----\n" + secret + "\n-----END RSA PRIVATE KEY-----", strings.Repeat("ä", 900) + secret,
	} {
		b := product()
		h := onStepFunctions(t, b)
		h.cloud.script["reserve"] = []error{step.Refuse(fmt.Errorf("apply: %s", text), "see "+text)}
		op := h.begin(registry.Launch, b.Version, spec1)
		h.engine.run(op)
		recorded := h.view().Steps[len(h.view().Steps)-2].Error
		if recorded == nil || len(recorded.Text) > 1010 {
			t.Fatalf("%q is recorded as %+v", text, recorded)
		}
		if shown, _ := json.Marshal(recorded); strings.Contains(string(shown), secret) {
			t.Errorf("%q is shown as %s", text, shown)
		}
	}
}

// TestBlueprintChangedMeanwhile: an operation keeps the blueprint that it began with, also
// when it is retried; the next one brings the tenant to the new blueprint.
func TestBlueprintChangedMeanwhile(t *testing.T) {
	old := product()
	engines(t, old, func(t *testing.T, h *tenants) {
		h.cloud.script["mail"] = []error{failing(step.Refused)}
		launch := h.begin(registry.Launch, old.Version, spec1)
		h.engine.run(launch)

		changed := product()
		changed.Steps = append(changed.Steps, blueprint.Step{Name: "branding", Kind: "storage", Class: step.Storage, Needs: []string{"activate"}, Parameters: json.RawMessage(`{"title":"${spec.title}"}`)})
		changed.Version = changed.Hash()
		h.blueprints[changed.Version] = changed

		h.engine.run(h.retry(launch))
		if got := h.state(launch); strings.Contains(got, "branding") || !strings.HasPrefix(got, "active launch succeeded") {
			t.Errorf("the retried launch: %s", got)
		}
		h.cloud.applied = nil
		change := h.begin(registry.Change, changed.Version, spec1)
		h.engine.run(change)
		if got := fmt.Sprint(h.cloud.applied); got != "[acme/branding]" {
			t.Errorf("the change to the new blueprint applied %s", got)
		}
	})
}
