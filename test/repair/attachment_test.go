package repair

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

func TestReleaseIsAttached(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	blue := f.GroupOf(f.svc)
	f.release(region.Deployment{})
	f.settle()
	f.mustServe()
	green := f.GroupOf(f.svc)
	if got := f.Parameter("/deployhooks/shop/web/auto-scaling-group"); got != green || got == blue {
		t.Errorf("the published name is %q, and the current group %q: dashboards look at a group that is gone", got, green)
	}
	if subjects := f.Subjects(); len(subjects) != 1 || !strings.Contains(subjects[0], "repaired: shop/web") {
		t.Errorf("one repair is notified as %q", subjects)
	}
	if text := f.LastNotice(); !strings.Contains(text, "attach target group web to "+green) {
		t.Errorf("the notice does not say what was done:\n%s", text)
	}
	if events := f.Events("default"); len(events) != 1 || events[0].Source != "deployhooks.repair" || !strings.Contains(events[0].Detail, `"outcome":"repaired"`) {
		t.Errorf("other systems learn %v", events)
	}
	if n := f.Made("AttachTrafficSources"); n != 1 {
		t.Errorf("attached %d times", n)
	}
	for _, c := range f.Calls() {
		if c.Err != nil {
			t.Errorf("on a day on which nothing fails, %s fails: %v", c.Operation, c.Err)
		}
	}
}

func TestScaleInAndOutAfterARelease(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.release(region.Deployment{})
	f.Advance(2 * time.Minute)
	f.Scale(f.GroupOf(f.svc), 6)
	f.Advance(5 * time.Minute)
	seconds := f.users.Seconds()
	if serving := seconds[len(seconds)-1].Serving; serving != 6 {
		t.Errorf("after a scale-out, %d of 6 instances serve", serving)
	}
	f.Scale(f.GroupOf(f.svc), 3)
	f.Advance(10 * time.Minute)
	if failed := f.users.Total().Failed; failed != 0 {
		t.Errorf("%d requests failed", failed)
	}
	if subjects := f.Subjects(); len(subjects) != 1 {
		t.Errorf("scaling is notified: %q", subjects)
	}
}

func TestEveryKindOfTrafficSourceIsAttached(t *testing.T) {
	t.Parallel()
	lattice := "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	svc := shop()
	svc.TargetGroups = []string{"web", "admin", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10"}
	svc.ClassicLoadBalancers = []string{"old"}
	svc.LatticeTargetGroups = []string{lattice}
	svc.Hooks = []asgtypes.LifecycleHook{{
		LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}
	f := newFixture(t, setting{service: svc})
	extra := f.AddTargetGroup(region.TargetGroup{Name: "extra"})
	_, err := f.AutoScaling().AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(f.GroupOf(f.svc)),
		TrafficSources:       []asgtypes.TrafficSourceIdentifier{{Identifier: &extra, Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Advance(2 * time.Minute)
	for n := 1; n <= 2; n++ {
		f.release(region.Deployment{})
		f.settle()
		sources := []string{extra, "old", lattice}
		for _, name := range svc.TargetGroups {
			sources = append(sources, f.TargetGroupARN(name))
		}
		f.mustServe(sources...)
		hooks, err := f.AutoScaling().DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{
			AutoScalingGroupName: aws.String(f.GroupOf(f.svc)), LifecycleHookNames: []string{"drain"},
		})
		if err != nil || len(hooks.LifecycleHooks) != 1 || aws.ToInt32(hooks.LifecycleHooks[0].HeartbeatTimeout) != 300 {
			t.Errorf("after release %d the user's lifecycle hook is gone, and draining has silently stopped: %v %v", n, hooks, err)
		}
	}
}

func TestExtraTargetGroupDoesNotDelay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true})
	extra := f.AddTargetGroup(region.TargetGroup{Name: "extra"})
	blue := f.GroupOf(f.svc)
	_, err := f.AutoScaling().AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: &blue, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: &extra, Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Advance(2 * time.Minute)
	id := f.deploy(region.Deployment{})
	f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
	f.Advance(10 * time.Second)
	f.mustServe(f.TargetGroupARN("web"), extra)
	f.settle()
	if subjects := f.Subjects(); len(subjects) != 1 || f.notified("repaired") != 1 {
		t.Errorf("notified %q", subjects)
	}
}

func TestTargetGroupMadeAnewUnderItsName(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.Advance(6 * time.Minute) // a sweep has kept the baseline
	id := f.deploy(region.Deployment{HangAt: region.StageReroute})
	_ = id
	f.Advance(time.Minute)
	f.Stop(id)
	f.settle()
	f.DeleteTargetGroup("web")
	anew := f.AddTargetGroup(region.TargetGroup{Name: "web"})
	f.Advance(time.Minute)
	f.release(region.Deployment{})
	f.settle()
	f.mustServe(anew)
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"web_eu_1", "web/eu", "wéb ünd mehr", "d-fake_CodeDeploy_"} {
		t.Run(name, func(t *testing.T) {
			svc := shop()
			svc.Application, svc.DeploymentGroup, svc.Group = "app "+name, name, "group"
			f := newFixture(t, setting{service: svc})
			f.release(region.Deployment{})
			f.settle()
			f.mustServe()
			parameter := repair.ParameterName("/deployhooks", repair.Key{Application: svc.Application, DeploymentGroup: name})
			if got := f.Parameter(parameter); got != f.GroupOf(f.svc) {
				t.Errorf("parameter %s holds %q", parameter, got)
			}
		})
	}
}

func TestSecondDeploymentBeforeTheFirstIsRepaired(t *testing.T) {
	t.Parallel()
	lattice := "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	svc := shop()
	svc.LatticeTargetGroups = []string{lattice}
	f := newFixture(t, setting{service: svc})
	f.Advance(6 * time.Minute)
	// Every event comes too late for the first.
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Late(30 * time.Second) })
	f.release(region.Deployment{})
	f.release(region.Deployment{})
	f.settle()
	f.mustServe(f.TargetGroupARN("web"), lattice)
}

func TestAttachedBySomebodyElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.release(region.Deployment{AttachItself: true})
	f.settle()
	f.mustServe()
	if n := f.Made("AttachTrafficSources"); n != 0 {
		t.Errorf("a group that was in order was attached %d times", n)
	}
	if subjects := f.Subjects(); len(subjects) != 1 || f.notified("in-order") != 1 {
		t.Errorf("a release in order is notified as %q", subjects)
	}
}

func TestTargetGroupOfAnotherKind(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.AddTargetGroup(region.TargetGroup{Name: "addresses", Type: elbtypes.TargetTypeEnumIp})
	f.addToDeploymentGroup("addresses")
	f.release(region.Deployment{})
	f.settle()
	f.mustServe(f.TargetGroupARN("web"))
	f.Advance(6 * time.Hour)
	if subjects := f.Subjects(); f.notified("action-required") != 1 || len(subjects) > 2 {
		t.Errorf("notified %q", subjects)
	}
	if !strings.Contains(f.LastNotice(), "addresses (type ip)") {
		t.Errorf("operators are not notified what cannot be attached:\n%s", f.LastNotice())
	}
}

// TestUnhealthyAfterTheRelease holds that an attachment does not have a group
// replace most of itself at once, and that it does not wait for ever for health that
// does not come: nothing else replaces what is broken.
func TestUnhealthyAfterTheRelease(t *testing.T) {
	t.Parallel()
	for _, recover := range []bool{true, false} {
		t.Run(fmt.Sprintf("recovers: %v", recover), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{noSweep: !recover})
			f.SetDelivery(func(region.Delivery) []time.Duration { return region.Late(time.Minute) })
			f.release(region.Deployment{})
			green := f.GroupOf(f.svc)
			instances := f.InService(green)
			for _, i := range instances[1:] { // before SUCCESS is delivered
				f.Crash(i)
			}
			f.Advance(5 * time.Minute)
			if now := f.InService(green); !slices.Equal(now, instances) {
				t.Errorf("attached while three of four were unhealthy, the group replaces them at once: %q, now %q", instances, now)
			}
			if recover {
				for _, i := range instances[1:] {
					f.Recover(i)
				}
			}
			f.settle()
			f.mustServe()
			for _, i := range f.InService(green) {
				if state := f.Health("web")[i]; state != elbtypes.TargetHealthStateEnumHealthy {
					t.Errorf("%s is %s after 40 minutes: what is broken is not replaced", i, state)
				}
			}
		})
	}
}

// addToDeploymentGroup names one more target group in the deployment group.
func (f *fixture) addToDeploymentGroup(name string) {
	f.t.Helper()
	f.mustUpdateTargetGroups(append(append([]string{}, f.svc.TargetGroups...), name))
}
