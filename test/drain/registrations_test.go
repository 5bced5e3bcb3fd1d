package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"deployhooks/test/region"
)

// refuses has Elastic Load Balancing refuse one instance in a list of targets.
func refuses(bad *string) func(region.Call) region.Fault {
	return func(c region.Call) region.Fault {
		in, ok := c.Input.(*elb.DeregisterTargetsInput)
		if !ok || !strings.Contains(aws.ToString(in.TargetGroupArn), "/side/") {
			return region.Fault{}
		}
		if *bad == "" {
			*bad = aws.ToString(in.Targets[0].Id)
		}
		if slices.ContainsFunc(in.Targets, func(target elbtypes.TargetDescription) bool { return aws.ToString(target.Id) == *bad }) {
			return region.Fault{Before: &smithy.GenericAPIError{Code: "InvalidTarget", Message: "The following targets are not valid"}}
		}
		return region.Fault{}
	}
}

// TestOneTargetRefused has AWS refuse to deregister one instance, which holds up no
// other and is notified.
func TestOneTargetRefused(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 9})
	bad := ""
	s.SetFaults(refuses(&bad))
	s.scaleIn(8)
	s.untilReleased()
	s.mustComplete(8)
	for _, a := range s.actions() {
		if held(a) > 5*time.Minute && a.Instance != bad {
			t.Errorf("%s was held %s because another instance could not be deregistered", a.Instance, held(a))
		}
	}
	s.mustMention(bad, "operators cannot know which instance still gets requests")
}

// TestRegisteredAgainAndAgain has somebody else, such as a script, put the instance
// back into its target group each time it is taken out.
func TestRegisteredAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"DEADLINE": "20m"}})
	s.scaleIn(1)
	s.untilHeld(1)
	i := s.actions()[0].Instance
	var back func()
	back = func() {
		if s.ActiveActions() > 0 {
			s.Register("side", i, 80)
			s.After(20*time.Second, back)
		}
	}
	s.After(20*time.Second, back)
	s.Advance(10 * time.Minute)
	s.mustNotify("action-required", 1)
	s.mustMention("side", "operators cannot know where to look for who does it")
	if n := len(s.outcomes("action-required")); n > 1 {
		t.Errorf("%d notifications of one target that is registered again and again", n)
	}
	s.untilReleased()
	s.mustComplete(1)
	s.mustHoldAtMost(21*time.Minute, "its deadline had passed")
	if n := s.Made("DeregisterTargets"); n > 150 {
		t.Errorf("%d calls to take one instance out of a target group", n)
	}
}

// TestRegisteredAgainOnce is a race with a deployment, say: nobody needs to know.
func TestRegisteredAgainOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(15 * time.Second)
	s.Register("side", s.actions()[0].Instance, 80)
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
	s.mustNotNotify("one registration too many was taken back")
}

// TestFactsOfTargetGroupsAreReadOnce counts what is asked about a target group that
// does not change, over a drain of many minutes of several instances.
func TestFactsOfTargetGroupsAreReadOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 8, delay: 10 * time.Minute, mix: []time.Duration{time.Second, 9 * time.Minute}, noSweep: true})
	s.Advance(10 * time.Minute)
	s.ForgetCalls()
	s.scaleIn(4)
	s.untilReleased()
	s.mustComplete(4)
	for _, operation := range []string{"DescribeTargetGroupAttributes", "DescribeLifecycleHooks"} {
		if n := s.Made(operation); n > 12 {
			t.Errorf("%s was called %d times about facts that do not change: other callers are throttled", operation, n)
		}
	}
	if n := s.Made("DescribeTargetGroups"); n > 12 {
		t.Errorf("names of target groups were looked up %d times", n)
	}
}
