package drain

import (
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// newFleet is a world that so many instances can leave at once, under the
// region's request rates. Only side has requests, so that all hooks begin
// together.
func newFleet(t *testing.T, instances int, heartbeat int32, mix ...time.Duration) *world {
	w := newWorld(t, setting{
		instances: instances + 1, heartbeat: heartbeat, delay: 5 * time.Minute, mix: mix, perSecond: 20, region: region.Options{Throttling: true}, noSweep: true,
	})
	// Not at the full minute, when a sweep would share the look of a tick.
	w.After(37*time.Second, func() { w.sweepEvery(time.Minute) })
	w.web.Stop()
	if mix == nil {
		w.side.Stop()
	}
	w.Advance(6 * time.Minute)
	w.ForgetCalls()
	return w
}

// TestNoHeartbeatForWhoMayGo has a thousand idle instances leave by a hook that
// is too short for the last of them: at 8 calls a second a thousand releases
// take two minutes. A release costs as much as a heartbeat, so a heartbeat for
// an instance that may go only keeps it.
func TestNoHeartbeatForWhoMayGo(t *testing.T) {
	w := newFleet(t, 1000, 120)
	w.Scale(w.group, 1)
	w.settle()
	if n := w.Made("RecordLifecycleActionHeartbeat"); n > 0 {
		t.Errorf("%d heartbeats for instances with nothing in flight", n)
	}
	var longest time.Duration
	for _, a := range w.terminations() {
		longest = max(longest, a.Ended.Sub(a.Began))
	}
	if longest > 2*time.Minute+15*time.Second {
		t.Errorf("an idle instance was held %s", longest)
	}
	w.mustBeQuiet()
}

// TestHeartbeatsGoToWhoTimesOutFirst has two hundred instances need a heartbeat
// every minute for five minutes, which the rates allow: 8 calls a second are 240
// in the half minute before a timeout.
func TestHeartbeatsGoToWhoTimesOutFirst(t *testing.T) {
	w := newFleet(t, 200, 60, 285*time.Second)
	w.Scale(w.group, 1)
	w.settle()
	w.mustComplete(200)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestEventOfADrainNobodyRemembers has the one write fail that would have
// remembered a new drain, the one before its command is sent. Then the event
// must come again: nothing else knows of the instance.
func TestEventOfADrainNobodyRemembers(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}, noSweep: true})
	w.group = w.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2"}).Group
	w.putHook(hook, 300)
	w.SetFaults(region.On("TransactWriteItems", 1, region.Fault{Before: region.Unavailable()}))
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustRunOnce(1)
	w.mustBeQuiet()
}

// TestEnvironmentsShareThePace has two execution environments take turns, as
// Lambda may have them do, while a thousand idle instances leave: together they
// must stay within the rates, which the account's other callers need as well.
func TestEnvironmentsShareThePace(t *testing.T) {
	w := newFleet(t, 1000, 900)
	environments := []*drain.Drainer{w.function(drain.Config{}), w.function(drain.Config{})}
	turn := 0
	w.Queue.Serve(func(payload []byte) ([]byte, error) {
		turn++
		w.Function = environments[turn%len(environments)]
		return w.Invoke(payload)
	})
	w.Scale(w.group, 1)
	w.settle()
	w.mustComplete(1000)
	throttled := 0
	for _, c := range w.Calls() {
		if c.Err != nil && strings.Contains(c.Err.Error(), "Rate exceeded") {
			throttled++
		}
	}
	if throttled > 0 {
		t.Errorf("%d calls beyond the rates", throttled)
	}
}
