package drain

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestDeadline releases an instance in time, and says what was still in flight.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: 30 * time.Minute, mix: []time.Duration{time.Second, 25 * time.Minute}, env: settings{"DEADLINE": "4m"}})
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustBeIdle()
	s.mustHoldAtMost(4*time.Minute+20*time.Second, "its deadline had passed")
	s.mustNotify("deadline-passed", 1)
	s.mustMention("side:80", "operators cannot know whose requests were cut off")
}

// TestDeadlineOfAGroup has a tag of the Auto Scaling group go before the
// configuration.
func TestDeadlineOfAGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tag, configured string
		atMost          time.Duration
		reported        bool
		harm            string
	}{
		"shorter":                {"4", "20m", 4*time.Minute + 20*time.Second, false, "the group asked for less"},
		"without configuration":  {"4", "", 4*time.Minute + 20*time.Second, false, "the group asked for a deadline"},
		"longer":                 {"10", "4m", 10*time.Minute + 20*time.Second, false, "the group asked for ten minutes"},
		"no number":              {"soon", "4m", 4*time.Minute + 20*time.Second, true, "a tag that is no number took the deadline away"},
		"zero":                   {"0", "4m", 4*time.Minute + 20*time.Second, true, "a tag out of range took the deadline away"},
		"negative":               {"-5", "4m", 4*time.Minute + 20*time.Second, true, "a tag out of range took the deadline away"},
		"beyond all time":        {"99999999999999999999", "4m", 4*time.Minute + 20*time.Second, true, "a tag out of range took the deadline away"},
		"with a unit":            {"4m", "5m", 5*time.Minute + 20*time.Second, true, "a tag that is no number took the deadline away"},
		"a number, and a script": {"4; reboot", "4m", 4*time.Minute + 20*time.Second, true, "a tag that is no number took the deadline away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := settings{"COMMAND_TIMEOUT": "3m"}
			if c.configured != "" {
				env["DEADLINE"] = c.configured
			}
			s := newScenario(t, setup{delay: 30 * time.Minute, mix: []time.Duration{time.Second, 25 * time.Minute}, tags: map[string]string{deadlineTag: c.tag}, env: env})
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(1)
			s.mustHoldAtMost(c.atMost, c.harm)
			s.mustNotify("deadline-passed", 1)
			if a := s.actions()[0]; held(a) < c.atMost-40*time.Second {
				t.Errorf("%s was held %s only: requests were cut off that its deadline still allowed", a.Instance, held(a))
			}
			if c.reported {
				s.mustNotify("action-required", 1)
				s.mustMention(deadlineTag, "operators cannot know which tag to correct")
			}
		})
	}
}

// TestCommandTimeoutOfAGroup does the same for the command's time.
func TestCommandTimeoutOfAGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tag      string
		atMost   time.Duration
		reported bool
	}{
		"shorter":   {"1", 5 * time.Minute, false},
		"no number": {"a while", 8 * time.Minute, true},
		"zero":      {"0", 8 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{tags: map[string]string{commandTimeoutTag: c.tag}, env: settings{"COMMAND": "stop", "COMMAND_TIMEOUT": "5m"}})
			s.OnCommand(func(region.CommandRun) region.CommandResult { return region.CommandResult{Silent: true} })
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(1)
			s.mustRunOnce(1)
			s.mustHoldAtMost(c.atMost, "its command's time was over")
			s.mustNotify("command-failed", 1)
			if c.reported {
				s.mustNotify("action-required", 1)
				s.mustMention(commandTimeoutTag, "operators cannot know which tag to correct")
			}
		})
	}
}

// timedOut are the actions that nobody completed in time.
func (s *scenario) timedOut() (all []region.LifecycleAction) {
	for _, a := range s.actions() {
		if a.Ending == region.TimedOutWait || a.Ending == region.GlobalTimeout {
			all = append(all, a)
		}
	}
	return all
}

// mustNotifyOfTimeOuts fails unless operators know of each action that ended by
// time-out, once.
func (s *scenario) mustNotifyOfTimeOuts() {
	s.t.Helper()
	for _, a := range s.timedOut() {
		n := 0
		for _, o := range s.outcomes("timed-out") {
			if o.names(a.Instance) {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("%s was terminated by its hook's timeout after %s with whatever was in flight, and operators were notified of it %d times; they got %q", a.Instance, held(a), n, s.Subjects())
		}
	}
}

// TestTimeOutsAreNotified has actions end by time-out in ways that leave the
// function little or nothing to know them by. Operators are notified of each.
func TestTimeOutsAreNotified(t *testing.T) {
	t.Parallel()
	// Longer than the hook's timeout of 300 s, and shorter than SQS delivers an
	// event: afterwards the alarm of the dead-letter queue is all that is left.
	const beyond = 330 * time.Second
	unavailable := func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} }
	for name, play := range map[string]func(s *scenario){
		"the function is down from before the event until after the time-out": func(s *scenario) {
			s.Queue.Serve(nil)
			s.scaleIn(2)
			s.Advance(12 * time.Minute)
			s.Queue.Serve(s.Invoke)
		},
		"the function is down from after the event until after the time-out": func(s *scenario) {
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(5 * time.Second)
			s.Queue.Serve(nil)
			s.Advance(12 * time.Minute)
			s.Queue.Serve(s.Invoke)
		},
		"no service answers from before the event until after the time-out": func(s *scenario) {
			s.SetFaults(unavailable)
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(beyond)
			s.SetFaults(nil)
		},
		"no service answers from after the event until after the time-out": func(s *scenario) {
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(5 * time.Second)
			s.SetFaults(unavailable)
			s.Advance(beyond)
			s.SetFaults(nil)
		},
		"Auto Scaling alone does not answer": func(s *scenario) {
			s.SetFaults(func(c region.Call) region.Fault {
				if c.Service == "Auto Scaling" {
					return region.Fault{Before: region.Unavailable()}
				}
				return region.Fault{}
			})
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(beyond)
			s.SetFaults(nil)
		},
		"completion is denied": func(s *scenario) {
			s.SetFaults(func(c region.Call) region.Fault {
				if c.Operation == "CompleteLifecycleAction" || c.Operation == "RecordLifecycleActionHeartbeat" {
					return region.Fault{Before: region.AccessDenied("")}
				}
				return region.Fault{}
			})
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(beyond)
			s.SetFaults(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{})
			play(s)
			s.Advance(30 * time.Minute)
			if len(s.timedOut()) == 0 {
				t.Fatal("no action timed out: nothing is shown")
			}
			s.mustNotifyOfTimeOuts()
			if open := s.status(""); len(open) > 0 {
				t.Errorf("%d drains are open of instances that are gone", len(open))
			}
		})
	}
}

// TestOutageOfHalfTheTimeout has every call fail for half of the hook's timeout, or
// nearly, from any moment on: heartbeats are early enough that nothing is lost.
func TestOutageOfHalfTheTimeout(t *testing.T) {
	t.Parallel()
	for _, heartbeat := range []int32{300, 900} {
		half := time.Duration(heartbeat) * time.Second / 2
		for begins := time.Duration(0); begins < 2*half; begins += half / 12 {
			t.Run(fmt.Sprintf("hook of %d s, from %s on", heartbeat, begins), func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{delay: 20 * time.Minute, heartbeat: heartbeat, mix: []time.Duration{time.Second, 19 * time.Minute}, perSecond: 1})
				s.Advance(20 * time.Minute)
				s.scaleIn(1)
				s.untilHeld(1)
				s.Advance(5*time.Second + begins)
				s.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} })
				s.Advance(half - 5*time.Second)
				s.SetFaults(nil)
				s.untilReleased()
				s.mustComplete(1)
				s.mustCutNothing()
			})
		}
	}
}

// TestDelayLengthenedBetweenDrains lengthens the deregistration delay of a target
// group that an earlier drain has read.
func TestDelayLengthenedBetweenDrains(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 6, heartbeat: 3600, delay: 30 * time.Second, mix: []time.Duration{time.Second}, perSecond: 1})
	s.scaleIn(1)
	s.untilReleased()
	s.SetDeregistrationDelay("side", 30*time.Minute)
	s.side = s.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: 1, Mix: []time.Duration{time.Second, 25 * time.Minute}})
	s.Advance(26 * time.Minute) // less than an hour after the first
	s.scaleIn(1)
	s.Advance(2 * time.Hour)
	s.mustCutNothing()
	s.mustNotify("deadline-passed", 0)
}

// TestLoadBalancingDown has Elastic Load Balancing come back after an outage: the
// instances leave their target groups then like at any other time.
func TestLoadBalancingDown(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour} {
		t.Run(outage.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 7200, env: command("stop")})
			s.SetFaults(down("Elastic Load Balancing v2"))
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(outage)
			s.SetFaults(nil)
			s.Advance(30 * time.Minute)
			s.mustComplete(2)
			s.mustCutNothing()
			s.mustRunOnce(2)
		})
	}
}
