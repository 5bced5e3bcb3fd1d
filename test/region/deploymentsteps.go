package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// beginDeployment puts a deployment in progress: blue/green with a copy of
// the group goes its own way, every other kind takes as long as an
// installation and has states and events only.
func (r *Region) beginDeployment(d *deployment) {
	if d.over() {
		return
	}
	d.status = cd.DeploymentStatusInProgress
	d.started = aws.Time(r.clock.now)
	r.emit(d, stateStart)
	switch {
	case d.creator == cd.DeploymentCreatorCodeDeployRollback && d.copies():
		r.after(r.timings.Poll, func() { r.rerouteBack(d) })
	case d.copies():
		r.after(r.timings.Poll, func() {
			if !d.over() {
				r.provision(d)
			}
		})
	default:
		r.inPlace(d)
	}
}

// copies reports whether a deployment is blue/green on a copy of the group.
func (d *deployment) copies() bool {
	if d.style.DeploymentType != cd.DeploymentTypeBlueGreen || d.group.app.platform != cd.ComputePlatformServer || d.blueGreen == nil {
		return false
	}
	p := d.blueGreen.GreenFleetProvisioningOption
	return p != nil && p.Action == cd.GreenFleetProvisioningActionCopyAutoScalingGroup
}

func (r *Region) inPlace(d *deployment) {
	var targets []*instance
	for _, name := range d.group.groups {
		if g := r.groups[name]; g != nil {
			targets = append(targets, g.inService()...)
		}
	}
	for _, i := range targets {
		d.targets = append(d.targets, i.id)
	}
	r.after(r.timings.Install, func() {
		if d.over() || !r.enterStage(d, StageInstall) {
			return
		}
		for _, i := range targets {
			i.revision = d.revision
			r.answersMayHaveChanged(i)
		}
		d.installed = true
		d.group.revision = d.revision
		r.succeed(d)
	})
}

// enterStage enters a stage, unless the script says that the deployment ends
// there, or it has ended already.
func (r *Region) enterStage(d *deployment, s Stage) bool {
	if d.over() {
		return false
	}
	d.stage = s
	switch {
	case d.script.FailAt == s:
		r.fail(d, cd.ErrorCodeHealthConstraints, "The overall deployment failed because too many individual instances failed deployment, too few healthy instances are available for deployment, or some instances in your deployment group are experiencing problems.")
	case d.script.DieAt == s:
		// No event and nothing tidied up: the dead deployment of which users
		// report groups left running (likely).
		d.status = cd.DeploymentStatusFailed
		d.completed = aws.Time(r.clock.now)
		d.failure = &cd.ErrorInformation{Code: cd.ErrorCodeInternalError, Message: aws.String("An internal error occurred")}
	case d.script.HangAt == s:
	default:
		return true
	}
	return false
}

// waitFor polls until a condition of a deployment holds and then continues. It
// fails the deployment after [stepLimit].
func (r *Region) waitFor(d *deployment, condition func(*deployment) bool, then func(*deployment)) {
	limit := r.clock.now.Add(stepLimit)
	var poll func()
	poll = func() {
		switch {
		case d.over():
		case condition(d):
			then(d)
		case r.clock.now.After(limit):
			r.fail(d, cd.ErrorCodeTimeout, "The deployment timed out")
		default:
			r.after(r.timings.Poll, poll)
		}
	}
	r.after(r.timings.Poll, poll)
}

func (r *Region) succeed(d *deployment) {
	d.status = cd.DeploymentStatusSucceeded
	d.completed = aws.Time(r.clock.now)
	r.emit(d, stateSuccess)
	r.after(r.timings.Outdated, func() { r.updateOutdated(d) })
}

// fail ends a deployment. In the reroute its instances are taken out of the
// load balancer again and the processes resumed (assumed); the replacement
// group is left running (users report it).
func (r *Region) fail(d *deployment, code cd.ErrorCode, message string) {
	d.status = cd.DeploymentStatusFailed
	d.completed = aws.Time(r.clock.now)
	d.failure = &cd.ErrorInformation{Code: code, Message: aws.String(message)}
	d.endWait = nil
	// A rollback that fails leaves the original instances where they are.
	rollback := d.creator == cd.DeploymentCreatorCodeDeployRollback
	if green := r.groups[d.green]; green != nil && d.stage == StageReroute && !rollback {
		r.takeOut(d)
		if d.script.Named == NamedAtReroute {
			r.name(d, d.blue)
		}
		green.early = true
		if !d.script.LeaveSuspended {
			r.resume(green, suspendedByCodeDeploy[:]...)
		}
	}
	if d.rollsBackOn(cd.AutoRollbackEventDeploymentFailure) {
		r.rollBack(d)
	}
	r.emit(d, stateFailure)
}

// stop ends a deployment where it is: nothing is tidied up (likely), so in
// the reroute the processes stay suspended.
func (r *Region) stop(d *deployment, rollBack bool) {
	if d.over() {
		return
	}
	d.status = cd.DeploymentStatusStopped
	d.completed = aws.Time(r.clock.now)
	d.failure = &cd.ErrorInformation{Code: cd.ErrorCodeManualStop, Message: aws.String("The deployment was stopped")}
	d.endWait = nil
	if rollBack || d.rollsBackOn(cd.AutoRollbackEventDeploymentStopOnRequest) {
		r.rollBack(d)
	}
	r.emit(d, stateStop)
}

func (d *deployment) rollsBackOn(event cd.AutoRollbackEvent) bool {
	c := d.autoRollback()
	if c == nil || !c.Enabled || d.creator == cd.DeploymentCreatorCodeDeployRollback || d.partial() {
		return false
	}
	for _, e := range c.Events {
		if e == event {
			return true
		}
	}
	return false
}

// rollBack starts the deployment that undoes a failed one. It is a new
// deployment with an ID of its own (API reference, RollbackInfo; observed).
// Before a blue/green deployment has begun to move traffic there is nothing to
// undo, and no deployment is created (observed).
func (r *Region) rollBack(failed *deployment) {
	if failed.copies() && !failed.rerouting {
		return
	}
	d, err := r.startDeployment(failed.group, cd.DeploymentCreatorCodeDeployRollback, Deployment{})
	if err != nil {
		return // another deployment is active already
	}
	d.blue, d.green = failed.green, failed.blue
	if failed.copies() || failed.previous != "" {
		d.revision = failed.previous
	}
	d.rollback = &cd.RollbackInfo{
		RollbackTriggeringDeploymentId: aws.String(failed.id),
		RollbackMessage:                aws.String("Deployment " + failed.id + " failed. Rolling back to the last known good revision."),
	}
	failed.rollback = &cd.RollbackInfo{
		RollbackDeploymentId: aws.String(d.id),
		RollbackMessage:      aws.String("Deployment " + d.id + " rolls back to the last known good revision."),
	}
}

// rerouteBack gives the traffic back to the original instances and takes it
// from the replacement ones, whose group is left running; nothing is installed
// anew ("Redeploy and roll back a deployment with CodeDeploy": the original
// instances are registered again, the replacement ones deregistered). The
// deployment may have failed in the reroute or have been stopped in the
// termination wait; instances that the original group has launched since the traffic
// was taken from it are not among the original ones. That the rollback's own view names the original group as
// its target, and the deployment group then does too, is assumed.
func (r *Region) rerouteBack(d *deployment) {
	if d.over() {
		return
	}
	d.stage = StageReroute
	var took []string
	if undone := r.deployments[aws.ToString(d.rollback.RollbackTriggeringDeploymentId)]; undone != nil {
		took = undone.originals
	}
	if original := r.groups[d.green]; original != nil {
		for _, i := range original.inService() {
			if took == nil || slices.Contains(took, i.id) {
				d.targets = append(d.targets, i.id)
			}
		}
	}
	d.installed = true
	r.registerAll(d, d.targets, func() { r.waitFor(d, r.greenIsHealthy, r.leaveReplacement) })
}

// leaveReplacement is the second half of rerouteBack. Only instances that the
// failed deployment knows are deregistered, because the events that block
// traffic run on a deployment's own instances (assumed).
func (r *Region) leaveReplacement(d *deployment) {
	failed := r.groups[d.blue]
	if undone := r.deployments[aws.ToString(d.rollback.RollbackTriggeringDeploymentId)]; undone != nil {
		d.originals = undone.targets
	}
	r.deregisterAll(d, d.originals, func() {
		if d.over() {
			return
		}
		if failed != nil {
			failed.early = true // it serves nobody any more
		}
		if r.groups[d.green] != nil {
			r.setAutoScalingGroups(d.group, []string{d.green})
			d.group.revision = d.revision
		}
		r.after(time.Second, func() { r.succeed(d) })
	})
}

// takeOut deregisters the replacement instances of a deployment that fails in
// the reroute.
func (r *Region) takeOut(d *deployment) {
	for _, tg := range r.loadBalancing(d) {
		for _, id := range d.targets {
			r.deregister(tg, targetKey{id, tg.port})
		}
	}
}
