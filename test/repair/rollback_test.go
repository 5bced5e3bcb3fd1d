package repair

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

func TestDeploymentsThatFail(t *testing.T) {
	t.Parallel()
	for scenario, c := range map[string]struct {
		how  region.Deployment
		svc  func(*region.Service)
		stop bool
		left bool
	}{
		"at the installation":                {how: region.Deployment{FailAt: region.StageInstall}, left: true},
		"in the reroute":                     {how: region.Deployment{FailAt: region.StageReroute}, left: true},
		"silently, with processes suspended": {how: region.Deployment{DieAt: region.StageReroute}, left: true},
		"stopped by hand":                    {how: region.Deployment{HangAt: region.StageInstall}, stop: true, left: true},
		"and are rolled back":                {how: region.Deployment{FailAt: region.StageReroute}, svc: func(s *region.Service) { s.RollBack = true }},
	} {
		t.Run(scenario, func(t *testing.T) {
			svc := shop()
			if c.svc != nil {
				c.svc(&svc)
			}
			f := newFixture(t, setting{service: svc})
			f.Advance(6 * time.Minute)
			id := f.deploy(c.how)
			if c.stop {
				f.Advance(3 * time.Minute)
				f.Stop(id)
			}
			f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
			f.settle()
			f.mustServe()
			_, green := f.Groups(id)
			left, exists := f.Group(green)
			if !exists || green == f.GroupOf(f.svc) {
				if c.left {
					t.Fatalf("this scenario leaves no group behind: %q", green)
				}
				return
			}
			if c.left && !strings.Contains(f.LastNotice(), green) {
				t.Errorf("operators are not notified of %s, which costs money and serves nobody:\n%s", green, f.LastNotice())
			}
			if len(left.SuspendedProcesses) > 0 {
				t.Errorf("%s is left with %d suspended processes", green, len(left.SuspendedProcesses))
			}
		})
	}
}

func TestRollbackReportsWhatTheFailureLeft(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.RollBack = true
	f := newFixture(t, setting{service: svc})
	f.Advance(6 * time.Minute)
	// The event of the failure is lost.
	f.SetDelivery(func(d region.Delivery) []time.Duration {
		if d.State == "FAILURE" {
			return region.Lost()
		}
		return region.Delivered()
	})
	id := f.deploy(region.Deployment{FailAt: region.StageReroute})
	f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
	f.settle()
	f.mustServe()
	_, green := f.Groups(id)
	if _, exists := f.Group(green); !exists {
		t.Fatalf("this scenario leaves no group behind")
	}
	named := 0
	for _, p := range f.Notices.Published() {
		named += strings.Count(p.Message, "left the Auto Scaling group "+green)
	}
	if named != 1 {
		t.Errorf("%s, which costs money and serves nobody, is notified %d times: %q", green, named, f.Subjects())
	}
}

// TestRollBackOfTheSecondRelease is TestRollBackOutOfTheWait for a group that was
// released before, under stale reads too.
func TestRollBackOfTheSecondRelease(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{0, time.Minute} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
			t.Run(fmt.Sprintf("stale %v, named %q", stale, naming), func(t *testing.T) {
				t.Parallel()
				svc := waiting(2 * time.Hour)
				svc.RollBack = true
				f := newFixture(t, setting{service: svc, rate: 1, region: region.Options{StaleReads: stale}})
				f.Advance(6 * time.Minute)
				f.release(region.Deployment{})
				f.settle()
				blue := f.GroupOf(f.svc)
				id := f.releaseTo(region.StageWait, region.Deployment{Named: naming})
				green := f.green(id)
				f.Advance(2 * time.Minute)
				f.Scale(green, 8)
				f.Advance(12 * time.Minute)
				f.replaceAll(green, 4*time.Minute)
				before := f.users.Total().Failed
				f.rollBack(id)
				f.Advance(6 * time.Minute)
				since := f.Now()
				f.Advance(15 * time.Minute)
				f.mustNotAnswer(green, since, "rolled back")
				f.mustRegisterAll(blue, "rolled back")
				if failed := f.users.Total().Failed - before; failed > 0 {
					t.Errorf("%d requests failed in the roll-back", failed)
				}
			})
		}
	}
}

// TestRollBackOutOfTheWait holds that a bridge is taken back when a roll-back
// gives the traffic to the original group.
func TestRollBackOutOfTheWait(t *testing.T) {
	t.Parallel()
	svc := waiting(2 * time.Hour)
	svc.RollBack = true
	f := newFixture(t, setting{service: svc})
	blue := f.GroupOf(f.svc)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	green := f.green(id)
	f.Advance(2 * time.Minute)
	f.Scale(green, 8)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(green, "the load has risen in the termination wait")
	f.rollBack(id)
	if f.GroupOf(f.svc) != blue {
		t.Fatal("nothing was rolled back: this shows nothing")
	}
	f.Advance(12 * time.Minute)
	health := f.Health("web")
	for _, i := range f.InService(green) {
		if serves(health[i]) {
			t.Errorf("%s of the group that was rolled back is still registered: users get the version that failed", i)
		}
	}
	if f.mentions(green) == 0 {
		t.Errorf("%s costs money and serves nobody, and operators do not know: %q", green, f.Subjects())
	}
	f.mustRegisterAll(blue, "after the roll-back")
	if served := f.users.Seconds()[len(f.users.Seconds())-1].ByGroup[green]; served > 0 {
		t.Errorf("%d requests a second are answered by the version that was rolled back", served)
	}
	f.mustBeAttached() // for seconds, until SUCCESS is delivered, the bridge still stood
	f.mustLeaveNoDeadLetters()
}
