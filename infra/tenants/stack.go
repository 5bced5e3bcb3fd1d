// Package tenants is the tenants stack: the construct Tenants, with outputs for people
// and scripts. It is deployed only with the setting deployhooks:blueprint.
package tenants

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
)

// NewStack adds the tenants stack. It names neither account nor region, so that one
// template can be deployed anywhere.
func NewStack(scope constructs.Construct, id *string, props *deployhooks.TenantsProps) *deployhooks.Tenants {
	stack := awscdk.NewStack(scope, id, &awscdk.StackProps{
		Description: jsii.String("Launches, changes and removes tenants by a blueprint"),
		Tags:        &map[string]*string{"project": jsii.String("deployhooks")},
	})
	// The CDK leaves the id Default out of logical IDs.
	t := deployhooks.NewTenants(stack, jsii.String("Default"), props)
	for _, o := range []struct {
		id          string
		value       *string
		description string
	}{
		{config.RequestTopicOutput, t.RequestTopic.TopicArn(), "Topic for requests to launch, change and remove tenants"},
		{config.IntakeFunctionOutput, t.Intake.Function.FunctionName(), "Function that takes requests, for aws lambda invoke"},
		{config.IntakeQueueOutput, t.Intake.Queue.QueueUrl(), "Queue that intake reads"},
		{config.IntakeDeadLetterOutput, t.Intake.DeadLetters.QueueUrl(), "Queue of the messages that intake could not process"},
		{config.TenantTableOutput, t.Registry.TableName(), "Table of all that is known of tenants, which outlives the stack"},
		{config.TenantBucketOutput, t.Bucket.BucketName(), "Bucket of what steps keep in files, which outlives the stack"},
		{config.BlueprintOutput, &t.Blueprint.Version, "Version of the blueprint " + t.Blueprint.Name + " that new operations run with"},
		{config.ConvergeMachineOutput, t.Converge.StateMachineArn(), "State machine that launches and changes tenants"},
		{config.RemoveMachineOutput, t.Remove.StateMachineArn(), "State machine that removes tenants"},
		{config.DashboardOutput, t.Dashboard.DashboardName(), "CloudWatch dashboard"},
	} {
		awscdk.NewCfnOutput(stack, &o.id, &awscdk.CfnOutputProps{Value: o.value, Description: &o.description})
	}
	return t
}
