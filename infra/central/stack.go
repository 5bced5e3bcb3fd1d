// Package central is the central stack, the construct Central with outputs for people and
// scripts. It is deployed once for many accounts, with the setting deployhooks:central,
// instead of the other stacks.
package central

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
	"deployhooks/infra/stack"
)

// NewStack adds the central stack. It names neither account nor region.
func NewStack(scope constructs.Construct, id *string, props *deployhooks.CentralProps) *deployhooks.Central {
	s := stack.New(scope, id, nil, "Collects the outcomes of the deployment hooks of many accounts")
	c := deployhooks.NewCentral(s, jsii.String("Default"), props)
	stack.AddOutputs(s,
		stack.Output{ID: config.CentralBusOutput, Value: c.Bus.EventBusArn(), Description: "Bus for the setting deployhooks:centralEventBus of the accounts that send"},
		stack.Output{ID: config.CentralTopicOutput, Value: c.Topic.TopicArn(), Description: "Topic that gets the outcomes of all accounts"},
		stack.Output{ID: config.CentralDeadLetterOutput, Value: c.DeadLetters.QueueUrl(), Description: "Queue of the outcomes that the topic did not get"},
	)
	return c
}
