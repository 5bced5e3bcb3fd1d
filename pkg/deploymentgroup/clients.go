package deploymentgroup

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/invoke"
)

// Clients is what a [Manager] calls.
type Clients struct {
	Deployments Deployments
	Groups      Groups
	Queue       invoke.SQS
	// Web sends the responses; the pre-signed URLs take no credentials.
	Web invoke.Doer
}

// Deployments is what it calls of CodeDeploy.
type Deployments interface {
	codedeploy.ListDeploymentsAPIClient
	GetDeploymentGroup(context.Context, *codedeploy.GetDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error)
	BatchGetDeployments(context.Context, *codedeploy.BatchGetDeploymentsInput, ...func(*codedeploy.Options)) (*codedeploy.BatchGetDeploymentsOutput, error)
	ListTagsForResource(context.Context, *codedeploy.ListTagsForResourceInput, ...func(*codedeploy.Options)) (*codedeploy.ListTagsForResourceOutput, error)
	CreateDeploymentGroup(context.Context, *codedeploy.CreateDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentGroupOutput, error)
	UpdateDeploymentGroup(context.Context, *codedeploy.UpdateDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.UpdateDeploymentGroupOutput, error)
	DeleteDeploymentGroup(context.Context, *codedeploy.DeleteDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.DeleteDeploymentGroupOutput, error)
	StopDeployment(context.Context, *codedeploy.StopDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.StopDeploymentOutput, error)
	TagResource(context.Context, *codedeploy.TagResourceInput, ...func(*codedeploy.Options)) (*codedeploy.TagResourceOutput, error)
	UntagResource(context.Context, *codedeploy.UntagResourceInput, ...func(*codedeploy.Options)) (*codedeploy.UntagResourceOutput, error)
}

// Groups is what it calls of Auto Scaling.
type Groups interface {
	autoscaling.DescribeAutoScalingGroupsAPIClient
	autoscaling.DescribePoliciesAPIClient
	CreateOrUpdateTags(context.Context, *autoscaling.CreateOrUpdateTagsInput, ...func(*autoscaling.Options)) (*autoscaling.CreateOrUpdateTagsOutput, error)
	UpdateAutoScalingGroup(context.Context, *autoscaling.UpdateAutoScalingGroupInput, ...func(*autoscaling.Options)) (*autoscaling.UpdateAutoScalingGroupOutput, error)
	DeleteAutoScalingGroup(context.Context, *autoscaling.DeleteAutoScalingGroupInput, ...func(*autoscaling.Options)) (*autoscaling.DeleteAutoScalingGroupOutput, error)
	PutScalingPolicy(context.Context, *autoscaling.PutScalingPolicyInput, ...func(*autoscaling.Options)) (*autoscaling.PutScalingPolicyOutput, error)
	DeletePolicy(context.Context, *autoscaling.DeletePolicyInput, ...func(*autoscaling.Options)) (*autoscaling.DeletePolicyOutput, error)
}
