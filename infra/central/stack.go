// Package central is the central stack: the construct Central, with outputs for people
// and scripts. It is deployed once for many accounts, with the setting
// deployhooks:central, and instead of the other stacks.
package central

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
)

// NewStack adds the central stack. It names neither account nor region.
func NewStack(scope constructs.Construct, id *string, props *deployhooks.CentralProps) *deployhooks.Central {
	stack := awscdk.NewStack(scope, id, &awscdk.StackProps{
		Description: jsii.String("Collects the outcomes of the deployment hooks of many accounts"),
		Tags:        &map[string]*string{"project": jsii.String("deployhooks")},
	})
	c := deployhooks.NewCentral(stack, jsii.String("Default"), props)
	for _, o := range []struct {
		id          string
		value       *string
		description string
	}{
		{config.CentralBusOutput, c.Bus.EventBusArn(), "Bus for the setting deployhooks:centralEventBus of the accounts that send"},
		{config.CentralTopicOutput, c.Topic.TopicArn(), "Topic that gets the outcomes of all accounts"},
		{config.CentralDeadLetterOutput, c.DeadLetters.QueueUrl(), "Queue of the outcomes that the topic did not get"},
	} {
		awscdk.NewCfnOutput(stack, &o.id, &awscdk.CfnOutputProps{Value: o.value, Description: &o.description})
	}
	return c
}
