package deploymentgroup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

var stages = []region.Stage{region.StageProvision, region.StageInstall, region.StageReroute, region.StageWait, region.StageTerminate}

// releasing is a scenario in the middle of a release.
func releasing(t testing.TB, stage region.Stage, how region.Deployment) (s *scenario, deployment string) {
	t.Helper()
	s = released(t)
	deployment = s.Deploy(s.service, how)
	if !s.RunUntil(func() bool { return s.StageOf(deployment) == stage }, time.Hour) {
		t.Fatalf("the release does not come to %s: nothing is shown", stage)
	}
	s.Advance(2 * time.Second)
	return s, deployment
}

// inEveryStage plays a release, interrupted in each of its stages, in each way in which
// CodeDeploy may show it.
func inEveryStage(t *testing.T, play func(t *testing.T, s *scenario, deployment string)) {
	for _, stage := range stages {
		for _, named := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
			for _, unset := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, named at %q, flag unset %t", stage, named, unset), func(t *testing.T) {
					t.Parallel()
					s, deployment := releasing(t, stage, region.Deployment{Named: named, WaitFlagUnset: unset, Spacing: 20 * time.Second})
					play(t, s, deployment)
				})
			}
		}
	}
}

// TestUpdateDuringARelease holds that an update does not wait for a release nor break it,
// and that the group which the release leaves has what the template says.
func TestUpdateDuringARelease(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]properties{
		"larger":  {"MinSize": "3", "MaxSize": "9", "LaunchTemplateVersion": "2", "TargetCPUPercent": "60"},
		"smaller": {"MinSize": "1", "MaxSize": "1", "LaunchTemplateVersion": "2", "TargetCPUPercent": nil, "Alarms": nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEveryStage(t, func(t *testing.T, s *scenario, deployment string) {
				begun := s.Now()
				s.succeeds(s.request("Update", "shop/web", s.wanted(change), s.wanted(nil)))
				if took := s.Now().Sub(begun); took > time.Minute {
					t.Errorf("the update takes %s, while a release may take two days", took)
				}
				s.Advance(2 * time.Hour)
				want := map[string]string{"larger": "3..9 version 2 cpu 60", "smaller": "1..1 version 2"}[name]
				if got := s.size(s.current()); got != want || !s.Deployed(deployment) {
					t.Errorf("after the release (%s) the group is %s, want %s: an update is lost in a release", s.Status(deployment), got, want)
				}
				if s.Queue.Len() > 0 || len(s.groups()) != 1 {
					t.Errorf("left are %d messages and the groups %v", s.Queue.Len(), s.groups())
				}
			})
		})
	}
}

// TestRollbackDuringARelease holds that an update back to the old properties always works.
func TestRollbackDuringARelease(t *testing.T) {
	t.Parallel()
	inEveryStage(t, func(t *testing.T, s *scenario, deployment string) {
		before, after := s.wanted(nil), s.wanted(properties{"MinSize": "1", "MaxSize": "3", "LaunchTemplateVersion": "2"})
		s.succeeds(s.request("Update", "shop/web", after, before))
		s.Advance(30 * time.Second)
		s.succeeds(s.request("Update", "shop/web", before, after))
		s.Advance(2 * time.Hour)
		if got := s.size(s.current()); got != "2..4 version 1 cpu 50" || !s.Deployed(deployment) {
			t.Errorf("after the release (%s) the group is %s: following the first update goes on against the rollback", s.Status(deployment), got)
		}
	})
}

// TestReplacementGroupIsLeftToCodeDeploy holds that nothing is launched in the new group
// before users are on it: what is launched there then gets no revision.
func TestReplacementGroupIsLeftToCodeDeploy(t *testing.T) {
	t.Parallel()
	for _, stage := range []region.Stage{region.StageProvision, region.StageInstall} {
		s, deployment := releasing(t, stage, region.Deployment{Installs: 30 * time.Minute})
		blue, green := s.Groups(deployment)
		s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MinSize": "4", "MaxSize": "9"}), s.wanted(nil)))
		s.Advance(10 * time.Minute)
		if s.size(blue) != "4..9 version 1 cpu 50" {
			t.Errorf("%s: the group that serves users is %s: a larger minimum waits for a release", stage, s.size(blue))
		}
		if s.size(green) != "2..4 version 1 cpu 50" || len(s.InService(green)) != 2 {
			t.Errorf("%s: the replacement group is %s with %d instances: some have no revision", stage, s.size(green), len(s.InService(green)))
		}
	}
}

// TestUpdateDuringAReleaseThatFails holds that what CodeDeploy goes back to has what the
// template says.
func TestUpdateDuringAReleaseThatFails(t *testing.T) {
	t.Parallel()
	for _, stage := range []region.Stage{region.StageInstall, region.StageReroute} {
		s, deployment := releasing(t, region.StageProvision, region.Deployment{FailAt: stage})
		s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MinSize": "1", "MaxSize": "2"}), s.wanted(nil)))
		s.Advance(4 * time.Hour)
		if got := s.size(s.current()); got != "1..2 version 1 cpu 50" || s.Deployed(deployment) {
			t.Errorf("after a release that failed at %s the group is %s", stage, got)
		}
	}
}

func TestDeleteDuringARelease(t *testing.T) {
	t.Parallel()
	inEveryStage(t, func(t *testing.T, s *scenario, deployment string) {
		s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
		if s.deploymentGroup("web") != nil || len(s.groups()) > 0 {
			t.Errorf("left are %v: a copy costs money for ever", s.groups())
		}
		s.Advance(2 * time.Hour)
		if len(s.groups()) > 0 {
			t.Errorf("the release (%s) has made %v afterwards", s.Status(deployment), s.groups())
		}
	})
}

// TestDeleteStopsReleases and the rollbacks that the deployment group's configuration has
// CodeDeploy begin; what it deploys to a single instance copies nothing, and is left alone.
func TestDeleteStopsReleases(t *testing.T) {
	t.Parallel()
	s, deployment := releasing(t, region.StageWait, region.Deployment{})
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if rollback := s.RollbackOf(deployment); s.Status(deployment) != cd.DeploymentStatusStopped || rollback != "" && !s.Ended(rollback) {
		t.Errorf("the release is %s, and its rollback %q goes on", s.Status(deployment), rollback)
	}
	s = released(t)
	s.Scale(s.current(), 3)
	single := func() bool {
		out, err := s.CodeDeploy().ListDeployments(t.Context(), &codedeploy.ListDeploymentsInput{
			ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: []cd.DeploymentStatus{cd.DeploymentStatusCreated, cd.DeploymentStatusInProgress}})
		return err == nil && len(out.Deployments) > 0
	}
	if !s.RunUntil(single, 10*time.Minute) {
		t.Fatal("nothing is deployed to the new instance")
	}
	s.ForgetCalls()
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if n := s.Made("StopDeployment"); n > 0 || len(s.groups()) > 0 {
		t.Errorf("%d deployments are stopped that copy nothing; left are %v", n, s.groups())
	}
}

// TestReleaseThatBeginsDuringADelete: between what was observed and the deletion.
func TestReleaseThatBeginsDuringADelete(t *testing.T) {
	t.Parallel()
	s := created(t)
	s.OnCall(func(c region.Call) {
		if c.Operation == "DescribeAutoScalingGroups" {
			s.OnCall(nil)
			s.Deploy(s.service, region.Deployment{})
		}
	})
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	s.Advance(2 * time.Hour)
	if left := s.groups(); len(left) > 0 && left[0] != seed || len(left) > 1 {
		t.Errorf("left are %v: a copy costs money for ever", left)
	}
}

// TestUpdateReachesWhatServes holds that an update during the wait after a reroute reaches
// the group that users are on, at once, and leaves alone the one that is about to go.
func TestUpdateReachesWhatServes(t *testing.T) {
	t.Parallel()
	for _, how := range []region.Deployment{{}, {Named: region.NamedAtEnd}, {WaitFlagUnset: true}, {Named: region.NamedAtReroute}} {
		s, deployment := releasing(t, region.StageWait, how)
		blue, green := s.Groups(deployment)
		s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9"}), s.wanted(nil)))
		if s.size(green) != "2..9 version 1 cpu 50" || s.size(blue) != "2..4 version 1 cpu 50" {
			t.Errorf("%+v: users are on %s, and the former group is %s", how, s.size(green), s.size(blue))
		}
	}
}

// TestReplaceDuringARelease holds that a replacement waits until it is known which group
// stays, and says so where that takes too long, with everything as it was.
func TestReplaceDuringARelease(t *testing.T) {
	t.Parallel()
	renamed := properties{"DeploymentGroupName": "site"}
	inEveryStage(t, func(t *testing.T, s *scenario, deployment string) {
		s.succeeds(s.request("Update", "shop/web", s.wanted(renamed), s.wanted(nil)))
		s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
		s.Advance(time.Hour)
		_, green := s.Groups(deployment)
		g := s.deploymentGroup("site")
		if g == nil || *g.AutoScalingGroups[0].Name != green || !slices.Equal(s.groups(), []string{green}) || len(s.InService(green)) != 2 {
			t.Errorf("the new deployment group is %+v, and the groups %v: users lose their instances", g, s.groups())
		}
	})
	s, deployment := releasing(t, region.StageInstall, region.Deployment{HangAt: region.StageInstall})
	before := s.state()
	a := s.answer(s.request("Update", "shop/web", s.wanted(renamed), s.wanted(nil)))
	if a.Status != invoke.Failed || !strings.Contains(a.Reason, deployment) || a.PhysicalResourceID != "shop/web" || s.state() != before {
		t.Errorf("the answer is %+v: nobody knows what to wait for", a)
	}
	s.succeeds(s.request("Update", "shop/web", s.wanted(nil), s.wanted(renamed)))
	if s.state() != before {
		t.Errorf("the rollback changes\n%s\nto\n%s", before, s.state())
	}
}

// TestFollowingEndsWithAReplacement holds that an update which follows a release does not take
// the Auto Scaling group back from the deployment group that has replaced its own: the deletion
// of the former one would delete what serves users.
func TestFollowingEndsWithAReplacement(t *testing.T) {
	t.Parallel()
	inEveryStage(t, func(t *testing.T, s *scenario, _ string) {
		first := s.wanted(properties{"MaxSize": "9"})
		second := s.wanted(properties{"MaxSize": "8", "DeploymentGroupName": "site"})
		s.succeeds(s.request("Update", "shop/web", first, s.wanted(nil)))
		s.succeeds(s.request("Update", "shop/web", second, first))
		s.Advance(10 * time.Minute) // CloudFormation is busy with other resources
		s.succeeds(s.request("Delete", "shop/web", first, nil))
		s.Advance(time.Hour)
		g := s.deploymentGroup("site")
		if name := *g.AutoScalingGroups[0].Name; s.size(name) != "2..8 version 1 cpu 50" || len(s.InService(name)) != 2 {
			t.Errorf("the group is %s with %d instances", s.size(name), len(s.InService(name)))
		}
	})
}

// TestCreateDuringARelease imports a deployment group in the middle of a release.
func TestCreateDuringARelease(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.service = s.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, TerminationWait: 30 * time.Minute})
	deployment := s.Deploy(s.service, region.Deployment{})
	s.Advance(3 * time.Minute)
	s.succeeds(s.request("Create", "", s.wanted(properties{"Import": "true", "MaxSize": "9"}), nil))
	s.Advance(2 * time.Hour)
	if got := s.size(s.current()); got != "2..9 version 1 cpu 50" || !s.Deployed(deployment) {
		t.Errorf("after the release (%s) the group is %s", s.Status(deployment), got)
	}
}

// TestFollowingEnds holds that a release that never ends is not followed for ever.
func TestFollowingEnds(t *testing.T) {
	t.Parallel()
	s, _ := releasing(t, region.StageInstall, region.Deployment{HangAt: region.StageInstall})
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9"}), s.wanted(nil)))
	s.Advance(time.Hour)
	if s.Queue.Len() == 0 {
		t.Error("the release is not followed")
	}
	s.Advance(120 * time.Hour)
	if s.Queue.Len() > 0 || len(s.Queue.DeadLetters()) > 0 {
		t.Error("the release is followed for ever")
	}
}
