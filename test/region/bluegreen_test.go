package region_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

// deploymentEvents collects the states of EventBridge's deployment events, per
// deployment.
func deploymentEvents(t *testing.T, r *region.Region) map[string][]string {
	states := map[string][]string{}
	r.OnEvent(func(payload []byte) {
		e := decodeBusEvent(t, payload)
		if e.Source != "aws.codedeploy" {
			return
		}
		states[e.Detail.DeploymentID] = append(states[e.Detail.DeploymentID], e.Detail.State)
	})
	return states
}

// TestWhatTheCopyHas holds what CodeDeploy was seen to copy, and not to.
func TestWhatTheCopyHas(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web_eu", TargetGroups: []string{"web", "api"}, Instances: 4, Min: 3, Max: 9,
		Grace: 90 * time.Second, Tags: map[string]string{"team": "shop"},
		Hooks: []asg.LifecycleHook{{LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING")}},
	})
	blue, _ := r.Group(r.GroupOf(svc))
	id := r.RunDeployment(svc, region.Deployment{})
	green, _ := r.Group(r.GroupOf(svc))

	if want := "CodeDeploy_web_eu_" + id; *green.AutoScalingGroupName != want {
		t.Errorf("the copy is called %s, want %s", *green.AutoScalingGroupName, want)
	}
	if *green.MinSize != 3 || *green.MaxSize != 9 || *green.DesiredCapacity != 4 || len(green.Instances) != 4 {
		t.Errorf("the copy's sizes are %d %d %d, instances %d", *green.MinSize, *green.MaxSize, *green.DesiredCapacity, len(green.Instances))
	}
	if *green.HealthCheckType != "ELB" || *green.HealthCheckGracePeriod != 90 || *green.LaunchTemplate.LaunchTemplateId != *blue.LaunchTemplate.LaunchTemplateId {
		t.Errorf("the copy checks %s after %d s and launches from %s", *green.HealthCheckType, *green.HealthCheckGracePeriod, *green.LaunchTemplate.LaunchTemplateId)
	}
	tags := map[string]string{}
	for _, tag := range green.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if len(tags) != 2 || tags["team"] != "shop" || tags["CodeDeployProvisioningDeploymentId"] != id {
		t.Errorf("the copy's tags are %v", tags)
	}
	if len(green.TargetGroupARNs) != 0 || len(green.TrafficSources) != 0 {
		t.Errorf("the copy is attached to %v", green.TargetGroupARNs)
	}
	hooks := hookNames(t, r, *green.AutoScalingGroupName)
	if len(hooks) != 1 || !strings.HasPrefix(hooks[0], "CodeDeploy-managed-automatic-launch-deployment-hook-") {
		t.Errorf("the copy's hooks are %v: users' own are lost, CodeDeploy's is moved", hooks)
	}
	if len(green.SuspendedProcesses) != 0 || healthy(r, "web") != 4 || healthy(r, "api") != 4 {
		t.Errorf("after the release %v are suspended, %d and %d targets healthy", green.SuspendedProcesses, healthy(r, "web"), healthy(r, "api"))
	}
	out, err := r.CodeDeploy().ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{
		DeploymentId: &id, TargetFilters: map[string][]string{"ServerInstanceLabel": {"Green"}},
	})
	if err != nil || !slices.Equal(out.TargetIds, r.InService(*green.AutoScalingGroupName)) {
		t.Errorf("the revision is said to be on %v, %v", out, err)
	}
}

// TestOrderOfAReroute watches the steps that were seen in CloudTrail.
func TestOrderOfAReroute(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 10 * time.Second})
	id := r.Deploy(svc, region.Deployment{})
	var order []string
	note := func(what string, holds bool) {
		if holds && !slices.Contains(order, what) {
			order = append(order, what)
		}
	}
	r.RunUntil(func() bool {
		blue, green := r.Groups(id)
		g, made := r.Group(green)
		note("created", made)
		note("sized", made && *g.DesiredCapacity == 4)
		note("suspended", len(g.SuspendedProcesses) == 3)
		targets := r.Health("web")
		inGreen := r.InService(green)
		note("green registered", len(inGreen) > 0 && targets[inGreen[0]] != "")
		inBlue := r.InService(blue)
		note("blue draining", len(inBlue) > 0 && targets[inBlue[0]] == "draining")
		note("resumed", slices.Contains(order, "suspended") && len(g.SuspendedProcesses) == 0)
		note("named", r.GroupOf(svc) == green)
		note("succeeded", r.Deployed(id))
		b, there := r.Group(blue)
		note("blue deleted", blue != "" && (!there || b.Status != nil))
		return slices.Contains(order, "blue deleted")
	}, time.Hour)
	want := []string{"created", "sized", "suspended", "green registered", "blue draining", "resumed", "named", "succeeded", "blue deleted"}
	if !slices.Equal(order, want) {
		t.Errorf("the steps came in the order %v, want %v", order, want)
	}
	if users.Total().Failed != 0 {
		t.Errorf("the release failed %d requests", users.Total().Failed)
	}
}

func hookNames(t *testing.T, r *region.Region, name string) []string {
	t.Helper()
	out, err := describeHooks(r, name)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range out.LifecycleHooks {
		names = append(names, *h.LifecycleHookName)
	}
	return names
}

func TestOneDeploymentAtATime(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	first := r.Deploy(svc, region.Deployment{})
	_, err := r.TryDeploy(svc, region.Deployment{})
	var limit *cd.DeploymentLimitExceededException
	if !errors.As(err, &limit) || !strings.Contains(err.Error(), first) {
		t.Errorf("a second deployment at once gives %v", err)
	}
	r.RunUntil(func() bool { return r.Ended(first) }, time.Hour)
	second := r.RunDeployment(svc, region.Deployment{})
	r.Advance(6 * time.Minute) // until what has drained is no longer displayed
	if _, green := r.Groups(second); !r.Deployed(second) || r.GroupOf(svc) != green {
		t.Errorf("a second release before the first was repaired ended %s on %s", r.Status(second), r.GroupOf(svc))
	}
	if n := healthy(r, "web"); n != 4 || len(r.Health("web")) != 4 {
		t.Errorf("after two releases %d targets are healthy of %v", n, r.Health("web"))
	}
}

// TestLaunchHookBringsTheRevision: what scales out after a release has it.
func TestLaunchHookBringsTheRevision(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	r.RunDeployment(svc, region.Deployment{AttachItself: true})
	green := r.GroupOf(svc)
	events := deploymentEvents(t, r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	r.Scale(green, 5)
	r.Advance(45 * time.Second)
	g, _ := r.Group(green)
	if state := g.Instances[4].LifecycleState; state != asg.LifecycleStatePendingWait {
		t.Errorf("while CodeDeploy deploys to it the new instance is %s", state)
	}
	r.Advance(5 * time.Minute)
	if healthy(r, "web") != 5 || users.Total().Unvalidated != 0 {
		t.Errorf("%d are healthy, %d requests were unvalidated", healthy(r, "web"), users.Total().Unvalidated)
	}
	if len(events) != 1 {
		t.Fatalf("events %v, want those of one deployment", events)
	}
	for id, states := range events {
		out, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if err != nil || out.DeploymentInfo.Creator != cd.DeploymentCreatorAutoscaling || !slices.Equal(states, []string{"START", "SUCCESS"}) {
			t.Errorf("%v: %+v, %v", states, out, err)
		}
	}
}

func TestAReleaseMayBeginWhileAnInstanceLaunches(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	r.RunDeployment(svc, region.Deployment{AttachItself: true})
	r.Scale(r.GroupOf(svc), 5)
	r.Advance(45 * time.Second)
	id, err := r.TryDeploy(svc, region.Deployment{})
	if err != nil {
		t.Fatalf("a deployment to one launched instance is in the way: %v", err)
	}
	r.Advance(time.Hour)
	if !r.Deployed(id) {
		t.Errorf("the release is %s", r.Status(id))
	}
}

func TestOtherKindsOfDeployments(t *testing.T) {
	for name, s := range map[string]region.Service{
		"in place": {Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, InPlace: true},
		"ECS":      {Application: "shop", DeploymentGroup: "web", Platform: cd.ComputePlatformEcs},
		"Lambda":   {Application: "shop", DeploymentGroup: "web", Platform: cd.ComputePlatformLambda},
	} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(s)
			before := r.GroupOf(svc)
			events := deploymentEvents(t, r)
			id := r.RunDeployment(svc, region.Deployment{})
			r.Advance(time.Minute)
			if !slices.Equal(events[id], []string{"START", "SUCCESS"}) || r.GroupOf(svc) != before {
				t.Errorf("events %v, group %q before and %q after", events[id], before, r.GroupOf(svc))
			}
			failed := r.RunDeployment(svc, region.Deployment{FailAt: region.StageInstall})
			r.Advance(time.Minute)
			if !slices.Equal(events[failed], []string{"START", "FAILURE"}) {
				t.Errorf("events %v", events[failed])
			}
		})
	}
}
