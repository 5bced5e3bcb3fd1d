package tenant_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/region"
)

// spec1 and spec2 are specs of the product: they differ in the title.
const (
	spec1 = `{"name":"acme","title":"Acme"}`
	spec2 = `{"name":"acme","title":"Acme and Sons"}`
)

// product is a blueprint with steps of all classes.
func product() *blueprint.Blueprint {
	at := func(name string, class step.Class, parameters string, needs ...string) blueprint.Step {
		return blueprint.Step{Name: name, Kind: string(class), Class: class, Needs: needs, Parameters: json.RawMessage(parameters),
			Policy: step.Policy{TimeLimit: 2 * time.Minute, Expected: 10 * time.Second, Wait: 2 * time.Minute, Interval: 15 * time.Second}}
	}
	b := &blueprint.Blueprint{
		Name: "product", Spec: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"},"title":{"type":"string"}}}`),
		Steps: []blueprint.Step{
			at("reserve", step.Control, `{"name":"${spec.name}"}`),
			at("database", step.Database, `{"name":"${spec.name}"}`, "reserve"),
			at("storage", step.Storage, `{"prefix":"${spec.name}/"}`, "reserve"),
			at("dns", step.Network, `{"host":"${spec.name}"}`, "reserve"),
			at("mail", step.Mail, `{"from":"${spec.title}"}`, "dns"),
			at("config", step.Storage, `{"database":"${steps.database.id}","title":"${spec.title}"}`, "database", "storage"),
			at("activate", step.Control, `{"config":"${steps.config.parameters}"}`, "config", "mail"),
		},
	}
	b.Steps[2].Retain = true
	b.Version = b.Hash()
	return b
}

func TestLaunchChangeRemove(t *testing.T) {
	b := product()
	engines(t, b, func(t *testing.T, h *tenants) {
		launch := h.begin(registry.Launch, b.Version, spec1)
		h.engine.run(launch)
		if got, want := h.state(launch), "active launch succeeded; activate done; config done; database done; dns done; mail done; reserve done; storage done"; got != want {
			t.Fatalf("%s\nwant %s", got, want)
		}
		h.cloud.applied = nil

		change := h.begin(registry.Change, b.Version, spec2)
		h.engine.run(change)
		slices.Sort(h.cloud.applied)
		if got := fmt.Sprint(h.cloud.applied); got != "[acme/activate acme/config acme/mail]" {
			t.Errorf("a change of the title touched %s: what does not differ is touched, or what does is not", got)
		}
		if v := h.view(); v.Operation(change.ID).State != registry.Succeeded || string(v.Tenant.Spec) != spec2 {
			t.Errorf("after the change: %s", h.state(change))
		}

		h.calls.log = nil
		again := h.begin(registry.Change, b.Version, spec2)
		h.engine.run(again)
		if called := slices.DeleteFunc(h.calls.log, func(name string) bool { return name == "Get" || name == "PutAll" }); len(called) > 0 {
			t.Errorf("a change of nothing called %v besides the registry", called)
		}

		removal := h.begin(registry.Remove, b.Version, spec2)
		h.engine.run(removal)
		v := h.view()
		if v.Operation(removal.ID).State != registry.Succeeded || v.Tenant.State != registry.Removed {
			t.Errorf("after the removal: %s", h.state(removal))
		}
		if got := fmt.Sprint(h.cloud.left()); got != "[acme/storage/content acme/storage/shell]" {
			t.Errorf("after the removal there is %s: not just what is retained", got)
		}
		for _, s := range b.Steps {
			for _, need := range s.Needs {
				if i, j := slices.Index(h.cloud.undone, s.Name), slices.Index(h.cloud.undone, need); j >= 0 && i > j {
					t.Errorf("%s was undone before %s, which needs it", need, s.Name)
				}
			}
		}
	})
}

// repeat is the same error for many tries.
func repeat(err error, n int) (all []error) {
	for range n {
		all = append(all, err)
	}
	return all
}

// scripts are what tries of a step can meet.
func scripts() map[string][]error {
	return map[string][]error{
		"nothing":                {},
		"transient":              repeat(failing(step.Transient), 3),
		"transient for too long": repeat(failing(step.Transient), 50),
		"not yet":                repeat(failing(step.NotYet), 5),
		"not yet for too long":   repeat(failing(step.NotYet), 50),
		"refused":                repeat(failing(step.Refused), 1),
		"conflict":               repeat(failing(step.Conflict), 1),
		"a panic":                repeat(errPanic, 1),
		"an error of no class":   repeat(fmt.Errorf("broken pipe"), 2),
		"a mixture":              {failing(step.NotYet), failing(step.Transient), failing(step.NotYet), failing(step.Refused)},
		"killed":                 repeat(region.ErrKilled, 2),
	}
}

// TestEnginesEndAlike: whatever class of error befalls whichever step of a launch and its
// removal, both engines leave the same registry and the same cloud.
func TestEnginesEndAlike(t *testing.T) {
	b := product()
	for _, s := range b.Steps {
		for name, script := range scripts() {
			t.Run(s.Name+": "+name, func(t *testing.T) {
				t.Parallel()
				ends := map[string][]string{}
				engines(t, b, func(t *testing.T, h *tenants) {
					h.cloud.script[s.Name] = slices.Clone(script)
					launch := h.begin(registry.Launch, b.Version, spec1)
					h.engine.run(launch)
					ends[t.Name()] = append(ends[t.Name()], h.summary())
					held := h.view().Operation(launch.ID).State == registry.Held
					if ends := h.view().Operation(launch.ID).State; !held && ends != registry.Succeeded {
						t.Errorf("the launch is %s", h.state(launch))
					}
					h.cloud.script = map[string][]error{}
					if held {
						h.engine.run(h.retry(launch))
					}
					if h.view().Operation(launch.ID).State != registry.Succeeded {
						t.Errorf("after a retry without faults: %s", h.state(launch))
					}
					h.cloud.script[s.Name] = slices.Clone(script)
					removal := h.begin(registry.Remove, b.Version, spec1)
					h.engine.run(removal)
					ends[t.Name()] = append(ends[t.Name()], h.summary())
				})
				var all [][]string
				for _, e := range ends {
					all = append(all, e)
				}
				if len(all) != 2 {
					t.Fatal("not both engines have run")
				}
				if diff := cmp.Diff(all[0], all[1]); diff != "" {
					t.Errorf("the engines end differently:\n%s", diff)
				}
			})
		}
	}
}

func TestFailureHoldsAndRetryResumes(t *testing.T) {
	b := product()
	engines(t, b, func(t *testing.T, h *tenants) {
		h.cloud.script["config"] = []error{failing(step.Conflict)}
		launch := h.begin(registry.Launch, b.Version, spec1)
		h.engine.run(launch)
		want := "launching launch held (failed: config; skipped, because they need those: activate); activate skipped; config failed Conflict; database done; dns done; mail done; reserve done; storage done"
		if got := h.state(launch); got != want {
			t.Fatalf("%s\nwant %s", got, want)
		}
		h.cloud.applied = nil
		retried := h.retry(launch)
		h.engine.run(retried)
		if got := fmt.Sprint(h.cloud.applied); got != "[acme/config acme/activate]" {
			t.Errorf("the retry applied %s: it begins anew, or leaves something out", got)
		}
		if got := h.view().Operation(launch.ID); got.State != registry.Succeeded || got.Attempt != 2 {
			t.Errorf("after the retry: %s", h.state(launch))
		}
	})
}

// TestNeedsOfThisOperation: a step does not use what a step that it needs left in an
// earlier operation.
func TestNeedsOfThisOperation(t *testing.T) {
	b := product()
	h := onStepFunctions(t, b)
	h.engine.run(h.begin(registry.Launch, b.Version, spec1))
	change := h.begin(registry.Change, b.Version, spec2)
	result, err := h.invoke(t.Context(), step.Storage, workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: change.ID, Attempt: 1, Blueprint: change.Blueprint, Step: "config"})
	if err != nil || result.State != string(registry.StepSkipped) {
		t.Errorf("%v, %v: the step works with outputs that may be old", result, err)
	}
}

// TestChangeBack: a change back to what a failed one has half overwritten writes it again, and
// its record says nothing of the failed one.
func TestChangeBack(t *testing.T) {
	b := product()
	engines(t, b, func(t *testing.T, h *tenants) {
		h.engine.run(h.begin(registry.Launch, b.Version, spec1))
		h.calls.fault = func(_ int, name string) region.Fault {
			if name == "set acme/config/content" {
				return region.Fault{After: failing(step.Refused)}
			}
			return region.Fault{}
		}
		change := h.begin(registry.Change, b.Version, spec2)
		h.engine.run(change)
		h.calls.fault = nil
		h.update(func(tx *registry.Tx) error { return tx.End(change.ID, 1, registry.Abandoned, "ann", "") })

		h.cloud.script["storage"] = []error{failing(step.Refused)} // not called: its input is the same
		h.engine.run(h.begin(registry.Change, b.Version, spec1))
		if got := h.cloud.things["acme/config/content"]; !strings.Contains(got, `"Acme"`) {
			t.Errorf("after the change back config has %s", got)
		}
		for _, s := range h.view().Steps {
			if s.Name == "config" && (s.State != registry.StepDone || s.Attempt != 1 || s.Error != nil) {
				t.Errorf("after the change back config is %+v", s)
			}
		}

		h.cloud.script["config"] = []error{failing(step.Refused)} // before it has any effect
		change = h.begin(registry.Change, b.Version, spec2)
		h.engine.run(change)
		h.update(func(tx *registry.Tx) error { return tx.End(change.ID, 1, registry.Abandoned, "ann", "") })
		h.cloud.applied = nil
		h.engine.run(h.begin(registry.Change, b.Version, spec1))
		if slices.Contains(h.cloud.applied, "acme/config") {
			t.Error("config is applied again although it is as it should be")
		}
	})
}

// TestLateFailure: that the retries of an earlier attempt are used up does not fail the
// present one.
func TestLateFailure(t *testing.T) {
	b := product()
	h := onStepFunctions(t, b)
	op := h.begin(registry.Launch, b.Version, spec1)
	h.cloud.script["reserve"] = []error{failing(step.Transient)}
	task := workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: op.ID, Attempt: 1, Blueprint: op.Blueprint, Step: "reserve"}
	if _, err := h.invoke(t.Context(), step.Control, task); err == nil {
		t.Fatal("the step does not fail")
	}
	task.Task, task.Attempt = workflow.Failed, 7
	if _, err := h.invoke(t.Context(), step.Control, task); err != nil || h.view().Steps[0].State != registry.StepRunning {
		t.Errorf("after a report of another attempt the step is %s (%v)", h.view().Steps[0].State, err)
	}
	task.Task = workflow.Finish
	if result, err := h.invoke(t.Context(), step.Control, task); err != nil || result.State != string(registry.Running) || h.view().Operation(op.ID).State != registry.Running {
		t.Errorf("the end of another attempt answers %v (%v), and the launch is %s", result, err, h.state(op))
	}
}

// TestRemovalHolds: a step that cannot be undone keeps what it needs, and is undone by a
// retry with all that it was tried with, also what failed.
func TestRemovalHolds(t *testing.T) {
	b := product()
	engines(t, b, func(t *testing.T, h *tenants) {
		h.engine.run(h.begin(registry.Launch, b.Version, spec1))
		h.cloud.script["config"] = []error{failing(step.Refused)}
		change := h.begin(registry.Change, b.Version, spec2) // config fails with the new title
		h.engine.run(change)
		h.update(func(tx *registry.Tx) error { return tx.End(change.ID, 1, registry.Abandoned, "ann", "") })

		h.cloud.script["config"] = []error{failing(step.Conflict)}
		removal := h.begin(registry.Remove, b.Version, spec1)
		h.engine.run(removal)
		want := "removing remove held (failed: config; skipped, because they need those: reserve, database, storage); activate undone; config failed Conflict; database skipped; dns undone; mail undone; reserve skipped; storage skipped"
		if got := h.state(removal); got != want {
			t.Fatalf("%s\nwant %s", got, want)
		}
		h.cloud.undone, h.cloud.undoneWith = nil, nil
		retried := h.retry(removal)
		for _, attempt := range []int{1, 2} { // of the attempt before, or a late one of a step that is undone
			late := workflow.Task{Task: workflow.Failed, Tenant: tenantName, Operation: removal.ID, Attempt: attempt, Step: "activate"}
			if _, err := h.invoke(t.Context(), step.Control, late); err != nil || !strings.Contains(h.state(removal), "activate undone") {
				t.Errorf("a late report of attempt %d: %v; %s", attempt, err, h.state(removal))
			}
		}
		h.engine.run(retried)
		if got := h.view().Tenant.State; got != registry.Removed || fmt.Sprint(h.cloud.undone) != "[config config database reserve]" {
			t.Errorf("the retry undid %v: %s", h.cloud.undone, h.state(removal))
		}
		if with := h.cloud.undoneWith; len(with) < 2 || !strings.Contains(with[0], "Acme and Sons") || !strings.Contains(with[1], `"Acme"`) {
			t.Errorf("config is undone with %s, not with what was tried last and what succeeded", with)
		}
	})
}

func TestWrongClassRefused(t *testing.T) {
	b := product()
	h := onStepFunctions(t, b)
	op := h.begin(registry.Launch, b.Version, spec1)
	other := *b
	other.Version = "other"
	h.blueprints[other.Version] = &other
	for name, c := range map[string]struct {
		class step.Class
		task  workflow.Task
	}{
		"a database step by the network worker": {step.Network, workflow.Task{Task: workflow.RunStep, Step: "database"}},
		"finish by the database worker":         {step.Database, workflow.Task{Task: workflow.Finish}},
		"an unknown step":                       {step.Control, workflow.Task{Task: workflow.RunStep, Step: "compute"}},
		"an unknown task":                       {step.Control, workflow.Task{Task: "destroy"}},
		"an operation of nobody":                {step.Control, workflow.Task{Task: workflow.RunStep, Step: "reserve", Operation: "x"}},
		"another blueprint":                     {step.Control, workflow.Task{Task: workflow.RunStep, Step: "reserve", Blueprint: other.Version}},
		"an old attempt":                        {step.Control, workflow.Task{Task: workflow.RunStep, Step: "reserve", Attempt: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			c.task.Tenant = tenantName
			if c.task.Operation == "" {
				c.task.Operation = op.ID
			}
			if c.task.Attempt == 0 {
				c.task.Attempt = op.Attempt
			}
			if c.task.Blueprint == "" {
				c.task.Blueprint = op.Blueprint
			}
			_, err := h.invoke(context.Background(), c.class, c.task)
			typed, ok := err.(interface{ ErrorType() string })
			if !ok || typed.ErrorType() != string(step.Refused) {
				t.Errorf("not refused: %v", err)
			}
			if len(h.cloud.left()) > 0 {
				t.Errorf("it had an effect: %v", h.cloud.left())
			}
		})
	}
}

// TestLease: while a try runs, another of the same step waits; a killed one's lease
// ends by itself.
func TestLease(t *testing.T) {
	b := product()
	synctest.Test(t, func(t *testing.T) {
		h := onRunner(b)
		op := h.begin(registry.Launch, b.Version, spec1)
		task := workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: op.ID, Attempt: op.Attempt, Blueprint: op.Blueprint, Step: "reserve"}
		var during error
		h.cloud.during = func(step.Input) {
			h.cloud.during = nil
			_, during = h.invoke(context.Background(), step.Control, task)
		}
		if _, err := h.invoke(context.Background(), step.Control, task); err != nil {
			t.Fatal(err)
		}
		if typed, ok := during.(interface{ ErrorType() string }); !ok || typed.ErrorType() != "Leased" {
			t.Errorf("a second try during the first: %v", during)
		}
		if len(h.cloud.applied) != 1 || len(h.cloud.overlap) > 0 {
			t.Errorf("applied %v, at once %v", h.cloud.applied, h.cloud.overlap)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := onRunner(b)
		op := h.begin(registry.Launch, b.Version, spec1)
		task := workflow.Task{Task: workflow.RunStep, Tenant: tenantName, Operation: op.ID, Attempt: op.Attempt, Blueprint: op.Blueprint, Step: "reserve"}
		var second error
		h.cloud.during = func(step.Input) {
			h.cloud.during = nil
			time.Sleep(4 * time.Minute) // longer than the lease: it does not heed its time limit
			_, second = h.invoke(context.Background(), step.Control, task)
		}
		_, first := h.invoke(context.Background(), step.Control, task)
		if second != nil || first == nil || !strings.Contains(first.Error(), "lost") {
			t.Errorf("a try that outlasted its lease ends with %v, and the one after it with %v", first, second)
		}
	})
	engines(t, b, func(t *testing.T, h *tenants) {
		h.cloud.script["database"] = []error{region.ErrKilled}
		op := h.begin(registry.Launch, b.Version, spec1)
		h.engine.run(op)
		if got := h.view().Operation(op.ID).State; got != registry.Succeeded {
			t.Errorf("the launch of which a worker was killed is %s", h.state(op))
		}
	})
}

func TestDuplicatedInvocations(t *testing.T) {
	b := product()
	engines(t, b, func(t *testing.T, h *tenants) {
		h.twice = true
		launch := h.begin(registry.Launch, b.Version, spec1)
		h.engine.run(launch)
		if got := h.view().Operation(launch.ID).State; got != registry.Succeeded || len(h.cloud.applied) != len(b.Steps) {
			t.Errorf("%s after applying %v", h.state(launch), h.cloud.applied)
		}
		removal := h.begin(registry.Remove, b.Version, spec1)
		h.engine.run(removal)
		if got := h.view().Tenant.State; got != registry.Removed || len(h.cloud.undone) != len(b.Steps)-1 {
			t.Errorf("%s after undoing %v", h.state(removal), h.cloud.undone)
		}
	})
}

// TestKilledAfterEachCall: a worker's process ends after any one call of a launch, a change
// and a removal, or the call fails, or its answer is lost; the end is the same as without.
func TestKilledAfterEachCall(t *testing.T) {
	b := product()
	life := func(h *tenants) string {
		for _, next := range []struct {
			kind registry.OperationKind
			spec string
		}{{registry.Launch, spec1}, {registry.Change, spec2}, {registry.Remove, spec2}} {
			h.engine.run(h.begin(next.kind, b.Version, next.spec))
		}
		h.calls.fault = nil
		return h.summary()
	}
	plain := onStepFunctions(t, b)
	want := life(plain)
	total := plain.calls.made
	t.Logf("%d calls", total)
	for _, f := range []region.Fault{{After: region.ErrKilled}, {After: errConflict}, {After: fmt.Errorf("answer lost")}, {Before: fmt.Errorf("unavailable")}} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= total; n++ {
				h := onStepFunctions(t, b)
				h.calls.fault = func(call int, _ string) region.Fault {
					if call == n {
						return f
					}
					return region.Fault{}
				}
				if got := life(h); got != want {
					t.Fatalf("at call %d it ends differently:\n%s", n, cmp.Diff(want, got))
				}
				if len(h.cloud.overlap) > 0 {
					t.Fatalf("at call %d two tries of %v ran at once", n, h.cloud.overlap)
				}
			}
		})
	}
}

// TestNoSecretsInHistory: the error of a kind that holds a secret shows it neither in the
// registry nor in the state machine's history.
func TestNoSecretsInHistory(t *testing.T) {
	b := product()
	h := onStepFunctions(t, b)
	h.cloud.script["database"] = []error{
		fmt.Errorf("connect postgres://admin:hunter2secret@db:5432: refused"),
		&step.Error{Class: step.Refused, Err: fmt.Errorf(`login failed: password="hunter2secret"`), Remedy: "set PGPASSWORD=hunter2secret"},
	}
	op := h.begin(registry.Launch, b.Version, spec1)
	h.engine.run(op)
	r := h.engine.(*stepFunctions).Region
	seen := h.summary()
	for _, x := range r.Executions() {
		p := sfn.NewGetExecutionHistoryPaginator(r.StepFunctions(), &sfn.GetExecutionHistoryInput{ExecutionArn: &x})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(page)
			if err != nil {
				t.Fatal(err)
			}
			seen += string(text)
		}
	}
	if !strings.Contains(seen, "login failed") {
		t.Fatal("the error is nowhere: nothing is shown")
	}
	if strings.Contains(seen, "hunter2secret") {
		t.Error("a secret is in the registry or in the history")
	}
}
