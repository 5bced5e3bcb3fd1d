package infra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/drainhook"
	"deployhooks/pkg/drain"
)

// fleet is a user's stack with a DrainHook.
type fleet struct {
	Template template
	Errors   []string // of the synthesis
}

// newFleets makes a stack for each way in which people use the construct.
func newFleets() (map[string]fleet, error) {
	minutes := func(n int) awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(n)) }
	made := map[string]fleet{}
	for story, props := range map[string]drainhook.Props{
		"nothing said":                   {},
		"a short delay":                  {DeregistrationDelay: awscdk.Duration_Seconds(jsii.Number(30))},
		"the longest delay":              {DeregistrationDelay: minutes(60)},
		"a delay beyond the longest":     {DeregistrationDelay: minutes(61)},
		"a command":                      {Command: jsii.String("systemctl stop app")},
		"a command of its own time":      {Command: jsii.String("document:stop-app"), CommandTimeout: minutes(2)},
		"a command that takes two hours": {Command: jsii.String("document:stop-app"), CommandTimeout: minutes(120), DeregistrationDelay: minutes(60)},
		"a command too long for a tag":   {Command: jsii.String(strings.Repeat("x", 257))},
		"target groups":                  {TargetGroups: *jsii.Strings("admin", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0123456789abcdef")},
		"a deadline that ends it":        {Deadline: minutes(6), Command: jsii.String("systemctl stop app")},
		"a deadline that is far":         {Deadline: minutes(600)},
		"a deadline before the delay":    {Deadline: minutes(4)},
		"a name":                         {Name: jsii.String("bye-web")},
	} {
		f, err := newFleet(props)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", story, err)
		}
		made[story] = f
	}
	for story, group := range map[string]func(awscdk.Stack) awsautoscaling.IAutoScalingGroup{
		"a group of the CDK's own construct": ownGroup, "an imported group": importedGroup,
	} {
		stack := newFleetStack()
		props := drainhook.Props{AutoScalingGroup: group(stack), Command: jsii.String("systemctl stop app")}
		drainhook.New(stack, jsii.String("Drain"), &props)
		f, err := synthesised(stack)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", story, err)
		}
		made[story] = f
	}
	return made, nil
}

func newFleetStack() awscdk.Stack {
	return awscdk.NewStack(newApp(nil, ""), jsii.String("fleet"), nil)
}

func newFleet(props drainhook.Props) (fleet, error) {
	stack := newFleetStack()
	props.AutoScalingGroup = awsautoscaling.NewCfnAutoScalingGroup(stack, jsii.String("Group"), &awsautoscaling.CfnAutoScalingGroupProps{
		MinSize: jsii.String("2"), MaxSize: jsii.String("4"),
	})
	drainhook.New(stack, jsii.String("Drain"), &props)
	return synthesised(stack)
}

func ownGroup(stack awscdk.Stack) awsautoscaling.IAutoScalingGroup {
	return awsautoscaling.NewAutoScalingGroup(stack, jsii.String("Group"), &awsautoscaling.AutoScalingGroupProps{
		Vpc:          awsec2.NewVpc(stack, jsii.String("Network"), nil),
		InstanceType: awsec2.NewInstanceType(jsii.String("t4g.small")),
		MachineImage: awsec2.MachineImage_GenericLinux(&map[string]*string{"eu-west-1": jsii.String("ami-0123456789abcdef0")}, nil),
	})
}

func importedGroup(stack awscdk.Stack) awsautoscaling.IAutoScalingGroup {
	return awsautoscaling.AutoScalingGroup_FromAutoScalingGroupName(stack, jsii.String("Group"), jsii.String("web"))
}

// synthesised takes over a stack, and what its synthesis has against it.
func synthesised(stack awscdk.Stack) (fleet, error) {
	var f fleet
	for _, c := range *stack.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		for _, entry := range *c.Node().Metadata() {
			if *entry.Type == "aws:cdk:error" { // as Annotations.AddError writes it
				f.Errors = append(f.Errors, fmt.Sprint(entry.Data))
			}
		}
	}
	if len(f.Errors) > 0 {
		return f, nil
	}
	t, err := newTemplate(*assertions.Template_FromStack(stack, nil).ToJSON())
	f.Template = t
	return f, err
}

func TestDrainHookFitsTheDelayAndTheDeadline(t *testing.T) {
	t.Parallel()
	for story, want := range map[string]float64{
		"nothing said":                   900,
		"a short delay":                  630,
		"the longest delay":              4200,
		"a command":                      1200,
		"a command of its own time":      1020,
		"a command that takes two hours": 7200,
		"a deadline that ends it":        960,
		"a deadline that is far":         900,
		"a name":                         900,
	} {
		f := fleets[story]
		if len(f.Errors) > 0 {
			t.Errorf("%s: refused: %v", story, f.Errors)
			continue
		}
		hook := f.Template.only("AWS::AutoScaling::LifecycleHook", "Drain").Properties
		if got := hook["HeartbeatTimeout"]; got != want {
			t.Errorf("%s: the hook times out after %v s, want %v", story, got, want)
		}
		if hook["DefaultResult"] != "CONTINUE" {
			t.Errorf("%s: when the hook times out it ends other owners' hooks", story)
		}
		if hook["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_TERMINATING" {
			t.Errorf("%s: the hook holds instances at %v", story, hook["LifecycleTransition"])
		}
		if got := words(hook["AutoScalingGroupName"]); got != "<Group>" {
			t.Errorf("%s: the hook is on %s", story, got)
		}
		if hook["NotificationTargetARN"] != nil || hook["RoleARN"] != nil {
			t.Errorf("%s: the hook has a target that nobody has asked for", story)
		}
	}
}

func TestDrainHookIsOneOfThoseThatAreAnswered(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if prefix, ok := strings.CutSuffix(cfg.Drain.Hooks, "*"); !ok || !strings.HasPrefix(drainhook.Name, prefix) {
		t.Errorf("nobody completes the hook %s: the function answers %s", drainhook.Name, cfg.Drain.Hooks)
	}
	for story, want := range map[string]string{"nothing said": drainhook.Name, "a name": "bye-web"} {
		if got := fleets[story].Template.only("AWS::AutoScaling::LifecycleHook", "Drain").Properties["LifecycleHookName"]; got != want {
			t.Errorf("%s: the hook's name is %v, want %s", story, got, want)
		}
	}
}

// tags are those of a fleet's group.
func (f fleet) tags(t *testing.T) map[string]string {
	t.Helper()
	tags := map[string]string{}
	for _, tag := range asList(f.Template.only("AWS::AutoScaling::AutoScalingGroup", "Group").Properties["Tags"]) {
		if key := words(at(tag, "Key")); strings.HasPrefix(key, "deployhooks:") {
			tags[key] = words(at(tag, "Value"))
			if at(tag, "PropagateAtLaunch") != false {
				t.Errorf("the instances get the tag %s, which is the group's business", key)
			}
		}
	}
	return tags
}

func TestDrainHookTagsTheGroup(t *testing.T) {
	t.Parallel()
	if drainhook.TargetGroupsTag != drain.TargetGroupsTag || drainhook.CommandTag != drain.CommandTag {
		t.Error("the construct writes other tags than the function reads")
	}
	for story, want := range map[string]map[string]string{
		"nothing said":                       {},
		"target groups":                      {drain.TargetGroupsTag: "admin arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0123456789abcdef"},
		"a command":                          {drain.CommandTag: "systemctl stop app"},
		"a command of its own time":          {drain.CommandTag: "document:stop-app"},
		"a group of the CDK's own construct": {drain.CommandTag: "systemctl stop app"},
	} {
		f := fleets[story]
		if len(f.Errors) > 0 {
			t.Errorf("%s: refused: %v", story, f.Errors)
			continue
		}
		if diff := cmp.Diff(want, f.tags(t)); diff != "" {
			t.Errorf("%s: the function does not learn what was said (-want +got):\n%s", story, diff)
		}
		for id, r := range f.Template.Resources {
			if r.Type != "AWS::AutoScaling::AutoScalingGroup" && strings.Contains(words(r.Properties), "deployhooks:") {
				t.Errorf("%s: %s is tagged as well", story, id)
			}
		}
	}
}

func TestDrainHookRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for story, want := range map[string]string{
		"a delay beyond the longest":   "3600 s at most",
		"a deadline before the delay":  "a deadline of 240 s cuts off requests",
		"a command too long for a tag": "257 characters",
		"an imported group":            "where it is defined, give it the tag " + drain.CommandTag + ` with the value "systemctl stop app"`,
	} {
		if said := strings.Join(fleets[story].Errors, "\n"); !strings.Contains(said, want) {
			t.Errorf("%s: the synthesis says %q, want %q; it shows when an instance goes otherwise", story, said, want)
		}
	}
}
