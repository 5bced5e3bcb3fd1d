package region_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

// waitingShop is a service whose blue group lives on for a while.
func waitingShop(r *region.Region, wait time.Duration) region.Service {
	return r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, TerminationWait: wait, RollBack: true})
}

func deploymentInfo(t *testing.T, r *region.Region, id string) *cd.DeploymentInfo {
	t.Helper()
	out, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out.DeploymentInfo
}

// TestSuccessAndTheTerminationWait: nobody has recorded which of the two comes
// first on EC2, so both are there.
func TestSuccessAndTheTerminationWait(t *testing.T) {
	for _, tc := range []struct {
		name    string
		how     region.Deployment
		wait    time.Duration
		over    bool // in the wait
		flag    bool
		inGreen bool // the deployment group names green in the wait
	}{
		{"success after it", region.Deployment{}, time.Hour, false, true, true},
		{"success after the longest", region.Deployment{}, 48 * time.Hour, false, true, true},
		{"success before it", region.Deployment{SucceedFirst: true}, time.Hour, true, true, true},
		{"the flag never set", region.Deployment{WaitFlagUnset: true}, time.Hour, false, false, true},
		{"green named at the end", region.Deployment{Named: region.NamedAtEnd}, time.Hour, false, true, false},
		{"green named late, success before", region.Deployment{Named: region.NamedAtEnd, SucceedFirst: true}, time.Hour, true, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := waitingShop(r, tc.wait)
			blue := r.GroupOf(svc)
			id := r.Deploy(svc, tc.how)
			if !r.RunUntil(func() bool { return r.StageOf(id) == region.StageWait }, time.Hour) {
				t.Fatalf("it is in stage %s", r.StageOf(id))
			}
			_, green := r.Groups(id)
			r.Advance(tc.wait - time.Minute)
			if r.Ended(id) != tc.over || deploymentInfo(t, r, id).InstanceTerminationWaitTimeStarted != tc.flag || (r.GroupOf(svc) == green) != tc.inGreen {
				t.Errorf("in the wait it is %s, the flag %t, and named is %s", r.Status(id), deploymentInfo(t, r, id).InstanceTerminationWaitTimeStarted, r.GroupOf(svc))
			}
			if hooks := hookNames(t, r, green); len(hooks) != 1 {
				t.Errorf("CodeDeploy's launch hook is not on green: %v", hooks)
			}
			r.Advance(2 * time.Minute)
			if _, there := r.Group(blue); there || !r.Deployed(id) || r.GroupOf(svc) != green {
				t.Errorf("after the wait blue is there: %t, it is %s, and named is %s", there, r.Status(id), r.GroupOf(svc))
			}
		})
	}
}

// TestBlueDuringTheTerminationWait: the blue group stays attached, so a
// scale-out puts the old version back in front of users.
func TestBlueDuringTheTerminationWait(t *testing.T) {
	for name, keep := range map[string]bool{"for an hour": false, "for good": true} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, TerminationWait: time.Hour, KeepBlue: keep})
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			blue := r.GroupOf(svc)
			// SUCCESS before the wait, so that the deployment has ended in both.
			r.RunDeployment(svc, region.Deployment{SucceedFirst: true})
			if len(r.Attached(blue)) != 1 || len(r.InService(blue)) != 2 || healthy(r, "web") != 2 {
				t.Fatalf("after the release blue is attached to %v with %v, and %d are healthy", r.Attached(blue), r.InService(blue), healthy(r, "web"))
			}
			r.Scale(blue, 3)
			r.Advance(10 * time.Minute)
			seconds := users.Seconds()
			if last := seconds[len(seconds)-2]; last.ByGroup[blue] == 0 {
				t.Errorf("a scale-out of blue serves nobody: %+v", last)
			}
			users.Stop()
			r.Advance(72 * time.Hour)
			if _, there := r.Group(blue); there != keep {
				t.Errorf("three days later blue is there: %t", there)
			}
		})
	}
}

func TestContinuingEndsTheTerminationWait(t *testing.T) {
	r := region.New(region.Options{})
	svc := waitingShop(r, 20*time.Minute)
	blue := r.GroupOf(svc)
	id := r.Deploy(svc, region.Deployment{})
	r.Advance(10 * time.Minute)
	if r.Ended(id) || r.GroupOf(svc) == blue {
		t.Errorf("in the termination wait it is %s", r.Status(id))
	}
	_, err := r.CodeDeploy().ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &id, DeploymentWaitType: cd.DeploymentWaitTypeTerminationWait})
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	if _, there := r.Group(blue); there || !r.Deployed(id) {
		t.Errorf("continued, blue is there: %t, %s", there, r.Status(id))
	}
}

// TestRollbackOutOfTheTerminationWait: the original instances get their
// traffic back as they are, and blue is not deleted when the wait would have
// ended.
func TestRollbackOutOfTheTerminationWait(t *testing.T) {
	r := region.New(region.Options{})
	svc := waitingShop(r, time.Hour)
	first := r.RunDeployment(svc, region.Deployment{AttachItself: true})
	_, blue := r.Groups(first)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 5 * time.Second})
	id := r.Deploy(svc, region.Deployment{})
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageWait }, time.Hour)
	_, green := r.Groups(id)
	originals := r.InService(blue)
	if _, err := r.CodeDeploy().StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.Advance(3 * time.Hour)
	if !r.Deployed(r.RollbackOf(id)) || r.GroupOf(svc) != blue || len(hookNames(t, r, green)) != 0 || !slices.Equal(r.InService(blue), originals) {
		t.Errorf("the rollback %q is %s, named is %s, blue holds %v", r.RollbackOf(id), r.Status(r.RollbackOf(id)), r.GroupOf(svc), r.InService(blue))
	}
	health := r.Health("web")
	for _, i := range originals {
		if health[i] != "healthy" {
			t.Errorf("the original instance %s is %q", i, health[i])
		}
	}
	if len(r.InService(green)) == 0 || healthy(r, "web") != len(originals) {
		t.Errorf("green holds %v, and the targets are %v", r.InService(green), health)
	}
	if total := users.Total(); total.Failed != 0 || total.Early != 0 {
		t.Errorf("users felt it: %+v", total)
	}
	r.Scale(blue, 3)
	r.Advance(5 * time.Minute)
	if launched := r.InService(blue)[2]; r.Revision(launched) != r.Revision(originals[0]) {
		t.Errorf("what blue launches then runs %q, not %q: the release that was rolled back", r.Revision(launched), r.Revision(originals[0]))
	}
	if total := users.Total(); total.Unvalidated != 0 || healthy(r, "web") != 3 {
		t.Errorf("what blue launches then serves %d times without a revision; %d are healthy", total.Unvalidated, healthy(r, "web"))
	}
}

// TestRollbackLeavesWhatOthersRegistered: it deregisters the instances of the
// deployment that it undoes and no others.
func TestRollbackLeavesWhatOthersRegistered(t *testing.T) {
	r := region.New(region.Options{})
	svc := waitingShop(r, time.Hour)
	id := r.Deploy(svc, region.Deployment{})
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageWait }, time.Hour)
	_, green := r.Groups(id)
	r.Scale(green, 3)
	r.Advance(5 * time.Minute)
	late := r.InService(green)[2]
	r.Register("web", late, 80)
	r.Advance(time.Minute)
	r.Stop(id)
	r.Advance(time.Hour)
	health := r.Health("web")
	if !r.Deployed(r.RollbackOf(id)) || health[late] != "healthy" || health[r.InService(green)[0]] != "" {
		t.Errorf("the rollback is %s, and the targets are %v", r.Status(r.RollbackOf(id)), health)
	}
}

// TestAttachingDuringADeployment may do what AWS warns of.
func TestAttachingDuringADeployment(t *testing.T) {
	for _, tc := range []struct {
		name         string
		options      region.Options
		ended        bool
		deregistered bool
	}{
		{"harmless", region.Options{}, false, false},
		{"as AWS warns", region.Options{AttachDeregisters: true}, false, true},
		{"as AWS warns, but afterwards", region.Options{AttachDeregisters: true}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(tc.options)
			svc := waitingShop(r, time.Hour)
			id := r.Deploy(svc, region.Deployment{})
			r.RunUntil(func() bool { return r.Ended(id) || !tc.ended && r.StageOf(id) == region.StageWait }, 3*time.Hour)
			_, green := r.Groups(id)
			if err := attach(r, green, "elbv2", r.TargetGroupARN("web")); err != nil {
				t.Fatal(err)
			}
			r.Advance(2 * time.Minute)
			if got := healthy(r, "web") == 0; got != tc.deregistered {
				t.Errorf("two minutes later the targets are %v", r.Health("web"))
			}
		})
	}
}

func TestStopInTheTerminationWaitWithoutRollback(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, TerminationWait: time.Hour})
	id := r.Deploy(svc, region.Deployment{})
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageWait }, time.Hour)
	r.Stop(id)
	r.Advance(3 * time.Hour)
	blue, green := r.Groups(id)
	if r.Status(id) != cd.DeploymentStatusStopped || len(r.InService(blue)) != 2 || len(r.InService(green)) != 2 || r.GroupOf(svc) != green {
		t.Errorf("stopped it is %s, blue holds %v, green %v, and named is %s", r.Status(id), r.InService(blue), r.InService(green), r.GroupOf(svc))
	}
}

func TestGreenMayBeNamedWhenTheRerouteBegins(t *testing.T) {
	for name, how := range map[string]region.Deployment{
		"and stays named":             {Named: region.NamedAtReroute},
		"and no longer when it fails": {Named: region.NamedAtReroute, FailAt: region.StageReroute},
	} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			id := r.Deploy(svc, how)
			r.RunUntil(func() bool { return r.StageOf(id) == region.StageReroute }, time.Hour)
			if _, green := r.Groups(id); r.GroupOf(svc) != green || len(hookNames(t, r, green)) != 0 {
				t.Errorf("when the reroute begins named is %s", r.GroupOf(svc))
			}
			r.Advance(time.Hour)
			if _, green := r.Groups(id); (r.GroupOf(svc) == green) != r.Deployed(id) {
				t.Errorf("at the end, %s, named is %s", r.Status(id), r.GroupOf(svc))
			}
		})
	}
}

// TestSpacedReroute: instances move one by one, and nobody fails.
func TestSpacedReroute(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	id := r.Deploy(svc, region.Deployment{Spacing: time.Minute})
	seen := map[int]bool{}
	r.RunUntil(func() bool { seen[len(r.Health("web"))] = true; return r.Deployed(id) }, time.Hour)
	for _, n := range []int{5, 6, 7, 8} {
		if !seen[n] {
			t.Errorf("there were never %d targets", n)
		}
	}
	if users.Total().Failed != 0 || healthy(r, "web") != 4 {
		t.Errorf("%d requests failed, and %d are healthy", users.Total().Failed, healthy(r, "web"))
	}
}

// TestInstancesLaunchedBeforeTheReroute have no revision until CodeDeploy
// deploys to them, unless the deployment group ignores them.
func TestInstancesLaunchedBeforeTheReroute(t *testing.T) {
	for _, tc := range []struct {
		name     string
		strategy cd.OutdatedInstancesStrategy
		updated  bool
	}{
		{"are updated", "", true},
		{"are ignored", cd.OutdatedInstancesStrategyIgnore, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, ReadyWait: time.Hour, OutdatedInstances: tc.strategy})
			id := r.Deploy(svc, region.Deployment{})
			r.RunUntil(func() bool { return r.Status(id) == cd.DeploymentStatusReady }, time.Hour)
			_, green := r.Groups(id)
			r.Scale(green, 3)
			r.Advance(2 * time.Minute)
			late := r.InService(green)[2]
			r.Continue(id)
			r.RunUntil(func() bool { return r.Deployed(id) }, time.Hour)
			if r.Health("web")[late] != "" {
				t.Error("the reroute has registered an instance that the deployment did not reach")
			}
			r.Register("web", late, 80)
			r.Advance(5 * time.Minute)
			out, err := r.CodeDeploy().ListDeployments(ctx, &codedeploy.ListDeploymentsInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Health("web")[late] == "healthy"; got != tc.updated || len(out.Deployments) > 1 != tc.updated {
				t.Errorf("the instance is %q after the deployments %v", r.Health("web")[late], out.Deployments)
			}
			if latest := deploymentInfo(t, r, out.Deployments[0]); tc.updated && (latest.Creator != cd.DeploymentCreatorCodeDeployAutoUpdate || latest.Status != cd.DeploymentStatusSucceeded) {
				t.Errorf("the follow-on deployment is %+v", latest)
			}
		})
	}
}

func TestDeploymentsByAutoScaling(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options region.Options
		creator cd.DeploymentCreator
	}{
		{"as the API reference spells it", region.Options{}, "autoscaling"},
		{"as the user guide spells it", region.Options{CamelCaseCreators: true}, "autoScaling"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.options.Timings.Install = 10 * time.Minute
			r := region.New(tc.options)
			svc := shop(r)
			r.RunDeployment(svc, region.Deployment{Installs: time.Second, AttachItself: true})
			r.Scale(r.GroupOf(svc), 6)
			r.Advance(2 * time.Minute)
			out, err := r.CodeDeploy().ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
				ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: []cd.DeploymentStatus{cd.DeploymentStatusInProgress},
			})
			if err != nil || len(out.Deployments) != 2 {
				t.Fatalf("in progress are %v, %v, want one for each of two instances", out, err)
			}
			if got := deploymentInfo(t, r, out.Deployments[0]).Creator; got != tc.creator {
				t.Errorf("the creator is %s", got)
			}
			r.Advance(time.Hour)
			g, err := r.CodeDeploy().GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})
			if err != nil || *g.DeploymentGroupInfo.LastSuccessfulDeployment.DeploymentId != out.Deployments[0] {
				t.Errorf("the last successful deployment is %+v, %v", g, err)
			}
		})
	}
}

func TestMetricsCollectionOfTheCopy(t *testing.T) {
	for name, copied := range map[string]bool{"lost": false, "copied": true} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			in := &autoscaling.EnableMetricsCollectionInput{AutoScalingGroupName: aws.String(group), Granularity: aws.String("1Minute")}
			if err := second(r.AutoScaling().EnableMetricsCollection(ctx, in)); err != nil {
				t.Fatal(err)
			}
			r.RunDeployment(svc, region.Deployment{CopiesMetrics: copied})
			if g, _ := r.Group(r.GroupOf(svc)); (len(g.EnabledMetrics) == 20) != copied {
				t.Errorf("the copy collects %d metrics", len(g.EnabledMetrics))
			}
		})
	}
}
