package repair

import (
	"strings"
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/test/region"
)

func TestBusyGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true})
	f.RunUntil(func() bool { return false }, time.Minute)
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	f.SetInstanceRefresh(f.GroupOf(f.svc), true)
	f.Advance(time.Minute)
	f.SetInstanceRefresh(f.GroupOf(f.svc), false)
	f.settle()
	f.mustServe()
	if f.notified("action-required") > 0 {
		t.Errorf("operators are woken for what passes: %q", f.Subjects())
	}
}

func TestInstanceRefreshThatLasts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	f.SetInstanceRefresh(f.GroupOf(f.svc), true)
	f.Advance(6 * time.Hour)
	if subjects := f.Subjects(); len(subjects) != 1 || f.notified("waiting") != 1 {
		t.Errorf("six hours of waiting are notified as %q", subjects)
	}
	f.SetInstanceRefresh(f.GroupOf(f.svc), false)
	f.settle()
	f.mustServe()
}

func TestProcessesLeftSuspendedOnTheGroupThatServes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.release(region.Deployment{LeaveSuspended: true})
	f.Scale(f.GroupOf(f.svc), 6)
	f.settle()
	f.mustServe()
	group, _ := f.Group(f.GroupOf(f.svc))
	if len(group.SuspendedProcesses) > 0 {
		t.Errorf("%d processes are still suspended: the group neither scales nor serves", len(group.SuspendedProcesses))
	}
	if healthy := len(f.Health("web")); healthy != 6 {
		t.Errorf("%d of 6 instances are registered: those launched meanwhile serve nobody", healthy)
	}
}

func TestProcessesSuspendedByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.release(region.Deployment{})
	f.settle()
	green := f.GroupOf(f.svc)
	f.suspend(green, "AddToLoadBalancer")
	f.Scale(green, 6)
	f.settle()
	if !strings.Contains(f.LastNotice(), "resume-processes") || f.notified("waiting") != 1 {
		t.Errorf("the suspension is notified as %q:\n%s", f.Subjects(), f.LastNotice())
	}
	f.resume(green, "AddToLoadBalancer")
	f.settle()
	if n := len(f.Health("web")); n != 6 {
		t.Errorf("%d of 6 instances are registered: those launched meanwhile serve nobody", n)
	}
}

func TestGroupNamedByHandAndNotDeployedTo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.release(region.Deployment{})
	f.settle()
	_, err := f.AutoScaling().CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web-v2"), MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
		LaunchTemplate:    &asgtypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("1")},
		VPCZoneIdentifier: aws.String("subnet-0a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.CodeDeploy().UpdateDeploymentGroup(t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup, AutoScalingGroups: []string{"web-v2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.settle()
	if attached := f.Attached("web-v2"); len(attached) > 0 {
		t.Errorf("a group that nobody deployed to was put before users: %v", attached)
	}
}

func launchTemplate() *asgtypes.LaunchTemplateSpecification {
	return &asgtypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("1")}
}
