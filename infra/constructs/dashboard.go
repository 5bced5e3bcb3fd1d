package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// MetricNamespace is the CloudWatch namespace of the functions' own metrics. A
// test compares it with pkg/notice.
const MetricNamespace = "deployhooks"

// newDashboard shows what operators read first when something seems wrong: for
// each function what it did, whether it runs, and whether anything waits or
// failed.
func (h *DeploymentHooks) newDashboard() awscloudwatch.Dashboard {
	var rows []*[]awscloudwatch.IWidget
	for _, f := range h.in.functions {
		for _, row := range f.graphs(*f.Node().Id()) {
			rows = append(rows, &row)
		}
	}
	return awscloudwatch.NewDashboard(h, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{Widgets: &rows})
}

// graphs are a function's rows of the dashboard.
func (f *QueuedFunction) graphs(name string) [][]awscloudwatch.IWidget {
	title := name + ": "
	return [][]awscloudwatch.IWidget{{
		graph(title+"outcomes", outcomes(strings.ToLower(name))),
		graph(title+"dead letters", f.DeadLetters.MetricApproximateNumberOfMessagesVisible(statistic("Maximum"))),
	}, {
		graph(title+"invocations and failures",
			f.Function.MetricInvocations(statistic("Sum")),
			f.Function.MetricErrors(statistic("Sum")),
			f.Function.MetricThrottles(statistic("Sum"))),
		graph(title+"duration",
			f.Function.MetricDuration(statistic("p50")),
			f.Function.MetricDuration(statistic("Maximum"))),
	}, {
		graph(title+"waiting messages",
			f.Queue.MetricApproximateNumberOfMessagesVisible(statistic("Maximum")),
			f.Queue.MetricApproximateNumberOfMessagesDelayed(statistic("Maximum"))),
		graph(title+"age of the oldest message",
			f.Queue.MetricApproximateAgeOfOldestMessage(statistic("Maximum"))),
	}}
}

// outcomes is a line per outcome that the function has had. A search finds them,
// because the function decides which outcomes there are.
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
