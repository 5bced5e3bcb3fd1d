package repair

import (
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
