package drain

import (
	"context"
	"errors"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Input is what one reconcile is about.
type Input struct {
	// All has all open drains reconciled, not only those that triggers name.
	All      bool
	Triggers []Trigger
	Budget   Budget
	// Clock is the version of the clock at which the budget was claimed, 0 for none.
	Clock int
}

// work is one drain in a reconcile.
type work struct {
	item      store.Item[Drain] // as it was read
	drain     Drain             // with the triggers merged
	triggered bool              // by something else than a tick
	carried   bool              // by the queue, because the table did not take it
	step      Step
	did       did
	lost      bool // somebody else has written the item
	unsaved   bool // the table did not take it
	dropped   bool // there is nothing to remember
}

// Reconcile does what is next about the drains that the input concerns. What fails
// about one instance is tried again at the next tick, and is that drain's notification
// where operators must act. An error means that no tick is under way: what led to the
// reconcile has to come again.
func (r *Drainer) Reconcile(ctx context.Context, in Input) error {
	all, unread := r.load(ctx, in)
	if len(all) == 0 && !(in.All && fault.MayPass(unread)) {
		return unread
	}
	open, soonest := remaining(all, &Observation{Now: r.now()})
	next, requeued := r.nextTick(soonest), errNotRequeued
	if open || unread != nil {
		// A function that dies in the middle must not be the last to reconcile.
		requeued = r.requeue(ctx, next)
	}

	drains, seen := r.observe(ctx, all, in.Budget)
	for i, step := range Plan(r.cfg, drains, seen) {
		all[i].step = step
	}
	r.apply(ctx, all, seen)
	r.save(ctx, all, seen)
	r.notify(ctx, all)
	r.logFailed(ctx, all, seen)
	if in.All && unread == nil {
		r.keepOpen(all, in.Clock)
	}

	open, soonest = remaining(all, seen)
	carry := toCarry(all, seen.Now)
	if again := r.nextTick(soonest); len(carry) > 0 || open && (requeued != nil || again.Before(next)) {
		requeued = r.requeue(ctx, again, carry...)
	}
	if !open && len(carry) == 0 && unread == nil {
		return nil
	}
	r.notifyDenied(ctx, requeued)
	return requeued
}

// errNotRequeued is until a tick is under way.
var errNotRequeued = errors.New("no tick is under way")

// remaining reports whether drains are open or have notifications to send, and how
// soon one may be done.
func remaining(all []work, o *Observation) (open bool, next time.Duration) {
	next = tickInterval
	for _, w := range all {
		switch {
		case w.dropped:
		case w.drain.open():
			open = true
			urgent := o.Deferred || w.step.Send != (Shutdown{}) || w.step.End != "" || !w.drain.EC2EndsAt.IsZero()
			next = min(next, interval(o.Now.Sub(w.drain.Since), urgent))
		case len(due(w.drain.Ledger, o.Now.Add(resendAfter))) > 0:
			open = true
		}
	}
	return open, next
}

// toCarry are the drains that the queue carries to the next tick because the table
// does not take them: what began them would else be lost, and with it that an action
// timed out.
func toCarry(all []work, now time.Time) (drains []Drain) {
	for _, w := range all {
		if (w.unsaved || w.lost) && !w.dropped && (w.triggered || !w.drain.open()) && now.Before(w.drain.Since.Add(kept)) {
			drains = append(drains, w.drain)
		}
	}
	return drains
}
