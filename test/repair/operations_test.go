package repair

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// replaceAll replaces the instances of a group one after the other, as a refresh does.
func (f *fixture) replaceAll(group string, between time.Duration) {
	for _, i := range f.InService(group) {
		f.Kill(i)
		f.Advance(between)
	}
}

func (f *fixture) tag(group, key, value string) {
	f.t.Helper()
	if _, err := f.AutoScaling().CreateOrUpdateTags(f.t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []asgtypes.Tag{{
		ResourceId: &group, ResourceType: aws.String("auto-scaling-group"), Key: &key, Value: &value, PropagateAtLaunch: aws.Bool(false),
	}}}); err != nil {
		f.t.Fatal(err)
	}
}

// nameGroup has the deployment group name another Auto Scaling group.
func (f *fixture) nameGroup(group string) {
	f.t.Helper()
	if _, err := f.CodeDeploy().UpdateDeploymentGroup(f.t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup, AutoScalingGroups: []string{group},
	}); err != nil {
		f.t.Fatal(err)
	}
}

// mustUpdateTargetGroups sets the target groups that the deployment group
// names.
func (f *fixture) mustUpdateTargetGroups(names []string) {
	f.t.Helper()
	var list []codedeploytypes.TargetGroupInfo
	for _, name := range names {
		list = append(list, codedeploytypes.TargetGroupInfo{Name: aws.String(name)})
	}
	_, err := f.CodeDeploy().UpdateDeploymentGroup(f.t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup,
		LoadBalancerInfo: &codedeploytypes.LoadBalancerInfo{TargetGroupInfoList: list},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// attach attaches a target group by hand.
func (f *fixture) attach(group, targetGroup string) {
	f.t.Helper()
	_, err := f.AutoScaling().AttachTrafficSources(f.t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: &group,
		TrafficSources:       []asgtypes.TrafficSourceIdentifier{{Identifier: &targetGroup, Type: aws.String("elbv2")}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// detach detaches a target group by hand.
func (f *fixture) detach(group, targetGroup string) {
	f.t.Helper()
	_, err := f.AutoScaling().DetachTrafficSources(f.t.Context(), &autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: &group,
		TrafficSources:       []asgtypes.TrafficSourceIdentifier{{Identifier: &targetGroup, Type: aws.String("elbv2")}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// suspend suspends processes of a group, all unless some are named.
func (f *fixture) suspend(group string, processes ...string) {
	f.t.Helper()
	if _, err := f.AutoScaling().SuspendProcesses(f.t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes}); err != nil {
		f.t.Fatal(err)
	}
}

// resume resumes processes of a group, all unless some are named.
func (f *fixture) resume(group string, processes ...string) {
	f.t.Helper()
	if _, err := f.AutoScaling().ResumeProcesses(f.t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &group, ScalingProcesses: processes}); err != nil {
		f.t.Fatal(err)
	}
}

// loseEvents loses every event of a state, all without one.
func (f *fixture) loseEvents(states ...string) {
	f.SetDelivery(func(d region.Delivery) []time.Duration {
		if len(states) == 0 || contains(states, d.State) {
			return region.Lost()
		}
		return region.Delivered()
	})
}

// putTerminateHook puts a hook on a group that holds terminating instances.
func (f *fixture) putTerminateHook(group string) {
	f.t.Helper()
	_, err := f.AutoScaling().PutLifecycleHook(f.t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &group, LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(3600), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// deregister takes an instance out of a target group.
func (f *fixture) deregister(targetGroup, instance string) {
	f.t.Helper()
	_, err := f.ELBV2().DeregisterTargets(f.t.Context(), &elb.DeregisterTargetsInput{
		TargetGroupArn: aws.String(f.TargetGroupARN(targetGroup)), Targets: []elbtypes.TargetDescription{{Id: &instance}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
