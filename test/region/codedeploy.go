package region

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
)

// CodeDeploy has the methods of the SDK's codedeploy.Client.
type CodeDeploy struct{ r *Region }

// CodeDeploy is the region's CodeDeploy.
func (r *Region) CodeDeploy() CodeDeploy { return CodeDeploy{r} }

const deploymentGroupFields = "AlarmConfiguration ApplicationName AutoRollbackConfiguration AutoScalingGroups BlueGreenDeploymentConfiguration DeploymentConfigName DeploymentStyle EcsServices LoadBalancerInfo ServiceRoleArn TerminationHookEnabled TriggerConfigurations OutdatedInstancesStrategy"

func cdCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, codedeploy.ServiceID, operation, in, simulated, stale(r, codedeploy.ServiceID, operation, serve))
}

// CreateApplication creates an application for a compute platform.
func (v CodeDeploy) CreateApplication(ctx context.Context, in *codedeploy.CreateApplicationInput, _ ...func(*codedeploy.Options)) (*codedeploy.CreateApplicationOutput, error) {
	return cdCall(ctx, v.r, "CreateApplication", in, "ApplicationName ComputePlatform", v.r.createApplication)
}

// ListApplications lists the applications' names.
func (v CodeDeploy) ListApplications(ctx context.Context, in *codedeploy.ListApplicationsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListApplicationsOutput, error) {
	return cdCall(ctx, v.r, "ListApplications", in, "NextToken", v.r.listApplications)
}

// CreateDeploymentGroup creates a deployment group and puts CodeDeploy's
// launch hook on its Auto Scaling groups.
func (v CodeDeploy) CreateDeploymentGroup(ctx context.Context, in *codedeploy.CreateDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentGroupOutput, error) {
	return cdCall(ctx, v.r, "CreateDeploymentGroup", in, deploymentGroupFields+" DeploymentGroupName Tags", v.r.createDeploymentGroup)
}

// UpdateDeploymentGroup changes what is given.
func (v CodeDeploy) UpdateDeploymentGroup(ctx context.Context, in *codedeploy.UpdateDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.UpdateDeploymentGroupOutput, error) {
	return cdCall(ctx, v.r, "UpdateDeploymentGroup", in, deploymentGroupFields+" CurrentDeploymentGroupName NewDeploymentGroupName", v.r.updateDeploymentGroup)
}

// DeleteDeploymentGroup deletes a deployment group; its deployments can still
// be read.
func (v CodeDeploy) DeleteDeploymentGroup(ctx context.Context, in *codedeploy.DeleteDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.DeleteDeploymentGroupOutput, error) {
	return cdCall(ctx, v.r, "DeleteDeploymentGroup", in, "ApplicationName DeploymentGroupName", v.r.deleteDeploymentGroup)
}

// GetDeploymentGroup reads a deployment group.
func (v CodeDeploy) GetDeploymentGroup(ctx context.Context, in *codedeploy.GetDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error) {
	return cdCall(ctx, v.r, "GetDeploymentGroup", in, "ApplicationName DeploymentGroupName", v.r.getDeploymentGroup)
}

// ListDeploymentGroups lists the names of an application's deployment groups.
func (v CodeDeploy) ListDeploymentGroups(ctx context.Context, in *codedeploy.ListDeploymentGroupsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentGroupsOutput, error) {
	return cdCall(ctx, v.r, "ListDeploymentGroups", in, "ApplicationName NextToken", v.r.listDeploymentGroups)
}

// BatchGetDeploymentGroups reads up to a hundred deployment groups.
func (v CodeDeploy) BatchGetDeploymentGroups(ctx context.Context, in *codedeploy.BatchGetDeploymentGroupsInput, _ ...func(*codedeploy.Options)) (*codedeploy.BatchGetDeploymentGroupsOutput, error) {
	return cdCall(ctx, v.r, "BatchGetDeploymentGroups", in, "ApplicationName DeploymentGroupNames", v.r.batchGetDeploymentGroups)
}

// CreateDeployment starts a deployment as the deployment group is set up.
func (v CodeDeploy) CreateDeployment(ctx context.Context, in *codedeploy.CreateDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentOutput, error) {
	return cdCall(ctx, v.r, "CreateDeployment", in, "ApplicationName AutoRollbackConfiguration DeploymentConfigName DeploymentGroupName Description FileExistsBehavior IgnoreApplicationStopFailures Revision", v.r.createDeployment)
}

// GetDeployment reads a deployment.
func (v CodeDeploy) GetDeployment(ctx context.Context, in *codedeploy.GetDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentOutput, error) {
	return cdCall(ctx, v.r, "GetDeployment", in, "DeploymentId", v.r.getDeployment)
}

// BatchGetDeployments reads up to 25 deployments.
func (v CodeDeploy) BatchGetDeployments(ctx context.Context, in *codedeploy.BatchGetDeploymentsInput, _ ...func(*codedeploy.Options)) (*codedeploy.BatchGetDeploymentsOutput, error) {
	return cdCall(ctx, v.r, "BatchGetDeployments", in, "DeploymentIds", v.r.batchGetDeployments)
}

// ListDeployments lists deployments' IDs, latest first.
func (v CodeDeploy) ListDeployments(ctx context.Context, in *codedeploy.ListDeploymentsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentsOutput, error) {
	return cdCall(ctx, v.r, "ListDeployments", in, "ApplicationName DeploymentGroupName IncludeOnlyStatuses CreateTimeRange NextToken", v.r.listDeployments)
}

// ListDeploymentTargets lists the instances that a deployment concerns.
func (v CodeDeploy) ListDeploymentTargets(ctx context.Context, in *codedeploy.ListDeploymentTargetsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentTargetsOutput, error) {
	return cdCall(ctx, v.r, "ListDeploymentTargets", in, "DeploymentId NextToken TargetFilters", v.r.listDeploymentTargets)
}

// BatchGetDeploymentTargets reads the status of a deployment on up to 25
// instances.
func (v CodeDeploy) BatchGetDeploymentTargets(ctx context.Context, in *codedeploy.BatchGetDeploymentTargetsInput, _ ...func(*codedeploy.Options)) (*codedeploy.BatchGetDeploymentTargetsOutput, error) {
	return cdCall(ctx, v.r, "BatchGetDeploymentTargets", in, "DeploymentId TargetIds", v.r.batchGetDeploymentTargets)
}

// StopDeployment stops a deployment at its next step.
func (v CodeDeploy) StopDeployment(ctx context.Context, in *codedeploy.StopDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.StopDeploymentOutput, error) {
	return cdCall(ctx, v.r, "StopDeployment", in, "DeploymentId AutoRollbackEnabled", v.r.stopDeployment)
}

// ContinueDeployment ends a deployment's wait: that of one that is Ready for
// its reroute, or that before the original instances are terminated.
func (v CodeDeploy) ContinueDeployment(ctx context.Context, in *codedeploy.ContinueDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.ContinueDeploymentOutput, error) {
	return cdCall(ctx, v.r, "ContinueDeployment", in, "DeploymentId DeploymentWaitType", v.r.continueDeployment)
}
