package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Input is what one reconcile is about.
type Input struct {
	// All has all open drains reconciled, not only those that triggers name.
	All      bool
	Triggers []Trigger
	// Budget is what the reconcile may use, and takes from.
	Budget *Budget
	// Clock is the version of the clock at which the budget was claimed, 0 for none.
	Clock int
}

// work is one drain in a reconcile.
type work struct {
	item     store.Item[Drain] // as it was read
	drain    Drain             // with the triggers merged
	messages []int             // those that brought the triggers
	step     Step
	did      did
	first    bool // it is saved before its step
	lost     bool // somebody else has written the item
	dropped  bool // there is nothing to remember
}

// Done is what became of a reconcile.
type Done struct {
	// Requeued means that another tick is under way.
	Requeued bool
	// messages are those that something concerns alone: why they are to be delivered
	// again, nil where nothing is left to do about them.
	messages map[int]error
	// Err is what concerns all drains.
	Err error
}

// Reconcile does what is next about the drains that the input concerns. What fails
// about one instance is tried again at the next tick, and is that drain's notification
// where operators must act.
func (r *Drainer) Reconcile(ctx context.Context, in Input) Done {
	all, unread := r.load(ctx, in)
	if len(all) == 0 && !(in.All && fault.MayPass(unread)) {
		return Done{Err: unread}
	}
	next, requeued := time.Time{}, errNotRequeued
	if open, _ := remaining(all, &Observation{Now: r.now()}); open || unread != nil {
		// A function that dies in the middle must not be the last to reconcile.
		next = r.nextTick(untilNext(all, r.now()))
		requeued = r.requeue(ctx, next)
	}

	drains, seen := r.observe(ctx, all, in.Budget)
	for i, step := range Plan(r.cfg, drains, seen, *in.Budget) {
		all[i].step = step
	}
	*in.Budget = Budget{} // the plan has shared it out
	r.apply(ctx, all, seen)
	unsaved := r.save(ctx, all, seen)
	unsent := r.notify(ctx, all)

	open, soonest := remaining(all, seen)
	if again := r.nextTick(soonest); open && (requeued != nil || again.Before(next)) {
		requeued = r.requeue(ctx, again)
	}
	done := Done{Requeued: requeued == nil, Err: errors.Join(unread, unsaved)}
	if open {
		r.notifyDenied(ctx, requeued)
		done.Err = errors.Join(done.Err, requeued)
	}
	if in.All && done.Err == nil {
		r.keepOpen(all, in.Clock)
	}
	return done.of(all, seen, unsent)
}

// errNotRequeued is until a tick is under way.
var errNotRequeued = errors.New("no tick is under way")

// untilNext is how soon drains are reconciled again whatever is observed.
func untilNext(all []work, now time.Time) time.Duration {
	if len(all) == 0 {
		return tickInterval
	}
	return interval(now.Sub(all[len(all)-1].drain.Since), false) // the youngest comes last
}

// errLost has a trigger come again, to no effect if the other reconcile had it.
var errLost = errors.New("another reconcile wrote the drain at the same time")

// message is why a message is to be delivered again.
func (done Done) message(i int) error {
	if err, alone := done.messages[i]; alone {
		return err
	}
	return done.Err
}

// of adds the messages that brought triggers which are not taken care of, or settled.
func (done Done) of(all []work, o *Observation, unsent map[int]error) Done {
	done.messages = map[int]error{}
	unplaced := o.Failed[Question{aboutGroup, ""}]
	for i, w := range all {
		for _, m := range w.messages {
			switch {
			case w.lost:
				done.messages[m] = errors.Join(done.messages[m], fmt.Errorf("drain %s: %w", w.drain.Instance, errLost))
			case unsent[i] != nil, w.step.End == Announced:
				done.messages[m] = errors.Join(done.messages[m], unsent[i])
			case w.drain.Group == "" && fault.MayPass(unplaced):
				done.messages[m] = errors.Join(done.messages[m], unplaced)
			}
		}
	}
	return done
}

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
