package repair

import (
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// A group that scales has deployments by Auto Scaling in progress and behind it
// all the time. They are no releases.

// TestLaunchesAllTheTime holds that a group to which Auto Scaling deploys without
// a pause is attached as soon as any other.
func TestLaunchesAllTheTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options region.Options
		svc     func(*region.Service)
		how     region.Deployment
		lost    bool
	}{
		{name: "creator autoscaling"},
		{name: "creator autoScaling", options: region.Options{CamelCaseCreators: true}},
		{name: "SUCCESS lost", lost: true},
		{name: "EC2 health checks", svc: func(s *region.Service) { s.HealthCheck = "EC2" }},
		{name: "SUCCESS before an hour's wait", svc: func(s *region.Service) { s.TerminationWait = time.Hour }, how: region.Deployment{SucceedFirst: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.options.Timings.Install = 6 * time.Minute // longer than between launches
			svc := shop()
			if c.svc != nil {
				c.svc(&svc)
			}
			f := newFixture(t, setting{region: c.options, service: svc})
			r := watch(f)
			if c.lost {
				f.loseEvents("SUCCESS")
			}
			id := f.deploy(c.how)
			f.RunUntil(func() bool { return f.Deployed(id) }, 3*time.Hour)
			green := f.green(id)
			for n := range 10 { // always one more: each waits 6 minutes for its deployment
				f.Scale(green, 5+n)
				f.Advance(2 * time.Minute)
			}
			if len(f.Attached(green)) == 0 {
				t.Errorf("Auto Scaling deploys to one instance after the other, and the group is not attached after 20 minutes: scale-in cuts requests off\nnotified: %q", f.Subjects())
			}
			f.Advance(15 * time.Minute)
			f.mustRegisterAll(green, "Auto Scaling deploys to one instance after the other")
			r.mustHold(t)
			f.settle()
			f.mustServe()
		})
	}
}

// TestLastSuccessfulDeploymentByAutoScaling holds that a launch after a lost
// SUCCESS does not hide the release.
func TestLastSuccessfulDeploymentByAutoScaling(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.loseEvents()
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	f.Scale(f.green(id), 5) // its deployment will be the last successful one
	f.Advance(12 * time.Minute)
	if len(f.Attached(f.green(id))) == 0 {
		t.Errorf("an instance was launched after the release, and the group is not attached: %q", f.Subjects())
	}
	f.mustRegisterAll(f.green(id), "an instance was launched after the release")
}

// TestLaunchesDuringTheRelease holds that deployments by Auto Scaling to blue do
// not count as the release, nor their success as its success.
func TestLaunchesDuringTheRelease(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.ReadyWait = time.Hour
	f := newFixture(t, setting{service: svc})
	r := watch(f)
	blue := f.GroupOf(f.svc)
	f.Scale(blue, 5)
	f.Advance(6 * time.Minute)
	id := f.releaseTo(region.StageReady, region.Deployment{})
	for n := range 5 {
		f.Scale(blue, 5+n%2)
		f.Advance(3 * time.Minute)
	}
	if n := len(f.Attached(f.green(id))); n > 0 {
		t.Error("a launch in the old group succeeded, and the new one was put before users")
	}
	f.Continue(id)
	f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
	f.settle()
	f.mustServe()
	r.mustHold(t)
}

// TestNeverSucceeded holds that "no deployment has succeeded yet" does not last
// on a group that CodeDeploy made and that the deployment group names: its
// release was stopped after the reroute, and a later one failed.
func TestNeverSucceeded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour)})
	r := watch(f)
	first := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(time.Minute)
	f.Stop(first)
	f.Advance(time.Minute)
	second := f.deploy(region.Deployment{FailAt: region.StageInstall})
	f.RunUntil(func() bool { return f.Ended(second) }, time.Hour)
	f.settle()
	f.Scale(f.green(first), 8)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(f.green(first), "CodeDeploy made the group and rerouted to it, and no deployment ever succeeded")
	r.mustHold(t)
	for _, text := range f.Texts() {
		if strings.Contains(text, "No deployment has succeeded") {
			t.Errorf("the group serves, and operators read otherwise:\n%s", text)
		}
	}
}
