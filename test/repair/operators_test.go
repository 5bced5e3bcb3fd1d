package repair

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

func TestOperatorsRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true, rate: 1})
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	f.release(region.Deployment{})
	green := f.GroupOf(f.svc)

	var plan result
	f.ask(`{"action":"plan","application":"shop","deploymentGroup":"web"}`, &plan)
	if plan.Outcome != "planned" || len(plan.Changes) != 1 || plan.AutoScalingGroup != green {
		t.Errorf("the plan is %+v", plan)
	}
	var plans []result
	if f.ask(`{"action":"plan"}`, &plans); len(plans) != 1 || plans[0].Outcome != "planned" {
		t.Errorf("the plans are %+v", plans)
	}
	if len(f.Attached(green)) > 0 {
		t.Fatal("a plan was applied")
	}
	var swept sweepResult
	if f.ask(`{"action":"sweep"}`, &swept); swept.InScope != 1 || swept.InOrder != 0 || len(swept.HandedOver) != 1 {
		t.Errorf("the sweep found %+v", swept)
	}
	f.settle()
	f.mustServe()
	var status statusResult
	f.ask(`{"action":"status","application":"shop","deploymentGroup":"web"}`, &status)
	if len(status.TrafficSources) != 1 || status.TrafficSources[0].State != "InService" || status.TrafficSources[0].Targets["healthy"] != 4 || status.Baseline == nil || status.Baseline.Group != green {
		t.Errorf("the status is %+v, baseline %+v", status, status.Baseline)
	}
	f.ForgetCalls()
	if f.ask(`{"action":"sweep"}`, &swept); swept.InOrder != 1 || len(swept.HandedOver) != 0 {
		t.Errorf("the second sweep found %+v", swept)
	}
	if n := len(f.Calls()); n > 6 {
		t.Errorf("a sweep over a group in order takes %d calls", n)
	}
	for _, bad := range []string{`{"action":"unknown"}`, `{"action":"plan","application":"shop"}`, `{"action":"repair"}`, `{"action":"sweep","group":"web"}`} {
		if _, err := f.Function.Invoke(context.Background(), []byte(bad)); err == nil {
			t.Errorf("%s is answered as if it made sense", bad)
		}
	}
}

func TestPlanMode(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{config: repair.Config{Mode: repair.ModePlan}})
	f.release(region.Deployment{})
	f.settle()
	if n := f.Made("AttachTrafficSources"); n > 0 {
		t.Errorf("a dry run attached %d times", n)
	}
	if subjects := f.Subjects(); len(subjects) != 1 || f.notified("planned") != 1 {
		t.Errorf("a plan is notified as %q", subjects)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.LatticeTargetGroups = []string{"arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"}
	f := newFixture(t, setting{service: svc})
	f.Advance(6 * time.Minute)
	f.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &statusResult{})
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.Deployed(id) }, 4*time.Minute)
	f.settle()
	if n := len(f.Attached(f.GroupOf(f.svc))); n != 1 {
		t.Errorf("%d sources are attached: what was forgotten came back, or the rest did not", n)
	}
}

func TestOperatorsDecisionsStand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	f.release(region.Deployment{})
	f.settle()
	f.mustServe()
	green, web := f.GroupOf(f.svc), f.TargetGroupARN("web")

	t.Run("a freeze after a failed release", func(t *testing.T) {
		failed := f.deploy(region.Deployment{FailAt: region.StageInstall})
		f.RunUntil(func() bool { return f.Ended(failed) }, time.Hour)
		f.suspend(green)
		f.settle()
		if group, _ := f.Group(green); len(group.SuspendedProcesses) < 9 {
			t.Errorf("%d processes are still suspended: somebody's freeze was lifted", len(group.SuspendedProcesses))
		}
		f.resume(green)
		f.settle()
	})
	t.Run("a target group detached", func(t *testing.T) {
		_, err := f.AutoScaling().DetachTrafficSources(t.Context(), &autoscaling.DetachTrafficSourcesInput{
			AutoScalingGroupName: &green, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: &web, Type: aws.String("elbv2")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.settle()
		if len(f.Attached(green)) > 0 {
			t.Fatal("what somebody has detached was attached again")
		}
		f.ask(`{"action":"sweep"}`, &sweepResult{})
		var answer result
		f.ask(`{"action":"repair","application":"shop","deploymentGroup":"web"}`, &answer)
		f.settle()
		if len(f.Attached(green)) != 1 {
			t.Errorf("an operator's order came to %+v", answer)
		}
	})
}

// TestEachRepairIsNotified holds that a second repair of a group is notified, and so
// is what a failed release left, while an operator's decision stands.
func TestEachRepairIsNotified(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	f.release(region.Deployment{})
	f.settle()
	f.AddTargetGroup(region.TargetGroup{Name: "admin"})
	f.addToDeploymentGroup("admin")
	f.settle()
	// An operator has to confirm it: an edit of the deployment group alone may be a
	// slip (see TestLoadBalancerSettingsEditedByMistake).
	f.ask(repairShop, &result{})
	f.settle()
	if subjects := f.Subjects(); f.notified("repaired") != 2 {
		t.Errorf("two repairs are notified as %q", subjects)
	}
	waiting := f.notified("waiting")
	f.detach(f.GroupOf(f.svc), f.TargetGroupARN("web"))
	f.settle()
	id := f.deploy(region.Deployment{FailAt: region.StageInstall})
	f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
	f.Advance(6 * time.Hour)
	left := f.green(id)
	named := f.mentions("left the Auto Scaling group", left)
	if named != 1 {
		t.Errorf("%s, which a failed release left, is notified %d times: %q", left, named, f.Subjects())
	}
	if n := f.notified("waiting") - waiting; n > 2 {
		t.Errorf("an operator's decision to detach is %d notifications: %q", n, f.Subjects())
	}
}
