package infra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/pkg/drain"
)

// fleet is a user's stack with a DrainHook.
type fleet struct {
	Template template
	Refused  string // the panic of the constructor
}

// newFleets makes a stack for each way in which people use the construct.
func newFleets() (map[string]fleet, error) {
	minutes := func(n float64) awscdk.Duration { return awscdk.Duration_Minutes(&n) }
	made := map[string]fleet{}
	for scenario, props := range map[string]constructs.DrainHookProps{
		"defaults":                       {},
		"a short delay":                  {DeregistrationDelay: awscdk.Duration_Seconds(jsii.Number(30))},
		"the longest delay":              {DeregistrationDelay: minutes(60)},
		"a delay beyond the longest":     {DeregistrationDelay: minutes(61)},
		"a command":                      {Command: jsii.String("systemctl stop app")},
		"a command of its own time":      {Command: jsii.String("document:stop-app"), CommandTimeout: minutes(2)},
		"a command that takes two hours": {Command: jsii.String("document:stop-app"), CommandTimeout: minutes(120), DeregistrationDelay: minutes(60)},
		"a command too long for a tag":   {Command: jsii.String(strings.Repeat("x", 257))},
		"an empty command":               {Command: jsii.String(" ")},
		"a timeout in seconds":           {CommandTimeout: awscdk.Duration_Seconds(jsii.Number(90))},
		"target groups":                  {TargetGroups: jsii.Strings("admin", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0123456789abcdef")},
		"a deadline that ends it":        {Deadline: minutes(6), Command: jsii.String("systemctl stop app")},
		"a deadline that is far":         {Deadline: minutes(600)},
		"a deadline before the delay":    {Deadline: minutes(4)},
		"a deadline before the command":  {Deadline: minutes(6), CommandTimeout: minutes(7)},
		"a deadline in half minutes":     {Deadline: awscdk.Duration_Seconds(jsii.Number(450))},
		"a rebalance that drains":        {OnRebalance: jsii.String("drain")},
		"a rebalance that does what":     {OnRebalance: jsii.String("notice")},
		"a name":                         {Name: jsii.String("bye-web")},
	} {
		stack := newFleetStack()
		props.AutoScalingGroup = awsautoscaling.NewCfnAutoScalingGroup(stack, jsii.String("Group"), &awsautoscaling.CfnAutoScalingGroupProps{
			MinSize: jsii.String("2"), MaxSize: jsii.String("4"),
		})
		if err := addFleet(made, scenario, stack, props); err != nil {
			return nil, err
		}
	}
	for scenario, of := range map[string]struct {
		group func(awscdk.Stack) awsautoscaling.IAutoScalingGroup
		props constructs.DrainHookProps
	}{
		"a group of the CDK's own construct": {ownGroup, constructs.DrainHookProps{Command: jsii.String("systemctl stop app")}},
		"an imported group with a command":   {importedGroup, constructs.DrainHookProps{Command: jsii.String("systemctl stop app")}},
		"an imported group":                  {importedGroup, constructs.DrainHookProps{CommandTimeout: minutes(2), Deadline: minutes(20)}},
	} {
		stack := newFleetStack()
		of.props.AutoScalingGroup = of.group(stack)
		if err := addFleet(made, scenario, stack, of.props); err != nil {
			return nil, err
		}
	}
	return made, addFleet(made, "no group", newFleetStack(), constructs.DrainHookProps{})
}

func newFleetStack() awscdk.Stack {
	return awscdk.NewStack(newApp(""), jsii.String("fleet"), nil)
}

// addFleet adds the construct to a stack, and synthesises what it accepts.
func addFleet(made map[string]fleet, scenario string, stack awscdk.Stack, props constructs.DrainHookProps) (err error) {
	var f fleet
	func() {
		defer func() {
			if panicked := recover(); panicked != nil {
				f.Refused = fmt.Sprint(panicked)
			}
		}()
		constructs.NewDrainHook(stack, jsii.String("Drain"), &props)
	}()
	if f.Refused == "" {
		f.Template, err = templateOf(stack)
	}
	made[scenario] = f
	return err
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

func TestDrainHookFitsTheDelayAndTheDeadline(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string]float64{
		"defaults":                       900,
		"a short delay":                  630,
		"the longest delay":              4200,
		"a command":                      1200,
		"a command of its own time":      1020,
		"a command that takes two hours": 7200,
		"a deadline that ends it":        960,
		"a deadline that is far":         900,
		"a name":                         900,
		"an imported group":              1020,
	} {
		f := fleets[scenario]
		if f.Refused != "" {
			t.Errorf("%s: refused: %s", scenario, f.Refused)
			continue
		}
		hook := f.Template.only("AWS::AutoScaling::LifecycleHook", "Drain").Properties
		if got := hook["HeartbeatTimeout"]; got != want {
			t.Errorf("%s: the hook times out after %v s, want %v", scenario, got, want)
		}
		if hook["DefaultResult"] != "CONTINUE" {
			t.Errorf("%s: when the hook times out it ends other owners' hooks", scenario)
		}
		if hook["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_TERMINATING" {
			t.Errorf("%s: the hook is of the transition %v", scenario, hook["LifecycleTransition"])
		}
		if got := words(hook["AutoScalingGroupName"]); got != "<Group>" && got != "web" {
			t.Errorf("%s: the hook is on %s", scenario, got)
		}
		if hook["NotificationTargetARN"] != nil || hook["RoleARN"] != nil {
			t.Errorf("%s: the hook has a notification target that nobody configured", scenario)
		}
	}
}

func TestDrainHookMatchesTheDefaultPattern(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if prefix, ok := strings.CutSuffix(cfg.Drain.Hooks, "*"); !ok || !strings.HasPrefix(constructs.DrainHookName, prefix) {
		t.Errorf("nothing completes the hook %s: the function completes %s", constructs.DrainHookName, cfg.Drain.Hooks)
	}
	for scenario, want := range map[string]string{"defaults": constructs.DrainHookName, "a name": "bye-web"} {
		if got := fleets[scenario].Template.only("AWS::AutoScaling::LifecycleHook", "Drain").Properties["LifecycleHookName"]; got != want {
			t.Errorf("%s: the hook's name is %v, want %s", scenario, got, want)
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
				t.Errorf("the instances get the tag %s, which concerns the group only", key)
			}
		}
	}
	return tags
}

func TestDrainHookTagsTheGroup(t *testing.T) {
	t.Parallel()
	writes := []string{constructs.TargetGroupsTag, constructs.CommandTag, constructs.CommandTimeoutTag, constructs.DeadlineTag, constructs.OnRebalanceTag}
	reads := []string{drain.TargetGroupsTag, drain.CommandTag, drain.CommandTimeoutTag, drain.DeadlineTag, drain.RebalanceTag}
	if diff := cmp.Diff(reads, writes); diff != "" {
		t.Errorf("the construct writes other tags than the function reads (-read +written):\n%s", diff)
	}
	for scenario, want := range map[string]map[string]string{
		"defaults":                           {},
		"target groups":                      {constructs.TargetGroupsTag: "admin arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0123456789abcdef"},
		"a command":                          {constructs.CommandTag: "systemctl stop app"},
		"a command of its own time":          {constructs.CommandTag: "document:stop-app", constructs.CommandTimeoutTag: "2"},
		"a deadline that is far":             {constructs.DeadlineTag: "600"},
		"a rebalance that drains":            {constructs.OnRebalanceTag: "drain"},
		"a group of the CDK's own construct": {constructs.CommandTag: "systemctl stop app"},
	} {
		f := fleets[scenario]
		if f.Refused != "" {
			t.Errorf("%s: refused: %s", scenario, f.Refused)
			continue
		}
		if diff := cmp.Diff(want, f.tags(t)); diff != "" {
			t.Errorf("%s: the function does not read what was given (-want +got):\n%s", scenario, diff)
		}
		for id, r := range f.Template.Resources {
			if r.Type != "AWS::AutoScaling::AutoScalingGroup" && strings.Contains(words(r.Properties), "deployhooks:") {
				t.Errorf("%s: %s is tagged as well", scenario, id)
			}
		}
	}
}

func TestDrainHookRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string]string{
		"a delay beyond the longest":       "DrainHook fleet/Drain: DeregistrationDelay: 3660 s, and a whole number from 0 to 3600",
		"a deadline before the delay":      "Deadline: 240 s cuts off requests",
		"a deadline before the command":    "Deadline: 360 s cuts off the command, which may take 420 s",
		"a deadline in half minutes":       "Deadline: 7.5 minutes",
		"a timeout in seconds":             "CommandTimeout: 90 s is not whole minutes",
		"a command too long for a tag":     "Command: the tag " + constructs.CommandTag + " would have 257 characters",
		"an empty command":                 "Command: empty",
		"a rebalance that does what":       `OnRebalance: "notice" is neither notify nor drain`,
		"an imported group with a command": "Command: the group is imported, so this application cannot tag it: where it is defined, give it the tag " + constructs.CommandTag + ` with the value "systemctl stop app"`,
		"no group":                         "AutoScalingGroup: required",
	} {
		if said := fleets[scenario].Refused; !strings.Contains(said, want) {
			t.Errorf("%s: the synthesis says %q, want %q; it shows when an instance terminates otherwise", scenario, said, want)
		}
	}
}
