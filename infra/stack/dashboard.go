package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// newDashboard shows what a person looks at first when something seems wrong:
// whether the function runs, and whether anything waits or was given up.
func (s *hooks) newDashboard(repair *hookFunction) awscloudwatch.Dashboard {
	return awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		Widgets: &[]*[]awscloudwatch.IWidget{{
			graph("Repair: invocations and failures", repair.function.MetricInvocations(sum()), repair.function.MetricErrors(sum()), repair.function.MetricThrottles(sum())),
			graph("Repair: duration", repair.function.MetricDuration(statistic("p50")), repair.function.MetricDuration(statistic("Maximum"))),
		}, {
			graph("Repair: waiting messages", repair.queue.MetricApproximateNumberOfMessagesVisible(statistic("Maximum")), repair.queue.MetricApproximateNumberOfMessagesDelayed(statistic("Maximum"))),
			graph("Repair: given up", repair.deadLetters.MetricApproximateNumberOfMessagesVisible(statistic("Maximum"))),
		}},
	})
}

// graph is half a row of the dashboard.
func graph(title string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: &title, Left: &metrics, Width: jsii.Number(12),
	})
}

func sum() *awscloudwatch.MetricOptions { return statistic("Sum") }

func statistic(name string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: &name}
}
