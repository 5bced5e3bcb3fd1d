package region

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// namedPerCall is how many instances SetInstanceProtection may name, and
// detachedPerCall how many DetachInstances may (API reference).
const (
	namedPerCall    = 50
	detachedPerCall = 20
)

// EnterStandby takes instances out of service for a while.
func (v AutoScaling) EnterStandby(ctx context.Context, in *autoscaling.EnterStandbyInput, _ ...func(*autoscaling.Options)) (*autoscaling.EnterStandbyOutput, error) {
	return asgCall(ctx, v.r, "EnterStandby", in, "AutoScalingGroupName InstanceIds ShouldDecrementDesiredCapacity", v.r.enterStandby)
}

// ExitStandby puts instances in standby back into service.
func (v AutoScaling) ExitStandby(ctx context.Context, in *autoscaling.ExitStandbyInput, _ ...func(*autoscaling.Options)) (*autoscaling.ExitStandbyOutput, error) {
	return asgCall(ctx, v.r, "ExitStandby", in, "AutoScalingGroupName InstanceIds", v.r.exitStandby)
}

// DetachInstances lets running instances leave their group.
func (v AutoScaling) DetachInstances(ctx context.Context, in *autoscaling.DetachInstancesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DetachInstancesOutput, error) {
	return asgCall(ctx, v.r, "DetachInstances", in, "AutoScalingGroupName InstanceIds ShouldDecrementDesiredCapacity", v.r.detachInstances)
}

// SetInstanceHealth sets an instance's health for Auto Scaling.
func (v AutoScaling) SetInstanceHealth(ctx context.Context, in *autoscaling.SetInstanceHealthInput, _ ...func(*autoscaling.Options)) (*autoscaling.SetInstanceHealthOutput, error) {
	return asgCall(ctx, v.r, "SetInstanceHealth", in, "InstanceId HealthStatus ShouldRespectGracePeriod", v.r.setInstanceHealth)
}

// SetInstanceProtection protects instances from scale-in, or no longer.
func (v AutoScaling) SetInstanceProtection(ctx context.Context, in *autoscaling.SetInstanceProtectionInput, _ ...func(*autoscaling.Options)) (*autoscaling.SetInstanceProtectionOutput, error) {
	return asgCall(ctx, v.r, "SetInstanceProtection", in, "AutoScalingGroupName InstanceIds ProtectedFromScaleIn", v.r.setInstanceProtection)
}

// membersNamed finds a group and those of its instances that a call names.
func (r *Region) membersNamed(name *string, ids []string) (*group, []*instance, error) {
	g, err := r.group(name)
	if err != nil {
		return nil, nil, err
	}
	var members []*instance
	for _, id := range ids {
		i := r.instances[id]
		if i == nil || !slices.Contains(g.instances, i) {
			return nil, nil, invalid("The instance %s is not part of Auto Scaling group %s.", id, g.name)
		}
		members = append(members, i)
	}
	return g, members, nil
}

// shrink lowers the desired capacity for instances that leave without being
// replaced, which must not fall below the minimum (API reference,
// EnterStandby and DetachInstances).
func (g *group) shrink(n int) error {
	if g.desired()-n < int(deref(g.config.MinSize)) {
		return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To take %d instances out of service, set min-size to less than or equal to %d.",
			g.name, deref(g.config.MinSize), deref(g.config.MaxSize), g.desired(), n, g.desired()-n)
	}
	g.config.DesiredCapacity = aws.Int32(int32(g.desired() - n))
	return nil
}

// enterStandby takes instances out of service: they are deregistered from the
// attached load balancers, stay in the group and running, do not count, and
// are replaced unless the desired capacity is decremented ("Temporarily remove
// instances from your Auto Scaling group").
func (r *Region) enterStandby(in *autoscaling.EnterStandbyInput) (*autoscaling.EnterStandbyOutput, error) {
	g, members, err := r.leaveService(in.AutoScalingGroupName, in.InstanceIds, in.ShouldDecrementDesiredCapacity)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.EnterStandbyOutput{}
	for _, i := range members {
		i.lifecycle = asg.LifecycleStateEnteringStandby
		a := r.beginActivity(g, i, "Moving EC2 instance to Standby: ", "instance "+i.id+" was moved to standby in response to a user request")
		out.Activities = append(out.Activities, a.describe())
		r.whenDrained(r.leaveSources(i), func() {
			if i.lifecycle == asg.LifecycleStateEnteringStandby {
				i.lifecycle = asg.LifecycleStateStandby
				r.endActivity(a, asg.ScalingActivityStatusCodeSuccessful, "")
			}
		})
	}
	r.after(0, func() { r.reconcile(g) })
	return out, nil
}

// leaveService checks a call that takes instances out of service and lowers
// the desired capacity if that is wanted.
func (r *Region) leaveService(name *string, ids []string, decrement *bool) (*group, []*instance, error) {
	if decrement == nil {
		return nil, nil, invalid("ShouldDecrementDesiredCapacity is required")
	}
	g, members, err := r.membersNamed(name, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range members {
		if i.lifecycle != asg.LifecycleStateInService {
			return nil, nil, invalid("The instance %s is not in InService.", i.id)
		}
	}
	if *decrement {
		err = g.shrink(len(members))
	}
	return g, members, err
}

// exitStandby puts instances back into service and raises the desired
// capacity by them. That no launch hook runs again is assumed.
func (r *Region) exitStandby(in *autoscaling.ExitStandbyInput) (*autoscaling.ExitStandbyOutput, error) {
	g, members, err := r.membersNamed(in.AutoScalingGroupName, in.InstanceIds)
	if err != nil {
		return nil, err
	}
	for _, i := range members {
		if i.lifecycle != asg.LifecycleStateStandby {
			return nil, invalid("The instance %s is not in Standby.", i.id)
		}
	}
	if n := g.desired() + len(members); n > int(deref(g.config.MaxSize)) {
		return nil, invalid("AutoScalingGroup %s has max-size=%d. Cannot return %d instances to service: the desired capacity would be %d.", g.name, deref(g.config.MaxSize), len(members), n)
	}
	g.config.DesiredCapacity = aws.Int32(int32(g.desired() + len(members)))
	out := &autoscaling.ExitStandbyOutput{}
	for _, i := range members {
		i.lifecycle = asg.LifecycleStatePending
		i.launching = r.beginActivity(g, i, "Moving EC2 instance out of Standby: ", "instance "+i.id+" was moved out of standby in response to a user request")
		out.Activities = append(out.Activities, i.launching.describe())
		r.after(r.timings.Poll, func() { r.putInService(i) })
	}
	return out, nil
}

// detachInstances lets instances leave the group and run on; those of attached
// load balancers are deregistered ("Detach or attach instances"). No hook runs.
func (r *Region) detachInstances(in *autoscaling.DetachInstancesInput) (*autoscaling.DetachInstancesOutput, error) {
	if n := len(in.InstanceIds); n == 0 || n > detachedPerCall {
		return nil, invalid("between 1 and %d instances may be detached, not %d", detachedPerCall, n)
	}
	g, members, err := r.leaveService(in.AutoScalingGroupName, in.InstanceIds, in.ShouldDecrementDesiredCapacity)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DetachInstancesOutput{}
	for _, i := range members {
		i.lifecycle = asg.LifecycleStateDetaching
		a := r.beginActivity(g, i, "Detaching EC2 instance: ", "instance "+i.id+" was detached in response to a user request")
		out.Activities = append(out.Activities, a.describe())
		r.whenDrained(r.leaveSources(i), func() {
			i.lifecycle = asg.LifecycleStateDetached
			g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
			r.endActivity(a, asg.ScalingActivityStatusCodeSuccessful, "")
			r.reconcile(g)
		})
	}
	r.after(0, func() { r.reconcile(g) })
	return out, nil
}

// setInstanceHealth is a health check of the caller's own. "If the Auto
// Scaling group of the specified instance has a HealthCheckGracePeriod
// specified for the group, by default, this call respects the grace period"
// (API reference).
func (r *Region) setInstanceHealth(in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	i := r.instances[aws.ToString(in.InstanceId)]
	if i == nil || !slices.Contains(i.group.instances, i) {
		return nil, invalid("No managed instance found for instance ID %s", aws.ToString(in.InstanceId))
	}
	switch strings.ToUpper(aws.ToString(in.HealthStatus)) {
	case "HEALTHY":
		i.unhealthy = false
	case "UNHEALTHY":
		grace := in.ShouldRespectGracePeriod == nil || *in.ShouldRespectGracePeriod
		if grace && r.clock.now.Before(i.inService.Add(i.group.grace())) {
			break
		}
		i.unhealthy = true
		r.suspect(i)
	default:
		return nil, invalid("Invalid health status %q: it must be Healthy or Unhealthy", aws.ToString(in.HealthStatus))
	}
	return &autoscaling.SetInstanceHealthOutput{}, nil
}

// setInstanceProtection protects instances from scale-in, or no longer. One
// that is unhealthy, or that somebody names to be terminated, is not protected
// ("Use instance scale-in protection").
func (r *Region) setInstanceProtection(in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	if n := len(in.InstanceIds); n == 0 || n > namedPerCall || in.ProtectedFromScaleIn == nil {
		return nil, invalid("ProtectedFromScaleIn and between 1 and %d instances must be given, not %d", namedPerCall, n)
	}
	g, members, err := r.membersNamed(in.AutoScalingGroupName, in.InstanceIds)
	if err != nil {
		return nil, err
	}
	for _, i := range members {
		i.protected = *in.ProtectedFromScaleIn
	}
	r.after(0, func() { r.reconcile(g) })
	return &autoscaling.SetInstanceProtectionOutput{}, nil
}
