package region

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// application is a CodeDeploy application.
type application struct {
	name     string
	platform cd.ComputePlatform
	groups   map[string]*deploymentGroup
}

// deploymentGroup is a CodeDeploy deployment group. config is what is
// described, without the Auto Scaling groups.
type deploymentGroup struct {
	app    *application
	config cd.DeploymentGroupInfo
	name   string
	groups []string // names of Auto Scaling groups
	tags   map[string]string
	// revision is what instances that are launched later get: that of the
	// last deployment that went through; "" before the first.
	revision string
	// bareAnswers is handed to replacement groups, see [Service].
	bareAnswers bool
	deleted     bool
}

// hookPrefix begins the name of the hook by which CodeDeploy learns of new
// instances (observed).
const hookPrefix = "CodeDeploy-managed-automatic-launch-deployment-hook-"

// terminationHookPrefix begins the name of the hook by which CodeDeploy learns
// of instances that terminate, where a deployment group has that enabled
// (assumed, after the other).
const terminationHookPrefix = "CodeDeploy-managed-automatic-termination-deployment-hook-"

// batchLimit is how many deployment groups one call may name (API reference,
// BatchGetDeploymentGroups: BatchLimitExceededException).
const batchLimit = 100

func (r *Region) createApplication(in *codedeploy.CreateApplicationInput) (*codedeploy.CreateApplicationOutput, error) {
	name := aws.ToString(in.ApplicationName)
	switch {
	case name == "":
		return nil, &cd.ApplicationNameRequiredException{Message: aws.String("Application name is missing")}
	case len(name) > 100:
		return nil, &cd.InvalidApplicationNameException{Message: aws.String("Application name is longer than 100 characters")}
	case r.apps[name] != nil:
		return nil, &cd.ApplicationAlreadyExistsException{Message: aws.String("Application already exists: " + name)}
	}
	platform := in.ComputePlatform
	if platform == "" {
		platform = cd.ComputePlatformServer
	}
	r.apps[name] = &application{name: name, platform: platform, groups: map[string]*deploymentGroup{}}
	return &codedeploy.CreateApplicationOutput{ApplicationId: aws.String(r.ids.uuid("application"))}, nil
}

func (r *Region) listApplications(in *codedeploy.ListApplicationsInput) (*codedeploy.ListApplicationsOutput, error) {
	names := slices.Sorted(maps.Keys(r.apps))
	names, next, err := page(r, names, in.NextToken, 0, 100, badCodeDeployToken())
	if err != nil {
		return nil, err
	}
	return &codedeploy.ListApplicationsOutput{Applications: names, NextToken: next}, nil
}

func badCodeDeployToken() error {
	return &cd.InvalidNextTokenException{Message: aws.String("The next token is not valid")}
}

// application finds an application.
func (r *Region) application(name *string) (*application, error) {
	if aws.ToString(name) == "" {
		return nil, &cd.ApplicationNameRequiredException{Message: aws.String("Application name is missing")}
	}
	a := r.apps[*name]
	if a == nil {
		return nil, &cd.ApplicationDoesNotExistException{Message: aws.String("No application found for name: " + *name)}
	}
	return a, nil
}

// deploymentGroup finds a deployment group.
func (r *Region) deploymentGroup(app, name *string) (*deploymentGroup, error) {
	a, err := r.application(app)
	if err != nil {
		return nil, err
	}
	if aws.ToString(name) == "" {
		return nil, &cd.DeploymentGroupNameRequiredException{Message: aws.String("Deployment group name is missing")}
	}
	g := a.groups[*name]
	if g == nil {
		return nil, &cd.DeploymentGroupDoesNotExistException{Message: aws.String("No Deployment Group found for name: " + *name)}
	}
	return g, nil
}

func (r *Region) createDeploymentGroup(in *codedeploy.CreateDeploymentGroupInput) (*codedeploy.CreateDeploymentGroupOutput, error) {
	a, err := r.application(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.DeploymentGroupName)
	switch {
	case name == "":
		return nil, &cd.DeploymentGroupNameRequiredException{Message: aws.String("Deployment group name is missing")}
	case len(name) > 100:
		return nil, &cd.InvalidDeploymentGroupNameException{Message: aws.String("Deployment group name is longer than 100 characters")}
	case a.groups[name] != nil:
		return nil, &cd.DeploymentGroupAlreadyExistsException{Message: aws.String("Deployment group already exists: " + name)}
	}
	if err := r.autoScalingGroupsExist(in.AutoScalingGroups); err != nil {
		return nil, err
	}
	if err := provisionable(in.BlueGreenDeploymentConfiguration); err != nil {
		return nil, err
	}
	config := cd.DeploymentGroupInfo{
		ApplicationName: aws.String(a.name), ComputePlatform: a.platform,
		DeploymentGroupId: aws.String(r.ids.uuid("deployment group")), DeploymentGroupName: aws.String(name),
		DeploymentConfigName: or(in.DeploymentConfigName, aws.String("CodeDeployDefault.OneAtATime")),
		DeploymentStyle: or(in.DeploymentStyle, &cd.DeploymentStyle{
			DeploymentType: cd.DeploymentTypeInPlace, DeploymentOption: cd.DeploymentOptionWithoutTrafficControl,
		}),
		AlarmConfiguration: in.AlarmConfiguration, AutoRollbackConfiguration: in.AutoRollbackConfiguration, BlueGreenDeploymentConfiguration: in.BlueGreenDeploymentConfiguration,
		EcsServices: in.EcsServices, LoadBalancerInfo: in.LoadBalancerInfo, ServiceRoleArn: in.ServiceRoleArn,
		TerminationHookEnabled: deref(in.TerminationHookEnabled), TriggerConfigurations: in.TriggerConfigurations,
		OutdatedInstancesStrategy: in.OutdatedInstancesStrategy,
	}
	g := &deploymentGroup{app: a, name: name, config: config}
	if err := g.tag(in.Tags); err != nil {
		return nil, err
	}
	a.groups[name] = g
	r.setAutoScalingGroups(g, in.AutoScalingGroups)
	return &codedeploy.CreateDeploymentGroupOutput{DeploymentGroupId: config.DeploymentGroupId}, nil
}

// provisionable refuses the one way of provisioning that is not simulated.
func provisionable(c *cd.BlueGreenDeploymentConfiguration) error {
	if c != nil && c.GreenFleetProvisioningOption != nil && c.GreenFleetProvisioningOption.Action == cd.GreenFleetProvisioningActionDiscoverExisting {
		return failure("NotImplemented", "the simulated region does not discover replacement instances")
	}
	return nil
}

func (r *Region) autoScalingGroupsExist(names []string) error {
	for _, name := range names {
		if r.groups[name] == nil {
			return &cd.InvalidAutoScalingGroupException{Message: aws.String("One or more Auto Scaling groups do not exist or are not valid: " + name)}
		}
	}
	return nil
}

func (g *deploymentGroup) describe(r *Region) cd.DeploymentGroupInfo {
	d := g.config
	for _, name := range g.groups {
		entry := cd.AutoScalingGroup{Name: aws.String(name)}
		if on := r.groups[name]; on != nil && on.launchHook() != "" {
			entry.Hook = aws.String(on.launchHook())
		}
		d.AutoScalingGroups = append(d.AutoScalingGroups, entry)
	}
	for _, dep := range r.deploymentsOf(g) { // latest first
		last := &cd.LastDeploymentInfo{
			DeploymentId: aws.String(dep.id), Status: dep.status,
			CreateTime: aws.Time(dep.created), EndTime: dep.completed,
		}
		if d.LastAttemptedDeployment == nil {
			d.LastAttemptedDeployment = last
		}
		if d.LastSuccessfulDeployment == nil && dep.status == cd.DeploymentStatusSucceeded {
			d.LastSuccessfulDeployment = last
		}
	}
	return d
}

func (r *Region) getDeploymentGroup(in *codedeploy.GetDeploymentGroupInput) (*codedeploy.GetDeploymentGroupOutput, error) {
	g, err := r.deploymentGroup(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	d := g.describe(r)
	return &codedeploy.GetDeploymentGroupOutput{DeploymentGroupInfo: &d}, nil
}

func (r *Region) listDeploymentGroups(in *codedeploy.ListDeploymentGroupsInput) (*codedeploy.ListDeploymentGroupsOutput, error) {
	a, err := r.application(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	names, next, err := page(r, slices.Sorted(maps.Keys(a.groups)), in.NextToken, 0, 100, badCodeDeployToken())
	if err != nil {
		return nil, err
	}
	return &codedeploy.ListDeploymentGroupsOutput{ApplicationName: aws.String(a.name), DeploymentGroups: names, NextToken: next}, nil
}

func (r *Region) batchGetDeploymentGroups(in *codedeploy.BatchGetDeploymentGroupsInput) (*codedeploy.BatchGetDeploymentGroupsOutput, error) {
	a, err := r.application(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	switch n := len(in.DeploymentGroupNames); {
	case n == 0:
		return nil, &cd.DeploymentGroupNameRequiredException{Message: aws.String("Deployment group names are missing")}
	case n > batchLimit:
		return nil, &cd.BatchLimitExceededException{Message: aws.String("at most 100 deployment groups may be named")}
	}
	out := &codedeploy.BatchGetDeploymentGroupsOutput{}
	var missing []string
	for _, name := range in.DeploymentGroupNames {
		g := a.groups[name]
		if g == nil {
			missing = append(missing, name)
			continue
		}
		out.DeploymentGroupsInfo = append(out.DeploymentGroupsInfo, g.describe(r))
	}
	// "Information about errors that might have occurred during the API call"
	// (API reference): what is missing does not spoil the rest.
	if len(missing) > 0 {
		out.ErrorMessage = aws.String("No Deployment Group found for name: " + strings.Join(missing, ", "))
	}
	return out, nil
}

func (r *Region) updateDeploymentGroup(in *codedeploy.UpdateDeploymentGroupInput) (*codedeploy.UpdateDeploymentGroupOutput, error) {
	g, err := r.deploymentGroup(in.ApplicationName, in.CurrentDeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if err := r.autoScalingGroupsExist(in.AutoScalingGroups); err != nil {
		return nil, err
	}
	if err := provisionable(in.BlueGreenDeploymentConfiguration); err != nil {
		return nil, err
	}
	if name := aws.ToString(in.NewDeploymentGroupName); name != "" && name != g.name {
		if g.app.groups[name] != nil {
			return nil, &cd.DeploymentGroupAlreadyExistsException{Message: aws.String("Deployment group already exists: " + name)}
		}
		delete(g.app.groups, g.name)
		g.name = name
		g.app.groups[name] = g
		g.config.DeploymentGroupName = aws.String(name)
	}
	c := &g.config
	c.AlarmConfiguration = or(in.AlarmConfiguration, c.AlarmConfiguration)
	c.AutoRollbackConfiguration = or(in.AutoRollbackConfiguration, c.AutoRollbackConfiguration)
	c.BlueGreenDeploymentConfiguration = or(in.BlueGreenDeploymentConfiguration, c.BlueGreenDeploymentConfiguration)
	c.DeploymentConfigName = or(in.DeploymentConfigName, c.DeploymentConfigName)
	c.DeploymentStyle = or(in.DeploymentStyle, c.DeploymentStyle)
	c.LoadBalancerInfo = or(in.LoadBalancerInfo, c.LoadBalancerInfo)
	c.ServiceRoleArn = or(in.ServiceRoleArn, c.ServiceRoleArn)
	c.TerminationHookEnabled = deref(or(in.TerminationHookEnabled, &c.TerminationHookEnabled))
	if in.EcsServices != nil {
		c.EcsServices = in.EcsServices
	}
	if in.TriggerConfigurations != nil {
		c.TriggerConfigurations = in.TriggerConfigurations
	}
	if in.OutdatedInstancesStrategy != "" {
		c.OutdatedInstancesStrategy = in.OutdatedInstancesStrategy
	}
	// "To keep the Auto Scaling groups, enter their names or do not specify Auto Scaling group
	// names. To remove Auto Scaling groups, specify a non-null empty list" (API reference,
	// UpdateDeploymentGroup).
	if in.AutoScalingGroups != nil {
		r.setAutoScalingGroups(g, in.AutoScalingGroups)
	} else {
		r.moveLaunchHook(g, g.groups)
	}
	return &codedeploy.UpdateDeploymentGroupOutput{}, nil
}

func (r *Region) deleteDeploymentGroup(in *codedeploy.DeleteDeploymentGroupInput) (*codedeploy.DeleteDeploymentGroupOutput, error) {
	a, err := r.application(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if g := a.groups[aws.ToString(in.DeploymentGroupName)]; g != nil {
		r.setAutoScalingGroups(g, nil)
		g.deleted = true
		delete(a.groups, g.name)
	}
	return &codedeploy.DeleteDeploymentGroupOutput{}, nil
}
