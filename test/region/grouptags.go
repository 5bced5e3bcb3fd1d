package region

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// matches applies the tag filters; all of them must match.
func (g *group) matches(filters []asg.Filter) (bool, error) {
	for _, f := range filters {
		name := aws.ToString(f.Name)
		some := func(matches func(asg.Tag) bool) bool {
			return slices.ContainsFunc(sorted(g.tags), matches)
		}
		var ok bool
		switch key, isKey := strings.CutPrefix(name, "tag:"); {
		case isKey:
			ok = some(func(t asg.Tag) bool {
				return aws.ToString(t.Key) == key && slices.Contains(f.Values, aws.ToString(t.Value))
			})
		case name == "tag-key":
			ok = some(func(t asg.Tag) bool { return slices.Contains(f.Values, aws.ToString(t.Key)) })
		case name == "tag-value":
			ok = some(func(t asg.Tag) bool { return slices.Contains(f.Values, aws.ToString(t.Value)) })
		default:
			return false, invalid("Filter type %s is not correct", name)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

func (r *Region) createOrUpdateTags(in *autoscaling.CreateOrUpdateTagsInput) (*autoscaling.CreateOrUpdateTagsOutput, error) {
	for _, t := range in.Tags {
		if kind := aws.ToString(t.ResourceType); kind != groupResource {
			return nil, invalid("%q is not a valid resource type: it must be %s", kind, groupResource)
		}
		if _, err := r.group(t.ResourceId); err != nil {
			return nil, err
		}
	}
	for _, t := range in.Tags {
		r.groups[*t.ResourceId].tags[aws.ToString(t.Key)] = t
	}
	return &autoscaling.CreateOrUpdateTagsOutput{}, nil
}
