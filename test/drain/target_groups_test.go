package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

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
