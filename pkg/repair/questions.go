package repair

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// One question to AWS each; observe.go says when which is asked.

// inProgress are the states of a deployment that has not ended (DeploymentInfo, AWS
// CodeDeploy API Reference).
var inProgress = []codedeploytypes.DeploymentStatus{
	codedeploytypes.DeploymentStatusCreated, codedeploytypes.DeploymentStatusQueued, codedeploytypes.DeploymentStatusInProgress,
	codedeploytypes.DeploymentStatusBaking, codedeploytypes.DeploymentStatusReady,
}

func (r *Repairer) deploymentGroup(ctx context.Context, k Key) (DeploymentGroup, error) {
	out, err := r.clients.Deployments.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{
		ApplicationName: &k.Application, DeploymentGroupName: &k.DeploymentGroup,
	})
	if err != nil {
		return DeploymentGroup{}, fmt.Errorf("get deployment group %s: %w", k, err)
	}
	return deploymentGroup(out.DeploymentGroupInfo), nil
}

func deploymentGroup(info *codedeploytypes.DeploymentGroupInfo) DeploymentGroup {
	info = cmp.Or(info, &codedeploytypes.DeploymentGroupInfo{})
	style := cmp.Or(info.DeploymentStyle, &codedeploytypes.DeploymentStyle{})
	blueGreen := cmp.Or(info.BlueGreenDeploymentConfiguration, &codedeploytypes.BlueGreenDeploymentConfiguration{})
	green := cmp.Or(blueGreen.GreenFleetProvisioningOption, &codedeploytypes.GreenFleetProvisioningOption{})
	blue := cmp.Or(blueGreen.TerminateBlueInstancesOnDeploymentSuccess, &codedeploytypes.BlueInstanceTerminationOption{})
	balancers := cmp.Or(info.LoadBalancerInfo, &codedeploytypes.LoadBalancerInfo{})
	g := DeploymentGroup{
		ID:              aws.ToString(info.DeploymentGroupId),
		Platform:        string(cmp.Or(info.ComputePlatform, codedeploytypes.ComputePlatformServer)), // groups older than the field do not have it
		BlueGreen:       style.DeploymentType == codedeploytypes.DeploymentTypeBlueGreen,
		Copies:          green.Action == codedeploytypes.GreenFleetProvisioningActionCopyAutoScalingGroup,
		Stays:           blue.Action == codedeploytypes.InstanceActionKeepAlive,
		TerminationWait: time.Duration(blue.TerminationWaitTimeInMinutes) * time.Minute,
		Last:            aws.ToString(cmp.Or(info.LastAttemptedDeployment, &codedeploytypes.LastDeploymentInfo{}).DeploymentId),
		Success:         aws.ToString(cmp.Or(info.LastSuccessfulDeployment, &codedeploytypes.LastDeploymentInfo{}).DeploymentId),
	}
	for _, a := range info.AutoScalingGroups {
		g.Groups = append(g.Groups, aws.ToString(a.Name))
	}
	for _, t := range balancers.TargetGroupInfoList {
		g.TargetGroups = append(g.TargetGroups, aws.ToString(t.Name))
	}
	for _, e := range balancers.ElbInfoList {
		g.Classic = append(g.Classic, aws.ToString(e.Name))
	}
	return g
}

// batchDeploymentsLimit is how many IDs BatchGetDeployments takes (AWS CodeDeploy
// API Reference).
const batchDeploymentsLimit = 25

// deployments reads deployments by ID. One that CodeDeploy does not know, or whose
// ID can be none, is nil in the answer.
func (r *Repairer) deployments(ctx context.Context, ids []string) (map[string]*Deployment, error) {
	found := map[string]*Deployment{}
	var mu sync.Mutex
	round, ctx := errgroup.WithContext(ctx)
	for _, id := range ids {
		found[id] = nil
	}
	for chunk := range slices.Chunk(ids, batchDeploymentsLimit) {
		round.Go(func() error {
			infos, err := r.deploymentInfos(ctx, chunk)
			mu.Lock()
			defer mu.Unlock()
			for _, info := range infos {
				found[aws.ToString(info.DeploymentId)] = deployment(info)
			}
			return err
		})
	}
	return found, round.Wait()
}

func (r *Repairer) deploymentInfos(ctx context.Context, ids []string) ([]codedeploytypes.DeploymentInfo, error) {
	if len(ids) > 1 {
		out, err := r.clients.Deployments.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: ids})
		switch {
		case err == nil:
			return out.DeploymentsInfo, nil
		case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid):
			return nil, fmt.Errorf("get deployments %s: %w", strings.Join(ids, ", "), err)
		}
		// One wrong ID failed them all: search for it.
		half := len(ids) / 2
		first, err := r.deploymentInfos(ctx, ids[:half])
		if err != nil {
			return nil, err
		}
		second, err := r.deploymentInfos(ctx, ids[half:])
		return append(first, second...), err
	}
	out, err := r.clients.Deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &ids[0]})
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get deployment %s: %w", ids[0], err)
	case out.DeploymentInfo == nil:
		return nil, nil
	}
	out.DeploymentInfo.DeploymentId = &ids[0]
	return []codedeploytypes.DeploymentInfo{*out.DeploymentInfo}, nil
}

func deployment(info codedeploytypes.DeploymentInfo) *Deployment {
	return &Deployment{
		ID:        aws.ToString(info.DeploymentId),
		Over:      !slices.Contains(inProgress, info.Status),
		Succeeded: info.Status == codedeploytypes.DeploymentStatusSucceeded,
		Ready:     info.Status == codedeploytypes.DeploymentStatusReady,
		Waiting:   info.InstanceTerminationWaitTimeStarted,
		Created:   aws.ToTime(info.CreateTime),
		Ended:     aws.ToTime(info.CompleteTime),
		// "autoscaling" and "autoscalingTermination" by the API reference, spelt
		// autoScaling elsewhere.
		ByAutoScaling: strings.HasPrefix(strings.ToLower(string(info.Creator)), "autoscaling") ||
			info.Creator == codedeploytypes.DeploymentCreatorCodeDeployAutoUpdate, // to instances launched with an older revision
		Undoes:      aws.ToString(cmp.Or(info.RollbackInfo, &codedeploytypes.RollbackInfo{}).RollbackTriggeringDeploymentId),
		Replacement: cmp.Or(info.TargetInstances, &codedeploytypes.TargetInstances{}).AutoScalingGroups,
	}
}

func (r *Repairer) listInProgress(ctx context.Context, k Key) ([]string, error) {
	return r.list(ctx, &codedeploy.ListDeploymentsInput{ApplicationName: &k.Application, DeploymentGroupName: &k.DeploymentGroup, IncludeOnlyStatuses: inProgress})
}

// listSucceeded lists the deployments that were created since a time and have
// succeeded.
func (r *Repairer) listSucceeded(ctx context.Context, k Key, since time.Time) ([]string, error) {
	return r.list(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: &k.Application, DeploymentGroupName: &k.DeploymentGroup,
		IncludeOnlyStatuses: []codedeploytypes.DeploymentStatus{codedeploytypes.DeploymentStatusSucceeded},
		CreateTimeRange:     &codedeploytypes.TimeRange{Start: &since},
	})
}

func (r *Repairer) list(ctx context.Context, in *codedeploy.ListDeploymentsInput) ([]string, error) {
	ids := []string{} // not nil: it was asked
	pages := codedeploy.NewListDeploymentsPaginator(r.clients.Deployments, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list deployments of %s/%s: %w", aws.ToString(in.ApplicationName), aws.ToString(in.DeploymentGroupName), err)
		}
		ids = append(ids, page.Deployments...)
	}
	return ids, nil
}

// deployedTo are the states of a target that has got the revision, or is getting it
// (ListDeploymentTargets, AWS CodeDeploy API Reference). A green instance is Ready
// until traffic is rerouted to it.
var deployedTo = []string{
	string(codedeploytypes.TargetStatusSucceeded), string(codedeploytypes.TargetStatusReady), string(codedeploytypes.TargetStatusInProgress),
}

// revised are the instances that a deployment deployed to. That it cannot be asked
// keeps nothing from being repaired.
func (r *Repairer) revised(ctx context.Context, id string) (revised Revised) {
	in := &codedeploy.ListDeploymentTargetsInput{
		DeploymentId: &id, TargetFilters: map[string][]string{string(codedeploytypes.TargetFilterNameTargetStatus): deployedTo},
	}
	for { // the SDK has no paginator for it
		out, err := r.clients.Deployments.ListDeploymentTargets(ctx, in)
		if err != nil {
			return Revised{Err: fmt.Errorf("list targets of deployment %s: %w", id, err)}
		}
		revised.Instances = append(revised.Instances, out.TargetIds...)
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return revised
		}
	}
}

// groups reads Auto Scaling groups by name. One that does not exist, or is being
// deleted, is nil in the answer.
func (r *Repairer) groups(ctx context.Context, names []string) (map[string]*fleet.AutoScalingGroup, error) {
	found, err := fleet.AutoScalingGroups(ctx, r.clients.Groups, names...)
	for _, name := range names {
		if g := found[name]; err == nil && (g == nil || g.Deleting) {
			found[name] = nil
		}
	}
	return found, err
}

func (r *Repairer) details(ctx context.Context, name string) (d Details, err error) {
	round, ctx := errgroup.WithContext(ctx)
	round.Go(func() (err error) {
		d.States, err = fleet.TrafficSources(ctx, r.clients.Groups, name)
		return err
	})
	round.Go(func() (err error) {
		d.Fetched, err = setting.Fetch(ctx, r.clients.Groups, name)
		return err
	})
	return d, round.Wait()
}

// targetsOf reads a target group whose ARN is known. If it is gone, another may
// have been made under its name since.
func (r *Repairer) targetsOf(ctx context.Context, arn string) ([]TargetGroup, []string, error) {
	targets, exists, err := fleet.Targets(ctx, r.clients.Balancers, arn)
	if err != nil {
		return nil, nil, err
	}
	name := fleet.TargetGroupName(arn)
	if !exists {
		return r.targetGroups(ctx, name)
	}
	return []TargetGroup{{fleet.TargetGroup{ARN: arn, Name: name, TargetType: fleet.InstanceTargets}, targets}}, nil, nil
}

// targetGroups finds target groups by name and reads each.
func (r *Repairer) targetGroups(ctx context.Context, names ...string) (found []TargetGroup, missing []string, err error) {
	groups, missing, err := fleet.TargetGroups(ctx, r.clients.Balancers, names...)
	if err != nil {
		return nil, nil, err
	}
	found = make([]TargetGroup, len(groups))
	round, ctx := errgroup.WithContext(ctx)
	for i, g := range groups {
		found[i].TargetGroup = g
		if g.TargetType == fleet.InstanceTargets {
			round.Go(func() (err error) {
				found[i].Targets, _, err = fleet.Targets(ctx, r.clients.Balancers, g.ARN)
				return err
			})
		}
	}
	return found, missing, round.Wait()
}
