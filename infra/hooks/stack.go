// Package hooks is the hooks stack: the construct DeploymentHooks, with outputs
// for people and scripts.
package hooks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
	"deployhooks/infra/stack"
)

// NewStack adds the hooks stack. Without a place, it names neither account nor
// region, so that one template can be deployed anywhere.
func NewStack(scope constructs.Construct, id *string, in *awscdk.Environment, props *deployhooks.DeploymentHooksProps) *deployhooks.DeploymentHooks {
	s := stack.New(scope, id, in, "Repairs what a CodeDeploy blue/green deployment leaves broken, and drains instances before they terminate")
	// The CDK leaves the id Default out of logical IDs.
	h := deployhooks.NewDeploymentHooks(s, jsii.String("Default"), props)
	mode := func(m config.Mode) *string { return jsii.String(string(m)) }
	stack.AddOutputs(s,
		stack.Output{ID: config.TriggerTopicOutput, Value: h.TriggerTopic.TopicArn(), Description: "Topic for the triggers of CodeDeploy deployment groups"},
		stack.Output{ID: config.NoticeTopicOutput, Value: h.NoticeTopic.TopicArn(), Description: "Topic that says what was done, and why"},
		stack.Output{ID: config.SubscribersOutput, Value: h.Subscribers(), Description: "Who gets the notifications"},
		stack.Output{ID: config.RepairFunctionOutput, Value: h.Repair.Function.FunctionName(), Description: "Function that repairs, for aws lambda invoke"},
		stack.Output{ID: config.RepairQueueOutput, Value: h.Repair.Queue.QueueUrl(), Description: "Queue that repair reads"},
		stack.Output{ID: config.RepairDeadLetterOutput, Value: h.Repair.DeadLetters.QueueUrl(), Description: "Queue of the messages that repair could not process"},
		stack.Output{ID: config.TableOutput, Value: h.Baselines.TableName(), Description: "Table of the baselines, which outlives the stack; to deploy again after a destroy, give it as deployhooks:baselineTable"},
		stack.Output{ID: config.DrainFunctionOutput, Value: h.Drain.Function.FunctionName(), Description: "Function that drains, for aws lambda invoke"},
		stack.Output{ID: config.DrainQueueOutput, Value: h.Drain.Queue.QueueUrl(), Description: "Queue that drain reads; a lifecycle hook may notify it"},
		stack.Output{ID: config.DrainDeadLetterOutput, Value: h.Drain.DeadLetters.QueueUrl(), Description: "Queue of the messages that drain could not process"},
		stack.Output{ID: config.DrainTableOutput, Value: h.Drains.TableName(), Description: "Table of the drains in progress, which is deleted with the stack"},
		stack.Output{ID: config.DashboardOutput, Value: h.Dashboard.DashboardName(), Description: "CloudWatch dashboard"},
		stack.Output{ID: config.RepairModeOutput, Value: mode(h.Configuration.Repair.Mode), Description: "Whether repair changes anything (apply), or reports what it would change (plan)"},
		stack.Output{ID: config.DrainModeOutput, Value: mode(h.Configuration.Drain.Mode), Description: "Whether drain drains instances (apply), or reports what it would do and completes lifecycle actions at once (plan)"},
	)
	return h
}
