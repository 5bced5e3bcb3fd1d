package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// permission is one statement of a function's role.
type permission struct {
	sid       string
	actions   []string
	resources []*string
	condition map[string]map[string]any // operator, key, value
}

// allow adds statements to the function's role.
func (h *hookFunction) allow(permissions ...permission) {
	for _, p := range permissions {
		var conditions map[string]any
		for operator, keys := range p.condition {
			if conditions == nil {
				conditions = map[string]any{}
			}
			conditions[operator] = keys
		}
		props := &awsiam.PolicyStatementProps{
			Sid:       jsii.String(p.sid),
			Actions:   jsii.Strings(p.actions...),
			Resources: &p.resources,
		}
		if conditions != nil {
			props.Conditions = &conditions
		}
		h.role.AddToPolicy(awsiam.NewPolicyStatement(props))
	}
}

// everything is the resource of the actions that AWS offers no resource-level
// permission for. Which those are stands in AWS's service authorization
// reference, and in the test that allows "*" for them alone.
func everything() []*string { return *jsii.Strings("*") }

// notify is what telling people and systems takes.
func notify(cfg config.Hooks, arn arns, notices awssns.Topic) []permission {
	return []permission{{
		sid:       "NotifyPeople",
		actions:   []string{"sns:Publish"},
		resources: []*string{notices.TopicArn()},
	}, {
		sid:       "NotifySystems",
		actions:   []string{"events:PutEvents"},
		resources: []*string{arn.of("events", "event-bus/"+cfg.EventBus)},
	}}
}

// repairReads is what a repair asks AWS. None of it changes anything.
func repairReads(cfg config.Hooks, arn arns) []permission {
	return []permission{{
		sid:       "ReadAutoScalingGroups",
		actions:   []string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeTrafficSources"},
		resources: everything(),
	}, {
		sid:       "ReadTargetGroups",
		actions:   []string{"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"},
		resources: everything(),
	}, {
		sid:       "ListApplications",
		actions:   []string{"codedeploy:ListApplications"},
		resources: everything(),
	}, {
		sid:       "ListDeploymentGroups",
		actions:   []string{"codedeploy:ListDeploymentGroups"},
		resources: arn.applications(cfg.Applications),
	}, {
		sid: "ReadDeployments",
		actions: []string{
			"codedeploy:BatchGetDeploymentGroups", "codedeploy:GetDeployment",
			"codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments",
		},
		resources: arn.deploymentGroups(cfg.Applications),
	}}
}

// repairWrites is what a repair changes in the fleet. In plan mode the role
// has none of it, so that "would change nothing" does not rest on code alone.
func repairWrites(cfg config.Hooks, arn arns) []permission {
	if cfg.Mode == config.Plan {
		return nil
	}
	groups := permission{
		sid:       "RepairAutoScalingGroups",
		actions:   []string{"autoscaling:AttachTrafficSources", "autoscaling:PutLifecycleHook", "autoscaling:ResumeProcesses"},
		resources: []*string{arn.of("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")},
	}
	if cfg.Tag.Key != "" {
		groups.condition = map[string]map[string]any{
			"StringEquals": {"aws:ResourceTag/" + cfg.Tag.Key: cfg.Tag.Value},
		}
	}
	writes := []permission{groups, {
		sid:       "RegisterInstances",
		actions:   []string{"elasticloadbalancing:RegisterTargets"},
		resources: []*string{arn.of("elasticloadbalancing", "targetgroup/*")},
	}}
	if len(cfg.HookRoleARNs) > 0 {
		// PutLifecycleHook with a RoleARN needs it (EC2 Auto Scaling user
		// guide, "Prepare to add a lifecycle hook").
		writes = append(writes, permission{
			sid:       "PassHookRoles",
			actions:   []string{"iam:PassRole"},
			resources: *jsii.Strings(cfg.HookRoleARNs...),
			condition: map[string]map[string]any{
				"StringEquals": {"iam:PassedToService": "autoscaling.amazonaws.com"},
			},
		})
	}
	return writes
}
