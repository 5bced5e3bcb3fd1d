package region

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// maxResourceTags is how many tags a resource has at most ("Tag naming limits and
// requirements", Tagging AWS Resources user guide).
const maxResourceTags = 50

// ListTagsForResource lists the tags of a deployment group.
func (v CodeDeploy) ListTagsForResource(ctx context.Context, in *codedeploy.ListTagsForResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListTagsForResourceOutput, error) {
	return cdCall(ctx, v.r, "ListTagsForResource", in, "ResourceArn NextToken", v.r.listDeploymentGroupTags)
}

// TagResource adds tags to a deployment group, or changes them.
func (v CodeDeploy) TagResource(ctx context.Context, in *codedeploy.TagResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.TagResourceOutput, error) {
	return cdCall(ctx, v.r, "TagResource", in, "ResourceArn Tags", v.r.tagDeploymentGroup)
}

// UntagResource removes tags from a deployment group.
func (v CodeDeploy) UntagResource(ctx context.Context, in *codedeploy.UntagResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.UntagResourceOutput, error) {
	return cdCall(ctx, v.r, "UntagResource", in, "ResourceArn TagKeys", v.r.untagDeploymentGroup)
}

// tagged finds the deployment group of an ARN.
func (r *Region) tagged(resource *string) (*deploymentGroup, error) {
	if aws.ToString(resource) == "" {
		return nil, &cd.ResourceArnRequiredException{Message: aws.String("The resource ARN is missing")}
	}
	names, ok := strings.CutPrefix(*resource, arn("codedeploy", "deploymentgroup:"))
	app, group, both := strings.Cut(names, "/")
	if !ok || !both {
		return nil, &cd.InvalidArnException{Message: aws.String("The ARN is not that of a deployment group: " + *resource)}
	}
	return r.deploymentGroup(&app, &group)
}

func (r *Region) listDeploymentGroupTags(in *codedeploy.ListTagsForResourceInput) (*codedeploy.ListTagsForResourceOutput, error) {
	g, err := r.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	var all []cd.Tag
	for _, key := range slices.Sorted(maps.Keys(g.tags)) {
		all = append(all, cd.Tag{Key: aws.String(key), Value: aws.String(g.tags[key])})
	}
	all, next, err := page(r, all, in.NextToken, 0, 100, badCodeDeployToken())
	if err != nil {
		return nil, err
	}
	return &codedeploy.ListTagsForResourceOutput{Tags: all, NextToken: next}, nil
}

func (r *Region) tagDeploymentGroup(in *codedeploy.TagResourceInput) (*codedeploy.TagResourceOutput, error) {
	g, err := r.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &codedeploy.TagResourceOutput{}, g.tag(in.Tags)
}

// tag adds tags, or refuses them all ("Tag naming limits and requirements").
func (g *deploymentGroup) tag(tags []cd.Tag) error {
	next := maps.Clone(g.tags)
	if next == nil {
		next = map[string]string{}
	}
	for _, t := range tags {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		if key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") {
			return &cd.InvalidTagsToAddException{Message: aws.String("The tag " + key + " is not valid")}
		}
		next[key] = value
	}
	if len(next) > maxResourceTags {
		return &cd.TagLimitExceededException{Message: aws.String("The maximum allowed number of tags was exceeded")}
	}
	g.tags = next
	return nil
}

func (r *Region) untagDeploymentGroup(in *codedeploy.UntagResourceInput) (*codedeploy.UntagResourceOutput, error) {
	g, err := r.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(g.tags, key)
	}
	return &codedeploy.UntagResourceOutput{}, nil
}
