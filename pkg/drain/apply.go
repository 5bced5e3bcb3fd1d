package drain

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"deployhooks/pkg/fault"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// did is what became of the calls of one step.
type did struct {
	// left are the load balancers that took a deregistration.
	left []string
	// command is the state of a command that was to be sent, nil where none was.
	command *Command
	// actions are the answers about the drain's actions, by index; nil where none
	// were asked for.
	actions []answer
	errs    []error
}

// answer is what Auto Scaling said about an action.
type answer struct {
	completed, heartbeat, absent bool
	err                          error
}

// applying carries the steps of one reconcile out.
type applying struct {
	*Drainer
	all []work
	o   *Observation

	mu        sync.Mutex // protects what follows, and what became of the steps
	throttled bool
}

// note keeps what became of a step.
func (r *applying) note(w *work, keep func(*did)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keep(&w.did)
}

// apply carries the steps out. Each call is idempotent but the sending of a command,
// which is saved before: of several reconciles that would send it, one does.
func (r *Drainer) apply(ctx context.Context, all []work, o *Observation) {
	ctx, cancel := within(ctx, applyTime)
	defer cancel()
	run := &applying{Drainer: r, all: all, o: o}
	parallel(ctx, run.deregister,
		func(ctx context.Context) { run.callAutoScaling(ctx, func(w *work) bool { return !w.toReserve() }) },
		func(ctx context.Context) {
			batches := run.reserve(ctx)
			run.send(ctx, batches)
			run.callAutoScaling(ctx, func(w *work) bool { return w.toReserve() && w.item.Version > 0 && !w.lost })
		})
}

// toReserve reports whether the drain has to be saved before its step: before a
// command is sent, and before a new drain has its action's timeout restarted; one
// that cannot be saved would begin anew at each sweep, and keep its instance for
// days.
func (w *work) toReserve() bool {
	return w.step.Send != (Shutdown{}) || w.step.Heartbeat && w.item.Value.Since.IsZero()
}

// reserve saves the drains that have to be saved before their step, and returns the
// batches of commands to send.
func (r *applying) reserve(ctx context.Context) []batch {
	var first []*work
	batches := batchesOf(r.all, r.o.Now)
	for i := range r.all {
		if w := &r.all[i]; w.toReserve() {
			w.drain = w.step.Next
			first = append(first, w)
		}
	}
	for _, b := range batches {
		for _, w := range b.work {
			w.drain.Command = Command{Key: b.key, Asked: r.o.Now}
			w.did.command = &Command{Key: b.key, Asked: r.o.Now}
		}
	}
	if err := r.write(ctx, first); err != nil {
		for _, w := range first {
			// It may have been saved all the same, so no command may follow.
			w.lost = w.lost || w.step.Send != (Shutdown{})
		}
	}
	return batches
}

// deregister ends the registrations that the steps say, those of a load balancer
// together. Each names its port: AWS ignores a target that is registered with
// another port than the target group's if the port is left out.
func (r *applying) deregister(ctx context.Context) {
	type registration struct {
		Target
		w *work
	}
	byBalancer := map[string][]registration{}
	for i := range r.all {
		for _, t := range r.all[i].step.Deregister {
			byBalancer[t.Balancer] = append(byBalancer[t.Balancer], registration{t, &r.all[i]})
		}
	}
	var leave func(ctx context.Context, id string, chunk []registration)
	leave = func(ctx context.Context, id string, chunk []registration) {
		var targets []Target
		for _, t := range chunk {
			targets = append(targets, t.Target)
		}
		err := r.leave(ctx, id, targets)
		if fault.Is(err, fault.Invalid) && len(chunk) > 1 {
			// One target that AWS does not take must not keep the others registered.
			half := len(chunk) / 2
			leave(ctx, id, chunk[:half])
			leave(ctx, id, chunk[half:])
			return
		}
		for _, t := range chunk {
			r.note(t.w, func(d *did) {
				if err == nil || fault.Is(err, fault.NotFound) {
					d.left = append(d.left, id)
				} else {
					d.errs = append(d.errs, err)
				}
			})
		}
	}
	var ask []func(context.Context)
	for id, registrations := range byBalancer {
		for chunk := range slices.Chunk(registrations, deregisterLimit) {
			ask = append(ask, func(ctx context.Context) { leave(ctx, id, chunk) })
		}
	}
	parallel(ctx, ask...)
}

func (r *Drainer) leave(ctx context.Context, id string, targets []Target) error {
	if isClassic(id) {
		return r.leaveClassic(ctx, id, targets)
	}
	in := &elb.DeregisterTargetsInput{TargetGroupArn: &id}
	for _, t := range targets {
		d := elbtypes.TargetDescription{Id: aws.String(t.Instance)}
		if t.Port != 0 {
			d.Port = aws.Int32(t.Port)
		}
		in.Targets = append(in.Targets, d)
	}
	_, err := r.clients.Balancers.DeregisterTargets(ctx, in)
	return err
}

// callAutoScaling completes actions and sends heartbeats. A call that is throttled
// ends the turn: the rest waits for the next tick.
func (r *applying) callAutoScaling(ctx context.Context, whose func(*work) bool) {
	// A handler that is cancelled must not keep the instances.
	ctx, cancel := within(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	var ask []func(context.Context)
	for i := range r.all {
		w := &r.all[i]
		if w.lost || !w.step.Release && !w.step.Heartbeat || !whose(w) {
			continue
		}
		ask = append(ask, func(ctx context.Context) {
			var answers []answer
			for _, a := range w.step.Next.Actions {
				answers = append(answers, r.callAction(ctx, w.step, a))
			}
			r.note(w, func(d *did) { d.actions = answers })
		})
	}
	parallel(ctx, ask...)
}

var errThrottled = errors.New("not called: another call was throttled")

// callAction completes an action or sends its heartbeat; the heartbeat also where
// it is due and the completion fails.
func (r *applying) callAction(ctx context.Context, s Step, a Action) (got answer) {
	if !a.Absent.IsZero() {
		return answer{absent: true}
	}
	r.mu.Lock()
	stop := r.throttled
	r.mu.Unlock()
	if stop {
		return answer{err: errThrottled}
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.throttled = r.throttled || fault.Is(got.err, fault.Throttled)
	}()
	if s.Release {
		err := r.complete(ctx, s.Next, a)
		switch {
		case err == nil:
			return answer{completed: true}
		case fault.Is(err, fault.NotFound):
			return answer{absent: true}
		}
		got.err = err
	}
	if s.Heartbeat && !fault.Is(got.err, fault.Throttled) {
		switch err := r.heartbeat(ctx, s.Next, a); {
		case err == nil:
			got.heartbeat = true
		case fault.Is(err, fault.NotFound):
			got.absent = true
		default:
			got.err = errors.Join(got.err, err)
		}
	}
	return got
}

// continueTermination is the result of every action that is completed here: an
// instance that terminates does so with either result, and only CONTINUE lets its
// other hooks finish (CompleteLifecycleAction, Amazon EC2 Auto Scaling API
// Reference).
const continueTermination = "CONTINUE"

// complete completes an action, by the instance: a token may have expired, or
// never been known.
func (r *Drainer) complete(ctx context.Context, d Drain, a Action) error {
	_, err := r.clients.Groups.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &d.Group, LifecycleHookName: &a.Hook, InstanceId: &d.Instance,
		LifecycleActionResult: aws.String(continueTermination),
	})
	return err
}

// heartbeat restarts an action's timeout.
func (r *Drainer) heartbeat(ctx context.Context, d Drain, a Action) error {
	_, err := r.clients.Groups.RecordLifecycleActionHeartbeat(ctx, &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: &d.Group, LifecycleHookName: &a.Hook, InstanceId: &d.Instance,
	})
	return err
}

// record is the drain's record after a step and what came of its calls.
func (s Step) record(did *did, o *Observation) Drain {
	d := s.Next
	if !d.open() {
		return d
	}
	if len(did.left) > 0 {
		balancers := map[string]Left{}
		for id, left := range d.Balancers {
			if slices.Contains(did.left, id) {
				left.At, left.Times = o.Now, left.Times+1
			}
			balancers[id] = left
		}
		d.Balancers = balancers
	}
	if did.command != nil {
		d.Command = *did.command
	}
	completed, released := false, !s.Release || did.actions != nil
	d.Actions = slices.Clone(d.Actions)
	errs := slices.Clone(did.errs)
	for i, got := range did.actions {
		a := &d.Actions[i]
		switch {
		case got.completed:
			completed = true
		case got.absent && a.Absent.IsZero():
			a.Absent = o.Now
		case got.heartbeat:
			a.Heartbeat = o.Now
		}
		if got.err != nil {
			errs = append(errs, got.err)
			if s.Release && got.err != errThrottled && fault.Of(got.err) == fault.Transient && a.Tried.IsZero() {
				a.Tried = o.Now
			}
		}
		released = released && (got.completed || got.absent)
	}
	for _, err := range errs {
		if kind := fault.Of(err); kind == fault.Denied || kind == fault.Invalid {
			d.Ledger = d.Ledger.Add(fault.Action(err), d.about(reportFault(err)))
		}
	}
	if s.End == "" || !released {
		return d
	}
	outcome := s.End
	if s.Release && !completed && d.timedOut(o) {
		outcome = TimedOut
	}
	return d.end(outcome, s.inFlight(), o.Now)
}

// end is the drain ended, with the notification of its end if there is one.
func (d Drain) end(outcome Outcome, inFlight string, now time.Time) Drain {
	switch outcome {
	case TimedOut, DeadlinePassed, CommandFailed, Planned:
		d.Ledger = d.Ledger.Add(string(outcome), d.report(outcome, now, inFlight))
	case Drained:
		if d.Command.Key != "" {
			d.Ledger = d.Ledger.Add(string(outcome), d.report(outcome, now, inFlight))
		}
	}
	return d.ended(outcome, now)
}
