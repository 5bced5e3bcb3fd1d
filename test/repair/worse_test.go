package repair

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
	"deployhooks/test/scene"
)

// TestFaultsThatLast holds that trouble that does not pass neither multiplies
// calls nor notices, and that the group is repaired when it has passed.
func TestFaultsThatLast(t *testing.T) {
	for _, operation := range []string{
		"GetDeployment", "GetDeploymentGroup", "ListDeployments", "DescribeAutoScalingGroups", "DescribeTrafficSources", "DescribeLifecycleHooks",
		"DescribeTargetHealth", "DescribeTargetGroups", "AttachTrafficSources", "BatchGetItem", "PutItem", "PutParameter", "Publish", "PutEvents",
		"SendMessage", "ListApplications", "ListDeploymentGroups", "BatchGetDeploymentGroups",
	} {
		for name, fault := range map[string]region.Fault{
			"throttled":             {Before: region.Throttled()},
			"503":                   {Before: region.Unavailable()},
			"time-out after effect": {After: region.TimedOut()},
			"access denied":         {Before: region.AccessDenied("")},
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, setting{})
				struck := 0
				w.SetFaults(func(c region.Call) region.Fault {
					if c.Operation != operation {
						return region.Fault{}
					}
					struck++
					return fault
				})
				w.release(region.Deployment{})
				const hours = 6
				w.Advance(hours * time.Hour)
				if struck == 0 {
					t.Fatal("the fault never struck: this shows nothing")
				}
				if w.Invocations > hours*100 {
					t.Errorf("%d invocations in %d hours: failed looks multiply", w.Invocations, hours)
				}
				if told := w.Told(); len(told) > 12 {
					t.Errorf("%d notices of one fault: %q…", len(told), told[:12])
				}
				w.SetFaults(nil)
				w.Advance(2 * time.Hour)
				if len(w.Attached(w.GroupOf(w.svc))) != 1 {
					t.Error("the trouble has passed, and the group is not attached")
				}
			})
		}
	}
}

func TestDeniedSweepIsToldOnce(t *testing.T) {
	w := newWorld(t, setting{})
	w.SetFaults(region.On("ListApplications", 0, region.Fault{Before: region.AccessDenied("codedeploy:ListApplications")}))
	w.Advance(3 * time.Hour)
	if told := w.Told(); len(told) != 1 || !strings.Contains(w.LastNotice(), "Allow codedeploy:ListApplications") {
		t.Errorf("a sweep that is denied what it asks is told as %q:\n%s", told, w.LastNotice())
	}
	if n := len(w.Queue.DeadLetters()); n > 0 {
		t.Errorf("%d messages were given up although people know", n)
	}
	w.SetFaults(nil)
	w.Advance(time.Hour)
	w.SetFaults(region.On("ListApplications", 0, region.Fault{Before: region.AccessDenied("codedeploy:ListApplications")}))
	w.Advance(time.Hour)
	if told := w.Told(); len(told) != 2 {
		t.Errorf("denied again later, it is told as %q", told)
	}
}

func TestOwnTableGone(t *testing.T) {
	w := newWorld(t, setting{})
	gone := &smithyError{code: "ResourceNotFoundException"}
	w.SetFaults(region.On("BatchGetItem", 0, region.Fault{Before: gone}))
	w.release(region.Deployment{})
	w.settle()
	if len(w.Queue.DeadLetters()) == 0 {
		t.Error("the table is gone, and neither a dead letter nor a notice says so")
	}
}

func TestInstanceRefreshThatLasts(t *testing.T) {
	w := newWorld(t, setting{})
	id := w.Deploy(w.svc, region.Deployment{})
	w.RunUntil(func() bool { return w.Deployed(id) }, time.Hour)
	w.SetInstanceRefresh(w.GroupOf(w.svc), true)
	w.Advance(6 * time.Hour)
	if told := w.Told(); len(told) != 1 || scene.Count(told, "waiting") != 1 {
		t.Errorf("six hours of waiting are told as %q", told)
	}
	w.SetInstanceRefresh(w.GroupOf(w.svc), false)
	w.settle()
	w.mustServe()
}

func TestGroupNamedByHandAndNotDeployedTo(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{})
	w.settle()
	_, err := w.AutoScaling().CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web-v2"), MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
		LaunchTemplate:    &asgtypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("1")},
		VPCZoneIdentifier: aws.String("subnet-0a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CodeDeploy().UpdateDeploymentGroup(t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &w.svc.Application, CurrentDeploymentGroupName: &w.svc.DeploymentGroup, AutoScalingGroups: []string{"web-v2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	if attached := w.Attached("web-v2"); len(attached) > 0 {
		t.Errorf("a group that nobody deployed to was put before users: %v", attached)
	}
}

func TestPeoplesDecisionsStand(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{})
	w.settle()
	w.mustServe()
	green, web := w.GroupOf(w.svc), w.TargetGroupARN("web")

	t.Run("a freeze after a failed release", func(t *testing.T) {
		failed := w.Deploy(w.svc, region.Deployment{FailAt: region.StageInstall})
		w.RunUntil(func() bool { return w.Ended(failed) }, time.Hour)
		w.suspend(green)
		w.settle()
		if group, _ := w.Group(green); len(group.SuspendedProcesses) < 9 {
			t.Errorf("%d processes are still suspended: somebody's freeze was lifted", len(group.SuspendedProcesses))
		}
		w.resume(green)
		w.settle()
	})
	t.Run("a target group detached", func(t *testing.T) {
		_, err := w.AutoScaling().DetachTrafficSources(t.Context(), &autoscaling.DetachTrafficSourcesInput{
			AutoScalingGroupName: &green, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: &web, Type: aws.String("elbv2")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		if len(w.Attached(green)) > 0 {
			t.Fatal("what somebody has detached was attached again")
		}
		w.ask(`{"action":"sweep"}`, &repair.Swept{})
		var result repair.Result
		w.ask(`{"action":"repair","application":"shop","deploymentGroup":"web"}`, &result)
		w.settle()
		if len(w.Attached(green)) != 1 {
			t.Errorf("an operator's order came to %+v", result)
		}
	})
}

func TestSuspendedByHandAndResumedByTheNoticesRemedy(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{})
	w.settle()
	green := w.GroupOf(w.svc)
	w.suspend(green, "AddToLoadBalancer")
	w.Scale(green, 6)
	w.settle()
	if !strings.Contains(w.LastNotice(), "resume-processes") || scene.Count(w.Told(), "waiting") != 1 {
		t.Errorf("the suspension is told as %q:\n%s", w.Told(), w.LastNotice())
	}
	w.resume(green, "AddToLoadBalancer")
	w.settle()
	if n := len(w.Health("web")); n != 6 {
		t.Errorf("%d of 6 instances are registered: those launched meanwhile serve nobody", n)
	}
}

func TestExtraTargetGroupDoesNotDelay(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	extra := w.AddTargetGroup(region.TargetGroup{Name: "extra"})
	blue := w.GroupOf(w.svc)
	_, err := w.AutoScaling().AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: &blue, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: &extra, Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Minute)
	id := w.Deploy(w.svc, region.Deployment{})
	w.RunUntil(func() bool { return w.Deployed(id) }, time.Hour)
	w.Advance(10 * time.Second)
	w.mustServe(w.TargetGroupARN("web"), extra)
	w.settle()
	if told := w.Told(); len(told) != 1 || scene.Count(told, "repaired") != 1 {
		t.Errorf("told %q", told)
	}
}

func TestRollbackReportsWhatTheFailureLeft(t *testing.T) {
	svc := shop()
	svc.RollBack = true
	w := newWorld(t, setting{service: svc})
	w.Advance(6 * time.Minute)
	// The failure itself is never heard of.
	w.SetDelivery(func(d region.Delivery) []time.Duration {
		if d.State == "FAILURE" {
			return region.Lost()
		}
		return region.Delivered()
	})
	id := w.Deploy(w.svc, region.Deployment{FailAt: region.StageReroute})
	w.RunUntil(func() bool { return w.Ended(id) }, time.Hour)
	w.settle()
	w.mustServe()
	_, green := w.Groups(id)
	if _, exists := w.Group(green); !exists {
		t.Fatalf("this story leaves no group behind")
	}
	named := 0
	for _, p := range w.Notices.Published() {
		named += strings.Count(p.Message, "left the Auto Scaling group "+green)
	}
	if named != 1 {
		t.Errorf("%s, which costs money and serves nobody, is told of %d times: %q", green, named, w.Told())
	}
}

func TestKilledWhileResuming(t *testing.T) {
	for n := 1; n < 60; n++ {
		w := newWorld(t, setting{noSweep: true})
		killed := w.KillAfter(n)
		id := w.Deploy(w.svc, region.Deployment{LeaveSuspended: true})
		w.RunUntil(func() bool { return w.StageOf(id) == region.StageReroute }, time.Hour)
		w.RunUntil(func() bool { _, green := w.Groups(id); g, _ := w.Group(green); return len(g.SuspendedProcesses) == 3 }, time.Hour)
		_, green := w.Groups(id)
		w.Scale(green, 6)
		w.settle()
		w.mustServe()
		if registered := len(w.Health("web")); registered < 6 {
			t.Fatalf("killed after call %d: %d of 6 instances are registered", n, registered)
		}
		if !*killed {
			return
		}
	}
}

func TestForget(t *testing.T) {
	svc := shop()
	svc.LatticeTargetGroups = []string{"arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"}
	w := newWorld(t, setting{service: svc})
	w.Advance(6 * time.Minute)
	w.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &repair.Status{})
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	id := w.Deploy(w.svc, region.Deployment{})
	w.RunUntil(func() bool { return w.Deployed(id) }, 4*time.Minute)
	w.settle()
	if n := len(w.Attached(w.GroupOf(w.svc))); n != 1 {
		t.Errorf("%d sources are attached: what was forgotten came back, or the rest did not", n)
	}
}

func TestSweepLeavesOutWhatTagsLeaveOut(t *testing.T) {
	svc := shop()
	svc.Tags = map[string]string{"team": "bank"}
	w := newWorld(t, setting{service: svc, config: repair.Config{Scope: repair.Scope{Tag: repair.Tag{Key: "team", Value: "shop"}}}, noSweep: true})
	var swept repair.Swept
	if w.ask(`{"action":"sweep"}`, &swept); swept.InScope != 0 || len(swept.HandedOver) != 0 {
		t.Errorf("the sweep found %+v", swept)
	}
}

// suspend suspends processes of a group, all unless some are named.
func (w *world) suspend(group string, processes ...string) {
	w.t.Helper()
	if _, err := w.AutoScaling().SuspendProcesses(w.t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes}); err != nil {
		w.t.Fatal(err)
	}
}

// resume resumes processes of a group, all unless some are named.
func (w *world) resume(group string, processes ...string) {
	w.t.Helper()
	if _, err := w.AutoScaling().ResumeProcesses(w.t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes}); err != nil {
		w.t.Fatal(err)
	}
}

// smithyError is an error of an AWS service.
type smithyError struct{ code string }

func (e *smithyError) Error() string        { return e.code }
func (e *smithyError) ErrorCode() string    { return e.code }
func (e *smithyError) ErrorMessage() string { return e.code }
func (e *smithyError) ErrorFault() smithy.ErrorFault {
	return smithy.FaultClient
}

// TestNoticesOutlastAnOutage holds that what could not be told is told when it
// can be, and not too often meanwhile.
func TestNoticesOutlastAnOutage(t *testing.T) {
	w := newWorld(t, setting{})
	w.SetFaults(region.On("Publish", 0, region.Fault{Before: region.Unavailable()}))
	w.release(region.Deployment{})
	w.Advance(5 * time.Hour)
	w.SetFaults(nil)
	w.Advance(2 * time.Hour)
	if told := w.Told(); len(told) != 1 || scene.Count(told, "repaired") != 1 {
		t.Errorf("after the outage people are told %q", told)
	}
}

func TestDeniedSweepWhoseNoticeFailsOnce(t *testing.T) {
	w := newWorld(t, setting{})
	once := region.On("Publish", 1, region.Fault{Before: region.Unavailable()})
	w.SetFaults(func(c region.Call) region.Fault {
		if c.Operation == "ListApplications" {
			return region.Fault{Before: region.AccessDenied("")}
		}
		return once(c)
	})
	w.Advance(3 * time.Hour)
	if told := w.Told(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
}

// TestTableThatCannotBeWrittenWhileWaiting holds that a look that cannot be
// remembered does not ask for the next one with each delivery.
func TestTableThatCannotBeWrittenWhileWaiting(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	w.release(region.Deployment{})
	w.settle()
	w.suspend(w.GroupOf(w.svc), "AddToLoadBalancer")
	w.SetFaults(region.On("PutItem", 0, region.Fault{Before: region.AccessDenied("")}))
	before := w.Invocations
	w.Scale(w.GroupOf(w.svc), 5)
	w.Advance(3 * time.Hour)
	if n := w.Invocations - before; n > 40 {
		t.Errorf("one scale-out made %d invocations", n)
	}
	if told := w.Told(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
}

// TestEachRepairIsTold holds that a second repair of a group is news, and so is
// what a failed release left, while a person's decision stands.
func TestEachRepairIsTold(t *testing.T) {
	w := newWorld(t, setting{})
	w.release(region.Deployment{})
	w.settle()
	w.AddTargetGroup(region.TargetGroup{Name: "admin"})
	w.addToDeploymentGroup("admin")
	w.settle()
	if told := w.Told(); scene.Count(told, "repaired") != 2 {
		t.Errorf("two repairs are told as %q", told)
	}
	green, web := w.GroupOf(w.svc), w.TargetGroupARN("web")
	_, err := w.AutoScaling().DetachTrafficSources(t.Context(), &autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: &green, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: &web, Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	id := w.Deploy(w.svc, region.Deployment{FailAt: region.StageInstall})
	w.RunUntil(func() bool { return w.Ended(id) }, time.Hour)
	w.Advance(6 * time.Hour)
	_, left := w.Groups(id)
	named := 0
	for _, p := range w.Notices.Published() {
		named += strings.Count(p.Message, "left the Auto Scaling group "+left)
	}
	if named != 1 || scene.Count(w.Told(), "waiting") != 2 {
		t.Errorf("%s is told of %d times: %q", left, named, w.Told())
	}
}

// TestHookThatCannotBePutBack holds that one denied hook keeps nothing else
// from being done and told.
func TestHookThatCannotBePutBack(t *testing.T) {
	svc := shop()
	svc.Hooks = []asgtypes.LifecycleHook{{
		LifecycleHookName: aws.String("theirs"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}
	w := newWorld(t, setting{service: svc})
	w.Advance(6 * time.Minute)
	w.SetFaults(region.On("PutLifecycleHook", 0, region.Fault{Before: region.AccessDenied("iam:PassRole")}))
	w.release(region.Deployment{})
	w.Advance(6 * time.Hour)
	w.mustServe()
	if told := w.Told(); scene.Count(told, "repaired") != 1 || scene.Count(told, "action required") != 1 || len(told) != 2 {
		t.Errorf("told %q", told)
	}
	if got := w.Parameter("/deployhooks/shop/web/auto-scaling-group"); got != w.GroupOf(w.svc) {
		t.Errorf("the published name is %q", got)
	}
	w.SetFaults(nil)
	w.release(region.Deployment{})
	w.settle()
	hooks, err := w.AutoScaling().DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{
		AutoScalingGroupName: aws.String(w.GroupOf(w.svc)), LifecycleHookNames: []string{"theirs"},
	})
	if err != nil || len(hooks.LifecycleHooks) != 1 {
		t.Errorf("the next release forgot the hook: %v %v", hooks, err)
	}
}
