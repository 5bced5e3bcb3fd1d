package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// sweep adds to the orders what nobody carries, and forgets the ended drains of
// instances that have left. What is under way goes on whether it succeeds or
// not; the next sweep is a minute away.
func (r *Drainer) sweep(ctx context.Context, o *orders, known map[string]Drain) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	groups, err := r.groups(ctx, nil)
	if err != nil {
		r.log.ErrorContext(ctx, "sweep failed", "error", err)
		r.complain(ctx, err)
		return
	}
	found, err := r.unattended(ctx, groups, known)
	if err != nil {
		r.log.ErrorContext(ctx, "sweep failed", "error", err)
		r.complain(ctx, err)
	}
	o.asks = append(o.asks, found...)
	if _, err := r.drains.save(ctx, left(groups, known, r.now())); err != nil {
		r.log.ErrorContext(ctx, "ended drains are not forgotten", "error", err)
	}
}

// unattended are the instances that wait for one of our hooks and that no open
// drain knows of: their event was lost, or the hook was added by hand.
func (r *Drainer) unattended(ctx context.Context, groups map[string]*Group, known map[string]Drain) ([]ask, error) {
	var (
		asks []ask
		errs []error
	)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		var waiting []string
		for instance, state := range groups[name].Instances {
			if state == terminatingWait && !known[instance].open() {
				waiting = append(waiting, instance)
			}
		}
		if len(waiting) == 0 {
			continue
		}
		hooks, err := r.ourHooks(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep %s: %w", name, err)) // and on to the next group
			continue
		}
		if len(hooks) == 0 {
			continue
		}
		slices.Sort(waiting)
		for _, instance := range waiting {
			asks = append(asks, ask{Instance: instance, Group: name, Cause: Swept, Actions: hooks})
		}
	}
	return asks, errors.Join(errs...)
}

// keptForOperators is how long an operator may ask how a drain has ended.
const keptForOperators = time.Hour

// left are the drains that ended some time ago and whose instance is in no group
// any more: an event of theirs that still comes finds the instance gone. They are
// returned to be deleted, so that a large fleet's past does not make looks slow.
func left(groups map[string]*Group, known map[string]Drain, now time.Time) (drains []*Drain) {
	in := map[string]bool{}
	for _, g := range groups {
		for instance := range g.Instances {
			in[instance] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		d := known[id]
		if !d.Ended.IsZero() && !in[d.Instance] && now.After(d.Ended.Add(keptForOperators)) {
			d.dropped = true
			drains = append(drains, &d)
		}
	}
	return drains
}
