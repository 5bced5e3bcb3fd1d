package repair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// repair looks at one deployment group and does what is due. A returned error
// is a passing one: the queue delivers the message again. What no retry helps
// is told to people instead, and is no error.
func (r *Repairer) repair(ctx context.Context, k Key, hint Hint) (Result, error) {
	o, err := r.observe(ctx, k, hint)
	if err != nil {
		return r.failed(ctx, o, Decision{}, fmt.Errorf("observe: %w", err))
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
			return r.failed(ctx, o, d, err)
		}
	}
	var round errgroup.Group
	round.Go(func() error { return r.apply(ctx, d.Changes) })
	if !d.resumes() {
		round.Go(func() error { return r.save(ctx, o, next) })
	}
	round.Go(func() error { return r.lookAgain(ctx, o) })
	if err := round.Wait(); err != nil {
		return r.failed(ctx, o, d, err)
	}
	if d.Outcome == Planned {
		d.Outcome = Applied
	}
	return r.report(ctx, o, d), nil
}

// conclude ends a look that changes nothing: people are told the outcome if it
// is news, then the record remembers that they were. Told twice is better than
// not at all. A name that cannot be published keeps nothing else from being
// done.
func (r *Repairer) conclude(ctx context.Context, o *Observed, d Decision) (Result, error) {
	next := o.next(d, false)
	var (
		round       errgroup.Group
		unpublished error
	)
	if told := o.told(d); !d.Quiet && told.after(o.Record.Told) {
		round.Go(func() error { return r.tell(ctx, o.result(d)) })
		next.Told = told
	}
	if d.Again && !o.Hint.Sweep {
		round.Go(func() error { return r.lookAgain(ctx, o) })
	}
	if o.Group != nil && next.Published != o.Group.Name {
		round.Go(func() error {
			unpublished = r.publish(ctx, o.Key, o.Group.Name)
			return nil
		})
	}
	if err := round.Wait(); err != nil {
		return r.failed(ctx, o, d, err)
	}
	if o.Group != nil && unpublished == nil {
		next.Published = o.Group.Name
	}
	if err := errors.Join(r.save(ctx, o, next), unpublished); err != nil {
		return r.failed(ctx, o, d, err)
	}
	return r.report(ctx, o, d), nil
}

func (d Decision) resumes() bool {
	for _, c := range d.Changes {
		if c.Do == Resume {
			return true
		}
	}
	return false
}

// failed turns an error into what it means: nothing for people in what passes
// (the queue delivers again) or is merely early (we look again), and a notice
// with the remedy in what does not pass.
func (r *Repairer) failed(ctx context.Context, o *Observed, d Decision, err error) (Result, error) {
	switch fault.Of(err) {
	case fault.Denied, fault.Invalid:
		d.Outcome, d.Reason, d.Remedy, d.Again = Refused, fault.Message(err), fault.Remedy(err), false
		if action := fault.Action(err); action != "" {
			d.Reason = fmt.Sprintf("%s failed: %s", action, d.Reason)
		}
		d.Changes = nil // what came of them, the next look tells
		if told := o.told(d); told.after(o.Record.Told) {
			if err := r.tell(ctx, o.result(d)); err != nil {
				return Result{}, fmt.Errorf("tell of %s: %w", o.Key, err)
			}
			next := o.Record
			next.Told = told
			if err := r.save(ctx, o, next); err != nil {
				r.log.WarnContext(ctx, "outcome told and not remembered; it may be told again", "application", o.Key.Application, "deployment_group", o.Key.DeploymentGroup, "error", err)
			}
		}
		return r.report(ctx, o, d), nil
	case fault.Busy, fault.NotFound, fault.Conflict:
		d.Outcome, d.Reason, d.Changes = Waiting, fault.Message(err), nil
		if err := r.lookAgain(ctx, o); err != nil {
			return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
		}
		return r.report(ctx, o, d), nil
	default:
		return Result{}, fmt.Errorf("repair %s: %w", o.Key, err)
	}
}

// save writes the record if it has changed.
func (r *Repairer) save(ctx context.Context, o *Observed, next Record) error {
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
	return errA == nil && errB == nil && string(a) == string(b)
}

// The looks after an event come 15, 30, 60, 120, 240 and 480 seconds after one
// another, a quarter of an hour in all. What is not done by then, the sweep
// goes on with.
const (
	firstLook = 15 * time.Second
	looks     = 6
)

// lookAgain sends the function a message to look at the group once more.
func (r *Repairer) lookAgain(ctx context.Context, o *Observed) error {
	if o.Hint.Look >= looks {
		return nil
	}
	hint := o.Hint
	hint.Look++
	hint.Sweep = false
	return r.send(ctx, o.Key, hint, firstLook<<o.Hint.Look)
}

// send asks the function to look at a deployment group after a delay, at most
// 900 s (SendMessage, Amazon SQS API Reference).
func (r *Repairer) send(ctx context.Context, k Key, hint Hint, delay time.Duration) error {
	body, err := json.Marshal(request{Action: "repair", Application: k.Application, DeploymentGroup: k.DeploymentGroup, Hint: hint})
	if err != nil {
		return fmt.Errorf("ask for another look: %w", err)
	}
	_, err = r.clients.Queue.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &r.cfg.QueueURL,
		MessageBody:  aws.String(string(body)),
		DelaySeconds: int32(delay / time.Second),
	})
	if err != nil {
		return fmt.Errorf("ask for another look: %w", err)
	}
	return nil
}
