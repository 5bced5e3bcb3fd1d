package drain

import (
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestDrainByRequest drains an instance that stays in its group.
func TestDrainByRequest(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{mix: []time.Duration{time.Second, 100 * time.Second}, noSweep: true})
	i := s.InService(s.group)[0]
	s.action("drain", i)
	open := s.status("")
	if len(open) != 1 || open[0].Instance != i || open[0].Group != s.group || open[0].Cause != "operator" || !strings.Contains(open[0].WaitsFor, "side") {
		t.Errorf("a drain by request shows as %+v: operators cannot see what it waits for", open)
	}
	if one := s.status(i); len(one) != 1 || one[0].Instance != i {
		t.Errorf("the status of %s shows %+v", i, one)
	}
	if other := s.status(s.InService(s.group)[1]); len(other) != 0 {
		t.Errorf("the status of an instance that is not drained shows %+v", other)
	}
	s.Advance(5 * time.Minute)
	s.mustBeIdle()
	s.mustCutNothing()
}

func TestSkipByRequest(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{mix: []time.Duration{time.Second, 100 * time.Second}, env: command("stop")})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	s.action("skip", s.actions()[0].Instance)
	if a := s.actions()[0]; a.Ending != region.Completed {
		t.Errorf("an operator released %s, and it still waits", a.Instance)
	}
	s.Advance(time.Minute)
	s.mustBeIdle()
	s.mustRunOnce(0)
}

// TestSweepByRequest is what the runbook asks for when an event was lost.
func TestSweepByRequest(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true})
	s.SetDelivery(lose)
	s.scaleIn(2)
	s.untilHeld(2)
	s.Advance(10 * time.Second)
	s.request(`{"action":"sweep"}`)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestPlanByRequest answers what the function would do, and does nothing.
func TestPlanByRequest(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true, env: command("stop")})
	i := s.InService(s.group)[0]
	for _, body := range []string{`{"action":"plan"}`, `{"action":"plan","instance":"` + i + `"}`} {
		answer := s.request(body)
		if strings.Contains(body, "instance") && (!strings.Contains(answer, "side") || !strings.Contains(answer, i)) {
			t.Errorf("%s does not say what %s would be taken out of: %s", body, i, answer)
		}
	}
	for _, c := range s.Calls() {
		if !strings.HasPrefix(c.Operation, "Describe") && !strings.HasPrefix(c.Operation, "List") && !strings.HasPrefix(c.Operation, "Get") && c.Service != "DynamoDB" {
			t.Errorf("a plan makes the call %s", c.Operation)
		}
	}
	if open := s.status(""); len(open) > 0 {
		t.Errorf("a plan leaves %d drains behind", len(open))
	}
	s.mustNotNotify("a plan is for who asks for it")
	if n := s.Queue.Len(); n > 0 {
		t.Errorf("a plan leaves %d messages in the queue", n)
	}
}

// TestRequestsForInstancesThatDoNotExist answer what is wrong instead of opening a
// drain that nobody ends.
func TestRequestsForInstancesThatDoNotExist(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	for _, action := range []string{"drain", "skip", "plan"} {
		_, _ = s.Function.Invoke(t.Context(), []byte(`{"action":"`+action+`","instance":"i-0eeeeeeeeeeeeeee1"}`))
	}
	s.Advance(5 * time.Minute)
	s.mustBeIdle()
}
