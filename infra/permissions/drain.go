package permissions

import (
	"slices"
	"strings"

	"deployhooks/infra/config"
)

// ShellDocument is the SSM document that runs shell commands.
const ShellDocument = "AWS-RunShellScript"

// OpenIndex is the index of the drains' table that holds those that are open.
const OpenIndex = "open"

// Drain are the statements of the drain function's role. In plan mode it may
// still complete lifecycle actions, so that no instance waits for its hook's
// timeout, and changes nothing else in the fleet.
func Drain(cfg config.Hooks, l Location) []Statement {
	d := cfg.Drain
	complete := []string{"autoscaling:CompleteLifecycleAction"}
	if d.Mode == config.Apply {
		complete = append(complete, "autoscaling:RecordLifecycleActionHeartbeat")
	}
	all := append(drainReads(l),
		// It names no Auto Scaling group: whoever puts one of our hooks on a group
		// has it drained, and every deployment makes a group of a new name.
		Allow("CompleteLifecycleActions", l.autoScalingGroups(), complete...).tagged(d.Tag))
	if d.Mode == config.Apply {
		all = append(all,
			Allow("DeregisterInstances", l.targetGroups(), "elasticloadbalancing:DeregisterTargets"),
			Allow("DeregisterInstancesOfClassicLoadBalancers", l.arns("elasticloadbalancing", "loadbalancer/*"), "elasticloadbalancing:DeregisterInstancesFromLoadBalancer"))
		all = append(all, shutdownCommands(d, l)...)
	}
	all = append(all,
		// A transaction of puts and deletions needs what these do (DynamoDB
		// developer guide, "Amazon DynamoDB Transactions: How it works").
		Allow("KeepDrains", []string{l.Table}, "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"),
		Allow("ReadOpenDrains", []string{l.Table + "/index/" + OpenIndex}, "dynamodb:Query"))
	return append(all, l.notify(cfg)...)
}

func drainReads(l Location) []Statement {
	return []Statement{
		Allow("ReadAutoScalingGroups", everything(), "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
			"autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeWarmPool"),
		Allow("ReadTargetGroups", everything(), "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
			"elasticloadbalancing:DescribeTargetHealth"),
		Allow("ReadClassicLoadBalancers", everything(), "elasticloadbalancing:DescribeInstanceHealth", "elasticloadbalancing:DescribeLoadBalancerAttributes"),
		Allow("ReadCommands", everything(), "ssm:ListCommandInvocations", "ssm:ListCommands"),
		// The deployment that made an Auto Scaling group is the group's tag; which
		// application it is of is not known before.
		Allow("ReadDeployments", l.deploymentGroups(nil), "codedeploy:GetDeployment"),
	}
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
	return []Statement{
		Allow("RunShutdownCommand", l.documents(documents), "ssm:SendCommand"),
		Allow("RunItOnScaledInstances", l.arns("ec2", "instance/*"), "ssm:SendCommand").under("StringLike", "ssm:resourceTag/aws:autoscaling:groupName", "*"),
	}
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

// documents are the ARNs of SSM documents given by name or ARN. Amazon's own belong
// to no account; nobody else's name may begin as theirs do (Systems Manager API
// reference, CreateDocument).
func (l Location) documents(namesAndARNs []string) (all []string) {
	for _, s := range namesAndARNs {
		lower := strings.ToLower(s)
		switch {
		case strings.HasPrefix(s, "arn:"):
			all = append(all, s)
		case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "amazon"), strings.HasPrefix(lower, "amzn"):
			amazon := Location{Partition: l.Partition, Region: l.Region}
			all = append(all, amazon.arns("ssm", "document/"+s)...)
		default:
			all = append(all, l.arns("ssm", "document/"+s)...)
		}
	}
	return all
}
