package drain

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/pkg/fault"
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

	mu                  sync.Mutex // protects what follows, and what became of the steps
	answered, throttled int        // calls to Auto Scaling
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
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	run := &applying{Drainer: r, all: all, o: o}
	parallel(ctx, run.deregister, run.callAutoScaling, func(ctx context.Context) { run.send(ctx, run.reserve(ctx)) })
}

// reserve saves the drains whose commands are to be sent, and returns the batches.
func (r *applying) reserve(ctx context.Context) []batch {
	var first []*work
	batches := batchesOf(r.all, r.o.Now)
	for _, b := range batches {
		for _, w := range b.work {
			w.drain = w.step.Next
			w.drain.Command = Command{Key: b.key, Asked: r.o.Now}
			w.did.command = &Command{Key: b.key, Asked: r.o.Now}
			first = append(first, w)
		}
	}
	r.write(ctx, first)
	for _, w := range first {
		if w.unsaved { // or saved all the same: then the item is lost when it is saved next
			w.did.command = nil
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
	var chunks [][]registration
	for _, registrations := range byBalancer {
		chunks = slices.AppendSeq(chunks, slices.Chunk(registrations, deregisterLimit))
	}
	var leave func(ctx context.Context, chunk []registration)
	leave = func(ctx context.Context, chunk []registration) {
		id, targets := chunk[0].Balancer, make([]Target, len(chunk))
		for i, t := range chunk {
			targets[i] = t.Target
		}
		err := r.leave(ctx, id, targets)
		if half := len(chunk) / 2; fault.Is(err, fault.Invalid) && half > 0 {
			// One target that AWS does not take must not keep the others registered.
			leave(ctx, chunk[:half])
			leave(ctx, chunk[half:])
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
	each(ctx, chunks, leave)
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

// callAutoScaling completes actions and sends heartbeats. Where most are throttled,
// the rest waits for the next tick.
func (r *applying) callAutoScaling(ctx context.Context) {
	// A handler that is cancelled must not keep the instances.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	var turns []*work
	for i := range r.all {
		if w := &r.all[i]; w.step.Release || w.step.Heartbeat {
			turns = append(turns, w)
		}
	}
	each(ctx, turns, func(ctx context.Context, w *work) {
		var answers []answer
		for _, a := range w.step.Next.Actions {
			answers = append(answers, r.callAction(ctx, w.step, a))
		}
		r.note(w, func(d *did) { d.actions = answers })
	})
}

// throttledLimit is how many calls may be throttled before the others wait for the
// next tick, if those are most.
const throttledLimit = 8

var errThrottled = errors.New("not called: most calls are throttled")

// callAction completes an action or sends its heartbeat; the heartbeat also where
// it is due and the completion fails.
func (r *applying) callAction(ctx context.Context, s Step, a Action) (got answer) {
	if !a.Absent.IsZero() {
		return answer{absent: true}
	}
	r.mu.Lock()
	stop := r.throttled >= throttledLimit && r.throttled > r.answered
	r.mu.Unlock()
	if stop {
		return answer{err: errThrottled}
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.answered++; fault.Is(got.err, fault.Throttled) {
			r.answered, r.throttled = r.answered-1, r.throttled+1
		}
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
