package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// The budgets of a repair's calls, one after another on the critical path, the
// store included.
const (
	depthWithBaseline    = 3
	depthWithoutBaseline = 4
)

// TestCallsOfARepair counts the calls of the invocation that attaches a
// released group, and how many of them wait for one another, and holds them to
// their budgets.
func TestCallsOfARepair(t *testing.T) {
	peer := measure(t, false, attachLikeTheOthers)
	with := measure(t, true, attachByRepair)
	without := measure(t, false, attachByRepair)
	if with.depth > depthWithBaseline || without.depth > depthWithoutBaseline {
		t.Errorf("a repair is %d calls deep with a baseline and %d without, beyond the budget of %d and %d",
			with.depth, without.depth, depthWithBaseline, depthWithoutBaseline)
	}
	report(
		figure{"repair.depth", float64(with.depth), "calls", depthWithBaseline, float64(peer.depth)},
		figure{"repair.depthWithoutBaseline", float64(without.depth), "calls", depthWithoutBaseline, float64(peer.depth)},
		figure{"repair.calls", float64(with.calls), "calls", 0, float64(peer.calls)},
		figure{"repair.callsWithoutBaseline", float64(without.calls), "calls", 0, float64(peer.calls)},
	)
}

type counts struct{ calls, depth int }

// measure plays a release up to SUCCESS, lets attach do its work while each
// call takes one second of a bubble's time, and reads the depth off the clock.
func measure(t *testing.T, baseline bool, attach func(*region.Region, *repair.Repairer, string) error) (c counts) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
		fn := function(r)
		if baseline {
			if _, err := fn.Invoke(t.Context(), []byte(`{"action":"repair","application":"shop","deploymentGroup":"web"}`)); err != nil {
				t.Fatal(err)
			}
		}
		id := r.RunDeployment(svc, region.Deployment{})
		r.ForgetCalls()
		r.OnCall(func(region.Call) { time.Sleep(time.Second) })
		began := time.Now()
		if err := attach(r, fn, id); err != nil {
			t.Fatal(err)
		}
		c = counts{len(r.Calls()), int(time.Since(began) / time.Second)}
		r.OnCall(nil)
		if len(r.Attached(r.GroupOf(svc))) != 1 {
			t.Fatal("the group is not attached: the figures are of something else")
		}
	})
	return c
}

func function(r *region.Region) *repair.Repairer {
	r.AddTable("records", "application", "deploymentGroup")
	queue, topic := r.Queue("repair").WithoutEvents(), r.Topic("notices")
	return repair.New(
		repair.Config{QueueURL: queue.URL(), Table: "records", ParameterPrefix: "/deployhooks", Mode: repair.ModeApply},
		repair.Clients{Deployments: r.CodeDeploy(), Groups: r.AutoScaling(), Balancers: r.ELBV2(), Parameters: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB()},
		notice.New(notice.Config{TopicARN: topic.ARN(), EventBus: "default"}, "repair", r.SNS(), r.EventBridge(), io.Discard, r.Now),
		slog.New(slog.DiscardHandler), r.Now)
}

func attachByRepair(_ *region.Region, fn *repair.Repairer, id string) error {
	_, err := fn.Invoke(context.Background(), success(id))
	return err
}

func success(id string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"application":"shop","deploymentGroup":"web","deploymentId":%q,"state":"SUCCESS"}}`, id)
}

// attachLikeTheOthers makes the calls of the functions that others publish for
// the same purpose, in their order, each waiting for the one before: read the
// deployment, find the target group by its name, read the Auto Scaling
// group, attach. They remember nothing, have no preconditions, and attach one
// target group.
func attachLikeTheOthers(r *region.Region, _ *repair.Repairer, id string) error {
	ctx := context.Background()
	d, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		return err
	}
	found, err := r.ELBV2().DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{
		Names: []string{aws.ToString(d.DeploymentInfo.LoadBalancerInfo.TargetGroupInfoList[0].Name)},
	})
	if err != nil {
		return err
	}
	groups, err := r.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: d.DeploymentInfo.TargetInstances.AutoScalingGroups,
	})
	if err != nil {
		return err
	}
	_, err = r.AutoScaling().AttachLoadBalancerTargetGroups(ctx, &autoscaling.AttachLoadBalancerTargetGroupsInput{
		AutoScalingGroupName: groups.AutoScalingGroups[0].AutoScalingGroupName,
		TargetGroupARNs:      []string{aws.ToString(found.TargetGroups[0].TargetGroupArn)},
	})
	return err
}
