package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// releases are the deployments in progress, the latest first.
func (m *Manager) releases(ctx context.Context, id ID, current []string) (all []Release, err error) {
	pages := codedeploy.NewListDeploymentsPaginator(m.clients.Deployments, &codedeploy.ListDeploymentsInput{
		ApplicationName: &id.Application, DeploymentGroupName: &id.Group,
		IncludeOnlyStatuses: []cd.DeploymentStatus{cd.DeploymentStatusCreated, cd.DeploymentStatusQueued, cd.DeploymentStatusInProgress, cd.DeploymentStatusBaking, cd.DeploymentStatusReady},
	})
	var ids []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, page.Deployments...)
	}
	infos, err := m.deployments(ctx, ids)
	for _, d := range infos {
		creator := strings.ToLower(string(d.Creator)) // spelt in two ways in the documentation
		if strings.HasPrefix(creator, "autoscaling") {
			continue
		}
		release := Release{ID: aws.ToString(d.DeploymentId), Replacement: replacement(d)}
		release.Rerouted = d.InstanceTerminationWaitTimeStarted ||
			slices.ContainsFunc(current, func(name string) bool { return slices.Contains(release.Replacement, name) })
		all = append(all, release)
	}
	return all, err
}

// replacement are the Auto Scaling groups that a deployment made.
func replacement(d cd.DeploymentInfo) []string {
	if d.TargetInstances == nil {
		return nil
	}
	return d.TargetInstances.AutoScalingGroups
}

// deployments reads deployments by their IDs; those that CodeDeploy does not know are
// missing.
func (m *Manager) deployments(ctx context.Context, ids []string) (all []cd.DeploymentInfo, err error) {
	for chunk := range slices.Chunk(ids, maxDeployments) {
		out, err := m.clients.Deployments.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: chunk})
		if err != nil {
			return nil, fmt.Errorf("read deployments: %w", err)
		}
		all = append(all, out.DeploymentsInfo...)
	}
	return all, nil
}

// settlesWithin is how long after its end a release may settle: CodeDeploy may report success
// before the termination wait (assumed). Later on, the deployment group names another Auto
// Scaling group because somebody has it do so.
const settlesWithin = maxWait*time.Minute + time.Hour

// settling adds releases that are over, and whose replacement the deployment group does not
// name yet: newer copies than the Auto Scaling groups that it names.
func (m *Manager) settling(ctx context.Context, id ID, g *Group, o *Observation) error {
	if g == nil {
		return nil
	}
	named := time.Time{}
	for _, name := range g.AutoScalingGroups {
		if a := o.AutoScaling[name]; a != nil && a.Created.After(named) {
			named = a.Created
		}
	}
	made, err := m.made(ctx, ownedBy(id))
	maps.DeleteFunc(made, func(name string, a *AutoScaling) bool {
		inRelease := slices.ContainsFunc(g.Releases, func(release Release) bool { return slices.Contains(release.Replacement, name) })
		return inRelease || slices.Contains(g.AutoScalingGroups, name) || a.Deleting || !a.Created.After(named)
	})
	if err != nil || len(made) == 0 {
		return err
	}
	infos, err := m.deployments(ctx, deploymentsOf(made))
	for _, d := range infos {
		if d.Status != cd.DeploymentStatusSucceeded || m.now().Sub(aws.ToTime(d.CompleteTime)) > settlesWithin || (ID{aws.ToString(d.ApplicationName), aws.ToString(d.DeploymentGroupName)}) != id {
			continue
		}
		for _, name := range replacement(d) {
			if made[name] != nil {
				o.AutoScaling[name] = made[name]
				g.Releases = append(g.Releases, Release{ID: aws.ToString(d.DeploymentId), Replacement: []string{name}, Rerouted: true, Over: true})
			}
		}
	}
	return err
}
