package repair

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

func TestDeploymentStates(t *testing.T) {
	for status, over := range map[codedeploytypes.DeploymentStatus]bool{
		codedeploytypes.DeploymentStatusCreated: false, codedeploytypes.DeploymentStatusQueued: false, codedeploytypes.DeploymentStatusInProgress: false,
		codedeploytypes.DeploymentStatusBaking: false, codedeploytypes.DeploymentStatusReady: false,
		codedeploytypes.DeploymentStatusSucceeded: true, codedeploytypes.DeploymentStatusFailed: true, codedeploytypes.DeploymentStatusStopped: true,
	} {
		d := deployment(codedeploytypes.DeploymentInfo{Status: status})
		if d.Over != over || d.Succeeded != (status == codedeploytypes.DeploymentStatusSucceeded) || d.Ready != (status == codedeploytypes.DeploymentStatusReady) {
			t.Errorf("%s is read as %+v: a group is attached in the middle of a release, or never", status, d)
		}
	}
}

func TestCreatorsOfDeployments(t *testing.T) {
	for creator, scaling := range map[codedeploytypes.DeploymentCreator]bool{
		"user": false, "autoscaling": true, "autoScaling": true, "autoscalingTermination": true, "codeDeployRollback": false,
		"CodeDeploy": false, "CloudFormation": false, "CloudFormationRollback": false, "": false,
		// It names no replacement group and moves no traffic. Taken for a release, it hides
		// the one that did.
		"CodeDeployAutoUpdate": true,
	} {
		if d := deployment(codedeploytypes.DeploymentInfo{Creator: creator}); d.ByAutoScaling != scaling {
			t.Errorf("a deployment by %q counts as one by Auto Scaling: %t", creator, d.ByAutoScaling)
		}
	}
}

// TestBareAnswers holds that what CodeDeploy leaves out of an answer ends nothing.
func TestBareAnswers(t *testing.T) {
	if g := deploymentGroup(nil); g.managed() {
		t.Errorf("no deployment group is read as %+v", g)
	}
	if g := deploymentGroup(&codedeploytypes.DeploymentGroupInfo{BlueGreenDeploymentConfiguration: &codedeploytypes.BlueGreenDeploymentConfiguration{}}); g.managed() || g.Platform != "Server" {
		t.Errorf("a bare deployment group is read as %+v", g)
	}
	if d := deployment(codedeploytypes.DeploymentInfo{}); d.Over && d.Succeeded {
		t.Errorf("a bare deployment is read as %+v", d)
	}
}

func TestWhatBecomesOfTheOriginalGroup(t *testing.T) {
	for action, stays := range map[codedeploytypes.InstanceAction]bool{codedeploytypes.InstanceActionKeepAlive: true, codedeploytypes.InstanceActionTerminate: false} {
		g := deploymentGroup(&codedeploytypes.DeploymentGroupInfo{DeploymentGroupId: aws.String("dg-1"), BlueGreenDeploymentConfiguration: &codedeploytypes.BlueGreenDeploymentConfiguration{
			TerminateBlueInstancesOnDeploymentSuccess: &codedeploytypes.BlueInstanceTerminationOption{Action: action, TerminationWaitTimeInMinutes: 90},
		}})
		if g.Stays != stays || g.TerminationWait != 90*time.Minute || g.ID != "dg-1" {
			t.Errorf("%s is read as %+v: a group that a rollback needs is detached, or one that stays never", action, g)
		}
	}
}
