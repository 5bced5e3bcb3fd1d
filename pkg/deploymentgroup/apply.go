package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/fault"
)

// apply makes changes in their order, and stops at the first that fails.
func (m *Manager) apply(ctx context.Context, r Request, changes []Change) error {
	for _, c := range changes {
		if err := m.make(ctx, r, c); err != nil {
			return fmt.Errorf("%s %s: %w", c.Do, c.To, err)
		}
		m.log.InfoContext(ctx, "change made", "stack", r.Stack, "resource", r.LogicalID, "change", string(c.Do), "to", c.To)
	}
	return nil
}

// make makes one change. What is already gone is no error; that a deployment has ended
// meanwhile shows at the next look.
func (m *Manager) make(ctx context.Context, r Request, c Change) error {
	var err error
	switch c.Do {
	case CreateGroup:
		err = m.create(ctx, r, c)
	case UpdateGroup:
		err = m.update(ctx, r)
	case DeleteGroup:
		id, _ := parseID(c.To)
		_, err = m.clients.Deployments.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{ApplicationName: &id.Application, DeploymentGroupName: &id.Group})
		err = unlessGone(err)
	case NameGroup:
		_, err = m.clients.Deployments.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
			ApplicationName: &r.Wanted.ID.Application, CurrentDeploymentGroupName: &r.Wanted.ID.Group, AutoScalingGroups: []string{c.AutoScalingGroup},
		})
	case TagGroup:
		_, err = m.clients.Deployments.TagResource(ctx, &codedeploy.TagResourceInput{ResourceArn: aws.String(r.Wanted.ID.arn(r.Stack)), Tags: groupTags(c.Tags)})
	case UntagGroup:
		_, err = m.clients.Deployments.UntagResource(ctx, &codedeploy.UntagResourceInput{ResourceArn: aws.String(r.Wanted.ID.arn(r.Stack)), TagKeys: c.Keys})
	case StopRelease:
		// Without a rollback: what it would make is to be deleted. One that the deployment group's
		// configuration begins all the same is stopped in its turn.
		_, err = m.clients.Deployments.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &c.To, AutoRollbackEnabled: aws.Bool(false)})
	default:
		return m.makeScaling(ctx, r, c)
	}
	return err
}

// makeScaling makes a change of an Auto Scaling group.
func (m *Manager) makeScaling(ctx context.Context, r Request, c Change) error {
	var err error
	switch c.Do {
	case TagCopies:
		var tags []asg.Tag
		for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
			tags = append(tags, asg.Tag{ResourceId: &c.To, ResourceType: aws.String("auto-scaling-group"), Key: &key, Value: aws.String(c.Tags[key]), PropagateAtLaunch: aws.Bool(false)})
		}
		_, err = m.clients.Groups.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: tags})
	case SizeGroup:
		_, err = m.clients.Groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: &c.To, MinSize: &r.Wanted.MinSize, MaxSize: &c.Max,
			LaunchTemplate: &asg.LaunchTemplateSpecification{LaunchTemplateId: &r.Wanted.LaunchTemplate, Version: &r.Wanted.TemplateVersion},
		})
	case PutPolicy:
		_, err = m.clients.Groups.PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{
			AutoScalingGroupName: &c.To, PolicyName: aws.String(policyName), PolicyType: aws.String("TargetTrackingScaling"),
			TargetTrackingConfiguration: &asg.TargetTrackingConfiguration{
				TargetValue:                   aws.Float64(float64(r.Wanted.TargetCPU)),
				PredefinedMetricSpecification: &asg.PredefinedMetricSpecification{PredefinedMetricType: asg.MetricTypeASGAverageCPUUtilization},
			},
		})
	case DropPolicy:
		_, err = m.clients.Groups.DeletePolicy(ctx, &autoscaling.DeletePolicyInput{AutoScalingGroupName: &c.To, PolicyName: aws.String(policyName)})
		err = unlessGone(err)
	case DeleteCopy:
		_, err = m.clients.Groups.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &c.To, ForceDelete: aws.Bool(true)})
		err = unlessGone(err)
	}
	return err
}

func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (m *Manager) create(ctx context.Context, r Request, c Change) error {
	info := r.Wanted.info()
	_, err := m.clients.Deployments.CreateDeploymentGroup(ctx, &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &r.Wanted.ID.Application, DeploymentGroupName: &r.Wanted.ID.Group,
		AutoScalingGroups: []string{c.AutoScalingGroup}, Tags: groupTags(c.Tags),
		ServiceRoleArn: info.ServiceRoleArn, DeploymentConfigName: info.DeploymentConfigName, DeploymentStyle: info.DeploymentStyle,
		BlueGreenDeploymentConfiguration: info.BlueGreenDeploymentConfiguration, LoadBalancerInfo: info.LoadBalancerInfo,
		AlarmConfiguration: info.AlarmConfiguration, AutoRollbackConfiguration: info.AutoRollbackConfiguration, TriggerConfigurations: info.TriggerConfigurations,
	})
	return err
}

// update changes the settings and names no Auto Scaling group: "To keep the Auto Scaling
// groups, enter their names or do not specify Auto Scaling group names"
// (UpdateDeploymentGroup, CodeDeploy API Reference).
func (m *Manager) update(ctx context.Context, r Request) error {
	info := r.Wanted.info()
	_, err := m.clients.Deployments.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &r.Wanted.ID.Application, CurrentDeploymentGroupName: &r.Wanted.ID.Group,
		ServiceRoleArn: info.ServiceRoleArn, DeploymentConfigName: info.DeploymentConfigName, DeploymentStyle: info.DeploymentStyle,
		BlueGreenDeploymentConfiguration: info.BlueGreenDeploymentConfiguration, LoadBalancerInfo: info.LoadBalancerInfo,
		AlarmConfiguration: info.AlarmConfiguration, AutoRollbackConfiguration: info.AutoRollbackConfiguration, TriggerConfigurations: info.TriggerConfigurations,
	})
	return err
}

func groupTags(tags map[string]string) (all []cd.Tag) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, cd.Tag{Key: &key, Value: aws.String(tags[key])})
	}
	return all
}
