package repair

import (
	"testing"
	"time"

	"deployhooks/pkg/event"
)

// TestWhatATriggerNeeds holds which triggers are dropped, because another continuation
// is in their place, and which are collected for a while.
func TestWhatATriggerNeeds(t *testing.T) {
	stale, current := []time.Time{noon.Add(-time.Minute)}, []time.Time{noon.Add(-time.Minute), noon}
	scaling := map[string]event.State{"d-9": event.Succeeded}
	release := map[string]event.State{"d-2": event.Succeeded, "d-9": event.Succeeded}
	for name, c := range map[string]struct {
		trigger              Trigger
		superseded, deferred bool
		harm                 string
	}{
		"an old continuation":               {trigger: Trigger{Due: stale}, superseded: true, harm: "continuations multiply"},
		"the one that is due":               {trigger: Trigger{Due: current}, harm: "nothing comes after it until the sweep"},
		"an old one that is redelivered":    {trigger: Trigger{Due: stale, Redelivered: true}, harm: "the one in its place may never have been sent: nothing comes until the sweep"},
		"an old one, and a release":         {trigger: Trigger{Due: stale, Deployments: release}, harm: "the release is repaired by the sweep at best"},
		"an old one, and the sweep's":       {trigger: Trigger{Due: stale, Swept: true}, harm: "what the sweep found is not reconciled"},
		"an operator":                       {trigger: Trigger{Confirmed: true}, harm: "the request is ignored"},
		"deployments by Auto Scaling":       {trigger: Trigger{Deployments: scaling}, deferred: true, harm: "a group that launches is reconciled twice an instance"},
		"one of an unknown deployment":      {trigger: Trigger{Deployments: map[string]event.State{"d-0": event.Succeeded}}, harm: "a release that cannot be read waits"},
		"a release among them":              {trigger: Trigger{Deployments: release}, harm: "the release waits"},
		"the sweep's, and such deployments": {trigger: Trigger{Deployments: scaling, Swept: true}, harm: "while a group launches, what the sweep found is put off again and again"},
		"one that is due, and such":         {trigger: Trigger{Deployments: scaling, Due: current}, harm: "while a group launches, what is due is put off again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(byAutoScaling)
			o.Trigger, o.Record.Due = c.trigger, noon
			if o.superseded() != c.superseded || o.deferred() != c.deferred {
				t.Errorf("superseded %t, deferred %t: %s", o.superseded(), o.deferred(), c.harm)
			}
		})
	}
}

// TestTriggersOfOneBatch holds that what one message says holds for all of its group's.
func TestTriggersOfOneBatch(t *testing.T) {
	all := Trigger{Deployments: map[string]event.State{"d-2": event.Succeeded}, Due: []time.Time{noon}, Redelivered: true, Swept: true}
	for _, got := range []Trigger{all.and(Trigger{}), Trigger{}.and(all)} {
		if len(got.Deployments) != 1 || len(got.Due) != 1 || !got.Redelivered || !got.Swept {
			t.Errorf("a batch with %+v comes to %+v: the rest is forgotten", all, got)
		}
	}
}
