package setting

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/fleet"
)

// AddToLoadBalancer is the process that registers launching instances. What is
// attached while it is suspended stays without its instances.
const AddToLoadBalancer = "AddToLoadBalancer"

// released are the processes that CodeDeploy suspends on a group while it reroutes
// (observed), and resumes when it is done, sorted.
var released = []string{AddToLoadBalancer, "AlarmNotification", "ScheduledActions"}

// SuspendedByCodeDeploy reports whether just those processes are suspended that
// CodeDeploy suspends: with no release in progress, the mark of one that died.
func SuspendedByCodeDeploy(g *fleet.AutoScalingGroup) bool {
	return slices.Equal(slices.Sorted(slices.Values(g.Suspended)), released)
}

// Resume names the kind of the processes.
const Resume = "resume-processes"

type processesAPI interface {
	ResumeProcesses(context.Context, *autoscaling.ResumeProcessesInput, ...func(*autoscaling.Options)) (*autoscaling.ResumeProcessesOutput, error)
}

var _ processesAPI = (*autoscaling.Client)(nil)

// suspendedProcesses has as items the processes that run, of those that CodeDeploy
// suspends: these are what a copy can lose.
var suspendedProcesses = Kind{
	Name:   Resume,
	Writes: []string{"autoscaling:ResumeProcesses"},
	Items: func(g *fleet.AutoScalingGroup, _ any) []Item {
		return Running(func(p string) bool { return !g.IsSuspended(p) })
	},
	Diff: func(group string, want, got []Item) []Change {
		lost := names(missing(want, got))
		if len(lost) == 0 {
			return nil
		}
		return []Change{{Kind: Resume, Group: group, Items: lost}}
	},
	Apply: func(ctx context.Context, client Client, c Change) error {
		_, err := client.(processesAPI).ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &c.Group, ScalingProcesses: c.Items})
		return err
	},
	Say: func(c Change) string {
		return fmt.Sprintf("resume %s of %s", Join(c.Items), Plain(c.Group))
	},
}

// Running are the items for those of CodeDeploy's three processes that run.
func Running(runs func(process string) bool) []Item {
	var items []Item
	for _, p := range released {
		if runs(p) {
			items = append(items, Item{Name: p})
		}
	}
	return items
}
