package drain

import (
	"errors"
	"testing"
	"time"

	"deployhooks/pkg/store"
)

// TestRecordsFromTheQueue holds what becomes of a record that the queue kept, by what
// the table has by then.
func TestRecordsFromTheQueue(t *testing.T) {
	queued := func(since time.Duration, outcome Outcome) Drain {
		d := Drain{Instance: "i-1", Group: "shop", Cause: CauseLifecycle, Since: noon.Add(-since), Actions: []Action{{Hook: "h", Token: "t-1"}}}
		if outcome != "" {
			d = d.ended(outcome, noon.Add(-time.Second))
		}
		return d
	}
	swept := Trigger{Instance: "i-1", Group: "shop", Cause: CauseSweep, Actions: []Action{{Hook: "h"}}}
	found := queued(time.Minute, "")
	found.Cause = CauseSweep
	another := queued(time.Minute, "")
	another.Actions = append(another.Actions, Action{Hook: "h2", Token: "t-2"})
	for name, c := range map[string]struct {
		stored   Drain
		triggers []Trigger
		taken    bool
		since    time.Duration
		outcome  Outcome
		harm     string
	}{
		"nothing stored":             {triggers: []Trigger{queued(time.Minute, "").trigger()}, taken: true, since: time.Minute, harm: "the drain begins anew, and lasts without end"},
		"two, and one that is swept": {triggers: []Trigger{swept, queued(0, "").trigger(), queued(time.Minute, "").trigger()}, taken: true, since: time.Minute, harm: "each sweep moves the deadline"},
		"its own record stored":      {stored: queued(time.Minute, ""), triggers: []Trigger{queued(time.Minute, "").trigger()}, taken: true, since: time.Minute, harm: "the drain begins anew"},
		"ended, and stored as open":  {stored: queued(time.Hour, ""), triggers: []Trigger{queued(time.Minute, Drained).trigger()}, taken: true, since: time.Minute, outcome: Drained, harm: "a time-out is notified that never was"},
		"ended, and another action":  {stored: another, triggers: []Trigger{queued(time.Minute, Drained).trigger()}, taken: true, since: time.Minute, harm: "the other action is left to its timeout"},
		"stored as ended":            {stored: queued(time.Hour, Gone), triggers: []Trigger{found.trigger()}, since: time.Hour, outcome: Gone, harm: "a time-out is notified that never was"},
	} {
		t.Run(name, func(t *testing.T) {
			item := store.Item[Drain]{Key: store.Key{Partition: "i-1"}, Value: c.stored}
			found := merge(map[string]store.Item[Drain]{"i-1": item}, c.triggers, false, noon)
			if (len(found) == 1) != c.taken {
				t.Fatalf("found %+v: %s", found, c.harm)
			}
			if c.taken && (!found[0].drain.Since.Equal(noon.Add(-c.since)) || found[0].drain.Outcome != c.outcome || !found[0].queued || len(found[0].drain.Actions) < len(c.stored.Actions)) {
				t.Errorf("goes on with %+v: %s", found[0], c.harm)
			}
		})
	}
}

// TestWhatTheQueueKeeps holds which drains the next tick brings.
func TestWhatTheQueueKeeps(t *testing.T) {
	begun := Drain{Instance: "i-1", Since: noon.Add(-time.Minute)}
	for name, c := range map[string]struct {
		work work
		want bool
		harm string
	}{
		"saved":                           {work{drain: begun, triggered: true}, false, "messages multiply"},
		"new and not saved":               {work{drain: begun, triggered: true, unsaved: true}, true, "an action that times out is notified to nobody"},
		"written by another":              {work{drain: begun, triggered: true, lost: true}, true, "an action of another hook is forgotten"},
		"stored, and not saved":           {work{drain: begun, unsaved: true}, false, "what is in the table is queued beside it"},
		"stored, ended, and not saved":    {work{drain: begun.ended(Drained, noon), unsaved: true}, true, "its end is taken for a time-out later"},
		"somebody else's":                 {work{drain: begun, triggered: true, unsaved: true, dropped: true}, false, "what is out of scope is queued"},
		"longer than any action can last": {work{drain: Drain{Since: noon.Add(-kept)}, triggered: true, unsaved: true}, false, "messages go round for ever where the table is gone"},
	} {
		if got := len(toQueue([]work{c.work}, noon)) == 1; got != c.want {
			t.Errorf("%s: queued %t: %s", name, got, c.harm)
		}
	}
}

// TestAnnouncedAnewIsNotified holds that a second announcement is notified like the first.
func TestAnnouncedAnewIsNotified(t *testing.T) {
	trigger := Trigger{Instance: "i-1", Cause: CauseRebalance}
	d, _ := Drain{Instance: "i-1"}.merge(trigger, noon)
	d.Ledger = d.Ledger.Add("announced", d.about(Report{Outcome: Announced})).Delivered("announced")
	d = d.ended(Announced, noon)
	if _, again := d.merge(trigger, noon.Add(time.Minute)); again {
		t.Error("an event that is delivered twice is notified twice")
	}
	if d, again := d.merge(trigger, noon.Add(time.Hour)); !again || d.Ledger.Knows("announced") {
		t.Error("the second recommendation is notified to nobody")
	}
}

// TestLetters holds that one message is about each instance once.
func TestLetters(t *testing.T) {
	var mail letters
	for i, id := range []string{"i-1", "i-2", "i-1"} {
		mail.add("", Report{Outcome: Announced, Reason: "retirement", Instances: []Instance{{ID: id}}}, i)
	}
	if len(mail) != 1 || mail[0].report.Count != 2 || len(mail[0].report.Instances) != 2 || len(mail[0].from) != 3 {
		t.Errorf("%+v", mail[0])
	}
}

// TestNamesThatAreNotKnown holds when names count as known.
func TestNamesThatAreNotKnown(t *testing.T) {
	now := noon
	r := inMemory(&now)
	q := &questions{r: r}
	if w, _ := q.wanted("", &wantedNames{err: denied}, nil); w.Complete {
		t.Error("an instance whose group may not be read is taken for one that is in no target group")
	}
	if w, _ := q.wanted("shop", &wantedNames{err: denied}, nil); !w.Complete {
		t.Error("a drain waits for an answer that is denied")
	}
	if w, _ := q.wanted("shop", &wantedNames{err: errors.New("503")}, nil); w.Complete {
		t.Error("what is not known is taken for drained")
	}
	r.known.names.put("web", resolution{reason: "it does not exist"}, noon)
	r.known.names.put("side", resolution{id: sideARN}, noon)
	now = noon.Add(rejectedFor)
	if _, known := r.resolved("web"); known {
		t.Error("a name that operators have corrected stays rejected")
	}
	if is, known := r.resolved("side"); !known || is.id != sideARN {
		t.Error("a name is resolved again and again")
	}
}
