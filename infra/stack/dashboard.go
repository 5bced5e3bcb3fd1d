package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// MetricNamespace is the CloudWatch namespace of the functions' own metrics. It
// is theirs to choose; a test holds it to pkg/notice.
const MetricNamespace = "deployhooks"

// newDashboard shows what a person looks at first when something seems wrong:
// what the hooks did, whether they run, and whether anything waits or was
// given up.
func (s *hooks) newDashboard(repair *hookFunction) awscloudwatch.Dashboard {
	return awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		Widgets: &[]*[]awscloudwatch.IWidget{{
			graph("Repair: outcomes", outcomes("repair")),
			graph("Repair: given up", repair.deadLetters.MetricApproximateNumberOfMessagesVisible(statistic("Maximum"))),
		}, {
			graph("Repair: invocations and failures",
				repair.function.MetricInvocations(statistic("Sum")),
				repair.function.MetricErrors(statistic("Sum")),
				repair.function.MetricThrottles(statistic("Sum"))),
			graph("Repair: duration",
				repair.function.MetricDuration(statistic("p50")),
				repair.function.MetricDuration(statistic("Maximum"))),
		}, {
			graph("Repair: waiting messages",
				repair.queue.MetricApproximateNumberOfMessagesVisible(statistic("Maximum")),
				repair.queue.MetricApproximateNumberOfMessagesDelayed(statistic("Maximum"))),
			graph("Repair: age of the oldest message",
				repair.queue.MetricApproximateAgeOfOldestMessage(statistic("Maximum"))),
		}},
	})
}

// outcomes is a line per outcome that the function has had. A search finds
// them, because which outcomes there are is the function's business.
func outcomes(function string) awscloudwatch.IMetric {
	search := "SEARCH('{" + MetricNamespace + `,Function,Outcome} Function="` + function + `"', 'Sum', 300)`
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: &search, UsingMetrics: &map[string]awscloudwatch.IMetric{}, Label: jsii.String(""),
	})
}

// graph is half a row of the dashboard.
func graph(title string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: &title, Left: &metrics, Width: jsii.Number(12),
	})
}

func statistic(name string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: &name}
}
