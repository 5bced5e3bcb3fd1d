package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// Deployments that CodeDeploy starts by itself, to instances that Auto Scaling
// launches or terminates, or that a deployment has missed.

// partial reports whether a deployment is to some instances of a group only. Such
// ones run beside each other and beside a deployment of the whole group.
func (d *deployment) partial() bool {
	return d.onLaunch() || d.creator == cd.DeploymentCreatorCodeDeployAutoUpdate || d.creator == cd.DeploymentCreatorAutoscalingTermination
}

// onLaunch reports whether a deployment was created for one launched instance.
func (d *deployment) onLaunch() bool { return d.creator == cd.DeploymentCreatorAutoscaling }

// deployToLaunched is what CodeDeploy does when its launch hook fires: a
// deployment of the last revision to the one instance, which waits for it in
// Pending:Wait. It has states and events like any other, creator autoscaling,
// and may run beside a deployment of the whole group ("Integrating CodeDeploy
// with Amazon EC2 Auto Scaling"). Its style is in-place (assumed).
func (r *Region) deployToLaunched(g *deploymentGroup, i *instance) {
	if g.revision == "" {
		r.putInService(i) // nothing was ever deployed
		return
	}
	i.lifecycle = asg.LifecycleStatePendingWait
	d := r.deployToSome(g, cd.DeploymentCreatorAutoscaling, []string{i.id})
	r.after(r.timings.Install, func() {
		if i.dead && i.lifecycle == asg.LifecycleStatePendingWait {
			r.after(hookTimeout, func() { r.abandonLaunch(d, i) })
			return
		}
		if i.lifecycle != asg.LifecycleStatePendingWait {
			r.fail(d, cd.ErrorCodeHealthConstraints, "The instance was terminated")
			return
		}
		i.revision, d.installed = d.revision, true
		r.answersMayHaveChanged(i)
		i.lifecycle = asg.LifecycleStatePending
		r.putInService(i)
		r.succeed(d)
	})
}

// hookTimeout is the heartbeat timeout of CodeDeploy's launch hook, after which the
// default result is ABANDON (observed).
const hookTimeout = 600 * time.Second

// abandonLaunch ends the launch of an instance that died before CodeDeploy had deployed
// to it: its agent never answers, so that the launch hook times out.
func (r *Region) abandonLaunch(d *deployment, i *instance) {
	r.fail(d, cd.ErrorCodeHealthConstraints, "The CodeDeploy agent did not answer")
	if i.lifecycle == asg.LifecycleStatePendingWait {
		r.hooked(i, resultAbandon)
	}
}

// deployToSome begins a deployment of the last successful revision to some
// instances.
func (r *Region) deployToSome(g *deploymentGroup, creator cd.DeploymentCreator, instances []string) *deployment {
	d := r.newDeployment(g, creator)
	d.revision = g.revision
	d.style = cd.DeploymentStyle{DeploymentType: cd.DeploymentTypeInPlace, DeploymentOption: cd.DeploymentOptionWithoutTrafficControl}
	d.targets = instances
	d.status = cd.DeploymentStatusInProgress
	d.started = aws.Time(r.clock.now)
	r.emit(d, stateStart)
	return d
}

// updateOutdated deploys to instances that were launched in the middle of a
// deployment and did not get its revision: "CodeDeploy initiates one or more
// 'auto-update outdated instances' deployments", unless the deployment group
// ignores them (API reference, UpdateDeploymentGroup:
// outdatedInstancesStrategy). One for all of them is assumed, and when.
func (r *Region) updateOutdated(d *deployment) {
	g := d.group
	if d.partial() || g.deleted || g.config.OutdatedInstancesStrategy == cd.OutdatedInstancesStrategyIgnore || g.revision != d.revision || g.revision == "" {
		return
	}
	var outdated []*instance
	var ids []string
	for _, name := range g.groups {
		on := r.groups[name]
		if on == nil {
			continue
		}
		for _, i := range on.inService() {
			if i.launched.After(d.created) && i.revision != d.revision {
				outdated, ids = append(outdated, i), append(ids, i.id)
			}
		}
	}
	if len(outdated) == 0 {
		return
	}
	update := r.deployToSome(g, cd.DeploymentCreatorCodeDeployAutoUpdate, ids)
	r.after(r.timings.Install, func() {
		for _, i := range outdated {
			if i.ec2 == running {
				i.revision = update.revision
				r.answersMayHaveChanged(i)
			}
		}
		update.installed = true
		r.succeed(update)
	})
}

// deployToTerminating is what CodeDeploy does when its terminate hook fires: a
// deployment to the one instance that blocks its traffic and stops its
// application, after which CodeDeploy completes its own action ("How Amazon EC2
// Auto Scaling works with CodeDeploy", termination deployments). Other hooks of
// the instance run beside it.
func (r *Region) deployToTerminating(a *action) {
	g, i := a.instance.group.deployer, a.instance
	complete := func() {
		if a.ending == Active {
			r.endAction(a, Completed, resultContinue)
		}
	}
	if g == nil || g.revision == "" || i.dead {
		r.after(0, complete) // nothing was ever deployed, or nothing is left
		return
	}
	d := r.deployToSome(g, cd.DeploymentCreatorAutoscalingTermination, []string{i.id})
	r.deregisterAll(d, d.targets, func() {
		r.after(r.timings.Install, func() {
			if i.dead || a.ending != Active {
				r.fail(d, cd.ErrorCodeHealthConstraints, "The instance was terminated")
				return
			}
			d.installed = true
			r.succeed(d)
			complete()
		})
	})
}
