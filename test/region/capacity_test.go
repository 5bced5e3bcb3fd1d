package region_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

const group = "shop-web"

func suspend(t *testing.T, r *region.Region, name string, processes ...string) {
	t.Helper()
	_, err := r.AutoScaling().SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &name, ScalingProcesses: processes})
	if err != nil {
		t.Fatal(err)
	}
}

func resume(t *testing.T, r *region.Region, name string, processes ...string) {
	t.Helper()
	_, err := r.AutoScaling().ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &name, ScalingProcesses: processes})
	if err != nil {
		t.Fatal(err)
	}
}

// healthy counts the healthy targets of a target group.
func healthy(r *region.Region, targetGroup string) (n int) {
	for _, state := range r.Health(targetGroup) {
		if state == elb.TargetHealthStateEnumHealthy {
			n++
		}
	}
	return n
}

// TestSuspendedProcesses: what each process does when it is suspended while
// something happens, and what becomes of it when it is resumed.
func TestSuspendedProcesses(t *testing.T) {
	type state struct{ instances, healthy int }
	scaleOut := func(r *region.Region) { r.Scale(group, 6) }
	scaleIn := func(r *region.Region) { r.Scale(group, 2) }
	crash := func(r *region.Region) { r.Crash(r.InService(group)[0]) }
	for _, tc := range []struct {
		name              string
		process           string
		happens           func(*region.Region)
		suspended, resume state
	}{
		{"a scale-out, nothing suspended", "AZRebalance", scaleOut, state{6, 6}, state{6, 6}},
		{"a scale-out waits for Launch", "Launch", scaleOut, state{4, 4}, state{6, 6}},
		{"instances launched without AddToLoadBalancer serve nobody, for good", "AddToLoadBalancer", scaleOut, state{6, 4}, state{6, 4}},
		{"a scale-in waits for Terminate", "Terminate", scaleIn, state{4, 4}, state{2, 2}},
		{"a crashed application is replaced", "AZRebalance", crash, state{4, 4}, state{4, 4}},
		{"a crashed application stays without HealthCheck", "HealthCheck", crash, state{4, 3}, state{4, 4}},
		{"a crashed application stays without ReplaceUnhealthy", "ReplaceUnhealthy", crash, state{4, 3}, state{4, 4}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			shop(r)
			suspend(t, r, group, tc.process)
			tc.happens(r)
			r.Advance(10 * time.Minute)
			if got := (state{len(r.InService(group)), healthy(r, "web")}); got != tc.suspended {
				t.Errorf("suspended, %+v are in service and healthy, want %+v", got, tc.suspended)
			}
			resume(t, r, group, tc.process)
			r.Advance(10 * time.Minute)
			if got := (state{len(r.InService(group)), healthy(r, "web")}); got != tc.resume {
				t.Errorf("resumed, %+v are in service and healthy, want %+v", got, tc.resume)
			}
		})
	}
}

func TestSuspendingNamesAllProcessesWhenNoneIsGiven(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	suspend(t, r, group)
	g, _ := r.Group(group)
	if n := len(g.SuspendedProcesses); n != 9 {
		t.Errorf("%d processes are suspended, want all nine", n)
	}
	resume(t, r, group, "Launch")
	g, _ = r.Group(group)
	if n := len(g.SuspendedProcesses); n != 8 {
		t.Errorf("%d processes are suspended after one was resumed, want eight", n)
	}
	_, err := r.AutoScaling().SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String(group), ScalingProcesses: []string{"Lunch"}})
	if err == nil {
		t.Error("a process that does not exist was suspended")
	}
}

// TestHealthChecks: what makes Auto Scaling replace an instance.
func TestHealthChecks(t *testing.T) {
	for _, tc := range []struct {
		name     string
		check    string
		happens  func(*region.Region, string)
		replaced bool
	}{
		{"ELB checks replace a crashed application", "ELB", (*region.Region).Crash, true},
		{"EC2 checks do not see a crashed application", "EC2", (*region.Region).Crash, false},
		{"EC2 checks replace a dead host", "EC2", (*region.Region).Kill, true},
		{"an instance terminated in EC2 is replaced", "EC2", (*region.Region).Terminate, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, HealthCheck: tc.check})
			victim := r.InService(group)[0]
			tc.happens(r, victim)
			r.Advance(10 * time.Minute)
			now := r.InService(group)
			if len(now) != 2 || slices.Contains(now, victim) == tc.replaced {
				t.Errorf("in service are %v; %s was to be replaced: %t", now, victim, tc.replaced)
			}
		})
	}
}

func TestGracePeriodProtectsANewInstance(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Grace: 5 * time.Minute})
	r.Scale(group, 3)
	r.RunUntil(func() bool { return len(r.InService(group)) == 3 }, time.Hour)
	young := r.InService(group)[2]
	r.Crash(young)
	r.Advance(4 * time.Minute)
	if !slices.Contains(r.InService(group), young) {
		t.Error("an instance was replaced within its grace period")
	}
	r.Advance(3 * time.Minute)
	if slices.Contains(r.InService(group), young) {
		t.Error("an unhealthy instance is still there after its grace period")
	}
}

func TestUnattachedGroupReplacesNothing(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	r.RunDeployment(svc, region.Deployment{})
	green := r.GroupOf(svc)
	victim := r.InService(green)[0]
	r.Crash(victim)
	r.Advance(30 * time.Minute)
	if !slices.Contains(r.InService(green), victim) {
		t.Error("a group that knows no target group has replaced an instance for its health")
	}
}

// TestScaleInOrder holds the default termination policy.
func TestScaleInOrder(t *testing.T) {
	r := region.New(region.Options{})
	shop(r) // two zones, two instances each
	r.Advance(30 * time.Minute)
	r.Scale(group, 5)
	r.Advance(10 * time.Minute)
	zones := func() map[string]int {
		n := map[string]int{}
		g, _ := r.Group(group)
		for _, i := range g.Instances {
			n[*i.AvailabilityZone]++
		}
		return n
	}
	fifth := r.InService(group)[4]
	r.Scale(group, 4)
	r.Advance(10 * time.Minute)
	if z := zones(); len(z) != 2 || z["eu-west-1a"] != 2 {
		t.Errorf("a scale-in left the zones at %v: it takes from the fullest one", z)
	}
	if !slices.Contains(r.InService(group), fifth) {
		t.Error("the youngest instance went, though others were closer to their next billing hour")
	}
}

func TestProtectedInstancesStay(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	_, err := r.AutoScaling().UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(group), NewInstancesProtectedFromScaleIn: aws.Bool(true), DesiredCapacity: aws.Int32(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	young := r.InService(group)[4:]
	r.Scale(group, 1)
	r.Advance(10 * time.Minute)
	if left := r.InService(group); !slices.Equal(left, young) {
		t.Errorf("left are %v, want the protected %v", left, young)
	}
}

func TestGroupsThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	arn := r.AddTargetGroup(region.TargetGroup{Name: "web"})
	client := r.AutoScaling()
	_, err := client.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), MinSize: aws.Int32(1), MaxSize: aws.Int32(4), DesiredCapacity: aws.Int32(2),
		TargetGroupARNs: []string{arn}, HealthCheckType: aws.String("ELB"),
		Tags: []asg.Tag{{Key: aws.String("team"), Value: aws.String("shop"), PropagateAtLaunch: aws.Bool(true)}},
		LifecycleHookSpecificationList: []asg.LifecycleHookSpecification{{
			LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(2 * time.Minute)
	out, err := client.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []asg.Filter{{Name: aws.String("tag:team"), Values: []string{"shop"}}},
	})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	g := out.AutoScalingGroups[0]
	if len(g.Instances) != 2 || !slices.Equal(g.TargetGroupARNs, []string{arn}) || healthy(r, "web") != 2 {
		t.Errorf("the group has %d instances, %v attached and %d healthy targets", len(g.Instances), g.TargetGroupARNs, healthy(r, "web"))
	}
	hooks, err := client.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("web")})
	if err != nil || len(hooks.LifecycleHooks) != 1 || *hooks.LifecycleHooks[0].HeartbeatTimeout != 3600 || *hooks.LifecycleHooks[0].GlobalTimeout != 172800 || *hooks.LifecycleHooks[0].DefaultResult != "ABANDON" {
		t.Errorf("the hook's defaults are %v, %v", hooks, err)
	}

	_, err = client.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("web")})
	var inUse *asg.ResourceInUseFault
	if !errors.As(err, &inUse) {
		t.Errorf("a group with instances was deleted without force: %v", err)
	}
	_, err = client.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), ForceDelete: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := r.Group("web"); !ok || aws.ToString(g.Status) != "Delete in progress" {
		t.Errorf("during a force delete the group is %v", g)
	}
	r.Advance(time.Minute)
	if _, ok := r.Group("web"); ok {
		t.Error("a force-deleted group is still there")
	}
}

func TestTerminateInstanceDrainsLikeAScaleIn(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 5 * time.Second})
	victim := r.InService(group)[0]
	_, err := r.AutoScaling().TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: &victim, ShouldDecrementDesiredCapacity: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 3 || users.Total().Failed != 0 {
		t.Errorf("%d instances are left, %d requests failed", n, users.Total().Failed)
	}
}

func TestGroupErrors(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	client := r.AutoScaling()
	names := make([]string, 51)
	for n := range names {
		names[n] = group
	}
	for name, err := range map[string]error{
		"an update of a group that is not there": second(client.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("gone")})),
		"a desired capacity above the maximum":   second(client.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(group), DesiredCapacity: aws.Int32(99)})),
		"more than fifty names":                  second(client.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})),
		"a heartbeat under thirty seconds": second(client.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String("h"),
			LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"), HeartbeatTimeout: aws.Int32(29),
		})),
	} {
		if code(err) != "ValidationError" {
			t.Errorf("%s gives %v, want ValidationError", name, err)
		}
	}
}
