package region

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// granularity is the only one there is (API reference, EnableMetricsCollection).
const granularity = "1Minute"

// groupMetrics are the metrics that can be enabled (API reference,
// EnableMetricsCollection).
var groupMetrics = [...]string{
	"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
	"GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances",
	"GroupInServiceCapacity", "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity", "GroupTotalCapacity",
	"WarmPoolDesiredCapacity", "WarmPoolWarmedCapacity", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity", "WarmPoolTotalCapacity",
	"GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity",
}

// enableMetricsCollection adds to the metrics that are enabled: "If you
// specify Granularity and don't specify any metrics, all metrics are enabled"
// (API reference).
func (r *Region) enableMetricsCollection(in *autoscaling.EnableMetricsCollectionInput) (*autoscaling.EnableMetricsCollectionOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if aws.ToString(in.Granularity) != granularity {
		return nil, invalid("%q is not a valid metrics granularity: the only one is %s", aws.ToString(in.Granularity), granularity)
	}
	names, err := metricNames(in.Metrics)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !g.collects(name) {
			g.config.EnabledMetrics = append(g.config.EnabledMetrics, asg.EnabledMetric{Metric: aws.String(name), Granularity: aws.String(granularity)})
		}
	}
	return &autoscaling.EnableMetricsCollectionOutput{}, nil
}

// disableMetricsCollection: "If you omit this property, all metrics are
// disabled" (API reference).
func (r *Region) disableMetricsCollection(in *autoscaling.DisableMetricsCollectionInput) (*autoscaling.DisableMetricsCollectionOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := metricNames(in.Metrics)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(g.config.EnabledMetrics), func(m asg.EnabledMetric) bool { return slices.Contains(names, *m.Metric) })
	g.config.EnabledMetrics = kept
	return &autoscaling.DisableMetricsCollectionOutput{}, nil
}

func (g *group) collects(name string) bool {
	return slices.ContainsFunc(g.config.EnabledMetrics, func(m asg.EnabledMetric) bool { return *m.Metric == name })
}

func metricNames(names []string) ([]string, error) {
	if len(names) == 0 {
		return groupMetrics[:], nil
	}
	for _, name := range names {
		if !slices.Contains(groupMetrics[:], name) {
			return nil, invalid("%s is not a valid metric name", name)
		}
	}
	return names, nil
}
