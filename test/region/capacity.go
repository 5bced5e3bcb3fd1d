package region

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// reconcile makes a group's instances as many as desired, as far as the
// processes Launch and Terminate allow.
func (r *Region) reconcile(g *group) {
	if g.deleting {
		r.finishDelete(g)
		return
	}
	counted := g.counted()
	if missing := g.desired() - len(counted); missing > 0 && !g.isSuspended(processLaunch) {
		if reason := r.cannotLaunch(g); reason != "" {
			r.failLaunch(g, reason)
			missing = 0
		}
		for range missing {
			r.launch(g)
		}
	}
	if !g.isSuspended(processTerminate) {
		for _, victim := range r.scaleInVictims(counted, len(counted)-g.desired()) {
			r.scaleIn(victim)
		}
		r.retireAtRisk(g)
	}
	r.rebalance(g)
}

// counted are the instances that make up a group's capacity. One that is
// launched to even out the zones is not among them before it is in service.
func (g *group) counted() []*instance {
	if i := g.rebalancing; i != nil && (i.lifecycle == asg.LifecycleStateInService || i.leaving()) {
		g.rebalancing = nil
	}
	var counted []*instance
	for _, i := range g.instances {
		if i.counts() && i != g.rebalancing {
			counted = append(counted, i)
		}
	}
	return counted
}

// rebalance launches an instance in the zone that has the fewest, where another
// zone has two more; the scale-in that follows takes one from there. "When
// rebalancing, Amazon EC2 Auto Scaling launches new instances before
// terminating the old ones".
func (r *Region) rebalance(g *group) {
	if !r.options.RebalancesZones || g.isSuspended(processAZRebalance) || g.isSuspended(processLaunch) || g.isSuspended(processTerminate) {
		return
	}
	counted := g.counted()
	if g.rebalancing != nil || len(counted) != g.desired() {
		return
	}
	n := map[string]int{}
	for _, i := range counted {
		if i.lifecycle != asg.LifecycleStateInService {
			return // when it has settled
		}
		n[i.zone]++
	}
	byCount := func(a, b string) int { return cmp.Or(cmp.Compare(n[a], n[b]), strings.Compare(a, b)) }
	zones := r.workingZones(g)
	if len(zones) == 0 {
		return
	}
	least, most := slices.MinFunc(zones, byCount), slices.MaxFunc(zones, byCount)
	if n[most]-n[least] >= 2 {
		g.rebalancing = r.launch(g)
		g.rebalancing.zone = least
	}
}

// lacksTargetGroup reports whether a target group that is attached to a group has
// been deleted: then nothing can be launched ("Troubleshoot Amazon EC2 Auto
// Scaling: Load balancer issues").
func (r *Region) lacksTargetGroup(g *group) bool {
	return slices.ContainsFunc(g.sources, func(s *source) bool {
		return s.kind == sourceELBV2 && s.attached() && r.targets[s.id] == nil
	})
}

// launchAgain is how long after a failed launch Auto Scaling tries again
// (assumed).
const launchAgain = time.Minute

// cannotLaunch says why a group cannot launch anything, empty if it can.
func (r *Region) cannotLaunch(g *group) string {
	switch {
	case r.lacksTargetGroup(g):
		return "One or more target groups not found. Validating load balancer configuration failed."
	case len(r.workingZones(g)) == 0:
		return "We currently do not have sufficient capacity in the Availability Zones you requested. Launching EC2 instance failed."
	}
	return ""
}

func (r *Region) failLaunch(g *group, reason string) {
	if g.launchFailed {
		return // the next attempt is on its way
	}
	a := r.beginActivity(g, nil, "Launching a new EC2 instance.  Status Reason: "+reason, "an instance was started in response to a difference between desired and actual capacity")
	r.endActivity(a, asg.ScalingActivityStatusCodeFailed, reason)
	g.launchFailed = true
	r.after(launchAgain, func() {
		g.launchFailed = false
		r.reconcile(g)
	})
}

// scaleInVictims picks n instances by the default termination policy, fewer
// where others are protected: each from the Availability Zone with the most
// instances, and there the one closest to the next billing hour ("Configure
// termination policies for Amazon EC2 Auto Scaling", default policy). All
// instances of a group have the same launch template here, so that step decides
// nothing.
func (r *Region) scaleInVictims(from []*instance, n int) []*instance {
	if n <= 0 {
		return nil
	}
	toBillingHour := func(i *instance) time.Duration {
		return time.Hour - r.clock.now.Sub(i.launched)%time.Hour
	}
	order := func(a, b *instance) int {
		return cmp.Or(cmp.Compare(toBillingHour(a), toBillingHour(b)), strings.Compare(a.id, b.id))
	}
	left := map[string]int{}
	candidates := map[string][]*instance{} // by zone, the next one first
	for _, i := range from {
		left[i.zone]++
		if !i.protected {
			candidates[i.zone] = append(candidates[i.zone], i)
		}
	}
	for _, zone := range candidates {
		slices.SortFunc(zone, order)
	}
	var victims []*instance
	for len(victims) < n && len(candidates) > 0 {
		zone := slices.MinFunc(slices.Collect(maps.Keys(candidates)), func(a, b string) int {
			return cmp.Or(cmp.Compare(left[b], left[a]), order(candidates[a][0], candidates[b][0]))
		})
		victims = append(victims, candidates[zone][0])
		left[zone]--
		if candidates[zone] = candidates[zone][1:]; len(candidates[zone]) == 0 {
			delete(candidates, zone)
		}
	}
	return victims
}

// suspect has Auto Scaling check an instance that may have become
// unhealthy, when it has had the time to notice.
func (r *Region) suspect(i *instance) {
	r.after(r.timings.Replace, func() { r.checkHealth(i) })
}

func (r *Region) suspectAll(g *group) {
	for _, i := range g.instances {
		r.suspect(i)
	}
}

// checkHealth replaces an instance whose EC2 instance is gone or, in a group
// with ELB health checks, that an attached target group reports as unhealthy
// once the grace period is over ("Health checks for instances in an Auto
// Scaling group"). HealthCheck suspended, nothing is marked; ReplaceUnhealthy
// suspended, nothing is replaced.
func (r *Region) checkHealth(i *instance) {
	g := i.group
	if i.lifecycle != asg.LifecycleStateInService {
		return
	}
	if !i.unhealthy && !g.isSuspended(processHealthCheck) {
		switch {
		case i.ec2 != running || i.dead:
			i.unhealthy = true
		case g.checksELB() && r.failsAttached(i):
			if ready := i.inService.Add(g.grace()); r.clock.now.Before(ready) {
				r.at(ready, func() { r.checkHealth(i) })
				return
			}
			i.unhealthy = true
		}
	}
	if i.unhealthy && !g.isSuspended(processReplaceUnhealthy) && !g.isSuspended(processTerminate) {
		r.terminate(i)
		r.reconcile(g)
	}
}

// failsAttached reports whether a target group, or a Classic Load Balancer, that is
// attached to the instance's group reports it as unhealthy. A target that is
// not registered, draining or still initial has no verdict, and a traffic
// source has none before it is InService: "If no registered instances pass the
// health checks (for example, due to a misconfigured health check), the load
// balancer doesn't enter the InService state. Amazon EC2 Auto Scaling doesn't
// terminate and replace the instances" ("Understand the attachment status of
// your load balancer").
func (r *Region) failsAttached(i *instance) bool {
	for _, s := range i.group.sources {
		pool := r.poolOf(s)
		if pool == nil || s.state != inService {
			continue
		}
		if slices.ContainsFunc(pool.targetsOf(i), (*target).isUnhealthy) {
			return true
		}
	}
	return false
}

func (g *group) healthChecks() []string {
	return strings.Split(aws.ToString(g.config.HealthCheckType), ",")
}

// deleteGroup begins to delete a group with all its instances. A force
// delete skips lifecycle hooks and waits for nothing.
func (r *Region) deleteGroup(g *group) {
	g.deleting = true
	g.config.MinSize, g.config.MaxSize, g.config.DesiredCapacity = aws.Int32(0), aws.Int32(0), aws.Int32(0)
	for _, i := range slices.Clone(g.warm) {
		if i.ec2 != stopped {
			r.shutDown(i)
			continue
		}
		r.leavePool(i)
		i.lifecycle, i.released = asg.LifecycleStateWarmedTerminated, true
		r.setEC2(i, terminated)
	}
	for _, i := range slices.Clone(g.instances) {
		r.remove(i)
	}
	r.finishDelete(g)
}

func (r *Region) finishDelete(g *group) {
	if len(g.instances) == 0 && !g.deleted {
		g.deleted = true
		r.deletedGroups = append(r.deletedGroups, g)
		delete(r.groups, g.name)
	}
}
