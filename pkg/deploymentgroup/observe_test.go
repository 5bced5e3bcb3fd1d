package deploymentgroup

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// pagedTags answers with one tag a page.
type pagedTags struct{ Deployments }

func (pagedTags) ListTagsForResource(_ context.Context, in *codedeploy.ListTagsForResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListTagsForResourceOutput, error) {
	if in.NextToken == nil {
		return &codedeploy.ListTagsForResourceOutput{Tags: []cd.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}, NextToken: aws.String("2")}, nil
	}
	return &codedeploy.ListTagsForResourceOutput{Tags: []cd.Tag{{Key: aws.String(stackTag), Value: aws.String("stack")}}}, nil
}

// Which stack owns a deployment group may be on the second page.
func TestTagsOfAllPages(t *testing.T) {
	m := &Manager{clients: Clients{Deployments: pagedTags{}}}
	if tags, err := m.tags(t.Context(), "arn"); err != nil || tags["team"] != "shop" || tags[stackTag] != "stack" {
		t.Errorf("got %v, %v: a stack refuses its own deployment group, or takes another's", tags, err)
	}
}
