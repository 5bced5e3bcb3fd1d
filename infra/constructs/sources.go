package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsschedulertargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/pkg/invoke"
)

// Everything comes through the queue. EventBridge and SNS have the dead-letter
// queue behind them, because they drop what they cannot deliver otherwise.

// OnEvents sends the events of the account's default bus that match a pattern to
// the function.
func (f *QueuedFunction) OnEvents(id, description *string, pattern *awsevents.EventPattern) awsevents.Rule {
	return awsevents.NewRule(f, id, &awsevents.RuleProps{
		Description:  description,
		EventPattern: pattern,
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSqsQueue(f.Queue, &awseventstargets.SqsQueueProps{
			DeadLetterQueue: f.DeadLetters,
		})},
	})
}

// OnTopic sends what is published to a topic to the function. It stays wrapped in
// SNS's own envelope, so that even a text that is no JSON, as a test notification
// may be, arrives as a message that says where it is from.
func (f *QueuedFunction) OnTopic(topic awssns.ITopic) {
	topic.AddSubscription(awssnssubscriptions.NewSqsSubscription(f.Queue, &awssnssubscriptions.SqsSubscriptionProps{
		DeadLetterQueue: f.DeadLetters,
	}))
}

// addSweep sends the function a sweep on a schedule. One that cannot be delivered
// until the next is due is worth nothing any more.
func (f *QueuedFunction) addSweep() {
	if f.queue.sweep == 0 {
		return
	}
	// A role of its own and not the one that the CDK shares across the stack, so
	// that a permissions boundary on this construct reaches it. The condition is that
	// of "Cross-service confused deputy prevention in EventBridge Scheduler"
	// (EventBridge Scheduler user guide).
	role := awsiam.NewRole(f, jsii.String("SweepRole"), &awsiam.RoleProps{
		AssumedBy: onBehalfOf(f, "scheduler", "schedule-group/default"),
	})
	every := duration(f.queue.sweep)
	awsscheduler.NewSchedule(f, jsii.String("Sweep"), &awsscheduler.ScheduleProps{
		Description: jsii.String("Reconciles everything in scope, missed events included"),
		Schedule:    awsscheduler.ScheduleExpression_Rate(every),
		Target: awsschedulertargets.NewSqsSendMessage(f.Queue, &awsschedulertargets.SqsSendMessageProps{
			Input:         awsscheduler.ScheduleTargetInput_FromText(jsii.String(invoke.Sweep)),
			RetryAttempts: jsii.Number(3),
			MaxEventAge:   every,
			Role:          role,
		}),
	})
}

// onBehalfOf is a service that may assume a role on behalf of one of its resources
// in the stack's account and region, and of no other.
func onBehalfOf(scope constructs.Construct, service, resource string) awsiam.ServicePrincipal {
	stack := awscdk.Stack_Of(scope)
	return awsiam.NewServicePrincipal(jsii.String(service+".amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"StringEquals": map[string]any{
			"aws:SourceAccount": stack.Account(),
			"aws:SourceArn":     "arn:" + *stack.Partition() + ":" + service + ":" + *stack.Region() + ":" + *stack.Account() + ":" + resource,
		}},
	})
}
