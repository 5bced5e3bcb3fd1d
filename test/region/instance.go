package region

import (
	"slices"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// instance is an EC2 instance, the application on it, and its place in its
// Auto Scaling group.
type instance struct {
	id       string
	zone     string
	group    *group // stays set after the instance has left it
	launched time.Time

	ec2       ec2State
	lifecycle asg.LifecycleState
	unhealthy bool // Auto Scaling's verdict, not the target groups'
	protected bool // from scale-in
	inService time.Time
	// revision is what CodeDeploy has installed; "" on an instance that it
	// has not reached. Instances of groups that CodeDeploy did not make bring
	// their application in their image.
	revision string
	crashed  bool // the application, by hand
	dead     bool // no longer answers, for good

	inFlight []flight
}

type ec2State string

const (
	pending      ec2State = "pending"
	running      ec2State = "running"
	shuttingDown ec2State = "shutting-down"
	terminated   ec2State = "terminated"
)

// answers says whether a request, or a health check, finds an application.
func (i *instance) answers() bool {
	return i.ec2 == running && !i.dead && !i.crashed && (i.revision != "" || i.group.bareAnswers)
}

// validated says whether the instance may serve users: it has a revision, and
// the deployment that put it there has rerouted.
func (i *instance) validated() bool { return i.revision != "" && !i.group.early }

// counts says whether the instance counts as capacity of its group.
func (i *instance) counts() bool {
	switch i.lifecycle {
	case asg.LifecycleStatePending, asg.LifecycleStatePendingWait, asg.LifecycleStatePendingProceed, asg.LifecycleStateInService:
		return true
	}
	return false
}

// launch starts one instance of a group. It is Pending until it has booted
// and, where CodeDeploy's launch hook is on the group, until the hook's
// deployment is done.
func (r *Region) launch(g *group) *instance {
	zones := g.zones()
	i := &instance{
		id:        "i-0" + r.ids.hex("instance", 16),
		zone:      zones[g.launches%len(zones)],
		group:     g,
		launched:  r.clock.now,
		ec2:       pending,
		lifecycle: asg.LifecycleStatePending,
		protected: deref(g.config.NewInstancesProtectedFromScaleIn),
		revision:  g.imageRevision,
	}
	g.launches++
	g.instances = append(g.instances, i)
	r.instances[i.id] = i
	r.after(r.timings.Boot, func() { r.boot(i) })
	return i
}

func (r *Region) boot(i *instance) {
	if i.lifecycle != asg.LifecycleStatePending || i.ec2 != pending {
		return // terminated meanwhile
	}
	i.ec2 = running
	r.answersMayHaveChanged(i)
	if d := i.group.launchHookOf(r); d != nil {
		r.deployToLaunched(d, i)
		return
	}
	r.putInService(i)
}

// putInService is the end of a launch. Instances launched while
// AddToLoadBalancer is suspended are not added, nor when it is resumed
// (Auto Scaling user guide, "Suspend and resume processes").
func (r *Region) putInService(i *instance) {
	if i.lifecycle != asg.LifecycleStatePending {
		return
	}
	i.lifecycle = asg.LifecycleStateInService
	i.inService = r.clock.now
	g := i.group
	if !g.isSuspended(processAddToLoadBalancer) {
		for _, s := range g.sources {
			if s.attached() {
				r.registerWith(s, i)
			}
		}
	}
	r.reconcile(g)
}

// terminate takes an instance out of its group. Auto Scaling first
// deregisters it from the traffic sources that are attached and waits for
// connection draining; it knows of no others ("Use Elastic Load Balancing to
// distribute incoming application traffic", and lifecycle hooks come after).
// A force delete does not wait.
func (r *Region) terminate(i *instance, force bool) {
	if i.lifecycle == asg.LifecycleStateTerminating || i.ec2 == shuttingDown || i.ec2 == terminated {
		return
	}
	i.lifecycle = asg.LifecycleStateTerminating
	var draining []*target
	for _, s := range i.group.sources {
		if s.attached() {
			draining = append(draining, r.deregisterFrom(s, i)...)
		}
	}
	if force {
		r.shutDown(i)
		return
	}
	r.whenDrained(draining, func() { r.shutDown(i) })
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
// once, requests in flight die with it, and after the shutdown it is gone.
func (r *Region) shutDown(i *instance) {
	if i.ec2 == shuttingDown || i.ec2 == terminated {
		return
	}
	i.ec2 = shuttingDown
	i.dead = true
	r.dropInFlight(i)
	r.answersMayHaveChanged(i)
	r.after(r.timings.Shutdown, func() {
		i.ec2 = terminated
		i.lifecycle = asg.LifecycleStateTerminated
		g := i.group
		g.instances = slices.DeleteFunc(g.instances, func(other *instance) bool { return other == i })
		r.targetsGone(i)
		r.reconcile(g)
	})
}

// answersMayHaveChanged tells the health checks of all target groups, and of
// EC2, to look.
func (r *Region) answersMayHaveChanged(i *instance) {
	for _, tg := range sorted(r.targets) {
		for _, t := range tg.targets {
			if t.instance == i {
				r.probe(tg, t)
			}
		}
	}
	if i.dead {
		r.suspect(i)
	}
}
