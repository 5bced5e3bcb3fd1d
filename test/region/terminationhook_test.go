package region_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

// TestCodeDeploysTerminateHook: a deployment of CodeDeploy's runs beside the
// users' hooks, and each owner completes its own.
func TestCodeDeploysTerminateHook(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4, TerminationHook: true,
	})
	r.RunDeployment(svc, region.Deployment{AttachItself: true})
	green := r.GroupOf(svc)
	in := putHook("drain")
	in.AutoScalingGroupName = &green
	if err := second(r.AutoScaling().PutLifecycleHook(ctx, in)); err != nil {
		t.Fatal(err)
	}
	if hooks := hookNames(t, r, green); len(hooks) != 3 {
		t.Fatalf("the hooks are %v", hooks)
	}
	events := deploymentEvents(t, r)
	r.Scale(green, 3)
	r.Advance(10 * time.Second)
	out, err := r.CodeDeploy().ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: []cd.DeploymentStatus{cd.DeploymentStatusInProgress},
	})
	if err != nil || len(out.Deployments) != 1 || deploymentInfo(t, r, out.Deployments[0]).Creator != cd.DeploymentCreatorAutoscalingTermination {
		t.Fatalf("in progress are %v, %v", out, err)
	}
	r.Advance(2 * time.Minute)
	actions := r.LifecycleActions()
	i := slices.IndexFunc(actions, func(a region.LifecycleAction) bool { return a.Hook == "drain" })
	if len(actions) != 2 || actions[1-i].Ending != region.Completed || actions[i].Ending != region.Active || stateOf(t, r, actions[i].Instance) != "Terminating:Wait" {
		t.Fatalf("the actions are %+v", actions)
	}
	if got := events[out.Deployments[0]]; !slices.Equal(got, []string{"START", "SUCCESS"}) {
		t.Errorf("EventBridge got %v", got)
	}
	if err := complete(r, actions[i], "CONTINUE", true); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	if got := stateOf(t, r, actions[i].Instance); got != "" {
		t.Errorf("all hooks done, the instance is %q", got)
	}
	_, err = r.CodeDeploy().UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), TerminationHookEnabled: aws.Bool(false),
	})
	if hooks := hookNames(t, r, green); err != nil || len(hooks) != 2 {
		t.Errorf("no longer enabled, the hooks are %v, %v", hooks, err)
	}
}

// TestLaunchIntoADeletedTargetGroup fails until the target group is detached.
func TestLaunchIntoADeletedTargetGroup(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	r.DeleteTargetGroup("web")
	before := len(r.InService(group))
	arn := r.Attached(group)[0]
	r.Scale(group, 6)
	r.Advance(10 * time.Minute)
	g, _ := r.Group(group)
	if len(g.Instances) != before {
		t.Errorf("%d instances were launched", len(g.Instances)-before)
	}
	if got := activities(t, r, group)[0]; !strings.HasSuffix(got, "Validating load balancer configuration failed. Failed") {
		t.Errorf("the latest activity is %s", got)
	}
	if err := second(r.AutoScaling().DetachTrafficSources(ctx, detachment(group, arn))); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 6 {
		t.Errorf("detached, %d of 6 are in service", n)
	}
}
