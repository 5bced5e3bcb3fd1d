package drain

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

// TestFoundTargetGroupOfANewInstance has an instance be registered, in a target
// group that nobody named, after another drain has read who is in there.
func TestFoundTargetGroupOfANewInstance(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 6, tags: map[string]string{targetGroupsTag: ""}, env: settings{"FIND_TARGET_GROUPS": "true"}})
	s.AddTargetGroup(region.TargetGroup{Name: "late", Delay: 2 * time.Minute})
	s.scaleIn(1)
	s.untilReleased()
	for _, i := range s.InService(s.group) {
		s.Register("late", i, 80)
	}
	s.Advance(time.Minute)
	users := s.StartTraffic(region.Traffic{TargetGroup: "late", PerSecond: 5, Mix: []time.Duration{100 * time.Millisecond, 40 * time.Second}})
	s.Advance(time.Minute)
	s.scaleIn(2)
	s.Advance(10 * time.Minute)
	mustCutNone(t, users)
}

// TestFoundTargetGroupCreatedLately creates the target group itself after another
// drain has listed all of them.
func TestFoundTargetGroupCreatedLately(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 6, tags: map[string]string{targetGroupsTag: ""}, env: settings{"FIND_TARGET_GROUPS": "true"}})
	s.scaleIn(1)
	s.untilReleased()
	s.AddTargetGroup(region.TargetGroup{Name: "late", Delay: 2 * time.Minute})
	for _, i := range s.InService(s.group) {
		s.Register("late", i, 80)
	}
	s.Advance(time.Minute)
	users := s.StartTraffic(region.Traffic{TargetGroup: "late", PerSecond: 5, Mix: []time.Duration{100 * time.Millisecond, 40 * time.Second}})
	s.Advance(time.Minute)
	s.scaleIn(2)
	s.Advance(10 * time.Minute)
	mustCutNone(t, users)
}

// TestFoundBesideALongDrain has a drain of many minutes go on beside others, so that
// what it has read is old when they begin.
func TestFoundBesideALongDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 8, heartbeat: 3600, delay: time.Hour, mix: []time.Duration{time.Second, 55 * time.Minute}, perSecond: 1, tags: map[string]string{targetGroupsTag: ""}, env: settings{"FIND_TARGET_GROUPS": "true"}})
	s.AddTargetGroup(region.TargetGroup{Name: "late", Delay: 2 * time.Minute})
	s.scaleIn(1)
	s.Advance(15 * time.Minute) // side holds it on
	s.group = s.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 4, HealthCheck: "EC2"}).Group
	s.putHook(hook, 900)
	for _, i := range s.InService(s.group) {
		s.Register("late", i, 80)
	}
	s.Advance(time.Minute)
	users := s.StartTraffic(region.Traffic{TargetGroup: "late", PerSecond: 5, Mix: []time.Duration{100 * time.Millisecond, 40 * time.Second}})
	s.Advance(time.Minute)
	s.Scale(s.group, 1)
	s.Advance(15 * time.Minute)
	mustCutNone(t, users)
}

// TestSearchWhileACallIsDenied searches all target groups while a call fails for
// good that has nothing to do with the search.
func TestSearchWhileACallIsDenied(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"DescribeLifecycleHooks", "DescribeTargetGroupAttributes", "ListCommandInvocations", "ListCommands", "GetDeployment", "DescribeAutoScalingInstances", "DescribeLoadBalancerAttributes"} {
		for name, err := range map[string]error{"denied": region.AccessDenied(""), "503": region.Unavailable()} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{heartbeat: 900, env: settings{"FIND_TARGET_GROUPS": "true"}})
				s.SetFaults(region.On(operation, 0, region.Fault{Before: err}))
				s.scaleIn(2)
				s.untilHeld(2)
				s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 2*time.Hour)
				s.mustHoldAtMost(5*time.Minute, "its requests had ended; what fails has nothing to do with target groups")
				s.mustCutNothing()
			})
		}
	}
}

// TestSearchBesideAnUnreadableTargetGroup denies one target group of somebody else.
func TestSearchBesideAnUnreadableTargetGroup(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"denied": region.AccessDenied(""), "503": region.Unavailable()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 900, env: settings{"FIND_TARGET_GROUPS": "true"}})
			s.AddTargetGroup(region.TargetGroup{Name: "foreign"})
			arn := s.TargetGroupARN("foreign")
			s.SetFaults(func(c region.Call) region.Fault {
				if in, ok := c.Input.(*elb.DescribeTargetHealthInput); ok && aws.ToString(in.TargetGroupArn) == arn {
					return region.Fault{Before: err}
				}
				return region.Fault{}
			})
			s.scaleIn(2)
			s.untilHeld(2)
			s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 3*time.Hour)
			s.mustHoldAtMost(25*time.Minute, "one target group of somebody else cannot be read")
			s.mustCutNothing()
		})
	}
}
