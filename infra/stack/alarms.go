package stack

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one condition that a person must hear of, with what to do about it.
type alarm struct {
	id          string
	description string
	metric      awscloudwatch.IMetric
	threshold   float64 // at which it goes off
	below       bool    // whether it goes off below the threshold instead
	periods     int     // in a row; 0 means one
}

// addAlarms adds the alarms that every hook has. heartbeatMinutes is how often
// the function is invoked at the least.
func (h *hookFunction) addAlarms(to awssns.ITopic, heartbeatMinutes int) {
	five := awscdk.Duration_Minutes(jsii.Number(5))
	sum := &awscloudwatch.MetricOptions{Period: five, Statistic: jsii.String("Sum")}
	largest := &awscloudwatch.MetricOptions{Period: five, Statistic: jsii.String("Maximum")}
	for _, a := range []alarm{{
		id:          "DeadLetterAlarm",
		description: "Messages were given up. Read them and the function's logs, mend the cause, then start a redrive of the dead-letter queue.",
		metric:      h.deadLetters.MetricApproximateNumberOfMessagesVisible(largest),
		threshold:   1,
	}, {
		id:          "ErrorAlarm",
		description: "The function failed as a whole: it crashed, ran out of time, or could not start. Its logs say why.",
		metric:      h.function.MetricErrors(sum),
		threshold:   1,
	}, {
		id:          "ThrottleAlarm",
		description: "Lambda held the function back: the account's concurrency is used up.",
		metric:      h.function.MetricThrottles(sum),
		threshold:   1,
	}, {
		id:          "StaleAlarm",
		description: fmt.Sprintf("Messages wait for more than %d minutes: the function does not keep up, or is held back.", h.props.staleMinutes),
		metric:      h.queue.MetricApproximateAgeOfOldestMessage(largest),
		threshold:   float64(h.props.staleMinutes * 60),
	}, {
		id:          "SilenceAlarm",
		description: "The function was not invoked for three rounds of its schedule: lost events are not made good. Look at the schedule and at the event source mapping.",
		metric: h.function.MetricInvocations(&awscloudwatch.MetricOptions{
			Period: awscdk.Duration_Minutes(jsii.Number(heartbeatMinutes)), Statistic: jsii.String("Sum"),
		}),
		threshold: 1,
		below:     true,
		periods:   3,
	}} {
		h.addAlarm(a, to)
	}
}

func (h *hookFunction) addAlarm(a alarm, to awssns.ITopic) {
	comparison := awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD
	missing := awscloudwatch.TreatMissingData_NOT_BREACHING
	if a.below {
		// Where nothing happens there is no data, and that is the fault.
		comparison = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
		missing = awscloudwatch.TreatMissingData_BREACHING
	}
	awscloudwatch.NewAlarm(h.scope, &a.id, &awscloudwatch.AlarmProps{
		AlarmDescription:   &a.description,
		Metric:             a.metric,
		Threshold:          &a.threshold,
		EvaluationPeriods:  jsii.Number(max(a.periods, 1)),
		ComparisonOperator: comparison,
		TreatMissingData:   missing,
	}).AddAlarmAction(awscloudwatchactions.NewSnsAction(to))
}
