package repair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// repair looks at one deployment group and does what is due. A returned error
// is a passing one, or one of the function's own tools: the queue delivers the
// message again and keeps it in the end. What else no retry helps is told to
// people, and is no error.
func (r *Repairer) repair(ctx context.Context, k Key, hint Hint) (Result, error) {
	o, err := r.observe(ctx, k, hint)
	if err != nil {
		return r.unable(ctx, o, fmt.Errorf("observe: %w", err))
	}
	d := Decide(r.cfg.Scope, o)
	switch {
	case d.Outcome == Ignored:
		return r.report(ctx, o, d), nil
	case len(d.Changes) > 0 && r.cfg.Mode == ModeApply:
		return r.change(ctx, o, d)
	default:
		return r.conclude(ctx, o, d)
	}
}

// change applies the decision's changes. Whether they work is for the next look
// to tell, so nobody is told anything yet. The record is written and the next
// look asked for at the same time: either may happen without the other, and the
// group is found and finished all the same.
func (r *Repairer) change(ctx context.Context, o *Observed, d Decision) (Result, error) {
	next := o.next(d, true)
	if d.resumes() {
		// Once resumed, nothing in AWS tells that instances launched
		// meanwhile are still to be registered. The record does.
		if err := r.save(ctx, o, next); err != nil {
			return r.unable(ctx, o, err)
		}
	}
	// A sweep that finds changes pending is the next look itself. A message that
	// came to no end before may have asked for it already.
	again := !o.Hint.Sweep || len(o.Record.Pending) == 0
	unpublished := o.Group != nil && o.Record.Published != o.Group.Name
	var round errgroup.Group
	round.Go(func() error { return r.apply(ctx, d.Changes) })
	if !d.resumes() {
		round.Go(func() error { return r.save(ctx, o, next) })
	}
	if again && !o.Hint.Redelivered {
		round.Go(func() error { return r.lookAgain(ctx, o) })
	}
	if unpublished {
		round.Go(func() error {
			_ = r.publish(ctx, o.Key, o.Group.Name) // the last look says if it fails
			return nil
		})
	}
	if err := round.Wait(); err != nil {
		return r.unable(ctx, o, err)
	}
	if again {
		if err := r.lookAgain(ctx, o); err != nil {
			return r.unable(ctx, o, err)
		}
	}
	if d.Outcome == Planned {
		d.Outcome = Applied
	}
	return r.report(ctx, o, d), nil
}

func (d Decision) resumes() bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Do == Resume })
}

// conclude ends a look that changes nothing: the group's name is published, the
// record is written, and people are told the outcome if it is news. A name that
// cannot be published keeps nothing else from being done.
func (r *Repairer) conclude(ctx context.Context, o *Observed, d Decision) (Result, error) {
	next := o.next(d, false)
	var unpublished error
	if o.Group != nil && next.Published != o.Group.Name {
		unpublished = r.publish(ctx, o.Key, o.Group.Name)
	}
	switch {
	case unpublished != nil:
		next.Told = o.Record.Told // that it cannot be published stays told
	case o.Group != nil:
		next.Published = o.Group.Name
	}
	if err := r.tell(ctx, o, d, next); err != nil {
		return r.unable(ctx, o, err)
	}
	// Last, so that a message that comes to no end does not ask each time.
	if d.Again && !o.Hint.Sweep {
		if err := r.lookAgain(ctx, o); err != nil {
			return r.unable(ctx, o, err)
		}
	}
	if unpublished != nil {
		return r.unable(ctx, o, unpublished)
	}
	return r.report(ctx, o, d), nil
}

// unable turns an error into what it means. What people must do something about
// is told, once. What is only early, or lost against another writer, is looked
// at again, and told when it lasts. Everything else is for the queue to deliver
// again, unless another look is on its way already: both would multiply.
func (r *Repairer) unable(ctx context.Context, o *Observed, err error) (Result, error) {
	kind := fault.Of(err)
	if tools(err) && kind != fault.Conflict {
		return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
	}
	action := fault.Action(err)
	d := Decision{Matter: action, Reason: fault.Message(err), Remedy: fault.Remedy(err)}
	if action != "" {
		d.Reason = fmt.Sprintf("%s failed: %s", action, d.Reason)
	}
	switch kind {
	case fault.Denied, fault.Invalid:
		d.Outcome = Refused
	case fault.Busy, fault.NotFound, fault.Conflict:
		d.Outcome, d.Quiet = Waiting, kind == fault.Conflict || o.Hint.Look < looks && (!o.Hint.Sweep || o.patient())
		if err := r.lookAgain(ctx, o); err != nil {
			return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
		}
	default:
		if !o.asked {
			return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
		}
		d.Outcome, d.Quiet = Waiting, true
	}
	if err := r.tell(ctx, o, d, o.Record); err != nil {
		return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
	}
	return r.report(ctx, o, d), nil
}

// tools tells whether a failed call was one that the function needs to remember,
// to be called again, or to tell anybody anything. Nothing could be told of it
// without end; the dead-letter queue's alarm tells it.
func tools(err error) bool {
	service, _, _ := strings.Cut(fault.Action(err), ":")
	return slices.Contains([]string{"dynamodb", "sqs", "sns", "events"}, service)
}

// tell writes the record and, if the outcome is news, tells it. The record
// comes first, so that a table that cannot be written does not make the same
// notice go out for ever. Until the notice is out the record says so, and the
// next look, whoever asks for it, tries again.
func (r *Repairer) tell(ctx context.Context, o *Observed, d Decision, next Record) error {
	told, before := o.told(d), o.Record.Untold
	if before.Told != told { // the matter has changed since
		next.Told = slices.DeleteFunc(slices.Clone(next.Told), func(t Told) bool { return t == before.Told && before.Tries > 0 })
		before, next.Untold = Untold{}, Untold{}
	}
	again := before.Tries > 0 && (before.Tries < triesToTell || o.Now.Sub(before.Tried) >= tellEvery)
	if d.Quiet || !again && !told.newsAfter(next.Told) {
		if before.Tries > 0 {
			next.Pending, next.Since = o.Record.Pending, o.Record.Since
		}
		return r.save(ctx, o, next)
	}
	if !slices.Contains(next.Told, told) {
		next.Told = append(slices.Clone(next.Told), told)
		next.Told = next.Told[max(0, len(next.Told)-toldLimit):]
	}
	telling := next
	telling.Untold = Untold{told, before.Tries + 1, o.Now}
	telling.Pending, telling.Since = o.Record.Pending, o.Record.Since // what was done
	if err := r.save(ctx, o, telling); err != nil {
		return err
	}
	if err := r.send(ctx, o.result(d)); err != nil {
		return err
	}
	next.Untold = Untold{}
	return r.save(ctx, o, next)
}

// A notice that fails is tried as often as a message is delivered, and then
// every hour: it may have gone out although it failed.
const (
	triesToTell = 5
	tellEvery   = time.Hour
)

// toldLimit bounds what is remembered of what people were told.
const toldLimit = 8

// save writes the record if it has changed, in the place of the one that was
// observed or saved last.
func (r *Repairer) save(ctx context.Context, o *Observed, next Record) error {
	next.Version = o.Record.Version
	if next.equal(o.Record) {
		return nil
	}
	if err := r.records.save(ctx, o.Key, next); err != nil {
		return err
	}
	o.Record = next
	o.Record.Version++
	return nil
}

func (r Record) equal(s Record) bool {
	a, errA := json.Marshal(r)
	b, errB := json.Marshal(s)
	return errors.Join(errA, errB) == nil && string(a) == string(b)
}

// The looks after an event come 15, 30, 60, 120, 240 and 480 seconds after one
// another, a quarter of an hour in all. What is not done by then, the sweep
// goes on with.
const (
	firstLook = 15 * time.Second
	looks     = 6
)

// lookAgain sends the function a message to look at the group once more; at
// most one for each look.
func (r *Repairer) lookAgain(ctx context.Context, o *Observed) error {
	if o.asked || o.Hint.Look >= looks {
		return nil
	}
	hint := o.Hint
	hint.Look++
	hint.Sweep = false
	err := r.request(ctx, o.Key, hint, firstLook<<o.Hint.Look)
	o.asked = err == nil
	return err
}

// request asks the function to look at a deployment group after a delay, at
// most 900 s (SendMessage, Amazon SQS API Reference).
func (r *Repairer) request(ctx context.Context, k Key, hint Hint, delay time.Duration) error {
	return r.own.Send(ctx, request{Action: "repair", Application: k.Application, DeploymentGroup: k.DeploymentGroup, Hint: hint}, delay)
}
