package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/fault"
)

// look looks at drains once and does what is next about each. What goes wrong
// about one instance is that drain's trouble, told to people where they must do
// something, and tried again at the next look. The error is about what all of
// them need: then whatever brought the drains must come again. It tells whether
// drains are still open, and whether to hurry: whether one may be done soon.
func (r *Drainer) look(ctx context.Context, drains []*Drain) (open, hurry bool, err error) {
	asking, cancel := context.WithTimeout(ctx, observeTime)
	o := r.observe(asking, drains)
	cancel()
	steps := map[*Drain]*Step{}
	for _, d := range drains {
		step := Plan(r.cfg, *d, o)
		if step.Command != d.Command && step.Do != Send {
			d.Command, d.changed = step.Command, true
		}
		if d.Version == 0 && step.Outcome == Gone {
			d.changed = false // came late; nothing to remember
		}
		steps[d] = &step
	}
	r.deregister(ctx, drains, steps)
	r.remember(ctx, drains, steps)
	unsent := r.send(ctx, planned(drains, steps, Send), o)
	may := r.turns(drains, steps, o.Now)
	r.release(ctx, may, planned(drains, steps, Forget), steps, o)
	r.beat(ctx, may, steps, o)
	if err := r.tellTrouble(ctx, drains); err != nil {
		// It is not remembered as told, so the next look tries again.
		r.log.ErrorContext(ctx, "people could not be told of trouble", "error", err)
	}
	var changed []*Drain
	for _, d := range drains {
		if d.changed {
			changed = append(changed, d)
		}
		if d.Ended.IsZero() && steps[d].Outcome != Gone {
			open = true
			hurry = hurry || o.Now.Sub(d.Since) < young || steps[d].Do == Release || steps[d].Do == Send
		}
	}
	lost, err := r.drains.save(ctx, changed)
	for _, d := range lost {
		d.lost = true
	}
	return open, hurry, errors.Join(unsent, err)
}

// planned are the drains whose step is to do that.
func planned(drains []*Drain, steps map[*Drain]*Step, do Do) []*Drain {
	return slices.DeleteFunc(slices.Clone(drains), func(d *Drain) bool { return steps[d].Do != do || d.lost })
}

// turns are the drains that have their turn with Auto Scaling at this look, as
// far as the pace allows: first those whose actions time out, the next to do so
// first, then those that wait for nothing but their release. A release costs as
// much as a heartbeat, so who may go gets no heartbeat, unless he cannot be let
// go. Who has no turn now has one at a later look.
func (r *Drainer) turns(drains []*Drain, steps map[*Drain]*Step, now time.Time) []*Drain {
	var due, ready []*Drain
	for _, d := range drains {
		switch {
		case d.lost:
		case steps[d].Beat:
			due = append(due, d)
		case steps[d].Do == Release:
			ready = append(ready, d)
		}
	}
	slices.SortStableFunc(due, func(a, b *Drain) int { return a.timesOut().Compare(b.timesOut()) })
	return slices.DeleteFunc(append(due, ready...), func(d *Drain) bool { return !r.paced(len(d.Actions), now) })
}

// release lets instances go, those that have their turn and are to be. First go
// those about which there is no news; about the others people are told before,
// and they wait if they cannot be, as far as it may be worth it.
func (r *Drainer) release(ctx context.Context, may, forgotten []*Drain, steps map[*Drain]*Step, o *Observed) {
	news := func(d *Drain) bool {
		return steps[d].newsworthy() && !slices.Contains(d.Told, string(steps[d].Outcome))
	}
	all := slices.Concat(planned(may, steps, Release), forgotten)
	r.letGo(ctx, slices.DeleteFunc(slices.Clone(all), news), steps, o)
	loud := slices.DeleteFunc(all, func(d *Drain) bool { return !news(d) })
	untold := r.tellEnds(ctx, loud, steps)
	r.letGo(ctx, slices.DeleteFunc(loud, func(d *Drain) bool { return untold[d] }), steps, o)
}

// letGo completes the lifecycle actions of drains and ends them.
func (r *Drainer) letGo(ctx context.Context, drains []*Drain, steps map[*Drain]*Step, o *Observed) {
	// A handler that is cancelled must not keep the instances.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	each(drains, func(d *Drain) {
		if steps[d].Do == Release {
			for _, a := range d.Actions {
				if err := r.complete(ctx, d, a); err != nil && !over(err) {
					r.failed(d, err)
					return
				}
			}
		}
		r.end(ctx, d, *steps[d], o.Now)
	})
}

// A service that hangs must not keep the others from being asked, nor the
// function from its end: these bound the parts of a look, within the 60 s that
// the stack gives an invocation.
const (
	tickTime       = 4 * time.Second
	tableTime      = 5 * time.Second // each reading and each writing
	observeTime    = 10 * time.Second
	deregisterTime = 5 * time.Second
	sendTime       = 6 * time.Second
	releaseTime    = 7 * time.Second
	beatTime       = 5 * time.Second
	tellTime       = 5 * time.Second
)

// paced takes what the calls about n actions need of the pace.
func (r *Drainer) paced(n int, now time.Time) bool {
	for range n {
		if !r.pace.take(now) {
			return false
		}
	}
	return true
}

// trouble keeps why a call failed that concerned a drain among others.
func (r *Drainer) trouble(d *Drain, err error) {
	r.guard.Lock()
	defer r.guard.Unlock()
	d.trouble = err
}

// failed keeps why a call to Auto Scaling about a drain failed.
func (r *Drainer) failed(d *Drain, err error) {
	r.trouble(d, err)
	if fault.Throttled(err) {
		r.pace.throttled()
	}
}

// end ends a drain.
func (r *Drainer) end(ctx context.Context, d *Drain, s Step, now time.Time) {
	d.Ended, d.Outcome = now, s.Outcome
	d.changed = d.changed || d.Version > 0 || s.Outcome != Gone
	defer func() { *d = d.remembered() }()
	r.log.InfoContext(ctx, "drain ended", "instance", d.Instance, "asg", d.Group, "cause", string(d.Cause),
		"outcome", string(s.Outcome), "seconds", int(now.Sub(d.Since)/time.Second), "waited_for", s.WaitsFor, "command", d.Command.ID, "command_status", d.Command.Status)
	r.notices.Count(string(s.Outcome))
}

// remember writes new drains before they have an action's timeout begin anew:
// one that the function may not write would begin again at each sweep, and hold
// its instance for days.
func (r *Drainer) remember(ctx context.Context, drains []*Drain, steps map[*Drain]*Step) {
	fresh := slices.DeleteFunc(slices.Clone(drains), func(d *Drain) bool { return d.Version > 0 || !steps[d].Beat })
	lost, err := r.drains.save(ctx, fresh)
	for _, d := range lost {
		d.changed, d.lost = false, true
	}
	if err != nil && fault.Of(err) == fault.Denied {
		for _, d := range fresh {
			steps[d].Beat = false
		}
	}
}

// beat sends the heartbeats that are due, of those that have their turn and were
// not let go.
func (r *Drainer) beat(ctx context.Context, may []*Drain, steps map[*Drain]*Step, o *Observed) {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	due := slices.DeleteFunc(slices.Clone(may), func(d *Drain) bool { return !steps[d].Beat || !d.Ended.IsZero() })
	each(due, func(d *Drain) {
		for _, a := range d.Actions {
			switch err := r.heartbeat(ctx, d, a); {
			case err == nil:
			case over(err): // the next look sees how it ended; there may be another
			default:
				r.failed(d, err)
				return
			}
		}
		d.Beat, d.changed = o.Now, true
	})
}

// tellTrouble logs what went wrong, and tells people once of what only they can
// mend.
func (r *Drainer) tellTrouble(ctx context.Context, drains []*Drain) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	news := map[string][]*Drain{}
	matters := map[string]error{}
	for _, d := range drains {
		if d.trouble == nil {
			continue
		}
		r.log.WarnContext(ctx, "drain in trouble", "instance", d.Instance, "asg", d.Group, "error", d.trouble)
		kind, matter := fault.Of(d.trouble), fault.Action(d.trouble)
		if kind != fault.Denied && kind != fault.Invalid || slices.Contains(d.Told, matter) {
			continue
		}
		news[matter], matters[matter] = append(news[matter], d), d.trouble
	}
	var errs []error
	for matter, drains := range news {
		err := matters[matter]
		if told := r.tell(ctx, reportTrouble(drains, matter, err)); told != nil {
			errs = append(errs, fmt.Errorf("tell of %w: %w", err, told))
			continue
		}
		for _, d := range drains {
			d.Told = append(d.Told, matter)
			d.changed = d.changed || !d.lost
		}
	}
	return errors.Join(errs...)
}
