package region

import (
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// putLaunchHook puts CodeDeploy's managed hook on an Auto Scaling group:
// launching, 600 s, ABANDON, CodeDeploy's own queue (observed).
func (r *Region) putLaunchHook(g *deploymentGroup, on *group) {
	if on.hasLaunchHook() {
		return
	}
	name := hookPrefix + g.name + "-" + r.ids.uuid("launch hook")
	on.hooks[name] = asg.LifecycleHook{
		AutoScalingGroupName:  aws.String(on.name),
		LifecycleHookName:     aws.String(name),
		LifecycleTransition:   aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"),
		DefaultResult:         aws.String("ABANDON"),
		HeartbeatTimeout:      aws.Int32(600),
		GlobalTimeout:         aws.Int32(60000),
		NotificationMetadata:  aws.String(aws.ToString(g.config.DeploymentGroupId)),
		NotificationTargetARN: aws.String("arn:aws:sqs:" + Name + ":111122223333:razorbill-" + Name + "-prod-default-autoscaling-lifecycle-hook"),
	}
}

func removeLaunchHook(from *group) {
	maps.DeleteFunc(from.hooks, func(name string, _ asg.LifecycleHook) bool { return strings.HasPrefix(name, hookPrefix) })
}

func (g *group) hasLaunchHook() bool {
	for name := range g.hooks {
		if strings.HasPrefix(name, hookPrefix) {
			return true
		}
	}
	return false
}

// launchHookOf is the deployment group whose launch hook is on the group, or
// nil.
func (g *group) launchHookOf(r *Region) *deploymentGroup {
	if !g.hasLaunchHook() {
		return nil
	}
	for _, app := range sorted(r.apps) {
		for _, d := range sorted(app.groups) {
			for _, name := range d.groups {
				if name == g.name {
					return d
				}
			}
		}
	}
	return nil
}

// deployToLaunched is what CodeDeploy does when its launch hook fires: it
// installs the last successful revision before the instance goes into
// service. The deployment that it creates for this (creator autoscaling) is
// not simulated as a record of its own.
func (r *Region) deployToLaunched(d *deploymentGroup, i *instance) {
	revision := r.lastRevision(d)
	if revision == "" {
		r.putInService(i) // nothing was ever deployed
		return
	}
	r.after(r.timings.Install, func() {
		if i.lifecycle != asg.LifecycleStatePending {
			return
		}
		i.revision = revision
		r.answersMayHaveChanged(i)
		r.putInService(i)
	})
}

// lastRevision is the name of the revision of the last successful deployment.
func (r *Region) lastRevision(d *deploymentGroup) string {
	for _, dep := range r.deploymentsOf(d) {
		if dep.status == "Succeeded" && dep.revision != "" {
			return dep.revision
		}
	}
	return ""
}
