package repair

import (
	"strings"
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

func TestAccessDenied(t *testing.T) {
	t.Parallel()
	for operation, action := range map[string]string{
		"AttachTrafficSources":   "autoscaling:AttachTrafficSources",
		"DescribeTrafficSources": "autoscaling:DescribeTrafficSources",
		"DescribeTargetHealth":   "elasticloadbalancing:DescribeTargetHealth",
		"GetDeploymentGroup":     "codedeploy:GetDeploymentGroup",
		"PutParameter":           "ssm:PutParameter",
	} {
		t.Run(action, func(t *testing.T) {
			f := newFixture(t, setting{rate: 1})
			f.SetFaults(region.On(operation, 0, region.Fault{Before: region.AccessDenied(action)}))
			f.release(region.Deployment{})
			f.settle()
			f.settle()
			if subjects := f.Subjects(); f.notified("action-required") < 1 || len(subjects) > 5 {
				t.Errorf("operators are notified %q", subjects)
			}
			named := 0
			for _, p := range f.Notices.Published() {
				named += strings.Count(p.Message, "Allow "+action)
			}
			if named != f.notified("action-required") {
				t.Errorf("%d notices name the missing action: %q", named, f.LastNotice())
			}
			f.SetFaults(nil)
			f.settle()
			f.mustServe()
		})
	}
}

func TestDeniedSweepIsNotifiedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	f.SetFaults(region.On("ListApplications", 0, region.Fault{Before: region.AccessDenied("codedeploy:ListApplications")}))
	f.Advance(3 * time.Hour)
	if subjects := f.Subjects(); len(subjects) != 1 || !strings.Contains(f.LastNotice(), "Allow codedeploy:ListApplications") {
		t.Errorf("a sweep that is denied what it asks is notified as %q:\n%s", subjects, f.LastNotice())
	}
	if n := len(f.Queue.DeadLetters()); n > 0 {
		t.Errorf("%d messages were moved to the dead-letter queue although operators know", n)
	}
	f.SetFaults(nil)
	f.Advance(time.Hour)
	f.SetFaults(region.On("ListApplications", 0, region.Fault{Before: region.AccessDenied("codedeploy:ListApplications")}))
	f.Advance(time.Hour)
	if subjects := f.Subjects(); len(subjects) != 2 {
		t.Errorf("denied again later, it is notified as %q", subjects)
	}
}

func TestDeniedSweepWhoseNoticeFailsOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	once := region.On("Publish", 1, region.Fault{Before: region.Unavailable()})
	f.SetFaults(func(c region.Call) region.Fault {
		if c.Operation == "ListApplications" {
			return region.Fault{Before: region.AccessDenied("")}
		}
		return once(c)
	})
	f.Advance(3 * time.Hour)
	if subjects := f.Subjects(); len(subjects) != 1 {
		t.Errorf("notified %q", subjects)
	}
}

func TestOwnTableGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	gone := &smithyError{code: "ResourceNotFoundException"}
	f.SetFaults(region.On("BatchGetItem", 0, region.Fault{Before: gone}))
	f.release(region.Deployment{})
	f.settle()
	if len(f.Queue.DeadLetters()) == 0 {
		t.Error("the table is gone, and neither a dead letter nor a notice says so")
	}
}

// TestNoticesOutlastAnOutage holds that what could not be notified is notified when it
// can be, and not too often meanwhile.
func TestNoticesOutlastAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	f.SetFaults(region.On("Publish", 0, region.Fault{Before: region.Unavailable()}))
	f.release(region.Deployment{})
	f.Advance(5 * time.Hour)
	f.SetFaults(nil)
	f.Advance(2 * time.Hour)
	if subjects := f.Subjects(); len(subjects) != 1 || f.mentions("epaired") != 1 {
		t.Errorf("after the outage operators are notified %q", subjects)
	}
}

// TestTableThatCannotBeWrittenWhileWaiting holds that a reconcile that cannot be
// remembered does not ask for the next one with each delivery.
func TestTableThatCannotBeWrittenWhileWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true, rate: 1})
	f.release(region.Deployment{})
	f.settle()
	f.suspend(f.GroupOf(f.svc), "AddToLoadBalancer")
	f.SetFaults(region.On("PutItem", 0, region.Fault{Before: region.AccessDenied("")}))
	before := f.Invocations
	f.Scale(f.GroupOf(f.svc), 5)
	f.Advance(3 * time.Hour)
	if n := f.Invocations - before; n > 40 {
		t.Errorf("one scale-out made %d invocations", n)
	}
	if subjects := f.Subjects(); len(subjects) != 1 {
		t.Errorf("notified %q", subjects)
	}
}

// TestHookThatCannotBePutBack holds that one denied hook keeps nothing else
// from being done and notified.
func TestHookThatCannotBePutBack(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.Hooks = []asgtypes.LifecycleHook{{
		LifecycleHookName: aws.String("theirs"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}
	f := newFixture(t, setting{service: svc})
	f.Advance(6 * time.Minute)
	f.SetFaults(region.On("PutLifecycleHook", 0, region.Fault{Before: region.AccessDenied("iam:PassRole")}))
	f.release(region.Deployment{})
	f.Advance(6 * time.Hour)
	f.mustServe()
	if subjects := f.Subjects(); f.notified("repaired") != 1 || f.notified("action-required") != 1 || len(subjects) != 2 {
		t.Errorf("notified %q", subjects)
	}
	if got := f.Parameter("/deployhooks/shop/web/auto-scaling-group"); got != f.GroupOf(f.svc) {
		t.Errorf("the published name is %q", got)
	}
	f.SetFaults(nil)
	f.release(region.Deployment{})
	f.settle()
	hooks, err := f.AutoScaling().DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{
		AutoScalingGroupName: aws.String(f.GroupOf(f.svc)), LifecycleHookNames: []string{"theirs"},
	})
	if err != nil || len(hooks.LifecycleHooks) != 1 {
		t.Errorf("the next release forgot the hook: %v %v", hooks, err)
	}
}
