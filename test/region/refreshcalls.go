package region

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// StartInstanceRefresh begins to replace all instances of a group, a few at a
// time. Of the preferences the minimum healthy percentage and the warm-up are
// simulated.
func (v AutoScaling) StartInstanceRefresh(ctx context.Context, in *autoscaling.StartInstanceRefreshInput, _ ...func(*autoscaling.Options)) (*autoscaling.StartInstanceRefreshOutput, error) {
	return asgCall(ctx, v.r, "StartInstanceRefresh", in, "AutoScalingGroupName Preferences Strategy", v.r.startInstanceRefresh)
}

// CancelInstanceRefresh ends an instance refresh where it is: instances whose
// replacement has begun are still replaced.
func (v AutoScaling) CancelInstanceRefresh(ctx context.Context, in *autoscaling.CancelInstanceRefreshInput, _ ...func(*autoscaling.Options)) (*autoscaling.CancelInstanceRefreshOutput, error) {
	return asgCall(ctx, v.r, "CancelInstanceRefresh", in, "AutoScalingGroupName", v.r.cancelInstanceRefresh)
}

// DescribeInstanceRefreshes lists a group's instance refreshes, the newest
// first.
func (v AutoScaling) DescribeInstanceRefreshes(ctx context.Context, in *autoscaling.DescribeInstanceRefreshesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	return asgCall(ctx, v.r, "DescribeInstanceRefreshes", in, "AutoScalingGroupName InstanceRefreshIds MaxRecords NextToken", v.r.describeInstanceRefreshes)
}

func (r *Region) startInstanceRefresh(in *autoscaling.StartInstanceRefreshInput) (*autoscaling.StartInstanceRefreshOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var p asg.RefreshPreferences
	if in.Preferences != nil {
		p = *in.Preferences
	}
	if field := unsimulated(&p, "MinHealthyPercentage InstanceWarmup"); field != "" {
		return nil, failure("NotImplemented", "the simulated region does not know the preference %s of an instance refresh", field)
	}
	p.MinHealthyPercentage = or(p.MinHealthyPercentage, aws.Int32(defaultMinHealthy))
	if in.Strategy != "" && in.Strategy != asg.RefreshStrategyRolling {
		return nil, failure("NotImplemented", "the simulated region does not know the strategy %s of an instance refresh", in.Strategy)
	}
	switch {
	case *p.MinHealthyPercentage < 0 || *p.MinHealthyPercentage > 100:
		return nil, invalid("MinHealthyPercentage must be between 0 and 100, not %d", *p.MinHealthyPercentage)
	case g.refreshing:
		return nil, &asg.InstanceRefreshInProgressFault{Message: aws.String("An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")}
	}
	f := &refresh{
		id: r.ids.uuid("instance refresh"), group: g, config: p, status: asg.InstanceRefreshStatusInProgress,
		started: r.clock.now, progressed: r.clock.now,
	}
	for _, i := range g.instances {
		if i.counts() {
			f.old = append(f.old, i)
		}
	}
	f.total = len(f.old)
	g.refreshes = append(g.refreshes, f)
	g.refreshing = true
	r.after(0, func() { r.refreshStep(f) })
	return &autoscaling.StartInstanceRefreshOutput{InstanceRefreshId: aws.String(f.id)}, nil
}

func (r *Region) cancelInstanceRefresh(in *autoscaling.CancelInstanceRefreshInput) (*autoscaling.CancelInstanceRefreshOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, f := range g.refreshes {
		if f.active() {
			r.endRefresh(f, asg.InstanceRefreshStatusCancelled, "Cancelled due to user request.")
			return &autoscaling.CancelInstanceRefreshOutput{InstanceRefreshId: aws.String(f.id)}, nil
		}
	}
	return nil, &asg.ActiveInstanceRefreshNotFoundFault{Message: aws.String("No in progress or pending Instance Refresh found for Auto Scaling group " + g.name)}
}

func (r *Region) describeInstanceRefreshes(in *autoscaling.DescribeInstanceRefreshesInput) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var found []asg.InstanceRefresh
	for _, f := range slices.Backward(g.refreshes) {
		if len(in.InstanceRefreshIds) == 0 || slices.Contains(in.InstanceRefreshIds, f.id) {
			found = append(found, f.describe())
		}
	}
	// "The default value is 50 and the maximum value is 100" (API reference).
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), 50, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeInstanceRefreshesOutput{InstanceRefreshes: found, NextToken: next}, nil
}

func (f *refresh) describe() asg.InstanceRefresh {
	preferences := f.config
	d := asg.InstanceRefresh{
		AutoScalingGroupName: aws.String(f.group.name), InstanceRefreshId: aws.String(f.id), Preferences: &preferences,
		Status: f.status, StartTime: aws.Time(f.started), InstancesToUpdate: aws.Int32(int32(len(f.old))),
		PercentageComplete: aws.Int32(100), Strategy: asg.RefreshStrategyRolling,
	}
	if f.total > 0 {
		d.PercentageComplete = aws.Int32(int32(100 * (f.total - len(f.old)) / f.total))
	}
	if f.reason != "" {
		d.StatusReason = aws.String(f.reason)
	}
	if !f.ended.IsZero() {
		d.EndTime = aws.Time(f.ended)
	}
	return d
}
