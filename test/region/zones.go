package region

import (
	"cmp"
	"slices"
)

// FailZone has an Availability Zone fail, as when its power does: every instance in
// it dies at once, whatever its group; nothing can be launched there; and the node
// that each load balancer has in it is gone. That all of it fails at the same instant,
// and that launches are refused, is assumed: real failures are seldom as clean.
func (r *Region) FailZone(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, failed := r.failedZones[zone]; failed {
		return
	}
	r.failedZones[zone] = r.clock.now
	for _, i := range sorted(r.instances) {
		if i.zone == zone && i.ec2 != terminated {
			r.die(i)
		}
	}
	for _, i := range sorted(r.instances) {
		r.dropThrough(i, zone)
	}
}

// RestoreZone ends what [Region.FailZone] began. Dead instances stay dead; groups may
// launch there again.
func (r *Region) RestoreZone(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failedZones, zone)
	for _, g := range sorted(r.groups) {
		r.after(0, func() { r.reconcile(g) })
	}
}

// die is the end of an instance whose hardware fails. It sends no event: EC2 says
// running for as long as nobody has terminated it (assumed).
func (r *Region) die(i *instance) {
	i.dead = true
	r.dropInFlight(i)
	r.answersMayHaveChanged(i)
}

// workingZones are a group's Availability Zones that have not failed.
func (r *Region) workingZones(g *group) []string {
	return slices.DeleteFunc(slices.Clone(g.zones()), func(zone string) bool {
		_, failed := r.failedZones[zone]
		return failed
	})
}

// launchZone is where a group launches its next instance: "by attempting to launch new
// instances in the Availability Zone with the fewest instances. If the attempt fails,
// however, Amazon EC2 Auto Scaling attempts to launch in other Availability Zones until
// it succeeds" ("Add an Availability Zone"). A group that names no zones, in a region
// where none has failed, takes turns.
func (r *Region) launchZone(g *group) string {
	zones := r.workingZones(g)
	if len(g.config.AvailabilityZones) == 0 && len(r.failedZones) == 0 {
		return zones[g.launches%len(zones)]
	}
	n := map[string]int{}
	for _, i := range g.instances {
		if i.counts() {
			n[i.zone]++
		}
	}
	return slices.MinFunc(zones, func(a, b string) int { return cmp.Compare(n[a], n[b]) })
}

// node is the zone of the load balancer's node that the next request of a stream goes
// to, empty where nobody has said which zones the load balancer has. "ELB creates a load
// balancer node for each Availability Zone you enable for the load balancer", and with
// cross-zone load balancing, which an Application Load Balancer always has, each node
// distributes requests over the targets in all zones ("Add an Availability Zone").
// Clients choose among the nodes' addresses by turns.
//
// A failed zone's node is in the DNS for a while, and clients do not try another address
// (assumed; browsers do): requests that go there fail, and live reports it.
func (r *Region) node(s *Stream) (zone string, live bool) {
	zones := s.target.zones
	if len(zones) > 0 && len(r.failedZones) == 0 {
		return zones[s.sent%len(zones)], true
	}
	inDNS := slices.DeleteFunc(slices.Clone(zones), func(zone string) bool {
		since, failed := r.failedZones[zone]
		return failed && r.clock.now.Sub(since) >= r.timings.DNS
	})
	if len(inDNS) == 0 {
		return "", len(zones) == 0
	}
	zone = inDNS[s.sent%len(inDNS)]
	_, failed := r.failedZones[zone]
	return zone, !failed
}

// dropThrough fails what is in flight to an instance through a failed zone's node.
func (r *Region) dropThrough(i *instance, zone string) {
	i.inFlight = slices.DeleteFunc(i.inFlight, func(f flight) bool {
		if f.node != zone || !f.until.After(r.clock.now) {
			return false
		}
		f.stream.fail(causeDeadNode, i, "the request was in flight through the load balancer's node in a zone that failed")
		return true
	})
}

// causeDeadNode is the cause of failures at a load balancer's node.
const causeDeadNode = "dead-node"

// ZoneOf is the Availability Zone of an instance, "" if there is none.
func (r *Region) ZoneOf(instance string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil {
		return i.zone
	}
	return ""
}

// Running are the IDs of all instances that have been launched and have neither died nor
// been terminated, whatever their groups, in a fixed order.
func (r *Region) Running() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range sorted(r.instances) {
		if !i.dead && (i.ec2 == running || i.ec2 == pending) {
			ids = append(ids, i.id)
		}
	}
	return ids
}
