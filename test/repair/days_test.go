package repair

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

func TestARelease(t *testing.T) {
	w := newWorld(t, setting{})
	blue := w.GroupOf(w.svc)
	w.release(region.Deployment{})
	w.settle()
	w.mustServe()
	green := w.GroupOf(w.svc)
	if got := w.Parameter("/deployhooks/shop/web/auto-scaling-group"); got != green || got == blue {
		t.Errorf("the published name is %q, and the current group %q: dashboards look at a group that is gone", got, green)
	}
	if told := w.Subjects(); len(told) != 1 || !strings.Contains(told[0], "repaired: shop/web") {
		t.Errorf("one repair is told as %q", told)
	}
	if text := w.LastNotice(); !strings.Contains(text, "attach target group web to "+green) {
		t.Errorf("the notice does not say what was done:\n%s", text)
	}
	if events := w.Events("default"); len(events) != 1 || events[0].Source != "deployhooks.repair" || !strings.Contains(events[0].Detail, `"outcome":"repaired"`) {
		t.Errorf("other systems learn %v", events)
	}
	if n := w.Made("AttachTrafficSources"); n != 1 {
		t.Errorf("attached %d times", n)
	}
	for _, c := range w.Calls() {
		if c.Err != nil {
			t.Errorf("on a day on which nothing fails, %s fails: %v", c.Operation, c.Err)
		}
	}
}

func TestScaleInAndOutAfterARelease(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{})
	w.Advance(2 * time.Minute)
	w.Scale(w.GroupOf(w.svc), 6)
	w.Advance(5 * time.Minute)
	seconds := w.users.Seconds()
	if serving := seconds[len(seconds)-1].Serving; serving != 6 {
		t.Errorf("after a scale-out, %d of 6 instances serve", serving)
	}
	w.Scale(w.GroupOf(w.svc), 3)
	w.Advance(10 * time.Minute)
	if failed := w.users.Total().Failed; failed != 0 {
		t.Errorf("%d requests failed", failed)
	}
	if told := w.Subjects(); len(told) != 1 {
		t.Errorf("scaling is told as news: %q", told)
	}
}

func TestEveryKindOfTrafficSourceComesBack(t *testing.T) {
	lattice := "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	svc := shop()
	svc.TargetGroups = []string{"web", "admin", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10"}
	svc.ClassicLoadBalancers = []string{"old"}
	svc.LatticeTargetGroups = []string{lattice}
	svc.Hooks = []asgtypes.LifecycleHook{{
		LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}
	w := newWorld(t, setting{service: svc})
	extra := w.AddTargetGroup(region.TargetGroup{Name: "extra"})
	_, err := w.AutoScaling().AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(w.GroupOf(w.svc)),
		TrafficSources:       []asgtypes.TrafficSourceIdentifier{{Identifier: &extra, Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Minute)
	for n := 1; n <= 2; n++ {
		w.release(region.Deployment{})
		w.settle()
		sources := []string{extra, "old", lattice}
		for _, name := range svc.TargetGroups {
			sources = append(sources, w.TargetGroupARN(name))
		}
		w.mustServe(sources...)
		hooks, err := w.AutoScaling().DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{
			AutoScalingGroupName: aws.String(w.GroupOf(w.svc)), LifecycleHookNames: []string{"drain"},
		})
		if err != nil || len(hooks.LifecycleHooks) != 1 || aws.ToInt32(hooks.LifecycleHooks[0].HeartbeatTimeout) != 300 {
			t.Errorf("after release %d the user's lifecycle hook is gone, and draining has silently stopped: %v %v", n, hooks, err)
		}
	}
}

func TestEventsLost(t *testing.T) {
	w := newWorld(t, setting{})
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	w.release(region.Deployment{})
	w.settle()
	w.mustServe()
}

func TestEventsDuplicatedAndReversed(t *testing.T) {
	svc := shop()
	svc.Trigger = "triggers"
	w := newWorld(t, setting{service: svc})
	w.SetDelivery(func(d region.Delivery) []time.Duration {
		late := region.Duplicated(5)
		if d.State == "START" {
			for i := range late {
				late[i] += 15 * time.Minute // after everything else
			}
		}
		return late
	})
	w.release(region.Deployment{})
	w.settle()
	w.mustServe()
	if n := w.Made("AttachTrafficSources"); n != 1 {
		t.Errorf("attached %d times", n)
	}
	if told := w.Subjects(); harness.Count(told, "repaired") != 1 || len(told) != 1 {
		t.Errorf("one repair is told as %q", told)
	}
}

func TestKilledAfterEachCall(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t, setting{noSweep: true})
		killed := w.KillAfter(n)
		w.release(region.Deployment{})
		w.settle()
		w.mustServe()
		// Killed between the attachment and its record, nobody can tell any
		// more who attached: the next look finds the group in order.
		if told := len(w.Subjects()); told < 1 || told > 2 {
			t.Errorf("killed after call %d: the outcome is told %d times", n, told)
		}
		if t.Failed() {
			t.Fatalf("killed after call %d", n)
		}
		if !*killed {
			if n < 20 {
				t.Errorf("a release takes %d calls only: not much was killed", n-1)
			}
			return
		}
	}
}

func TestFaultsOfEveryCall(t *testing.T) {
	operations := []string{
		"GetDeployment", "GetDeploymentGroup", "ListDeployments", "DescribeAutoScalingGroups", "DescribeTrafficSources", "DescribeLifecycleHooks",
		"DescribeTargetHealth", "DescribeTargetGroups", "AttachTrafficSources", "BatchGetItem", "PutItem", "PutParameter", "Publish", "PutEvents", "SendMessage",
	}
	for name, fault := range map[string]region.Fault{
		"throttled":             {Before: region.Throttled()},
		"503":                   {Before: region.Unavailable()},
		"time-out after effect": {After: region.TimedOut()},
		"in part":               {Partial: true},
	} {
		for _, operation := range operations {
			t.Run(name+" "+operation, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, setting{noSweep: true})
				w.SetFaults(region.On(operation, 2, fault))
				w.release(region.Deployment{})
				w.settle()
				w.mustServe()
				if harness.Count(w.Subjects(), "repaired") < 1 {
					t.Errorf("the repair is not told: %q", w.Subjects())
				}
			})
		}
	}
}

func TestThrottledAtTheDocumentedRates(t *testing.T) {
	w := newWorld(t, setting{region: region.Options{Throttling: true}, noSweep: true})
	services := []region.Service{w.svc}
	for n := range 100 {
		s := shop()
		s.DeploymentGroup = fmt.Sprintf("web-%d", n)
		s.TargetGroups = []string{fmt.Sprintf("web-%d", n)}
		services = append(services, w.AddService(s))
	}
	for _, s := range services {
		w.Deploy(s, region.Deployment{})
	}
	w.Advance(time.Hour)
	for _, s := range services {
		if len(w.Attached(w.GroupOf(s))) != 1 {
			t.Errorf("%s was not repaired", s.DeploymentGroup)
		}
	}
	throttled := 0
	for _, c := range w.Calls() {
		if c.Err != nil && strings.Contains(c.Err.Error(), "Rate exceeded") {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("nothing was throttled: this shows nothing")
	}
}

func TestAccessDenied(t *testing.T) {
	for operation, action := range map[string]string{
		"AttachTrafficSources":   "autoscaling:AttachTrafficSources",
		"DescribeTrafficSources": "autoscaling:DescribeTrafficSources",
		"DescribeTargetHealth":   "elasticloadbalancing:DescribeTargetHealth",
		"GetDeploymentGroup":     "codedeploy:GetDeploymentGroup",
		"PutParameter":           "ssm:PutParameter",
	} {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t, setting{})
			w.SetFaults(region.On(operation, 0, region.Fault{Before: region.AccessDenied(action)}))
			w.release(region.Deployment{})
			w.settle()
			w.settle()
<<<<<<< HEAD
			if told := w.Subjects(); harness.Count(told, "needs you") < 1 || len(told) > 5 {
=======
			if told := w.Told(); scene.Count(told, "action required") < 1 || len(told) > 5 {
>>>>>>> 65718db87071ebdac08367a6de7ecea16e05a4b9
				t.Errorf("people are told %q", told)
			}
			named := 0
			for _, p := range w.Notices.Published() {
				named += strings.Count(p.Message, "Allow "+action)
			}
<<<<<<< HEAD
			if named != harness.Count(w.Subjects(), "needs you") {
=======
			if named != scene.Count(w.Told(), "action required") {
>>>>>>> 65718db87071ebdac08367a6de7ecea16e05a4b9
				t.Errorf("%d notices name the missing action: %q", named, w.LastNotice())
			}
			w.SetFaults(nil)
			w.settle()
			w.mustServe()
		})
	}
}

func TestDeletedInBetween(t *testing.T) {
	for story, c := range map[string]struct {
		remove func(*world)
		notice string
	}{
		"the deployment group":     {remove: func(w *world) { w.DeleteDeploymentGroup(w.svc) }},
		"the Auto Scaling group":   {remove: func(w *world) { w.DeleteGroup(w.GroupOf(w.svc)) }, notice: "does not exist"},
		"one of two target groups": {remove: func(w *world) { w.DeleteTargetGroup("admin") }, notice: "do not exist: admin"},
	} {
		t.Run(story, func(t *testing.T) {
			svc := shop()
			svc.TargetGroups = []string{"web", "admin"}
			w := newWorld(t, setting{service: svc})
			// All at the moment that matters: when the function wants to attach.
			removed := false
			w.Queue.Serve(func(payload []byte) ([]byte, error) {
				if !removed && strings.Contains(string(payload), "SUCCESS") {
					removed = true
					c.remove(w)
				}
				return w.Invoke(payload)
			})
			w.release(region.Deployment{})
			w.settle()
			if dead := w.Queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages were given up, the first: %s", len(dead), dead[0].Body)
			}
			if c.notice != "" && !strings.Contains(w.LastNotice(), c.notice) {
				t.Errorf("nobody is told that it is gone: %q", w.LastNotice())
			}
			if story == "one of two target groups" {
				w.mustServe(w.TargetGroupARN("web"))
			}
		})
	}
}

func TestTargetGroupMadeAnewUnderItsName(t *testing.T) {
	w := newWorld(t, setting{})
	w.Advance(6 * time.Minute) // a sweep has kept the baseline
	id := w.Deploy(w.svc, region.Deployment{HangAt: region.StageReroute})
	_ = id
	w.Advance(time.Minute)
	w.Stop(id)
	w.settle()
	w.DeleteTargetGroup("web")
	anew := w.AddTargetGroup(region.TargetGroup{Name: "web"})
	w.Advance(time.Minute)
	w.release(region.Deployment{})
	w.settle()
	w.mustServe(anew)
}

func TestNames(t *testing.T) {
	for _, name := range []string{"web_eu_1", "web/eu", "wéb ünd mehr", "d-fake_CodeDeploy_"} {
		t.Run(name, func(t *testing.T) {
			svc := shop()
			svc.Application, svc.DeploymentGroup, svc.Group = "app "+name, name, "group"
			w := newWorld(t, setting{service: svc})
			w.release(region.Deployment{})
			w.settle()
			w.mustServe()
			parameter := repair.ParameterName("/deployhooks", repair.Key{Application: svc.Application, DeploymentGroup: name})
			if got := w.Parameter(parameter); got != w.GroupOf(w.svc) {
				t.Errorf("parameter %s holds %q", parameter, got)
			}
		})
	}
}

func TestSecondDeploymentBeforeTheFirstIsRepaired(t *testing.T) {
	lattice := "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	svc := shop()
	svc.LatticeTargetGroups = []string{lattice}
	w := newWorld(t, setting{service: svc})
	w.Advance(6 * time.Minute)
	// Everything that the function hears comes too late for the first.
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Late(30 * time.Second) })
	w.release(region.Deployment{})
	w.release(region.Deployment{})
	w.settle()
	w.mustServe(w.TargetGroupARN("web"), lattice)
}

func TestAttachedBySomebodyElse(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{AttachItself: true})
	w.settle()
	w.mustServe()
	if n := w.Made("AttachTrafficSources"); n != 0 {
		t.Errorf("a group that was in order was attached %d times", n)
	}
	if told := w.Subjects(); len(told) != 1 || harness.Count(told, "in order") != 1 {
		t.Errorf("a release in order is told as %q", told)
	}
}

func TestDeploymentsThatFail(t *testing.T) {
	for story, c := range map[string]struct {
		how  region.Deployment
		svc  func(*region.Service)
		stop bool
		left bool
	}{
		"at the installation":                {how: region.Deployment{FailAt: region.StageInstall}, left: true},
		"in the reroute":                     {how: region.Deployment{FailAt: region.StageReroute}, left: true},
		"silently, with processes suspended": {how: region.Deployment{DieAt: region.StageReroute}, left: true},
		"stopped by hand":                    {how: region.Deployment{HangAt: region.StageInstall}, stop: true, left: true},
		"and are rolled back":                {how: region.Deployment{FailAt: region.StageReroute}, svc: func(s *region.Service) { s.RollBack = true }},
	} {
		t.Run(story, func(t *testing.T) {
			svc := shop()
			if c.svc != nil {
				c.svc(&svc)
			}
			w := newWorld(t, setting{service: svc})
			w.Advance(6 * time.Minute)
			id := w.Deploy(w.svc, c.how)
			if c.stop {
				w.Advance(3 * time.Minute)
				w.Stop(id)
			}
			w.RunUntil(func() bool { return w.Ended(id) }, time.Hour)
			w.settle()
			w.mustServe()
			_, green := w.Groups(id)
			left, exists := w.Group(green)
			if !exists || green == w.GroupOf(w.svc) {
				if c.left {
					t.Fatalf("this story leaves no group behind: %q", green)
				}
				return
			}
			if c.left && !strings.Contains(w.LastNotice(), green) {
				t.Errorf("nobody is told of %s, which costs money and serves nobody:\n%s", green, w.LastNotice())
			}
			if len(left.SuspendedProcesses) > 0 {
				t.Errorf("%s is left with %d suspended processes", green, len(left.SuspendedProcesses))
			}
		})
	}
}

func TestProcessesLeftSuspendedOnTheGroupThatServes(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{LeaveSuspended: true})
	w.Scale(w.GroupOf(w.svc), 6)
	w.settle()
	w.mustServe()
	group, _ := w.Group(w.GroupOf(w.svc))
	if len(group.SuspendedProcesses) > 0 {
		t.Errorf("%d processes are still suspended: the group neither scales nor serves", len(group.SuspendedProcesses))
	}
	if healthy := len(w.Health("web")); healthy != 6 {
		t.Errorf("%d of 6 instances are registered: those launched meanwhile serve nobody", healthy)
	}
}

func TestBusyGroup(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	w.RunUntil(func() bool { return false }, time.Minute)
	id := w.Deploy(w.svc, region.Deployment{})
	w.RunUntil(func() bool { return w.Deployed(id) }, time.Hour)
	w.SetInstanceRefresh(w.GroupOf(w.svc), true)
	w.Advance(time.Minute)
	w.SetInstanceRefresh(w.GroupOf(w.svc), false)
	w.settle()
	w.mustServe()
<<<<<<< HEAD
	if harness.Count(w.Subjects(), "needs you") > 0 {
		t.Errorf("people are woken for what passes: %q", w.Subjects())
=======
	if scene.Count(w.Told(), "action required") > 0 {
		t.Errorf("people are woken for what passes: %q", w.Told())
>>>>>>> 65718db87071ebdac08367a6de7ecea16e05a4b9
	}
}

func TestUnhealthyAfterTheRelease(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	id := w.Deploy(w.svc, region.Deployment{})
	w.RunUntil(func() bool { return w.StageOf(id) == region.StageTerminate || w.Deployed(id) }, time.Hour)
	green := w.GroupOf(w.svc)
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Late(time.Minute) })
	instances := w.InService(green)
	for _, i := range instances[1:] {
		w.Crash(i)
	}
	w.Advance(5 * time.Minute)
	if n := len(w.InService(green)); n != 4 {
		t.Errorf("attached while three of four were unhealthy, the group has replaced them: %d in service", n)
	}
	for _, i := range instances[1:] {
		w.Recover(i)
	}
	w.settle()
	w.mustServe()
}

func TestNoneOfItsBusiness(t *testing.T) {
	for story, s := range map[string]setting{
		"in place":            {service: region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, InPlace: true}},
		"ECS":                 {service: region.Service{Application: "shop", DeploymentGroup: "web", Platform: codedeploytypes.ComputePlatformEcs}},
		"Lambda":              {service: region.Service{Application: "shop", DeploymentGroup: "web", Platform: codedeploytypes.ComputePlatformLambda}},
		"another application": {config: repair.Config{Scope: repair.Scope{Applications: []string{"bank"}}}},
		"another name":        {config: repair.Config{Scope: repair.Scope{DeploymentGroups: "api-*"}}},
		"another tag":         {config: repair.Config{Scope: repair.Scope{Tag: repair.Tag{Key: "team", Value: "bank"}}}},
		"opted out": {service: region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"},
			Tags: map[string]string{repair.OptOut.Key: repair.OptOut.Value}}},
	} {
		t.Run(story, func(t *testing.T) {
			w := newWorld(t, s)
			w.release(region.Deployment{})
			w.settle()
			for _, operation := range []string{"AttachTrafficSources", "RegisterTargets", "ResumeProcesses", "PutLifecycleHook"} {
				if n := w.Made(operation); n > 0 {
					t.Errorf("%s was called %d times", operation, n)
				}
			}
			if told := w.Subjects(); len(told) > 0 {
				t.Errorf("people are told %q", told)
			}
			if dead := w.Queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages were given up", len(dead))
			}
		})
	}
}

func TestTargetGroupOfAnotherKind(t *testing.T) {
	w := newWorld(t, setting{})
	w.AddTargetGroup(region.TargetGroup{Name: "addresses", Type: elbtypes.TargetTypeEnumIp})
	w.addToDeploymentGroup("addresses")
	w.release(region.Deployment{})
	w.settle()
	w.mustServe(w.TargetGroupARN("web"))
	w.Advance(6 * time.Hour)
<<<<<<< HEAD
	if told := w.Subjects(); harness.Count(told, "needs you") != 1 || len(told) > 2 {
=======
	if told := w.Told(); scene.Count(told, "action required") != 1 || len(told) > 2 {
>>>>>>> 65718db87071ebdac08367a6de7ecea16e05a4b9
		t.Errorf("told %q", told)
	}
	if !strings.Contains(w.LastNotice(), "addresses (type ip)") {
		t.Errorf("nobody is told what cannot be attached:\n%s", w.LastNotice())
	}
}

func TestMalformedMessageIsKept(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	w.Queue.Send(`{"detail-type":"CodeDeploy Deployment State-change Notification","source":"aws.codedeploy","detail":{"deploymentId":7}}`)
	w.Queue.Send(`{"action":"dance"}`)
	w.settle()
	if n := len(w.Queue.DeadLetters()); n != 2 {
		t.Errorf("%d of 2 messages that nobody can understand were kept", n)
	}
}

func TestPlanMode(t *testing.T) {
	w := newWorld(t, setting{config: repair.Config{Mode: repair.ModePlan}})
	w.release(region.Deployment{})
	w.settle()
	if n := w.Made("AttachTrafficSources"); n > 0 {
		t.Errorf("a dry run attached %d times", n)
	}
	if told := w.Subjects(); len(told) != 1 || harness.Count(told, "planned") != 1 {
		t.Errorf("a plan is told as %q", told)
	}
}

func TestOperator(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	w.release(region.Deployment{})
	green := w.GroupOf(w.svc)

	var plan repair.Result
	w.ask(`{"action":"plan","application":"shop","deploymentGroup":"web"}`, &plan)
	if plan.Outcome != repair.Planned || len(plan.Changes) != 1 || plan.Changes[0].Kind != "attach-traffic-sources" || plan.Changes[0].Group != green {
		t.Errorf("the plan is %+v", plan)
	}
	var plans []repair.Result
	if w.ask(`{"action":"plan"}`, &plans); len(plans) != 1 || plans[0].Outcome != repair.Planned {
		t.Errorf("the plans are %+v", plans)
	}
	if len(w.Attached(green)) > 0 {
		t.Fatal("a plan was applied")
	}
	var swept repair.Swept
	if w.ask(`{"action":"sweep"}`, &swept); swept.InScope != 1 || swept.InOrder != 0 || len(swept.HandedOver) != 1 {
		t.Errorf("the sweep found %+v", swept)
	}
	w.settle()
	w.mustServe()
	var status repair.Status
	w.ask(`{"action":"status","application":"shop","deploymentGroup":"web"}`, &status)
	if len(status.Sources) != 1 || status.Sources[0].State != "InService" || status.Sources[0].Targets["healthy"] != 4 || status.Baseline == nil || status.Baseline.Group != green {
		t.Errorf("the status is %+v", status)
	}
	w.ForgetCalls()
	if w.ask(`{"action":"sweep"}`, &swept); swept.InOrder != 1 || len(swept.HandedOver) != 0 {
		t.Errorf("the second sweep found %+v", swept)
	}
	if n := len(w.Calls()); n > 6 {
		t.Errorf("a sweep over a group in order takes %d calls", n)
	}
	for _, bad := range []string{`{"action":"dance"}`, `{"action":"plan","application":"shop"}`, `{"action":"repair"}`, `{"action":"sweep","group":"web"}`} {
		if _, err := w.Function.Invoke(context.Background(), []byte(bad)); err == nil {
			t.Errorf("%s is answered as if it made sense", bad)
		}
	}
}

// addToDeploymentGroup names one more target group in the deployment group.
func (w *world) addToDeploymentGroup(name string) {
	w.t.Helper()
	w.mustUpdateTargetGroups(append(append([]string{}, w.svc.TargetGroups...), name))
}
