package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// Reconcile brings one deployment group's load balancing in order, as far as that
// does no harm now. It is idempotent. An error is one of what the function itself
// runs on: the message is delivered again. Everything else that fails concerns the
// deployment group: it is in the record and in the result, operators are notified,
// and the function comes back by itself.
func (r *Repairer) Reconcile(ctx context.Context, k Key, trigger Trigger) (Result, error) {
	for try := 1; ; try++ {
		result, err := r.reconcile(ctx, k, trigger)
		switch {
		case errors.Is(err, errConflict) && try < conflicts:
			trigger.Redelivered = true // what was due, the other writer may have taken
			continue
		case err != nil:
			return result, fmt.Errorf("reconcile %s: %w", k, err)
		}
		return result, nil
	}
}

// conflicts is how often a reconcile is begun whose record somebody else writes.
const conflicts = 3

var errConflict = errors.New("somebody else wrote the record meanwhile")

func (r *Repairer) reconcile(ctx context.Context, k Key, trigger Trigger) (Result, error) {
	o := r.observe(ctx, k, trigger)
	switch {
	case fault.IsOwn(o.Err):
		return Result{}, o.Err
	case o.superseded():
		return Result{Key: k}, nil
	case o.deferred():
		return Result{Key: k}, r.postpone(ctx, o)
	}
	p := plan(o)
	if p.Outcome == OutOfScope {
		return r.report(ctx, o, p), nil
	}
	record := o.Item
	p, err := r.execute(ctx, o, p, &record)
	if err != nil {
		return Result{}, err
	}
	if err := r.notify(ctx, &record); err != nil {
		return Result{}, err
	}
	return r.report(ctx, o, p), nil
}

// execute applies a plan, saves its record and requeues, all at once: each may
// happen without the others, and the next reconcile completes it. But once processes
// are resumed, nothing in AWS shows that instances launched meanwhile are still to be
// registered, so then the record comes first.
func (r *Repairer) execute(ctx context.Context, o *Observation, p Plan, record *store.Item[Record]) (Plan, error) {
	if slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return c.Kind == setting.Resume }) {
		if err := r.save(ctx, record, p.Next); err != nil {
			return p, err
		}
	}
	var done []work
	var round errgroup.Group
	round.Go(func() error {
		done = r.apply(ctx, o, p)
		return nil
	})
	round.Go(func() error { return r.save(ctx, record, p.Next) })
	round.Go(func() error { return r.requeue(ctx, o.Key, p) })
	if err := round.Wait(); err != nil || !failed(done) {
		return p, err
	}
	due := p.Next.Due
	p = p.after(o, done)
	if err := r.save(ctx, record, p.Next); err != nil || p.Next.Due.Equal(due) {
		return p, err
	}
	return p, r.requeue(ctx, o.Key, p)
}

// superseded reports whether the trigger is nothing but continuations in whose place
// others were sent. One that is delivered again is taken: the one in its place may
// never have been sent.
func (o *Observation) superseded() bool {
	t := o.Trigger
	return len(t.Due) > 0 && len(t.Deployments) == 0 && !t.Anyway && !t.Confirmed && !t.Redelivered &&
		!slices.ContainsFunc(t.Due, o.Record.Due.Equal)
}

// deferred reports whether the trigger is nothing but deployments by Auto Scaling.
// A group that launches makes two events an instance, and none of them matters.
func (o *Observation) deferred() bool {
	t := o.Trigger
	if len(t.Deployments) == 0 || len(t.Due) > 0 || t.Anyway || t.Confirmed {
		return false
	}
	for id := range t.Deployments {
		if d := o.Deployments[id]; d == nil || !d.ByAutoScaling {
			return false
		}
	}
	return true
}

// deferral is how long deployments by Auto Scaling are collected.
const deferral = 30 * time.Second

// postpone has the group reconciled a little later, unless that is due already.
func (r *Repairer) postpone(ctx context.Context, o *Observation) error {
	if o.Record.Due.After(o.Now) {
		return nil
	}
	p := Plan{Next: o.Record, Requeue: deferral}
	p.Next.Due = o.Now.Add(deferral)
	if err := r.requeue(ctx, o.Key, p); err != nil {
		return err
	}
	record := o.Item
	if err := r.save(ctx, &record, p.Next); !errors.Is(err, errConflict) {
		return err
	}
	return nil // somebody else is at it
}

// save writes the record if it has changed, in the place of the one that was read or
// saved last.
func (r *Repairer) save(ctx context.Context, record *store.Item[Record], next Record) error {
	if record.Version > 0 && next.equal(record.Value) || record.Version == 0 && next.equal(Record{}) {
		return nil
	}
	item := store.Item[Record]{Key: record.Key, Version: record.Version, Value: next}
	lost, err := r.records.Put(ctx, item)
	switch {
	case err != nil:
		return err
	case len(lost) > 0:
		return errConflict
	}
	item.Version++
	*record = item
	return nil
}

// requeue sends the function a continuation, if the plan has one.
func (r *Repairer) requeue(ctx context.Context, k Key, p Plan) error {
	if p.Requeue == 0 {
		return nil
	}
	return r.queue.Continue(ctx, continuation{Reconcile: &reconcileWork{Key: k, Due: p.Next.Due}}, p.Requeue)
}

// notify sends the notifications that are due and writes down which went out. The
// record that holds them comes first, so that a table that cannot be written does not
// make the same one go out for ever.
func (r *Repairer) notify(ctx context.Context, record *store.Item[Record]) error {
	next := record.Value
	var errs []error
	for _, entry := range next.Notices.Due(r.now()) {
		n := entry.Notice
		n.Tries = entry.Tries
		if err := r.notices.Publish(ctx, n); err != nil {
			next.Notices = next.Notices.Failed(entry.Matter, r.now())
			errs = append(errs, err)
			continue
		}
		next.Notices = next.Notices.Delivered(entry.Matter)
	}
	err := r.save(ctx, record, next)
	if errors.Is(err, errConflict) {
		err = nil // the other writer sends what it finds in the outbox
	}
	return errors.Join(append(errs, err)...)
}
