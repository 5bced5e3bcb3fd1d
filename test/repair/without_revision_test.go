package repair

import (
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// launchedWithoutRevision plays a release during which the replacement group
// launches two instances between READY and the reroute: CodeDeploy's launch hook
// is not there yet, so nothing is deployed to them. It returns them, with the
// release just ended.
func launchedWithoutRevision(t *testing.T, s setting) (f *fixture, bare []string) {
	t.Helper()
	s.service = shop()
	s.service.ReadyWait = time.Hour
	s.service.BareAnswers = true // with what is in the image, so that health checks pass
	s.service.OutdatedInstances = codedeploytypes.OutdatedInstancesStrategyIgnore
	f = newFixture(t, s)
	f.Advance(6 * time.Minute)
	id := f.releaseTo(region.StageReady, region.Deployment{})
	green := f.green(id)
	before := f.InService(green)
	f.Scale(green, 6)
	f.Advance(3 * time.Minute)
	for _, i := range f.InService(green) {
		if !contains(before, i) {
			bare = append(bare, i)
		}
	}
	if len(bare) != 2 {
		t.Fatalf("%d instances were launched without a revision: this shows nothing", len(bare))
	}
	f.Continue(id)
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	return f, bare
}

func TestInstancesWithoutRevision(t *testing.T) {
	t.Parallel()
	t.Run("notify", func(t *testing.T) {
		t.Parallel()
		f, bare := launchedWithoutRevision(t, setting{})
		f.Advance(2 * time.Minute)
		f.mustServe() // it does not wait for them
		f.Advance(10 * time.Minute)
		for _, i := range bare {
			if f.mentions(i) == 0 {
				t.Errorf("%s answers users with what is in its image, and operators do not know: %q", i, f.Subjects())
			}
		}
		for _, operation := range []string{"EnterStandby", "SetInstanceHealth"} {
			if n := f.Made(operation); n > 0 {
				t.Errorf("%s was called %d times although the configuration says notify", operation, n)
			}
		}
	})
	t.Run("standby", func(t *testing.T) {
		t.Parallel()
		f, bare := launchedWithoutRevision(t, setting{config: configured(func(c *repair.Config) { c.InstancesWithoutRevision = "standby" })})
		f.Advance(2 * time.Minute)
		f.mustServe()
		f.Advance(10 * time.Minute)
		for _, i := range bare {
			if state := f.lifecycle(i); state != asgtypes.LifecycleStateStandby {
				t.Errorf("%s, to which nothing was deployed, is %s: users get what is in its image", i, state)
			}
			if f.mentions(i) == 0 {
				t.Errorf("%s is held back, and operators do not know: %q", i, f.Subjects())
			}
		}
		f.mustNotHaveBeenUnvalidated()
		// The next release has a group of its own; nothing waits for these two.
		f.Advance(time.Hour)
		if n := len(f.Subjects()); n > 4 {
			t.Errorf("two instances in standby are %d notifications: %q", n, f.Subjects())
		}
	})
	t.Run("standby ends when CodeDeploy has deployed", func(t *testing.T) {
		t.Parallel()
		f, bare := launchedWithoutRevision(t, setting{config: configured(func(c *repair.Config) { c.InstancesWithoutRevision = "standby" })})
		f.Advance(12 * time.Minute)
		f.UpdateInstances(f.svc, bare)
		f.Advance(12 * time.Minute)
		for _, i := range bare {
			if state := f.lifecycle(i); state != asgtypes.LifecycleStateInService {
				t.Errorf("CodeDeploy has deployed to %s, and it is still %s: paid for, it serves nobody", i, state)
			}
		}
		f.mustRegisterAll(f.GroupOf(f.svc), "CodeDeploy has deployed to all")
		f.mustNotHaveBeenUnvalidated()
	})
	t.Run("replace", func(t *testing.T) {
		t.Parallel()
		f, bare := launchedWithoutRevision(t, setting{config: configured(func(c *repair.Config) { c.InstancesWithoutRevision = "replace" })})
		f.Advance(2 * time.Minute)
		f.mustServe()
		f.Advance(15 * time.Minute)
		for _, i := range bare {
			if contains(f.InService(f.GroupOf(f.svc)), i) {
				t.Errorf("%s, to which nothing was deployed, was not replaced", i)
			}
		}
		if n := len(f.InService(f.GroupOf(f.svc))); n != 6 {
			t.Errorf("%d of 6 instances are in service after two were replaced", n)
		}
		f.mustRegisterAll(f.GroupOf(f.svc), "two were replaced")
	})
}

// TestUpdatedByCodeDeploy holds that instances that CodeDeploy itself updates
// after the release are neither reported for ever nor replaced.
func TestUpdatedByCodeDeploy(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.ReadyWait = time.Hour
	f := newFixture(t, setting{service: svc})
	id := f.releaseTo(region.StageReady, region.Deployment{})
	f.Scale(f.green(id), 6)
	f.Advance(3 * time.Minute)
	f.Continue(id)
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	f.settle()
	f.mustServe()
	f.mustRegisterAll(f.GroupOf(f.svc), "CodeDeploy has updated those that were launched meanwhile")
	if n := f.notified("action-required"); n > 0 {
		t.Errorf("operators are asked to act %d times on what CodeDeploy does by itself", n)
	}
}

// mustNotHaveBeenUnvalidated fails if a user was answered by an instance that
// nobody has deployed to.
func (f *fixture) mustNotHaveBeenUnvalidated() {
	f.t.Helper()
	if n := f.users.Total().Unvalidated; n > 0 {
		f.t.Errorf("%d requests were answered by instances to which nothing was deployed", n)
	}
}

// lifecycle is an instance's lifecycle state in the service's current group.
func (f *fixture) lifecycle(instance string) asgtypes.LifecycleState {
	group, _ := f.Group(f.GroupOf(f.svc))
	for _, i := range group.Instances {
		if *i.InstanceId == instance {
			return i.LifecycleState
		}
	}
	return "gone"
}

// TestBridgeLeavesInstancesWithoutRevision holds that a bridge does not put before
// users what nobody has deployed to.
func TestBridgeLeavesInstancesWithoutRevision(t *testing.T) {
	t.Parallel()
	svc := waiting(2 * time.Hour)
	svc.ReadyWait, svc.BareAnswers, svc.OutdatedInstances = time.Hour, true, codedeploytypes.OutdatedInstancesStrategyIgnore
	f := newFixture(t, setting{service: svc})
	r := watch(f)
	id := f.releaseTo(region.StageReady, region.Deployment{})
	f.Scale(f.green(id), 6)
	f.Advance(3 * time.Minute)
	f.Continue(id)
	f.until(region.StageWait, id)
	f.Advance(2 * time.Minute)
	f.Scale(f.green(id), 8) // these are deployed to, and bridged
	f.Advance(12 * time.Minute)
	if n := f.Made("RegisterTargets"); n == 0 {
		t.Error("the two that were deployed to were not bridged: they serve nobody")
	}
	r.mustHold(t)
	f.mustNotHaveBeenUnvalidated()
}
