package intake_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
)

// scenarios are what a process is killed in: what happened before, and the messages or the
// operator's command that it is working on.
var scenarios = map[string]struct {
	before  func(*harness)
	during  func(*harness) []event.Event
	command string
}{
	"a launch": {during: func(*harness) []event.Event {
		return []event.Event{request("1", "acme", "launch", specOf("acme", "acme", ""))}
	}},
	"two launches in a batch": {during: func(*harness) []event.Event {
		return []event.Event{request("1", "acme", "launch", specOf("acme", "acme", "")), request("2", "acme", "launch", specOf("acme", "other", ""))}
	}},
	"a rejected launch": {during: func(*harness) []event.Event {
		return []event.Event{request("1", "acme", "launch", specOf("acme", "acme", `,"locale":7`))}
	}},
	"a change": {before: launched, during: func(*harness) []event.Event {
		return []event.Event{request("2", "acme", "change", specOf("acme", "new", ""))}
	}},
	"a change that is queued": {before: func(h *harness) { h.launch("1", "acme") }, during: func(*harness) []event.Event {
		return []event.Event{request("2", "acme", "change", specOf("acme", "new", ""))}
	}},
	"a removal": {before: launched, during: func(*harness) []event.Event {
		return []event.Event{request("2", "acme", "remove", "")}
	}},
	"the end of a launch": {before: func(h *harness) { h.launch("1", "acme") }, during: func(h *harness) []event.Event {
		return []event.Event{h.end("acme", registry.Succeeded)}
	}},
	"the end of a launch, and a change that waits": {before: func(h *harness) {
		h.launch("1", "acme")
		h.deliver(request("2", "acme", "change", specOf("acme", "new", "")))
	}, during: func(h *harness) []event.Event { return []event.Event{h.end("acme", registry.Succeeded)} }},
	"the end of a launch that is held": {before: func(h *harness) { h.launch("1", "acme") }, during: func(h *harness) []event.Event {
		return []event.Event{h.end("acme", registry.Held)}
	}},
	"an execution that is aborted": {before: func(h *harness) { h.launch("1", "acme") }, during: func(h *harness) []event.Event {
		return []event.Event{h.end("acme", "")}
	}},
	"a sweep that finds an aborted execution": {before: func(h *harness) { h.launch("1", "acme"); h.end("acme", ""); h.pass(3 * time.Minute) }, during: sweeps},
	"a sweep that finds what never started": {before: func(h *harness) {
		h.engine.err = errors.New("lost")
		h.try(request("1", "acme", "launch", specOf("acme", "acme", "")))
		h.engine.err = nil
		h.pass(3 * time.Minute)
	}, during: sweeps},
	"a retry":                    {before: held, command: `{"action":"retry","tenant":"acme"}`},
	"an abandoned launch":        {before: held, command: `{"action":"abandon","tenant":"acme"}`},
	"a cancelled removal":        {before: func(h *harness) { launched(h); h.deliver(request("2", "acme", "remove", "")) }, command: `{"action":"cancel","tenant":"acme"}`},
	"a manual task is completed": {before: withTask, command: `{"action":"complete","tenant":"acme","step":"accounts","by":"jo"}`},
}

func launched(h *harness) { h.launch("1", "acme"); h.finish("acme", registry.Succeeded) }
func held(h *harness)     { h.launch("1", "acme"); h.finish("acme", registry.Held) }
func withTask(h *harness) {
	h.update("acme", func(tx *registry.Tx) error {
		return tx.Put(registry.Tenant{Name: "acme", State: registry.Active}, registry.ManualTask{Tenant: "acme", Step: "accounts", Token: "token", Created: noon})
	})
}
func sweeps(*harness) []event.Event {
	return []event.Event{event.Continuation{Body: []byte(`{"sweep":{}}`)}}
}

// TestKilledAfterEachCall holds that a process which is killed at any of its calls, before
// or after the effect, or which only gets no answer, ends alike when its messages are delivered
// again, or its operator asks again: nothing twice, and nothing lost.
func TestKilledAfterEachCall(t *testing.T) {
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			want, calls := play(t, scenario.before, scenario.during, scenario.command, kill{})
			if calls == 0 {
				t.Fatal("it makes no calls")
			}
			for at := 1; at <= calls; at++ {
				for _, fault := range []kill{{at: at}, {at: at, after: true}, {at: at, fail: true}, {at: at, fail: true, after: true}} {
					how := fmt.Sprintf("call %d of %d, after the effect: %t, killed: %t", at, calls, fault.after, !fault.fail)
					if got, _ := play(t, scenario.before, scenario.during, scenario.command, fault); got != want {
						t.Errorf("%s:\n%s\nwant\n%s", how, got, want)
					}
				}
			}
		})
	}
}

// play plays a scenario with a fault in it, and returns how it ends, and how many calls it took until then.
func play(t *testing.T, before func(*harness), during func(*harness) []event.Event, command string, fault kill) (end string, calls int) {
	h := newHarness(t)
	if before != nil {
		before(h)
	}
	known := len(h.published)
	h.pass(time.Second)
	h.process.calls, h.process.kill = 0, fault
	if command != "" {
		_, err := h.ask(command)
		calls = h.process.calls
		h.process.dead, h.process.kill = false, kill{}
		if err != nil || fault.at > 0 {
			_, _ = h.ask(command) // what it asked for may be done
		}
	} else {
		messages := during(h)
		errs := h.try(messages...)
		calls = h.process.calls
		dead := h.process.dead
		h.process.dead, h.process.kill = false, kill{}
		for i, err := range errs {
			if err != nil || dead {
				h.deliver(messages[i])
			}
		}
	}
	for range 3 { // what is left to the sweep
		h.pass(3 * time.Minute)
		h.sweep()
	}
	sent := map[string]int{}
	for _, s := range h.published[known:] {
		sent[s]++
	}
	var notified []string
	for s, n := range sent {
		if n > 2 { // one call had a fault
			t.Errorf("%q is sent %d times", s, n)
		}
		notified = append(notified, s)
	}
	return h.state("acme") + "\nnotified " + strings.Join(slices.Sorted(slices.Values(notified)), ", "), calls
}
