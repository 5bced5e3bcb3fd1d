package repair

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"
)

// apply carries all changes out at once: no change of one plan waits for
// another. A failed one does not stop the rest; the first failure is returned.
func (r *Repairer) apply(ctx context.Context, changes []Change) error {
	var round errgroup.Group
	for _, c := range changes {
		round.Go(func() error {
			if err := r.applyOne(ctx, c); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			return nil
		})
	}
	return round.Wait()
}

func (r *Repairer) applyOne(ctx context.Context, c Change) error {
	switch c.Do {
	case Attach:
		in := &autoscaling.AttachTrafficSourcesInput{AutoScalingGroupName: &c.Group}
		for _, s := range c.Sources {
			in.TrafficSources = append(in.TrafficSources, autoscalingtypes.TrafficSourceIdentifier{Identifier: &s.ID, Type: &s.Type})
		}
		_, err := r.clients.Groups.AttachTrafficSources(ctx, in)
		return err
	case Register:
		in := &elb.RegisterTargetsInput{TargetGroupArn: &c.TargetGroup}
		for _, id := range c.Instances {
			in.Targets = append(in.Targets, elbtypes.TargetDescription{Id: &id})
		}
		_, err := r.clients.Balancers.RegisterTargets(ctx, in)
		return err
	case Resume:
		_, err := r.clients.Groups.ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &c.Group, ScalingProcesses: c.Processes})
		return err
	case RestoreHook:
		_, err := r.clients.Groups.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName:  &c.Group,
			LifecycleHookName:     &c.Hook.Name,
			LifecycleTransition:   &c.Hook.Transition,
			HeartbeatTimeout:      &c.Hook.Timeout,
			DefaultResult:         &c.Hook.DefaultResult,
			NotificationMetadata:  optional(c.Hook.Metadata),
			NotificationTargetARN: optional(c.Hook.TargetARN),
			RoleARN:               optional(c.Hook.RoleARN),
		})
		return err
	default:
		return fmt.Errorf("a change of kind %q is not known", c.Do)
	}
}

// optional leaves an empty string out of a request: AWS does not take it for
// absent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}
