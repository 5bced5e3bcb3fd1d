package drain

import (
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
			s := newScenario(t, setup{perSecond: 1, delay: 60 * time.Second})
			i := s.InService(s.group)[0]
			s.Queue.Send(spotWarning(i))
			s.Advance(later)
			s.Register("side", i, 80)
			s.Advance(time.Minute)
			s.ForgetCalls()
			s.Queue.Send(spotWarning(i))
			s.Advance(20 * time.Second)
			s.mustDrain(i, true)
		})
	}
}
