package repair

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/aws/aws-sdk-go-v2/aws"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/repair"
	settings "deployhooks/pkg/repair/setting"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// All scenarios run with the policy that the stack gives the function, so none of
// it can be missing. TestEachPermissionIsNeeded holds that none of it is too much:
// on each something rests, so that a function without it would be denied.
func TestEachPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	lattice := "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	svc := waiting(time.Hour)
	svc.ReadyWait, svc.RollBack, svc.LatticeTargetGroups = time.Hour, true, []string{lattice}
	svc.Hooks = []asgtypes.LifecycleHook{{
		LifecycleHookName: aws.String("theirs"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}
	// What no scenario can rest on: the region keeps no logs, and it is Lambda that
	// reads the queue in the function's name. Attaching a VPC Lattice target group is
	// documented to need both of its actions ("Auto Scaling API permissions").
	notPlayed := []string{
		"AttachLatticeTargetGroups: vpc-lattice:DeregisterTargets",
		"WriteOwnLogs: logs:CreateLogStream", "WriteOwnLogs: logs:PutLogEvents",
		"ReadOwnQueue: sqs:DeleteMessage", "ReadOwnQueue: sqs:GetQueueAttributes", "ReadOwnQueue: sqs:ReceiveMessage",
	}
	// That a kind of setting makes the calls that it may make is held by its own cases.
	for _, action := range settings.Writes() {
		notPlayed = append(notPlayed, "RepairAutoScalingGroups: "+action)
	}
	for name, config := range map[string]repair.Config{
		"default":         {},
		"detach, standby": configured(func(c *repair.Config) { c.BlueGroupThatStays = "detach"; c.InstancesWithoutRevision = "standby" }),
		"replace":         configured(func(c *repair.Config) { c.InstancesWithoutRevision = "replace" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var role *region.Principal
			f := newFixture(t, setting{service: svc, rate: 1, config: config, role: func(r *region.Region) *region.Principal {
				role = repairs.Role(r, repairs.Settings{Config: config})
				return role
			}})
			f.Advance(11 * time.Minute)
			// A release with instances without the revision, bridged in its wait, and
			// rolled back out of it.
			f.playAll(func(id string) { f.Stop(id) })
			// Another that succeeds, left with its processes suspended.
			f.playAll(func(string) {})
			f.updateAll(f.GroupOf(f.svc))
			f.Advance(20 * time.Minute)
			// And one whose blue group is kept.
			f.keepBlue()
			id := f.releaseTo(region.StageReady, region.Deployment{})
			f.Continue(id)
			f.Advance(20 * time.Minute)
			f.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &statusResult{})
			unused := slices.DeleteFunc(role.Unused(), func(p string) bool { return slices.Contains(notPlayed, p) })
			if len(unused) > 0 {
				t.Errorf("the role may do what the function never does here:\n%s", strings.Join(unused, "\n"))
			}
		})
	}
}

// playAll plays a release with everything that a release can need.
func (f *fixture) playAll(inTheWait func(id string)) {
	f.t.Helper()
	id := f.releaseTo(region.StageReady, region.Deployment{LeaveSuspended: true})
	green := f.green(id)
	f.Scale(green, 6)
	f.Advance(3 * time.Minute)
	f.Continue(id)
	f.until(region.StageWait, id)
	f.Advance(2 * time.Minute)
	f.Scale(green, 8)
	f.Advance(12 * time.Minute)
	inTheWait(id)
	f.Advance(90 * time.Minute)
}

// updateAll has CodeDeploy deploy to every instance of a group.
func (f *fixture) updateAll(group string) {
	var all []string
	g, _ := f.Group(group)
	for _, i := range g.Instances {
		all = append(all, aws.ToString(i.InstanceId))
	}
	f.UpdateInstances(f.svc, all)
}

// keepBlue has the deployment group keep its blue groups.
func (f *fixture) keepBlue() {
	f.t.Helper()
	_, err := f.CodeDeploy().UpdateDeploymentGroup(f.t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup,
		BlueGreenDeploymentConfiguration: &codedeploytypes.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption:              &codedeploytypes.GreenFleetProvisioningOption{Action: codedeploytypes.GreenFleetProvisioningActionCopyAutoScalingGroup},
			DeploymentReadyOption:                     &codedeploytypes.DeploymentReadyOption{ActionOnTimeout: codedeploytypes.DeploymentReadyActionStopDeployment, WaitTimeInMinutes: 60},
			TerminateBlueInstancesOnDeploymentSuccess: &codedeploytypes.BlueInstanceTerminationOption{Action: codedeploytypes.InstanceActionKeepAlive},
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
