package region

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// A blue/green deployment that copies an Auto Scaling group goes through its
// stages in the order of calls that was observed in CloudTrail: provision,
// install, ready, reroute, terminate. Each function here is a stage or a part
// of one, and names the next.

// provisioningTag is put on the copy by CodeDeploy (observed).
const provisioningTag = "CodeDeployProvisioningDeploymentId"

// suspendedByCodeDeploy are the processes that CodeDeploy suspends on the
// replacement group while it reroutes (observed).
var suspendedByCodeDeploy = [...]string{processAddToLoadBalancer, processAlarmNotification, processScheduledActions}

// stepLimit is how long a step may take before the deployment fails: the
// default of an hour that CodeDeploy gives a lifecycle event.
const stepLimit = time.Hour

// provision creates the copy, empty, and then gives it its size. The copy has
// none of the target groups and none of the users' lifecycle hooks: that is
// the fault to repair.
func (r *Region) provision(d *deployment) {
	blue := r.onlyGroup(d)
	if blue == nil {
		r.fail(d, cd.ErrorCodeAutoScalingConfiguration, "The deployment group does not name exactly one Auto Scaling group that exists")
		return
	}
	d.blue = blue.name
	if blue.desired() == 0 {
		r.fail(d, cd.ErrorCodeNoInstances, "The deployment failed because no instances were found for your deployment group.")
		return
	}
	green := r.copyGroup(blue, "CodeDeploy_"+d.groupName+"_"+d.id)
	green.tags[provisioningTag] = asg.Tag{
		Key: aws.String(provisioningTag), Value: aws.String(d.id), PropagateAtLaunch: aws.Bool(true),
	}
	green.bareAnswers = d.group.bareAnswers
	if d.script.CopiesMetrics {
		green.config.EnabledMetrics = slices.Clone(blue.config.EnabledMetrics)
	}
	d.green = green.name
	r.after(time.Second, func() {
		green.config.MinSize = blue.config.MinSize
		green.config.DesiredCapacity = blue.config.DesiredCapacity
		r.reconcile(green)
	})
	if r.enterStage(d, StageProvision) {
		r.waitFor(d, r.greenIsUp, r.install)
	}
}

func (r *Region) onlyGroup(d *deployment) *group {
	if len(d.group.groups) != 1 {
		return nil
	}
	return r.groups[d.group.groups[0]]
}

// copyGroup copies what CodeDeploy was observed to copy.
func (r *Region) copyGroup(blue *group, name string) *group {
	c := blue.config
	green := r.newGroup(asg.AutoScalingGroup{
		AutoScalingGroupName: aws.String(name),
		MinSize:              aws.Int32(0), DesiredCapacity: aws.Int32(0), MaxSize: c.MaxSize,
		LaunchConfigurationName: c.LaunchConfigurationName, LaunchTemplate: c.LaunchTemplate, MixedInstancesPolicy: c.MixedInstancesPolicy,
		VPCZoneIdentifier: c.VPCZoneIdentifier, AvailabilityZones: c.AvailabilityZones,
		DefaultCooldown: c.DefaultCooldown, HealthCheckType: c.HealthCheckType, HealthCheckGracePeriod: c.HealthCheckGracePeriod,
		TerminationPolicies: c.TerminationPolicies, NewInstancesProtectedFromScaleIn: c.NewInstancesProtectedFromScaleIn,
	})
	maps.Copy(green.tags, blue.tags)
	for _, name := range slices.Sorted(maps.Keys(blue.policies)) {
		r.setPolicy(green, blue.policies[name])
	}
	green.vpc = blue.vpc
	green.imageRevision = ""
	green.early = true
	return green
}

func (r *Region) greenIsUp(d *deployment) bool {
	green := r.groups[d.green]
	return green != nil && green.desired() > 0 && len(green.inService()) >= green.desired()
}

func (g *group) inService() []*instance {
	return slices.DeleteFunc(slices.Clone(g.instances), func(i *instance) bool { return i.lifecycle != asg.LifecycleStateInService })
}

// install puts the revision on the instances that are there now. Those that
// green launches from here to the end of the reroute get none. "Deployment to at least
// one instance must succeed" ("CodeDeploy instance health"); that one is enough is so
// with the configuration CodeDeployDefault.AllAtOnce, and assumed with every other.
func (r *Region) install(d *deployment) {
	if !r.enterStage(d, StageInstall) {
		return
	}
	installing := r.groups[d.green].inService()
	for _, i := range installing {
		d.targets = append(d.targets, i.id)
	}
	r.emitInstances(d, installing, stateStart)
	r.after(cmp.Or(d.script.Installs, r.timings.Install), func() {
		if d.over() {
			return
		}
		if !slices.ContainsFunc(installing, func(i *instance) bool { return !i.dead }) {
			r.fail(d, cd.ErrorCodeHealthConstraints, "The overall deployment failed because too many individual instances failed deployment")
			return
		}
		for _, i := range installing {
			i.revision = d.revision
			r.answersMayHaveChanged(i)
		}
		d.installed = true
		r.emitInstances(d, installing, stateSuccess)
		r.ready(d)
	})
}

// ready waits for somebody to continue, where the deployment group says so:
// "If traffic rerouting is not started before the end of the specified wait
// period, the deployment status is changed to Stopped" (API reference,
// DeploymentReadyOption).
func (r *Region) ready(d *deployment) {
	if !r.enterStage(d, StageReady) {
		return
	}
	option := d.blueGreen.DeploymentReadyOption
	if option == nil || option.ActionOnTimeout != cd.DeploymentReadyActionStopDeployment {
		r.reroute(d)
		return
	}
	d.status = cd.DeploymentStatusReady
	d.waiting = func() {
		if d.status == cd.DeploymentStatusReady {
			d.status = cd.DeploymentStatusInProgress
			r.reroute(d)
		}
	}
	r.emit(d, stateReady)
	r.after(time.Duration(option.WaitTimeInMinutes)*time.Minute, func() {
		if d.status == cd.DeploymentStatusReady {
			r.stop(d, false)
		}
	})
}
