// Package stack defines the stacks and the constructs they share. The infra
// program calls it, and so do the infrastructure tests.
//
// Stacks know neither account nor region, so that one template goes anywhere.
package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// hooks is the hooks stack while it is being built.
type hooks struct {
	awscdk.Stack
	build string
}

// Context is the CDK context that an app was given, by cdk.json, by the
// command line or by a test.
func Context(app awscdk.App) map[string]any {
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	return context
}

// NewHooks adds the stack of the hook functions to an app. The functions'
// programs are build/<architecture>/<function>/bootstrap; it fails when one is
// missing or is for another architecture.
func NewHooks(app awscdk.App, cfg config.Hooks, build string) (awscdk.Stack, error) {
	s := &hooks{build: build, Stack: awscdk.NewStack(app, jsii.String(config.HooksName), &awscdk.StackProps{
		Description: jsii.String("Repairs what a CodeDeploy blue/green deployment leaves broken, and drains instances before they go"),
		Tags:        &map[string]*string{"project": jsii.String("deployhooks")},
	})}
	triggers := s.newTriggerTopic()
	notices := s.newNoticeTopic(cfg)
	baselines := s.newTable()

	repair, err := s.newRepair(cfg, notices, baselines)
	if err != nil {
		return nil, err
	}
	repair.takeEvents("DeploymentStates", "Deployments that change their state", deploymentStates(cfg))
	repair.takeNotifications(triggers)
	repair.takeOrderEvery("Sweep", "Makes lost events good", cfg.SweepEveryMinutes, map[string]any{"action": "sweep"})
	alarms := s.alarmTopic(cfg, notices)
	repair.addAlarms(alarms, cfg.SweepEveryMinutes)
	functions := []*hookFunction{repair}
	if cfg.Mode != config.Plan {
		drain, err := s.addDrain(cfg, notices)
		if err != nil {
			return nil, err
		}
		drain.addAlarms(alarms, cfg.SweepEveryMinutes)
		functions = append(functions, drain)
	}
	dashboard := s.newDashboard(functions...)

	s.output(config.TriggerTopicOutput, triggers.TopicArn(), "Topic for the triggers of CodeDeploy deployment groups")
	s.output(config.NoticeTopicOutput, notices.TopicArn(), "Topic that says what was done, and why")
	s.output(config.RepairFunctionOutput, repair.function.FunctionName(), "Function that repairs, for aws lambda invoke")
	s.output(config.RepairQueueOutput, repair.queue.QueueUrl(), "Queue that repair reads")
	s.output(config.RepairDeadLetterOutput, repair.deadLetters.QueueUrl(), "Queue of the messages that repair gave up")
	s.output(config.TableOutput, baselines.TableName(), "Table of the baselines, which outlives the stack")
	s.output(config.DashboardOutput, dashboard.DashboardName(), "CloudWatch dashboard")
	s.output(config.ModeOutput, jsii.String(string(cfg.Mode)), "Whether anything is changed (apply), or repair says what it would change and drain is not there (plan)")
	return s.Stack, nil
}

func (s *hooks) output(id string, value *string, description string) {
	awscdk.NewCfnOutput(s.Stack, &id, &awscdk.CfnOutputProps{Value: value, Description: &description})
}

// newTable makes the table of the baselines. It outlives the stack: what it
// holds cannot be asked of AWS again once the blue group is gone.
func (s *hooks) newTable() awsdynamodb.Table {
	return awsdynamodb.NewTable(s.Stack, jsii.String("Baselines"), &awsdynamodb.TableProps{
		PartitionKey:  &awsdynamodb.Attribute{Name: jsii.String("application"), Type: awsdynamodb.AttributeType_STRING},
		SortKey:       &awsdynamodb.Attribute{Name: jsii.String("deploymentGroup"), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:   awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:    awsdynamodb.TableEncryption_AWS_MANAGED,
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
	})
}

// newRepair makes the repair function with what it may do.
func (s *hooks) newRepair(cfg config.Hooks, notices awssns.Topic, baselines awsdynamodb.Table) (*hookFunction, error) {
	repair, err := newHookFunction(s.Stack, "Repair", cfg, hookFunctionProps{
		build:       s.build,
		name:        "repair",
		description: "Attaches the Auto Scaling group of a blue/green deployment to its load balancer",
		memoryMB:    256,
		batching:    config.RepairQueue,
		// SQS's longest delay, which a repair uses, is a quarter of an hour.
		staleMinutes: 30,
		environment: map[string]*string{
			"TABLE":             baselines.TableName(),
			"TOPIC_ARN":         notices.TopicArn(),
			"EVENT_BUS":         jsii.String(cfg.EventBus),
			"PARAMETER_PREFIX":  jsii.String(cfg.ParameterPrefix),
			"APPLICATIONS":      jsii.String(strings.Join(cfg.Applications, ",")),
			"DEPLOYMENT_GROUPS": jsii.String(cfg.DeploymentGroups),
			"TAG":               jsii.String(cfg.Tag.String()),
			"MODE":              jsii.String(string(cfg.Mode)),
		},
	})
	if err != nil {
		return nil, err
	}
	arn := arns{s.Stack}
	repair.allow(repairReads(cfg, arn)...)
	repair.allow(repairWrites(cfg, arn)...)
	repair.allow(permission{
		sid:       "KeepBaselines",
		actions:   []string{"dynamodb:BatchGetItem", "dynamodb:PutItem"},
		resources: []*string{baselines.TableArn()},
	}, permission{
		sid:       "PublishGroupNames",
		actions:   []string{"ssm:PutParameter"},
		resources: []*string{arn.of("ssm", "parameter"+cfg.ParameterPrefix+"/*")},
	})
	repair.allow(notify(cfg, arn, notices)...)
	return repair, nil
}

// deploymentStates matches the events of deployments in scope. Glob patterns
// and tags are left to the function.
func deploymentStates(cfg config.Hooks) *awsevents.EventPattern {
	pattern := &awsevents.EventPattern{
		Source:     jsii.Strings("aws.codedeploy"),
		DetailType: jsii.Strings("CodeDeploy Deployment State-change Notification"),
	}
	if len(cfg.Applications) > 0 {
		pattern.Detail = &map[string]any{"application": cfg.Applications}
	}
	return pattern
}
