// Package peers plays releases with nobody, with functions that others publish
// for the purpose, and with ours, and counts the requests that fail. The
// benchmarks call it.
//
// Two such functions are known, and both are built here anew by their sequence of
// calls and their conditions: dmt/code-deploy-set-target-group (JavaScript) and
// ribeiroh/linkGreenASG (Python), both on GitHub. As everywhere in these tests no
// client makes a call again by itself, for none of the players.
package peers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// Player is what attaches load balancers in a scenario, if anything does.
type Player struct {
	Name string
	// install adds the player to a region.
	install func(*region.Region)
}

// The players. Nobody attaches nothing, as in most accounts.
var (
	Nobody         = Player{"nobody", func(*region.Region) {}}
	SetTargetGroup = Player{"dmt/code-deploy-set-target-group", installSetTargetGroup}
	LinkGreen      = Player{"ribeiroh/linkGreenASG", installLinkGreen}
	Ours           = Player{"repair", func(r *region.Region) { repairs.Install(r, repairs.Settings{}) }}
)

// installSetTargetGroup subscribes the function to the deployment group's
// trigger. It answers every error with a result, so nothing is tried again.
func installSetTargetGroup(r *region.Region) {
	queue := r.Queue("peer").WithoutEvents().Configure(region.QueueSettings{BatchSize: 1, MaxReceive: 1})
	r.Topic(repairs.Triggers).Subscribe(queue, true)
	queue.Serve(func(payload []byte) ([]byte, error) {
		var message struct{ DeploymentID, DeploymentGroupName, Status string }
		if err := json.Unmarshal(body(payload), &message); err == nil && message.Status == "SUCCEEDED" {
			_ = setTargetGroup(context.Background(), r, message.DeploymentID, message.DeploymentGroupName)
		}
		return nil, nil
	})
}

// setTargetGroup attaches the deployment group's first target group to the
// replacement group of a user's blue/green deployment, unless it has one.
func setTargetGroup(ctx context.Context, r *region.Region, id, group string) error {
	out, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		return err
	}
	d := out.DeploymentInfo
	if d.Creator != codedeploytypes.DeploymentCreatorUser || d.DeploymentStyle.DeploymentType != codedeploytypes.DeploymentTypeBlueGreen ||
		d.TargetInstances == nil || len(d.TargetInstances.AutoScalingGroups) != 1 || aws.ToString(d.DeploymentGroupName) != group {
		return nil
	}
	green := &d.TargetInstances.AutoScalingGroups[0]
	existing, err := r.AutoScaling().DescribeLoadBalancerTargetGroups(ctx, &autoscaling.DescribeLoadBalancerTargetGroupsInput{AutoScalingGroupName: green})
	if err != nil || len(existing.LoadBalancerTargetGroups) > 0 {
		return err
	}
	arn, err := firstTargetGroup(ctx, r, d)
	if err != nil {
		return err
	}
	_, err = r.AutoScaling().AttachLoadBalancerTargetGroups(ctx, &autoscaling.AttachLoadBalancerTargetGroupsInput{
		AutoScalingGroupName: green, TargetGroupARNs: []string{arn},
	})
	return err
}

// installLinkGreen has the default bus invoke the function. It fails with each
// error, and Lambda tries twice again, after a minute and after two ("Asynchronous
// invocation", AWS Lambda Developer Guide).
func installLinkGreen(r *region.Region) {
	queue := r.Queue("peer").Match(func(d region.Delivery) bool { return d.State == "SUCCESS" && d.Via == "EventBridge" })
	queue.Configure(region.QueueSettings{BatchSize: 1, MaxReceive: 3, VisibilityTimeout: 90 * time.Second})
	queue.Serve(func(payload []byte) ([]byte, error) {
		var event struct {
			Detail struct{ DeploymentID string } `json:"detail"`
		}
		if err := json.Unmarshal(body(payload), &event); err != nil || event.Detail.DeploymentID == "" {
			return nil, nil
		}
		return nil, AttachLikeLinkGreen(context.Background(), r, event.Detail.DeploymentID)
	})
}

// AttachLikeLinkGreen attaches the deployment group's first target group to the replacement
// groups that have ELB health checks.
func AttachLikeLinkGreen(ctx context.Context, r *region.Region, id string) error {
	out, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if _, gone := errors.AsType[*codedeploytypes.DeploymentDoesNotExistException](err); gone {
		return nil
	}
	if err != nil {
		return err
	}
	d := out.DeploymentInfo
	if d.TargetInstances == nil {
		return nil
	}
	arn, err := firstTargetGroup(ctx, r, d)
	if err != nil {
		return err
	}
	groups, err := r.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: d.TargetInstances.AutoScalingGroups})
	if err != nil {
		return err
	}
	for _, g := range groups.AutoScalingGroups {
		if aws.ToString(g.HealthCheckType) != "ELB" {
			continue
		}
		if _, err := r.AutoScaling().AttachLoadBalancerTargetGroups(ctx, &autoscaling.AttachLoadBalancerTargetGroupsInput{
			AutoScalingGroupName: g.AutoScalingGroupName, TargetGroupARNs: []string{arn},
		}); err != nil {
			return err
		}
	}
	return nil
}

func firstTargetGroup(ctx context.Context, r *region.Region, d *codedeploytypes.DeploymentInfo) (string, error) {
	if d.LoadBalancerInfo == nil || len(d.LoadBalancerInfo.TargetGroupInfoList) == 0 {
		return "", errors.New("the deployment names no target group")
	}
	out, err := r.ELBV2().DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{
		Names: []string{aws.ToString(d.LoadBalancerInfo.TargetGroupInfoList[0].Name)},
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.TargetGroups[0].TargetGroupArn), nil
}

// body is the one message of a batch of one.
func body(payload []byte) []byte {
	var batch struct {
		Records []struct{ Body string }
	}
	if err := json.Unmarshal(payload, &batch); err != nil || len(batch.Records) != 1 {
		return nil
	}
	return []byte(batch.Records[0].Body)
}
