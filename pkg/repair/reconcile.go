package repair

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

var errConflict = errors.New("somebody else wrote the record meanwhile")

// Reconcile brings one deployment group's load balancing in order, as far as that
// does no harm now. It is idempotent. An error is one of what the function itself
// runs on: the message is delivered again. Everything else that fails concerns the
// deployment group: it is in the record and in the result, operators are notified,
// and the function comes back by itself.
func (r *Repairer) Reconcile(ctx context.Context, k Key, trigger Trigger) (Result, error) {
	o := r.observe(ctx, k, trigger)
	switch {
	case fault.IsOwn(o.Err):
		return Result{}, fmt.Errorf("observe %s: %w", k, o.Err)
	case o.superseded():
		return Result{Key: k}, nil
	case o.deferred():
		return Result{Key: k}, r.postpone(ctx, o)
	}
	p, record := plan(o), o.Item
	var failures []error // of the plan's changes, nil for those that succeed
	var err error
	if p.recordFirst() {
		err = r.save(ctx, &record, p.Next)
	}
	if err == nil { // all at once: each may happen alone, and the next reconcile completes it
		var round errgroup.Group
		round.Go(func() error { failures = r.apply(ctx, o, p); return nil })
		round.Go(func() error { return r.save(ctx, &record, p.Next) })
		round.Go(func() error { return r.requeue(ctx, k, p) })
		err = round.Wait()
	}
	if due := p.Next.Due; err == nil && errors.Join(failures...) != nil {
		p = p.after(o, failures)
		if err = r.save(ctx, &record, p.Next); err == nil && !p.Next.Due.Equal(due) {
			err = r.requeue(ctx, k, p)
		}
	}
	if err == nil {
		err = r.notify(ctx, &record)
	}
	if errors.Is(err, errConflict) && !trigger.Redelivered {
		trigger.Redelivered = true // what was due, the other writer may have taken
		return r.Reconcile(ctx, k, trigger)
	}
	if err != nil {
		return Result{}, fmt.Errorf("reconcile %s: %w", k, err)
	}
	return r.report(ctx, o, p), nil
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
