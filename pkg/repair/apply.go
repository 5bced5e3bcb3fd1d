package repair

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/repair/setting"
)

// work is one step of a plan and what became of it.
type work struct {
	change  *setting.Change // nil for publishing the group's name
	publish string
	err     error
}

// apply carries out the changes of a plan, all at once, after those that keep
// instances without the revision out of reach, and publishes the group's name. A
// failed step stops no other. In plan mode nothing is changed.
func (r *Repairer) apply(ctx context.Context, o *Observation, p Plan) []work {
	var first, rest []work
	for _, c := range p.Changes {
		switch {
		case o.Config.Mode == ModePlan:
		case isolates(c):
			first = append(first, work{change: &c})
		default:
			rest = append(rest, work{change: &c})
		}
	}
	if p.Publish != "" {
		rest = append(rest, work{publish: p.Publish})
	}
	for _, stage := range [][]work{first, rest} {
		var round errgroup.Group
		for i := range stage {
			round.Go(func() error {
				w := &stage[i]
				if w.change == nil {
					w.err = r.publish(ctx, o.Key, w.publish)
				} else if w.err = r.applyOne(ctx, *w.change); w.err != nil {
					w.err = fmt.Errorf("%s: %w", say(*w.change), w.err)
				}
				return nil // each step has its own error
			})
		}
		_ = round.Wait()
	}
	return slices.Concat(first, rest)
}

func failed(done []work) bool {
	return slices.ContainsFunc(done, func(w work) bool { return w.err != nil })
}

func (r *Repairer) applyOne(ctx context.Context, c setting.Change) error {
	switch c.Kind {
	case register, bridge:
		_, err := r.clients.Balancers.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &c.TargetGroup, Targets: targets(c.Items)})
		return err
	case deregister:
		_, err := r.clients.Balancers.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &c.TargetGroup, Targets: targets(c.Items)})
		return err
	case detach:
		in := &autoscaling.DetachTrafficSourcesInput{AutoScalingGroupName: &c.Group}
		for _, s := range setting.SourcesOf(c) {
			in.TrafficSources = append(in.TrafficSources, autoscalingtypes.TrafficSourceIdentifier{Identifier: &s.ID, Type: &s.Type})
		}
		_, err := r.clients.Groups.DetachTrafficSources(ctx, in)
		return err
	case protect, unprotect:
		_, err := r.clients.Groups.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: &c.Group, InstanceIds: c.Items, ProtectedFromScaleIn: aws.Bool(c.Kind == protect),
		})
		return err
	case enterStandby:
		_, err := r.clients.Groups.EnterStandby(ctx, &autoscaling.EnterStandbyInput{
			AutoScalingGroupName: &c.Group, InstanceIds: c.Items, ShouldDecrementDesiredCapacity: aws.Bool(true),
		})
		return err
	case exitStandby:
		_, err := r.clients.Groups.ExitStandby(ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: &c.Group, InstanceIds: c.Items})
		return err
	case replaceInstances:
		for _, id := range c.Items {
			if _, err := r.clients.Groups.SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
				InstanceId: &id, HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: aws.Bool(false),
			}); err != nil {
				return err
			}
		}
		return nil
	}
	return setting.Apply(ctx, r.clients.Groups, c)
}

// targets are instances without a port: the target group's own counts.
func targets(instances []string) []elbtypes.TargetDescription {
	var all []elbtypes.TargetDescription
	for _, id := range instances {
		all = append(all, elbtypes.TargetDescription{Id: &id})
	}
	return all
}
