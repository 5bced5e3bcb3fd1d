package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
	"deployhooks/test/region"
)

// The environment that is deployed is the shipped one for training, with one service.
const (
	trainingName    = "training"
	trainingService = "training-web" // its application, deployment group and target group
)

// acceptedTypes are the CloudFormation types of the environment's stack that MiniStack
// accepts without making anything. The README lists them, and so does the launcher.
func acceptedTypes() []string {
	return []string{
		"AWS::EC2::EIP", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::FlowLog", "AWS::EC2::NatGateway", "AWS::EC2::SecurityGroupEgress",
		"AWS::EC2::SecurityGroupIngress", "AWS::EC2::VPCCidrBlock", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup",
		"AWS::SecretsManager::SecretTargetAttachment",
	}
}

// regionTypes are those that the simulated region makes for it.
func regionTypes() []string {
	return []string{
		"AWS::AutoScaling::AutoScalingGroup", "AWS::AutoScaling::LifecycleHook", "AWS::CodeDeploy::Application", "AWS::ElasticLoadBalancingV2::TargetGroup",
	}
}

// training is the environment while it is there.
type training struct {
	e          *environment
	file       string // the environment file
	seed       string // the Auto Scaling group that the template made
	deployment string
	topic      string // of the hooks' triggers
	published  int    // how many publications there have been passed on
}

func newTraining(e *environment) *training {
	return &training{e: e, file: filepath.Join(e.w.tmp, "environments", trainingName+".yaml")}
}

func (t *training) service() region.Service {
	return region.Service{Application: trainingService, DeploymentGroup: trainingService, TargetGroups: []string{trainingService}}
}

// addTrainingTargets makes the target group, with a load balancer before it.
func (e *environment) addTrainingTargets() {
	e.region.AddTargetGroup(region.TargetGroup{Name: trainingService, Port: 8080, Delay: time.Minute})
}

// creation deploys the environment.
func (t *training) creation() []step {
	return []step{
		{what: "Deploy the environment training, with hooks of its own (cdk deploy)", do: t.create},
	}
}

// life releases the environment's service, changes the environment, and removes it.
func (t *training) life() []step {
	return []step{
		{what: "Release the environment's service: CodeDeploy copies its Auto Scaling group and deletes the one of the template", do: t.release},
		{what: "Deploy the environment with another capacity: the copy gets it", do: t.update},
		{what: "Remove the environment (cdk destroy): the copy goes as well", do: t.destroy},
	}
}

// create deploys the environment as it is shipped, but for its hosted zone.
func (t *training) create(ctx context.Context) (string, error) {
	if err := t.prepare(ctx); err != nil {
		return "", err
	}
	outputs, err := t.deploy(ctx)
	if err != nil {
		return "", err
	}
	t.topic = outputs[config.HooksStack(trainingName)][config.TriggerTopicOutput]
	g, err := t.deploymentGroup(ctx)
	if err != nil {
		return "", err
	}
	if option := g.BlueGreenDeploymentConfiguration.GreenFleetProvisioningOption.Action; option != types.GreenFleetProvisioningActionCopyAutoScalingGroup {
		return "", fmt.Errorf("the deployment group makes green instances by %s", option)
	}
	t.seed = aws.ToString(g.AutoScalingGroups[0].Name)
	return fmt.Sprintf("a deployment group that copies %s", t.seed), t.has(t.seed, 1, 1)
}

// prepare writes the environment files, with a hosted zone that there is, and the machine
// image, which AWS publishes in Systems Manager.
func (t *training) prepare(ctx context.Context) error {
	shipped := filepath.Join("infra", "environment")
	if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
		return err
	}
	for _, name := range []string{trainingName, "production"} {
		b, err := os.ReadFile(filepath.Join(shipped, name+".yaml"))
		if err != nil {
			return err
		}
		b = bytes.ReplaceAll(b, []byte("Z0TRAINING0EXAMPLE"), []byte(t.e.tenants.zone))
		if err := os.WriteFile(filepath.Join(filepath.Dir(t.file), name+".yaml"), b, 0o644); err != nil {
			return err
		}
	}
	_, err := ssm.NewFromConfig(t.e.cloud.config).PutParameter(ctx, &ssm.PutParameterInput{
		Name:  aws.String("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"),
		Value: aws.String("ami-0123456789abcdef0"), Type: ssmtypes.ParameterTypeString,
	})
	return err
}

func (t *training) deploy(ctx context.Context) (map[string]map[string]string, error) {
	outputs, _, err := t.e.cloud.cdkDeploy(ctx, trainingName, map[string]string{config.EnvironmentKey: t.file})
	return outputs, err
}

// deploymentGroup is the environment's, as CodeDeploy has it.
func (t *training) deploymentGroup(ctx context.Context) (*types.DeploymentGroupInfo, error) {
	name := aws.String(trainingService)
	out, err := t.e.region.CodeDeploy().GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: name, DeploymentGroupName: name})
	if err != nil {
		return nil, err
	}
	if len(out.DeploymentGroupInfo.AutoScalingGroups) != 1 {
		return nil, fmt.Errorf("the deployment group has %d Auto Scaling groups", len(out.DeploymentGroupInfo.AutoScalingGroups))
	}
	return out.DeploymentGroupInfo, nil
}

// has sees the bounds of an Auto Scaling group, which must have the drain's lifecycle hook.
func (t *training) has(group string, least, most int32) error {
	g, found := t.e.region.Group(group)
	if !found || aws.ToInt32(g.MinSize) != least || aws.ToInt32(g.MaxSize) != most {
		return fmt.Errorf("%s is there: %t, with %d to %d instances, want %d to %d", group, found, aws.ToInt32(g.MinSize), aws.ToInt32(g.MaxSize), least, most)
	}
	return nil
}

// release plays a release and waits until the green group serves.
func (t *training) release(ctx context.Context) (string, error) {
	e, s := t.e, t.service()
	if err := eventually(ctx, within, "the first instance is in service", func() (bool, error) { return len(e.region.InService(t.seed)) == 1, nil }); err != nil {
		return "", err
	}
	var err error
	if t.deployment, err = e.region.TryDeploy(s, region.Deployment{}); err != nil {
		return "", err
	}
	green := ""
	err = eventually(ctx, 2*within, "the release is over, and the green group attached", func() (bool, error) {
		_, green = e.region.Groups(t.deployment)
		if e.region.Ended(t.deployment) && !e.region.Deployed(t.deployment) {
			return false, fmt.Errorf("the release ended: %s", e.region.Status(t.deployment))
		}
		return e.region.Deployed(t.deployment) && slices.Contains(e.region.Attached(green), e.region.TargetGroupARN(trainingService)), t.passOn(ctx)
	})
	if err != nil {
		return "", err
	}
	err = eventually(ctx, 2*within, t.seed+" is gone", func() (bool, error) {
		_, there := e.region.Group(t.seed)
		return !there, t.passOn(ctx)
	})
	return fmt.Sprintf("%s is attached, %s gone", green, t.seed), err
}

// passOn publishes to the deployed topic what CodeDeploy has published to the region's, and
// puts the environment's events on the bus.
func (t *training) passOn(ctx context.Context) error {
	all := t.e.region.Topic(t.topic[strings.LastIndex(t.topic, ":")+1:]).Published()
	for _, p := range all[t.published:] {
		if _, err := sns.NewFromConfig(t.e.cloud.config).Publish(ctx, &sns.PublishInput{TopicArn: &t.topic, Subject: &p.Subject, Message: &p.Message}); err != nil {
			return fmt.Errorf("publish %q: %w", p.Subject, err)
		}
		t.published++
	}
	for _, payload := range t.e.takeEvents() {
		if bytes.Contains(payload, []byte(trainingName)) {
			if err := t.e.cloud.putEvent(ctx, payload); err != nil {
				return err
			}
		}
	}
	return nil
}

// update deploys the environment with more instances. The template's Auto Scaling group
// is gone, so nothing of it may be touched.
func (t *training) update(ctx context.Context) (string, error) {
	b, err := os.ReadFile(t.file)
	if err != nil {
		return "", err
	}
	more := strings.NewReplacer("minInstances: 1", "minInstances: 2", "maxInstances: 1", "maxInstances: 3").Replace(string(b))
	if more == string(b) {
		return "", errors.New("the environment file has no bounds to change")
	}
	if err := os.WriteFile(t.file, []byte(more), 0o644); err != nil {
		return "", err
	}
	if _, err := t.deploy(ctx); err != nil {
		return "", err
	}
	_, green := t.e.region.Groups(t.deployment)
	g, err := t.deploymentGroup(ctx)
	if err != nil {
		return "", err
	}
	if name := aws.ToString(g.AutoScalingGroups[0].Name); name != green {
		return "", fmt.Errorf("the deployment group is given %s, which is gone, and not %s", name, green)
	}
	return green + " has 2 to 3 instances", t.has(green, 2, 3)
}

// destroy removes the stacks. What CodeDeploy has made goes with the deployment group.
func (t *training) destroy(ctx context.Context) (string, error) {
	if err := t.e.cloud.cdkDestroy(ctx, trainingName); err != nil {
		return "", err
	}
	if _, err := t.deploymentGroup(ctx); err == nil {
		return "", errors.New("the deployment group is still there")
	}
	groups, err := t.e.region.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []asg.Filter{{Name: aws.String("tag:" + spec.Tag), Values: []string{trainingName}}},
	})
	if err != nil {
		return "", err
	}
	for _, g := range groups.AutoScalingGroups {
		if aws.ToString(g.Status) == "" { // one that is being deleted says so
			return "", fmt.Errorf("%s is left", aws.ToString(g.AutoScalingGroupName))
		}
	}
	return "no Auto Scaling group of it is left", nil
}
