package setting

import (
	"context"
	"fmt"

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

// metricsCollection are the group metrics that CloudWatch gets. Dashboards and
// alarms go blind without them.
var metricsCollection = Kind{
	Name:    enableMetrics,
	Actions: []string{"autoscaling:EnableMetricsCollection"},
	Items: func(g *fleet.AutoScalingGroup, _ any) []Item {
		var items []Item
		for _, m := range g.Metrics {
			items = append(items, Item{Name: m})
		}
		return items
	},
	Diff: func(group string, want, got []Item) []Change {
		lost := names(missing(want, got))
		if len(lost) == 0 {
			return nil
		}
		return []Change{{Kind: enableMetrics, Group: group, Items: lost}}
	},
	Apply: func(ctx context.Context, api API, c Change) error {
		_, err := api.EnableMetricsCollection(ctx, &autoscaling.EnableMetricsCollectionInput{
			AutoScalingGroupName: &c.Group, Granularity: aws.String(granularity), Metrics: c.Items,
		})
		return err
	},
	Say: func(c Change) string {
		return fmt.Sprintf("collect the metrics %s of %s", Join(c.Items), Plain(c.Group))
	},
}
