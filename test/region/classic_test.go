package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"deployhooks/test/region"
)

// classicShop is a service behind a Classic Load Balancer only.
func classicShop(r *region.Region) region.Service {
	return r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", ClassicLoadBalancers: []string{"old"}, Instances: 4})
}

func instanceState(t *testing.T, r *region.Region, id string) string {
	t.Helper()
	out, err := r.ELB().DescribeInstanceHealth(ctx, &elasticloadbalancing.DescribeInstanceHealthInput{
		LoadBalancerName: aws.String("old"), Instances: []classic.Instance{{InstanceId: aws.String(id)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.InstanceStates[0].State + ": " + *out.InstanceStates[0].Description
}

// TestClassicLoadBalancerDrains: requests in flight may end within the time-out
// of connection draining, and without it none may.
func TestClassicLoadBalancerDrains(t *testing.T) {
	const registered, unregistered = "InService: N/A", "OutOfService: Instance is not currently registered with the LoadBalancer"
	for _, tc := range []struct {
		name     string
		draining time.Duration
		takes    time.Duration
		during   string
		failed   bool
	}{
		{"requests that end in time", time.Minute, 30 * time.Second, "InService: Instance deregistration currently in progress.", false},
		{"requests that take longer", time.Minute, 2 * time.Minute, "InService: Instance deregistration currently in progress.", true},
		{"no connection draining", -1, 30 * time.Second, unregistered, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "old", Draining: tc.draining})
			classicShop(r)
			users := r.StartTraffic(region.Traffic{ClassicLoadBalancer: "old", Takes: tc.takes})
			r.Advance(3 * time.Minute)
			id := r.InService(group)[0]
			if got := instanceState(t, r, id); got != registered {
				t.Fatalf("at first it is %s", got)
			}
			for range 2 { // the second has nothing to do
				if _, err := r.ELB().DeregisterInstancesFromLoadBalancer(ctx, &elasticloadbalancing.DeregisterInstancesFromLoadBalancerInput{
					LoadBalancerName: aws.String("old"), Instances: []classic.Instance{{InstanceId: aws.String(id)}},
				}); err != nil {
					t.Fatal(err)
				}
			}
			r.Advance(20 * time.Second)
			if got := instanceState(t, r, id); got != tc.during {
				t.Errorf("20 s later it is %s", got)
			}
			r.Advance(time.Minute)
			if got := instanceState(t, r, id); got != unregistered {
				t.Errorf("in the end it is %s", got)
			}
			r.Kill(id)
			if failed := users.Total().Failed > 0; failed != tc.failed {
				t.Errorf("%d requests failed", users.Total().Failed)
			}
		})
	}
}

// TestClassicLoadBalancerOfAGroup: Auto Scaling registers what it launches and
// waits for the draining of what it terminates.
func TestClassicLoadBalancerOfAGroup(t *testing.T) {
	r := region.New(region.Options{})
	classicShop(r)
	users := r.StartTraffic(region.Traffic{ClassicLoadBalancer: "old", Takes: 20 * time.Second})
	r.Scale(group, 6)
	r.Advance(3 * time.Minute)
	if got := r.ClassicHealth("old"); len(got) != 6 {
		t.Errorf("after the scale-out the load balancer holds %v", got)
	}
	r.Scale(group, 3)
	r.Advance(5 * time.Minute)
	if got := r.ClassicHealth("old"); len(got) != 3 || users.Total().Failed != 0 {
		t.Errorf("after the scale-in it holds %v, and %d requests failed", got, users.Total().Failed)
	}
	victim := r.InService(group)[0]
	r.Crash(victim)
	r.Advance(5 * time.Minute)
	if _, there := r.ClassicHealth("old")[victim]; there || len(r.InService(group)) != 3 {
		t.Errorf("an unhealthy instance was not replaced: %v", r.ClassicHealth("old"))
	}
}

// TestReleaseLosesAClassicLoadBalancer as it loses a target group.
func TestReleaseLosesAClassicLoadBalancer(t *testing.T) {
	r := region.New(region.Options{})
	svc := classicShop(r)
	users := r.StartTraffic(region.Traffic{ClassicLoadBalancer: "old"})
	r.RunDeployment(svc, region.Deployment{})
	green := r.GroupOf(svc)
	health := r.ClassicHealth("old")
	for _, id := range r.InService(green) {
		if health[id] != "InService" {
			t.Errorf("after the release %s is %q", id, health[id])
		}
	}
	if users.Total().Failed != 0 || len(r.Attached(green)) != 0 {
		t.Errorf("%d requests failed, attached is %v", users.Total().Failed, r.Attached(green))
	}
	if err := second(r.AutoScaling().AttachLoadBalancers(ctx, &autoscaling.AttachLoadBalancersInput{AutoScalingGroupName: aws.String(green), LoadBalancerNames: []string{"old"}})); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	states := func() map[string]string {
		out, err := r.AutoScaling().DescribeLoadBalancers(ctx, &autoscaling.DescribeLoadBalancersInput{AutoScalingGroupName: aws.String(green)})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, s := range out.LoadBalancers {
			all[*s.LoadBalancerName] = *s.State
		}
		return all
	}
	if got := states(); got["old"] != "InService" {
		t.Errorf("attached again it is %v", got)
	}
	if err := second(r.AutoScaling().DetachLoadBalancers(ctx, &autoscaling.DetachLoadBalancersInput{AutoScalingGroupName: aws.String(green), LoadBalancerNames: []string{"old"}})); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if got := states(); len(got) != 0 || len(r.ClassicHealth("old")) != 0 {
		t.Errorf("detached it is %v and holds %v", got, r.ClassicHealth("old"))
	}
}

func TestClassicLoadBalancersThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	classicShop(r)
	r.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "older", Draining: -1})
	client := r.ELB()
	draining := map[string]int32{}
	p := elasticloadbalancing.NewDescribeLoadBalancersPaginator(client, &elasticloadbalancing.DescribeLoadBalancersInput{})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range out.LoadBalancerDescriptions {
			a, err := client.DescribeLoadBalancerAttributes(ctx, &elasticloadbalancing.DescribeLoadBalancerAttributesInput{LoadBalancerName: b.LoadBalancerName})
			if err != nil {
				t.Fatal(err)
			}
			if c := a.LoadBalancerAttributes.ConnectionDraining; c.Enabled {
				draining[*b.LoadBalancerName] = *c.Timeout
			} else {
				draining[*b.LoadBalancerName] = -1
			}
		}
	}
	if len(draining) != 2 || draining["old"] != 300 || draining["older"] != -1 {
		t.Errorf("connection draining is %v", draining)
	}
	id := r.InService(group)[0]
	in := &elasticloadbalancing.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("older"), Instances: []classic.Instance{{InstanceId: &id}}}
	if out, err := client.RegisterInstancesWithLoadBalancer(ctx, in); err != nil || len(out.Instances) != 1 {
		t.Errorf("registered are %v, %v", out, err)
	}
	if got := r.ClassicHealth("older")[id]; got != "OutOfService" {
		t.Errorf("just registered it is %q", got)
	}
	users := r.StartTraffic(region.Traffic{ClassicLoadBalancer: "older"})
	r.Advance(5 * time.Second)
	if got := r.ClassicHealth("older")[id]; got != "OutOfService" || users.Total().Failed != users.Total().Requests {
		t.Errorf("after one health check of two it is %q, and %d of %d requests failed", got, users.Total().Failed, users.Total().Requests)
	}
	r.Advance(time.Minute)
	if got := r.ClassicHealth("older")[id]; got != "InService" || users.Total().Failed == users.Total().Requests {
		t.Errorf("a minute later it is %q", got)
	}
	in.Instances[0].InstanceId = aws.String("i-none")
	if err := second(client.RegisterInstancesWithLoadBalancer(ctx, in)); code(err) != "InvalidInstance" {
		t.Errorf("an instance that does not exist gives %v", err)
	}
	in.LoadBalancerName = aws.String("none")
	if err := second(client.RegisterInstancesWithLoadBalancer(ctx, in)); code(err) != "LoadBalancerNotFound" {
		t.Errorf("a load balancer that does not exist gives %v", err)
	}
}
