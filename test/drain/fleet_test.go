package drain

import (
	"testing"
	"time"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// newFleet is a scenario in which so many instances can leave at once, under the
// region's request rates. Only side has requests, so that all hooks begin together.
func newFleet(t *testing.T, instances int, heartbeat int32, mix ...time.Duration) *scenario {
	s := newScenario(t, setup{
		instances: instances + 1, heartbeat: heartbeat, delay: 5 * time.Minute, mix: mix, perSecond: 20, region: region.Options{Throttling: true, DrainedAtOnce: true}, noSweep: true,
	})
	// Not at the full minute, when a sweep would share the reconcile of a tick.
	s.After(37*time.Second, func() { s.sweepEvery(sweepInterval) })
	s.web.Stop()
	if mix == nil {
		s.side.Stop()
	}
	s.Advance(6 * time.Minute)
	s.ForgetCalls()
	return s
}

// TestNoHeartbeatWhereAReleaseIsDue has a thousand idle instances leave by a hook
// that is too short for the last of them: at 8 calls a second a thousand releases
// take two minutes. A release costs as much as a heartbeat, so a heartbeat for an
// instance that could be released only keeps it. The one that times out is notified.
func TestNoHeartbeatWhereAReleaseIsDue(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1000, 120)
	s.Scale(s.group, 1)
	s.untilReleased()
	if n := s.Made("RecordLifecycleActionHeartbeat"); n > 0 {
		t.Errorf("%d heartbeats for instances with nothing in flight", n)
	}
	s.mustHoldAtMost(2*time.Minute+15*time.Second, "nothing was in flight to it")
	s.mustBeIdle()
}

// TestHeartbeatsInOrderOfTimeouts has two hundred instances need a heartbeat every
// minute for five minutes, which the rates allow: 8 calls a second are 240 in the
// half minute before a timeout.
func TestHeartbeatsInOrderOfTimeouts(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 200, 60, 285*time.Second)
	s.Scale(s.group, 1)
	s.untilReleased()
	s.mustComplete(200)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestEnvironmentsShareTheRates has two execution environments take turns, as Lambda
// may have them do, while a thousand idle instances leave: together they must stay
// within the rates, which the account's other callers need as well.
func TestEnvironmentsShareTheRates(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1000, 900)
	environments := []*drain.Drainer{s.function(nil), s.function(nil)}
	turn := 0
	s.Queue.Serve(func(payload []byte) ([]byte, error) {
		turn++
		s.Function = environments[turn%len(environments)]
		return s.Invoke(payload)
	})
	s.Scale(s.group, 1)
	s.untilReleased()
	s.mustComplete(1000)
	if n := s.throttled(); n > 0 {
		t.Errorf("%d calls beyond the rates", n)
	}
}

// TestReleasesPerSecond sets the share of Auto Scaling's rate that releases take.
func TestReleasesPerSecond(t *testing.T) {
	t.Parallel()
	took := map[string]time.Duration{}
	for _, rate := range []string{"2", "8"} {
		s := newFleet(t, 300, 900)
		s.Function = s.function(settings{"RELEASES_PER_SECOND": rate})
		s.Scale(s.group, 1)
		s.untilReleased()
		s.mustComplete(300)
		for _, a := range s.actions() {
			took[rate] = max(took[rate], held(a))
		}
	}
	if took["2"] < 2*took["8"] {
		t.Errorf("at 2 releases a second the last instance went after %s, at 8 after %s: the setting changes little", took["2"], took["8"])
	}
	if took["2"] > 4*time.Minute {
		t.Errorf("at 2 releases a second 300 instances took %s", took["2"])
	}
}

// TestManyGroupsAtOnce has forty groups, each with a target group of its own, lose
// an instance at once: nobody waits for another's turn until its hook times out.
func TestManyGroupsAtOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{Throttling: true}})
	var groups []string
	var users []*region.Stream
	for n := range 40 {
		name := "app-" + string(rune('a'+n/10)) + string(rune('0'+n%10))
		s.AddTargetGroup(region.TargetGroup{Name: name, Delay: time.Minute})
		group := s.AddService(region.Service{Application: name, DeploymentGroup: "web", Instances: 3, HealthCheck: "EC2", Tags: map[string]string{targetGroupsTag: name}}).Group
		for _, i := range s.InService(group) {
			s.Register(name, i, 80)
		}
		s.group = group
		s.putHook(hook, 300)
		groups = append(groups, group)
		users = append(users, s.StartTraffic(region.Traffic{TargetGroup: name, PerSecond: 1, Mix: []time.Duration{time.Second, 50 * time.Second}}))
	}
	s.Advance(3 * time.Minute)
	s.ForgetCalls()
	for _, group := range groups {
		s.Scale(group, 1)
	}
	s.untilReleased()
	s.mustComplete(80)
	for _, stream := range users {
		mustCutNone(t, stream)
	}
	if n, all := s.throttled(), len(s.Calls()); n*20 > all {
		t.Errorf("%d of %d calls were throttled, and the calls of other callers with them", n, all)
	}
	s.mustBeIdle()
}
