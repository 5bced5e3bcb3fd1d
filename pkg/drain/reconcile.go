package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
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
	lost     bool // somebody else has written the item
	dropped  bool // there is nothing to remember
}

// Done is what became of a reconcile.
type Done struct {
	// Requeued means that another tick is under way.
	Requeued bool
	// Failed are the messages to deliver again for what concerns them alone, and
	// Settled those that nothing is left to do about.
	Failed  map[int]error
	Settled map[int]bool
	// Err is what concerns all drains.
	Err error
}

// Reconcile does what is next about the drains that the input concerns. What fails
// about one instance is tried again at the next tick, and is that drain's notification
// where operators must act.
func (r *Drainer) Reconcile(ctx context.Context, in Input) (done Done) {
	done.Failed, done.Settled = map[int]error{}, map[int]bool{}
	all, unread := r.load(ctx, in)
	if done.Err = unread; len(all) == 0 {
		if in.All && fault.MayPass(unread) { // another tick, in place of the one that is used up
			done.Requeued = r.requeue(ctx, r.nextTick(often)) == nil
		}
		return done
	}
	// A function that dies in the middle must not be the last to reconcile.
	next := r.nextTick(interval(r.now().Sub(all[len(all)-1].drain.Since), false))
	requeued := r.requeue(ctx, next)

	drains, unplaced := r.place(ctx, all, in.Budget)
	seen := r.observe(ctx, drains, unplaced, in.Budget)
	for i, step := range Plan(r.cfg, drains, seen, *in.Budget) {
		all[i].step = step
	}
	*in.Budget = Budget{} // the plan has shared it out
	r.apply(ctx, all, seen)
	unsaved := r.save(ctx, all, seen)
	unsent := r.notify(ctx, all)

	open, soonest := remaining(all, seen)
	if again := r.nextTick(soonest); open && (requeued != nil || again.Before(next)) {
		requeued = errors.Join(r.requeue(ctx, again), ignore(requeued))
	}
	done.Requeued = requeued == nil
	if open {
		r.complain(ctx, requeued)
		done.Err = errors.Join(done.Err, requeued)
	}
	done.Err = errors.Join(done.Err, unsaved)
	done.fail(all, unplaced, unsent)
	if in.All && done.Err == nil {
		r.keepOpen(all, in.Clock)
	}
	return done
}

// ignore leaves out an error that a second try replaces.
func ignore(error) error { return nil }

// errLost has a trigger come again, to no effect if the other reconcile had it.
var errLost = errors.New("another reconcile wrote the drain at the same time")

// fail has messages delivered again whose triggers are not taken care of.
func (done Done) fail(all []work, unplaced error, unsent map[int]error) {
	for i, w := range all {
		for _, m := range w.messages {
			switch {
			case w.lost:
				done.Failed[m] = errors.Join(done.Failed[m], fmt.Errorf("drain %s: %w", w.drain.Instance, errLost))
			case unsent[i] != nil:
				done.Failed[m] = errors.Join(done.Failed[m], unsent[i])
			case w.step.End == Announced:
				done.Settled[m] = true
			case w.drain.Group == "" && fault.MayPass(unplaced):
				done.Failed[m] = errors.Join(done.Failed[m], unplaced)
			}
		}
	}
}

// remaining reports whether drains are open or have notifications to send, and how
// soon one may be done.
func remaining(all []work, o *Observation) (open bool, next time.Duration) {
	next = often
	for _, w := range all {
		switch {
		case w.dropped:
		case w.drain.open():
			open = true
			hurry := o.Deferred || w.step.Send != (Shutdown{}) || w.step.End != "" || !w.drain.EC2EndsAt.IsZero()
			next = min(next, interval(o.Now.Sub(w.drain.Since), hurry))
		case len(due(w.drain.Ledger, o.Now.Add(resendAfter))) > 0:
			open = true
		}
	}
	return open, next
}

// load reads the drains that an input concerns, with its triggers merged, the oldest
// first. What the store cannot read of an instance that a trigger names is taken for
// new: deregistering it twice does no harm, and nothing else is done before it is
// saved.
func (r *Drainer) load(ctx context.Context, in Input) (found []work, err error) {
	ctx, cancel := within(ctx, 2*storeTime)
	defer cancel()
	items := map[string]store.Item[Drain]{}
	if in.All {
		open, unlisted := r.open(ctx, in.Clock)
		err = unlisted
		for _, item := range open {
			if item.Unreadable != nil {
				r.complainOnce(ctx, "damaged: "+item.Key.Partition, Report{Outcome: ActionRequired, Reason: item.Unreadable.Error(), Remedy: "Delete the item; the next sweep drains the instance anew if it waits."})
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
			item, ok := named[key]
			if !ok {
				item = store.Item[Drain]{Key: key}
			}
			if item.Unreadable != nil {
				item.Value = Drain{Command: Command{Key: "unreadable", Over: true, Status: "not run: the drain's record could not be read"}}
			}
			items[key.Partition] = item
		}
	}
	r.complain(ctx, err)
	return merge(items, in.Triggers, in.All, r.now()), err
}

// openFor is how long the open items are taken for known that nobody else can have
// written.
const openFor = 2 * time.Minute

// open lists the open items. Who writes them claims the clock before, so if nobody
// has since this environment read or wrote them all, they are as it knows them.
func (r *Drainer) open(ctx context.Context, clock int) ([]store.Item[Drain], error) {
	if known, ok := r.known.open.get("", r.now().Add(-openFor)); ok && clock > 0 && known.clock == clock-1 {
		r.known.open.put("", openAt{clock, known.items}, r.known.open.at(""))
		return known.items, nil
	}
	items, err := r.drains.Open(ctx)
	if err == nil && clock > 0 {
		r.known.open.put("", openAt{clock, items}, r.now())
	}
	return items, err
}

// keepOpen remembers the open items after a reconcile of all of them.
func (r *Drainer) keepOpen(all []work, clock int) {
	var items []store.Item[Drain]
	for _, w := range all {
		if w.lost {
			return
		}
		if w.item.Open && !w.item.Delete {
			items = append(items, w.item)
		}
	}
	r.known.open.put("", openAt{clock, items}, r.known.open.at(""))
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
	taken := map[string]bool{}
	for _, t := range triggers {
		w := byInstance[t.Instance]
		next, ok := w.drain.merge(t, now)
		if !ok {
			continue
		}
		w.drain, taken[t.Instance] = next, true
		if t.message >= 0 {
			w.messages = append(w.messages, t.message)
		}
	}
	for id, w := range byInstance {
		if taken[id] || all && w.item.Open {
			found = append(found, *w)
		}
	}
	slices.SortFunc(found, func(a, b work) int {
		return byAge(a.drain, b.drain)
	})
	return found
}

func byAge(a, b Drain) int {
	if c := a.Since.Compare(b.Since); c != 0 {
		return c
	}
	return slices.Compare([]string{a.Instance}, []string{b.Instance})
}

// placeFor is how long the group of an instance is looked for that is in none.
const placeFor = 2 * time.Minute

// place returns the drains, those of instances whose group is not known with the
// group that they are found in. The error is why some could not be looked up.
func (r *Drainer) place(ctx context.Context, all []work, b *Budget) (drains []Drain, err error) {
	var ids []string
	for i := range all {
		if d := all[i].drain; d.open() && d.Group == "" && r.now().Sub(d.Since) < placeFor {
			ids = append(ids, d.Instance)
		}
	}
	groups := map[string]string{}
	if len(ids) > 0 {
		b.AutoScaling = max(0, b.AutoScaling-(len(ids)+49)/50)
		groups, err = r.groupsOf(ctx, ids)
	}
	for i := range all {
		if group := groups[all[i].drain.Instance]; group != "" && all[i].drain.Group == "" {
			all[i].drain.Group = group
		}
		drains = append(drains, all[i].drain)
	}
	return drains, err
}

// groupsOf finds the groups of instances: by the instances or, where that fails, in
// the list of all groups.
func (r *Drainer) groupsOf(ctx context.Context, ids []string) (map[string]string, error) {
	groups := map[string]string{}
	asking, cancel := within(ctx, observeTime)
	members, err := fleet.Members(asking, r.clients.Groups, ids...)
	cancel()
	for id, m := range members {
		groups[id] = m.AutoScalingGroup
	}
	if err == nil {
		return groups, nil
	}
	r.complain(ctx, err)
	asking, cancel = within(ctx, observeTime)
	defer cancel()
	second := fleet.EachAutoScalingGroup(asking, r.clients.Groups, func(g *fleet.AutoScalingGroup) error {
		for _, i := range g.Instances {
			if slices.Contains(ids, i.ID) {
				groups[i.ID] = g.Name
			}
		}
		return nil
	})
	if second == nil {
		return groups, nil
	}
	return groups, errors.Join(err, second)
}

// save writes what has changed of the drains. It marks those that somebody else has
// written.
func (r *Drainer) save(ctx context.Context, all []work, o *Observation) error {
	var changed []*work
	for i := range all {
		w := &all[i]
		next := w.step.record(&w.did, o)
		if w.lost {
			continue
		}
		ended := !next.Ended.IsZero() && w.drain.Ended.IsZero()
		if ended {
			r.log.InfoContext(ctx, "drain ended", "instance", next.Instance, "asg", next.Group, "cause", string(next.Cause), "outcome", string(next.Outcome),
				"seconds", int(o.Now.Sub(next.Since)/time.Second), "in_flight", w.step.inFlight(), "command", next.Command.ID, "command_status", next.Command.Status)
			r.notices.Count(string(next.Outcome))
		}
		w.drain = next
		// One that came too late for anything is not remembered.
		w.dropped = w.step.Drop || w.item.Version == 0 && ended && next.Outcome == Gone || w.step.End == Announced
		if !(w.dropped && w.item.Version == 0) && (w.dropped || !reflect.DeepEqual(w.item.Value, next)) {
			changed = append(changed, w)
		}
	}
	return r.write(ctx, changed)
}

// write writes drains as they are now.
func (r *Drainer) write(ctx context.Context, changed []*work) error {
	if len(changed) == 0 {
		return nil
	}
	r.known.open.put("", openAt{}, r.known.open.at(""))
	ctx, cancel := within(context.WithoutCancel(ctx), storeTime+time.Duration(len(changed)/500)*time.Second)
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
	lost := map[string]bool{}
	for _, key := range conflicts {
		lost[key.Partition] = true
	}
	for i, w := range changed {
		switch {
		case lost[w.drain.Instance]:
			w.lost = true
		case err == nil:
			w.item = items[i]
			w.item.Version++
		}
	}
	r.complain(ctx, err)
	return err
}
