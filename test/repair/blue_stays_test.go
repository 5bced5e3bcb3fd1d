package repair

import (
	"testing"
	"time"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// TestBlueGroupThatStays holds what becomes of a blue group that is kept after
// the release and still attached: its next launch would bring the old version
// back.
func TestBlueGroupThatStays(t *testing.T) {
	t.Parallel()
	kept := shop()
	kept.KeepBlue = true
	t.Run("notify", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, setting{service: kept})
		blue := f.GroupOf(f.svc)
		f.Advance(6 * time.Minute)
		f.release(region.Deployment{})
		f.Advance(12 * time.Minute)
		f.mustServe()
		if f.mentions(blue, "attached") == 0 {
			t.Errorf("%s stays attached and brings the old version back at its next launch, and operators do not know: %q", blue, f.Texts())
		}
		if f.Made("DetachTrafficSources") > 0 {
			t.Error("detached although the configuration says notify")
		}
		f.Advance(6 * time.Hour)
		if n := len(f.Subjects()); n > 2 {
			t.Errorf("one release is %d notifications: %q", n, f.Subjects())
		}
	})
	t.Run("detach", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, setting{service: kept, config: configured(func(c *repair.Config) { c.BlueGroupThatStays = "detach" })})
		blue := f.GroupOf(f.svc)
		f.Advance(6 * time.Minute)
		f.release(region.Deployment{})
		f.Advance(12 * time.Minute)
		f.mustServe()
		if attached := f.Attached(blue); len(attached) > 0 {
			t.Errorf("%s is still attached to %v: its next launch brings the old version back", blue, attached)
		}
		f.Scale(blue, 8)
		f.Advance(10 * time.Minute)
		last := f.users.Seconds()[len(f.users.Seconds())-1]
		if last.ByGroup[blue] > 0 {
			t.Errorf("%d of %d requests a second are answered by the old version", last.ByGroup[blue], last.Requests)
		}
		f.mustNotFail("a blue group was detached")
	})
	t.Run("never while a roll-back may need it", func(t *testing.T) {
		t.Parallel()
		// Not with SUCCESS before the wait: what has succeeded cannot be rolled back
		// (API reference, StopDeployment: DeploymentAlreadyCompletedException).
		for _, how := range []region.Deployment{{}, {WaitFlagUnset: true}, {Named: region.NamedAtReroute}} {
			svc := waiting(2 * time.Hour)
			svc.RollBack = true
			f := newFixture(t, setting{service: svc, rate: 1, config: configured(func(c *repair.Config) { c.BlueGroupThatStays = "detach" })})
			blue := f.GroupOf(f.svc)
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, how)
			f.Advance(90 * time.Minute)
			if f.StageOf(id) != region.StageWait {
				t.Fatal("the wait is over: this shows nothing")
			}
			if len(f.Attached(blue)) == 0 {
				t.Errorf("%+v: %s was detached in the termination wait: a roll-back ends in a group without a load balancer", how, blue)
			}
		}
	})
	t.Run("a group that was rolled back", func(t *testing.T) {
		t.Parallel()
		svc := waiting(2 * time.Hour)
		svc.RollBack = true
		f := newFixture(t, setting{service: svc, config: configured(func(c *repair.Config) { c.BlueGroupThatStays = "detach"; c.AttachDuringTerminationWait = true })})
		id := f.releaseTo(region.StageWait, region.Deployment{})
		f.Advance(10 * time.Minute)
		green := f.green(id)
		if len(f.Attached(green)) == 0 {
			t.Fatal("the group was not attached in the wait: this shows nothing")
		}
		f.rollBack(id)
		f.Advance(12 * time.Minute)
		if attached := f.Attached(green); len(attached) > 0 {
			t.Errorf("%s was rolled back and is still attached to %v: its next launch brings the failed version back", green, attached)
		}
		f.mustServe()
	})
}
