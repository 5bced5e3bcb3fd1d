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

// TestConfiguredTargetGroup names a target group in the configuration only, by name
// and by ARN.
func TestConfiguredTargetGroup(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"name", "ARN"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{tags: map[string]string{targetGroupsTag: ""}})
			named := "side"
			if by == "ARN" {
				named = s.TargetGroupARN("side")
			}
			s.Function = s.function(settings{"TARGET_GROUPS": named})
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
			s.mustBeIdle()
			s.mustNotNotify("the target group exists")
		})
	}
}

// TestTargetGroupNamedWrongly names, beside the one that holds the instances,
// something that cannot be drained. It is reported at once, by its name, and the
// rest is drained: neither requests nor instances pay for it.
func TestTargetGroupNamedWrongly(t *testing.T) {
	t.Parallel()
	const foreign = "arn:aws:elasticloadbalancing:us-east-1:210987654321:targetgroup/side/0123456789abcdef"
	for name, c := range map[string]struct {
		tag      string
		config   string
		reported string
		leftOut  bool // nothing in the tag names side
	}{
		"misspelt in the tag":            {tag: "side sied", reported: "sied"},
		"misspelt in the configuration":  {tag: "side", config: "sied", reported: "sied"},
		"commas in the tag":              {tag: "side,other", reported: "other", leftOut: true},
		"a comma and a space in the tag": {tag: "side, other", reported: "other", leftOut: true},
		"another account and region":     {tag: "side " + foreign, reported: foreign},
		"an ARN of something else":       {tag: "side arn:aws:s3:::side", reported: "arn:aws:s3:::side"},
		"no name at all":                 {tag: "side $(side)", reported: "$(side)"},
		"targets by IP address":          {tag: "side addresses", reported: "addresses"},
		"a Lambda function":              {tag: "side code", reported: "code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := settings{}
			if c.config != "" {
				env["TARGET_GROUPS"] = c.config
			}
			s := newScenario(t, setup{tags: map[string]string{targetGroupsTag: c.tag}, env: env})
			s.AddTargetGroup(region.TargetGroup{Name: "addresses", Type: elbtypes.TargetTypeEnumIp})
			s.AddTargetGroup(region.TargetGroup{Name: "code", Type: elbtypes.TargetTypeEnumLambda})
			s.scaleIn(2)
			s.untilHeld(1)
			s.Advance(30 * time.Second)
			if !c.leftOut {
				s.mustNotify("action-required", len(s.actions()))
			}
			s.mustMention(c.reported, "operators cannot know which name to correct")
			s.untilReleased()
			s.mustComplete(2)
			if !c.leftOut {
				s.mustCutNothing()
			}
			s.mustHoldAtMost(s.delay+time.Minute, "what is named wrongly holds no target of it")
			s.mustBeIdle()
			s.Advance(time.Hour)
			if n := len(s.outcomes("action-required")); n > 2 {
				t.Errorf("%d notifications of one wrong name: operators stop reading them", n)
			}
		})
	}
}

// TestDeploymentsTargetGroup has CodeDeploy copy an Auto Scaling group and leave the
// copy without its target group, which it drains from all the same.
func TestDeploymentsTargetGroup(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	svc := s.AddService(region.Service{Application: "pay", DeploymentGroup: "blue", TargetGroups: []string{"pay"}, Instances: 3})
	s.RunDeployment(svc, region.Deployment{})
	green := s.GroupOf(svc)
	if len(s.Attached(green)) > 0 {
		t.Fatal("the copy is attached: nothing is shown")
	}
	s.Advance(time.Hour)
	s.group = green
	s.putHook(hook, 300)
	users := s.StartTraffic(region.Traffic{TargetGroup: "pay", Mix: []time.Duration{time.Second, 50 * time.Second}})
	s.Advance(2 * time.Minute)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustBeIdle()
	mustCutNone(t, users)
}

// TestTargetGroupThatNobodyNamed holds the instances in a target group that neither
// a tag, nor the configuration, nor a deployment names.
func TestTargetGroupThatNobodyNamed(t *testing.T) {
	t.Parallel()
	for setting, found := range map[string]bool{"true": true, "false": false} {
		t.Run("FIND_TARGET_GROUPS="+setting, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{tags: map[string]string{targetGroupsTag: ""}, env: settings{"FIND_TARGET_GROUPS": setting}})
			for _, other := range []string{"other-1", "other-2", "other-3"} {
				s.AddTargetGroup(region.TargetGroup{Name: other})
			}
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustBeIdle()
			for _, a := range s.actions() {
				s.mustDrain(a.Instance, found)
			}
			if found {
				s.mustCutNothing()
			}
			for _, c := range s.Calls() {
				if in, ok := c.Input.(*elb.DeregisterTargetsInput); ok && strings.Contains(aws.ToString(in.TargetGroupArn), "/other-") {
					t.Errorf("deregistered from %s, where it never was", *in.TargetGroupArn)
				}
			}
		})
	}
}

func TestTargetGroupDeletedDuringTheDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	s.side.Stop()
	s.DeleteTargetGroup("side")
	s.untilReleased()
	s.mustComplete(1)
	s.mustBeIdle()
	s.mustHoldAtMost(3*time.Minute, "its target group no longer exists")
}

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

// TestTargetHealthOfOneGroupUnknown has the health of one of an instance's target
// groups fail for a while: it leaves the others at once, and is not released
// before the answer is there.
func TestTargetHealthOfOneGroupUnknown(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.AddTargetGroup(region.TargetGroup{Name: "third", Delay: 2 * time.Minute})
	for _, i := range s.InService(s.group) {
		s.Register("third", i, 80)
	}
	users := s.StartTraffic(region.Traffic{TargetGroup: "third", Mix: []time.Duration{time.Second, 100 * time.Second}})
	s.Function = s.function(settings{"TARGET_GROUPS": "third"})
	s.Advance(3 * time.Minute)
	s.SetFaults(func(c region.Call) region.Fault {
		if in, ok := c.Input.(*elb.DescribeTargetHealthInput); ok && strings.Contains(aws.ToString(in.TargetGroupArn), "/side/") {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	if i := s.actions()[0].Instance; !s.deregistered("third", i) {
		t.Errorf("%s stays in a target group that answers because another one does not", i)
	}
	s.Advance(2 * time.Minute)
	s.SetFaults(nil)
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
	mustCutNone(t, users)
}

// TestPartialAnswers has one question in a batch of questions about target groups
// fail for good: what is known of the other target groups is used.
func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"DescribeTargetGroupAttributes", "DescribeTargetHealth"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"TARGET_GROUPS": "broken"}})
			broken := s.AddTargetGroup(region.TargetGroup{Name: "broken"})
			s.SetFaults(func(c region.Call) region.Fault {
				about := ""
				switch in := c.Input.(type) {
				case *elb.DescribeTargetGroupAttributesInput:
					about = aws.ToString(in.TargetGroupArn)
				case *elb.DescribeTargetHealthInput:
					about = aws.ToString(in.TargetGroupArn)
				}
				if c.Operation == operation && about == broken {
					return region.Fault{Before: region.AccessDenied("")}
				}
				return region.Fault{}
			})
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(20 * time.Second)
			for _, a := range s.actions() {
				s.mustDrain(a.Instance, true)
			}
			s.mustNotify("action-required", 2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
		})
	}
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
