package drain

import (
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fault"
)

// record is the drain's record after a step and what came of its calls.
func (s Step) record(did *did, o *Observation) Drain {
	d := s.Next
	if !d.open() {
		return d
	}
	if len(did.left) > 0 {
		balancers := maps.Clone(d.Balancers)
		for _, id := range did.left {
			if left := balancers[id]; !left.At.Equal(o.Now) { // once, of however many ports
				balancers[id] = Left{At: o.Now, Times: left.Times + 1, Drained: left.Drained}
			}
		}
		d.Balancers = balancers
	}
	if did.command != nil {
		d.Command = *did.command
	}
	completed, released := false, !s.Release || did.actions != nil
	d.Actions = slices.Clone(d.Actions)
	errs := slices.Clone(did.errs)
	for i, got := range did.actions {
		d.Actions[i] = d.Actions[i].after(got, s.Release, o.Now)
		completed = completed || got.completed
		released = released && (got.completed || got.absent)
		errs = append(errs, got.err)
	}
	for _, err := range errs {
		if kind := fault.Of(err); kind == fault.Denied || kind == fault.Invalid {
			d.Ledger = d.Ledger.Add(fault.Action(err), d.about(reportFault(err)))
		}
	}
	if s.End == "" || !released {
		return d
	}
	outcome := s.End
	if s.Release && !completed && d.timedOut(o) {
		outcome = TimedOut
	}
	return d.end(outcome, s.inFlight(), o.Now)
}

// after is the action after what Auto Scaling said about it.
func (a Action) after(got answer, release bool, now time.Time) Action {
	switch {
	case got.completed:
	case got.absent && a.Absent.IsZero():
		a.Absent = now
	case got.heartbeat:
		a.Heartbeat = now
	}
	if release && got.err != errThrottled && fault.Of(got.err) == fault.Transient && a.Tried.IsZero() {
		a.Tried = now
	}
	return a
}

// end is the drain ended, with the notification of its end if there is one.
func (d Drain) end(outcome Outcome, inFlight string, now time.Time) Drain {
	if outcome == TimedOut || outcome == DeadlinePassed || outcome == CommandFailed || outcome == Planned || outcome == Announced || outcome == Drained && d.Command.Key != "" {
		d.Ledger = d.Ledger.Add(string(outcome), d.report(outcome, now, inFlight))
	}
	return d.ended(outcome, now)
}
