package region_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

func attach(r *region.Region, name, kind string, ids ...string) error {
	in := &autoscaling.AttachTrafficSourcesInput{AutoScalingGroupName: &name}
	for _, id := range ids {
		in.TrafficSources = append(in.TrafficSources, asg.TrafficSourceIdentifier{Identifier: aws.String(id), Type: aws.String(kind)})
	}
	return second(r.AutoScaling().AttachTrafficSources(ctx, in))
}

// sourceStates are a group's traffic sources' states, in order.
func sourceStates(t *testing.T, r *region.Region, name string) []string {
	t.Helper()
	var states []string
	in := &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: &name}
	for {
		out, err := r.AutoScaling().DescribeTrafficSources(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.TrafficSources {
			states = append(states, *s.State)
		}
		if out.NextToken == nil {
			return states
		}
		in.NextToken = out.NextToken
	}
}

// TestAttachedSourceSettles: Adding, Added, and InService where the group's
// health checks are those of its load balancing.
func TestAttachedSourceSettles(t *testing.T) {
	for _, tc := range []struct {
		name  string
		check string
		kind  string
		crash bool
		ends  string
	}{
		{"ELB checks and a healthy instance", "ELB", "elbv2", false, "InService"},
		{"ELB checks and no healthy instance", "ELB", "elbv2", true, "Added"},
		{"EC2 checks stay at Added", "EC2", "elbv2", false, "Added"},
		{"a Classic Load Balancer", "ELB", "elb", false, "InService"},
		{"VPC Lattice with its own checks", "VPC_LATTICE", "vpc-lattice", false, "InService"},
		{"VPC Lattice with EC2 checks", "EC2", "vpc-lattice", false, "Added"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", HealthCheck: tc.check})
			r.AddService(region.Service{Application: "other", DeploymentGroup: "web", ClassicLoadBalancers: []string{"classic"}})
			id := map[string]string{
				"elb": "classic", "elbv2": r.AddTargetGroup(region.TargetGroup{Name: "new"}),
				"vpc-lattice": "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-1",
			}[tc.kind]
			suspend(t, r, group, "ReplaceUnhealthy")
			if tc.crash {
				for _, i := range r.InService(group) {
					r.Crash(i)
				}
			}
			if err := attach(r, group, tc.kind, id); err != nil {
				t.Fatal(err)
			}
			if got := sourceStates(t, r, group); !slices.Equal(got, []string{"Adding"}) {
				t.Errorf("at first %v, want Adding", got)
			}
			r.Advance(5 * time.Minute)
			if got := sourceStates(t, r, group); !slices.Equal(got, []string{tc.ends}) {
				t.Errorf("in the end %v, want %s", got, tc.ends)
			}
			g, _ := r.Group(group)
			if len(g.TrafficSources) != 1 || (tc.kind == "elbv2") != (len(g.TargetGroupARNs) == 1) || (tc.kind == "elb") != (len(g.LoadBalancerNames) == 1) {
				t.Errorf("the group shows %v, %v, %v", g.TrafficSources, g.TargetGroupARNs, g.LoadBalancerNames)
			}
		})
	}
}

func TestAttachingRegistersRunningInstances(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	arn := r.AddTargetGroup(region.TargetGroup{Name: "api", Port: 8080})
	if err := attach(r, group, "elbv2", arn); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Health("api")); n != 4 {
		t.Errorf("%d of 4 instances were registered", n)
	}
	if err := attach(r, group, "elbv2", arn); err != nil || len(r.Attached(group)) != 2 {
		t.Errorf("attaching again gave %v and %v: it is additive and may be repeated", err, r.Attached(group))
	}
}

func TestAttachingWhileAddToLoadBalancerIsSuspended(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	suspend(t, r, group, "AddToLoadBalancer")
	if err := attach(r, group, "elbv2", r.AddTargetGroup(region.TargetGroup{Name: "api"})); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if got := sourceStates(t, r, group); !slices.Equal(got, []string{"InService", "Adding"}) || len(r.Health("api")) != 0 {
		t.Errorf("while suspended: %v, targets %v", got, r.Health("api"))
	}
	resume(t, r, group, "AddToLoadBalancer")
	r.Advance(time.Minute)
	if got := sourceStates(t, r, group); !slices.Equal(got, []string{"InService", "InService"}) {
		t.Errorf("resumed: %v", got)
	}
}

// TestAttachingUnhealthyInstancesKillsThem is why a repair asks for health
// before it attaches. Where none is healthy the source never comes into
// service, and nothing is replaced, until one is.
func TestAttachingUnhealthyInstancesKillsThem(t *testing.T) {
	for _, tc := range []struct {
		name    string
		healthy int
		state   string
	}{
		{"one is healthy", 1, "InService"},
		{"none is healthy", 0, "Added"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			r.RunDeployment(svc, region.Deployment{})
			green := r.GroupOf(svc)
			unhealthy := r.InService(green)[tc.healthy:]
			for _, i := range unhealthy {
				r.Crash(i)
			}
			r.Advance(10 * time.Minute)
			if err := attach(r, green, "elbv2", r.TargetGroupARN("web")); err != nil {
				t.Fatal(err)
			}
			r.Advance(10 * time.Minute)
			replaced := func() (n int) {
				for _, i := range unhealthy {
					if !slices.Contains(r.InService(green), i) {
						n++
					}
				}
				return n
			}
			if got := sourceStates(t, r, green); !slices.Equal(got, []string{tc.state}) || (replaced() == len(unhealthy)) != (tc.healthy > 0) {
				t.Errorf("the source is %v, and %d of %d unhealthy instances were replaced", got, replaced(), len(unhealthy))
			}
			if tc.healthy == 0 {
				r.Recover(unhealthy[0])
				r.Advance(10 * time.Minute)
				if n := replaced(); n != len(unhealthy)-1 {
					t.Errorf("when one is healthy again %d of %d are replaced", n, len(unhealthy))
				}
			}
		})
	}
}

func TestAttachErrors(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	r.AddService(region.Service{Application: "busy", DeploymentGroup: "web"})
	r.SetInstanceRefresh("busy-web", true)
	r.AddService(region.Service{Application: "dying", DeploymentGroup: "web"})
	r.DeleteGroup("dying-web")
	var eleven []string
	for n := range 11 {
		eleven = append(eleven, r.AddTargetGroup(region.TargetGroup{Name: fmt.Sprint("tg-", n)}))
	}
	web := r.TargetGroupARN("web")
	for _, tc := range []struct {
		name, group, kind string
		ids               []string
		code              string
	}{
		{"a group that is not there", "gone", "elbv2", []string{web}, "ValidationError"},
		{"a target group that is not there", group, "elbv2", []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0"}, "ValidationError"},
		{"a Classic Load Balancer that is not there", group, "elb", []string{"gone"}, "ValidationError"},
		{"a target group of IP addresses", group, "elbv2", []string{r.AddTargetGroup(region.TargetGroup{Name: "ip", Type: elb.TargetTypeEnumIp})}, "ValidationError"},
		{"a target group of a function", group, "elbv2", []string{r.AddTargetGroup(region.TargetGroup{Name: "fn", Type: elb.TargetTypeEnumLambda})}, "ValidationError"},
		{"a target group of another VPC", group, "elbv2", []string{r.AddTargetGroup(region.TargetGroup{Name: "far", VPC: "vpc-other"})}, "ValidationError"},
		{"eleven at once", group, "elbv2", eleven, "ValidationError"},
		{"a type that does not exist", group, "elbv3", []string{web}, "ValidationError"},
		{"a group in an instance refresh", "busy-web", "elbv2", []string{web}, "InstanceRefreshInProgress"},
		{"a group that is being deleted", "dying-web", "elbv2", []string{web}, "ResourceContention"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := attach(r, tc.group, tc.kind, tc.ids...)
			if code(err) != tc.code {
				t.Errorf("got %v, want %s", err, tc.code)
			}
		})
	}
	if got := r.Attached(group); len(got) != 1 {
		t.Errorf("refused calls have attached %v", got)
	}
}

func TestAGroupHoldsFiftySources(t *testing.T) {
	r := region.New(region.Options{PageSize: 7})
	shop(r)
	for n := range 49 {
		if err := attach(r, group, "elbv2", r.AddTargetGroup(region.TargetGroup{Name: fmt.Sprint("tg-", n)})); err != nil {
			t.Fatal(err)
		}
	}
	err := attach(r, group, "elbv2", r.AddTargetGroup(region.TargetGroup{Name: "one-more"}))
	var limit *asg.LimitExceededFault
	if !errors.As(err, &limit) {
		t.Errorf("the 51st source gives %v", err)
	}
	if n := len(sourceStates(t, r, group)); n != 50 {
		t.Errorf("the pages of seven hold %d sources, want 50", n)
	}
}

func TestDetachingDrains(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 20 * time.Second})
	r.Advance(time.Minute)
	users.Stop()
	_, err := r.AutoScaling().DetachTrafficSources(ctx, &autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(group),
		TrafficSources:       []asg.TrafficSourceIdentifier{{Identifier: aws.String(r.TargetGroupARN("web")), Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{{0, []string{"Removing"}}, {22 * time.Second, []string{"Removed"}}, {time.Minute, nil}} {
		r.Advance(step.after)
		if got := sourceStates(t, r, group); !slices.Equal(got, step.want) {
			t.Errorf("%s on: %v, want %v", step.after, got, step.want)
		}
	}
	r.Advance(5 * time.Minute) // the deregistration delay, for which targets are displayed
	if n := len(r.Health("web")); n != 0 || users.Total().Failed != 0 {
		t.Errorf("%d targets are left, %d requests failed", n, users.Total().Failed)
	}
}

func TestOlderCallAttachesToo(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	_, err := r.AutoScaling().AttachLoadBalancerTargetGroups(ctx, &autoscaling.AttachLoadBalancerTargetGroupsInput{
		AutoScalingGroupName: aws.String(group), TargetGroupARNs: []string{r.AddTargetGroup(region.TargetGroup{Name: "api"})},
	})
	r.Advance(time.Minute)
	if got := sourceStates(t, r, group); err != nil || !slices.Equal(got, []string{"InService", "InService"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func detachment(group, arn string) *autoscaling.DetachTrafficSourcesInput {
	return &autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(group),
		TrafficSources:       []asg.TrafficSourceIdentifier{{Identifier: aws.String(arn), Type: aws.String("elbv2")}},
	}
}
