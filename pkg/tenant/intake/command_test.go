package intake_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deployhooks/events"
	. "deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

var update = flag.Bool("update", false, "renew the golden files")

// golden compares an answer, which a portal reads, with what it was.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), got); diff != "" {
		t.Errorf("the answer has changed; renew with -update (-golden +now):\n%s", diff)
	}
}

// tried is what a step was tried with.
var tried = []json.RawMessage{[]byte("{}")}

// inFlight is a launch three minutes old: one step is done, one runs, and a person is late.
func inFlight(h *harness) {
	h.launch("order-1", "acme")
	op := h.current("acme").ID
	h.update("acme", func(tx *registry.Tx) error {
		return tx.Put(
			registry.Step{Tenant: "acme", Name: "database", Kind: "postgres", Tried: tried, State: registry.StepDone, Operation: op, Attempt: 1, Started: noon, Ended: noon.Add(50 * time.Second)},
			registry.Step{Tenant: "acme", Name: "dns", Kind: "dns", Tried: tried, State: registry.StepRunning, Operation: op, Attempt: 2, Started: noon.Add(time.Minute)},
			registry.ManualTask{Tenant: "acme", Step: "accounts", Title: "Open the store accounts", Owner: "mobile@example.com", Instructions: "Name: A shop", Due: noon.Add(time.Minute), Created: noon, Token: "the-token"},
			registry.ManualTask{Tenant: "acme", Step: "calendar", Title: "Register the call-back URL", Owner: "web@example.com", Due: noon.Add(time.Hour), Created: noon, Completed: noon.Add(time.Second), CompletedBy: "jo"},
		)
	})
	h.pass(3 * time.Minute)
}

// heldLaunch is one whose DNS step failed.
func heldLaunch(h *harness) {
	inFlight(h)
	op := h.current("acme").ID
	h.update("acme", func(tx *registry.Tx) error {
		return tx.Put(
			registry.Step{Tenant: "acme", Name: "dns", Kind: "dns", Tried: tried, State: registry.StepFailed, Operation: op, Attempt: 3, Started: noon.Add(time.Minute), Ended: noon.Add(2 * time.Minute),
				Error: &registry.StepError{Class: step.Refused, Text: "the zone example.com is not this account's", Remedy: "Give the token of the account that has it."}},
			registry.Step{Tenant: "acme", Name: "smoke", Kind: "smoke", State: registry.StepSkipped, Operation: op, Attempt: 1, Started: noon.Add(2 * time.Minute), Ended: noon.Add(2 * time.Minute)},
		)
	})
	h.finish("acme", registry.Held)
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(*harness)
		request string
	}{
		"tenants":          {func(h *harness) { inFlight(h); h.launch("order-2", "beta"); h.finish("beta", registry.Succeeded) }, `{"action":"tenants"}`},
		"no-tenants":       {func(*harness) {}, `{"action":"tenants"}`},
		"tenant-launching": {inFlight, `{"action":"tenant","tenant":"acme"}`},
		"tenant-held":      {heldLaunch, `{"action":"tenant","tenant":"acme"}`},
		"tenant-active":    {func(h *harness) { inFlight(h); h.finish("acme", registry.Succeeded) }, `{"action":"tenant","tenant":"acme"}`},
		"tenant-removal": {func(h *harness) {
			h.launch("1", "acme")
			h.pass(time.Minute)
			h.finish("acme", registry.Succeeded)
			h.pass(time.Hour)
			h.deliver(request("2", "acme", "remove", ""))
		}, `{"action":"tenant","tenant":"acme"}`},
		"rejected-requests": {func(h *harness) { h.deliver(request("1", "A/B", "launch", specOf("acme", "acme", ""))) }, `{"action":"tenant","tenant":"-"}`},
		"retried":           {func(h *harness) { heldLaunch(h); h.pass(time.Second) }, `{"action":"retry","tenant":"acme","by":"jo"}`},
		"abandoned":         {func(h *harness) { heldLaunch(h); h.pass(time.Second) }, `{"action":"abandon","tenant":"acme","by":"jo"}`},
		"completed":         {inFlight, `{"action":"complete","tenant":"acme","step":"accounts","by":"mobile@example.com"}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			c.before(h)
			golden(t, name+".json", h.mustAsk(c.request))
		})
	}
}

// TestHistoryIsBounded: a tenant that has lived for years answers as fast as a new one.
func TestHistoryIsBounded(t *testing.T) {
	h := newHarness(t)
	h.launch("0", "acme")
	for n := range 30 {
		h.pass(time.Second)
		h.update("acme", func(tx *registry.Tx) error { return tx.Audit("", "jo", fmt.Sprintf("event %d", n)) })
	}
	var s Status
	if err := json.Unmarshal([]byte(h.mustAsk(`{"action":"tenant","tenant":"acme"}`)), &s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.History); n != 20 || s.History[0].What != "event 29" || s.History[n-1].What != "event 10" {
		t.Errorf("the answer has %d events, %v: it grows with the tenant's age, or hides what happened last", n, s.History)
	}
}

// TestNotificationTexts holds what operators read.
func TestNotificationTexts(t *testing.T) {
	h := newHarness(t)
	h.deliver(request("1", "acme", "launch", specOf("acme", "acme", `,"locale":7,"more":1`)))
	heldLaunch(h)
	h.mustAsk(`{"action":"retry","tenant":"acme"}`)
	h.finish("acme", registry.Succeeded)
	h.deliver(request("2", "acme", "remove", ""))
	h.mustAsk(`{"action":"cancel","tenant":"acme"}`)
	golden(t, "notifications.txt", strings.Join(h.texts, "\n"))
}

func TestCommandsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		before        func(*harness)
		request, want string
	}{
		"an unknown action":            {nil, `{"action":"delete","tenant":"acme"}`, `action "delete" is not known`},
		"an unknown field":             {nil, `{"action":"tenant","tenants":"acme"}`, "tenants is not a field"},
		"no tenant":                    {nil, `{"action":"tenant"}`, `needs a "tenant"`},
		"a tenant that does not exist": {nil, `{"action":"tenant","tenant":"acme"}`, `no tenant "acme"`},
		"a retry of one that is not":   {nil, `{"action":"retry","tenant":"acme"}`, "no such tenant"},
		"a retry of nothing":           {launched, `{"action":"retry","tenant":"acme"}`, "no such operation"},
		"a retry of what has succeeded": {func(h *harness) {
			launched(h)
			h.deliver(request("2", "acme", "remove", ""))
		}, `{"action":"retry","tenant":"acme","operation":"acme-launch-7f9f1ff06fbbe697"}`, "is succeeded: only one that is [held] can be retried"},
		"an abandon of what runs":          {inFlight, `{"action":"abandon","tenant":"acme"}`, "is running: only one that is [held] can be abandoned"},
		"a cancel of what runs":            {inFlight, `{"action":"cancel","tenant":"acme"}`, "can be cancelled"},
		"an operation that does not exist": {inFlight, `{"action":"cancel","tenant":"acme","operation":"x"}`, "no such operation"},
		"an abandon of a removal": {func(h *harness) {
			launched(h)
			h.deliver(request("2", "acme", "remove", ""))
			h.finish("acme", registry.Held)
		}, `{"action":"abandon","tenant":"acme"}`, "retry it"},
		"a cancel of a removal that began": {func(h *harness) {
			launched(h)
			h.deliver(request("2", "acme", "remove", ""))
			h.pass(25 * time.Hour)
			h.finish("acme", registry.Held)
		}, `{"action":"cancel","tenant":"acme"}`, "can be cancelled"},
		"a task that does not exist":      {inFlight, `{"action":"complete","tenant":"acme","step":"dns","by":"jo"}`, `no manual task "dns"`},
		"a task without who completed it": {inFlight, `{"action":"complete","tenant":"acme","step":"accounts"}`, `as "by"`},
		"a task that was cancelled": {func(h *harness) {
			h.update("acme", func(tx *registry.Tx) error {
				return tx.Put(registry.ManualTask{Tenant: "acme", Step: "accounts", Cancelled: noon})
			})
		}, `{"action":"complete","tenant":"acme","step":"accounts","by":"jo"}`, "was cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			if c.before != nil {
				c.before(h)
			}
			before := h.state("acme")
			if answer, err := h.ask(c.request); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it answers %s, %v, want %q", answer, err, c.want)
			}
			if after := h.state("acme"); after != before {
				t.Errorf("it changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Run("cancel a queued change", func(t *testing.T) {
		h := newHarness(t)
		h.launch("0", "acme")
		h.pass(time.Second)
		h.deliver(request("1", "acme", "change", specOf("acme", "new", "")))
		h.mustAsk(`{"action":"cancel","tenant":"acme","operation":"` + h.last("acme").ID + `"}`)
		if v := h.view("acme"); len(v.Tenant.Queued) != 0 || h.last("acme").State != registry.Cancelled || len(h.engine.started) != 1 {
			t.Errorf("the tenant is %+v, the change %s", v.Tenant, h.last("acme").State)
		}
	})
	t.Run("abandon a launch", func(t *testing.T) {
		h := newHarness(t)
		heldLaunch(h)
		h.mustAsk(`{"action":"abandon","tenant":"acme"}`)
		op := h.current("acme")
		if op.Kind != registry.Remove || op.State != registry.Running || op.Machine != machine("remove") || len(h.engine.started) != 2 {
			t.Errorf("it is undone by %+v", op)
		}
		if h.deliver(request("b", "beta", "launch", specOf("beta", "acme", ""))); h.last("beta").State != registry.Rejected {
			t.Error("its host is another's before it is undone")
		}
		h.finish("acme", registry.Succeeded)
		if h.launch("again", "acme"); h.current("acme").State != registry.Running {
			t.Errorf("its name is not free: %s", faultsOf(h.last("acme")))
		}
	})
	t.Run("complete a task twice", func(t *testing.T) {
		h := newHarness(t)
		inFlight(h)
		h.mustAsk(`{"action":"complete","tenant":"acme","step":"accounts","by":"jo"}`)
		h.mustAsk(`{"action":"complete","tenant":"acme","step":"accounts","by":"al"}`)
		if m := h.view("acme").Tasks[0]; m.CompletedBy != "jo" || len(h.engine.resumed) != 2 || h.engine.resumed[0] != "the-token" {
			t.Errorf("it is %+v, resumed %v", m, h.engine.resumed)
		}
	})
	t.Run("sweep", func(t *testing.T) {
		h := newHarness(t)
		h.launch("0", "acme")
		h.end("acme", "")
		h.pass(3 * time.Minute)
		if answer := h.mustAsk(`{"action":"sweep"}`); h.current("acme").State != registry.Held || !strings.Contains(answer, "acme") {
			t.Errorf("it answers %s", answer)
		}
	})
}

// TestPayloadsOfTheEventsDirectory holds that the payloads that the README names do what they say.
func TestPayloadsOfTheEventsDirectory(t *testing.T) {
	h := newHarness(t)
	heldLaunch(h)
	for _, name := range []string{"tenants", "tenant", "retry"} {
		payload, err := events.Read("deployhooks-direct-" + name)
		if err != nil {
			t.Fatal(err)
		}
		h.mustAsk(string(payload))
	}
	payload, err := events.Read("portal-sqs-sns-change")
	if err != nil {
		t.Fatal(err)
	}
	if answer := h.mustAsk(string(payload)); answer != `{"batchItemFailures":[]}` || h.last("acme").Request != "2e6f0c94-8d17-5a3b-bc21-6a0e9d5f7b18" {
		t.Errorf("it answers %s, and the last operation is %+v", answer, h.last("acme"))
	}
}
