package repair

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// apply carries out the changes of a plan, all at once, after those that keep
// instances without the revision out of reach, and publishes the group's name. It
// returns the error of each change and, last, that of publishing. In plan mode nothing
// is changed, and the name is published all the same.
func (r *Repairer) apply(ctx context.Context, o *Observation, p Plan) []error {
	errs := make([]error, len(p.Changes)+1)
	for _, first := range []bool{true, false} {
		var round sync.WaitGroup
		for i, c := range p.Changes {
			if o.Config.Mode == ModeApply && isolates(c) == first {
				round.Go(func() { errs[i] = r.applyOne(ctx, c) })
			}
		}
		if p.Publish != "" && !first {
			round.Go(func() { errs[len(p.Changes)] = r.publish(ctx, o.Key, p.Publish) })
		}
		round.Wait()
	}
	return errs
}

func (r *Repairer) applyOne(ctx context.Context, c setting.Change) (err error) {
	if s, ok := steps[c.Kind]; ok {
		err = s.apply(ctx, r.clients, c)
	} else {
		err = setting.Apply(ctx, r.clients.Groups, c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", say(c), err)
	}
	return nil
}

// The kinds of changes that restore no setting.
const (
	register         = "register-targets"
	bridge           = "bridge-targets" // registers, and remembers it
	deregister       = "deregister-targets"
	detach           = "detach-traffic-sources"
	enterStandby     = "enter-standby"
	exitStandby      = "exit-standby"
	replaceInstances = "replace-instances"
	protect          = "protect-from-scale-in"
	unprotect        = "end-protection-from-scale-in"
	suspendBlue      = "suspend-processes" // and remembers it
)

// steps are those kinds: in words, of items, Auto Scaling group and target group, and
// how they are applied.
var steps = map[string]struct {
	words string
	apply func(context.Context, Clients, setting.Change) error
}{
	register:         {"register %[1]s of %[2]s in %[3]s", registerTargets},
	bridge:           {"register %[1]s of %[2]s in %[3]s", registerTargets},
	deregister:       {"deregister %[1]s of %[2]s from %[3]s", deregisterTargets},
	detach:           {"detach %[1]s from %[2]s", detachSources},
	enterStandby:     {"put %[1]s of %[2]s on standby", standBy},
	exitStandby:      {"end the standby of %[1]s of %[2]s", endStandby},
	replaceInstances: {"have Auto Scaling replace %[1]s of %[2]s", replaceUnhealthy},
	protect:          {"protect %[1]s of %[2]s from scale-in until the group is attached", protection(true)},
	unprotect:        {"end the protection of %[1]s of %[2]s from scale-in", protection(false)},
	suspendBlue:      {"suspend %[1]s of %[2]s while its release waits to terminate it", suspendProcesses},
}

// say is a change in words, in the imperative.
func say(c setting.Change) string {
	if s, ok := steps[c.Kind]; ok {
		return fmt.Sprintf(s.words, setting.Join(c.Items), setting.Plain(c.Group), fleet.TrafficSource{Type: fleet.ELBV2, ID: c.TargetGroup})
	}
	return c.String()
}

func registerTargets(ctx context.Context, clients Clients, c setting.Change) error {
	_, err := clients.Balancers.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &c.TargetGroup, Targets: targets(c.Items)})
	return err
}

func deregisterTargets(ctx context.Context, clients Clients, c setting.Change) error {
	_, err := clients.Balancers.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &c.TargetGroup, Targets: targets(c.Items)})
	return err
}

// targets are instances without a port: the target group's own counts.
func targets(instances []string) (all []elbtypes.TargetDescription) {
	for _, id := range instances {
		all = append(all, elbtypes.TargetDescription{Id: &id})
	}
	return all
}

func detachSources(ctx context.Context, clients Clients, c setting.Change) error {
	in := &autoscaling.DetachTrafficSourcesInput{AutoScalingGroupName: &c.Group}
	for _, s := range setting.SourcesOf(c) {
		in.TrafficSources = append(in.TrafficSources, autoscalingtypes.TrafficSourceIdentifier{Identifier: &s.ID, Type: &s.Type})
	}
	_, err := clients.Groups.DetachTrafficSources(ctx, in)
	return err
}

func standBy(ctx context.Context, clients Clients, c setting.Change) error {
	_, err := clients.Groups.EnterStandby(ctx, &autoscaling.EnterStandbyInput{
		AutoScalingGroupName: &c.Group, InstanceIds: c.Items, ShouldDecrementDesiredCapacity: aws.Bool(true),
	})
	return err
}

func endStandby(ctx context.Context, clients Clients, c setting.Change) error {
	_, err := clients.Groups.ExitStandby(ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: &c.Group, InstanceIds: c.Items})
	return err
}

func replaceUnhealthy(ctx context.Context, clients Clients, c setting.Change) error {
	for _, id := range c.Items {
		if _, err := clients.Groups.SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
			InstanceId: &id, HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: aws.Bool(false),
		}); err != nil {
			return err
		}
	}
	return nil
}

func suspendProcesses(ctx context.Context, clients Clients, c setting.Change) error {
	_, err := clients.Groups.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &c.Group, ScalingProcesses: c.Items})
	return err
}

func protection(protected bool) func(context.Context, Clients, setting.Change) error {
	return func(ctx context.Context, clients Clients, c setting.Change) error {
		_, err := clients.Groups.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: &c.Group, InstanceIds: c.Items, ProtectedFromScaleIn: &protected,
		})
		return err
	}
}
