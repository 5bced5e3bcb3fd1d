package repair

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
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

// asked is a CodeDeploy that keeps what it is asked.
type asked struct {
	Deployments
	mu       sync.Mutex
	batches  []int
	statuses []string
}

func (a *asked) BatchGetDeployments(_ context.Context, in *codedeploy.BatchGetDeploymentsInput, _ ...func(*codedeploy.Options)) (*codedeploy.BatchGetDeploymentsOutput, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches = append(a.batches, len(in.DeploymentIds))
	out := &codedeploy.BatchGetDeploymentsOutput{}
	for _, id := range in.DeploymentIds {
		out.DeploymentsInfo = append(out.DeploymentsInfo, codedeploytypes.DeploymentInfo{DeploymentId: &id})
	}
	return out, nil
}

func (a *asked) ListDeploymentTargets(_ context.Context, in *codedeploy.ListDeploymentTargetsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentTargetsOutput, error) {
	a.statuses = in.TargetFilters["TargetStatus"]
	return &codedeploy.ListDeploymentTargetsOutput{TargetIds: []string{"i-1"}}, nil
}

// TestQuestionsWithinLimits: 25 IDs a call (BatchGetDeployments).
func TestQuestionsWithinLimits(t *testing.T) {
	var a asked
	r := &Repairer{clients: Clients{Deployments: &a}}
	var ids []string
	for n := range 60 {
		ids = append(ids, fmt.Sprint("d-", n))
	}
	found, err := r.deployments(t.Context(), ids)
	slices.Sort(a.batches)
	if err != nil || len(found) != 60 || found["d-59"] == nil || !slices.Equal(a.batches, []int{10, 25, 25}) {
		t.Errorf("60 deployments are asked for in batches of %v, %v: CodeDeploy refuses more than 25", a.batches, err)
	}
}

// TestWhoHasTheRevision: a green instance is Ready as long as no traffic was rerouted to it.
func TestWhoHasTheRevision(t *testing.T) {
	var a asked
	r := &Repairer{clients: Clients{Deployments: &a}}
	if got := r.revised(t.Context(), "d-1"); got.Err != nil || !slices.Equal(got.Instances, []string{"i-1"}) {
		t.Errorf("the revision has %+v", got)
	}
	slices.Sort(a.statuses)
	if !slices.Equal(a.statuses, []string{"InProgress", "Ready", "Succeeded"}) {
		t.Errorf("asked for targets that are %q: instances that have the revision are put on standby, or those where it failed serve", a.statuses)
	}
}
