package drain

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

// TestDelayOfAnHour gives a long poll of most of an hour its time, with a hook that
// would time out twenty times meanwhile.
func TestDelayOfAnHour(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: time.Hour, heartbeat: 180, mix: []time.Duration{time.Second, 50 * time.Minute}, perSecond: 2})
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
	s.mustBeIdle()
}

func TestHookOfHalfAMinute(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 30, mix: []time.Duration{time.Second, 110 * time.Second}})
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	if s.Made("RecordLifecycleActionHeartbeat") == 0 {
		t.Error("no heartbeat was needed: nothing is shown")
	}
}

// TestHeartbeatRefused has Auto Scaling refuse heartbeats for a while: one that was
// refused does not count as sent. No heartbeat, no more time.
func TestHeartbeatRefused(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"throttled": region.Throttled(), "503": region.Unavailable()} {
		for _, heartbeat := range []int32{120, 300} {
			t.Run(fmt.Sprint(name, " ", heartbeat), func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{delay: 10 * time.Minute, heartbeat: heartbeat, mix: []time.Duration{time.Second, 9 * time.Minute}})
				s.Advance(10 * time.Minute)
				s.scaleIn(2)
				s.untilHeld(2)
				// From before the first heartbeat until shortly before the timeout.
				timeout := time.Duration(heartbeat) * time.Second
				s.SetFaults(region.On("RecordLifecycleActionHeartbeat", 0, region.Fault{Before: fault}))
				s.Advance(timeout - 25*time.Second)
				s.SetFaults(nil)
				s.untilReleased()
				s.mustComplete(2)
				s.mustCutNothing()
			})
		}
	}
}

// TestHookAddedByHand adds a hook while an instance waits for another one. The sweep
// cannot know which of the two it waits for, and the one that has no action must not
// keep the other from its heartbeats.
func TestHookAddedByHand(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: 5 * time.Minute, heartbeat: 120, mix: []time.Duration{time.Second, 280 * time.Second}})
	s.Advance(5 * time.Minute)
	s.SetDelivery(lose)
	s.scaleIn(1)
	s.untilHeld(1)
	s.putHook("deployhooks-added", 120)
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestManyShortHooks holds what the README says of hooks that time out sooner than
// it asks for: a third of a second for each instance that leaves at once.
func TestManyShortHooks(t *testing.T) {
	t.Parallel()
	for heartbeat, instances := range map[int32]int{30: 90, 60: 180, 120: 360} {
		t.Run(fmt.Sprint(heartbeat, " s"), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{instances: instances + 1, heartbeat: heartbeat, perSecond: 5, mix: []time.Duration{time.Second, 110 * time.Second}, region: region.Options{Throttling: true}})
			s.scaleIn(instances)
			s.untilHeld(instances)
			s.RunUntil(func() bool { return s.ActiveActions() == 0 }, time.Hour)
			s.mustComplete(instances)
			s.mustCutNothing()
			s.mustHoldAtMost(5*time.Minute, "its requests had ended")
		})
	}
}

// TestHeartbeatsOfTheShortestHook has requests outlive the hundred heartbeats that
// the shortest hook allows (50 minutes): the instance is released before Auto
// Scaling ends its action, and operators know why.
func TestHeartbeatsOfTheShortestHook(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: time.Hour, heartbeat: 30, mix: []time.Duration{time.Second, 58 * time.Minute}, perSecond: 1})
	s.Advance(time.Hour)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustNotify("deadline-passed", 1)
	s.mustBeIdle()
}

// TestNoHeartbeatWithoutNeed leaves alone what ends in time by itself: heartbeats
// use up a rate that all callers of the account share.
func TestNoHeartbeatWithoutNeed(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 3600})
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	if n := s.Made("RecordLifecycleActionHeartbeat"); n > 0 {
		t.Errorf("%d heartbeats for drains that end long before their hook's timeout", n)
	}
}

// TestTimeoutChangedDuringTheDrain changes the hook during a drain: the action keeps the
// timeout that it began with.
func TestTimeoutChangedDuringTheDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: 10 * time.Minute, heartbeat: 120, mix: []time.Duration{time.Second, 9 * time.Minute}})
	s.Advance(10 * time.Minute)
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(20 * time.Second)
	_, err := s.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &s.group, LifecycleHookName: aws.String(hook), HeartbeatTimeout: aws.Int32(3600),
		LifecycleTransition: aws.String(terminatingActions), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
}
