package stack

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// shellDocument is the SSM document that runs shell lines.
const shellDocument = "AWS-RunShellScript"

// addDrain adds the drain function, with all the ways in to it.
func (s *hooks) addDrain(cfg config.Hooks, notices awssns.Topic) (*hookFunction, error) {
	drains := s.newDrainTable()
	drain, err := s.newDrain(cfg, notices, drains)
	if err != nil {
		return nil, err
	}
	drain.takeEvents("LifecycleActions", "Instances that a lifecycle hook holds before they go", &awsevents.EventPattern{
		Source:     jsii.Strings("aws.autoscaling"),
		DetailType: jsii.Strings("EC2 Instance-terminate Lifecycle Action"),
	})
	drain.takeEvents("SpotWarnings", "Spot instances that will be interrupted", &awsevents.EventPattern{
		Source:     jsii.Strings("aws.ec2"),
		DetailType: jsii.Strings("EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"),
	})
	drain.takeEvents("Maintenance", "Scheduled changes of EC2 instances", &awsevents.EventPattern{
		Source:     jsii.Strings("aws.health"),
		DetailType: jsii.Strings("AWS Health Event"),
		Detail:     &map[string]any{"service": []string{"EC2"}, "eventTypeCategory": []string{"scheduledChange"}},
	})
	drain.takeOrderEvery("Sweep", "Takes up instances that wait for nobody", cfg.DrainSweepMinutes(), map[string]any{"action": "sweep"})

	s.output(config.DrainFunctionOutput, drain.function.FunctionName(), "Function that drains, for aws lambda invoke")
	s.output(config.DrainQueueOutput, drain.queue.QueueUrl(), "Queue that drain reads; a lifecycle hook may notify it")
	s.output(config.DrainDeadLetterOutput, drain.deadLetters.QueueUrl(), "Queue of the messages that drain gave up")
	s.output(config.DrainTableOutput, drains.TableName(), "Table of the drains under way, which goes with the stack")
	return drain, nil
}

// newDrainTable makes the table of the drains. It goes with the stack: it holds
// what is under way and, for an hour or two, what has ended, and without the function
// nobody can act on either; the hooks' own timeouts then let the instances go.
// So it needs no backup.
func (s *hooks) newDrainTable() awsdynamodb.Table {
	return awsdynamodb.NewTable(s.Stack, jsii.String("Drains"), &awsdynamodb.TableProps{
		PartitionKey:        &awsdynamodb.Attribute{Name: jsii.String("instance"), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:          awsdynamodb.TableEncryption_AWS_MANAGED,
		TimeToLiveAttribute: jsii.String("expires"),
		RemovalPolicy:       awscdk.RemovalPolicy_DESTROY,
	})
}

// newDrain makes the drain function with what it may do.
func (s *hooks) newDrain(cfg config.Hooks, notices awssns.Topic, drains awsdynamodb.Table) (*hookFunction, error) {
	d := cfg.Drain
	drain, err := newHookFunction(s.Stack, "Drain", cfg, hookFunctionProps{
		build:       s.build,
		name:        "drain",
		description: "Takes instances out of their target groups before they go",
		memoryMB:    512, // a target group of a thousand targets is a long answer
		batching:    config.DrainQueue,
		// The delays of a drain are seconds.
		staleMinutes: 15,
		environment: map[string]*string{
			"TABLE":           drains.TableName(),
			"TOPIC_ARN":       notices.TopicArn(),
			"EVENT_BUS":       jsii.String(cfg.EventBus),
			"HOOKS":           jsii.String(d.Hooks),
			"DEADLINE":        minutes(d.DeadlineMinutes),
			"TARGET_GROUPS":   jsii.String(strings.Join(d.TargetGroups, ",")),
			"COMMAND":         jsii.String(d.Command),
			"DOCUMENT":        jsii.String(d.Document),
			"COMMAND_TIMEOUT": minutes(d.CommandTimeoutMinutes),
			"ON_REBALANCE":    jsii.String(string(d.OnRebalance)),
			"ON_MAINTENANCE":  jsii.String(string(d.OnMaintenance)),
		},
	})
	if err != nil {
		return nil, err
	}
	arn := arns{s.Stack}
	drain.allow(drainReads(arn)...)
	drain.allow(drainWrites(arn)...)
	drain.allow(shutdownCommands(d, arn)...)
	drain.allow(permission{
		sid: "KeepDrains",
		// A transaction of puts and deletions needs what these do (DynamoDB
		// developer guide, "Amazon DynamoDB Transactions: How it works").
		actions:   []string{"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Scan"},
		resources: []*string{drains.TableArn()},
	})
	drain.allow(notify(cfg, arn, notices)...)
	return drain, nil
}

// minutes is a duration as the functions' configuration has it.
func minutes(n int) *string { return jsii.String(strconv.Itoa(n) + "m") }

// drainReads is what a drain asks AWS. None of it changes anything.
func drainReads(arn arns) []permission {
	return []permission{{
		sid:       "ReadAutoScalingGroups",
		actions:   []string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLifecycleHooks"},
		resources: everything(),
	}, {
		sid:       "ReadTargetGroups",
		actions:   []string{"elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"},
		resources: everything(),
	}, {
		sid:       "ReadCommands",
		actions:   []string{"ssm:ListCommandInvocations", "ssm:ListCommands"},
		resources: everything(),
	}, {
		// The deployment that made a group is the group's tag; which
		// application it is of is not known before.
		sid:       "ReadDeployments",
		actions:   []string{"codedeploy:GetDeployment"},
		resources: arn.deploymentGroups(nil),
	}}
}

// drainWrites is what a drain changes in the fleet. Which groups have a hook of
// ours is for their owners to say, so it names no group.
func drainWrites(arn arns) []permission {
	return []permission{{
		sid:       "CompleteLifecycleActions",
		actions:   []string{"autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"},
		resources: []*string{arn.of("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")},
	}, {
		sid:       "DeregisterInstances",
		actions:   []string{"elasticloadbalancing:DeregisterTargets"},
		resources: []*string{arn.of("elasticloadbalancing", "targetgroup/*")},
	}}
}

// shutdownCommands lets the function run the configured documents, and no
// others, on instances that Auto Scaling has launched, and on no others; every
// such instance has AWS's own tag with its group's name (Auto Scaling user
// guide, "Tag Auto Scaling groups and instances"). Without a document it may
// run nothing.
func shutdownCommands(d config.Drain, arn arns) []permission {
	documents := slices.Clone(d.TagDocuments)
	if d.Command != "" {
		documents = append(documents, shellDocument)
	}
	if d.Document != "" {
		documents = append(documents, d.Document)
	}
	if len(documents) == 0 {
		return nil
	}
	slices.Sort(documents)
	return []permission{{
		sid:       "RunShutdownCommand",
		actions:   []string{"ssm:SendCommand"},
		resources: arn.documents(slices.Compact(documents)),
	}, {
		sid:       "RunItOnScaledInstances",
		actions:   []string{"ssm:SendCommand"},
		resources: []*string{arn.of("ec2", "instance/*")},
		condition: map[string]map[string]any{
			"StringLike": {"ssm:resourceTag/aws:autoscaling:groupName": "*"},
		},
	}}
}
