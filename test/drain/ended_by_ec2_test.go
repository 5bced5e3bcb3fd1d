package drain

import (
	"testing"
	"time"
)

// TestEndedByEC2 has EC2 end instances in service, so that their group finds out at
// its next health check and runs the terminate hook for instances that are gone.
func TestEndedByEC2(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(*scenario, string)
		atMost time.Duration
	}{
		// Its target groups show it as draining until their delay has elapsed.
		"terminated at the console": {func(s *scenario, i string) { s.Terminate(i) }, 2*time.Minute + 20*time.Second},
		// SSM takes a command for an instance that is stopped, and it might be started.
		"stopped at the console": {func(s *scenario, i string) { s.StopInstance(i) }, 5*time.Minute + 20*time.Second},
	} {
		for _, response := range []string{"off", "drain"} {
			t.Run(name+", state changes "+response, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{env: settings{"COMMAND": "stop", "ON_STATE_CHANGE": response}})
				i := s.InService(s.group)[0]
				c.end(s, i)
				s.Advance(30 * time.Minute)
				if len(s.actions()) == 0 {
					t.Fatal("no terminate hook ran: nothing is shown")
				}
				mustBeQuietAbout(s, i, c.atMost)
				s.mustNotify("command-failed", 0)
				s.mustNotify("drained", 0)
			})
		}
	}
}

// TestEndedByEC2DuringTheCommand has EC2 end an instance whose command is running:
// what became of it cannot be known, and nobody waits for it.
func TestEndedByEC2DuringTheCommand(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop"), instances: 2})
	s.OnCommand(slowly)
	s.scaleIn(1)
	s.untilHeld(1)
	s.RunUntil(func() bool { return len(s.CommandRuns()) == 1 }, 10*time.Minute)
	s.Advance(10 * time.Second)
	i := s.actions()[0].Instance
	s.Terminate(i)
	s.Advance(20 * time.Minute)
	s.mustRunOnce(1)
	mustBeQuietAbout(s, i, 0)
}
