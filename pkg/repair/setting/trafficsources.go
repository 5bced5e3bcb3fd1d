package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/fleet"
)

// attachLimit is how many traffic sources AttachTrafficSources takes (Amazon EC2
// Auto Scaling API Reference).
const attachLimit = 10

// TrafficSources names the kind of the traffic sources. What a group should have
// of them says the deployment group, besides the baseline.
const TrafficSources = "attach-traffic-sources"

type trafficSourcesAPI interface {
	AttachTrafficSources(context.Context, *autoscaling.AttachTrafficSourcesInput, ...func(*autoscaling.Options)) (*autoscaling.AttachTrafficSourcesOutput, error)
}

var _ trafficSourcesAPI = (*autoscaling.Client)(nil)

var trafficSources = Kind{
	Name:   TrafficSources,
	Writes: []string{"autoscaling:AttachTrafficSources"},
	Items:  func(g *fleet.AutoScalingGroup, _ any) []Item { return SourceItems(g.Sources) },
	Diff:   diffSources,
	Apply:  attach,
	Say: func(c Change) string {
		return fmt.Sprintf("attach %s to %s", Join(c.Items), Plain(c.Group))
	},
}

// SourceItems are traffic sources as items.
func SourceItems(sources []fleet.TrafficSource) []Item {
	var items []Item
	for _, s := range sources {
		items = append(items, item(s.Type+" "+s.ID, s))
	}
	return items
}

// Sources are the traffic sources of a snapshot.
func (s Snapshot) Sources() []fleet.TrafficSource {
	var sources []fleet.TrafficSource
	for _, i := range s[TrafficSources] {
		var source fleet.TrafficSource
		if json.Unmarshal(i.Data, &source) == nil {
			sources = append(sources, source)
		}
	}
	return sources
}

// diffSources makes one change of at most ten sources for each type: a call takes
// one type only.
func diffSources(group string, want, got []Item) []Change {
	lost := Snapshot{TrafficSources: missing(want, got)}.Sources()
	slices.SortFunc(lost, fleet.CompareTrafficSources)
	var changes []Change
	for _, kind := range []string{fleet.ELBV2, fleet.ClassicELB, fleet.VPCLattice} {
		same := slices.DeleteFunc(slices.Clone(lost), func(s fleet.TrafficSource) bool { return s.Type != kind })
		for chunk := range slices.Chunk(same, attachLimit) {
			c := Change{Kind: TrafficSources, Group: group}
			for _, s := range chunk {
				c.Items, c.Data = append(c.Items, s.String()), append(c.Data, item("", s).Data)
			}
			changes = append(changes, c)
		}
	}
	return changes
}

// SourcesOf are the traffic sources that a change is about.
func SourcesOf(c Change) []fleet.TrafficSource {
	var items []Item
	for _, data := range c.Data {
		items = append(items, Item{Data: data})
	}
	return Snapshot{TrafficSources: items}.Sources()
}

func attach(ctx context.Context, client Client, c Change) error {
	in := &autoscaling.AttachTrafficSourcesInput{AutoScalingGroupName: &c.Group}
	for _, s := range SourcesOf(c) {
		in.TrafficSources = append(in.TrafficSources, autoscalingtypes.TrafficSourceIdentifier{Identifier: &s.ID, Type: &s.Type})
	}
	_, err := client.(trafficSourcesAPI).AttachTrafficSources(ctx, in)
	return err
}
