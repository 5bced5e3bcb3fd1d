package bench

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

// retried calls again what is throttled, as the SDK's standard retryer does up to
// three tries in all, but without its back-off: virtual time stands still during an
// invocation. So it uses up the rates faster than the SDK would.
func retried[I, O, F any](ctx context.Context, retries int, call func(context.Context, *I, ...F) (*O, error), in *I) (out *O, err error) {
	for range retries + 1 {
		if out, err = call(ctx, in); !throttled(err) {
			break
		}
	}
	return out, err
}

// retryingGroups is Auto Scaling by way of an SDK that retries.
type retryingGroups struct {
	region.AutoScaling
	retries int
}

func (r retryingGroups) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.DescribeAutoScalingGroups, in)
}

func (r retryingGroups) DescribeAutoScalingInstances(ctx context.Context, in *autoscaling.DescribeAutoScalingInstancesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.DescribeAutoScalingInstances, in)
}

func (r retryingGroups) DescribeLifecycleHooks(ctx context.Context, in *autoscaling.DescribeLifecycleHooksInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.DescribeLifecycleHooks, in)
}

func (r retryingGroups) DescribeWarmPool(ctx context.Context, in *autoscaling.DescribeWarmPoolInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeWarmPoolOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.DescribeWarmPool, in)
}

func (r retryingGroups) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput, _ ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.CompleteLifecycleAction, in)
}

func (r retryingGroups) RecordLifecycleActionHeartbeat(ctx context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput, _ ...func(*autoscaling.Options)) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return retried(ctx, r.retries, r.AutoScaling.RecordLifecycleActionHeartbeat, in)
}

// retryingBalancers is the same for Elastic Load Balancing.
type retryingBalancers struct {
	region.ELBV2
	retries int
}

func (r retryingBalancers) DescribeTargetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput, _ ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error) {
	return retried(ctx, r.retries, r.ELBV2.DescribeTargetGroups, in)
}

func (r retryingBalancers) DescribeTargetGroupAttributes(ctx context.Context, in *elb.DescribeTargetGroupAttributesInput, _ ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error) {
	return retried(ctx, r.retries, r.ELBV2.DescribeTargetGroupAttributes, in)
}

func (r retryingBalancers) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return retried(ctx, r.retries, r.ELBV2.DescribeTargetHealth, in)
}

func (r retryingBalancers) DeregisterTargets(ctx context.Context, in *elb.DeregisterTargetsInput, _ ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	return retried(ctx, r.retries, r.ELBV2.DeregisterTargets, in)
}
