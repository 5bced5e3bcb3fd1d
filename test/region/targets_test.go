package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// targetHealth is "state reason" of one target; port 0 leaves the port out.
func targetHealth(t *testing.T, r *region.Region, targetGroup, instance string, port int32) string {
	t.Helper()
	target := elb.TargetDescription{Id: &instance}
	if port != 0 {
		target.Port = &port
	}
	out, err := r.ELBV2().DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{
		TargetGroupArn: aws.String(r.TargetGroupARN(targetGroup)), Targets: []elb.TargetDescription{target},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := out.TargetHealthDescriptions[0].TargetHealth
	if h.Reason == "" {
		return string(h.State)
	}
	return string(h.State) + " " + string(h.Reason)
}

func registerPort(t *testing.T, r *region.Region, targetGroup, instance string, port *int32) {
	t.Helper()
	_, err := r.ELBV2().RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{
		TargetGroupArn: aws.String(r.TargetGroupARN(targetGroup)), Targets: []elb.TargetDescription{{Id: &instance, Port: port}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deregisterPort(t *testing.T, r *region.Region, targetGroup, instance string, port *int32) {
	t.Helper()
	_, err := r.ELBV2().DeregisterTargets(ctx, &elasticloadbalancingv2.DeregisterTargetsInput{
		TargetGroupArn: aws.String(r.TargetGroupARN(targetGroup)), Targets: []elb.TargetDescription{{Id: &instance, Port: port}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfATarget(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
	r.AddTargetGroup(region.TargetGroup{Name: "api"}) // checks each 10 s, healthy after 2, unhealthy after 2
	i := r.InService(group)[0]
	for _, step := range []struct {
		name  string
		do    func()
		after time.Duration
		want  string
	}{
		{"not registered", func() {}, 0, "unused Target.NotRegistered"},
		{"registered", func() { registerPort(t, r, "api", i, nil) }, 0, "initial Elb.RegistrationInProgress"},
		{"healthy after its first check", func() {}, time.Second, "healthy"},
		{"one failed check is not enough", func() { r.Crash(i) }, 11 * time.Second, "healthy"},
		{"two are", func() {}, 10 * time.Second, "unhealthy Target.FailedHealthChecks"},
		{"one success is not enough", func() { r.Recover(i) }, 10 * time.Second, "unhealthy Target.FailedHealthChecks"},
		{"two are", func() {}, 10 * time.Second, "healthy"},
		{"a short hiccup changes nothing", func() { r.Crash(i); r.Advance(5 * time.Second); r.Recover(i) }, time.Minute, "healthy"},
		{"the terminated instance fails its checks", func() { r.Terminate(i) }, 19 * time.Second, "unhealthy Target.FailedHealthChecks"},
		{"and is of no use when it is gone", func() {}, 5 * time.Second, "unused Target.InvalidState"},
		{"deregistered", func() { deregisterPort(t, r, "api", i, nil) }, 0, "unused Target.NotRegistered"},
	} {
		step.do()
		r.Advance(step.after)
		if got := targetHealth(t, r, "api", i, 0); got != step.want {
			t.Fatalf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

func TestTargetGroupWithoutLoadBalancerIsNotInUse(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
	r.AddTargetGroup(region.TargetGroup{Name: "spare", Unused: true})
	i := r.InService(group)[0]
	registerPort(t, r, "spare", i, nil)
	r.Advance(time.Minute)
	if got := targetHealth(t, r, "spare", i, 0); got != "unused Target.NotInUse" {
		t.Errorf("the target is %s", got)
	}
}

func TestDraining(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options region.Options
		takes   time.Duration // of a request in flight; 0 means none
		delay   string
		shown   time.Duration // how long it is shown as draining
		failed  bool
	}{
		{"is shown until the delay is over", region.Options{}, 20 * time.Second, "60", 60 * time.Second, false},
		{"is shown until then though nothing is in flight", region.Options{}, 0, "300", 300 * time.Second, false},
		{"cuts off what takes longer than the delay", region.Options{}, 60 * time.Second, "30", 30 * time.Second, true},
		{"as it was: ends at once when nothing is in flight", region.Options{DrainedAtOnce: true}, 0, "300", 0, false},
		{"as it was: ends with the last request", region.Options{DrainedAtOnce: true}, 20 * time.Second, "300", 20 * time.Second, false},
		{"takes no time without a delay", region.Options{}, 20 * time.Second, "0", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(tc.options)
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 1})
			_, err := r.ELBV2().ModifyTargetGroupAttributes(ctx, &elasticloadbalancingv2.ModifyTargetGroupAttributesInput{
				TargetGroupArn: aws.String(r.TargetGroupARN("web")),
				Attributes:     []elb.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: &tc.delay}},
			})
			if err != nil {
				t.Fatal(err)
			}
			i := r.InService(group)[0]
			var failed func() int
			if tc.takes > 0 {
				users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 1, Takes: tc.takes})
				users.Stop() // after its first request
				failed = func() int { return users.Total().Failed }
			}
			deregisterPort(t, r, "web", i, nil)
			if got := targetHealth(t, r, "web", i, 0); got != "draining Target.DeregistrationInProgress" {
				t.Errorf("at first it is %s", got)
			}
			r.Advance(tc.shown - 1)
			if got := targetHealth(t, r, "web", i, 0); tc.shown > 0 && got != "draining Target.DeregistrationInProgress" {
				t.Errorf("before %s it is %s", tc.shown, got)
			}
			r.Advance(1)
			if got := targetHealth(t, r, "web", i, 0); got != "unused Target.NotRegistered" {
				t.Errorf("after %s it is %s", tc.shown, got)
			}
			if failed != nil && (failed() > 0) != tc.failed {
				t.Errorf("%d requests failed, want some: %t", failed(), tc.failed)
			}
		})
	}
}

func TestDeregisteringWithoutThePortLeavesOtherPorts(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
	r.AddTargetGroup(region.TargetGroup{Name: "api"})
	i := r.InService(group)[0]
	registerPort(t, r, "api", i, aws.Int32(8080))
	deregisterPort(t, r, "api", i, nil)
	r.Advance(time.Minute)
	if got := targetHealth(t, r, "api", i, 8080); got != "healthy" {
		t.Errorf("the target on the other port is %s", got)
	}
	deregisterPort(t, r, "api", i, aws.Int32(8080))
	r.Advance(6 * time.Minute) // the deregistration delay, for which it is displayed
	if got := targetHealth(t, r, "api", i, 8080); got != "unused Target.NotRegistered" {
		t.Errorf("deregistered with its port it is %s", got)
	}
}

func TestRegisteringADrainingTargetEndsIt(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	i := r.InService(group)[0]
	deregisterPort(t, r, "web", i, nil)
	registerPort(t, r, "web", i, nil)
	r.Advance(time.Hour)
	if got := targetHealth(t, r, "web", i, 0); got != "healthy" {
		t.Errorf("an hour after its draining was called off it is %s", got)
	}
}

func TestTargetErrors(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	client, web := r.ELBV2(), r.TargetGroupARN("web")
	dead := r.InService(group)[0]
	r.Terminate(dead)
	none := "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/none/0"
	for _, tc := range []struct {
		name string
		err  error
		code string
	}{
		{"a target group that is not there", second(client.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{TargetGroupArns: []string{web, none}})), "TargetGroupNotFound"},
		{"a name that is not there", second(client.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{Names: []string{"none"}})), "TargetGroupNotFound"},
		{"registering in it", second(client.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &none})), "TargetGroupNotFound"},
		{"registering an unknown instance", second(client.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &web, Targets: []elb.TargetDescription{{Id: aws.String("i-none")}}})), "InvalidTarget"},
		{"registering a dying instance", second(client.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &web, Targets: []elb.TargetDescription{{Id: &dead}}})), "InvalidTarget"},
		{"deregistering an unknown instance", second(client.DeregisterTargets(ctx, &elasticloadbalancingv2.DeregisterTargetsInput{TargetGroupArn: &web, Targets: []elb.TargetDescription{{Id: aws.String("i-none")}}})), ""},
		{"deleting a target group in use", second(client.DeleteTargetGroup(ctx, &elasticloadbalancingv2.DeleteTargetGroupInput{TargetGroupArn: &web})), "ResourceInUse"},
		{"a name that AWS refuses", second(client.CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{Name: aws.String("läden_1"), Port: aws.Int32(80), Protocol: elb.ProtocolEnumHttp})), "ValidationError"},
	} {
		if code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %q", tc.name, tc.err, tc.code)
		}
	}
}

func TestTargetGroupsComeInPages(t *testing.T) {
	r := region.New(region.Options{PageSize: 2})
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, err := r.ELBV2().CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{Name: &name, Port: aws.Int32(80), Protocol: elb.ProtocolEnumHttp, VpcId: aws.String("vpc-0")})
		if err != nil {
			t.Fatal(err)
		}
	}
	var pages, all int
	p := elasticloadbalancingv2.NewDescribeTargetGroupsPaginator(r.ELBV2(), &elasticloadbalancingv2.DescribeTargetGroupsInput{})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		all += len(out.TargetGroups)
	}
	if pages != 3 || all != 5 {
		t.Errorf("%d target groups on %d pages, want 5 on 3", all, pages)
	}
}
