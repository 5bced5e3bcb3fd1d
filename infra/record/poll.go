package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// seen is what is asked about: it only grows, so that what a release removes is still
// asked about afterwards.
type seen struct {
	groups       []string // names of Auto Scaling groups
	targetGroups []string // ARNs
	deployments  []string
}

func add(to *[]string, some ...string) {
	for _, s := range some {
		if s != "" && !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
}

// poll asks AWS once for everything.
func (r *recorder) poll(ctx context.Context) error {
	group, err := r.deployments.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &r.application, DeploymentGroupName: &r.deploymentGroup})
	if err != nil {
		return fmt.Errorf("read the deployment group %s/%s: %w", r.application, r.deploymentGroup, err)
	}
	info := group.DeploymentGroupInfo
	for _, g := range info.AutoScalingGroups {
		add(&r.seen.groups, aws.ToString(g.Name))
	}
	for _, last := range []*codedeploytypes.LastDeploymentInfo{info.LastAttemptedDeployment, info.LastSuccessfulDeployment} {
		if last != nil {
			add(&r.seen.deployments, aws.ToString(last.DeploymentId))
		}
	}
	err = r.answer("codedeploy", "GetDeploymentGroup", r.deploymentGroup, group.DeploymentGroupInfo)
	return errors.Join(err, r.pollDeployments(ctx), r.pollGroups(ctx), r.pollTargets(ctx))
}

// pollDeployments reads the deployments that have not ended, and those that did once more.
func (r *recorder) pollDeployments(ctx context.Context) error {
	listed, err := r.deployments.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: &r.application, DeploymentGroupName: &r.deploymentGroup,
		IncludeOnlyStatuses: []codedeploytypes.DeploymentStatus{
			codedeploytypes.DeploymentStatusCreated, codedeploytypes.DeploymentStatusQueued, codedeploytypes.DeploymentStatusInProgress,
			codedeploytypes.DeploymentStatusBaking, codedeploytypes.DeploymentStatusReady,
		},
	})
	if err != nil {
		return fmt.Errorf("list deployments: %w", err)
	}
	add(&r.seen.deployments, listed.Deployments...)
	for _, id := range r.seen.deployments {
		out, err := r.deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if err != nil {
			return fmt.Errorf("read deployment %s: %w", id, err)
		}
		if at := out.DeploymentInfo.CompleteTime; at != nil && at.Before(r.begin) {
			continue // of an earlier release
		}
		if err := r.answer("codedeploy", "GetDeployment", id, out.DeploymentInfo); err != nil {
			return err
		}
		if err := r.pollDeploymentTargets(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) pollDeploymentTargets(ctx context.Context, deployment string) error {
	var ids []string
	var token *string
	for {
		page, err := r.deployments.ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{DeploymentId: &deployment, NextToken: token})
		if err != nil {
			return fmt.Errorf("list targets of deployment %s: %w", deployment, err)
		}
		ids = append(ids, page.TargetIds...)
		if token = page.NextToken; aws.ToString(token) == "" {
			break
		}
	}
	const most = 25 // (CodeDeploy API Reference, BatchGetDeploymentTargets)
	for some := range slices.Chunk(ids, most) {
		out, err := r.deployments.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{DeploymentId: &deployment, TargetIds: some})
		if err != nil {
			return fmt.Errorf("read targets of deployment %s: %w", deployment, err)
		}
		if err := r.answer("codedeploy", "BatchGetDeploymentTargets", deployment+" "+some[0], out.DeploymentTargets); err != nil {
			return err
		}
	}
	return nil
}

// pollGroups reads the deployment group's Auto Scaling groups, and the copies that
// CodeDeploy makes of them, which it names CodeDeploy_<deployment group>_<deployment>.
func (r *recorder) pollGroups(ctx context.Context) error {
	present := map[string]autoscalingtypes.AutoScalingGroup{}
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(r.groups, &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read Auto Scaling groups: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			name := aws.ToString(g.AutoScalingGroupName)
			if strings.HasPrefix(name, "CodeDeploy_"+r.deploymentGroup+"_") {
				add(&r.seen.groups, name)
			}
			present[name] = g
		}
	}
	for _, name := range r.seen.groups {
		g, there := present[name]
		if !there {
			if err := r.answer("autoscaling", "DescribeAutoScalingGroups", name, struct{ AutoScalingGroups []string }{[]string{}}); err != nil {
				return err
			}
			continue
		}
		add(&r.seen.targetGroups, g.TargetGroupARNs...)
		if err := r.answer("autoscaling", "DescribeAutoScalingGroups", name, g); err != nil {
			return err
		}
		if err := r.pollGroup(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// pollGroup reads what has calls of its own.
func (r *recorder) pollGroup(ctx context.Context, name string) error {
	hooks, err := r.groups.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &name})
	if err != nil {
		return fmt.Errorf("read lifecycle hooks of %s: %w", name, err)
	}
	sources, err := r.groups.DescribeTrafficSources(ctx, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: &name})
	if err != nil {
		return fmt.Errorf("read traffic sources of %s: %w", name, err)
	}
	for _, s := range sources.TrafficSources {
		if identifier := aws.ToString(s.Identifier); strings.Contains(identifier, ":targetgroup/") {
			add(&r.seen.targetGroups, identifier)
		}
	}
	return errors.Join(
		r.answer("autoscaling", "DescribeLifecycleHooks", name, hooks.LifecycleHooks),
		r.answer("autoscaling", "DescribeTrafficSources", name, sources.TrafficSources))
}

func (r *recorder) pollTargets(ctx context.Context) error {
	var faults []error // one that was deleted keeps the others from nothing
	for _, arn := range r.seen.targetGroups {
		health, err := r.balancers.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &arn})
		if err != nil {
			faults = append(faults, fmt.Errorf("read target health of %s: %w", arn, err))
			continue
		}
		faults = append(faults, r.answer("elasticloadbalancing", "DescribeTargetHealth", arn[strings.LastIndex(arn, ":")+1:], health.TargetHealthDescriptions))
	}
	return errors.Join(faults...)
}
