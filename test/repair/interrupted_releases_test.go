package repair

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// TestLargeScaleOutDuringTheWait holds that every instance that is launched in the
// termination wait serves, however many are launched at once.
func TestLargeScaleOutDuringTheWait(t *testing.T) {
	t.Parallel()
	for _, choice := range []repair.WithoutRevision{"notify", "standby", "replace"} {
		t.Run(string(choice), func(t *testing.T) {
			t.Parallel()
			svc := waiting(3 * time.Hour)
			svc.Max = 200
			f := newFixture(t, setting{service: svc, rate: 1, config: configured(func(c *repair.Config) { c.InstancesWithoutRevision = choice })})
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(2 * time.Minute)
			green := f.green(id)
			f.Scale(green, 140)
			f.Advance(20 * time.Minute)
			f.mustRegisterAll(green, "the load has risen in the termination wait, and part of what was launched for it serves nobody")
			f.Advance(3 * time.Hour)
			f.Advance(20 * time.Minute)
			f.mustTakeNone()
			f.mustRegisterAll(green, "the release has ended")
		})
	}
}

// TestLargeScaleOutAfterAMissedRelease is the same for a group that is found when its
// release has ended.
func TestLargeScaleOutAfterAMissedRelease(t *testing.T) {
	t.Parallel()
	for _, choice := range []repair.WithoutRevision{"notify", "standby", "replace"} {
		t.Run(string(choice), func(t *testing.T) {
			t.Parallel()
			svc := shop()
			svc.Max = 200
			f := newFixture(t, setting{service: svc, rate: 1, config: configured(func(c *repair.Config) { c.InstancesWithoutRevision = choice })})
			f.Advance(6 * time.Minute)
			f.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} })
			f.release(region.Deployment{})
			green := f.GroupOf(f.svc)
			f.Scale(green, 140)
			f.Advance(10 * time.Minute)
			f.SetFaults(nil)
			f.Advance(20 * time.Minute)
			f.mustTakeNone()
			f.mustBeAttached()
			f.mustRegisterAll(green, "the release has ended")
		})
	}
}

// TestSecondReleaseNamedLast holds that the group of the last successful release
// serves although the deployment group still names that of the one before.
func TestSecondReleaseNamedLast(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("blue is kept: %v", keep), func(t *testing.T) {
			t.Parallel()
			svc := waiting(2 * time.Hour)
			svc.KeepBlue = keep
			f := begin(t, svc)
			f.release(region.Deployment{})
			f.settle()
			blue := f.GroupOf(f.svc)
			id := f.deploy(region.Deployment{SucceedFirst: true, Named: region.NamedAtEnd})
			f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
			since := f.Now()
			green := f.green(id)
			f.Advance(2 * time.Minute)
			f.Scale(green, 8)
			f.Advance(15 * time.Minute)
			f.mustRegisterAll(green, "the second release has succeeded, and its group cannot grow while blue waits to be terminated")
			f.mustNotAnswer(blue, since, "the second release has succeeded")
		})
	}
}

// TestSettingsEditedByMistakeDuringARelease holds that what the release does not use
// is bridged as little as it is attached.
func TestSettingsEditedByMistakeDuringARelease(t *testing.T) {
	t.Parallel()
	for _, stage := range []region.Stage{region.StageReady, region.StageWait} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			svc := waiting(6 * time.Hour)
			if stage == region.StageReady {
				svc.ReadyWait = 12 * time.Hour
			}
			f := newFixture(t, setting{service: svc, rate: 1})
			f.AddService(region.Service{Application: "bank", DeploymentGroup: "web", TargetGroups: []string{"bank"}})
			f.Advance(12 * time.Minute)
			id := f.releaseTo(stage, region.Deployment{})
			f.Advance(6 * time.Minute)
			f.mustUpdateTargetGroups([]string{"web", "bank"})
			f.Advance(30 * time.Minute)
			blue, green := f.Groups(id)
			f.mustHoldNone("bank", blue, "users of another service get the wrong application")
			f.mustHoldNone("bank", green, "users of another service get the wrong application")
		})
	}
}

// TestDetachedByHandBeforeARelease holds that an operator's decision stands while the
// next release waits in READY.
func TestDetachedByHandBeforeARelease(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.TargetGroups = []string{"web", "admin"}
	svc.ReadyWait = 12 * time.Hour
	f := newFixture(t, setting{service: svc, rate: 1})
	f.Advance(12 * time.Minute)
	blue := f.GroupOf(f.svc)
	f.detach(blue, f.TargetGroupARN("admin"))
	f.Advance(12 * time.Minute)
	f.releaseTo(region.StageReady, region.Deployment{})
	f.Advance(30 * time.Minute)
	f.mustHoldNone("admin", blue, "an operator has detached admin, and the decision is undone behind the operator's back")
}

// TestWaitThatBeganUnseen holds that the replacement group serves in the wait although
// nothing that CodeDeploy registered is left and no flag says so.
func TestWaitThatBeganUnseen(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
		t.Run(fmt.Sprintf("named %q", naming), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(12*time.Hour))
			f.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} })
			id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: true, Named: naming})
			green := f.green(id)
			f.Advance(time.Minute)
			f.Scale(green, 8)
			f.Advance(10 * time.Minute)
			f.Scale(green, 0)
			f.Advance(10 * time.Minute)
			f.SetFaults(nil)
			f.Scale(green, 4)
			f.Advance(40 * time.Minute)
			f.mustRegisterAll(green, "all instances were replaced in the wait, nobody is registered, and users get errors for as long as the wait lasts")
			if f.mentions(green) == 0 {
				t.Errorf("and operators do not know: %q", f.Subjects())
			}
		})
	}
}

// TestLeftSuspendedInTheWait holds that processes that CodeDeploy leaves suspended in
// the wait neither keep what is launched from users nor silently last.
func TestLeftSuspendedInTheWait(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(12*time.Hour))
			id := f.releaseTo(region.StageWait, region.Deployment{LeaveSuspended: true, WaitFlagUnset: unset})
			green := f.green(id)
			f.Advance(time.Minute)
			f.Scale(green, 8)
			f.Advance(30 * time.Minute)
			f.mustRegisterAll(green, "CodeDeploy left processes suspended, and what was launched serves nobody for as long as the wait lasts")
			if f.mentions(green) == 0 {
				t.Errorf("operators do not know: %q", f.Subjects())
			}
		})
	}
}

// TestRenamedInTheWait holds that a bridge outlives the deployment group's name.
func TestRenamedInTheWait(t *testing.T) {
	t.Parallel()
	svc := waiting(3 * time.Hour)
	svc.RollBack = true
	f := begin(t, svc)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(2 * time.Minute)
	green := f.green(id)
	f.Scale(green, 8)
	f.Advance(10 * time.Minute)
	f.mustRegisterAll(green, "before the renaming")
	if _, err := f.CodeDeploy().UpdateDeploymentGroup(t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup, NewDeploymentGroupName: aws.String("renamed"),
	}); err != nil {
		t.Fatal(err)
	}
	f.svc.DeploymentGroup = "renamed"
	f.Advance(12 * time.Minute)
	f.rollBack(id)
	f.Advance(20 * time.Minute)
	if attached := f.Attached(green); len(attached) > 0 {
		t.Errorf("the function attached %s, which was rolled back, to %v", green, attached)
	}
	f.mustHoldNone("web", green, "bridged under the deployment group's old name, and rolled back: users get the version that failed")
}

// TestSettingsRevertedAfterARollBack holds that a bridge is taken back from target
// groups that the deployment group no longer names.
func TestSettingsRevertedAfterARollBack(t *testing.T) {
	t.Parallel()
	svc := waiting(3 * time.Hour)
	svc.RollBack = true
	f := begin(t, svc)
	f.AddTargetGroup(region.TargetGroup{Name: "admin"})
	f.addToDeploymentGroup("admin")
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(2 * time.Minute)
	green := f.green(id)
	f.Scale(green, 8)
	f.Advance(10 * time.Minute)
	f.mustUpdateTargetGroups([]string{"web"})
	f.rollBack(id)
	f.Advance(20 * time.Minute)
	if left := len(f.InService(green)) - len(f.unregistered(green, "admin")); left > 4 { // CodeDeploy's own four are CodeDeploy's business
		t.Errorf("%d instances are still registered with admin after the roll-back: users get the version that failed", left)
	}
}
