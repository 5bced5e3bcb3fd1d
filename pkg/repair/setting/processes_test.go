package setting

import (
	"testing"

	"deployhooks/pkg/fleet"
)

func TestSuspendedProcesses(t *testing.T) {
	suspended := func(processes ...string) described {
		return described{group: fleet.AutoScalingGroup{Suspended: processes}}
	}
	testKind(t, suspendedProcesses, map[string]kindCase{
		"a copy whose processes CodeDeploy left suspended": {
			suspended(), suspended("AddToLoadBalancer", "AlarmNotification", "ScheduledActions"),
			[]string{"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of green"}, "instances that launch get no requests",
		},
		"a process that was suspended before":        {suspended("ScheduledActions"), suspended("ScheduledActions"), nil, "what a person has suspended is resumed"},
		"a process that CodeDeploy does not suspend": {suspended(), suspended("Terminate"), nil, "what a person has suspended is resumed"},
	})
	if g := suspended("ScheduledActions", "AddToLoadBalancer", "AlarmNotification").group; !SuspendedByCodeDeploy(&g) {
		t.Error("what CodeDeploy suspends is not recognised")
	}
}
