package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/pkg/notice"
)

// alarmsOf are the alarms of a function, by their names without the function's.
func (t template) alarmsOf(function string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, alarm := range t.of("AWS::CloudWatch::Alarm") {
		if short, ok := strings.CutPrefix(name(id), function); ok {
			found[short] = alarm.Properties
		}
	}
	return found
}

// watched is what an alarm watches, in one line.
func watched(alarm map[string]any) string {
	if alarm["Metrics"] == nil {
		return strings.Join([]string{words(alarm["Namespace"]), words(alarm["MetricName"]), words(alarm["Statistic"]), words(alarm["Dimensions"])}, " ")
	}
	var parts []string
	for _, m := range alarm["Metrics"].([]any) {
		if at(m, "ReturnData") == true {
			parts = append(parts, words(at(m, "Expression")))
			continue
		}
		stat := at(m, "MetricStat")
		parts = append(parts, words(at(m, "Id"))+"="+words(at(stat, "Metric", "MetricName"))+" "+words(at(stat, "Stat"))+" "+words(at(stat, "Metric", "Dimensions")))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func TestAlarmsWatchWhatMayBreak(t *testing.T) {
	t.Parallel()
	for function, minutes := range map[string]float64{"Repair": 30, "Drain": 15} {
		ofFunction, ofQueue := " Name=FunctionName Value=<"+function+"Function>", " Name=QueueName Value=<"+function+"Queue.QueueName>"
		deadLetters := " Name=QueueName Value=<" + function + "DeadLetters.QueueName>"
		alarms := plain.alarmsOf(function)
		for alarm, want := range map[string]struct {
			watches                    string
			threshold, period, periods float64
			comparison, missing, harm  string
		}{
			"ErrorAlarm": {"AWS/Lambda Errors Sum" + ofFunction, 1, 300, 1, "GreaterThanOrEqualToThreshold", "notBreaching",
				"a function that crashes at every start is noticed by users"},
			"ThrottleAlarm": {"AWS/Lambda Throttles Sum" + ofFunction, 1, 300, 1, "GreaterThanOrEqualToThreshold", "notBreaching",
				"an account without concurrency stops everything in silence"},
			"StaleAlarm": {"AWS/SQS ApproximateAgeOfOldestMessage Maximum" + ofQueue, minutes * 60, 300, 1, "GreaterThanOrEqualToThreshold", "notBreaching",
				"messages wait for hours, or the alarm goes off for a delay that is meant"},
			"DeadLetterAlarm": {"DIFF(FILL(visible, 0)); visible=ApproximateNumberOfMessagesVisible Maximum" + deadLetters, 1, 0, 1, "GreaterThanOrEqualToThreshold", "notBreaching",
				"with old messages still there, nobody learns of new ones"},
			"SilenceAlarm": {"AWS/Lambda Invocations Sum" + ofFunction, 1, 300, 3, "LessThanThreshold", "missing",
				"a schedule that is off is never noticed; or the alarm goes off when the stack is made, or for one late sweep"},
		} {
			got := alarms[alarm]
			if diff := cmp.Diff(want.watches, watched(got)); diff != "" {
				t.Errorf("%s%s watches something else: %s (-want +got):\n%s", function, alarm, want.harm, diff)
			}
			period, _ := got["Period"].(float64)
			if got["Threshold"] != want.threshold || period != want.period || got["EvaluationPeriods"] != want.periods ||
				got["ComparisonOperator"] != want.comparison || got["TreatMissingData"] != want.missing || got["DatapointsToAlarm"] != nil {
				t.Errorf("%s%s goes off at %v (%v) in %v times %v s, missing data %v; want %v (%s) in %v times %v s, missing data %s: %s", function, alarm,
					got["Threshold"], got["ComparisonOperator"], got["EvaluationPeriods"], period, got["TreatMissingData"],
					want.threshold, want.comparison, want.periods, want.period, want.missing, want.harm)
			}
			delete(alarms, alarm)
		}
		if len(alarms) > 0 {
			t.Errorf("%s has alarms that nobody has justified: %v", function, slices.Sorted(maps.Keys(alarms)))
		}
	}
}

// The dead-letter alarm's metrics have a period too, which is that of the rest.
func TestDeadLettersAreComparedWithFiveMinutesBefore(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"Repair", "Drain"} {
		for _, m := range plain.alarmsOf(function)["DeadLetterAlarm"]["Metrics"].([]any) {
			if period := at(m, "MetricStat", "Period"); at(m, "MetricStat") != nil && period != 300.0 {
				t.Errorf("%s: the period is %v s", function, period)
			}
		}
	}
}

func TestSilenceFollowsTheSweep(t *testing.T) {
	t.Parallel()
	for function, want := range map[string]float64{"Repair": 900, "Drain": 300} {
		if got := configured.alarmsOf(function)["SilenceAlarm"]["Period"]; got != want {
			t.Errorf("%s: the alarm counts invocations in %v s, want %v: it goes off between two sweeps, or late", function, got, want)
		}
	}
}

func TestAlarmsReachOperatorsAndEnd(t *testing.T) {
	t.Parallel()
	for topic, template := range map[string]template{"<Notices>": plain, alarmTopic: configured} {
		for id, alarm := range template.of("AWS::CloudWatch::Alarm") {
			if got := words(alarm.Properties["AlarmActions"]); got != topic {
				t.Errorf("%s goes to %q, want %s", id, got, topic)
			}
			if got := words(alarm.Properties["OKActions"]); got != topic {
				t.Errorf("%s ends without a notification, so that incidents stay open: %q, want %s", id, got, topic)
			}
			// Only silence has no other sign than missing data.
			want := ""
			if strings.Contains(id, "Silence") {
				want = topic
			}
			if got := words(orEmpty(alarm.Properties["InsufficientDataActions"])); got != want {
				t.Errorf("%s notifies of missing data %q, want %q", id, got, want)
			}
			if alarm.Properties["AlarmDescription"] == nil {
				t.Errorf("%s does not say what to do", id)
			}
			if alarm.Properties["ActionsEnabled"] == false {
				t.Errorf("%s has its actions off", id)
			}
			period, _ := alarm.Properties["Period"].(float64)
			times := alarm.Properties["EvaluationPeriods"].(float64)
			// CloudWatch user guide, "Evaluating an alarm": at most a day of periods
			// shorter than an hour, at most a week of others.
			if limit := map[bool]float64{true: 86400, false: 7 * 86400}[period < 3600]; period*times > limit {
				t.Errorf("%s looks back %v s, more than CloudWatch allows", id, period*times)
			}
		}
	}
}

// A stack that notifies nobody must not look as if it did.
func TestAStackWithoutASubscriberSaysSo(t *testing.T) {
	t.Parallel()
	if said := strings.Join(warnings["plain"], "\n"); !strings.Contains(said, "Nobody is subscribed") || !strings.Contains(said, "aws sns subscribe") {
		t.Errorf("the synthesis of a stack that nobody is subscribed to says %q", said)
	}
	if got := words(plain.Outputs[config.SubscribersOutput].Value); got != "nobody; aws sns subscribe --protocol email --notification-endpoint you@example.com --topic-arn <Notices>" {
		t.Errorf("the output says %q", got)
	}
	if len(warnings["configured"]) > 0 {
		t.Errorf("a stack with subscribers is warned of: %v", warnings["configured"])
	}
	if got := words(configured.Outputs[config.SubscribersOutput].Value); got != "ops@example.com, those of "+alarmTopic+" (alarms and what requires action)" {
		t.Errorf("the output says %q", got)
	}
}

func TestConfiguredAddressesAreSubscribed(t *testing.T) {
	t.Parallel()
	var addresses []string
	for _, s := range configured.of("AWS::SNS::Subscription") {
		if s.Properties["Protocol"] == "email" {
			addresses = append(addresses, words(s.Properties["Endpoint"])+" to "+words(s.Properties["TopicArn"]))
		}
	}
	if diff := cmp.Diff([]string{"ops@example.com to <Notices>"}, addresses); diff != "" {
		t.Errorf("nobody reads the notifications (-want +got):\n%s", diff)
	}
}

// What requires action goes to the alarm topic as well, so the functions must
// know it and be allowed to publish there; where both are one, once is enough.
func TestFunctionsMayPublishToTheAlarmTopic(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"Repair", "Drain"} {
		for _, tt := range []struct {
			template template
			variable string
			topics   []string
		}{{plain, "", []string{"<Notices>"}}, {configured, alarmTopic, []string{"<Notices>", alarmTopic}}} {
			if got := tt.template.environment(function)["ALARM_TOPIC_ARN"]; got != tt.variable {
				t.Errorf("%s gets ALARM_TOPIC_ARN=%s, want %s", function, got, tt.variable)
			}
			if diff := cmp.Diff(tt.topics, tt.template.statementsOf(function + "Role")["NotifyOperators"].Resources); diff != "" {
				t.Errorf("%s cannot notify, or may publish elsewhere (-want +got):\n%s", function, diff)
			}
		}
	}
}

func TestDashboardShowsTheFunctionsOwnMetrics(t *testing.T) {
	t.Parallel()
	if constructs.MetricNamespace != notice.Namespace {
		t.Errorf("the dashboard reads metrics in %s, and they are in %s", constructs.MetricNamespace, notice.Namespace)
	}
	body := words(plain.only("AWS::CloudWatch::Dashboard", "Dashboard").Properties["DashboardBody"])
	for _, function := range []string{"repair", "drain"} {
		if !strings.Contains(body, "{"+notice.Namespace+`,Function,Outcome} Function=\"`+function+`\"`) {
			t.Errorf("the dashboard does not show what %s did: %s", function, body)
		}
	}
}
