package repair

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// TestRolledBackAndRegisteredByHand holds that a version that was rolled back is not
// attached because somebody has registered an instance of it.
func TestRolledBackAndRegisteredByHand(t *testing.T) {
	t.Parallel()
	svc := waiting(2 * time.Hour)
	svc.RollBack = true
	f := begin(t, svc)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(5 * time.Minute)
	green := f.green(id)
	f.rollBack(id)
	f.Advance(10 * time.Minute)
	one := f.InService(green)[0]
	f.Register("web", one, 80) // to see what was wrong with it
	f.Advance(15 * time.Minute)
	if attached := f.Attached(green); len(attached) > 0 {
		t.Errorf("somebody registered one instance of the version that was rolled back, and the function attached all of it to %v", attached)
	}
}

// TestSuspendedWhileInstalling holds that the old group is kept in service whatever is
// suspended on the group that is still being installed.
func TestSuspendedWhileInstalling(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
	f.loseEvents()
	first := f.deploy(region.Deployment{})
	f.until(region.StageWait, first)
	f.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} })
	f.RunUntil(func() bool { return f.Ended(first) }, 2*time.Hour)
	second := f.deploy(region.Deployment{Installs: 55 * time.Minute})
	f.SetDelivery(nil)
	f.until(region.StageInstall, second)
	f.SetFaults(nil)
	f.suspend(f.green(second), "AddToLoadBalancer", "AlarmNotification", "ScheduledActions")
	f.Advance(6 * time.Minute)
	old := f.green(first)
	f.Scale(old, 8)
	f.Advance(15 * time.Minute)
	if f.StageOf(second) != region.StageInstall || len(f.Attached(old)) > 0 {
		t.Fatal("the installation is over, or the old group is attached: this shows nothing")
	}
	f.mustRegisterAll(old, "the next release is being installed, and the group that serves cannot grow")
	if f.mentions(old) == 0 {
		t.Errorf("operators do not know: %q", f.Subjects())
	}
}

// TestByHandInReady is the same for the group that serves while the next release
// waits in READY.
func TestByHandInReady(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(f *fixture, old string){
		"suspended and resumed": func(f *fixture, old string) {
			f.suspend(old, "AddToLoadBalancer")
			f.Scale(old, 6)
			f.Advance(10 * time.Minute)
			f.resume(old)
		},
		"detached and attached": func(f *fixture, old string) {
			f.detach(old, f.TargetGroupARN("web"))
			f.Advance(time.Minute)
			f.attach(old, f.TargetGroupARN("web"))
		},
		"an instance taken out": func(f *fixture, old string) { f.deregister("web", f.InService(old)[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := shop()
			svc.ReadyWait = 12 * time.Hour
			f := newFixture(t, setting{service: svc, rate: 1})
			f.Advance(12 * time.Minute)
			old := f.GroupOf(f.svc)
			id := f.releaseTo(region.StageReady, region.Deployment{})
			do(f, old)
			f.Advance(5 * time.Minute)
			f.Scale(old, 8)
			f.Advance(15 * time.Minute)
			want := 0
			if name == "an instance taken out" {
				want = 1 // an operator's decision
			}
			if n := len(f.unregistered(old, "web")); n != want {
				t.Errorf("%d instances of the group that serves are not registered, want %d; notified %q", n, want, f.Subjects())
			}
			f.Continue(id)
			f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
			f.settle()
			f.mustServe()
		})
	}
}

// TestRefreshThatLastsAfterTheRelease holds that what is launched while an instance
// refresh is in the way of the attachment serves all the same.
func TestRefreshThatLastsAfterTheRelease(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	f.Advance(6 * time.Minute)
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.green(id) != "" }, time.Hour)
	f.SetInstanceRefresh(f.green(id), true)
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	green := f.green(id)
	f.Advance(2 * time.Minute)
	f.replaceAll(green, 8*time.Minute)
	f.Advance(20 * time.Minute)
	f.mustRegisterAll(green, "an instance refresh is in the way of the attachment, and nothing that it launches is registered: when it has replaced all, nobody serves")
}

// TestOptOutInTheWait holds that from the tag on nothing is done to a group, and that
// it is taken up again when the tag is gone.
func TestOptOutInTheWait(t *testing.T) {
	t.Parallel()
	f := begin(t, waiting(2*time.Hour))
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(3 * time.Minute)
	green := f.green(id)
	f.Scale(green, 6)
	f.Advance(10 * time.Minute)
	f.tag(green, repair.OptOut.Key, repair.OptOut.Value)
	f.ForgetCalls()
	f.Scale(green, 8)
	f.Advance(20 * time.Minute)
	for _, operation := range []string{"RegisterTargets", "DeregisterTargets", "AttachTrafficSources", "ResumeProcesses"} {
		if n := f.Made(operation); n > 0 {
			t.Errorf("%s was called %d times on a group that somebody works on by hand", operation, n)
		}
	}
	f.tag(green, repair.OptOut.Key, "on")
	f.Advance(15 * time.Minute)
	f.mustRegisterAll(green, "the tag is gone")
	f.Advance(2 * time.Hour)
	f.mustServe()
}

// TestAttachedByHandInTheWait holds that what an operator attaches, detaches or
// suspends by hand in the wait leaves the group serving and in order at its end.
func TestByHandInTheWait(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(f *fixture, green string){
		"attached": func(f *fixture, green string) { f.attach(green, f.TargetGroupARN("web")) },
		"attached and detached": func(f *fixture, green string) {
			f.attach(green, f.TargetGroupARN("web"))
			f.Advance(10 * time.Minute)
			f.detach(green, f.TargetGroupARN("web"))
		},
		"suspended and resumed": func(f *fixture, green string) {
			f.suspend(green, "AddToLoadBalancer")
			f.Advance(10 * time.Minute)
			f.resume(green)
		},
		"frozen and resumed": func(f *fixture, green string) { f.suspend(green); f.Advance(10 * time.Minute); f.resume(green) },
	} {
		for _, unset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wait flag unset: %v", name, unset), func(t *testing.T) {
				t.Parallel()
				f := begin(t, waiting(2*time.Hour))
				blue := f.GroupOf(f.svc)
				id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
				since := f.Now()
				f.Advance(3 * time.Minute)
				green := f.green(id)
				do(f, green)
				f.Advance(2 * time.Minute)
				f.Scale(green, 8)
				f.Advance(20 * time.Minute)
				f.mustRegisterAll(green, "in the wait")
				f.mustNotAnswer(blue, since, "in the wait")
				f.Advance(2 * time.Hour)
				f.settle()
				f.mustServe()
				f.mustRegisterAll(green, "after the wait")
			})
		}
	}
}

// TestGroupNamedByHandInTheWait holds that an edit of the deployment group's Auto
// Scaling groups in the middle of a release puts nothing else before users.
func TestGroupNamedByHandInTheWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(2 * time.Hour), rate: 1})
	f.AddService(region.Service{Application: "bank", DeploymentGroup: "web", TargetGroups: []string{"bank"}, Group: "bank"})
	f.Advance(6 * time.Minute)
	f.releaseTo(region.StageWait, region.Deployment{})
	since := f.Now()
	f.nameGroup("bank")
	f.Advance(3 * time.Hour)
	f.mustNotAnswer("bank", since, "the deployment group was edited to name a foreign group")
}
