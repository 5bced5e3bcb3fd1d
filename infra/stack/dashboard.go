package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// MetricNamespace is the CloudWatch namespace of the functions' own metrics. It
// is theirs to choose; a test holds it to pkg/notice.
const MetricNamespace = "deployhooks"

// newDashboard shows what a person looks at first when something seems wrong:
// for each function what it did, whether it runs, and whether anything waits or
// was given up.
func (s *hooks) newDashboard(functions ...*hookFunction) awscloudwatch.Dashboard {
	var rows []*[]awscloudwatch.IWidget
	for _, f := range functions {
		for _, row := range f.graphs() {
			rows = append(rows, &row)
		}
	}
	return awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{Widgets: &rows})
}

// graphs are a function's rows of the dashboard.
func (h *hookFunction) graphs() [][]awscloudwatch.IWidget {
	title := strings.ToUpper(h.props.name[:1]) + h.props.name[1:] + ": "
	return [][]awscloudwatch.IWidget{{
		graph(title+"outcomes", outcomes(h.props.name)),
		graph(title+"given up", h.deadLetters.MetricApproximateNumberOfMessagesVisible(statistic("Maximum"))),
	}, {
		graph(title+"invocations and failures",
			h.function.MetricInvocations(statistic("Sum")),
			h.function.MetricErrors(statistic("Sum")),
			h.function.MetricThrottles(statistic("Sum"))),
		graph(title+"duration",
			h.function.MetricDuration(statistic("p50")),
			h.function.MetricDuration(statistic("Maximum"))),
	}, {
		graph(title+"waiting messages",
			h.queue.MetricApproximateNumberOfMessagesVisible(statistic("Maximum")),
			h.queue.MetricApproximateNumberOfMessagesDelayed(statistic("Maximum"))),
		graph(title+"age of the oldest message",
			h.queue.MetricApproximateAgeOfOldestMessage(statistic("Maximum"))),
	}}
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
