package constructs

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// BlueGreenDeploymentGroupProps are the properties of a [BlueGreenDeploymentGroup].
type BlueGreenDeploymentGroupProps struct {
	// Provider is the function behind the custom resource. One is enough for all deployment
	// groups of an account and region.
	//
	// Required.
	Provider *DeploymentGroupFunction

	// ApplicationName and DeploymentGroupName are CodeDeploy's, 1 to 100 characters
	// each. Another name replaces the deployment group.
	//
	// Required.
	ApplicationName     *string
	DeploymentGroupName *string

	// ServiceRole is what CodeDeploy assumes.
	//
	// Required.
	ServiceRole awsiam.IRole

	// AutoScalingGroup is the name of the group that the deployment group begins with.
	// CodeDeploy deletes it after the first release, so nothing in the template may change
	// it afterwards: what changes is given below.
	//
	// Required.
	AutoScalingGroup *string

	// TargetGroups are ARNs of target groups of Elastic Load Balancing, 1 to 10. Traffic
	// is moved in all of them.
	//
	// Required.
	TargetGroups *[]*string

	// TerminationWait is how long the original instances stay after a release, in whole
	// minutes, at most two days.
	//
	// Default: - an hour.
	TerminationWait awscdk.Duration

	// DeploymentConfig is the name of a deployment configuration.
	//
	// Default: "CodeDeployDefault.AllAtOnce".
	DeploymentConfig *string

	// Alarms are names of alarms that stop a deployment and roll it back, at most 10.
	//
	// Default: - none.
	Alarms *[]*string

	// TriggerTopic is the ARN of a topic that is notified of deployments, such as the
	// TriggerTopic of [DeploymentHooks].
	//
	// Default: - none.
	TriggerTopic *string

	// LaunchTemplateId and LaunchTemplateVersion, a number, are what the current Auto
	// Scaling group launches.
	//
	// Required.
	LaunchTemplateId      *string
	LaunchTemplateVersion *string

	// InstanceRole is the role of the instance profile in the launch template. Whoever
	// gives a group a launch template needs iam:PassRole for it.
	//
	// Default: - the launch template has no instance profile.
	InstanceRole awsiam.IRole

	// MinSize and MaxSize bound the current Auto Scaling group; a release needs one
	// instance at least. What somebody changes by hand, such as a larger MaxSize in an
	// incident, lasts until the next change of any property.
	//
	// Required.
	MinSize *float64
	MaxSize *float64

	// TargetCPUPercent is the average CPU utilization that the current Auto Scaling group
	// keeps, 1 to 100.
	//
	// Default: - no scaling policy.
	TargetCPUPercent *float64

	// Tags of the deployment group, at most 45.
	//
	// Default: - none.
	Tags *map[string]*string

	// Import takes over a deployment group of this name that the stack did not make. While
	// it is true, a deletion of the resource leaves the deployment group and its Auto
	// Scaling groups as they are; set it to false afterwards to have the stack delete them.
	//
	// Default: false.
	Import *bool
}

// BlueGreenDeploymentGroup is a CodeDeploy deployment group whose releases copy its Auto
// Scaling group (COPY_AUTO_SCALING_GROUP), which AWS::CodeDeploy::DeploymentGroup cannot
// express. The size and the launch template are properties of it, because the Auto
// Scaling group of the template does not outlive the first release.
//
// A deletion stops a deployment in progress, and deletes the copies that CodeDeploy made.
type BlueGreenDeploymentGroup struct {
	constructs.Construct
	Resource awscdk.CustomResource
}

// DeploymentGroupResourceType is the type of the custom resource.
const DeploymentGroupResourceType = "Custom::BlueGreenDeploymentGroup"

// NewBlueGreenDeploymentGroup adds a BlueGreenDeploymentGroup to scope.
func NewBlueGreenDeploymentGroup(scope constructs.Construct, id *string, props *BlueGreenDeploymentGroupProps) *BlueGreenDeploymentGroup {
	var v validation
	if props == nil {
		props = &BlueGreenDeploymentGroupProps{}
	}
	props.check(&v)
	v.enforce("BlueGreenDeploymentGroup", scope, id)

	g := &BlueGreenDeploymentGroup{}
	constructs.NewConstruct_Override(g, scope, id)
	f := props.Provider
	f.passRole(props.ServiceRole, "codedeploy.amazonaws.com")
	f.passRole(props.InstanceRole, "ec2.amazonaws.com")
	g.Resource = awscdk.NewCustomResource(g, jsii.String("Resource"), &awscdk.CustomResourceProps{
		ServiceToken: f.ServiceToken(),
		ResourceType: jsii.String(DeploymentGroupResourceType),
		// The function answers before: see pkg/deploymentgroup.
		ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(60)),
		Properties:     props.properties(),
	})
	// The subscription and the role's policy must be there before the first request and
	// until the last.
	g.Resource.Node().AddDependency(f)
	return g
}

// PhysicalID is <application>/<deployment group>.
func (g *BlueGreenDeploymentGroup) PhysicalID() *string { return g.Resource.Ref() }

// properties are those of the custom resource, by the names that pkg/deploymentgroup
// reads. CloudFormation makes strings of all values.
func (p *BlueGreenDeploymentGroupProps) properties() *map[string]any {
	all := map[string]any{
		"ApplicationName": p.ApplicationName, "DeploymentGroupName": p.DeploymentGroupName,
		"ServiceRoleArn": p.ServiceRole.RoleArn(), "AutoScalingGroup": p.AutoScalingGroup, "TargetGroups": p.TargetGroups,
		"TerminationWaitMinutes": inSeconds(p.TerminationWait, 3600) / 60,
		"DeploymentConfig":       or(p.DeploymentConfig, "CodeDeployDefault.AllAtOnce"),
		"LaunchTemplateId":       p.LaunchTemplateId, "LaunchTemplateVersion": p.LaunchTemplateVersion,
		"MinSize": *p.MinSize, "MaxSize": *p.MaxSize,
	}
	if p.Alarms != nil && len(*p.Alarms) > 0 {
		all["Alarms"] = *p.Alarms
	}
	if p.TriggerTopic != nil {
		all["TriggerTopic"] = *p.TriggerTopic
	}
	if p.TargetCPUPercent != nil {
		all["TargetCPUPercent"] = *p.TargetCPUPercent
	}
	if p.Tags != nil && len(*p.Tags) > 0 {
		all["Tags"] = *p.Tags
	}
	if or(p.Import, false) {
		all["Import"] = true
	}
	return &all
}

func (p *BlueGreenDeploymentGroupProps) check(v *validation) {
	v.require(p.Provider != nil, "Provider", "required")
	v.require(p.ServiceRole != nil, "ServiceRole", "required")
	for name, value := range map[string]*string{"ApplicationName": p.ApplicationName, "DeploymentGroupName": p.DeploymentGroupName} {
		// "CodeDeploy quotas" (CodeDeploy user guide); a slash would make the physical ID
		// ambiguous.
		if p.required(v, name, value) && !*awscdk.Token_IsUnresolved(*value) {
			v.require(len(*value) <= 100, name, "%q has %d characters, and CodeDeploy allows 100", *value, len(*value))
			v.require(!strings.Contains(*value, "/"), name, "%q has a slash: leave it out", *value)
		}
	}
	p.required(v, "AutoScalingGroup", p.AutoScalingGroup)
	p.required(v, "LaunchTemplateId", p.LaunchTemplateId)
	if p.required(v, "LaunchTemplateVersion", p.LaunchTemplateVersion) {
		v.require(!slices.Contains([]string{"$Latest", "$Default"}, *p.LaunchTemplateVersion), "LaunchTemplateVersion",
			"%q changes what is launched without a deployment: give a number, such as the LatestVersionNumber of the launch template", *p.LaunchTemplateVersion)
	}
	groups := len(or(p.TargetGroups, nil))
	// "Create a deployment group for an EC2/On-Premises blue/green deployment" and
	// "CodeDeploy quotas" (CodeDeploy user guide).
	v.require(groups >= 1 && groups <= 10, "TargetGroups", "%d of them, and 1 to 10 are needed", groups)
	alarms := len(or(p.Alarms, nil))
	v.require(alarms <= 10, "Alarms", "%d of them, and CodeDeploy allows 10", alarms)
	v.between(inSeconds(p.TerminationWait, 3600)/60, "TerminationWait", " minutes", 0, 2880)
	v.require(p.MinSize != nil, "MinSize", "required")
	v.require(p.MaxSize != nil, "MaxSize", "required")
	if p.MinSize != nil && p.MaxSize != nil {
		v.between(*p.MinSize, "MinSize", "", 1, 10000)
		v.between(*p.MaxSize, "MaxSize", "", *p.MinSize, 10000)
	}
	if p.TargetCPUPercent != nil {
		v.between(*p.TargetCPUPercent, "TargetCPUPercent", "", 1, 100)
	}
	p.checkTags(v)
	slices.SortFunc(v.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

// checkTags bounds the tags: a resource has 50 at most, and the function adds its own
// ("Tag naming limits and requirements", Tagging AWS Resources user guide).
func (p *BlueGreenDeploymentGroupProps) checkTags(v *validation) {
	tags := or(p.Tags, nil)
	v.require(len(tags) <= 45, "Tags", "%d of them, and 45 are allowed beside those of the function", len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		lower := strings.ToLower(key)
		v.require(!strings.HasPrefix(lower, "aws:"), "Tags", "%q begins with aws:, which AWS keeps for itself", key)
		v.require(!strings.HasPrefix(key, OwnTagPrefix), "Tags", "%q begins with %s, which the function keeps for itself", key, OwnTagPrefix)
	}
}

// OwnTagPrefix begins the tags by which the function knows what is its own. A test
// compares it with pkg/deploymentgroup.
const OwnTagPrefix = "deployhooks:deployment-group"

func (p *BlueGreenDeploymentGroupProps) required(v *validation, name string, value *string) bool {
	v.require(or(value, "") != "", name, "required")
	return or(value, "") != ""
}
