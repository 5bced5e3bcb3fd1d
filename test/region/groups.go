package region

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const groupResource = "auto-scaling-group"

func (r *Region) describeAutoScalingGroups(in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if n := deref(in.MaxRecords); n > 100 {
		return nil, invalid("maxRecords must not be greater than 100, was %d", n)
	}
	// "By default, you can only specify up to 50 names. You can optionally
	// increase this limit using the MaxRecords property" (API reference).
	if n, limit := len(in.AutoScalingGroupNames), max(50, int(deref(in.MaxRecords))); n > limit {
		return nil, invalid("The number of group names that may be passed in is limited to %d, was %d", limit, n)
	}
	var found []asg.AutoScalingGroup
	for _, g := range sorted(r.groups) {
		if len(in.AutoScalingGroupNames) > 0 && !slices.Contains(in.AutoScalingGroupNames, g.name) {
			continue
		}
		match, err := g.matches(in.Filters)
		if err != nil {
			return nil, err
		}
		if !match {
			continue
		}
		d := g.describe()
		if in.IncludeInstances != nil && !*in.IncludeInstances {
			d.Instances = nil
		}
		found = append(found, d)
	}
	// "The default value is 50 and the maximum value is 100" (API reference).
	limit := 50
	if deref(in.MaxRecords) > 0 {
		limit = 100
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), limit, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: found, NextToken: next}, nil
}

func (r *Region) createAutoScalingGroup(in *autoscaling.CreateAutoScalingGroupInput) (*autoscaling.CreateAutoScalingGroupOutput, error) {
	name := aws.ToString(in.AutoScalingGroupName)
	if name == "" || in.MinSize == nil || in.MaxSize == nil {
		return nil, invalid("AutoScalingGroupName, MinSize and MaxSize are required")
	}
	if r.groups[name] != nil {
		return nil, &asg.AlreadyExistsFault{Message: aws.String("AutoScalingGroup by this name already exists - A group with the name " + name + " already exists")}
	}
	if err := capacity(in.MinSize, in.MaxSize, in.DesiredCapacity); err != nil {
		return nil, err
	}
	if err := settable(in.HealthCheckType, in.TerminationPolicies); err != nil {
		return nil, err
	}
	sources := slices.Clone(in.TrafficSources)
	for _, arn := range in.TargetGroupARNs {
		sources = append(sources, asg.TrafficSourceIdentifier{Identifier: aws.String(arn), Type: aws.String(sourceELBV2)})
	}
	for _, b := range in.LoadBalancerNames {
		sources = append(sources, asg.TrafficSourceIdentifier{Identifier: aws.String(b), Type: aws.String(sourceELB)})
	}
	g := r.newGroup(asg.AutoScalingGroup{
		AutoScalingGroupName: in.AutoScalingGroupName,
		MinSize:              in.MinSize, MaxSize: in.MaxSize, DesiredCapacity: in.DesiredCapacity,
		AvailabilityZones: in.AvailabilityZones, VPCZoneIdentifier: in.VPCZoneIdentifier,
		DefaultCooldown: in.DefaultCooldown, DefaultInstanceWarmup: in.DefaultInstanceWarmup,
		HealthCheckType: in.HealthCheckType, HealthCheckGracePeriod: in.HealthCheckGracePeriod,
		LaunchConfigurationName: in.LaunchConfigurationName, LaunchTemplate: in.LaunchTemplate,
		MixedInstancesPolicy:             in.MixedInstancesPolicy,
		CapacityRebalance:                in.CapacityRebalance,
		NewInstancesProtectedFromScaleIn: in.NewInstancesProtectedFromScaleIn,
		TerminationPolicies:              in.TerminationPolicies, PlacementGroup: in.PlacementGroup,
		ServiceLinkedRoleARN: in.ServiceLinkedRoleARN, Context: in.Context,
	})
	if err := r.furnish(g, sources, in); err != nil {
		delete(r.groups, g.name)
		return nil, err
	}
	r.after(0, func() { r.reconcile(g) })
	return &autoscaling.CreateAutoScalingGroupOutput{}, nil
}

// furnish gives a new group its traffic sources, tags and lifecycle hooks.
func (r *Region) furnish(g *group, sources []asg.TrafficSourceIdentifier, in *autoscaling.CreateAutoScalingGroupInput) error {
	for chunk := range slices.Chunk(sources, sourcesPerCall) {
		_, wanted, err := r.sourcesOf(&g.name, chunk)
		if err != nil {
			return err
		}
		if err := r.attach(g, wanted); err != nil {
			return err
		}
	}
	for _, t := range in.Tags {
		g.tags[aws.ToString(t.Key)] = t
	}
	for _, h := range in.LifecycleHookSpecificationList {
		err := r.putHook(g, asg.LifecycleHook{
			LifecycleHookName: h.LifecycleHookName, LifecycleTransition: h.LifecycleTransition,
			DefaultResult: h.DefaultResult, HeartbeatTimeout: h.HeartbeatTimeout, NotificationMetadata: h.NotificationMetadata,
			NotificationTargetARN: h.NotificationTargetARN, RoleARN: h.RoleARN,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settable refuses settings that would change what a group does in a way that
// is not simulated.
func settable(healthCheckType *string, policies []string) error {
	for kind := range strings.SplitSeq(aws.ToString(or(healthCheckType, aws.String(defaultHealthCheck))), ",") {
		if !slices.Contains([]string{"EC2", "ELB", "VPC_LATTICE", "EBS"}, kind) {
			return invalid("%s is not a valid health check type", kind)
		}
	}
	for _, p := range policies {
		if p != "Default" {
			return failure("NotImplemented", "the simulated region does not know the termination policy %s", p)
		}
	}
	return nil
}

func capacity(low, high, desired *int32) error {
	switch {
	case deref(low) < 0 || deref(high) < 0:
		return invalid("Min and max size must not be negative")
	case deref(low) > deref(high):
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", deref(high), deref(low))
	case desired != nil && (*desired < deref(low) || *desired > deref(high)):
		return invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", *desired, deref(low), deref(high))
	}
	return nil
}

func (r *Region) updateAutoScalingGroup(in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if g.deleting {
		return nil, &asg.ScalingActivityInProgressFault{Message: aws.String("AutoScalingGroup " + g.name + " is being deleted")}
	}
	c := &g.config
	low, high := or(in.MinSize, c.MinSize), or(in.MaxSize, c.MaxSize)
	desired := in.DesiredCapacity
	if err := capacity(low, high, desired); err != nil {
		return nil, err
	}
	if err := settable(in.HealthCheckType, in.TerminationPolicies); err != nil {
		return nil, err
	}
	if desired == nil {
		// "If you specify a new value for MinSize without DesiredCapacity and
		// it is larger than the current size, this sets the group's
		// DesiredCapacity to the new MinSize", and so for MaxSize.
		desired = aws.Int32(min(max(deref(c.DesiredCapacity), *low), *high))
	}
	c.MinSize, c.MaxSize, c.DesiredCapacity = low, high, desired
	c.VPCZoneIdentifier = or(in.VPCZoneIdentifier, c.VPCZoneIdentifier)
	c.DefaultCooldown = or(in.DefaultCooldown, c.DefaultCooldown)
	c.DefaultInstanceWarmup = or(in.DefaultInstanceWarmup, c.DefaultInstanceWarmup)
	c.HealthCheckType = or(in.HealthCheckType, c.HealthCheckType)
	c.HealthCheckGracePeriod = or(in.HealthCheckGracePeriod, c.HealthCheckGracePeriod)
	c.LaunchConfigurationName = or(in.LaunchConfigurationName, c.LaunchConfigurationName)
	c.LaunchTemplate = or(in.LaunchTemplate, c.LaunchTemplate)
	c.MixedInstancesPolicy = or(in.MixedInstancesPolicy, c.MixedInstancesPolicy)
	c.CapacityRebalance = or(in.CapacityRebalance, c.CapacityRebalance)
	c.NewInstancesProtectedFromScaleIn = or(in.NewInstancesProtectedFromScaleIn, c.NewInstancesProtectedFromScaleIn)
	c.PlacementGroup = or(in.PlacementGroup, c.PlacementGroup)
	c.ServiceLinkedRoleARN = or(in.ServiceLinkedRoleARN, c.ServiceLinkedRoleARN)
	c.Context = or(in.Context, c.Context)
	if len(in.AvailabilityZones) > 0 {
		c.AvailabilityZones = slices.Clone(in.AvailabilityZones)
	}
	if len(in.TerminationPolicies) > 0 {
		c.TerminationPolicies = slices.Clone(in.TerminationPolicies)
	}
	r.after(0, func() { r.reconcile(g) })
	if in.HealthCheckType != nil {
		r.suspectAll(g)
		for _, s := range g.sources {
			r.settleSource(s)
		}
	}
	return &autoscaling.UpdateAutoScalingGroupOutput{}, nil
}

func or[T any](value, otherwise *T) *T {
	if value != nil {
		return value
	}
	return otherwise
}

func (r *Region) setDesiredCapacity(in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	switch n := deref(in.DesiredCapacity); {
	case in.DesiredCapacity == nil:
		return nil, invalid("DesiredCapacity is required")
	case n > deref(g.config.MaxSize):
		return nil, invalid("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, deref(g.config.MaxSize))
	case n < deref(g.config.MinSize):
		return nil, invalid("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, deref(g.config.MinSize))
	}
	g.config.DesiredCapacity = aws.Int32(*in.DesiredCapacity)
	r.after(0, func() { r.reconcile(g) })
	return &autoscaling.SetDesiredCapacityOutput{}, nil
}

func (r *Region) deleteAutoScalingGroup(in *autoscaling.DeleteAutoScalingGroupInput) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if len(g.instances) > 0 && !deref(in.ForceDelete) {
		return nil, &asg.ResourceInUseFault{Message: aws.String("You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")}
	}
	r.deleteGroup(g)
	return &autoscaling.DeleteAutoScalingGroupOutput{}, nil
}

func (r *Region) terminateInstance(in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	i := r.instances[aws.ToString(in.InstanceId)]
	if i == nil || i.ec2 == terminated || i.lifecycle == asg.LifecycleStateDetached {
		return nil, invalid("Instance Id not found - No managed instance found for instance ID: %s", aws.ToString(in.InstanceId))
	}
	g := i.group
	if deref(in.ShouldDecrementDesiredCapacity) {
		if deref(g.config.DesiredCapacity) <= deref(g.config.MinSize) {
			return nil, invalid("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint.", deref(g.config.MinSize))
		}
		g.config.DesiredCapacity = aws.Int32(*g.config.DesiredCapacity - 1)
	}
	r.scaleIn(i) // at once, so that a second call does not have another one scaled in
	r.after(0, func() { r.reconcile(g) })
	return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: &asg.Activity{
		ActivityId:           aws.String(r.ids.uuid("activity")),
		AutoScalingGroupName: aws.String(g.name),
		Cause:                aws.String("instance " + i.id + " was taken out of service in response to a user request"),
		Description:          aws.String("Terminating EC2 instance: " + i.id),
		StartTime:            aws.Time(r.clock.now),
		StatusCode:           asg.ScalingActivityStatusCodeInProgress,
		Progress:             aws.Int32(0),
	}}, nil
}
