package repair

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

const repairShop = `{"action":"repair","application":"shop","deploymentGroup":"web"}`

// TestBaselineOutlivesALostStart holds that what was on the group for more than
// one sweep comes back after a release whose START was lost.
func TestBaselineOutlivesALostStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lost []string
	}{
		{"START lost", []string{"START"}},
		{"START and READY lost", []string{"START", "READY"}},
		{"everything lost", []string{"START", "READY", "SUCCESS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{})
			f.release(region.Deployment{}) // there is a baseline already, an older one
			f.settle()
			extra := f.AddTargetGroup(region.TargetGroup{Name: "extra"})
			group := f.GroupOf(f.svc)
			f.attach(group, extra)
			f.putTerminateHook(group)
			f.enableMetrics(group)
			f.Advance(11 * time.Minute) // two sweeps
			f.loseEvents(c.lost...)
			f.release(region.Deployment{})
			f.settle()
			f.mustServe(f.TargetGroupARN("web"), extra)
			green := f.GroupOf(f.svc)
			if !f.hasHook(green, "drain") {
				t.Errorf("the lifecycle hook did not come back to %s: draining has silently stopped\nnotified: %q", green, f.Subjects())
			}
			if g, _ := f.Group(green); len(g.EnabledMetrics) == 0 {
				t.Errorf("metrics collection did not come back to %s: its dashboards are empty", green)
			}
		})
	}
}

// TestBaselineIsNotTakenDuringARelease holds that the sweep does not mistake the
// state of a release in progress for the last known-good one.
func TestBaselineIsNotTakenDuringARelease(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.ReadyWait, svc.TerminationWait = time.Hour, time.Hour
	f := newFixture(t, setting{service: svc})
	extra := f.AddTargetGroup(region.TargetGroup{Name: "extra"})
	f.attach(f.GroupOf(f.svc), extra)
	f.Advance(11 * time.Minute)
	id := f.releaseTo(region.StageReady, region.Deployment{Named: region.NamedAtReroute})
	f.Advance(30 * time.Minute)
	f.Continue(id)
	f.RunUntil(func() bool { return f.Ended(id) }, 3*time.Hour)
	f.settle()
	f.mustServe(f.TargetGroupARN("web"), extra)
}

// TestDeploymentGroupMadeAnew holds that a baseline is of one deployment group:
// another of the same name gets nothing that it did not ask for.
func TestDeploymentGroupMadeAnew(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	extra := f.AddTargetGroup(region.TargetGroup{Name: "extra"})
	old := f.GroupOf(f.svc)
	f.attach(old, extra)
	f.Advance(11 * time.Minute)
	f.DeleteDeploymentGroup(f.svc)
	f.Advance(6 * time.Minute)
	anew := shop()
	anew.Group = "shop-anew"
	f.svc = f.AddService(anew)
	f.Advance(11 * time.Minute)
	f.release(region.Deployment{})
	f.settle()
	f.mustServe()
	if attached := f.Attached(f.GroupOf(f.svc)); contains(attached, extra) {
		t.Errorf("a deployment group that was made anew has what the one before it had, and nobody asked for: %v", attached)
	}
}

// TestGroupMadeAnewUnderItsName holds the same of the Auto Scaling group: what
// stands by its name was made by somebody else, for something else.
func TestGroupMadeAnewUnderItsName(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.Advance(11 * time.Minute)
	group := f.GroupOf(f.svc)
	f.DeleteGroup(group)
	f.Advance(11 * time.Minute)
	_, err := f.AutoScaling().CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &group, MinSize: aws.Int32(2), MaxSize: aws.Int32(4), VPCZoneIdentifier: aws.String("subnet-0a"),
		LaunchTemplate: launchTemplate(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.settle()
	if attached := f.Attached(group); len(attached) > 0 {
		t.Errorf("a group that was made anew under its name was put before users by itself: %v", attached)
	}
	if f.mentions(group) == 0 {
		t.Errorf("%s is not attached as the deployment group asks for, and operators do not know: %q", group, f.Subjects())
	}
}

// TestLoadBalancerSettingsEditedByMistake holds that an edit of the deployment
// group attaches nothing by itself: it is reported, and an operator confirms it
// or a release asks for it.
func TestLoadBalancerSettingsEditedByMistake(t *testing.T) {
	t.Parallel()
	for _, confirm := range []string{"an operator", "a release"} {
		t.Run(confirm+" confirms", func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{})
			f.release(region.Deployment{})
			f.settle()
			group := f.GroupOf(f.svc)
			others := f.AddTargetGroup(region.TargetGroup{Name: "payments"})
			f.addToDeploymentGroup("payments")
			f.settle()
			if contains(f.Attached(group), others) {
				t.Fatal("a slip in the deployment group sends the requests of another service to this one")
			}
			if f.mentions("payments") == 0 {
				t.Errorf("the deployment group names payments, and operators are not asked whether they mean it: %q", f.Subjects())
			}
			if f.notified("action-required") != 1 {
				t.Errorf("it takes an operator to confirm it, and the outcomes are %q", f.outcomes())
			}
			if confirm == "an operator" {
				f.ask(repairShop, &result{})
			} else {
				f.release(region.Deployment{})
			}
			f.settle()
			f.mustServe(f.TargetGroupARN("web"), others)
		})
	}
}

func (f *fixture) hasHook(group, name string) bool {
	f.t.Helper()
	out, err := f.AutoScaling().DescribeLifecycleHooks(f.t.Context(), &autoscaling.DescribeLifecycleHooksInput{
		AutoScalingGroupName: &group, LifecycleHookNames: []string{name},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return len(out.LifecycleHooks) == 1
}

func (f *fixture) enableMetrics(group string) {
	f.t.Helper()
	if _, err := f.AutoScaling().EnableMetricsCollection(f.t.Context(), &autoscaling.EnableMetricsCollectionInput{
		AutoScalingGroupName: &group, Granularity: aws.String("1Minute"),
	}); err != nil {
		f.t.Fatal(err)
	}
}
