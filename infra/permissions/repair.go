package permissions

import (
	"deployhooks/infra/config"
	"deployhooks/pkg/repair/setting"
)

// Repair are the statements of the repair function's role. In plan mode it has
// none that changes the fleet, so that "would change nothing" does not rest on
// code alone.
func Repair(cfg config.Hooks, l Location) []Statement {
	r := cfg.Repair
	all := []Statement{
		Allow("ReadAutoScalingGroups", everything(), append(setting.Reads(), "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeTrafficSources")...),
		Allow("ReadTargetGroups", everything(), "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"),
		Allow("ReadCodeDeploy", everything(), "codedeploy:ListApplications", "codedeploy:ListDeploymentTargets"),
		Allow("ListDeploymentGroups", l.codeDeploy("application", r.Applications, ""), "codedeploy:ListDeploymentGroups"),
		Allow("ReadDeployments", l.deploymentGroups(r.Applications),
			"codedeploy:BatchGetDeploymentGroups", "codedeploy:BatchGetDeployments", "codedeploy:GetDeployment",
			"codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"),
	}
	if r.Mode == config.Apply {
		all = append(all, repairChanges(r, l)...)
	}
	all = append(all,
		Allow("KeepBaselines", []string{l.Table}, "dynamodb:BatchGetItem", "dynamodb:PutItem"),
		Allow("PublishGroupNames", l.arns("ssm", "parameter"+r.ParameterPrefix+"/*"), "ssm:PutParameter"),
	)
	return append(all, l.notify(cfg)...)
}

// repairChanges is what a repair changes in the fleet.
func repairChanges(r config.Repair, l Location) []Statement {
	actions := append(setting.Writes(), "autoscaling:SetInstanceProtection", "autoscaling:SuspendProcesses")
	switch r.InstancesWithoutRevision {
	case config.StandbyInstances:
		actions = append(actions, "autoscaling:EnterStandby", "autoscaling:ExitStandby")
	case config.ReplaceInstances:
		actions = append(actions, "autoscaling:SetInstanceHealth")
	}
	// Attaching a VPC Lattice target group needs the first, detaching one the
	// second (EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling API
	// permissions").
	lattice := []string{"vpc-lattice:RegisterTargets"}
	if r.BlueGroupThatStays == config.DetachBlueGroup {
		actions = append(actions, "autoscaling:DetachTrafficSources")
		lattice = append(lattice, "vpc-lattice:DeregisterTargets")
	}
	changes := []Statement{
		Allow("RepairAutoScalingGroups", l.autoScalingGroups(), actions...).tagged(r.Tag),
		// Deregistering takes back what was registered during a release that has
		// been rolled back.
		Allow("RegisterInstances", l.targetGroups(), "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
		Allow("RegisterLatticeTargets", l.arns("vpc-lattice", "targetgroup/*"), lattice...),
	}
	if len(r.HookRoleARNs) > 0 {
		// PutLifecycleHook with a RoleARN needs it (same page).
		changes = append(changes, Allow("PassHookRoles", r.HookRoleARNs, "iam:PassRole").under("StringEquals", "iam:PassedToService", "autoscaling.amazonaws.com"))
	}
	return changes
}
