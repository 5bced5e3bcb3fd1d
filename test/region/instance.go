package region

import (
	"fmt"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// instance is an EC2 instance, the application on it, and its state in its
// Auto Scaling group.
type instance struct {
	id       string
	address  string // private
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
	// restarting says that its root volume is being replaced.
	restarting bool

	// inFlight holds requests that have ended as well, until there are crowded of
	// them.
	inFlight []flight
	crowded  int
	waiting  *wait  // for lifecycle actions; nil if it is not
	origin   string // where its launch hooks say it comes from
	// interrupted is when EC2 gave a Spot Instance notice, and atRisk says
	// that Capacity Rebalancing is replacing it.
	interrupted time.Time
	atRisk      bool
	released    bool      // Auto Scaling has no more to do with it but to see it gone
	drained     time.Time // when the last of its targets so far had drained
	// launching and ending are its scaling activities.
	launching, ending *activity
}

type ec2State string

const (
	pending      ec2State = "pending"
	running      ec2State = "running"
	stopping     ec2State = "stopping"
	stopped      ec2State = "stopped"
	shuttingDown ec2State = "shutting-down"
	terminated   ec2State = "terminated"
)

// answers reports whether a request, or a health check, finds an application.
func (i *instance) answers() bool {
	return i.ec2 == running && !i.dead && !i.crashed && !i.restarting && (i.revision != "" || i.group.bareAnswers)
}

// validated reports whether the instance may serve users: it has a revision, and
// the deployment that put it there has rerouted.
func (i *instance) validated() bool { return i.revision != "" && !i.group.early }

// counts reports whether the instance counts as capacity of its group.
func (i *instance) counts() bool {
	if i.atRisk {
		return false // its replacement does
	}
	switch i.lifecycle {
	case asg.LifecycleStatePending, asg.LifecycleStatePendingWait, asg.LifecycleStatePendingProceed, asg.LifecycleStateInService,
		asg.LifecycleStateReplacingRootVolume, asg.LifecycleStateReplacingRootVolumeWait, asg.LifecycleStateReplacingRootVolumeProceed, asg.LifecycleStateRootVolumeReplaced:
		return true
	}
	return false
}

// launch starts one instance of a group. It is Pending until it has booted
// and, where CodeDeploy's launch hook is on the group, until the hook's
// deployment is done.
func (r *Region) launch(g *group) *instance {
	if i := r.start(g); i != nil {
		return i
	}
	i := &instance{
		id:        "i-0" + r.ids.hex("instance", 16),
		zone:      r.launchZone(g),
		group:     g,
		launched:  r.clock.now,
		ec2:       pending,
		lifecycle: asg.LifecycleStatePending,
		origin:    locationEC2,
		protected: deref(g.config.NewInstancesProtectedFromScaleIn),
		revision:  g.imageRevision,
	}
	n := r.ids.next("private address")
	i.address = fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff)
	r.addresses[i.address] = i
	g.launches++
	g.instances = append(g.instances, i)
	r.instances[i.id] = i
	i.launching = r.beginActivity(g, i, "Launching a new EC2 instance: ", "an instance was started in response to a difference between desired and actual capacity")
	r.after(r.timings.Boot, func() { r.boot(i) })
	return i
}

func (r *Region) boot(i *instance) {
	if i.lifecycle != asg.LifecycleStatePending || i.ec2 != pending {
		return // terminated meanwhile
	}
	i.ec2 = running
	if i.origin == locationWarmPool {
		r.targetsBack(i)
	}
	r.answersMayHaveChanged(i)
	p := passage{transition: onLaunching, origin: i.origin, destination: locationGroup, waits: asg.LifecycleStatePendingWait}
	r.runHooks(i, p, func(result string) { r.hooked(i, result) })
}

// hooked continues a launch whose lifecycle hooks are done: ABANDON means
// that the instance is terminated and replaced. CodeDeploy's deployment to it
// comes after the other hooks; in truth they run side by side.
func (r *Region) hooked(i *instance, result string) {
	i.lifecycle = asg.LifecycleStatePending
	if result == resultAbandon {
		r.endActivity(i.launching, asg.ScalingActivityStatusCodeCancelled, "The lifecycle action was abandoned")
		i.lifecycle = asg.LifecycleStateTerminating
		r.shutDown(i)
		return
	}
	if d := i.group.launchHookOf(); d != nil {
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
	r.endActivity(i.launching, asg.ScalingActivityStatusCodeSuccessful, "")
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

// answersMayHaveChanged has the health checks of all target groups, and of
// EC2, run again.
func (r *Region) answersMayHaveChanged(i *instance) {
	for _, t := range r.targetsOf(i) {
		if t.instance == i {
			r.probe(t.group, t)
		}
	}
	if i.dead {
		r.suspect(i)
	}
}
