package region

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// setAutoScalingGroups names a deployment group's Auto Scaling groups and
// moves the launch hook along.
func (r *Region) setAutoScalingGroups(g *deploymentGroup, names []string) {
	if g.deleted {
		return
	}
	g.groups = slices.Clone(names)
	r.moveLaunchHook(g, names)
}

func (r *Region) moveLaunchHook(g *deploymentGroup, names []string) {
	if g.deleted {
		return
	}
	for _, on := range r.groups {
		if on.deployer == g && !slices.Contains(names, on.name) {
			removeLaunchHook(on)
			on.deployer = nil
		}
	}
	for _, name := range names {
		if on := r.groups[name]; on != nil {
			r.putLaunchHook(g, on)
		}
	}
}

// putLaunchHook puts CodeDeploy's managed hook on an Auto Scaling group:
// launching, 600 s, ABANDON, CodeDeploy's own queue (observed). A hook for
// terminations comes with it where the deployment group has one enabled (API
// reference, CreateDeploymentGroup: terminationHookEnabled).
func (r *Region) putLaunchHook(g *deploymentGroup, on *group) {
	on.deployer = g
	if on.launchHook() == "" {
		r.putManagedHook(g, on, hookPrefix, onLaunching)
	}
	switch {
	case !g.config.TerminationHookEnabled:
		removeHooks(on, terminationHookPrefix)
	case on.hookNamed(terminationHookPrefix) == "":
		r.putManagedHook(g, on, terminationHookPrefix, onTerminating)
	}
}

func (r *Region) putManagedHook(g *deploymentGroup, on *group, prefix, transition string) {
	name := prefix + g.name + "-" + r.ids.uuid("launch hook")
	on.hooks[name] = asg.LifecycleHook{
		AutoScalingGroupName:  aws.String(on.name),
		LifecycleHookName:     aws.String(name),
		LifecycleTransition:   aws.String(transition),
		DefaultResult:         aws.String(resultAbandon),
		HeartbeatTimeout:      aws.Int32(600),
		GlobalTimeout:         aws.Int32(60000),
		NotificationMetadata:  aws.String(aws.ToString(g.config.DeploymentGroupId)),
		NotificationTargetARN: aws.String("arn:aws:sqs:" + Name + ":111122223333:razorbill-" + Name + "-prod-default-autoscaling-lifecycle-hook"),
	}
}

func removeLaunchHook(from *group) {
	removeHooks(from, hookPrefix)
	removeHooks(from, terminationHookPrefix)
}

func removeHooks(from *group, prefix string) {
	maps.DeleteFunc(from.hooks, func(name string, _ asg.LifecycleHook) bool { return strings.HasPrefix(name, prefix) })
}

// launchHook is the name of CodeDeploy's hook on the group, "" if there is
// none.
func (g *group) launchHook() string { return g.hookNamed(hookPrefix) }

func (g *group) hookNamed(prefix string) string {
	for _, name := range slices.Sorted(maps.Keys(g.hooks)) {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return ""
}

// launchHookOf is the deployment group whose launch hook is on the group, or
// nil.
func (g *group) launchHookOf() *deploymentGroup {
	if g.launchHook() == "" {
		return nil
	}
	return g.deployer
}
