package constructs

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one condition that requires action, with what to do about it.
type alarm struct {
	id          string
	description string
	metric      awscloudwatch.IMetric
	threshold   float64 // at which it goes off
	below       bool    // it goes off below the threshold
	// periods is how many of the metric's periods in a row it takes; 0 means 1.
	periods float64
	// silence turns it around: it goes off when there is no data.
	silence bool
}

// silentPeriods is after how many periods of its sweep, five minutes each at least,
// a function counts as silent: one may be late, and one at the edge of a period.
const silentPeriods = 3

// alarms are those that every function has.
func (f *Program) alarms() []alarm {
	sum := &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5)), Statistic: jsii.String("Sum")}
	return []alarm{{
		id:          "ErrorAlarm",
		description: "The function failed as a whole: it crashed, ran out of time, or could not start. Its logs say why.",
		metric:      f.Function.MetricErrors(sum),
		threshold:   1,
	}, {
		id:          "ThrottleAlarm",
		description: "Lambda throttled the function: the account's concurrency is used up.",
		metric:      f.Function.MetricThrottles(sum),
		threshold:   1,
	}}
}

// queueAlarms are those of the queues and of the schedule.
func (f *QueuedFunction) queueAlarms() []alarm {
	five := awscdk.Duration_Minutes(jsii.Number(5))
	alarms := []alarm{deadLetterAlarm(f.DeadLetters, "Read them and the function's logs, fix the cause, then redrive those that came from the function's queue."), {
		id:          "StaleAlarm",
		description: fmt.Sprintf("Messages wait for more than %v minutes: the function does not keep up, or is throttled.", f.queue.stale/60),
		metric:      f.Queue.MetricApproximateAgeOfOldestMessage(&awscloudwatch.MetricOptions{Period: five, Statistic: jsii.String("Maximum")}),
		threshold:   f.queue.stale,
	}}
	if f.queue.sweep > 0 {
		alarms = append(alarms, alarm{
			id:          "SilenceAlarm",
			description: "The function was not invoked for three periods of its schedule, and for 15 minutes at least: missed events are not reconciled. Check the schedule and the event source mapping.",
			metric: f.Function.MetricInvocations(&awscloudwatch.MetricOptions{
				Period: duration(max(f.queue.sweep, 300)), Statistic: jsii.String("Sum"),
			}),
			threshold: 1,
			silence:   true,
		})
	}
	return alarms
}

// addAlarms adds alarms to scope.
func addAlarms(scope constructs.Construct, alarms []alarm, to awssns.ITopic) {
	for _, a := range alarms {
		addAlarm(scope, a, to)
	}
}

// deadLetterAlarm goes off when messages are moved to a dead-letter queue, whose remedy is
// what to do then.
func deadLetterAlarm(deadLetters awssqs.IQueue, remedy string) alarm {
	return alarm{
		id:          "DeadLetterAlarm",
		description: "Messages were moved to the dead-letter queue in the last five minutes. It goes off again for further ones, and ends although they remain. " + remedy,
		metric:      newDeadLetters(deadLetters, awscdk.Duration_Minutes(jsii.Number(5))),
		threshold:   1,
	}
}

// newDeadLetters is how many messages the dead-letter queue has more than five
// minutes before. Nothing counts arrivals: NumberOfMessagesSent leaves out what a
// redrive policy moves (SQS developer guide, "Available CloudWatch metrics for
// Amazon SQS"). A queue that is not used has no data, which stands for none: the
// first message counts too. An alarm reads more data points than it evaluates, so
// that there is one to compare with ("Using metric math", CloudWatch user guide).
// The maximum of five minutes bridges the seconds in which somebody reads the
// messages and they are invisible.
func newDeadLetters(deadLetters awssqs.IQueue, period awscdk.Duration) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("DIFF(FILL(visible, 0))"),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"visible": deadLetters.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: period, Statistic: jsii.String("Maximum")}),
		},
		Label:  jsii.String("new dead letters"),
		Period: period,
	})
}

func addAlarm(scope constructs.Construct, a alarm, to awssns.ITopic) awscloudwatch.Alarm {
	comparison := awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD
	if a.below {
		comparison = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	}
	missing, periods := awscloudwatch.TreatMissingData_NOT_BREACHING, max(a.periods, 1)
	if a.silence {
		// A function that is not invoked has no data at all. Were that breaching,
		// the alarm would go off when it is created; as it is, a new alarm begins
		// without data, which is no change, and losing the data later is one
		// (CloudWatch user guide, "Configuring how alarms treat missing data").
		comparison = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
		missing, periods = awscloudwatch.TreatMissingData_MISSING, silentPeriods
	}
	created := awscloudwatch.NewAlarm(scope, &a.id, &awscloudwatch.AlarmProps{
		AlarmDescription:   &a.description,
		Metric:             a.metric,
		Threshold:          &a.threshold,
		EvaluationPeriods:  &periods,
		ComparisonOperator: comparison,
		TreatMissingData:   missing,
	})
	if to == nil {
		return created
	}
	// A new alarm without faults becomes OK, which its topic gets as well: CloudWatch
	// has no way to tell that from the end of an alarm.
	action := awscloudwatchactions.NewSnsAction(to)
	created.AddAlarmAction(action)
	created.AddOkAction(action)
	if a.silence {
		created.AddInsufficientDataAction(action)
	}
	return created
}
