package drain

import (
	"context"
	"maps"
	"slices"
	"sync"

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

// deregister ends the registrations that the steps say, those of a target group
// together. Each names its port: AWS ignores a target that is registered with
// another port than the target group's if the port is left out.
func (r *Drainer) deregister(ctx context.Context, drains []*Drain, steps map[*Drain]*Step) {
	type registration struct {
		Target
		of *Drain
	}
	groups := map[string][]registration{}
	for _, d := range drains {
		for _, t := range steps[d].Deregister {
			groups[t.TargetGroup] = append(groups[t.TargetGroup], registration{t, d})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, deregisterTime)
	defer cancel()
	var (
		round errgroup.Group
		guard sync.Mutex
	)
	round.SetLimit(concurrency)
	for _, arn := range slices.Sorted(maps.Keys(groups)) {
		for chunk := range slices.Chunk(groups[arn], deregisterLimit) {
			round.Go(func() error {
				in := &elb.DeregisterTargetsInput{TargetGroupArn: &arn}
				for _, t := range chunk {
					in.Targets = append(in.Targets, elbtypes.TargetDescription{Id: &t.of.Instance, Port: aws.Int32(t.Port)})
				}
				_, err := r.clients.Balancers.DeregisterTargets(ctx, in)
				if err == nil || fault.Of(err) == fault.NotFound {
					return nil
				}
				guard.Lock()
				defer guard.Unlock()
				for _, t := range chunk {
					t.of.trouble = err
				}
				return nil
			})
		}
	}
	_ = round.Wait() // errors are the drains' trouble
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
