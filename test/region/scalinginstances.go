package region

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// instancesPerCall is how many instances DescribeAutoScalingInstances may be
// asked for, and how long its pages are (API reference).
const instancesPerCall = 50

// DescribeAutoScalingInstances describes instances as their groups see them.
func (v AutoScaling) DescribeAutoScalingInstances(ctx context.Context, in *autoscaling.DescribeAutoScalingInstancesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return asgCall(ctx, v.r, "DescribeAutoScalingInstances", in, "InstanceIds MaxRecords NextToken", v.r.describeAutoScalingInstances)
}

// describeAutoScalingInstances leaves out instances that are in no group: "If
// you specify an ID that does not exist, it is ignored with no error" (API
// reference).
func (r *Region) describeAutoScalingInstances(in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	if n := len(in.InstanceIds); n > instancesPerCall {
		return nil, invalid("The number of instance ids that may be passed in is limited to %d, was %d", instancesPerCall, n)
	}
	if n := deref(in.MaxRecords); n > instancesPerCall {
		return nil, invalid("maxRecords must not be greater than %d, was %d", instancesPerCall, n)
	}
	asked := map[string]*instance{}
	for _, id := range in.InstanceIds {
		asked[id] = r.instances[id]
	}
	if len(in.InstanceIds) == 0 {
		asked = r.instances
	}
	var found []asg.AutoScalingInstanceDetails
	for _, i := range sorted(asked) {
		if i == nil || i.lifecycle == asg.LifecycleStateTerminated || i.lifecycle == asg.LifecycleStateWarmedTerminated || i.lifecycle == asg.LifecycleStateDetached || i.pooled() && !r.options.PoolDescribed {
			continue
		}
		found = append(found, asg.AutoScalingInstanceDetails{
			AutoScalingGroupName:    aws.String(i.group.name),
			AvailabilityZone:        aws.String(i.zone),
			HealthStatus:            aws.String(strings.ToUpper(healthStatus(i))),
			InstanceId:              aws.String(i.id),
			InstanceType:            aws.String("t3.small"),
			LifecycleState:          aws.String(string(i.lifecycle)),
			ProtectedFromScaleIn:    aws.Bool(i.protected),
			LaunchConfigurationName: i.group.config.LaunchConfigurationName,
			LaunchTemplate:          i.group.config.LaunchTemplate,
		})
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), instancesPerCall, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: found, NextToken: next}, nil
}
