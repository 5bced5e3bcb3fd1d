package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/repair/setting"
)

// inScope are the deployment groups in scope, sorted. What cannot be read is missing,
// unless nothing can be read.
func (r *Repairer) inScope(ctx context.Context) ([]Key, error) {
	applications, err := r.applications(ctx)
	if err != nil {
		return nil, err
	}
	found, unread := r.deploymentGroups(ctx, applications)
	if len(found) == 0 && len(unread) > 0 {
		return nil, errors.Join(unread...)
	}
	summaries, _, err := r.summaries(ctx, found)
	keys := make([]Key, len(summaries))
	for i, g := range summaries {
		keys[i] = g.Key
	}
	return keys, err
}

// applications are the applications in scope, sorted.
func (r *Repairer) applications(ctx context.Context) ([]string, error) {
	if len(r.cfg.Applications) > 0 {
		return slices.Sorted(slices.Values(r.cfg.Applications)), nil
	}
	var names []string
	pages := codedeploy.NewListApplicationsPaginator(r.clients.Deployments, &codedeploy.ListApplicationsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list applications: %w", err)
		}
		names = append(names, page.Applications...)
	}
	slices.Sort(names)
	return names, nil
}

// deploymentGroups finds the deployment groups of applications whose deployments copy
// an Auto Scaling group. An application that cannot be read is left out, and its
// error returned.
func (r *Repairer) deploymentGroups(ctx context.Context, applications []string) (found map[Key]DeploymentGroup, unread []error) {
	found = map[Key]DeploymentGroup{}
	var mu sync.Mutex // protects both
	var round errgroup.Group
	round.SetLimit(concurrency)
	for _, application := range applications {
		round.Go(func() error {
			groups, err := r.deploymentGroupsOf(ctx, application)
			mu.Lock()
			defer mu.Unlock()
			for k, g := range groups {
				if g.managed() {
					found[k] = g
				}
			}
			if err != nil && !fault.Is(err, fault.NotFound) { // deleted meanwhile
				unread = append(unread, err)
			}
			return nil
		})
	}
	_ = round.Wait() // each application has its own error
	return found, unread
}

// batchDeploymentGroupsLimit is how many names BatchGetDeploymentGroups takes
// (BatchLimitExceededException, AWS CodeDeploy API Reference).
const batchDeploymentGroupsLimit = 100

func (r *Repairer) deploymentGroupsOf(ctx context.Context, application string) (map[Key]DeploymentGroup, error) {
	found := map[Key]DeploymentGroup{}
	var names []string
	pages := codedeploy.NewListDeploymentGroupsPaginator(r.clients.Deployments, &codedeploy.ListDeploymentGroupsInput{ApplicationName: &application})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list deployment groups of %s: %w", setting.Plain(application), err)
		}
		names = append(names, page.DeploymentGroups...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !r.cfg.covers(Key{application, name}) })
	for chunk := range slices.Chunk(names, batchDeploymentGroupsLimit) {
		out, err := r.clients.Deployments.BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{
			ApplicationName: &application, DeploymentGroupNames: chunk,
		})
		if err != nil {
			return found, fmt.Errorf("get deployment groups of %s: %w", setting.Plain(application), err)
		}
		for _, info := range out.DeploymentGroupsInfo {
			found[Key{application, aws.ToString(info.DeploymentGroupName)}] = deploymentGroup(&info)
		}
	}
	return found, nil
}
