package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// firstProbe is when a new target is first probed (assumed: at once, but
// not before the load balancer knows of it).
const firstProbe = time.Second

// beginTarget starts the life of a target of a group: unused as long as no load
// balancer routes to the group, else initial until its first health checks.
func (r *Region) beginTarget(tg *targetGroup, t *target) {
	switch {
	case len(tg.balancers) == 0:
		t.set(elb.TargetHealthStateEnumUnused, elb.TargetHealthReasonEnumNotInUse)
	case t.instance == nil || t.instance.ec2 == terminated:
		t.set(elb.TargetHealthStateEnumUnused, elb.TargetHealthReasonEnumInvalidState)
	default:
		t.set(elb.TargetHealthStateEnumInitial, elb.TargetHealthReasonEnumRegistrationInProgress)
		t.probing = ""
		r.probe(tg, t)
	}
}

// probe works out what a target's health checks come to, now that its
// application may have begun or ceased to answer. A new target is healthy
// after one success; an unhealthy one after HealthyThresholdCount in a row;
// any other is unhealthy after UnhealthyThresholdCount failures in a row
// ("Health checks for Application Load Balancer target groups"). Probes come
// at the interval, counted from the registration; only the one that completes a
// row is a timer.
func (r *Region) probe(tg *targetGroup, t *target) {
	var row int32
	want := elb.TargetHealthStateEnumHealthy
	switch t.state {
	case elb.TargetHealthStateEnumInitial:
		row = 1
		if tg.classic { // "before declaring the EC2 instance healthy" (Configure health checks, HealthyThreshold)
			row = aws.ToInt32(tg.config.HealthyThresholdCount)
		}
	case elb.TargetHealthStateEnumUnhealthy:
		row = aws.ToInt32(tg.config.HealthyThresholdCount)
	case elb.TargetHealthStateEnumHealthy:
	default:
		return // draining or unused: not checked
	}
	if !t.instance.answers() {
		want, row = elb.TargetHealthStateEnumUnhealthy, aws.ToInt32(tg.config.UnhealthyThresholdCount)
	}
	if want == t.state {
		t.generation++ // whatever was on its way is off
		t.probing = ""
		return
	}
	if t.probing == want {
		return
	}
	t.probing = want
	t.generation++
	generation := t.generation
	r.at(t.nextProbe(r.clock.now, int(row), tg.interval()), func() {
		if t.generation == generation && !t.gone {
			t.probing = ""
			r.becomes(tg, t, want)
		}
	})
}

// nextProbe is the instant of the n-th probe after now.
func (t *target) nextProbe(now time.Time, n int, interval time.Duration) time.Time {
	first := t.registered.Add(firstProbe)
	if !first.After(now) {
		first = first.Add(now.Sub(first).Truncate(interval) + interval)
	}
	return first.Add(time.Duration(n-1) * interval)
}

// becomes gives a target its new health and notifies those it concerns: the
// group's replacement of unhealthy instances and its traffic sources.
func (r *Region) becomes(tg *targetGroup, t *target, state elb.TargetHealthStateEnum) {
	reason := elb.TargetHealthReasonEnum("")
	if state == elb.TargetHealthStateEnumUnhealthy {
		reason = elb.TargetHealthReasonEnumFailedHealthChecks
	}
	t.set(state, reason)
	g := t.instance.group
	if state == elb.TargetHealthStateEnumUnhealthy {
		r.suspect(t.instance)
	}
	for _, s := range g.sources {
		if r.poolOf(s) == tg {
			r.settleSource(s)
		}
	}
}
