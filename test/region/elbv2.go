package region

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// ELBV2 has the methods of the SDK's elasticloadbalancingv2.Client.
type ELBV2 struct{ r *Region }

// ELBV2 is the region's Elastic Load Balancing.
func (r *Region) ELBV2() ELBV2 { return ELBV2{r} }

func elbCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, elasticloadbalancingv2.ServiceID, operation, in, simulated, stale(r, elasticloadbalancingv2.ServiceID, operation, serve))
}

// CreateTargetGroup creates a target group that no load balancer uses yet.
func (v ELBV2) CreateTargetGroup(ctx context.Context, in *elasticloadbalancingv2.CreateTargetGroupInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.CreateTargetGroupOutput, error) {
	return elbCall(ctx, v.r, "CreateTargetGroup", in, "Name Port Protocol ProtocolVersion TargetType VpcId HealthCheckIntervalSeconds HealthCheckPath HealthCheckPort HealthCheckProtocol HealthCheckTimeoutSeconds HealthyThresholdCount UnhealthyThresholdCount IpAddressType Matcher", v.r.createTargetGroup)
}

// DeleteTargetGroup deletes a target group that no load balancer uses.
func (v ELBV2) DeleteTargetGroup(ctx context.Context, in *elasticloadbalancingv2.DeleteTargetGroupInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DeleteTargetGroupOutput, error) {
	return elbCall(ctx, v.r, "DeleteTargetGroup", in, "TargetGroupArn", v.r.deleteTargetGroup)
}

// DescribeTargetGroups lists target groups by ARN, by name, by load balancer,
// or all.
func (v ELBV2) DescribeTargetGroups(ctx context.Context, in *elasticloadbalancingv2.DescribeTargetGroupsInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTargetGroupsOutput, error) {
	return elbCall(ctx, v.r, "DescribeTargetGroups", in, "LoadBalancerArn TargetGroupArns Names Marker PageSize", v.r.describeTargetGroups)
}

// DescribeTargetGroupAttributes lists a target group's attributes.
func (v ELBV2) DescribeTargetGroupAttributes(ctx context.Context, in *elasticloadbalancingv2.DescribeTargetGroupAttributesInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTargetGroupAttributesOutput, error) {
	return elbCall(ctx, v.r, "DescribeTargetGroupAttributes", in, "TargetGroupArn", v.r.describeTargetGroupAttributes)
}

// ModifyTargetGroupAttributes sets the deregistration delay.
func (v ELBV2) ModifyTargetGroupAttributes(ctx context.Context, in *elasticloadbalancingv2.ModifyTargetGroupAttributesInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyTargetGroupAttributesOutput, error) {
	return elbCall(ctx, v.r, "ModifyTargetGroupAttributes", in, "TargetGroupArn Attributes", v.r.modifyTargetGroupAttributes)
}

// DescribeTargetHealth reads the health of all targets, or of those named.
func (v ELBV2) DescribeTargetHealth(ctx context.Context, in *elasticloadbalancingv2.DescribeTargetHealthInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTargetHealthOutput, error) {
	return elbCall(ctx, v.r, "DescribeTargetHealth", in, "TargetGroupArn Targets", v.r.describeTargetHealth)
}

// RegisterTargets registers running instances, without a port on the target
// group's own.
func (v ELBV2) RegisterTargets(ctx context.Context, in *elasticloadbalancingv2.RegisterTargetsInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.RegisterTargetsOutput, error) {
	return elbCall(ctx, v.r, "RegisterTargets", in, "TargetGroupArn Targets", v.r.registerTargets)
}

// DeregisterTargets begins to drain targets.
func (v ELBV2) DeregisterTargets(ctx context.Context, in *elasticloadbalancingv2.DeregisterTargetsInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DeregisterTargetsOutput, error) {
	return elbCall(ctx, v.r, "DeregisterTargets", in, "TargetGroupArn Targets", v.r.deregisterTargets)
}
