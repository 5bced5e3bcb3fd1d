package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestStoppedAgain stops an instance at the console, starts it, and stops it again
// the next day: it serves users then like any other.
func TestStoppedAgain(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{10 * time.Minute, 2 * time.Hour} {
		t.Run(later.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{perSecond: 1, env: settings{"ON_STATE_CHANGE": "drain", "SWEEP_INTERVAL": "1m"}})
			i := s.InService(s.group)[0]
			s.Queue.Send(stateChange(i, "stopping"))
			s.Advance(later)
			s.Register("side", i, 80)
			s.Advance(time.Minute)
			s.ForgetCalls()
			s.Queue.Send(stateChange(i, "stopping"))
			s.Advance(20 * time.Second)
			s.mustDrain(i, true)
		})
	}
}

// TestSpotWarnedAgain warns of an instance a second time that EC2 stopped and
// started: it serves users then like any other.
func TestSpotWarnedAgain(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{20 * time.Minute, 2 * time.Hour} {
		t.Run(later.String(), func(t *testing.T) {
			t.Parallel()
			// A Spot instance whose interruption stops it comes back ("Behavior of
			// Spot Instance interruptions").
			s := newScenario(t, setup{perSecond: 1, delay: 60 * time.Second, env: command("stop")})
			i := s.InService(s.group)[0]
			s.Queue.Send(spotWarning(i))
			s.Advance(later)
			s.Register("side", i, 80)
			s.Advance(time.Minute)
			s.ForgetCalls()
			s.Queue.Send(spotWarning(i))
			s.Advance(20 * time.Second)
			s.mustDrain(i, true)
			s.Advance(2 * time.Minute)
			if n := s.runs()[i]; n != 2 {
				t.Errorf("the shutdown command ran %d times at two interruptions: what it should save is lost", n)
			}
		})
	}
}

// TestSpotWarningDeliveredTwice delivers a warning again after its drain: minutes
// later, or much later, when the instance has been started and serves again.
func TestSpotWarningDeliveredTwice(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{4 * time.Minute, time.Hour} {
		t.Run(later.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 60 * time.Second, env: command("stop")})
			i := s.InService(s.group)[0]
			warning := spotWarning(i)
			if later > 5*time.Minute { // by its age alone it would be a new one
				warning = strings.Replace(warning, "{", fmt.Sprintf(`{"time":%q,`, s.Now().UTC().Format(time.RFC3339)), 1)
			}
			s.Queue.Send(warning)
			s.Advance(later)
			s.Register("side", i, 80)
			s.Advance(time.Minute)
			s.ForgetCalls()
			s.Queue.Send(warning)
			s.Advance(3 * time.Minute)
			if s.deregistered("side", i) {
				t.Error("an instance that serves again is taken out of service")
			}
			if n := s.runs()[i]; n != 1 {
				t.Errorf("the shutdown command ran %d times at one interruption", n)
			}
		})
	}
}
