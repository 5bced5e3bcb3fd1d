package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/test/region"
)

// TestStaleReads: who changes something and asks again does not see it yet.
func TestStaleReads(t *testing.T) {
	r := region.New(region.Options{StaleReads: 10 * time.Second})
	shop(r)
	desired := func() int32 {
		out, err := r.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
		if err != nil {
			t.Fatal(err)
		}
		return *out.AutoScalingGroups[0].DesiredCapacity
	}
	before := desired()
	if err := second(r.AutoScaling().SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(group), DesiredCapacity: aws.Int32(6)})); err != nil {
		t.Fatal(err)
	}
	r.Advance(9 * time.Second)
	if got := desired(); got != before {
		t.Errorf("within the time the answer is %d, want %d still", got, before)
	}
	r.Advance(2 * time.Second)
	if got := desired(); got != 6 {
		t.Errorf("afterwards it is %d", got)
	}
}

// TestZonesAreEvenedOut: one is launched before another one goes.
func TestZonesAreEvenedOut(t *testing.T) {
	for _, tc := range []struct {
		name      string
		options   region.Options
		suspended bool
		even      bool
	}{
		{"as an option", region.Options{RebalancesZones: true}, false, true},
		{"unless that is suspended", region.Options{RebalancesZones: true}, true, false},
		{"not by itself", region.Options{}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(tc.options)
			shop(r)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			if tc.suspended {
				suspend(t, r, group, "AZRebalance")
			}
			zones := func() (a int) {
				g, _ := r.Group(group)
				for _, i := range g.Instances {
					if *i.AvailabilityZone == region.Name+"a" && i.LifecycleState == asg.LifecycleStateInService {
						a++
					}
				}
				return a
			}
			g, _ := r.Group(group)
			for _, i := range g.Instances { // leave two, both in one zone
				if *i.AvailabilityZone == region.Name+"a" {
					err := second(r.AutoScaling().TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
						InstanceId: i.InstanceId, ShouldDecrementDesiredCapacity: aws.Bool(true),
					}))
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			r.Advance(20 * time.Minute)
			if got := zones(); (got == 1) != tc.even || len(r.InService(group)) != 2 || users.Total().Failed != 0 {
				t.Errorf("of %d instances %d are in the first zone; %d requests failed", len(r.InService(group)), got, users.Total().Failed)
			}
		})
	}
}

// TestNothingIsIgnored: an input that would change what AWS does is refused
// where it is not simulated.
func TestNothingIsIgnored(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	c, d, name := r.AutoScaling(), r.CodeDeploy(), aws.String(group)
	for what, err := range map[string]error{
		"a termination policy":     second(c.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, TerminationPolicies: []string{"OldestInstance"}})),
		"an instance's lifetime":   second(c.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, MaxInstanceLifetime: aws.Int32(86400)})),
		"a maintenance policy":     second(c.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, InstanceMaintenancePolicy: &asg.InstanceMaintenancePolicy{}})),
		"a refresh's strategy":     second(c.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: name, Strategy: asg.RefreshStrategyReplaceRootVolume})),
		"discovered replacements":  second(d.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), BlueGreenDeploymentConfiguration: &cd.BlueGreenDeploymentConfiguration{GreenFleetProvisioningOption: &cd.GreenFleetProvisioningOption{Action: cd.GreenFleetProvisioningActionDiscoverExisting}}})),
		"health checks turned off": second(r.ELBV2().CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{Name: aws.String("x"), HealthCheckEnabled: aws.Bool(false)})),
		"a command's concurrency":  second(r.SSM().SendCommand(ctx, &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), MaxConcurrency: aws.String("1")})),
	} {
		if code(err) != "NotImplemented" {
			t.Errorf("%s: %v", what, err)
		}
	}
	tags := &autoscaling.CreateOrUpdateTagsInput{Tags: []asg.Tag{{ResourceId: name, Key: aws.String("team"), Value: aws.String("red")}}}
	if err := second(c.CreateOrUpdateTags(ctx, tags)); code(err) != "ValidationError" {
		t.Errorf("a tag of no type of resource: %v", err)
	}
}

// TestADeploymentsOwnSettings override those of its deployment group.
func TestADeploymentsOwnSettings(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	out, err := r.CodeDeploy().CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web"), Description: aws.String("hotfix"),
		AutoRollbackConfiguration: &cd.AutoRollbackConfiguration{Enabled: true, Events: []cd.AutoRollbackEvent{cd.AutoRollbackEventDeploymentStopOnRequest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.DeploymentId
	if info := deploymentInfo(t, r, id); *info.Description != "hotfix" || !info.AutoRollbackConfiguration.Enabled {
		t.Errorf("the deployment is %+v", info)
	}
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageReroute }, time.Hour)
	r.Advance(2 * time.Second)
	r.Stop(id)
	r.Advance(time.Hour)
	if !r.Deployed(r.RollbackOf(id)) || r.GroupOf(svc) != group {
		t.Errorf("stopped it was not rolled back: %q", r.RollbackOf(id))
	}
}
