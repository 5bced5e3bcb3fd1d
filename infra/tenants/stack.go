// Package tenants is the tenants stack: the construct Tenants, with outputs for people
// and scripts. It is deployed only with the setting deployhooks:blueprint.
package tenants

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
	"deployhooks/infra/stack"
)

// NewStack adds the tenants stack. Without a place, it names neither account nor
// region, so that one template can be deployed anywhere.
func NewStack(scope constructs.Construct, id *string, in *awscdk.Environment, props *deployhooks.TenantsProps) *deployhooks.Tenants {
	s := stack.New(scope, id, in, "Launches, changes and removes tenants by a blueprint")
	// The CDK leaves the id Default out of logical IDs.
	t := deployhooks.NewTenants(s, jsii.String("Default"), props)
	stack.AddOutputs(s,
		stack.Output{ID: config.RequestTopicOutput, Value: t.RequestTopic.TopicArn(), Description: "Topic for requests to launch, change and remove tenants"},
		stack.Output{ID: config.IntakeFunctionOutput, Value: t.Intake.Function.FunctionName(), Description: "Function that takes requests, for aws lambda invoke"},
		stack.Output{ID: config.IntakeQueueOutput, Value: t.Intake.Queue.QueueUrl(), Description: "Queue that intake reads"},
		stack.Output{ID: config.IntakeDeadLetterOutput, Value: t.Intake.DeadLetters.QueueUrl(), Description: "Queue of the messages that intake could not process"},
		stack.Output{ID: config.TenantTableOutput, Value: t.Registry.TableName(), Description: "Table of all that is known of tenants, which outlives the stack"},
		stack.Output{ID: config.TenantBucketOutput, Value: t.Bucket.BucketName(), Description: "Bucket of what steps keep in files, which outlives the stack"},
		stack.Output{ID: config.BlueprintOutput, Value: &t.Blueprint.Version, Description: "Version of the blueprint " + t.Blueprint.Name + " that new operations run with"},
		stack.Output{ID: config.ConvergeMachineOutput, Value: t.Converge.StateMachineArn(), Description: "State machine that launches and changes tenants"},
		stack.Output{ID: config.RemoveMachineOutput, Value: t.Remove.StateMachineArn(), Description: "State machine that removes tenants"},
		stack.Output{ID: config.DashboardOutput, Value: t.Dashboard.DashboardName(), Description: "CloudWatch dashboard"},
	)
	return t
}
