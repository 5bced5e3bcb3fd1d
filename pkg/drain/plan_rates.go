package drain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// deregisterLimit is how many targets go into one DeregisterTargets; AWS documents
// no limit, and the AWS Load Balancer Controller takes as many.
const deregisterLimit = 200

// allotDeregistrations leaves out the deregistrations that the budget does not
// allow: first come interrupted instances, then new drains, then the oldest.
func allotDeregistrations(steps []Step, b Budget) {
	type turn struct {
		Target
		rank  int // 0 for an interrupted instance, 1 for a new drain, 2 for the rest
		since time.Time
	}
	var turns []turn
	targets := map[string]int{}
	for _, s := range steps {
		for _, t := range s.Deregister {
			rank := min(s.Next.Balancers[t.Balancer].Times, 1) + 1
			if !s.Next.EC2EndsAt.IsZero() {
				rank = 0
			}
			turns = append(turns, turn{t, rank, s.Next.Since})
			targets[t.Balancer]++
		}
	}
	slices.SortFunc(turns, func(x, y turn) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), x.since.Compare(y.since), strings.Compare(x.Balancer, y.Balancer))
	})
	left := min(b.Deregister, b.Balancing)
	allowed := map[string]bool{}
	for _, t := range turns {
		if calls := (targets[t.Balancer] + deregisterLimit - 1) / deregisterLimit; !allowed[t.Balancer] && (calls <= left || left > 0 && len(allowed) == 0) {
			left -= calls
			allowed[t.Balancer] = true
		}
	}
	for i := range steps {
		steps[i].Deregister = slices.DeleteFunc(slices.Clone(steps[i].Deregister), func(t Target) bool { return !allowed[t.Balancer] })
	}
}

// allotReleases leaves out the heartbeats and releases that the budget does not
// allow: first come drains whose actions need a heartbeat, the next to time out
// first, then those that only wait for their release. A release costs as much as a
// heartbeat, so an instance that can be released gets no heartbeat.
func allotReleases(steps []Step, b Budget) {
	var due, ready []*Step
	for i := range steps {
		switch s := &steps[i]; {
		case s.Heartbeat:
			due = append(due, s)
		case s.Release:
			ready = append(ready, s)
		}
	}
	slices.SortStableFunc(due, func(a, b *Step) int { return a.Next.timesOut().Compare(b.Next.timesOut()) })
	left := b.AutoScaling
	for _, s := range append(due, ready...) {
		if calls := s.Next.present(); calls <= left {
			left -= calls
			continue
		}
		left = 0 // keep the order: none after it is allowed
		if s.Release {
			s.Release, s.End = false, ""
			s.waitFor("its turn within the rate of Auto Scaling's calls")
		}
		s.Heartbeat = false
	}
}

// present counts the actions that are there.
func (d Drain) present() (n int) {
	for _, a := range d.Actions {
		if a.Absent.IsZero() {
			n++
		}
	}
	return n
}
