package region

import (
	"slices"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// leaving says whether an instance is on its way out of its group.
func (i *instance) leaving() bool {
	switch i.lifecycle {
	case asg.LifecycleStateTerminating, asg.LifecycleStateTerminatingWait, asg.LifecycleStateTerminatingProceed:
		return true
	}
	return i.ec2 == shuttingDown || i.ec2 == terminated || i.ec2 == stopped
}

// terminate takes an instance out of its group: "If the Auto Scaling group is
// being used with Elastic Load Balancing, the terminating instance is first
// deregistered from the load balancer. If connection draining is enabled, the
// instance stops accepting new connections and waits for existing connections
// to drain before completing the deregistration process. The lifecycle hook
// puts the instance into a wait state (Terminating:Wait)" ("How lifecycle
// hooks work in Auto Scaling groups"). It knows of no target groups but the
// attached ones. A dead instance has nothing in flight to wait for.
func (r *Region) terminate(i *instance) { r.leave(i, placeEC2) }

// scaleIn is terminate for an instance that the group no longer needs: it may
// go to the warm pool instead.
func (r *Region) scaleIn(i *instance) {
	if i.dead || i.lifecycle != asg.LifecycleStateInService {
		r.leave(i, placeEC2)
		return
	}
	r.leave(i, i.group.returns())
}

func (r *Region) leave(i *instance, destination string) {
	if i.leaving() {
		return
	}
	r.endWait(i) // for a launch hook
	r.endActivity(i.launching, asg.ScalingActivityStatusCodeCancelled, "")
	cause := "an instance was taken out of service in response to a difference between desired and actual capacity"
	if i.unhealthy {
		cause = "an instance was taken out of service in response to a failed health check"
	}
	i.ending = r.beginActivity(i.group, i, "Terminating EC2 instance: ", cause)
	i.lifecycle = asg.LifecycleStateTerminating
	draining := r.leaveSources(i)
	if i.dead {
		draining = nil
	}
	r.whenDrained(draining, func() { r.runTerminateHooks(i, destination) })
}

// runTerminateHooks has an instance wait for its hooks and lets it go then.
// That ABANDON keeps it out of the warm pool is assumed.
func (r *Region) runTerminateHooks(i *instance, destination string) {
	if i.ec2 == shuttingDown || i.ec2 == terminated {
		return // somebody has been faster
	}
	r.runHooks(i, onTerminating, placeGroup, destination, func(result string) {
		if destination == placeWarmPool && result == resultContinue {
			r.rest(i)
			return
		}
		if i.lifecycle == asg.LifecycleStateTerminatingWait {
			i.lifecycle = asg.LifecycleStateTerminatingProceed
		}
		r.shutDown(i)
	})
}

// remove takes an instance out of a group that is force-deleted: nothing is
// waited for, and no lifecycle hook runs (API reference,
// DeleteAutoScalingGroup).
func (r *Region) remove(i *instance) {
	if !i.leaving() {
		i.lifecycle = asg.LifecycleStateTerminating
		r.leaveSources(i)
	}
	r.shutDown(i)
}

// leaveSources deregisters an instance from its group's attached traffic
// sources.
func (r *Region) leaveSources(i *instance) []*target {
	var draining []*target
	for _, s := range i.group.sources {
		if s.attached() {
			draining = append(draining, r.deregisterFrom(s, i)...)
		}
	}
	return draining
}

// whenDrained waits until nothing is in flight to the targets, or their
// deregistration delay is over.
func (r *Region) whenDrained(targets []*target, then func()) {
	drained := func(t *target) bool { return t.drained }
	if targets = slices.DeleteFunc(targets, drained); len(targets) == 0 {
		then()
		return
	}
	r.after(time.Second, func() { r.whenDrained(targets, then) })
}

// shutDown is EC2's termination of an instance: its application stops at
// once, requests in flight die with it, nobody can complete its lifecycle
// actions any more, and after the shutdown it is gone.
func (r *Region) shutDown(i *instance) {
	r.shutDownAs(i, r.cutOffAll)
}

// shutDownAs is shutDown with a say in how the requests in flight are counted.
func (r *Region) shutDownAs(i *instance, drop func(*instance)) {
	if i.ec2 == shuttingDown || i.ec2 == terminated {
		return
	}
	r.endWait(i)
	g := i.group
	g.warm = slices.DeleteFunc(g.warm, func(other *instance) bool { return other == i })
	i.ec2 = shuttingDown
	i.dead = true
	drop(i)
	r.answersMayHaveChanged(i)
	r.after(r.timings.Shutdown, func() {
		i.ec2 = terminated
		i.lifecycle = asg.LifecycleStateTerminated
		r.endActivity(i.ending, asg.ScalingActivityStatusCodeSuccessful, "")
		g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
		r.targetsGone(i)
		r.reconcile(g)
	})
}
