package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsschedulertargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"
)

// What comes in comes through the queue. EventBridge and SNS have the
// dead-letter queue behind them, because they drop what they cannot deliver
// otherwise.

// takeEvents lets events of the default bus in.
func (h *hookFunction) takeEvents(id, description string, pattern *awsevents.EventPattern) {
	awsevents.NewRule(h.scope, &id, &awsevents.RuleProps{
		Description:  &description,
		EventPattern: pattern,
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSqsQueue(h.queue, &awseventstargets.SqsQueueProps{
			DeadLetterQueue: h.deadLetters,
		})},
	})
}

// takeNotifications lets the notifications of a topic in. They stay wrapped in
// SNS's own envelope, so that even a text that is no JSON, as a test
// notification may be, arrives as a message that says where it is from.
func (h *hookFunction) takeNotifications(topic awssns.Topic) {
	topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(h.queue, &awssnssubscriptions.SqsSubscriptionProps{
		DeadLetterQueue: h.deadLetters,
	}))
}

// takeOrderEvery sends the function an order on a schedule. An order that
// cannot be delivered until the next is due has no worth any more.
func (h *hookFunction) takeOrderEvery(id, description string, minutes int, order map[string]any) {
	awsscheduler.NewSchedule(h.scope, &id, &awsscheduler.ScheduleProps{
		Description: &description,
		Schedule:    awsscheduler.ScheduleExpression_Rate(awscdk.Duration_Minutes(jsii.Number(minutes))),
		Target: awsschedulertargets.NewSqsSendMessage(h.queue, &awsschedulertargets.SqsSendMessageProps{
			Input:         awsscheduler.ScheduleTargetInput_FromObject(order),
			RetryAttempts: jsii.Number(3),
			MaxEventAge:   awscdk.Duration_Minutes(jsii.Number(max(minutes, 1))),
		}),
	})
}
