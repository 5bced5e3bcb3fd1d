package drain

import (
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestTargetGroupCreatedAnew deletes a target group and creates it again with the
// same name, as a stack's replacement does, between two drains. The name is resolved
// again before the drain ends, also where nothing else keeps the instance.
func TestTargetGroupCreatedAnew(t *testing.T) {
	t.Parallel()
	for name, web := range map[string]time.Duration{"beside another target group": 2 * time.Minute, "and nothing else in flight": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{instances: 6})
			s.scaleIn(1)
			s.untilReleased()
			s.SetDeregistrationDelay("web", web)
			s.DeleteTargetGroup("side")
			s.Advance(time.Minute)
			s.AddTargetGroup(region.TargetGroup{Name: "side", Delay: 2 * time.Minute})
			for _, i := range s.InService(s.group) {
				s.Register("side", i, 80)
			}
			s.side = s.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: 5, Mix: []time.Duration{100 * time.Millisecond, 40 * time.Second}})
			s.Advance(2 * time.Minute)
			s.scaleIn(2)
			s.Advance(10 * time.Minute)
			s.mustComplete(3)
			mustCutNone(t, s.side)
		})
	}
}

// TestTargetGroupCreatedAnewDuringTheDrain exchanges it while instances wait.
func TestTargetGroupCreatedAnewDuringTheDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 6, mix: []time.Duration{time.Second, 110 * time.Second}})
	s.Advance(2 * time.Minute)
	s.scaleIn(2)
	s.untilHeld(2)
	s.Advance(3 * time.Second)
	s.DeleteTargetGroup("side")
	s.AddTargetGroup(region.TargetGroup{Name: "side", Delay: 2 * time.Minute})
	for _, a := range s.actions() {
		s.Register("side", a.Instance, 80)
	}
	for _, i := range s.InService(s.group) {
		s.Register("side", i, 80)
	}
	s.side = s.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: 5, Mix: []time.Duration{100 * time.Millisecond, 40 * time.Second}})
	s.Advance(15 * time.Minute)
	s.mustComplete(2)
	mustCutNone(t, s.side)
}
