package drain

import (
	"strings"
	"testing"
	"time"

	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// newClassic is a scenario whose Auto Scaling group is attached to Classic Load
// Balancers.
func newClassic(t *testing.T, o setup, draining time.Duration) (*scenario, *region.Stream) {
	s := newScenario(t, o)
	s.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "front", Draining: draining})
	s.group = s.AddService(region.Service{Application: "old", DeploymentGroup: "web", ClassicLoadBalancers: []string{"front"}, Instances: 4, HealthCheck: "EC2"}).Group
	s.putHook(hook, 300)
	users := s.StartTraffic(region.Traffic{ClassicLoadBalancer: "front", Mix: []time.Duration{100 * time.Millisecond, 2 * time.Second, 40 * time.Second}})
	s.Advance(2 * time.Minute)
	s.ForgetCalls()
	return s, users
}

// TestClassicLoadBalancer drains a Spot instance, and one drained by request, which
// Auto Scaling does not take out, from the group's Classic Load Balancer.
func TestClassicLoadBalancer(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*scenario, string){
		"Spot":       func(s *scenario, i string) { s.InterruptSpot(i) },
		"by request": func(s *scenario, i string) { s.action("drain", i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, users := newClassic(t, setup{}, 60*time.Second)
			i := s.InService(s.group)[0]
			leave(s, i)
			s.Advance(10 * time.Second)
			if state := s.ClassicHealth("front")[i]; state != "draining" && state != "" {
				t.Errorf("ten seconds later %s is still %s in its Classic Load Balancer", i, state)
			}
			s.Advance(10 * time.Minute)
			mustCutNone(t, users)
			s.mustBeIdle()
			s.mustNotNotify("nothing is wrong")
		})
	}
}

// TestClassicLoadBalancerHoldsTheInstance holds the instance until the connections
// are closed, and runs the command then.
func TestClassicLoadBalancerHoldsTheInstance(t *testing.T) {
	t.Parallel()
	s, users := newClassic(t, setup{env: command("stop")}, 60*time.Second)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	mustCutNone(t, users)
	s.mustRunOnce(2)
	s.mustBeIdle()
	s.mustHoldAtMost(2*time.Minute, "connection draining had ended")
}

// TestClassicLoadBalancerWithoutDraining has nothing to wait for.
func TestClassicLoadBalancerWithoutDraining(t *testing.T) {
	t.Parallel()
	s, _ := newClassic(t, setup{}, -1)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustHoldAtMost(20*time.Second, "its Classic Load Balancer closes connections at once")
	s.mustBeIdle()
}

// TestClassicLoadBalancerOfAnother is left alone: it does not hold the instance.
func TestClassicLoadBalancerOfAnother(t *testing.T) {
	t.Parallel()
	s, _ := newClassic(t, setup{}, 60*time.Second)
	s.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "other"})
	s.scaleIn(1)
	s.untilReleased()
	for _, c := range s.Calls() {
		if in, ok := c.Input.(*classic.DeregisterInstancesFromLoadBalancerInput); ok && *in.LoadBalancerName == "other" {
			t.Errorf("deregistered from %s, where it never was", *in.LoadBalancerName)
		}
	}
}

// TestNetworkLoadBalancer holds an instance for two minutes after its deregistration
// from a target group of a Network Load Balancer, which goes on sending it
// connections ("Edit target group attributes for your Network Load Balancer"), and
// runs the command only then.
func TestNetworkLoadBalancer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait   string
		delay  time.Duration
		atMost time.Duration
	}{
		"no deregistration delay":       {"", -1, 2*time.Minute + 30*time.Second},
		"a shorter one":                 {"", 30 * time.Second, 2*time.Minute + 30*time.Second},
		"a longer one":                  {"", 4 * time.Minute, 4*time.Minute + 30*time.Second},
		"configured to half a minute":   {"30s", -1, time.Minute},
		"configured to five minutes":    {"5m", -1, 5*time.Minute + 30*time.Second},
		"configured not to wait at all": {"0s", -1, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := settings{"TARGET_GROUPS": "tcp", "COMMAND": "stop"}
			if c.wait != "" {
				env["NETWORK_TARGET_WAIT"] = c.wait
			}
			s := newScenario(t, setup{env: env, tags: map[string]string{targetGroupsTag: ""}, mix: []time.Duration{time.Second}})
			s.addGroup("queue", 3)
			s.AddTargetGroup(region.TargetGroup{Name: "tcp", Protocol: elbtypes.ProtocolEnumTcp, Delay: c.delay})
			for _, i := range s.InService(s.group) {
				s.Register("tcp", i, 80)
			}
			users := s.StartTraffic(region.Traffic{TargetGroup: "tcp", Mix: []time.Duration{time.Second}})
			s.Advance(2 * time.Minute)
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(1)
			s.mustHoldAtMost(c.atMost, "its load balancer sends it no more connections")
			if c.wait == "" {
				if failed := users.Total().Failed; failed > 0 {
					t.Errorf("%d connections failed that the load balancer sent after the deregistration", failed)
				}
				a := s.actions()[0]
				for _, run := range s.CommandRuns() {
					if since := run.At.Sub(a.Began); since < 2*time.Minute {
						t.Errorf("the command stopped the application of %s %s after its deregistration, with new connections still to come", run.Instance, since)
					}
				}
			}
			s.mustBeIdle()
		})
	}
}

// TestNetworkLoadBalancerAtSpot has two minutes in all: the command runs before EC2
// takes the instance back.
func TestNetworkLoadBalancerAtSpot(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"TARGET_GROUPS": "tcp", "COMMAND": "stop"}, mix: []time.Duration{time.Second}})
	s.AddTargetGroup(region.TargetGroup{Name: "tcp", Protocol: elbtypes.ProtocolEnumTcp, Delay: 30 * time.Second})
	for _, i := range s.InService(s.group) {
		s.Register("tcp", i, 80)
	}
	s.Advance(2 * time.Minute)
	i := s.InService(s.group)[0]
	s.InterruptSpot(i)
	s.Advance(10 * time.Second)
	if !s.deregistered("tcp", i) {
		t.Errorf("%s still gets connections ten seconds after its warning", i)
	}
	s.Advance(20 * time.Minute)
	s.mustRunOnce(1)
	if text := strings.ToLower(s.texts()); strings.Contains(text, "agent") {
		t.Errorf("operators are advised about the SSM agent: %s", text)
	}
	s.mustBeIdle()
}
