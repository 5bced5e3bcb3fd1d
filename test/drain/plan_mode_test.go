package drain

import (
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

var planMode = settings{"MODE": "plan", "COMMAND": "stop"}

// TestPlanMode keeps the hook, completes actions at once, changes nothing else, and
// says what it would have done.
func TestPlanMode(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"by the event": false, "by the sweep": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: planMode})
			most := 5 * time.Second
			if lost {
				s.SetDelivery(lose)
				most = sweepInterval + 5*time.Second
			}
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustHoldAtMost(most, "plan mode holds no instance")
			s.mustRunOnce(0)
			for _, a := range s.actions() {
				s.mustDrain(a.Instance, false)
			}
			s.mustNotify("planned", 2)
			s.mustMention("side", "operators do not see what would have been drained")
			s.mustBeIdle()
		})
	}
}

// TestPlanModeAtAnnouncements says what it would do, and does nothing.
func TestPlanModeAtAnnouncements(t *testing.T) {
	t.Parallel()
	for name, announce := range map[string]func(s *scenario, i string){
		"Spot":         func(s *scenario, i string) { s.Queue.Send(spotWarning(i)) },
		"rebalance":    func(s *scenario, i string) { s.RecommendRebalance(i) },
		"maintenance":  func(s *scenario, i string) { s.Maintenance(i) },
		"state change": func(s *scenario, i string) { s.Queue.Send(stateChange(i, "stopping")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"MODE": "plan", "COMMAND": "stop", "ON_REBALANCE": "drain", "ON_MAINTENANCE": "drain", "ON_STATE_CHANGE": "drain"}})
			i := s.InService(s.group)[0]
			announce(s, i)
			s.Advance(5 * time.Minute)
			s.mustDrain(i, false)
			s.mustRunOnce(0)
			s.mustMention(i, "operators do not see what would have been done")
			s.mustBeIdle()
		})
	}
}

// TestPlanModeChangesNothing makes no call that changes the fleet, whatever comes.
func TestPlanModeChangesNothing(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: planMode, instances: 8})
	running := s.InService(s.group)
	s.Queue.Send(spotWarning(running[0]))
	s.action("drain", running[1])
	s.scaleIn(3)
	s.Advance(20 * time.Minute)
	for _, c := range s.Calls() {
		switch c.Operation {
		case "DeregisterTargets", "DeregisterInstancesFromLoadBalancer", "SendCommand", "RecordLifecycleActionHeartbeat":
			t.Errorf("plan mode makes the call %s", c.Operation)
		}
	}
}

// TestPlanModeDuringOutages holds no instance for longer than it takes until the
// action can be completed: nothing else is needed.
func TestPlanModeDuringOutages(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: planMode})
	s.SetFaults(func(c region.Call) region.Fault {
		if strings.HasPrefix(c.Service, "Elastic Load Balancing") || c.Service == "SNS" || c.Service == "SSM" {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustHoldAtMost(90*time.Second, "plan mode holds no instance")
}
