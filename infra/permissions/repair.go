package permissions

import (
	"deployhooks/infra/config"
	"deployhooks/pkg/repair/setting"
)

// Repair are the statements of the repair function's role. In plan mode it has
// none that changes the fleet, so that "would change nothing" does not rest on
// code alone.
func Repair(cfg config.Hooks, l Location) []Statement {
	all := repairReads(cfg, l)
	if cfg.Repair.Mode == config.Apply {
		all = append(all, repairChanges(cfg.Repair, l)...)
	}
	all = append(all, Statement{
		SID: "KeepBaselines", Actions: []string{"dynamodb:BatchGetItem", "dynamodb:PutItem"}, Resources: []string{l.Table},
	}, Statement{
		SID: "PublishGroupNames", Actions: []string{"ssm:PutParameter"}, Resources: []string{l.arn("ssm", "parameter"+cfg.Repair.ParameterPrefix+"/*")},
	})
	return append(all, l.notify(cfg)...)
}

func repairReads(cfg config.Hooks, l Location) []Statement {
	return []Statement{{
		SID:       "ReadAutoScalingGroups",
		Actions:   sorted(append(setting.Reads(), "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeTrafficSources")...),
		Resources: everything(),
	}, {
		SID:       "ReadTargetGroups",
		Actions:   []string{"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"},
		Resources: everything(),
	}, {
		SID: "ReadCodeDeploy", Actions: []string{"codedeploy:ListApplications", "codedeploy:ListDeploymentTargets"}, Resources: everything(),
	}, {
		SID: "ListDeploymentGroups", Actions: []string{"codedeploy:ListDeploymentGroups"}, Resources: l.applications(cfg.Repair.Applications),
	}, {
		SID: "ReadDeployments",
		Actions: []string{
			"codedeploy:BatchGetDeploymentGroups", "codedeploy:BatchGetDeployments", "codedeploy:GetDeployment",
			"codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments",
		},
		Resources: l.deploymentGroups(cfg.Repair.Applications),
	}}
}

// repairChanges is what a repair changes in the fleet.
func repairChanges(r config.Repair, l Location) []Statement {
	actions := append(setting.Writes(), "autoscaling:SetInstanceProtection")
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
	changes := []Statement{tagged(Statement{
		SID: "RepairAutoScalingGroups", Actions: sorted(actions...), Resources: l.autoScalingGroups(),
	}, r.Tag), {
		// Deregistering takes back what was registered during a release that has
		// been rolled back.
		SID:       "RegisterInstances",
		Actions:   []string{"elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"},
		Resources: l.targetGroups(),
	}, {
		SID: "RegisterLatticeTargets", Actions: sorted(lattice...), Resources: []string{l.arn("vpc-lattice", "targetgroup/*")},
	}}
	if len(r.HookRoleARNs) > 0 {
		// PutLifecycleHook with a RoleARN needs it (same page).
		changes = append(changes, Statement{
			SID: "PassHookRoles", Actions: []string{"iam:PassRole"}, Resources: r.HookRoleARNs,
			Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "autoscaling.amazonaws.com"}},
		})
	}
	return changes
}
