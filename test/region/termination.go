package region

import (
	"slices"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// leaving reports whether an instance is on its way out of its group, or has left.
func (i *instance) leaving() bool {
	switch i.lifecycle {
	case asg.LifecycleStateTerminating, asg.LifecycleStateTerminatingWait, asg.LifecycleStateTerminatingProceed, asg.LifecycleStateTerminated:
		return true
	}
	return i.released || i.pooled()
}

// terminate takes an instance out of its group: "If the Auto Scaling group is
// being used with Elastic Load Balancing, the terminating instance is first
// deregistered from the load balancer. If connection draining is enabled, the
// instance stops accepting new connections and waits for existing connections
// to drain before completing the deregistration process. The lifecycle hook
// puts the instance into a wait state (Terminating:Wait)" ("How lifecycle
// hooks work in Auto Scaling groups"). It knows of no target groups but the
// attached ones. A dead instance has nothing in flight to wait for.
func (r *Region) terminate(i *instance) { r.leave(i, locationEC2) }

// scaleIn is terminate for an instance that the group no longer needs: it may
// go to the warm pool instead.
func (r *Region) scaleIn(i *instance) {
	if i.dead || i.lifecycle != asg.LifecycleStateInService {
		r.leave(i, locationEC2)
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

// runTerminateHooks has an instance wait for its hooks and ends its stay then.
// That ABANDON keeps it out of the warm pool is assumed.
func (r *Region) runTerminateHooks(i *instance, destination string) {
	if i.released {
		return // somebody has been faster
	}
	p := passage{transition: onTerminating, origin: locationGroup, destination: destination, waits: asg.LifecycleStateTerminatingWait}
	if destination == locationWarmPool {
		p.waits = r.enterPool(i)
	}
	r.runHooks(i, p, func(result string) {
		if destination == locationWarmPool && result == resultContinue {
			r.rest(i)
			return
		}
		i.lifecycle = asg.LifecycleStateTerminatingProceed
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

// shutDown is the end of an instance's stay in its group: EC2 terminates it
// unless it has already, and nobody can complete its lifecycle actions any
// more.
func (r *Region) shutDown(i *instance) {
	i.released = true
	r.endWait(i)
	r.leavePool(i)
	if i.ec2 == terminated {
		r.gone(i)
		return
	}
	r.endInstance(i, r.cutOffAll)
}

// gone takes a terminated instance out of its group.
func (r *Region) gone(i *instance) {
	g := i.group
	i.lifecycle = asg.LifecycleStateTerminated
	r.endActivity(i.ending, asg.ScalingActivityStatusCodeSuccessful, "")
	g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
	r.forgetLater(i)
	r.reconcile(g)
}

// targetsKept is how long target groups show a terminated instance, as unused,
// before it is deregistered for them (assumed).
const targetsKept = time.Minute

// endInstance is EC2's termination of an instance: its application stops at
// once and requests in flight die with it, counted as drop does; after the
// shutdown it is terminated. Its group, where it is not the group's doing,
// finds out at its next health check.
func (r *Region) endInstance(i *instance, drop func(*instance)) {
	if i.ec2 == shuttingDown || i.ec2 == terminated {
		return
	}
	i.dead = true
	drop(i)
	r.setEC2(i, shuttingDown)
	r.answersMayHaveChanged(i)
	r.after(r.timings.Shutdown, func() {
		r.setEC2(i, terminated)
		r.targetsGone(i)
		r.after(targetsKept, func() { r.forgetTargets(i) })
		if i.released {
			r.gone(i)
		}
	})
}

// ec2Ends is the end of an instance that is not its group's doing: a Spot
// interruption, a termination by hand. Lifecycle hooks and scale-in protection
// are bypassed ("Gracefully handle instance termination"). A group that has the
// instance in service runs its terminate hooks when its next health check finds
// the instance gone ("Health checks for instances in an Auto Scaling group").
// That an action under way ends with the instance is assumed.
func (r *Region) ec2Ends(i *instance, drop func(*instance)) {
	if i.ec2 == stopped && i.pooled() {
		return // nothing runs that could be ended (the test's mistake)
	}
	r.endInstance(i, drop)
	switch i.lifecycle {
	case asg.LifecycleStateInService, asg.LifecycleStateStandby, asg.LifecycleStateEnteringStandby, asg.LifecycleStateDetaching, asg.LifecycleStateDetached:
		r.suspect(i)
	default:
		r.shutDown(i)
	}
}
