package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// activity is a scaling activity of a group: the launch or the termination of
// one instance, nil where none could be launched. "Verify a scaling activity for an Auto Scaling group" shows
// the descriptions; the causes are shortened.
type activity struct {
	id, description, cause string
	group                  *group
	instance               *instance
	status                 asg.ScalingActivityStatusCode // "" as long as the instance's state says it
	message                string
	started, ended         time.Time
}

func (r *Region) beginActivity(g *group, i *instance, description, cause string) *activity {
	a := &activity{
		id: r.ids.uuid("activity"), group: g, instance: i, started: r.clock.now,
		description: description, cause: cause,
	}
	if i != nil {
		a.description += i.id
	}
	g.activities = append(g.activities, a)
	return a
}

// endActivity ends an activity once; nil has ended long ago.
func (r *Region) endActivity(a *activity, status asg.ScalingActivityStatusCode, message string) {
	if a != nil && a.status == "" {
		a.status, a.message, a.ended = status, message, r.clock.now
	}
}

// describe takes the status of an activity under way from its instance (API
// reference, Activity: StatusCode).
func (a *activity) describe() asg.Activity {
	status, progress := a.status, int32(100)
	if status == "" {
		status, progress = asg.ScalingActivityStatusCodeInProgress, 50
		switch a.instance.lifecycle {
		case asg.LifecycleStatePending:
			status = asg.ScalingActivityStatusCodePreInService
		case asg.LifecycleStatePendingWait, asg.LifecycleStateTerminatingWait, asg.LifecycleStateWarmedPendingWait, asg.LifecycleStateWarmedTerminatingWait:
			status = asg.ScalingActivityStatusCodeMidLifecycleAction
		case asg.LifecycleStateTerminating:
			if a.instance.ec2 == running {
				status = asg.ScalingActivityStatusCodeWaitingForELBConnectionDraining
			}
		}
	}
	d := asg.Activity{
		ActivityId: aws.String(a.id), AutoScalingGroupName: aws.String(a.group.name),
		AutoScalingGroupARN: a.group.config.AutoScalingGroupARN,
		Description:         aws.String(a.description), Cause: aws.String(a.cause),
		StartTime: aws.Time(a.started), StatusCode: status, Progress: aws.Int32(progress),
	}
	if a.message != "" {
		d.StatusMessage = aws.String(a.message)
	}
	if !a.ended.IsZero() {
		d.EndTime = aws.Time(a.ended)
	}
	return d
}

// describeScalingActivities lists the activities, the latest first. Those of
// deleted groups are shown only to who asks for them, and kept for ever here
// instead of six weeks (API reference).
func (r *Region) describeScalingActivities(in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	if n := deref(in.MaxRecords); n > 100 {
		return nil, invalid("maxRecords must not be greater than 100, was %d", n)
	}
	groups := sorted(r.groups)
	if deref(in.IncludeDeletedGroups) {
		groups = append(groups, r.deletedGroups...)
	}
	if in.AutoScalingGroupName != nil {
		groups = slices.DeleteFunc(groups, func(g *group) bool { return g.name != *in.AutoScalingGroupName })
		if len(groups) == 0 {
			_, err := r.group(in.AutoScalingGroupName)
			return nil, err
		}
	}
	var found []*activity
	for _, g := range groups {
		for _, a := range g.activities {
			if len(in.ActivityIds) == 0 || slices.Contains(in.ActivityIds, a.id) {
				found = append(found, a)
			}
		}
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b *activity) int { return b.started.Compare(a.started) })
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), 100, badToken())
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeScalingActivitiesOutput{NextToken: next}
	for _, a := range found {
		out.Activities = append(out.Activities, a.describe())
	}
	return out, nil
}
