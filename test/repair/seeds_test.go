package repair

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/test/region"
)

// Scenarios that were found at random.

// TestOperatorsKnowOfAQuietWait holds that operators know within ten minutes that
// a group in its termination wait is not attached, although there is nothing to
// register: the next scale-in would cut requests off.
func TestOperatorsKnowOfAQuietWait(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]region.Deployment{
		"flag set":                  {},
		"flag unset":                {WaitFlagUnset: true},
		"named last":                {Named: region.NamedAtEnd},
		"flag unset and named last": {WaitFlagUnset: true, Named: region.NamedAtEnd},
		"named early, one by one":   {Named: region.NamedAtReroute, Spacing: 3 * time.Minute},
	} {
		for _, lost := range []bool{false, true} {
			if lost {
				name += ", START lost"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, lead := range []time.Duration{0, 90 * time.Second, 3 * time.Minute, 4 * time.Minute} { // from a sweep
					f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
					r := watch(f)
					if lost {
						f.loseEvents("START")
					}
					f.Advance(6*time.Minute + lead)
					f.releaseTo(region.StageWait, how)
					f.Advance(30 * time.Minute)
					r.mustHold(t)
				}
			})
		}
	}
}

// TestSuspendedWhileAReleaseWaits holds that instances that were launched while an
// operator had AddToLoadBalancer suspended are registered afterwards, although the
// next release stands in READY all the time.
func TestSuspendedWhileAReleaseWaits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{region: region.Options{Timings: region.Timings{Install: 6 * time.Minute}}, rate: 1})
	r := watch(f)
	f.loseEvents("START")
	f.release(region.Deployment{})
	f.settle()
	group := f.GroupOf(f.svc)
	f.releaseTo(region.StageReady, region.Deployment{HangAt: region.StageReady})
	f.Advance(15 * time.Minute)
	f.Scale(group, 6) // in service seven minutes later
	f.Advance(5 * time.Minute)
	r.excused = true
	f.suspend(group, "AddToLoadBalancer")
	f.Advance(12 * time.Minute)
	f.resume(group)
	r.excused = false
	f.Advance(15 * time.Minute)
	f.mustRegisterAll(group, "they were launched while the process was suspended")
	r.mustHold(t)
}

// TestReplacedWhileSuspended holds that a group whose instances were all replaced while
// an operator had AddToLoadBalancer suspended, so that none is registered, is not taken
// for one that the next release has taken the traffic from: it hangs in its
// installation, and nobody would serve until it ends.
func TestReplacedWhileSuspended(t *testing.T) {
	t.Parallel()
	for _, stage := range []region.Stage{region.StageInstall, region.StageReady} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
			r := watch(f)
			f.Advance(6 * time.Minute)
			group := f.GroupOf(f.svc)
			r.excused = true
			f.suspend(group, "AddToLoadBalancer")
			f.Advance(6 * time.Minute)
			f.releaseTo(stage, region.Deployment{HangAt: stage})
			f.replaceAll(group, 4*time.Minute)
			f.Advance(4 * time.Minute)
			if n := f.answered(group); n > 0 {
				t.Fatalf("%d requests are answered: the scenario does not replace every instance", n)
			}
			f.resume(group)
			r.excused = false
			f.Advance(15 * time.Minute)
			f.mustRegisterAll(group, "they were launched while the process was suspended")
			r.mustHold(t)
		})
	}
}

// TestReplacedBeforeTheWaitIsSeen holds that the replacement group serves although all
// of its instances were replaced before anything had seen them registered, CodeDeploy
// left its processes suspended, and does not say that it waits: nobody would serve
// until the wait ends.
func TestReplacedBeforeTheWaitIsSeen(t *testing.T) {
	t.Parallel()
	for _, suspended := range []bool{false, true} {
		t.Run(fmt.Sprintf("processes left suspended: %v", suspended), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
			r := watch(f)
			f.Advance(6 * time.Minute)
			f.loseEvents("START")
			id := f.releaseTo(region.StageWait, region.Deployment{LeaveSuspended: suspended, WaitFlagUnset: true, Named: region.NamedAtEnd})
			green := f.green(id)
			f.Scale(green, 0)
			f.Advance(10 * time.Second)
			f.Scale(green, 4)
			f.Advance(10 * time.Minute)
			f.mustRegisterAll(green, "all were replaced as soon as the wait began")
			f.Advance(10 * time.Minute)
			r.mustHold(t)
		})
	}
}

// TestOutageOverTheWholeWait holds that a group whose instances were all replaced while
// nothing could be called, so that not one is registered when the release is over, is
// attached as soon as calls succeed.
func TestOutageOverTheWholeWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(12 * time.Minute), rate: 1})
	r := watch(f)
	f.loseEvents()
	id := f.deploy(region.Deployment{})
	r.faults(region.OneIn(1, 1, region.Fault{Before: region.Unavailable()}))
	f.until(region.StageWait, id)
	f.Advance(time.Minute)
	f.Scale(f.green(id), 0)
	f.Advance(2 * time.Minute)
	f.Scale(f.green(id), 4)
	f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
	f.Advance(time.Minute)
	r.faults(nil)
	f.Advance(6 * time.Minute) // a sweep
	f.mustBeAttached()
	f.mustRegisterAll(f.green(id), "the outage is over")
	r.mustHold(t)
}

// TestDeadBeforeTheWaitIsSeen holds that a group to which a release has moved the
// traffic serves although the release died at once, and all of the group's instances
// were replaced before anything had seen them registered.
func TestDeadBeforeTheWaitIsSeen(t *testing.T) {
	t.Parallel()
	f := begin(t, waiting(48*time.Hour))
	r := watch(f)
	f.loseEvents()
	id := f.releaseTo(region.StageWait, region.Deployment{DieAt: region.StageWait})
	green := f.green(id)
	f.Scale(green, 0)
	f.Advance(10 * time.Second)
	f.Scale(green, 4)
	f.Advance(10 * time.Minute)
	f.mustBeAttached()
	f.mustRegisterAll(green, "the old group is deregistered, and this one serves nobody")
	f.Advance(10 * time.Minute)
	r.mustHold(t)
}

// TestStoppedInTheMiddleOfTheReroute holds that one of the two groups is kept, and
// that operators know of the other.
func TestStoppedInTheMiddleOfTheReroute(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute} {
		t.Run(fmt.Sprintf("named %q", naming), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(time.Hour))
			r := watch(f)
			id := f.releaseTo(region.StageReroute, region.Deployment{Named: naming, Spacing: 170 * time.Second})
			blue, green := f.Groups(id)
			f.RunUntil(func() bool { return len(f.unregistered(blue, "web")) == 2 }, time.Hour)
			f.Stop(id)
			f.Advance(30 * time.Minute)
			if f.mentions(blue) == 0 || f.mentions(green) == 0 {
				t.Errorf("both versions are before users, and operators do not know: %q", f.Texts())
			}
			r.mustHold(t)
		})
	}
}
