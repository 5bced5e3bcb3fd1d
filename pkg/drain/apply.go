package drain

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// each does something about each drain, several at once.
func each(drains []*Drain, do func(*Drain)) {
	var round errgroup.Group
	round.SetLimit(concurrency)
	for _, d := range drains {
		round.Go(func() error { do(d); return nil })
	}
	_ = round.Wait()
}

// deregisterLimit is how many targets go into one DeregisterTargets; AWS states
// no limit, and the AWS Load Balancer Controller takes as many.
const deregisterLimit = 200

// registration is a target and whose it is.
type registration struct {
	Target
	of *Drain
}

// deregister ends the registrations that the steps say, those of a target group
// together. Each names its port: AWS ignores a target that is registered with
// another port than the target group's if the port is left out.
func (r *Drainer) deregister(ctx context.Context, drains []*Drain, steps map[*Drain]*Step) {
	groups := map[string][]registration{}
	for _, d := range drains {
		for _, t := range steps[d].Deregister {
			groups[t.TargetGroup] = append(groups[t.TargetGroup], registration{t, d})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, deregisterTime)
	defer cancel()
	var round errgroup.Group
	round.SetLimit(concurrency)
	for _, arn := range slices.Sorted(maps.Keys(groups)) {
		for chunk := range slices.Chunk(groups[arn], deregisterLimit) {
			round.Go(func() error { r.deregisterChunk(ctx, arn, chunk); return nil })
		}
	}
	_ = round.Wait() // errors are the drains' trouble
}

// deregisterChunk ends registrations in one target group. One target that AWS does
// not take must not keep the others routed, so then each half is tried apart.
func (r *Drainer) deregisterChunk(ctx context.Context, arn string, chunk []registration) {
	in := &elb.DeregisterTargetsInput{TargetGroupArn: &arn}
	for _, t := range chunk {
		in.Targets = append(in.Targets, elbtypes.TargetDescription{Id: &t.of.Instance, Port: aws.Int32(t.Port)})
	}
	switch _, err := r.clients.Balancers.DeregisterTargets(ctx, in); {
	case err == nil, fault.Of(err) == fault.NotFound:
	case fault.Of(err) == fault.Invalid && len(chunk) > 1:
		half := len(chunk) / 2
		r.deregisterChunk(ctx, arn, chunk[:half])
		r.deregisterChunk(ctx, arn, chunk[half:])
	default:
		for _, t := range chunk {
			r.trouble(t.of, err)
		}
	}
}

// continueTermination is the result of every action that is completed here: an
// instance that terminates does so with either result, and only CONTINUE lets
// its other hooks finish (CompleteLifecycleAction, Amazon EC2 Auto Scaling API
// Reference).
const continueTermination = "CONTINUE"

// complete completes an action, by the instance: a token may have expired, or
// never been told.
func (r *Drainer) complete(ctx context.Context, d *Drain, a Action) error {
	_, err := r.clients.Groups.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &d.Group, LifecycleHookName: &a.Hook, InstanceId: &d.Instance,
		LifecycleActionResult: aws.String(continueTermination),
	})
	return err
}

// heartbeat has an action's timeout begin anew.
func (r *Drainer) heartbeat(ctx context.Context, d *Drain, a Action) error {
	_, err := r.clients.Groups.RecordLifecycleActionHeartbeat(ctx, &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: &d.Group, LifecycleHookName: &a.Hook, InstanceId: &d.Instance,
	})
	return err
}
