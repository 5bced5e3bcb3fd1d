package drain

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

// TestServiceDownForAnHour has one service after the other down from before the
// event for an hour, under hooks of two hours.
func TestServiceDownForAnHour(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"SSM", "SNS", "EventBridge", "SQS", "DynamoDB"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 7200, env: command("stop")})
			used := false
			f := down(service)
			s.SetFaults(func(c region.Call) region.Fault { x := f(c); used = used || x != region.Fault{}; return x })
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(time.Hour)
			s.SetFaults(nil)
			s.Advance(30 * time.Minute)
			s.mustCutNothing()
			if !used {
				t.Fatal("the function does not call it: nothing is shown")
			}
			s.untilReleased()
			s.mustComplete(2)
			s.mustHoldAtMost(61*time.Minute, "the service was back")
			if open := s.status(""); len(open) > 0 {
				t.Errorf("%d drains are still open", len(open))
			}
		})
	}
}

func down(service string) func(region.Call) region.Fault {
	return func(c region.Call) region.Fault {
		if c.Service == service {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	}
}

// TestDownForHalfTheHook has the function be down for half the hook, from each moment.
func TestDownForHalfTheHook(t *testing.T) {
	t.Parallel()
	for begins := time.Duration(0); begins < 4*time.Minute; begins += 20 * time.Second {
		t.Run(begins.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 4 * time.Minute, mix: []time.Duration{time.Second, 230 * time.Second}, env: command("stop")})
			s.Advance(4 * time.Minute)
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(5*time.Second + begins)
			s.Queue.Serve(nil)
			s.Advance(145 * time.Second)
			s.Queue.Serve(s.Invoke)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
			s.mustRunOnce(2)
			if strings.Contains(s.texts(), "timed") {
				t.Error(s.texts())
			}
		})
	}
}

// TestTicksLost loses each tick, or delivers it twice: the sweeps keep the hook from
// its timeout.
func TestTicksLost(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"lost", "twice"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 30 * time.Minute, mix: []time.Duration{time.Second, 25 * time.Minute}, perSecond: 1, env: command("stop")})
			s.Advance(25 * time.Minute)
			s.Queue.Serve(func(payload []byte) ([]byte, error) {
				if strings.Contains(string(payload), "tick") {
					if how == "lost" {
						return []byte(`{}`), nil
					}
					_, _ = s.Invoke(payload)
				}
				return s.Invoke(payload)
			})
			s.scaleIn(3)
			s.untilReleased()
			s.mustComplete(3)
			s.mustCutNothing()
			s.mustRunOnce(3)
		})
	}
}

// skewed is an execution environment whose clock is ahead.
func (s *scenario) skewed(ahead time.Duration) *drain.Drainer {
	cfg, err := env.ParseAsWithOptions[drain.Config](env.Options{Environment: s.environment(nil)})
	if err != nil {
		s.t.Fatal(err)
	}
	now := func() time.Time { return s.Now().Add(ahead) }
	publisher := notice.New(notice.Config{TopicARN: s.Notices.ARN(), EventBus: "default"}, "drain", s.SNS(), s.EventBridge(), io.Discard, now)
	return drain.New(cfg, drain.Clients{
		Groups: s.AutoScaling(), Balancers: s.ELBV2(), Classic: s.ELB(), Deployments: s.CodeDeploy(), Commands: s.SSM(), Queue: s.SQS(), Database: s.DynamoDB(),
	}, publisher, harness.Logger(), now)
}

// TestClockSkew has two environments take turns whose clocks differ.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{10 * time.Second, 90 * time.Second, 10 * time.Minute, -10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{instances: 10, env: command("stop")})
			both := []*drain.Drainer{s.function(nil), s.skewed(ahead)}
			n := 0
			s.Queue.Serve(func(payload []byte) ([]byte, error) {
				n++
				s.Function = both[n%3%2] // the first twice as often
				return s.Invoke(payload)
			})
			s.scaleIn(4)
			s.untilReleased()
			s.mustComplete(4)
			s.mustRunOnce(4)
			s.mustCutNothing()
			s.mustHoldAtMost(6*time.Minute, "its requests had ended")
			s.Advance(20 * time.Minute)
			s.mustBeIdle()
		})
	}
}

// TestSearchBesideAnUnreadableCommand has one drain's command be unreadable for good
// while others begin: each waits for its own.
func TestSearchBesideAnUnreadableCommand(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 900, env: settings{"FIND_TARGET_GROUPS": "true", "COMMAND": "stop"}})
	worker := s.group
	s.SetFaults(region.On("ListCommandInvocations", 0, region.Fault{Before: region.Unavailable()}))
	s.addGroup("jobs", 3)
	jobs := s.group
	s.Scale(jobs, 2)
	s.Advance(4 * time.Minute)
	s.Scale(worker, 2)
	s.Advance(30 * time.Minute)
	for _, a := range s.actions() {
		if a.Group == worker && s.runs()[a.Instance] == 0 {
			t.Errorf("%s of the other group never ran its command: it waited for an answer about somebody else's", a.Instance)
		}
	}
	s.mustHoldAtMost(12*time.Minute, "its requests had ended and its command's time was over")
}

// TestSweepWithWarmPoolDenied denies DescribeWarmPool: the sweep finds the others.
func TestSweepWithWarmPoolDenied(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 900})
	s.reuse(true)
	s.SetFaults(region.On("DescribeWarmPool", 0, region.Fault{Before: region.AccessDenied("")}))
	s.addGroup("jobs", 3)
	s.SetDelivery(lose)
	s.scaleIn(1)
	s.Advance(10 * time.Minute)
	if n := s.ActiveActions(); n > 0 {
		t.Errorf("%d instances of another group wait for a sweep that a denied call has stopped", n)
	}
	s.mustMention("DescribeWarmPool", "operators cannot add the permission")
}

// TestDynamoDBDownForAnHour releases what can be released without a record.
func TestDynamoDBDownForAnHour(t *testing.T) {
	t.Parallel()
	for _, heartbeat := range []int32{300, 900, 7200} {
		t.Run(fmt.Sprintf("hook of %d s", heartbeat), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: heartbeat})
			s.SetFaults(down("DynamoDB"))
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(time.Hour)
			s.SetFaults(nil)
			s.Advance(30 * time.Minute)
			s.mustCutNothing()
			s.mustHoldAtMost(5*time.Minute, "its requests had ended after two minutes")
			s.mustNotifyOfTimeOuts()
		})
	}
}

// TestTimeOutWhileTheTableIsDown has actions end by time-out while the table cannot be
// reached: operators are notified at once, of each once, although no record of it can
// be kept, and also where the event was lost.
func TestTimeOutWhileTheTableIsDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		heartbeat int32
		outage    time.Duration
		lost      bool // the event
		writes    bool // only they fail
	}{
		"a hook of five minutes":                    {heartbeat: 300, outage: 15 * time.Minute},
		"a hook longer than SQS delivers a message": {heartbeat: 900, outage: 40 * time.Minute},
		"a hook of half a minute":                   {heartbeat: 30, outage: 10 * time.Minute},
		"the event is lost":                         {heartbeat: 300, outage: 15 * time.Minute, lost: true},
		"writes alone fail":                         {heartbeat: 300, outage: 15 * time.Minute, writes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: c.heartbeat, delay: time.Hour, perSecond: 1, mix: []time.Duration{time.Second, 50 * time.Minute}})
			s.SetFaults(func(call region.Call) region.Fault {
				table := call.Service == "DynamoDB" && (!c.writes || strings.HasSuffix(call.Operation, "Item") || call.Operation == "TransactWriteItems")
				if table || call.Operation == "RecordLifecycleActionHeartbeat" {
					return region.Fault{Before: region.Unavailable()}
				}
				return region.Fault{}
			})
			if c.lost {
				s.SetDelivery(lose)
			}
			s.scaleIn(2)
			s.untilHeld(2)
			s.RunUntil(func() bool { return len(s.timedOut()) == 2 }, c.outage)
			s.Advance(time.Minute)
			if len(s.timedOut()) != 2 {
				t.Fatal("no action timed out: nothing is shown")
			}
			s.mustNotifyOfTimeOuts()
			s.Advance(c.outage)
			s.SetFaults(nil)
			s.Advance(10 * time.Minute)
			s.mustNotifyOfTimeOuts()
			s.mustBeIdle()
		})
	}
}

// TestTableDownDuringLongRequests has nothing fail but the table, for longer than the
// hook's timeout: heartbeats need no record, nor does a release at the end.
func TestTableDownDuringLongRequests(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"from before the event": 0, "from after the event": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 10 * time.Minute, perSecond: 1, mix: []time.Duration{time.Second, 9 * time.Minute}})
			s.Advance(9 * time.Minute)
			s.RunUntil(func() bool { return s.Now().Second() == 30 }, time.Minute)
			if after == 0 {
				s.SetFaults(down("DynamoDB"))
			}
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(after)
			s.SetFaults(down("DynamoDB"))
			s.Advance(30 * time.Minute)
			s.mustComplete(2)
			s.mustCutNothing()
			s.mustHoldAtMost(s.longest()+time.Minute, "its requests had ended")
			s.SetFaults(nil)
			s.Advance(10 * time.Minute)
			s.mustNotNotify("every action was completed")
			s.mustBeIdle()
		})
	}
}
