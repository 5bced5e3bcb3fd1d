package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// reroute suspends processes on green and registers its instances.
func (r *Region) reroute(d *deployment) {
	green := r.groups[d.green]
	if green == nil {
		r.fail(d, cd.ErrorCodeAutoScalingConfiguration, "The replacement Auto Scaling group no longer exists: "+d.green)
		return
	}
	d.stage, d.rerouting = StageReroute, true
	if d.script.Named == NamedAtReroute {
		r.name(d, green.name)
	}
	r.suspend(green, suspendedByCodeDeploy[:]...)
	r.after(time.Second, func() {
		if d.over() {
			return
		}
		green.early = false
		r.registerAll(d, d.targets, func() {
			if r.enterStage(d, StageReroute) {
				r.waitFor(d, r.greenIsHealthy, r.leaveBlue)
			}
		})
	})
}

// name has the deployment group name the group that serves from now on,
// without moving the launch hook.
func (r *Region) name(d *deployment, group string) {
	if !d.group.deleted {
		d.group.groups = []string{group}
	}
}

// spaced does something for each instance, with the script's time between
// them, and goes on then; a deployment that has ended does neither.
func (r *Region) spaced(d *deployment, instances []string, do func(id string), then func()) {
	for n, id := range instances {
		do(id)
		if rest := instances[n+1:]; d.script.Spacing > 0 && len(rest) > 0 {
			r.after(d.script.Spacing, func() {
				if !d.over() {
					r.spaced(d, rest, do, then)
				}
			})
			return
		}
	}
	then()
}

// loadBalancing are the target groups of a deployment group that exist, and
// its Classic Load Balancers.
func (r *Region) loadBalancing(d *deployment) []*targetGroup {
	lb := d.group.config.LoadBalancerInfo
	if lb == nil {
		return nil
	}
	var found []*targetGroup
	for _, info := range lb.TargetGroupInfoList {
		if tg := r.targetGroupNamed(aws.ToString(info.Name)); tg != nil {
			found = append(found, tg)
		}
	}
	for _, info := range lb.ElbInfoList {
		if b := r.balancers[aws.ToString(info.Name)]; b != nil && b.classic {
			found = append(found, b.pool)
		}
	}
	return found
}

// registerAll registers instances, without a port (observed).
func (r *Region) registerAll(d *deployment, instances []string, then func()) {
	r.spaced(d, instances, func(id string) {
		for _, tg := range r.loadBalancing(d) {
			if i := r.instances[id]; i != nil && i.ec2 == running {
				r.register(tg, id, tg.port)
			}
		}
	}, then)
}

func (r *Region) greenIsHealthy(d *deployment) bool {
	for _, tg := range r.loadBalancing(d) {
		for _, id := range d.targets {
			t := tg.target(targetKey{id, tg.port})
			if i := r.instances[id]; i != nil && i.ec2 == running && len(tg.balancers) > 0 && (t == nil || !t.isHealthy()) {
				return false
			}
		}
	}
	return true
}

// leaveBlue deregisters the blue instances. The blue group itself stays
// attached (likely), so that a scale-out there puts the old version back.
func (r *Region) leaveBlue(d *deployment) {
	var ids []string
	if blue := r.groups[d.blue]; blue != nil {
		for _, i := range blue.instances {
			ids = append(ids, i.id)
		}
	}
	d.originals = ids
	r.deregisterAll(d, ids, func() {
		if !d.over() {
			r.handOver(d)
		}
	})
}

// deregisterAll deregisters instances and goes on when they have drained.
func (r *Region) deregisterAll(d *deployment, instances []string, then func()) {
	var draining []*target
	r.spaced(d, instances, func(id string) {
		for _, tg := range r.loadBalancing(d) {
			if t := r.deregister(tg, targetKey{id, tg.port}); t != nil {
				draining = append(draining, t)
			}
		}
	}, func() { r.whenDrained(draining, then) })
}

// handOver resumes green's processes, moves the launch hook to it and has the
// deployment group name it.
func (r *Region) handOver(d *deployment) {
	green := r.groups[d.green]
	if green == nil {
		r.fail(d, cd.ErrorCodeAutoScalingConfiguration, "The replacement Auto Scaling group no longer exists: "+d.green)
		return
	}
	if !d.script.LeaveSuspended {
		r.resume(green, suspendedByCodeDeploy[:]...)
	}
	if d.script.AttachItself {
		for _, tg := range r.loadBalancing(d) {
			if tg.classic {
				r.addSource(green, sourceELB, tg.name)
				continue
			}
			r.addSource(green, sourceELBV2, tg.arn)
		}
	}
	r.moveLaunchHook(d.group, []string{green.name})
	if d.script.Named != NamedAtEnd {
		r.name(d, green.name)
	}
	d.group.revision = d.revision
	end := func() {
		if d.script.Named == NamedAtEnd {
			r.name(d, green.name)
		}
	}
	if d.script.SucceedFirst {
		r.succeed(d)
		r.terminateBlue(d, end)
		return
	}
	r.terminateBlue(d, func() {
		end()
		r.succeed(d)
	})
}

// terminateBlue force-deletes the blue group after the wait, unless it is to
// be kept alive: then its instances stay deregistered and running, and the
// group stays attached (likely).
func (r *Region) terminateBlue(d *deployment, then func()) {
	option := d.blueGreen.TerminateBlueInstancesOnDeploymentSuccess
	if option != nil && option.Action == cd.InstanceActionKeepAlive {
		then()
		return
	}
	var wait time.Duration
	if option != nil {
		wait = time.Duration(option.TerminationWaitTimeInMinutes) * time.Minute
	}
	d.terminating = true
	if d.over() {
		d.stage = StageWait
	} else if !r.enterStage(d, StageWait) {
		return
	}
	d.endWait = func() {
		if d.endWait == nil {
			return // over already
		}
		d.endWait = nil
		d.stage = StageTerminate
		if blue := r.groups[d.blue]; blue != nil && !blue.deleting {
			r.deleteGroup(blue)
		}
		then()
	}
	r.after(wait, func() {
		if d.endWait != nil {
			d.endWait()
		}
	})
}
