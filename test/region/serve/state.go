package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// maxDeployments bounds how many of the latest deployments a state shows.
const maxDeployments = 20

// state is the region at a glance.
type state struct {
	Now               time.Time         `json:"now"`
	AutoScalingGroups []groupState      `json:"autoScalingGroups"`
	TargetGroups      []targetsState    `json:"targetGroups"`
	Deployments       []deploymentState `json:"deployments"` // latest first
	Requests          requestsState     `json:"requests"`
}

type groupState struct {
	Name               string          `json:"name"`
	Min                int32           `json:"min"`
	Desired            int32           `json:"desired"`
	Max                int32           `json:"max"`
	SuspendedProcesses []string        `json:"suspendedProcesses"`
	TrafficSources     []sourceState   `json:"trafficSources"`
	Instances          []instanceState `json:"instances"`
}

type sourceState struct {
	Identifier string `json:"identifier"`
	Type       string `json:"type"`
	State      string `json:"state"`
}

type instanceState struct {
	ID        string `json:"id"`
	Lifecycle string `json:"lifecycleState"`
	Health    string `json:"healthStatus"`
}

type targetsState struct {
	Name    string        `json:"name"`
	ARN     string        `json:"arn"`
	Targets []targetState `json:"targets"`
}

type targetState struct {
	ID    string `json:"id"`
	Port  int32  `json:"port"`
	State string `json:"state"`
}

type deploymentState struct {
	ID              string `json:"id"`
	Application     string `json:"application"`
	DeploymentGroup string `json:"deploymentGroup"`
	Creator         string `json:"creator"`
	Status          string `json:"status"`
}

type requestsState struct {
	Total  int `json:"total"`
	Failed int `json:"failed"`
	// Failures explain the failed ones; their requests add up to failed.
	Failures []failureState `json:"failures"`
}

type failureState struct {
	TargetGroup      string    `json:"targetGroup"`
	Instance         string    `json:"instance,omitempty"`
	AutoScalingGroup string    `json:"autoScalingGroup,omitempty"`
	Cause            string    `json:"cause"`
	Why              string    `json:"why"`
	Requests         int       `json:"requests"`
	First            time.Time `json:"first"`
	Last             time.Time `json:"last"`
}

// state asks the region's own APIs, as anybody else would.
func (s *sample) state(ctx context.Context) (state, error) {
	now := state{Now: s.region.Now(), AutoScalingGroups: []groupState{}, TargetGroups: []targetsState{}, Deployments: []deploymentState{}}
	s.addRequests(&now)
	for _, add := range []func(context.Context, *state) error{s.addGroups, s.addTargets, s.addDeployments} {
		if err := add(ctx, &now); err != nil {
			return now, fmt.Errorf("read the state of the region: %w", err)
		}
	}
	return now, nil
}

// addRequests adds what users felt. No time passes meanwhile, so that the
// failures add up.
func (s *sample) addRequests(now *state) {
	s.passMu.Lock()
	defer s.passMu.Unlock()
	now.Requests.Failures = []failureState{}
	for _, users := range s.users {
		total := users.Total()
		now.Requests.Total += total.Requests
		now.Requests.Failed += total.Failed
		for _, f := range users.Failures() {
			now.Requests.Failures = append(now.Requests.Failures, failureState{f.TargetGroup, f.Instance, f.Group, f.Cause, f.Why, f.Requests, f.First, f.Last})
		}
	}
}

func (s *sample) addGroups(ctx context.Context, now *state) error {
	view := s.region.AutoScaling()
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(view, &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.AutoScalingGroups {
			sources, err := view.DescribeTrafficSources(ctx, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: g.AutoScalingGroupName})
			if err != nil {
				return err
			}
			now.AutoScalingGroups = append(now.AutoScalingGroups, newGroupState(g, sources.TrafficSources))
		}
	}
	return nil
}

func newGroupState(g autoscalingtypes.AutoScalingGroup, sources []autoscalingtypes.TrafficSourceState) groupState {
	group := groupState{
		Name: aws.ToString(g.AutoScalingGroupName),
		Min:  aws.ToInt32(g.MinSize), Desired: aws.ToInt32(g.DesiredCapacity), Max: aws.ToInt32(g.MaxSize),
		SuspendedProcesses: []string{}, TrafficSources: []sourceState{}, Instances: []instanceState{},
	}
	for _, p := range g.SuspendedProcesses {
		group.SuspendedProcesses = append(group.SuspendedProcesses, aws.ToString(p.ProcessName))
	}
	for _, source := range sources {
		group.TrafficSources = append(group.TrafficSources, sourceState{aws.ToString(source.Identifier), aws.ToString(source.Type), aws.ToString(source.State)})
	}
	for _, i := range g.Instances {
		group.Instances = append(group.Instances, instanceState{aws.ToString(i.InstanceId), string(i.LifecycleState), aws.ToString(i.HealthStatus)})
	}
	return group
}

func (s *sample) addTargets(ctx context.Context, now *state) error {
	view := s.region.ELBV2()
	pages := elbv2.NewDescribeTargetGroupsPaginator(view, &elbv2.DescribeTargetGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, tg := range page.TargetGroups {
			health, err := view.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: tg.TargetGroupArn})
			if err != nil {
				return err
			}
			now.TargetGroups = append(now.TargetGroups, newTargetsState(tg, health.TargetHealthDescriptions))
		}
	}
	return nil
}

func newTargetsState(tg elbv2types.TargetGroup, health []elbv2types.TargetHealthDescription) targetsState {
	targets := targetsState{Name: aws.ToString(tg.TargetGroupName), ARN: aws.ToString(tg.TargetGroupArn), Targets: []targetState{}}
	for _, d := range health {
		target := targetState{ID: aws.ToString(d.Target.Id), Port: aws.ToInt32(d.Target.Port)}
		if d.TargetHealth != nil {
			target.State = string(d.TargetHealth.State)
		}
		targets.Targets = append(targets.Targets, target)
	}
	return targets
}

func (s *sample) addDeployments(ctx context.Context, now *state) error {
	view := s.region.CodeDeploy()
	latest, err := view.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{})
	if err != nil {
		return err
	}
	for _, id := range latest.Deployments[:min(maxDeployments, len(latest.Deployments))] {
		out, err := view.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String(id)})
		if err != nil {
			return err
		}
		d := out.DeploymentInfo
		now.Deployments = append(now.Deployments, deploymentState{
			ID: id, Application: aws.ToString(d.ApplicationName), DeploymentGroup: aws.ToString(d.DeploymentGroupName),
			Creator: string(d.Creator), Status: string(d.Status),
		})
	}
	return nil
}
