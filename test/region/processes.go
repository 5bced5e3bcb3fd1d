package region

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// The processes that can be suspended ("Suspend and resume Amazon EC2 Auto
// Scaling processes").
const (
	processAddToLoadBalancer = "AddToLoadBalancer"
	processAlarmNotification = "AlarmNotification"
	processAZRebalance       = "AZRebalance"
	processHealthCheck       = "HealthCheck"
	processInstanceRefresh   = "InstanceRefresh"
	processLaunch            = "Launch"
	processReplaceUnhealthy  = "ReplaceUnhealthy"
	processScheduledActions  = "ScheduledActions"
	processTerminate         = "Terminate"
)

var processes = [...]string{processAddToLoadBalancer, processAlarmNotification, processAZRebalance, processHealthCheck, processInstanceRefresh, processLaunch, processReplaceUnhealthy, processScheduledActions, processTerminate}

func (g *group) isSuspended(process string) bool {
	_, suspended := g.suspended[process]
	return suspended
}

func (r *Region) suspendProcesses(in *autoscaling.SuspendProcessesInput) (*autoscaling.SuspendProcessesOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := processNames(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	r.suspend(g, names...)
	return &autoscaling.SuspendProcessesOutput{}, nil
}

func (r *Region) resumeProcesses(in *autoscaling.ResumeProcessesInput) (*autoscaling.ResumeProcessesOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := processNames(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	r.resume(g, names...)
	return &autoscaling.ResumeProcessesOutput{}, nil
}

// processNames are the processes of a call; none means all (API reference,
// "If you omit this property, all processes are specified").
func processNames(names []string) ([]string, error) {
	if len(names) == 0 {
		return processes[:], nil
	}
	for _, name := range names {
		if !slices.Contains(processes[:], name) {
			return nil, invalid("%s is not a recognized process name", name)
		}
	}
	return names, nil
}

func (r *Region) suspend(g *group, names ...string) {
	for _, name := range names {
		g.suspended[name] = r.clock.now
	}
}

// resume lets processes work again. It catches up on capacity and on
// unhealthy instances, but adds no instance to a load balancer that was
// launched meanwhile: that is for the caller to do.
func (r *Region) resume(g *group, names ...string) {
	for _, name := range names {
		delete(g.suspended, name)
	}
	r.reconcile(g)
	r.suspectAll(g)
}
