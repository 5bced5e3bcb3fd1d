package infra

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/constructs"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/deploymentgroup"
	fleetpkg "deployhooks/pkg/fleet"
)

const (
	serviceRole  = "arn:aws:iam::123456789012:role/codedeploy"
	instanceRole = "arn:aws:iam::123456789012:role/shop"
	targetGroup  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1a2b3c4d5e6f7081"
)

// addDeploymentGroups adds a stack for each way in which people use the construct.
func addDeploymentGroups(made map[string]fleet, build string) error {
	minutes := func(n float64) awscdk.Duration { return awscdk.Duration_Minutes(&n) }
	long := strings.Repeat("x", 101)
	for scenario, change := range map[string]func(*constructs.BlueGreenDeploymentGroupProps){
		"defaults": func(*constructs.BlueGreenDeploymentGroupProps) {},
		"everything": func(p *constructs.BlueGreenDeploymentGroupProps) {
			p.TerminationWait, p.Alarms, p.TriggerTopic, p.TargetCPUPercent = minutes(30), jsii.Strings("5xx", "latency"), jsii.String("arn:aws:sns:eu-west-1:123456789012:triggers"), jsii.Number(50)
			p.Tags, p.Import, p.DeploymentConfig = &map[string]*string{"team": jsii.String("shop")}, jsii.Bool(true), jsii.String("half")
			p.InstanceRole = importedRole(p.Provider.Topic.Stack(), "InstanceRole", instanceRole)
		},
		"nothing": func(p *constructs.BlueGreenDeploymentGroupProps) { *p = constructs.BlueGreenDeploymentGroupProps{} },
		"names": func(p *constructs.BlueGreenDeploymentGroupProps) {
			p.ApplicationName, p.DeploymentGroupName = &long, jsii.String("a/b")
		},
		"the latest": func(p *constructs.BlueGreenDeploymentGroupProps) { p.LaunchTemplateVersion = jsii.String("$Latest") },
		"sizes": func(p *constructs.BlueGreenDeploymentGroupProps) {
			p.MinSize, p.MaxSize = jsii.Number(0), jsii.Number(-1)
		},
		"more than the most": func(p *constructs.BlueGreenDeploymentGroupProps) { p.MinSize = jsii.Number(5) },
		"a long wait":        func(p *constructs.BlueGreenDeploymentGroupProps) { p.TerminationWait = minutes(2881) },
		"half a percent":     func(p *constructs.BlueGreenDeploymentGroupProps) { p.TargetCPUPercent = jsii.Number(0.5) },
		"many alarms": func(p *constructs.BlueGreenDeploymentGroupProps) {
			p.Alarms = jsii.Strings(strings.Split(strings.Repeat("a ", 11), " ")...)
		},
		"no target groups": func(p *constructs.BlueGreenDeploymentGroupProps) { p.TargetGroups = jsii.Strings() },
		"a tag of ours": func(p *constructs.BlueGreenDeploymentGroupProps) {
			p.Tags = &map[string]*string{"deployhooks:deployment-group:stack": jsii.String("x")}
		},
	} {
		stack := newFleetStack()
		functions := constructs.NewDeploymentGroupFunction(stack, jsii.String("DeploymentGroups"), &constructs.DeploymentGroupFunctionProps{
			LambdaFunctionProps: constructs.LambdaFunctionProps{Code: jsii.String(filepath.Join(build, "arm64", "deploymentgroup"))},
		})
		props := constructs.BlueGreenDeploymentGroupProps{
			Provider: functions, ApplicationName: jsii.String("shop"), DeploymentGroupName: jsii.String("web"), ServiceRole: importedRole(stack, "ServiceRole", serviceRole),
			AutoScalingGroup: jsii.String("shop-seed"), TargetGroups: jsii.Strings(targetGroup),
			LaunchTemplateId: jsii.String("lt-0a1b2c3d4e5f60718"), LaunchTemplateVersion: jsii.String("3"), MinSize: jsii.Number(2), MaxSize: jsii.Number(4),
		}
		change(&props)
		var f fleet
		func() {
			defer func() {
				if panicked := recover(); panicked != nil {
					f.Refused = fmt.Sprint(panicked)
				}
			}()
			constructs.NewBlueGreenDeploymentGroup(stack, jsii.String("Web"), &props)
		}()
		if f.Refused == "" {
			var err error
			if f.Template, err = templateOf(stack); err != nil {
				return err
			}
		}
		made["deployment group: "+scenario] = f
	}
	return nil
}

func importedRole(stack awscdk.Stack, id, arn string) awsiam.IRole {
	return awsiam.Role_FromRoleArn(stack, &id, &arn, nil)
}

// TestFunctionReadsWhatTheDeploymentGroupSays holds that the construct and the function agree on
// every property, in the form that CloudFormation gives them.
func TestFunctionReadsWhatTheDeploymentGroupSays(t *testing.T) {
	t.Parallel()
	id := deploymentgroup.ID{Application: "shop", Group: "web"}
	for scenario, want := range map[string]deploymentgroup.Properties{
		"defaults": {
			ID: id, ServiceRole: serviceRole, AutoScalingGroup: "shop-seed", TargetGroups: []string{targetGroup}, TerminationWait: 60, DeploymentConfig: "CodeDeployDefault.AllAtOnce",
			LaunchTemplate: "lt-0a1b2c3d4e5f60718", TemplateVersion: "3", MinSize: 2, MaxSize: 4, Tags: map[string]string{},
		},
		"everything": {
			ID: id, ServiceRole: serviceRole, AutoScalingGroup: "shop-seed", TargetGroups: []string{targetGroup}, TerminationWait: 30, DeploymentConfig: "half",
			LaunchTemplate: "lt-0a1b2c3d4e5f60718", TemplateVersion: "3", MinSize: 2, MaxSize: 4, Tags: map[string]string{"team": "shop"},
			Alarms: []string{"5xx", "latency"}, TriggerTopic: "arn:aws:sns:eu-west-1:123456789012:triggers", TargetCPU: 50, Import: true,
		},
	} {
		resource := fleets["deployment group: "+scenario].Template.only(constructs.DeploymentGroupResourceType, "Web")
		resource.Properties["ServiceToken"] = "arn"
		text, err := json.Marshal(asStrings(resource.Properties))
		if err != nil {
			t.Fatal(err)
		}
		got, err := deploymentgroup.ReadProperties(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v: a deployment fails, or does something else than configured (-want +got):\n%s", scenario, err, diff)
		}
	}
}

// asStrings is what CloudFormation makes of numbers and booleans in properties ("Custom
// resource request types", AWS CloudFormation User Guide; seen in every request).
func asStrings(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = asStrings(v[key])
		}
		return v
	case []any:
		for i := range v {
			v[i] = asStrings(v[i])
		}
		return v
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// TestDeploymentGroupFunctionMayPassItsRolesOnly holds the conditions too: a role that may be
// passed to anything is as good as its permissions.
func TestDeploymentGroupFunctionMayPassItsRolesOnly(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"defaults":   {serviceRole + " StringEquals=iam:PassedToService=codedeploy.amazonaws.com"},
		"everything": {serviceRole + " StringEquals=iam:PassedToService=codedeploy.amazonaws.com", instanceRole + " StringEquals=iam:PassedToService=ec2.amazonaws.com"},
	} {
		var got []string
		for _, s := range fleets["deployment group: "+scenario].Template.permissions("DeploymentGroupsRequestsRole") {
			if slices.Contains(s.Actions, "iam:PassRole") {
				got = append(got, strings.Join(s.Resources, " ")+" "+s.Condition)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
	}
}

// TestDeploymentGroupComesAfterItsFunction holds that nothing a request needs is made after it,
// or deleted before its last.
func TestDeploymentGroupComesAfterItsFunction(t *testing.T) {
	t.Parallel()
	template := fleets["deployment group: defaults"].Template
	resource := template.only(constructs.DeploymentGroupResourceType, "Web")
	var after []string
	for _, id := range resource.DependsOn {
		after = append(after, name(id))
	}
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::SNS::Subscription", "AWS::SQS::QueuePolicy", "AWS::Lambda::EventSourceMapping"} {
		for id := range template.of(kind) {
			if !slices.Contains(after, name(id)) {
				t.Errorf("the deployment group does not come after %s %s: a first request, or the last deletion, waits for an hour", kind, id)
			}
		}
	}
	if fmt.Sprint(resource.Properties["ServiceTimeout"]) != "3600" {
		t.Errorf("CloudFormation waits %v s, which is not longer than the function's deadline of %s", resource.Properties["ServiceTimeout"], deploymentgroup.Deadline)
	}
}

func TestDeploymentGroupNamesTheFaultyProperty(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"nothing":            {"ApplicationName: required", "Provider: required", "MaxSize: required", "ServiceRole: required", "TargetGroups: 0 of them"},
		"names":              {"ApplicationName: ", "101 characters", `DeploymentGroupName: "a/b" has a slash`},
		"the latest":         {"LaunchTemplateVersion: \"$Latest\"", "LatestVersionNumber"},
		"sizes":              {"MinSize: 0, and a whole number from 1", "MaxSize: -1"},
		"more than the most": {"MaxSize: 4, and a whole number from 5"},
		"a long wait":        {"TerminationWait: 2881 minutes"},
		"half a percent":     {"TargetCPUPercent: 0.5"},
		"many alarms":        {"Alarms: "},
		"no target groups":   {"TargetGroups: 0 of them, and 1 to 10"},
		"a tag of ours":      {"Tags: \"deployhooks:deployment-group:stack\""},
	} {
		refused := fleets["deployment group: "+scenario].Refused
		for _, part := range append(want, "BlueGreenDeploymentGroup fleet/Web: ") {
			if !strings.Contains(refused, part) {
				t.Errorf("%s: the constructor says %q, which lacks %q: a deployment fails instead", scenario, refused, part)
			}
		}
	}
}

func TestDeploymentGroupTagsAreTheFunctions(t *testing.T) {
	t.Parallel()
	if constructs.OwnTagPrefix != deploymentgroup.OwnTag || permissions.DeploymentGroupTag != deploymentgroup.OwnTag || permissions.ProvisioningTag != fleetpkg.ProvisioningTag {
		t.Error("the function's role is limited to other tags than the function sets")
	}
}
