package drain

import (
	"context"
	"errors"
	"slices"
	"time"

	"deployhooks/pkg/fault"
)

// carryOut carries out everything that the orders are about. An error means that
// every message about drains must come again; what concerns one of them is among
// the orders, and what concerns one instance is no such error.
func (r *Drainer) carryOut(ctx context.Context, o *orders) error {
	err := r.drain(ctx, o)
	r.complain(ctx, err)
	r.warn(ctx, o) // after the drains, which wait for nobody
	return err
}

// maxAhead is how far a tick may be ahead: more than the longest delay between
// looks, and than clocks differ.
const maxAhead = 2 * time.Minute

// drain looks once, at everything that the orders are about but the warnings. If
// it fails before it could look it sends a tick in place of the one that it has
// used up: else the drains under way would wait until the queue delivers again.
func (r *Drainer) drain(ctx context.Context, o *orders) (err error) {
	if o.tick.After(r.now().Add(maxAhead)) {
		r.log.WarnContext(ctx, "tick from the future left out", "slot", o.tick)
		o.tick = time.Time{}
	}
	if o.tick.IsZero() && len(o.sweeps) == 0 && len(o.asks) == 0 {
		return nil
	}
	defer func() {
		if err != nil && !o.tick.IsZero() && !o.ticked {
			o.ticked = r.tick(ctx, nextLook(r.now(), false)) == nil
		}
	}()
	all := false
	r.pace.grant(0)
	if !o.tick.IsZero() {
		mine, since, err := r.drains.claim(ctx, o.tick, o.by)
		if err != nil {
			return err
		}
		all = mine
		r.pace.grant(since)
	}
	if !all && len(o.sweeps) == 0 && len(o.asks) == 0 {
		return nil
	}
	known, last, err := r.drains.load(ctx)
	if err != nil {
		return err
	}
	if len(o.sweeps) > 0 {
		r.sweep(ctx, o, known)
		all = all || r.overdue(last)
	}
	if err := r.place(ctx, o.asks); err != nil {
		r.misplaced(ctx, o, err)
	}
	drains := r.concerned(o.asks, known, all)
	if len(drains) == 0 && len(r.concerned(nil, known, true)) > 0 {
		return r.tick(ctx, nextLook(r.now(), true)) // it has its turn, but not now
	}
	err = r.lookAt(ctx, o, drains)
	for _, d := range drains {
		for _, a := range o.asks {
			if d.lost && a.Instance == d.Instance && a.Cause != Swept {
				o.fail(a.message, errLost)
			}
		}
	}
	return err
}

// overdue tells by the last tick whether the sweep has to look at the open drains
// itself, because there are no ticks any more, or none in step with this clock.
// Else it leaves them to a tick: two looks at once would do everything twice.
func (r *Drainer) overdue(last time.Time) bool {
	since := r.now().Sub(last)
	return since < 0 || since > often+soon
}

// errLost has an ask come again, which it does to no effect if the other look had
// the same one.
var errLost = errors.New("another look was at the drain at the same time; ask again")

// misplaced deals with asks of which it could not be found out what group the
// instance is in: they come again, unless that would be of no use.
func (r *Drainer) misplaced(ctx context.Context, o *orders, err error) {
	if fault.Of(err) != fault.Passing {
		r.log.ErrorContext(ctx, "instances drained as if in no group", "error", err)
		r.complain(ctx, err)
		return
	}
	o.asks = slices.DeleteFunc(o.asks, func(a ask) bool {
		if a.Group == "" {
			o.fail(a.message, err)
		}
		return a.Group == ""
	})
}

// concerned are the drains that asks come to and, if all are, the open ones; the
// oldest first.
func (r *Drainer) concerned(asks []ask, known map[string]Drain, all bool) (drains []*Drain) {
	started := r.started(asks, known)
	for _, d := range started {
		drains = append(drains, d)
	}
	for _, d := range known {
		if all && d.open() && started[d.Instance] == nil {
			drains = append(drains, &d)
		}
	}
	slices.SortFunc(drains, byAge)
	return drains
}

func byAge(a, b *Drain) int {
	if c := a.Since.Compare(b.Since); c != 0 {
		return c
	}
	return slices.Compare([]string{a.Instance}, []string{b.Instance})
}

// lookAt looks at drains, and has a tick under way for the next look before it
// begins: a function that dies in the middle must not be the last to look.
func (r *Drainer) lookAt(ctx context.Context, o *orders, drains []*Drain) error {
	if len(drains) == 0 {
		return nil
	}
	next := nextLook(r.now(), slices.ContainsFunc(drains, func(d *Drain) bool { return r.now().Sub(d.Since) < young }))
	o.ticked = r.tick(ctx, next) == nil
	open, hurry, err := r.look(ctx, drains)
	if !open {
		return err
	}
	if again := nextLook(r.now(), hurry); !o.ticked || again.Before(next) {
		unsent := r.tick(ctx, again)
		if !o.ticked {
			o.ticked = unsent == nil
			err = errors.Join(err, unsent)
		}
	}
	return err
}
