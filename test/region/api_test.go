package region_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

func TestGroupsByTag(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	for _, app := range []string{"a", "b", "c"} {
		r.AddService(region.Service{Application: app, DeploymentGroup: "web", Tags: map[string]string{"team": "red"}})
	}
	_, err := r.AutoScaling().CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []asg.Tag{
		{ResourceId: aws.String("b-web"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("team"), Value: aws.String("blue")},
		{ResourceId: aws.String("c-web"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("stage"), Value: aws.String("production")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	filter := func(name string, values ...string) asg.Filter { return asg.Filter{Name: &name, Values: values} }
	for _, tc := range []struct {
		name    string
		filters []asg.Filter
		want    []string
	}{
		{"none", nil, []string{"a-web", "b-web", "c-web"}},
		{"a key with a value", []asg.Filter{filter("tag:team", "red")}, []string{"a-web", "c-web"}},
		{"one of two values", []asg.Filter{filter("tag:team", "red", "blue")}, []string{"a-web", "b-web", "c-web"}},
		{"a key", []asg.Filter{filter("tag-key", "stage")}, []string{"c-web"}},
		{"a value", []asg.Filter{filter("tag-value", "blue")}, []string{"b-web"}},
		{"all filters must match", []asg.Filter{filter("tag:team", "blue"), filter("tag-key", "stage")}, nil},
	} {
		var got []string
		p := autoscaling.NewDescribeAutoScalingGroupsPaginator(r.AutoScaling(), &autoscaling.DescribeAutoScalingGroupsInput{Filters: tc.filters})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range out.AutoScalingGroups {
				got = append(got, *g.AutoScalingGroupName)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if err := second(r.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{Filters: []asg.Filter{filter("colour", "red")}})); code(err) != "ValidationError" {
		t.Errorf("an unknown filter gives %v", err)
	}
}

func TestSizesThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	shop(r) // between 2 and 8, at 4
	update := func(in autoscaling.UpdateAutoScalingGroupInput) error {
		in.AutoScalingGroupName = aws.String(group)
		return second(r.AutoScaling().UpdateAutoScalingGroup(ctx, &in))
	}
	for _, step := range []struct {
		name    string
		err     error
		code    string
		desired int
	}{
		{"a desired capacity", second(r.AutoScaling().SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(group), DesiredCapacity: aws.Int32(5)})), "", 5},
		{"one under the minimum", second(r.AutoScaling().SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(group), DesiredCapacity: aws.Int32(1)})), "ValidationError", 5},
	} {
		g, _ := r.Group(group)
		if code(step.err) != step.code || int(*g.DesiredCapacity) != step.desired {
			t.Errorf("%s: %v, desired %d", step.name, step.err, *g.DesiredCapacity)
		}
	}
	if err := update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(6)}); err != nil {
		t.Fatal(err)
	}
	if g, _ := r.Group(group); *g.DesiredCapacity != 6 {
		t.Errorf("a minimum above the desired capacity leaves it at %d", *g.DesiredCapacity)
	}
	if err := update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(1), MaxSize: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 3 {
		t.Errorf("a maximum below the desired capacity leaves %d instances", n)
	}
	if err := update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(9)}); code(err) != "ValidationError" {
		t.Errorf("a minimum above the maximum gives %v", err)
	}
}

// TestHealthCheckTypeTakesEffectAtOnce: a group that begins to check its load
// balancing replaces what is unhealthy there already.
func TestHealthCheckTypeTakesEffectAtOnce(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, HealthCheck: "EC2"})
	victim := r.InService(group)[0]
	r.Crash(victim)
	r.Advance(10 * time.Minute)
	if !slices.Contains(r.InService(group), victim) {
		t.Fatal("EC2 checks have replaced a crashed application")
	}
	err := second(r.AutoScaling().UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(group), HealthCheckType: aws.String("ELB")}))
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if slices.Contains(r.InService(group), victim) || !slices.Equal(sourceStates(t, r, group), []string{"InService"}) {
		t.Errorf("with ELB checks in service are %v, sources %v", r.InService(group), sourceStates(t, r, group))
	}
}

func TestHooksThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	client := r.AutoScaling()
	put := &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String("drain"), HeartbeatTimeout: aws.Int32(60),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), NotificationMetadata: aws.String("{}"),
	}
	if err := second(client.PutLifecycleHook(ctx, put)); err != nil {
		t.Fatal(err)
	}
	// An update changes what is given.
	if err := second(client.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{AutoScalingGroupName: put.AutoScalingGroupName, LifecycleHookName: put.LifecycleHookName, DefaultResult: aws.String("CONTINUE")})); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(group), LifecycleHookNames: []string{"drain"}})
	if err != nil || len(out.LifecycleHooks) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	if h := out.LifecycleHooks[0]; *h.HeartbeatTimeout != 60 || *h.GlobalTimeout != 6000 || *h.DefaultResult != "CONTINUE" || *h.NotificationMetadata != "{}" {
		t.Errorf("the hook is %+v", h)
	}
	del := &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String("drain")}
	if err := second(client.DeleteLifecycleHook(ctx, del)); err != nil || slices.Contains(hookNames(t, r, group), "drain") {
		t.Errorf("deleted, the hooks are %v, %v", hookNames(t, r, group), err)
	}
	if err := second(client.DeleteLifecycleHook(ctx, del)); code(err) != "ValidationError" {
		t.Errorf("deleting it again gives %v", err)
	}
}

func TestUpdatedDeploymentGroup(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	r.AddService(region.Service{Application: "spare", DeploymentGroup: "web", TargetGroups: []string{"spare"}})
	client := r.CodeDeploy()
	_, err := client.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), NewDeploymentGroupName: aws.String("web2"),
		AutoScalingGroups: []string{"spare-web"},
		LoadBalancerInfo:  &cd.LoadBalancerInfo{TargetGroupInfoList: []cd.TargetGroupInfo{{Name: aws.String("spare")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := second(client.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})); code(err) != "DeploymentGroupDoesNotExistException" {
		t.Errorf("under its old name it gives %v", err)
	}
	svc.DeploymentGroup = "web2"
	if hooks := hookNames(t, r, group); r.GroupOf(svc) != "spare-web" || len(hooks) != 0 {
		t.Errorf("it names %s, and the hooks left on its old group are %v", r.GroupOf(svc), hooks)
	}
	id := r.RunDeployment(svc, region.Deployment{})
	if blue, _ := r.Groups(id); blue != "spare-web" || !r.Deployed(id) {
		t.Errorf("its next release copies %s and is %s", blue, r.Status(id))
	}
}

func TestDeploymentsByTime(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	r.RunDeployment(svc, region.Deployment{FailAt: region.StageInstall})
	r.Advance(time.Hour)
	since := r.Now()
	late := r.RunDeployment(svc, region.Deployment{FailAt: region.StageInstall})
	out, err := r.CodeDeploy().ListDeployments(ctx, &codedeploy.ListDeploymentsInput{CreateTimeRange: &cd.TimeRange{Start: &since}})
	if err != nil || !slices.Equal(out.Deployments, []string{late}) {
		t.Errorf("since then %v, %v, want %s", out, err, late)
	}
}

func TestDelayIsReadBack(t *testing.T) {
	r := region.New(region.Options{})
	arn := r.AddTargetGroup(region.TargetGroup{Name: "web"})
	out, err := r.ELBV2().DescribeTargetGroupAttributes(ctx, &elasticloadbalancingv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &arn})
	if err != nil || *out.Attributes[0].Key != "deregistration_delay.timeout_seconds" || *out.Attributes[0].Value != "300" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestInstanceEvents(t *testing.T) {
	r := region.New(region.Options{InstanceEvents: true})
	svc := shop(r)
	kinds := map[string]int{}
	r.OnEvent(func(payload []byte) { kinds[decodeBusEvent(t, payload).DetailType]++ })
	r.RunDeployment(svc, region.Deployment{})
	r.Advance(time.Second)
	if kinds["CodeDeploy Instance State-change Notification"] != 8 || kinds["CodeDeploy Deployment State-change Notification"] != 2 {
		t.Errorf("a release on four instances is announced by %v", kinds)
	}
}

func TestAfter(t *testing.T) {
	r := region.New(region.Options{Start: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	var at time.Time
	r.After(time.Minute, func() { at = r.Now() })
	r.Advance(time.Hour)
	if want := time.Date(2030, 1, 1, 0, 1, 0, 0, time.UTC); at != want {
		t.Errorf("called at %s, want %s", at, want)
	}
}
