package region_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/test/region"
)

// activities are the descriptions and states of a group's activities, the
// latest first.
func activities(t *testing.T, r *region.Region, group string) []string {
	t.Helper()
	out, err := r.AutoScaling().DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: aws.String(group), IncludeDeletedGroups: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range out.Activities {
		all = append(all, *a.Description+" "+string(a.StatusCode))
	}
	return all
}

func TestStandby(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		decrement             bool
		inService, afterwards int
	}{
		{"replaced meanwhile", false, 4, 4}, // the one in surplus is scaled in when the maximum allows no more
		{"not replaced", true, 3, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			shop(r)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 5 * time.Second})
			id := r.InService(group)[0]
			r.Advance(10 * time.Second)
			err := second(r.AutoScaling().EnterStandby(ctx, &autoscaling.EnterStandbyInput{
				AutoScalingGroupName: aws.String(group), InstanceIds: []string{id}, ShouldDecrementDesiredCapacity: aws.Bool(tc.decrement),
			}))
			if err != nil {
				t.Fatal(err)
			}
			if got := stateOf(t, r, id); got != "EnteringStandby" {
				t.Errorf("while it drains the instance is %s", got)
			}
			r.Advance(10 * time.Minute)
			if got := stateOf(t, r, id); got != "Standby" || len(r.InService(group)) != tc.inService || r.Health("web")[id] == "healthy" {
				t.Errorf("in standby the instance is %s and %q, and %d serve", got, r.Health("web")[id], len(r.InService(group)))
			}
			r.Crash(id)
			r.Advance(10 * time.Minute)
			if got := stateOf(t, r, id); got != "Standby" {
				t.Errorf("a health check in standby made the instance %s", got)
			}
			r.Recover(id)
			if err := second(r.AutoScaling().ExitStandby(ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String(group), InstanceIds: []string{id}})); err != nil {
				t.Fatal(err)
			}
			r.Advance(10 * time.Minute)
			want := tc.inService + 1
			if got := stateOf(t, r, id); got != "InService" || r.Health("web")[id] != "healthy" || len(r.InService(group)) != want {
				t.Errorf("back in service the instance is %s and %q, and %d serve, want %d", got, r.Health("web")[id], len(r.InService(group)), want)
			}
			if failed := users.Total().Failed; failed != 0 {
				t.Errorf("%d requests failed", failed)
			}
			if got := activities(t, r, group)[0]; !strings.HasSuffix(got, id+" Successful") {
				t.Errorf("the latest activity is %s", got)
			}
		})
	}
}

func TestStandbyIsRefused(t *testing.T) {
	r := region.New(region.Options{})
	shop(r) // between 2 and 8, at 4
	ids := r.InService(group)
	in := &autoscaling.EnterStandbyInput{AutoScalingGroupName: aws.String(group), InstanceIds: ids[:3], ShouldDecrementDesiredCapacity: aws.Bool(true)}
	if err := second(r.AutoScaling().EnterStandby(ctx, in)); code(err) != "ValidationError" || len(r.InService(group)) != 4 {
		t.Errorf("below the minimum: %v, %d serve", err, len(r.InService(group)))
	}
	in.InstanceIds, in.ShouldDecrementDesiredCapacity = ids[:1], aws.Bool(false)
	if err := second(r.AutoScaling().EnterStandby(ctx, in)); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	r.Scale(group, 8)
	exit := &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String(group), InstanceIds: ids[:1]}
	if err := second(r.AutoScaling().ExitStandby(ctx, exit)); code(err) != "ValidationError" {
		t.Errorf("above the maximum: %v", err)
	}
	in.InstanceIds = []string{"i-none"}
	if err := second(r.AutoScaling().EnterStandby(ctx, in)); code(err) != "ValidationError" {
		t.Errorf("an instance that is in no group: %v", err)
	}
	if err := second(r.AutoScaling().ExitStandby(ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String(group), InstanceIds: ids[1:2]})); code(err) != "ValidationError" {
		t.Errorf("an instance that is in service: %v", err)
	}
}

func TestDetachedInstanceRunsOn(t *testing.T) {
	r := region.New(region.Options{})
	hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	id := r.InService(group)[0]
	err := second(r.AutoScaling().DetachInstances(ctx, &autoscaling.DetachInstancesInput{
		AutoScalingGroupName: aws.String(group), InstanceIds: []string{id}, ShouldDecrementDesiredCapacity: aws.Bool(false),
	}))
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if len(r.LifecycleActions()) != 0 || stateOf(t, r, id) != "" || r.Health("web")[id] != "" || len(r.InService(group)) != 4 {
		t.Errorf("detached, %d hooks ran, the group says %q, the target group %q, and %d serve", len(r.LifecycleActions()), stateOf(t, r, id), r.Health("web")[id], len(r.InService(group)))
	}
	r.Register("web", id, 80)
	r.Advance(time.Minute)
	if r.Health("web")[id] != "healthy" {
		t.Errorf("registered by hand, the detached instance is %q", r.Health("web")[id])
	}
}

func TestInstanceHealthBySomebodyElse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		launched bool // within the grace period
		respect  *bool
		replaced bool
	}{
		{"it is replaced", false, nil, true},
		{"in its grace period it is not", true, nil, false},
		{"unless the call ignores that", true, aws.Bool(false), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Grace: 10 * time.Minute})
			id := r.InService(group)[0]
			if tc.launched {
				r.Scale(group, 3)
				r.Advance(2 * time.Minute)
				id = r.InService(group)[2]
			}
			err := second(r.AutoScaling().SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
				InstanceId: aws.String(id), HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: tc.respect,
			}))
			if err != nil {
				t.Fatal(err)
			}
			r.Advance(5 * time.Minute)
			if gone := !slices.Contains(r.InService(group), id); gone != tc.replaced {
				t.Errorf("replaced is %t, want %t", gone, tc.replaced)
			}
		})
	}
}

func TestProtectionThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	ids := r.InService(group)
	protect := func(on bool) {
		err := second(r.AutoScaling().SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: aws.String(group), InstanceIds: ids, ProtectedFromScaleIn: aws.Bool(on),
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	protect(true)
	r.Scale(group, 2)
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 4 {
		t.Errorf("protected, %d of 4 are left", n)
	}
	protect(false)
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 2 {
		t.Errorf("no longer protected, %d of 2 are left", n)
	}
}

func TestScalingActivities(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	a := scaleIn(t, r, group)
	if got := activities(t, r, group)[0]; got != "Terminating EC2 instance: "+a.Instance+" MidLifecycleAction" {
		t.Errorf("in its hook the activity is %s", got)
	}
	if err := complete(r, a, "CONTINUE", true); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	r.Scale(group, 4)
	r.Advance(2 * time.Minute)
	var all []string
	p := autoscaling.NewDescribeScalingActivitiesPaginator(r.AutoScaling(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String(group)})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Activities {
			all = append(all, string(a.StatusCode))
		}
	}
	if len(all) != 6 || slices.ContainsFunc(all, func(s string) bool { return s != "Successful" }) {
		t.Errorf("the activities are %v", all) // four launches at first, one termination, one launch
	}
	if err := second(r.AutoScaling().DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("none")})); code(err) != "ValidationError" {
		t.Errorf("a group that does not exist gives %v", err)
	}
}

func TestMetricsCollection(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	client := r.AutoScaling()
	enabled := func() (names []string) {
		g, _ := r.Group(group)
		for _, m := range g.EnabledMetrics {
			names = append(names, *m.Metric)
		}
		return names
	}
	enable := &autoscaling.EnableMetricsCollectionInput{AutoScalingGroupName: aws.String(group), Granularity: aws.String("1Minute"), Metrics: []string{"GroupMinSize", "GroupMaxSize"}}
	for range 2 {
		if err := second(client.EnableMetricsCollection(ctx, enable)); err != nil || !slices.Equal(enabled(), enable.Metrics) {
			t.Fatalf("enabled are %v, %v", enabled(), err)
		}
	}
	disable := &autoscaling.DisableMetricsCollectionInput{AutoScalingGroupName: aws.String(group), Metrics: []string{"GroupMinSize"}}
	if err := second(client.DisableMetricsCollection(ctx, disable)); err != nil || !slices.Equal(enabled(), []string{"GroupMaxSize"}) {
		t.Errorf("left are %v, %v", enabled(), err)
	}
	enable.Metrics, disable.Metrics = nil, nil
	if err := second(client.EnableMetricsCollection(ctx, enable)); err != nil || len(enabled()) != 20 {
		t.Errorf("without a name enabled are %v, %v", enabled(), err)
	}
	if err := second(client.DisableMetricsCollection(ctx, disable)); err != nil || len(enabled()) != 0 {
		t.Errorf("without a name left are %v, %v", enabled(), err)
	}
	enable.Granularity = nil
	if err := second(client.EnableMetricsCollection(ctx, enable)); code(err) != "ValidationError" {
		t.Errorf("without a granularity: %v", err)
	}
	enable.Granularity, enable.Metrics = aws.String("1Minute"), []string{"GroupSize"}
	if err := second(client.EnableMetricsCollection(ctx, enable)); code(err) != "ValidationError" {
		t.Errorf("a metric that does not exist: %v", err)
	}
}

// TestTargetGroupsByTheOlderCalls holds what the peer functions call.
func TestTargetGroupsByTheOlderCalls(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web", "api"}, ClassicLoadBalancers: []string{"old"}})
	client := r.AutoScaling()
	states := func() map[string]string {
		all := map[string]string{}
		p := autoscaling.NewDescribeLoadBalancerTargetGroupsPaginator(client, &autoscaling.DescribeLoadBalancerTargetGroupsInput{AutoScalingGroupName: aws.String(group)})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.LoadBalancerTargetGroups {
				all[*s.LoadBalancerTargetGroupARN] = *s.State
			}
		}
		return all
	}
	web, api := r.TargetGroupARN("web"), r.TargetGroupARN("api")
	if got := states(); len(got) != 2 || got[web] != "InService" || got[api] != "InService" {
		t.Errorf("attached are %v", got)
	}
	detach := &autoscaling.DetachLoadBalancerTargetGroupsInput{AutoScalingGroupName: aws.String(group), TargetGroupARNs: []string{web}}
	if err := second(client.DetachLoadBalancerTargetGroups(ctx, detach)); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if got := states(); len(got) != 1 || got[api] != "InService" || len(r.Health("web")) != 0 {
		t.Errorf("after the detachment attached are %v, registered %v", got, r.Health("web"))
	}
}

func TestTargetsOfADeployment(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	blue := r.InService(group)
	id := r.RunDeployment(svc, region.Deployment{})
	client := r.CodeDeploy()
	list := func(filters map[string][]string) []string {
		out, err := client.ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{DeploymentId: &id, TargetFilters: filters})
		if err != nil {
			t.Fatal(err)
		}
		return out.TargetIds
	}
	green := r.InService(r.GroupOf(svc))
	if got := list(nil); !slices.Equal(got, slices.Concat(green, blue)) {
		t.Errorf("unfiltered they are %v, want both the replacement and the original instances", got)
	}
	if got := list(map[string][]string{"ServerInstanceLabel": {"Blue"}}); !slices.Equal(got, blue) {
		t.Errorf("the original ones are %v", got)
	}
	if got := list(map[string][]string{"TargetStatus": {"Failed"}}); len(got) != 0 {
		t.Errorf("failed are %v", got)
	}
	out, err := client.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{DeploymentId: &id, TargetIds: green[:1]})
	if err != nil || len(out.DeploymentTargets) != 1 || out.DeploymentTargets[0].InstanceTarget.Status != "Succeeded" {
		t.Errorf("%v, %v", out, err)
	}
	many, err := client.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: []string{"d-NONE00000", id}})
	if err != nil || len(many.DeploymentsInfo) != 1 || *many.DeploymentsInfo[0].DeploymentId != id {
		t.Errorf("%v, %v", many, err)
	}
	if err := second(client.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: make([]string, 26)})); code(err) != "BatchLimitExceededException" {
		t.Errorf("26 deployments at once give %v", err)
	}
}
