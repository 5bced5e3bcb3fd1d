package permissions

import (
	"slices"

	"deployhooks/infra/config"
)

// ShellDocument is the SSM document that runs shell commands.
const ShellDocument = "AWS-RunShellScript"

// Drain are the statements of the drain function's role. In plan mode it may
// still complete lifecycle actions, so that no instance waits for its hook's
// timeout, and changes nothing else in the fleet.
func Drain(cfg config.Hooks, l Location) []Statement {
	apply := cfg.Drain.Mode == config.Apply
	all := append(drainReads(l), completeLifecycleActions(cfg.Drain, l))
	if apply {
		all = append(all, Statement{
			SID: "DeregisterInstances", Actions: []string{"elasticloadbalancing:DeregisterTargets"}, Resources: l.targetGroups(),
		}, Statement{
			SID:       "DeregisterInstancesOfClassicLoadBalancers",
			Actions:   []string{"elasticloadbalancing:DeregisterInstancesFromLoadBalancer"},
			Resources: []string{l.arn("elasticloadbalancing", "loadbalancer/*")},
		})
		all = append(all, shutdownCommands(cfg.Drain, l)...)
	}
	all = append(all, Statement{
		SID: "KeepDrains",
		// A transaction of puts and deletions needs what these do (DynamoDB
		// developer guide, "Amazon DynamoDB Transactions: How it works").
		Actions: []string{"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Scan"}, Resources: []string{l.Table},
	}, Statement{
		SID: "ReadOpenDrains", Actions: []string{"dynamodb:Query"}, Resources: []string{l.Table + "/index/" + OpenIndex},
	})
	return append(all, l.notify(cfg)...)
}

// OpenIndex is the index of the drains' table that holds those that are open.
const OpenIndex = "open"

func drainReads(l Location) []Statement {
	return []Statement{{
		SID: "ReadAutoScalingGroups",
		Actions: []string{
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
			"autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeWarmPool",
		},
		Resources: everything(),
	}, {
		SID: "ReadTargetGroups",
		Actions: []string{
			"elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
			"elasticloadbalancing:DescribeTargetHealth",
		},
		Resources: everything(),
	}, {
		SID:       "ReadClassicLoadBalancers",
		Actions:   []string{"elasticloadbalancing:DescribeInstanceHealth", "elasticloadbalancing:DescribeLoadBalancerAttributes"},
		Resources: everything(),
	}, {
		SID: "ReadCommands", Actions: []string{"ssm:ListCommandInvocations", "ssm:ListCommands"}, Resources: everything(),
	}, {
		// The deployment that made an Auto Scaling group is the group's tag; which
		// application it is of is not known before.
		SID: "ReadDeployments", Actions: []string{"codedeploy:GetDeployment"}, Resources: l.deploymentGroups(nil),
	}}
}

// completeLifecycleActions names no Auto Scaling group: whoever puts one of our
// hooks on a group has it drained, and every deployment makes a group of a new
// name.
func completeLifecycleActions(d config.Drain, l Location) Statement {
	actions := []string{"autoscaling:CompleteLifecycleAction"}
	if d.Mode == config.Apply {
		actions = append(actions, "autoscaling:RecordLifecycleActionHeartbeat")
	}
	return tagged(Statement{SID: "CompleteLifecycleActions", Actions: actions, Resources: l.autoScalingGroups()}, d.Tag)
}

// shutdownCommands lets the function run the configured documents, and no others,
// on instances that Auto Scaling has launched, and on no others; every such
// instance has AWS's own tag with its group's name (Auto Scaling user guide, "Tag
// Auto Scaling groups and instances"). Without a document it may run nothing.
func shutdownCommands(d config.Drain, l Location) []Statement {
	documents := Documents(d)
	if len(documents) == 0 {
		return nil
	}
	return []Statement{{
		SID: "RunShutdownCommand", Actions: []string{"ssm:SendCommand"}, Resources: l.documents(documents),
	}, {
		SID: "RunItOnScaledInstances", Actions: []string{"ssm:SendCommand"}, Resources: []string{l.arn("ec2", "instance/*")},
		Condition: map[string]map[string]string{"StringLike": {"ssm:resourceTag/aws:autoscaling:groupName": "*"}},
	}}
}

// Documents are the SSM documents that the configuration allows to run, sorted.
// The function gets the same in COMMAND, DOCUMENT and TAG_DOCUMENTS.
func Documents(d config.Drain) []string {
	documents := slices.Clone(d.TagDocuments)
	if d.Command != "" {
		documents = append(documents, ShellDocument)
	}
	if d.Document != "" {
		documents = append(documents, d.Document)
	}
	slices.Sort(documents)
	return slices.Compact(documents)
}
