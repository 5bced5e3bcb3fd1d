// Package hooks is the hooks stack: the construct DeploymentHooks, with outputs
// for people and scripts.
package hooks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
)

// NewStack adds the hooks stack. It names neither account nor region, so that one
// template can be deployed anywhere.
func NewStack(scope constructs.Construct, id *string, props *deployhooks.DeploymentHooksProps) *deployhooks.DeploymentHooks {
	stack := awscdk.NewStack(scope, id, &awscdk.StackProps{
		Description: jsii.String("Repairs what a CodeDeploy blue/green deployment leaves broken, and drains instances before they terminate"),
		Tags:        &map[string]*string{"project": jsii.String("deployhooks")},
	})
	// The CDK leaves the id Default out of logical IDs.
	h := deployhooks.NewDeploymentHooks(stack, jsii.String("Default"), props)
	mode := func(m config.Mode) *string { return jsii.String(string(m)) }
	for _, o := range []struct {
		id          string
		value       *string
		description string
	}{
		{config.TriggerTopicOutput, h.TriggerTopic.TopicArn(), "Topic for the triggers of CodeDeploy deployment groups"},
		{config.NoticeTopicOutput, h.NoticeTopic.TopicArn(), "Topic that says what was done, and why"},
		{config.SubscribersOutput, h.Subscribers(), "Who gets the notifications"},
		{config.RepairFunctionOutput, h.Repair.Function.FunctionName(), "Function that repairs, for aws lambda invoke"},
		{config.RepairQueueOutput, h.Repair.Queue.QueueUrl(), "Queue that repair reads"},
		{config.RepairDeadLetterOutput, h.Repair.DeadLetters.QueueUrl(), "Queue of the messages that repair could not process"},
		{config.TableOutput, h.Baselines.TableName(), "Table of the baselines, which outlives the stack; to deploy again after a destroy, give it as deployhooks:baselineTable"},
		{config.DrainFunctionOutput, h.Drain.Function.FunctionName(), "Function that drains, for aws lambda invoke"},
		{config.DrainQueueOutput, h.Drain.Queue.QueueUrl(), "Queue that drain reads; a lifecycle hook may notify it"},
		{config.DrainDeadLetterOutput, h.Drain.DeadLetters.QueueUrl(), "Queue of the messages that drain could not process"},
		{config.DrainTableOutput, h.Drains.TableName(), "Table of the drains in progress, which is deleted with the stack"},
		{config.DashboardOutput, h.Dashboard.DashboardName(), "CloudWatch dashboard"},
		{config.RepairModeOutput, mode(h.Configuration.Repair.Mode), "Whether repair changes anything (apply), or reports what it would change (plan)"},
		{config.DrainModeOutput, mode(h.Configuration.Drain.Mode), "Whether drain drains instances (apply), or reports what it would do and completes lifecycle actions at once (plan)"},
	} {
		awscdk.NewCfnOutput(stack, &o.id, &awscdk.CfnOutputProps{Value: o.value, Description: &o.description})
	}
	return h
}
