package repair

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// TestClocksThatDiffer holds that execution environments whose clocks differ bridge
// and attach all the same.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{5 * time.Second, 2 * time.Minute, -2 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
			r := watch(f)
			one := f.Function
			other := repairs.New(f.Region, repairs.Settings{Now: func() time.Time { return f.Now().Add(skew) }})
			n := 0
			f.Queue.Serve(func(payload []byte) ([]byte, error) {
				if n++; n%2 == 0 {
					f.Function = one
				} else {
					f.Function = other
				}
				return f.Invoke(payload)
			})
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(2 * time.Minute)
			f.Scale(f.green(id), 8)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(f.green(id), "clocks differ")
			f.Advance(time.Hour)
			f.settle()
			f.mustServe()
			r.mustHold(t)
			if f.Invocations > 400 {
				t.Errorf("%d invocations: continuations multiply", f.Invocations)
			}
		})
	}
}

// TestNoticesDownForADay holds that what could not be notified for a day neither keeps
// the group from its load balancer nor is forgotten.
func TestNoticesDownForADay(t *testing.T) {
	t.Parallel()
	f := begin(t, waiting(time.Hour))
	f.SetFaults(func(c region.Call) region.Fault {
		if c.Operation == "Publish" {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(2 * time.Minute)
	f.Scale(f.green(id), 8)
	f.Advance(10 * time.Minute)
	f.mustRegisterAll(f.green(id), "SNS is down")
	f.Advance(24 * time.Hour)
	f.mustBeAttached()
	f.SetFaults(nil)
	f.Advance(time.Hour)
	if f.mentions(f.GroupOf(f.svc)) == 0 {
		t.Errorf("what was repaired while SNS was down is never notified: %q", f.Subjects())
	}
}

// TestBlueScaledOutInTheWait holds that the old version does not stay before users when
// blue grows, and that it hides nothing of green.
func TestBlueScaledOutInTheWait(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(6*time.Hour))
			blue := f.GroupOf(f.svc)
			id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
			f.Scale(blue, 8)
			f.Advance(2 * time.Minute)
			f.Scale(f.green(id), 8)
			f.Advance(20 * time.Minute)
			f.mustRegisterAll(f.green(id), "blue has grown in the wait")
			f.mustNotAnswer(blue, f.Now().Add(-5*time.Minute), "the traffic was rerouted")
			f.Advance(7 * time.Hour)
			f.mustServe()
		})
	}
}

// TestOneSickOfAHundred holds that one unhealthy instance keeps a hundred neither
// unattached nor unregistered for long.
func TestOneSickOfAHundred(t *testing.T) {
	t.Parallel()
	for _, check := range []string{"ELB", "EC2"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			svc := waiting(30 * time.Minute)
			svc.HealthCheck, svc.Instances = check, 100
			f := newFixture(t, setting{service: svc, rate: 1})
			r := watch(f)
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(5 * time.Minute)
			green := f.green(id)
			f.Crash(f.InService(green)[0])
			f.Advance(23 * time.Minute)
			f.Scale(green, 110)
			f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
			f.Advance(12 * time.Minute)
			f.mustServe()
			f.mustRegisterAll(green, "one of a hundred is unhealthy")
			r.mustHold(t)
		})
	}
}

// TestTwoServicesOnOneTargetGroup holds that deployment groups that share a target
// group do not disturb each other.
func TestTwoServicesOnOneTargetGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
	other := f.AddService(region.Service{Application: "api", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4, TerminationWait: time.Hour})
	f.Advance(6 * time.Minute)
	a := f.deploy(region.Deployment{})
	b := f.Deploy(other, region.Deployment{Spacing: 3 * time.Minute})
	f.until(region.StageWait, a)
	f.until(region.StageWait, b)
	_, green := f.Groups(b)
	f.Advance(2 * time.Minute)
	f.Scale(green, 8)
	f.Scale(f.green(a), 8)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(green, "two services share a target group")
	f.mustRegisterAll(f.green(a), "two services share a target group")
	f.Advance(time.Hour)
	f.settle()
	f.mustServe()
	if !contains(f.Attached(f.GroupOf(other)), f.TargetGroupARN("web")) {
		t.Error("the other service's group is not attached")
	}
}

// TestRefreshInTheWait holds that an instance refresh neither hides the group nor is
// disturbed.
func TestRefreshInTheWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(2 * time.Hour), rate: 1})
	r := watch(f)
	f.Advance(6 * time.Minute)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	green := f.green(id)
	f.Advance(3 * time.Minute)
	f.SetInstanceRefresh(green, true)
	f.replaceAll(green, 6*time.Minute)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(green, "an instance refresh has replaced all of them in the wait")
	f.Advance(2 * time.Hour)
	f.Scale(green, 8)
	f.Advance(15 * time.Minute)
	if f.mentions(green, "refresh") == 0 {
		t.Errorf("an instance refresh keeps the group from its load balancer after the release, and operators do not know: %q", f.Texts())
	}
	f.SetInstanceRefresh(green, false)
	f.settle()
	f.mustServe()
	f.mustRegisterAll(green, "the refresh has ended")
	_ = r
}

// TestSweepLostForAnHour holds that the continuations alone see a release through.
func TestSweepLostForAnHour(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		f := newFixture(t, setting{service: waiting(time.Hour), rate: 1, noSweep: true})
		r := watch(f)
		id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
		f.Advance(5 * time.Minute)
		f.Scale(f.green(id), 8)
		f.Advance(12 * time.Minute)
		f.mustRegisterAll(f.green(id), "no sweep has come for an hour")
		f.Advance(2 * time.Hour)
		f.mustServe()
		r.mustHold(t)
	}
}
