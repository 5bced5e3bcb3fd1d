package region

import (
	"cmp"
	"context"
	"slices"
	"strings"

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

// DescribeWarmPool describes a group's warm pool and the instances in it.
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
		return locationEC2
	}
	prepared := deref(or(c.MaxGroupPreparedCapacity, g.config.MaxSize))
	if len(g.warm)+g.desired() >= int(prepared) {
		return locationEC2
	}
	return locationWarmPool
}

// pooled reports whether an instance is in a warm pool, or waits for its hooks
// before it is.
func (i *instance) pooled() bool { return strings.HasPrefix(string(i.lifecycle), "Warmed:") }

// enterPool is where an instance waits for its terminate hooks on its way back
// to the warm pool: in Warmed:Pending:Wait and listed by DescribeWarmPool only
// ("Use lifecycle hooks with a warm pool in Auto Scaling group", diagram),
// unless an option says otherwise.
func (r *Region) enterPool(i *instance) asg.LifecycleState {
	state := cmp.Or(r.options.ReturnWaits, asg.LifecycleStateWarmedPendingWait)
	if state != asg.LifecycleStateTerminatingWait {
		r.intoPool(i)
		i.lifecycle = asg.LifecycleStateWarmedPending
	}
	return state
}

func (r *Region) intoPool(i *instance) {
	g := i.group
	g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
	if !slices.Contains(g.warm, i) {
		g.warm = append(g.warm, i)
	}
}

// leavePool takes an instance that is terminated out of the pool, if it is in
// it.
func (r *Region) leavePool(i *instance) {
	i.group.warm = slices.DeleteFunc(i.group.warm, func(other *instance) bool { return other == i })
}

// rest puts an instance that has left its group into the warm pool: its
// application stops, and what is in flight to it is cut off as if it died.
func (r *Region) rest(i *instance) {
	g := i.group
	if g.deleting || g.deleted {
		r.shutDown(i)
		return
	}
	r.intoPool(i)
	i.lifecycle = asg.LifecycleStateWarmedStopped
	r.cutOffAll(i)
	r.setEC2(i, stopping)
	r.setEC2(i, stopped)
	r.endActivity(i.ending, asg.ScalingActivityStatusCodeSuccessful, "")
	r.targetsGone(i)
	r.reconcile(g)
}

// start takes an instance out of the warm pool into the group, nil if the
// pool is empty. Where it is still registered its health checks begin anew
// once it runs.
func (r *Region) start(g *group) *instance {
	n := slices.IndexFunc(g.warm, func(i *instance) bool { return i.lifecycle == asg.LifecycleStateWarmedStopped })
	if n < 0 {
		return nil
	}
	i := g.warm[n]
	g.warm = slices.Delete(g.warm, n, n+1)
	i.ec2, i.lifecycle, i.origin = pending, asg.LifecycleStatePending, locationWarmPool
	g.instances = append(g.instances, i)
	r.after(r.timings.Boot, func() { r.boot(i) })
	return i
}
