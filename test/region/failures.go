package region

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Failure is what befell requests of a stream: one cause at one instance.
type Failure struct {
	// Cause is no-target, not-answering, died-in-flight, cut-early or cut-late;
	// the last two as [Tally] has them. earlier stands for all causes that were
	// forgotten.
	Cause string
	// TargetGroup is where the requests went, Instance and Group the instance
	// and its Auto Scaling group; both empty where there was no target.
	TargetGroup, Instance, Group string
	Why                          string // in a sentence
	Requests                     int
	First, Last                  time.Time
}

// keptFailures bounds how many causes a stream remembers.
const keptFailures = 200

// causeEarlier sums up the causes that are not remembered any more.
const causeEarlier = "earlier"

// Failures explains all failed requests of the stream, the oldest cause first.
// Their requests add up to [Tally]'s Failed.
func (s *Stream) Failures() []Failure {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	all := make([]Failure, len(s.failures))
	for n, f := range s.failures {
		all[n] = *f
	}
	return all
}

// fail counts a failed request and explains it. i is nil where no instance was
// asked.
func (s *Stream) fail(cause string, i *instance, why string) {
	now := s.r.clock.now
	s.second(now).Failed++
	f := &Failure{Cause: cause, TargetGroup: s.traffic.TargetGroup, Why: why, Requests: 1, First: now, Last: now}
	if i != nil {
		f.Instance, f.Group = i.id, i.group.name
	}
	for n := len(s.failures) - 1; n >= 0; n-- { // the latest is mostly the one
		if old := s.failures[n]; old.Cause == f.Cause && old.Instance == f.Instance && old.Why == f.Why {
			old.Requests, old.Last = old.Requests+1, now
			return
		}
	}
	s.failures = append(s.failures, f)
	if len(s.failures) > keptFailures {
		s.forgetFailure()
	}
}

// forgetFailure adds the oldest cause to those that are summed up.
func (s *Stream) forgetFailure() {
	first, next := s.failures[0], s.failures[1]
	if first.Cause != causeEarlier {
		first = &Failure{Cause: causeEarlier, TargetGroup: first.TargetGroup, Why: "causes that are not remembered one by one", Requests: first.Requests, First: first.First, Last: first.Last}
	}
	first.Requests += next.Requests
	first.Last = next.Last
	s.failures = append([]*Failure{first}, s.failures[2:]...)
}

// whyNoTarget says why a load balancer finds nothing to route to.
func (r *Region) whyNoTarget(tg *targetGroup) string {
	switch {
	case r.targets[tg.arn] != tg:
		return "the target group has been deleted"
	case len(tg.balancers) == 0:
		return "no load balancer uses the target group"
	}
	states := map[string]int{}
	for _, t := range tg.targets {
		states[string(t.state)]++
	}
	var counts []string
	for state, n := range states {
		counts = append(counts, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(counts)
	if len(counts) == 0 {
		return "no target is registered"
	}
	return "no target takes requests: " + strings.Join(counts, ", ")
}

// whyNoAnswer says why an instance that is asked does not answer.
func (t *target) whyNoAnswer() string {
	i := t.instance
	why := "nothing answers on the instance"
	switch {
	case i.ec2 != running:
		why = "the instance is " + string(i.ec2)
	case i.dead:
		why = "the instance has failed"
	case i.crashed:
		why = "the application has crashed"
	case i.revision == "":
		why = "CodeDeploy has installed no revision on the instance"
	}
	return why + ", and the target is still " + string(t.state)
}
