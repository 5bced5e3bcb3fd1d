package setting

import (
	"testing"

	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func TestMetricsCollection(t *testing.T) {
	collects := func(metrics ...string) (d described) {
		for _, m := range metrics {
			d.group.Described.EnabledMetrics = append(d.group.Described.EnabledMetrics, autoscalingtypes.EnabledMetric{Metric: &m})
		}
		return d
	}
	testKind(t, metricsCollection, map[string]kindCase{
		"a copy without metrics": {
			collects("GroupTotalInstances", "GroupDesiredCapacity"), collects(),
			[]string{"collect the metrics GroupDesiredCapacity, GroupTotalInstances of green"}, "dashboards and alarms go blind",
		},
		"a copy with one of them": {
			collects("GroupTotalInstances", "GroupDesiredCapacity"), collects("GroupTotalInstances"),
			[]string{"collect the metrics GroupDesiredCapacity of green"}, "an alarm goes blind",
		},
	})
}
