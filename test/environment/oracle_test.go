package environment

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

// nodeNamed is how long clients use the address of a load balancer's node in a failed
// zone (the region's Timings.DNS).
const nodeNamed = 90 * time.Second

// unanswered lists the requests that failed although they could have been answered.
//
// A request could have been answered unless
//   - it was in flight on an instance at the instant at which the instance died, or
//     through the load balancer's node of a zone at the instant at which the zone failed;
//   - it was sent to a dead instance before the load balancer's health checks could notice
//     (see [environment.noticed]): a load balancer does not send a request to another
//     target when one has not answered;
//   - it was sent to the load balancer's node in a failed zone before clients could know
//     from the DNS ([nodeNamed]).
//
// Every other one could: a failure at any instance that lives, at a dead one later than
// that, with no target at all, or of a request cut off by a deregistration or a
// termination. A request that was answered by an instance whose version was not released
// counts as well.
func (e *environment) unanswered() (list []string) {
	noticed := e.noticed()
	for _, f := range e.users.Failures() {
		if !e.excused(f, noticed) {
			list = append(list, fmt.Sprintf("%d from %s to %s: %s at %s: %s", f.Requests, e.since(f.First), e.since(f.Last), f.Cause, f.Instance, f.Why))
		}
	}
	if n := e.users.Total().Unvalidated; n > 0 {
		list = append(list, fmt.Sprintf("%d were answered by an instance whose version was not released", n))
	}
	return list
}

func (e *environment) excused(f region.Failure, noticed time.Duration) bool {
	for _, l := range e.losses {
		within := func(span time.Duration) bool { return !f.First.Before(l.at) && !f.Last.After(l.at.Add(span)) }
		lost := false
		for _, i := range l.instances {
			lost = lost || i == f.Instance
		}
		switch {
		case f.Cause == "died-in-flight" && lost && within(0),
			f.Cause == "not-answering" && lost && within(noticed),
			f.Cause == "dead-node" && l.zone != "" && within(nodeNamed):
			return true
		}
	}
	return false
}

// noticed is how long the target group's health checks take to find an instance dead at
// most: as many failures in a row as its threshold, an interval apart, and the last one
// times out ("Health checks for Application Load Balancer target groups").
func (e *environment) noticed() time.Duration {
	e.t.Helper()
	out, err := e.ELBV2().DescribeTargetGroups(e.t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{"web"}})
	if err != nil {
		e.t.Fatal(err)
	}
	tg := out.TargetGroups[0]
	return time.Duration(aws.ToInt32(tg.UnhealthyThresholdCount)*aws.ToInt32(tg.HealthCheckIntervalSeconds)+aws.ToInt32(tg.HealthCheckTimeoutSeconds)) * time.Second
}

// since is a time as that since the first loss.
func (e *environment) since(at time.Time) string {
	if len(e.losses) == 0 {
		return at.Sub(e.Start()).String()
	}
	return at.Sub(e.losses[0].at).String()
}

// TestTheOracleCanFail: what is claimed of production is not so of environments that
// lack what it rests on.
func TestTheOracleCanFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*configuration)
		play   func(*environment)
	}{
		"one instance": {func(c *configuration) { c.instances = 1 }, func(e *environment) { e.lose(e.InService(e.svc.Group)[0]) }},
		"one zone":     {func(c *configuration) { c.zones = c.zones[:1] }, func(e *environment) { e.loseZone(e.config.zones[0]) }},
		"a scale-in after a release without hooks": {func(c *configuration) { c.withoutHooks = true }, func(e *environment) {
			e.deploy()
			e.settle()
			e.Scale(e.GroupOf(e.svc), 2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := production()
			c.change(&config)
			e := start(t, config)
			c.play(e)
			e.Advance(20 * time.Minute)
			if len(e.unanswered()) == 0 {
				t.Errorf("no request is found that could have been answered, of %d failed: %+v", e.users.Total().Failed, e.users.Failures())
			}
		})
	}
}

// TestALaterFailureIsNoExcuse: what fails at a dead instance is excused only until the
// health checks can have noticed.
func TestALaterFailureIsNoExcuse(t *testing.T) {
	t.Parallel()
	e := start(t, production())
	died := e.Now()
	e.losses = []loss{{at: died, instances: []string{"i-dead"}, zone: "eu-west-1a"}}
	for _, c := range []struct {
		name          string
		cause, at     string
		first, last   time.Duration
		wantedExcused bool
	}{
		{"in flight at its death", "died-in-flight", "i-dead", 0, 0, true},
		{"in flight elsewhere", "died-in-flight", "i-alive", 0, 0, false},
		{"sent before the health checks notice", "not-answering", "i-dead", 0, 25 * time.Second, true},
		{"sent after the health checks notice", "not-answering", "i-dead", 0, 26 * time.Second, false},
		{"sent to one that did not answer before", "not-answering", "i-dead", -time.Second, 0, false},
		{"sent to another", "not-answering", "i-alive", 0, 0, false},
		{"sent to the dead node", "dead-node", "", 0, 90 * time.Second, true},
		{"sent to the dead node later", "dead-node", "", 0, 91 * time.Second, false},
		{"no target", "no-target", "", 0, 0, false},
		{"cut off", "cut-early", "i-dead", 0, 0, false},
		{"forgotten causes", "earlier", "", 0, 0, false},
	} {
		f := region.Failure{Cause: c.cause, Instance: c.at, First: died.Add(c.first), Last: died.Add(c.last)}
		if got := e.excused(f, e.noticed()); got != c.wantedExcused {
			t.Errorf("%s: excused is %t", c.name, got)
		}
	}
}
