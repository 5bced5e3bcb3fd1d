package drain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// learnTargets is the drain with what was observed of its load balancers.
func (d Drain) learnTargets(cfg Config, o *Observation) Drain {
	wanted := o.Wanted[d.Group]
	d.BalancersKnown = d.BalancersKnown || wanted.Complete && (!cfg.FindTargetGroups || o.Searched[d.Instance])
	before := d.Balancers
	d.Balancers = maps.Clone(before)
	if d.Balancers == nil {
		d.Balancers = map[string]Left{}
	}
	delayKnown := d.BalancersKnown
	for _, id := range o.balancersOf(d) {
		left, seen := before[id]
		b := o.Balancers[id]
		delayKnown = delayKnown && b.DelayKnown
		d.Delay = max(d.Delay, int(b.Delay/time.Second))
		if b.Network {
			d.Delay = max(d.Delay, int(cfg.NetworkTargetWait/time.Second))
		}
		if registered, read := o.Targets[id]; read {
			left.Drained = true
			for _, t := range registered[d.Instance] {
				left.Drained = left.Drained && t.Unused()
			}
			attached := slices.Contains(wanted.Attached, id)
			if b.Network && left.Drained && o.Now.Before(d.networkSince(b, before[id], seen, attached).Add(cfg.NetworkTargetWait)) {
				left.Drained = false
			}
		}
		d.Balancers[id] = left
	}
	if len(d.Balancers) == 0 {
		d.Balancers = nil // as it is read again
	}
	if d.DelaySince.IsZero() && delayKnown {
		d.DelaySince = o.Now
	}
	return d
}

// networkSince is from when on an instance that a Network Load Balancer shows no
// more is kept: its own deregistration, or the beginning of the drain if it was
// seen leaving then. Its group deregisters it and waits for the delay before it
// runs the hook ("the group waits for the instance to deregister", Amazon EC2 Auto
// Scaling User Guide).
func (d Drain) networkSince(b Balancer, left Left, seen, attached bool) time.Time {
	switch {
	case !left.At.IsZero():
		return left.At
	case attached && len(d.Actions) > 0:
		return d.Since.Add(-b.Delay)
	case seen && !left.Drained:
		return d.Since
	}
	return time.Time{}
}

// registeredAgain is after how many deregistrations somebody else must be
// registering the instance again.
const registeredAgain = 3

// planTargets plans which registrations to end, says what is in flight, and reports
// whether it is clear that nothing is, and whether all registrations could be read.
func (s *Step) planTargets(o *Observation) (clear, read bool) {
	d := s.Next
	var inFlight, unknown []string
	for _, id := range slices.Sorted(maps.Keys(d.Balancers)) {
		left := d.Balancers[id]
		registered, read := o.Targets[id]
		switch {
		case !read && !d.EC2EndsAt.IsZero() && left.Times == 0 && o.Failed[Question{aboutTargets, id}] != nil:
			// Who is registered cannot be read, and there is no time: the target
			// group's own port is the best guess.
			s.Deregister = append(s.Deregister, Target{id, fleet.Target{Instance: d.Instance}})
			unknown = append(unknown, balancerName(id))
		case !read && !left.Drained:
			unknown = append(unknown, balancerName(id))
		case read && !left.Drained:
			inFlight = append(inFlight, s.leave(id, left, registered[d.Instance])...)
		}
	}
	if !d.BalancersKnown {
		s.waitForAnswer(o, "an answer on which target groups the instance is in", Question{aboutWanted, d.Group})
	}
	if len(unknown) > 0 {
		s.waitForAnswer(o, "an answer on targets in "+strings.Join(unknown, ", "), Question{aboutTargets, unknownID(d, o)})
	}
	if len(inFlight) > 0 {
		s.waitFor("requests in flight by way of %s", strings.Join(inFlight, ", "))
	}
	read = d.BalancersKnown && len(unknown) == 0
	return read && len(inFlight) == 0, read
}

// leave plans to end an instance's registrations in a load balancer, and says what is
// in flight by way of it.
func (s *Step) leave(id string, left Left, registered []fleet.Target) (inFlight []string) {
	routes := false
	for _, t := range registered {
		target := Target{id, t}
		if !t.Unused() {
			inFlight = append(inFlight, target.String())
		}
		if routed(t) {
			s.Deregister = append(s.Deregister, target)
			routes = true
		}
	}
	if routes && left.Times >= registeredAgain {
		s.notify("registered again: "+id, Report{Outcome: ActionRequired,
			Reason: fmt.Sprintf("somebody registers the instance with %q again, after %d deregistrations", balancerName(id), left.Times),
			Remedy: "Find what registers it, and stop it: until then the instance gets requests up to its end."})
	}
	if len(inFlight) == 0 {
		inFlight = []string{balancerName(id) + ", which may still send connections"}
	}
	return inFlight
}

// unknownID is the first load balancer whose targets could not be read.
func unknownID(d Drain, o *Observation) string {
	for _, id := range slices.Sorted(maps.Keys(d.Balancers)) {
		if o.Failed[Question{aboutTargets, id}] != nil {
			return id
		}
	}
	return ""
}

// waitForAnswer adds a question that has no answer yet to the blockers.
func (s *Step) waitForAnswer(o *Observation, what string, about Question) {
	b := Blocker{What: what}
	if err := o.Failed[about]; err != nil {
		b.Why, b.Remedy = fault.Message(err), remedy(err)
	}
	s.Blockers = append(s.Blockers, b)
}
