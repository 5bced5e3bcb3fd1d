package region

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// AutoScaling has the methods of the SDK's autoscaling.Client.
type AutoScaling struct{ r *Region }

// AutoScaling is the region's Auto Scaling.
func (r *Region) AutoScaling() AutoScaling { return AutoScaling{r} }

const groupFields = "AutoScalingGroupName MinSize MaxSize DesiredCapacity AvailabilityZones DefaultCooldown HealthCheckType HealthCheckGracePeriod LaunchConfigurationName LaunchTemplate NewInstancesProtectedFromScaleIn TerminationPolicies VPCZoneIdentifier CapacityRebalance DefaultInstanceWarmup MixedInstancesPolicy PlacementGroup ServiceLinkedRoleARN Context"

func asgCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, autoscaling.ServiceID, operation, in, simulated, stale(r, autoscaling.ServiceID, operation, serve))
}

// DescribeAutoScalingGroups lists groups by name, by filter, or all.
func (v AutoScaling) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return asgCall(ctx, v.r, "DescribeAutoScalingGroups", in, "AutoScalingGroupNames Filters IncludeInstances MaxRecords NextToken", v.r.describeAutoScalingGroups)
}

// CreateAutoScalingGroup creates a group whose instances bring their
// application in their image.
func (v AutoScaling) CreateAutoScalingGroup(ctx context.Context, in *autoscaling.CreateAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.CreateAutoScalingGroupOutput, error) {
	return asgCall(ctx, v.r, "CreateAutoScalingGroup", in, groupFields+" Tags TargetGroupARNs LoadBalancerNames TrafficSources LifecycleHookSpecificationList", v.r.createAutoScalingGroup)
}

// UpdateAutoScalingGroup changes what is given.
func (v AutoScaling) UpdateAutoScalingGroup(ctx context.Context, in *autoscaling.UpdateAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	return asgCall(ctx, v.r, "UpdateAutoScalingGroup", in, groupFields, v.r.updateAutoScalingGroup)
}

// SetDesiredCapacity scales a group; cooldowns are not simulated.
func (v AutoScaling) SetDesiredCapacity(ctx context.Context, in *autoscaling.SetDesiredCapacityInput, _ ...func(*autoscaling.Options)) (*autoscaling.SetDesiredCapacityOutput, error) {
	return asgCall(ctx, v.r, "SetDesiredCapacity", in, "AutoScalingGroupName DesiredCapacity", v.r.setDesiredCapacity)
}

// DeleteAutoScalingGroup deletes an empty group, or any with ForceDelete.
func (v AutoScaling) DeleteAutoScalingGroup(ctx context.Context, in *autoscaling.DeleteAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	return asgCall(ctx, v.r, "DeleteAutoScalingGroup", in, "AutoScalingGroupName ForceDelete", v.r.deleteAutoScalingGroup)
}

// TerminateInstanceInAutoScalingGroup terminates one instance as a scale-in
// would.
func (v AutoScaling) TerminateInstanceInAutoScalingGroup(ctx context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	return asgCall(ctx, v.r, "TerminateInstanceInAutoScalingGroup", in, "InstanceId ShouldDecrementDesiredCapacity", v.r.terminateInstance)
}

// CreateOrUpdateTags tags groups.
func (v AutoScaling) CreateOrUpdateTags(ctx context.Context, in *autoscaling.CreateOrUpdateTagsInput, _ ...func(*autoscaling.Options)) (*autoscaling.CreateOrUpdateTagsOutput, error) {
	return asgCall(ctx, v.r, "CreateOrUpdateTags", in, "Tags", v.r.createOrUpdateTags)
}

// SuspendProcesses suspends some processes of a group, or all.
func (v AutoScaling) SuspendProcesses(ctx context.Context, in *autoscaling.SuspendProcessesInput, _ ...func(*autoscaling.Options)) (*autoscaling.SuspendProcessesOutput, error) {
	return asgCall(ctx, v.r, "SuspendProcesses", in, "AutoScalingGroupName ScalingProcesses", v.r.suspendProcesses)
}

// ResumeProcesses resumes some processes of a group, or all.
func (v AutoScaling) ResumeProcesses(ctx context.Context, in *autoscaling.ResumeProcessesInput, _ ...func(*autoscaling.Options)) (*autoscaling.ResumeProcessesOutput, error) {
	return asgCall(ctx, v.r, "ResumeProcesses", in, "AutoScalingGroupName ScalingProcesses", v.r.resumeProcesses)
}

// AttachTrafficSources attaches up to ten traffic sources to a group.
func (v AutoScaling) AttachTrafficSources(ctx context.Context, in *autoscaling.AttachTrafficSourcesInput, _ ...func(*autoscaling.Options)) (*autoscaling.AttachTrafficSourcesOutput, error) {
	return asgCall(ctx, v.r, "AttachTrafficSources", in, "AutoScalingGroupName TrafficSources", v.r.attachTrafficSources)
}

// DetachTrafficSources detaches traffic sources from a group.
func (v AutoScaling) DetachTrafficSources(ctx context.Context, in *autoscaling.DetachTrafficSourcesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DetachTrafficSourcesOutput, error) {
	return asgCall(ctx, v.r, "DetachTrafficSources", in, "AutoScalingGroupName TrafficSources", v.r.detachTrafficSources)
}

// DescribeTrafficSources lists a group's traffic sources and their states.
func (v AutoScaling) DescribeTrafficSources(ctx context.Context, in *autoscaling.DescribeTrafficSourcesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeTrafficSourcesOutput, error) {
	return asgCall(ctx, v.r, "DescribeTrafficSources", in, "AutoScalingGroupName TrafficSourceType MaxRecords NextToken", v.r.describeTrafficSources)
}

// AttachLoadBalancerTargetGroups is the older way to attach target groups.
func (v AutoScaling) AttachLoadBalancerTargetGroups(ctx context.Context, in *autoscaling.AttachLoadBalancerTargetGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.AttachLoadBalancerTargetGroupsOutput, error) {
	return asgCall(ctx, v.r, "AttachLoadBalancerTargetGroups", in, "AutoScalingGroupName TargetGroupARNs", v.r.attachLoadBalancerTargetGroups)
}

// DescribeLifecycleHooks lists a group's lifecycle hooks.
func (v AutoScaling) DescribeLifecycleHooks(ctx context.Context, in *autoscaling.DescribeLifecycleHooksInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return asgCall(ctx, v.r, "DescribeLifecycleHooks", in, "AutoScalingGroupName LifecycleHookNames", v.r.describeLifecycleHooks)
}

// PutLifecycleHook creates or changes a lifecycle hook.
func (v AutoScaling) PutLifecycleHook(ctx context.Context, in *autoscaling.PutLifecycleHookInput, _ ...func(*autoscaling.Options)) (*autoscaling.PutLifecycleHookOutput, error) {
	return asgCall(ctx, v.r, "PutLifecycleHook", in, "AutoScalingGroupName LifecycleHookName LifecycleTransition DefaultResult HeartbeatTimeout NotificationMetadata NotificationTargetARN RoleARN", v.r.putLifecycleHook)
}

// DeleteLifecycleHook deletes a lifecycle hook.
func (v AutoScaling) DeleteLifecycleHook(ctx context.Context, in *autoscaling.DeleteLifecycleHookInput, _ ...func(*autoscaling.Options)) (*autoscaling.DeleteLifecycleHookOutput, error) {
	return asgCall(ctx, v.r, "DeleteLifecycleHook", in, "AutoScalingGroupName LifecycleHookName", v.r.deleteLifecycleHook)
}

// DescribeLoadBalancerTargetGroups is the older way to list a group's target
// groups and their states.
func (v AutoScaling) DescribeLoadBalancerTargetGroups(ctx context.Context, in *autoscaling.DescribeLoadBalancerTargetGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeLoadBalancerTargetGroupsOutput, error) {
	return asgCall(ctx, v.r, "DescribeLoadBalancerTargetGroups", in, "AutoScalingGroupName MaxRecords NextToken", v.r.describeLoadBalancerTargetGroups)
}

// DetachLoadBalancerTargetGroups is the older way to detach target groups.
func (v AutoScaling) DetachLoadBalancerTargetGroups(ctx context.Context, in *autoscaling.DetachLoadBalancerTargetGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DetachLoadBalancerTargetGroupsOutput, error) {
	return asgCall(ctx, v.r, "DetachLoadBalancerTargetGroups", in, "AutoScalingGroupName TargetGroupARNs", v.r.detachLoadBalancerTargetGroups)
}

// EnableMetricsCollection enables some of a group's metrics, or all.
func (v AutoScaling) EnableMetricsCollection(ctx context.Context, in *autoscaling.EnableMetricsCollectionInput, _ ...func(*autoscaling.Options)) (*autoscaling.EnableMetricsCollectionOutput, error) {
	return asgCall(ctx, v.r, "EnableMetricsCollection", in, "AutoScalingGroupName Granularity Metrics", v.r.enableMetricsCollection)
}

// DisableMetricsCollection disables some of a group's metrics, or all.
func (v AutoScaling) DisableMetricsCollection(ctx context.Context, in *autoscaling.DisableMetricsCollectionInput, _ ...func(*autoscaling.Options)) (*autoscaling.DisableMetricsCollectionOutput, error) {
	return asgCall(ctx, v.r, "DisableMetricsCollection", in, "AutoScalingGroupName Metrics", v.r.disableMetricsCollection)
}

// DescribeScalingActivities lists launches and terminations, the latest first.
func (v AutoScaling) DescribeScalingActivities(ctx context.Context, in *autoscaling.DescribeScalingActivitiesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	return asgCall(ctx, v.r, "DescribeScalingActivities", in, "ActivityIds AutoScalingGroupName IncludeDeletedGroups MaxRecords NextToken", v.r.describeScalingActivities)
}

// AttachLoadBalancers is the older way to attach Classic Load Balancers.
func (v AutoScaling) AttachLoadBalancers(ctx context.Context, in *autoscaling.AttachLoadBalancersInput, _ ...func(*autoscaling.Options)) (*autoscaling.AttachLoadBalancersOutput, error) {
	return asgCall(ctx, v.r, "AttachLoadBalancers", in, "AutoScalingGroupName LoadBalancerNames", v.r.attachLoadBalancers)
}

// DetachLoadBalancers is the older way to detach Classic Load Balancers.
func (v AutoScaling) DetachLoadBalancers(ctx context.Context, in *autoscaling.DetachLoadBalancersInput, _ ...func(*autoscaling.Options)) (*autoscaling.DetachLoadBalancersOutput, error) {
	return asgCall(ctx, v.r, "DetachLoadBalancers", in, "AutoScalingGroupName LoadBalancerNames", v.r.detachLoadBalancers)
}

// DescribeLoadBalancers is the older way to list a group's Classic Load
// Balancers and their states.
func (v AutoScaling) DescribeLoadBalancers(ctx context.Context, in *autoscaling.DescribeLoadBalancersInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeLoadBalancersOutput, error) {
	return asgCall(ctx, v.r, "DescribeLoadBalancers", in, "AutoScalingGroupName MaxRecords NextToken", v.r.describeLoadBalancers)
}
