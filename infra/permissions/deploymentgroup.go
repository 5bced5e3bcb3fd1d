package permissions

// The tags by which the function knows Auto Scaling groups: CodeDeploy's own on the
// copies that it made (observed), and that of the function with the deployment group's
// physical ID. A test compares them with pkg/deploymentgroup.
const (
	ProvisioningTag    = "CodeDeployProvisioningDeploymentId"
	DeploymentGroupTag = "deployhooks:deployment-group"
)

// DeploymentGroup are the statements of the role of the function that makes deployment
// groups, beside iam:PassRole, which each deployment group adds for its own roles. No
// applications means all.
func DeploymentGroup(applications []string, l Location) []Statement {
	groups := l.deploymentGroups(applications)
	return []Statement{
		Allow("ReadAutoScalingGroups", everything(), "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribePolicies"),
		Allow("ReadDeployments", groups, "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"),
		// The tag of a copy names a deployment; which application it is of is not known before.
		Allow("FindCopies", l.deploymentGroups(nil), "codedeploy:BatchGetDeployments"),
		Allow("ManageDeploymentGroups", groups, "codedeploy:CreateDeploymentGroup", "codedeploy:DeleteDeploymentGroup", "codedeploy:UpdateDeploymentGroup",
			"codedeploy:StopDeployment"),
		Allow("TagDeploymentGroups", groups, "codedeploy:ListTagsForResource", "codedeploy:TagResource", "codedeploy:UntagResource"),
		// The group of the template has no tag of the function's yet.
		Allow("TagAutoScalingGroups", l.autoScalingGroups(), "autoscaling:CreateOrUpdateTags").under("ForAllValues:StringEquals", "aws:TagKeys", DeploymentGroupTag),
		Allow("SizeAutoScalingGroups", l.autoScalingGroups(), "autoscaling:DeletePolicy", "autoscaling:PutScalingPolicy", "autoscaling:UpdateAutoScalingGroup").
			under("StringLike", "aws:ResourceTag/"+DeploymentGroupTag, "*"),
		// The group of the template is CloudFormation's to delete; it lacks the tag.
		Allow("DeleteCopies", l.autoScalingGroups(), "autoscaling:DeleteAutoScalingGroup").
			under("StringLike", "aws:ResourceTag/"+ProvisioningTag, "d-*"),
		// A group with a launch template is updated with the caller's permission to use the
		// template, in all that it launches; these are the conditions of "Control Amazon EC2
		// launch template usage in Auto Scaling groups" (Amazon EC2 Auto Scaling User Guide).
		Allow("UseLaunchTemplates", everything(), "ec2:RunInstances").under("ArnLike", "ec2:LaunchTemplate", l.arns("ec2", "launch-template/*")[0]),
		Allow("TagInstancesOfLaunchTemplates", l.arns("ec2", "*/*"), "ec2:CreateTags").under("StringEquals", "ec2:CreateAction", "RunInstances"),
		Allow("ReadImageParameters", l.arns("ssm", "parameter/*"), "ssm:GetParameters"),
	}
}
