package bench

import (
	"testing"
	"time"
)

// The budgets of a fleet that leaves at once, under the request rates that the
// region knows. Calls are counted per instance, heartbeats apart, the store
// included.
const (
	calls1000        = 1.2
	calls10000       = 1.15
	callsShortHook   = 1.25 // the reconciles that send the heartbeats are there for them: see the test
	callsWithCommand = 3.0  // where each instance runs a command: to reserve, send, follow and notify of it
	waitP99          = 15.0 // seconds that a drained instance waits for its release
	throttledShare   = 5.0  // percent of all calls
	stormHook        = "deployhooks-drain"
	stormDelay       = 300 * time.Second
)

// storm says how the fleet leaves.
type storm struct {
	groups    int             // Auto Scaling groups, each with a target group of its own; 1 unless set
	instances int             // of each, that leave
	heartbeat int32           // the hooks' timeout, in seconds
	mix       []time.Duration // how long requests take; none for an idle fleet
	perSecond int             // requests to each target group; 15 unless set
	command   bool            // each instance has a shutdown command to run
	retries   int             // that the SDK makes of a throttled call
}

// steady are requests of ten seconds to nearly the deregistration delay, so that
// instances drain one after another.
var steady = func() (mix []time.Duration) {
	for d := 10 * time.Second; d < stormDelay-10*time.Second; d += 7 * time.Second {
		mix = append(mix, d)
	}
	return mix
}()

// TestStorm has a thousand instances of one target group leave, beside a loop for
// each of them in another region like it.
func TestStorm(t *testing.T) {
	s := storm{instances: 1000, heartbeat: 600, mix: steady}
	ours := s.play(t, s.drainTogether)
	peer := s.play(t, drainInLoops)
	ours.mustHold(t, calls1000, waitP99)
	t.Logf("a loop each: %+v", peer)
	report(
		figure{"drain.calls.1000", ours.calls, otherCalls, calls1000, peer.calls},
		figure{"drain.heartbeats.1000", ours.heartbeats, "heartbeats", 0, peer.heartbeats},
		figure{"drain.waitP99.1000", ours.p99, "s", waitP99, peer.p99},
		figure{"drain.throttled.1000", ours.throttled, percent, throttledShare, peer.throttled},
		figure{"drain.timedout.1000", float64(ours.left), "instances", 0, float64(peer.left)},
	)
}

// TestStormOfTenThousand has ten thousand leave: how long the last one waits, the
// rate of releases decides. A loop for each of so many never ends; the baseline is
// that of a thousand, per instance. It takes a minute, so only `make bench` plays it.
func TestStormOfTenThousand(t *testing.T) {
	if *reportFile == "" {
		t.Skip("without -report")
	}
	s := storm{instances: 10_000, heartbeat: 3600, mix: steady, perSecond: 30}
	f := s.play(t, s.drainTogether)
	f.mustHold(t, calls10000, paced(10_000)+waitP99)
	one := storm{instances: 1000, heartbeat: 3600, mix: steady}
	peer := one.play(t, drainInLoops)
	report(
		figure{"drain.calls.10000", f.calls, otherCalls, calls10000, peer.calls},
		figure{"drain.throttled.10000", f.throttled, percent, throttledShare, peer.throttled},
		figure{"drain.timedout.10000", float64(f.left), "instances", 0, float64(peer.left)},
	)
}

// TestStormOfManyGroups has four instances of each of a hundred groups leave, each
// group with a target group of its own: what is asked about each of them shares one
// rate. Without the SDK's retries a throttled call fails; with them it uses up the
// rate three times.
func TestStormOfManyGroups(t *testing.T) {
	for _, c := range []struct {
		name    string
		retries int
	}{{"drain.%s.400x100", 0}, {"drain.%s.400x100.retries", 2}} {
		s := storm{groups: 100, instances: 4, heartbeat: 900, mix: steady, perSecond: 1, retries: c.retries}
		ours := s.play(t, s.drainTogether)
		peer := s.play(t, drainInLoops)
		t.Logf("%d retries: %+v, a loop each: %+v", c.retries, ours, peer)
		if ours.left > 0 || ours.cut > 0 {
			t.Errorf("with %d retries %d of 400 instances timed out, and %d requests were cut off that could have finished", c.retries, ours.left, ours.cut)
		}
		if ours.throttled > throttledShare {
			t.Errorf("with %d retries %.1f %% of the calls were throttled, and the calls of the account's other callers with them", c.retries, ours.throttled)
		}
		report(
			figure{named(c.name, "calls"), ours.calls, otherCalls, 0, peer.calls},
			figure{named(c.name, "throttled"), ours.throttled, percent, throttledShare, peer.throttled},
			figure{named(c.name, "timedout"), float64(ours.left), "instances", 0, float64(peer.left)},
		)
	}
}

// TestStormAfterAnother has the second half of a fleet leave when the first has
// gone: what is read is in proportion to the open drains, not to those that ended.
func TestStormAfterAnother(t *testing.T) {
	const half = 400
	r := storm{instances: 2 * half, heartbeat: 900, mix: steady}
	region, group := r.build(t)
	reads := r.drainCounting(t, region)
	r.settle(region)
	wave := func(left int) (items, calls int) {
		before := reads.Load()
		region.ForgetCalls()
		region.Scale(group, left)
		region.Advance(time.Second)
		if !region.RunUntil(func() bool { return region.ActiveActions() == 0 }, time.Hour) {
			t.Fatal("the storm does not end")
		}
		region.Advance(2 * time.Minute)
		return int(reads.Load() - before), len(region.Calls())
	}
	first, firstCalls := wave(half)
	second, secondCalls := wave(0)
	t.Logf("items read: %d, then %d; calls: %d, then %d", first, second, firstCalls, secondCalls)
	// Open drains are listed every two minutes at most while one environment handles
	// them all, so one list more may fall into either wave.
	if second > first+first/5+half {
		t.Errorf("%d items were read for %d instances, and %d for as many after them: reads grow with the drains that ended", first, half, second)
	}
	report(
		figure{"drain.itemsRead.400", float64(first) / half, "items an instance", 0, 0},
		figure{"drain.itemsRead.400.half ended", float64(second) / half, "items an instance", 0, float64(first) / half},
	)
}

// TestStormWithCommand has each instance run a command of 20 to 60 s when it is
// drained, with the timeout that the README asks for then.
func TestStormWithCommand(t *testing.T) {
	s := storm{instances: 1000, heartbeat: 1200, mix: steady, command: true}
	f := s.play(t, s.drainTogether)
	f.mustHold(t, callsWithCommand, waitP99)
	if f.commands == 0 {
		t.Error("no command ran: nothing is shown")
	}
	report(
		figure{"drain.calls.1000.command", f.calls, otherCalls, callsWithCommand, 0},
		figure{"drain.waitP99.1000.command", f.p99, "s", waitP99, 0},
	)
}

// TestStormWithShortHook has a hook that would time out before anybody has
// drained, so that every instance needs a heartbeat. How short may it be?
//
// All calls to Auto Scaling share a bucket, of 100 calls and 10 more a second
// as the region has it. So nobody could send a thousand heartbeats within less
// than 90 s: with a timeout of 60 s, 300 instances would be lost whatever is
// done. Drain takes 80 calls and 8 more a second, and begins when half of the
// timeout is over. Of that half, one reconcile, 10 s, may be lost. So it gets to 4
// instances for each second of the timeout: a thousand need 250 s. Up to ten
// more may pass before the first reconcile sees who is due. The thirteen reconciles
// that only send heartbeats make four calls each for it; without them the other
// storms' budget holds.
func TestStormWithShortHook(t *testing.T) {
	s := storm{instances: 1000, heartbeat: 270, mix: []time.Duration{stormDelay - 15*time.Second}, perSecond: 50}
	f := s.play(t, s.drainTogether)
	wait := paced(2000) + waitP99 // a heartbeat and a release each
	f.mustHold(t, callsShortHook, wait)
	if f.heartbeats < 1 {
		t.Errorf("%.2f heartbeats per instance: not all needed one", f.heartbeats)
	}
	report(
		figure{"drain.calls.1000.shortHook", f.calls, otherCalls, callsShortHook, 0},
		figure{"drain.heartbeats.1000.shortHook", f.heartbeats, "heartbeats", 0, 0},
		figure{"drain.waitP99.1000.shortHook", f.p99, "s", wait, 0},
	)
}

// TestIdleStorm has nothing in flight, so that all instances may go at once:
// the worst burst of releases. The rates alone have the last one wait for
// minutes.
func TestIdleStorm(t *testing.T) {
	s := storm{instances: 1000, heartbeat: 600}
	f := s.play(t, s.drainTogether)
	wait := paced(1000) + waitP99
	f.mustHold(t, calls1000, wait)
	report(
		figure{"drain.calls.1000.idle", f.calls, otherCalls, calls1000, 0},
		figure{"drain.waitP99.1000.idle", f.p99, "s", wait, 0},
	)
}

// paced is how long so many calls to Auto Scaling take, in seconds, at the share
// of its rates that drain takes.
func paced(calls float64) float64 { return (calls - 80) / 8 }

// Units. Of heartbeats the hook decides how many there are.
const (
	otherCalls = "calls an instance, heartbeats apart"
	percent    = "% of calls"
)
