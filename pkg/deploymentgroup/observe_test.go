package deploymentgroup

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/fleet"
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

// One tag that is no deployment's ID would have CodeDeploy refuse the whole call, and no deletion
// would succeed any more.
func TestDeploymentsOfTags(t *testing.T) {
	made := map[string]*AutoScaling{}
	for _, tag := range []string{"d-2AB", "d-1CD", "d-2AB", "by hand", "d-1cd", ""} {
		made[string(rune('a'+len(made)))] = &AutoScaling{Tags: map[string]string{fleet.ProvisioningTag: tag}}
	}
	if got := deploymentsOf(made); !slices.Equal(got, []string{"d-1CD", "d-2AB"}) {
		t.Errorf("asked about are %q", got)
	}
}

// A group that is being deleted takes no change, and no deployment group begins with it.
func TestGroupThatIsBeingDeleted(t *testing.T) {
	if !autoScaling(asg.AutoScalingGroup{Status: aws.String("Delete in progress")}).Deleting || autoScaling(asg.AutoScalingGroup{}).Deleting {
		t.Error("what is being deleted is taken for what serves, or the other way round")
	}
}

// listing remembers which deployments are asked for.
type listing struct {
	Deployments
	asked *[]cd.DeploymentStatus
}

func (l listing) ListDeployments(_ context.Context, in *codedeploy.ListDeploymentsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentsOutput, error) {
	*l.asked = in.IncludeOnlyStatuses
	return &codedeploy.ListDeploymentsOutput{}, nil
}

// A deployment is in progress in every status that is no end: a deletion that overlooks one
// leaves what it copies.
func TestReleasesOfEveryStatus(t *testing.T) {
	var asked []cd.DeploymentStatus
	m := &Manager{clients: Clients{Deployments: listing{asked: &asked}}}
	if _, err := m.releases(t.Context(), ID{"shop", "web"}, nil); err != nil {
		t.Fatal(err)
	}
	ends := []cd.DeploymentStatus{cd.DeploymentStatusSucceeded, cd.DeploymentStatusFailed, cd.DeploymentStatusStopped}
	for _, status := range cd.DeploymentStatus("").Values() {
		if slices.Contains(asked, status) == slices.Contains(ends, status) {
			t.Errorf("%s: asked for are %v", status, asked)
		}
	}
}
