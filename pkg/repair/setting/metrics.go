package setting

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/fleet"
)

const enableMetrics = "enable-metrics-collection"

// granularity is the only one there is (EnableMetricsCollection, Amazon EC2 Auto
// Scaling API Reference).
const granularity = "1Minute"

type metricsAPI interface {
	EnableMetricsCollection(context.Context, *autoscaling.EnableMetricsCollectionInput, ...func(*autoscaling.Options)) (*autoscaling.EnableMetricsCollectionOutput, error)
}

var _ metricsAPI = (*autoscaling.Client)(nil)

// metricsCollection are the group metrics that CloudWatch gets. Dashboards and
// alarms go blind without them.
var metricsCollection = Kind{
	Name:   enableMetrics,
	Writes: []string{"autoscaling:EnableMetricsCollection"},
	Items: func(g *fleet.AutoScalingGroup, _ any) []Item {
		var items []Item
		for _, m := range g.Described.EnabledMetrics {
			items = append(items, Item{Name: aws.ToString(m.Metric)})
		}
		slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
		return items
	},
	Diff: func(group string, want, got []Item) []Change {
		lost := names(missing(want, got))
		if len(lost) == 0 {
			return nil
		}
		return []Change{{Kind: enableMetrics, Group: group, Items: lost}}
	},
	Apply: func(ctx context.Context, client Client, c Change) error {
		_, err := client.(metricsAPI).EnableMetricsCollection(ctx, &autoscaling.EnableMetricsCollectionInput{
			AutoScalingGroupName: &c.Group, Granularity: aws.String(granularity), Metrics: c.Items,
		})
		return err
	},
	Say: func(c Change) string {
		return fmt.Sprintf("collect the metrics %s of %s", Join(c.Items), Plain(c.Group))
	},
}
