package region

import (
	"slices"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Traffic is a steady stream of requests to a target group, as its load
// balancer gets them, or to a Classic Load Balancer.
type Traffic struct {
	// TargetGroup, or ClassicLoadBalancer, is where it goes, by name.
	TargetGroup, ClassicLoadBalancer string
	// PerSecond is the number of requests; 0 means 10.
	PerSecond int
	// Takes is how long a request is in flight; 0 means 500 ms.
	Takes time.Duration
	// Long, if set, is how long every tenth request takes.
	Long time.Duration
	// Mix, if set, is how long requests take instead, in turn: short ones,
	// downloads, long polls.
	Mix []time.Duration
}

// Tally counts requests.
type Tally struct {
	Requests int
	// Failed requests found no target, found an application that does not
	// answer, or were in flight when their instance died or was cut off.
	Failed int
	// CutEarly are the failed requests that were in flight when their instance
	// left or their target's deregistration delay was over, and that could
	// have been saved: they would have ended within the deregistration delay,
	// had their target been deregistered in time. Of those that were in flight
	// when EC2 took a Spot Instance back, only what was sent to a target still
	// registered could. CutLate are those that no deregistration could have
	// saved. Requests that failed because somebody crashed or killed the
	// instance, or terminated it in EC2, are neither.
	CutEarly, CutLate int
	// Unvalidated requests were answered by an instance that no deployment
	// had put before users: it has no revision, or its deployment had not yet
	// rerouted. They are not counted as failed, although their answers are
	// not what users should see.
	Unvalidated int
	// Early requests are the unvalidated ones that reached an instance of a
	// replacement group before its deployment's reroute.
	Early int
}

func (t *Tally) add(o Tally) {
	t.Requests += o.Requests
	t.Failed += o.Failed
	t.CutEarly += o.CutEarly
	t.CutLate += o.CutLate
	t.Unvalidated += o.Unvalidated
	t.Early += o.Early
}

// Second is what happened to a stream within one second.
type Second struct {
	Tally
	At time.Time
	// Serving is the number of instances that the load balancer routed to at
	// the end of the second.
	Serving int
	// ByGroup counts the answered requests of each Auto Scaling group.
	ByGroup map[string]int
}

// second is a second while it is counted: nearly always by one group.
type second struct {
	Second
	byGroup []groupCount
}

type groupCount struct {
	group    string
	requests int
}

func (s *second) answered(group string) {
	for n := range s.byGroup {
		if s.byGroup[n].group == group {
			s.byGroup[n].requests++
			return
		}
	}
	s.byGroup = append(s.byGroup, groupCount{group, 1})
}

// Stream is traffic that has been started.
type Stream struct {
	r       *Region
	traffic Traffic
	target  *targetGroup
	seconds []second
	next    *timer // the next request
	began   time.Time
	sent    int
	turn    int
	stopped bool
	// failures are the causes of the failed requests, oldest first.
	failures []*Failure
}

// StartTraffic begins a stream of requests. It panics if that to which it goes
// does not exist.
func (r *Region) StartTraffic(t Traffic) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.PerSecond == 0 {
		t.PerSecond = 10
	}
	if t.Takes == 0 {
		t.Takes = 500 * time.Millisecond
	}
	tg := r.targetGroupNamed(t.TargetGroup)
	if b := r.balancers[t.ClassicLoadBalancer]; b != nil && b.classic {
		tg = b.pool
	}
	if tg == nil {
		panic("region: traffic for a target group that does not exist: " + t.TargetGroup + t.ClassicLoadBalancer)
	}
	s := &Stream{r: r, traffic: t, target: tg, began: r.clock.now}
	s.next = &timer{fire: func() { r.tick(s) }}
	r.streams = append(r.streams, s)
	r.tick(s)
	return s
}

// Stop ends the stream; requests in flight still end one way or the other.
func (s *Stream) Stop() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.stopped = true
}

// Total is the tally since the beginning.
func (s *Stream) Total() Tally {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	var sum Tally
	for _, second := range s.seconds {
		sum.add(second.Tally)
	}
	return sum
}

// Seconds is what happened, second by second, without a gap.
func (s *Stream) Seconds() []Second {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	all := make([]Second, len(s.seconds))
	for n, counted := range s.seconds {
		all[n] = counted.Second
		all[n].ByGroup = make(map[string]int, len(counted.byGroup))
		for _, c := range counted.byGroup {
			all[n].ByGroup[c.group] = c.requests
		}
	}
	return all
}

// TargetGroup is the name of the target group, or of the Classic Load
// Balancer, that the stream goes to.
func (s *Stream) TargetGroup() string { return s.target.name }

// tick sends one request and plans the next.
func (r *Region) tick(s *Stream) {
	if s.stopped {
		return
	}
	r.send(s)
	s.sent++
	// From the beginning, so that rounding does not add up.
	next := s.began.Add(time.Duration(s.sent) * time.Second / time.Duration(s.traffic.PerSecond))
	r.set(s.next, next)
}

// send routes one request: round robin over the healthy targets, and over all
// registered ones when none is healthy ("Target group health", fail open).
func (r *Region) send(s *Stream) {
	second := s.second(r.clock.now)
	second.Requests++
	node, live := r.node(s)
	if !live {
		s.fail(causeDeadNode, nil, "the load balancer's node is in a zone that has failed, and still in the DNS") // no connection
		return
	}
	targets := r.routable(s.target)
	second.Serving = len(targets)
	if len(targets) == 0 {
		s.fail("no-target", nil, r.whyNoTarget(s.target)) // 503
		return
	}
	t := targets[s.turn%len(targets)]
	s.turn++
	i := t.instance
	if !i.answers() {
		s.fail("not-answering", i, t.whyNoAnswer()) // 502 or 504
		return
	}
	second.answered(i.group.name)
	if !i.validated() {
		second.Unvalidated++
	}
	if i.group.early {
		second.Early++
	}
	takes := s.traffic.Takes
	if s.traffic.Long > 0 && s.sent%10 == 9 {
		takes = s.traffic.Long
	}
	if n := len(s.traffic.Mix); n > 0 {
		takes = s.traffic.Mix[s.sent%n]
	}
	now := r.clock.now
	if len(i.inFlight) >= i.crowded { // now and then: a request must not cost a walk over all others
		i.inFlight = slices.DeleteFunc(i.inFlight, func(f flight) bool { return !f.until.After(now) })
		i.crowded = 2*len(i.inFlight) + 32
	}
	i.inFlight = append(i.inFlight, flight{target: t, stream: s, node: node, sent: now, until: now.Add(takes)})
}

// routable are the targets that a load balancer sends requests to.
func (r *Region) routable(tg *targetGroup) []*target {
	if tg.deleted || len(tg.balancers) == 0 {
		return nil
	}
	if tg.routesOld {
		tg.routes, tg.routesOld = tg.route(), false
	}
	return tg.routes
}

func (tg *targetGroup) route() []*target {
	var healthy, registered []*target
	for _, t := range tg.targets {
		switch {
		case t.instance == nil: // none of this region's
		case t.isHealthy():
			healthy = append(healthy, t)
		case t.isUnhealthy() || t.state == elb.TargetHealthStateEnumInitial:
			registered = append(registered, t)
		}
	}
	healthy = append(healthy, tg.lingering...)
	if len(healthy) > 0 || tg.classic {
		return healthy // a Classic Load Balancer answers 503 without a healthy instance
	}
	return registered
}

// second is the entry for an instant, after all those before it.
func (s *Stream) second(at time.Time) *second {
	n := int(at.Sub(s.began) / time.Second)
	for len(s.seconds) <= n {
		s.seconds = append(s.seconds, second{Second: Second{At: s.began.Add(time.Duration(len(s.seconds)) * time.Second)}})
	}
	return &s.seconds[n]
}
