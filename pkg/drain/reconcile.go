package drain

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
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
	queued    bool              // the queue kept its record, because the table did not take it
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
	keep := toQueue(all, seen.Now)
	if again := r.nextTick(soonest); len(keep) > 0 || open && (requeued != nil || again.Before(next)) {
		requeued = r.requeue(ctx, again, keep...)
	}
	if !open && len(keep) == 0 && unread == nil {
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
		case len(w.drain.Ledger.Due(o.Now)) > 0:
			open = true
		}
	}
	return open, next
}

// toQueue are the drains that the queue keeps until the next tick because the table
// does not take them: what began them would else be lost, and with it that an action
// timed out.
func toQueue(all []work, now time.Time) (drains []Drain) {
	for _, w := range all {
		if (w.unsaved || w.lost) && !w.dropped && (w.triggered || !w.drain.open()) && now.Before(w.drain.Since.Add(kept)) {
			drains = append(drains, w.drain)
		}
	}
	return drains
}

// load reads the drains that an input concerns, with its triggers merged, the oldest
// first. What the store cannot read of an instance that a trigger names is taken for
// new: deregistering it twice does no harm, and no command is sent before it is saved.
func (r *Drainer) load(ctx context.Context, in Input) (found []work, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTime)
	defer cancel()
	items := map[string]store.Item[Drain]{}
	if in.All {
		open, unlisted := r.open(ctx, in.Clock)
		err = unlisted
		for _, item := range open {
			if item.Unreadable != nil {
				r.notifyHourly(ctx, "damaged: "+item.Key.Partition, Report{Outcome: ActionRequired, Reason: item.Unreadable.Error(), Remedy: "Delete the item; the next sweep drains the instance anew if it waits."})
				continue
			}
			items[item.Key.Partition] = item
		}
	}
	keys := map[store.Key]bool{}
	for _, t := range in.Triggers {
		keys[store.Key{Partition: t.Instance}] = true
	}
	if len(keys) > 0 {
		named, unread := r.drains.Get(ctx, slices.Collect(maps.Keys(keys))...)
		err = errors.Join(err, unread)
		for key := range keys {
			item := named[key]
			if item.Key = key; item.Unreadable != nil {
				item.Value = Drain{Command: Command{Key: "unreadable", Over: true, Status: notRun, Output: "the drain's record could not be read"}}
			}
			items[key.Partition] = item
		}
	}
	r.notifyDenied(ctx, err)
	return merge(items, in.Triggers, in.All, r.now()), err
}

// merge brings triggers into the drains that were read, and leaves out those that
// there is nothing to do about.
func merge(items map[string]store.Item[Drain], triggers []Trigger, all bool, now time.Time) (found []work) {
	byInstance := map[string]*work{}
	for id, item := range items {
		w := &work{item: item, drain: item.Value}
		w.drain.Instance = id
		byInstance[id] = w
	}
	triggers = slices.Clone(triggers)
	slices.SortStableFunc(triggers, func(a, b Trigger) int { return a.since(now).Compare(b.since(now)) })
	for _, t := range triggers {
		w := byInstance[t.Instance]
		if next, ok := w.drain.merge(t, now); ok {
			w.drain, w.triggered, w.queued = next, true, w.queued || t.record != nil
		}
	}
	for _, w := range byInstance {
		if w.triggered || all {
			found = append(found, *w)
		}
	}
	slices.SortFunc(found, func(a, b work) int { return byAge(a.drain, b.drain) })
	return found
}

func byAge(a, b Drain) int {
	return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Instance, b.Instance))
}

// openFor is how long the open items are taken for known that nobody else can have
// written.
const openFor = 2 * time.Minute

// open lists the open items. Who writes them claims the clock before, so if nobody
// else has since this environment read or wrote them all, they are as it knows them.
func (r *Drainer) open(ctx context.Context, clock int) ([]store.Item[Drain], error) {
	known, ok := r.known.open.get("", r.now().Add(-openFor))
	if !ok || clock == 0 || clock-known.clock > 1 {
		items, err := r.drains.Open(ctx)
		if err != nil || clock == 0 {
			return items, err
		}
		known.items = items
		r.known.open.put("", known, r.now())
	}
	r.known.open.put("", openAt{clock, known.items}, r.known.open.at(""))
	return known.items, nil
}

// keepOpen remembers the open items after a reconcile of all of them.
func (r *Drainer) keepOpen(all []work, clock int) {
	var items []store.Item[Drain]
	for _, w := range all {
		if w.lost || w.unsaved {
			return
		}
		if w.item.Open && !w.item.Delete {
			items = append(items, w.item)
		}
	}
	r.known.open.put("", openAt{clock, items}, r.known.open.at(""))
}

// save writes what has changed of the drains. It marks those that somebody else has
// written.
func (r *Drainer) save(ctx context.Context, all []work, o *Observation) {
	var changed []*work
	for i := range all {
		w := &all[i]
		if w.lost {
			continue
		}
		next := w.step.record(&w.did, o)
		if !next.Ended.IsZero() && w.drain.Ended.IsZero() {
			r.log.InfoContext(ctx, "drain ended", "instance", next.Instance, "asg", next.Group, "cause", string(next.Cause), "outcome", string(next.Outcome),
				"seconds", int(o.Now.Sub(next.Since)/time.Second), "in_flight", w.step.inFlight(), "command", next.Command.ID, "command_status", next.Command.Status)
			if next.Outcome != Announced { // which is counted when it is sent
				r.notices.Count(string(next.Outcome))
			}
		}
		w.drain = next
		// One that came too late for anything is not remembered.
		w.dropped = w.step.Drop || w.item.Version == 0 && next.Outcome == Gone && len(next.Ledger.Outbox) == 0
		if !(w.dropped && w.item.Version == 0) && (w.dropped || !reflect.DeepEqual(w.item.Value, next)) {
			changed = append(changed, w)
		}
	}
	r.write(ctx, changed)
}

// write writes drains as they are now.
func (r *Drainer) write(ctx context.Context, changed []*work) {
	if len(changed) == 0 {
		return
	}
	r.known.open.put("", openAt{}, r.known.open.at(""))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime+time.Duration(len(changed)/500)*time.Second)
	defer cancel()
	items := make([]store.Item[Drain], len(changed))
	for i, w := range changed {
		items[i] = w.item
		items[i].Value, items[i].Delete, items[i].Open, items[i].Expires = w.drain, w.dropped, true, time.Time{}
		if !w.drain.Ended.IsZero() {
			items[i].Open, items[i].Expires = len(w.drain.Ledger.Outbox) > 0, w.drain.Ended.Add(kept)
		}
	}
	conflicts, err := r.drains.Put(ctx, items...)
	for i, w := range changed {
		w.lost, w.unsaved = slices.Contains(conflicts, w.item.Key), err != nil
		if !w.lost && err == nil {
			w.item = items[i]
			w.item.Version++
		}
	}
	if err != nil {
		r.log.ErrorContext(ctx, "drains not saved", "count", len(changed), "error", err)
		r.notifyDenied(ctx, err)
	}
}
