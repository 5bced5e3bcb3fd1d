package region

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// A warm pool is simulated for what it does to instances that leave their
// group: with ReuseOnScaleIn they are stopped instead of terminated, and a
// later scale-out starts them again. The pool is not filled in advance, and
// launch hooks do not run for instances that enter it.

// PutWarmPool gives a group a warm pool whose instances are stopped.
func (v AutoScaling) PutWarmPool(ctx context.Context, in *autoscaling.PutWarmPoolInput, _ ...func(*autoscaling.Options)) (*autoscaling.PutWarmPoolOutput, error) {
	return asgCall(ctx, v.r, "PutWarmPool", in, "AutoScalingGroupName InstanceReusePolicy MaxGroupPreparedCapacity", v.r.putWarmPool)
}

// DescribeWarmPool tells of a group's warm pool and the instances in it.
func (v AutoScaling) DescribeWarmPool(ctx context.Context, in *autoscaling.DescribeWarmPoolInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeWarmPoolOutput, error) {
	return asgCall(ctx, v.r, "DescribeWarmPool", in, "AutoScalingGroupName MaxRecords NextToken", v.r.describeWarmPool)
}

func (r *Region) putWarmPool(in *autoscaling.PutWarmPoolInput) (*autoscaling.PutWarmPoolOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	g.config.WarmPoolConfiguration = &asg.WarmPoolConfiguration{
		InstanceReusePolicy: in.InstanceReusePolicy, MaxGroupPreparedCapacity: in.MaxGroupPreparedCapacity,
		MinSize: aws.Int32(0), PoolState: asg.WarmPoolStateStopped,
	}
	return &autoscaling.PutWarmPoolOutput{}, nil
}

func (r *Region) describeWarmPool(in *autoscaling.DescribeWarmPoolInput) (*autoscaling.DescribeWarmPoolOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var found []asg.Instance
	for _, i := range g.warm {
		found = append(found, g.describeInstance(i))
	}
	// "The default value is 50 and the maximum value is 50" (API reference).
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), 50, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeWarmPoolOutput{Instances: found, WarmPoolConfiguration: g.config.WarmPoolConfiguration, NextToken: next}, nil
}

// returns is where a scale-in sends an instance: back to the warm pool, if
// the group has one that takes instances back and has room. Its size is "the
// difference between the maximum capacity and the desired capacity" unless
// MaxGroupPreparedCapacity says otherwise ("Warm pools for Amazon EC2 Auto
// Scaling").
func (g *group) returns() string {
	c := g.config.WarmPoolConfiguration
	if c == nil || c.InstanceReusePolicy == nil || !deref(c.InstanceReusePolicy.ReuseOnScaleIn) || g.deleting {
		return placeEC2
	}
	prepared := deref(or(c.MaxGroupPreparedCapacity, g.config.MaxSize))
	if len(g.warm)+g.desired() >= int(prepared) {
		return placeEC2
	}
	return placeWarmPool
}

// rest puts an instance that has left its group into the warm pool: its
// application stops, and what is in flight to it is cut off as if it died.
func (r *Region) rest(i *instance) {
	g := i.group
	if g.deleting || g.deleted {
		r.shutDown(i)
		return
	}
	i.ec2, i.lifecycle = stopped, asg.LifecycleStateWarmedStopped
	r.cutOffAll(i)
	g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
	g.warm = append(g.warm, i)
	r.endActivity(i.ending, asg.ScalingActivityStatusCodeSuccessful, "")
	r.targetsGone(i)
	r.reconcile(g)
}

// start takes an instance out of the warm pool into the group, nil if the
// pool is empty. Where it is still registered its health checks begin anew
// once it runs.
func (r *Region) start(g *group) *instance {
	if len(g.warm) == 0 {
		return nil
	}
	i := g.warm[0]
	g.warm = g.warm[1:]
	i.ec2, i.lifecycle, i.origin = pending, asg.LifecycleStatePending, placeWarmPool
	g.instances = append(g.instances, i)
	r.after(r.timings.Boot, func() { r.boot(i) })
	return i
}
