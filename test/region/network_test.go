package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// TestNetworkLoadBalancerLags: a deregistered target still gets connections
// for about two minutes, so who stops it before then fails them.
func TestNetworkLoadBalancerLags(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options region.Options
		delay   time.Duration
		held    time.Duration // from the deregistration to the end of the instance
		failed  bool
	}{
		{"ended when the target is unused", region.Options{}, 30 * time.Second, 40 * time.Second, true},
		{"ended at once, without a delay", region.Options{}, -1, 5 * time.Second, true},
		{"held two minutes", region.Options{}, 30 * time.Second, 125 * time.Second, false},
		{"propagated in ten seconds", region.Options{Timings: region.Timings{Propagate: 10 * time.Second}}, 30 * time.Second, 40 * time.Second, false},
		{"propagated at once", region.Options{Timings: region.Timings{Propagate: -1}}, 30 * time.Second, 40 * time.Second, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(tc.options)
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
			r.AddTargetGroup(region.TargetGroup{Name: "tcp", Protocol: elb.ProtocolEnumTcp, Delay: tc.delay})
			ids := r.InService(group)
			for _, id := range ids {
				r.Register("tcp", id, 80)
			}
			r.Advance(time.Minute)
			users := r.StartTraffic(region.Traffic{TargetGroup: "tcp", Takes: 2 * time.Second})
			r.Advance(10 * time.Second)
			deregisterPort(t, r, "tcp", ids[0], nil)
			r.Advance(tc.held)
			if got := r.Health("tcp")[ids[0]]; got != "" && tc.held > tc.delay {
				t.Errorf("when its delay is over the target is %q", got)
			}
			r.Terminate(ids[0])
			r.Advance(3 * time.Minute)
			if failed := users.Total().Failed > 0; failed != tc.failed {
				t.Errorf("%d requests failed", users.Total().Failed)
			}
		})
	}
}

// TestNetworkLoadBalancerDrains: what is in flight goes on beyond the delay,
// unless connections are terminated, and the target is draining all the time.
func TestNetworkLoadBalancerDrains(t *testing.T) {
	for name, terminates := range map[string]bool{"and requests go on": false, "and connections are terminated": true} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{DrainedAtOnce: true, Timings: region.Timings{Propagate: -1}})
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
			arn := r.AddTargetGroup(region.TargetGroup{Name: "tcp", Protocol: elb.ProtocolEnumTcp, Delay: time.Minute})
			if terminates {
				in := &elasticloadbalancingv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &arn, Attributes: []elb.TargetGroupAttribute{
					{Key: aws.String("deregistration_delay.connection_termination.enabled"), Value: aws.String("true")},
				}}
				if err := second(r.ELBV2().ModifyTargetGroupAttributes(ctx, in)); err != nil {
					t.Fatal(err)
				}
			}
			id := r.InService(group)[0]
			r.Register("tcp", id, 80)
			r.Advance(time.Minute)
			users := r.StartTraffic(region.Traffic{TargetGroup: "tcp", PerSecond: 1, Takes: 2 * time.Minute})
			users.Stop()
			deregisterPort(t, r, "tcp", id, nil)
			r.Advance(59 * time.Second)
			if got := r.Health("tcp")[id]; got != "draining" {
				t.Errorf("within the delay the target is %q", got)
			}
			r.Advance(10 * time.Minute)
			if got := r.Health("tcp")[id]; got != "" || (users.Total().Failed > 0) != terminates {
				t.Errorf("after the delay the target is %q, and %d requests failed", got, users.Total().Failed)
			}
		})
	}
}

// TestTargetsByAddress: a target group of type ip knows addresses only, which
// stay when their instance is gone.
func TestTargetsByAddress(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web"})
	arn := r.AddTargetGroup(region.TargetGroup{Name: "pods", Type: elb.TargetTypeEnumIp})
	id := r.InService(group)[0]
	address := r.Address(id)
	register := func(id string) error {
		return second(r.ELBV2().RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: []elb.TargetDescription{{Id: &id}}}))
	}
	if err := register(id); code(err) != "ValidationError" {
		t.Errorf("an instance in a target group of addresses gives %v", err)
	}
	if err := register(address); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	users := r.StartTraffic(region.Traffic{TargetGroup: "pods"})
	r.Advance(time.Minute)
	if got := r.Health("pods"); len(got) != 1 || got[address] != "healthy" || users.Total().Failed != 0 {
		t.Errorf("the targets are %v, %d requests failed", got, users.Total().Failed)
	}
	r.Terminate(id)
	r.Advance(10 * time.Minute)
	if got := r.Health("pods")[address]; got != "unhealthy" || users.Total().Failed == 0 {
		t.Errorf("its instance gone, the address is %q", got)
	}
}
