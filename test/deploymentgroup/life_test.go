package deploymentgroup

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

// TestReleaseThatBeginsDuringAnUpdate, between what was observed and the change, copies the group
// as it was.
func TestReleaseThatBeginsDuringAnUpdate(t *testing.T) {
	t.Parallel()
	s := released(t)
	s.OnCall(func(c region.Call) {
		if c.Operation == "DescribePolicies" { // after ListDeployments
			s.OnCall(nil)
			s.Deploy(s.service, region.Deployment{})
			s.Advance(30 * time.Second)
		}
	})
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9", "LaunchTemplateVersion": "2"}), s.wanted(nil)))
	s.Advance(2 * time.Hour)
	if got := s.size(s.current()); got != "2..9 version 2 cpu 50" || s.Queue.Len() > 0 {
		t.Errorf("after the release the group is %s: an update that succeeded is lost", got)
	}
}

// TestGroupThatSomebodyPutBack: after a release, somebody has the deployment group name an older
// Auto Scaling group again. That of the release is no release that has yet to settle.
func TestGroupThatSomebodyPutBack(t *testing.T) {
	t.Parallel()
	s := created(t)
	s.addGroup("older", 1)
	s.release()
	_, err := s.CodeDeploy().UpdateDeploymentGroup(t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), AutoScalingGroups: []string{"older"}})
	s.must(err)
	s.Advance(50 * time.Hour)
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9"}), s.wanted(nil)))
	s.Advance(10 * time.Minute)
	if got := s.size("older"); got != "2..9 version 1 cpu 50" || s.Queue.Len() > 0 {
		t.Errorf("the group is %s: the update goes to one that is out of use, and waits (%d messages) for a release that is over", got, s.Queue.Len())
	}
}

// TestReleaseThatSettlesLate: where CodeDeploy reports success before the termination wait, and
// names the group that serves after it, an update in between reaches that group.
func TestReleaseThatSettlesLate(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.succeeds(s.request("Create", "", s.wanted(properties{"TerminationWaitMinutes": "2880"}), nil))
	s.Advance(10 * time.Minute)
	deployment := s.Deploy(s.service, region.Deployment{Named: region.NamedAtEnd, SucceedFirst: true})
	s.Advance(46 * time.Hour)
	_, green := s.Groups(deployment)
	if !s.Deployed(deployment) || s.current() == green {
		t.Fatalf("the release is %s, and the deployment group names %s: nothing is shown", s.Status(deployment), s.current())
	}
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9"}), s.wanted(nil)))
	s.Advance(6 * time.Hour)
	if got := s.size(green); got != "2..9 version 1 cpu 50" || s.current() != green {
		t.Errorf("the group is %s: the update went to the one that is gone", got)
	}
}

// TestFollowingKeepsNoSecret: a message that goes on for days has no URL to answer with.
func TestFollowingKeepsNoSecret(t *testing.T) {
	t.Parallel()
	s, _ := releasing(t, region.StageInstall, region.Deployment{})
	s.ForgetCalls()
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9"}), s.wanted(nil)))
	s.Advance(time.Hour)
	followed := 0
	for _, c := range s.Calls() {
		if in, ok := c.Input.(*sqs.SendMessageInput); ok && strings.Contains(*in.MessageBody, `"answered":true`) {
			if followed++; strings.Contains(*in.MessageBody, "Signature") {
				t.Errorf("the queue keeps %s", *in.MessageBody)
			}
		}
	}
	if followed == 0 {
		t.Error("nothing is followed: nothing is shown")
	}
}

// TestUpdateAfterTheDeploymentGroup: somebody has deleted it by hand. Were the update refused, its
// rollback would be too, and the stack could not be deployed any more.
func TestUpdateAfterTheDeploymentGroup(t *testing.T) {
	t.Parallel()
	s := released(t)
	copied := s.current()
	s.DeleteDeploymentGroup(s.service)
	larger := s.wanted(properties{"MaxSize": "9"})
	if id := s.succeeds(s.request("Update", "shop/web", larger, s.wanted(nil))); id != "shop/web" || s.current() != copied || s.size(copied) != "2..9 version 1 cpu 50" || len(s.InService(copied)) != 2 {
		t.Fatalf("%s has the group %s, %s", id, s.current(), s.size(copied))
	}
	s.release()
	s.succeeds(s.request("Delete", "shop/web", larger, nil))
	if left := s.groups(); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	late := s.answer(s.request("Update", "shop/web", larger, s.wanted(nil))) // as if delivered once more
	if late.Status != invoke.Failed || s.deploymentGroup("web") != nil {
		t.Errorf("an old message makes the deployment group anew: %+v", late)
	}
}

// TestGroupThatVanishes between two calls, as the former group does at the end of a release, fails
// no update: what is there then shows when it is observed again.
func TestGroupThatVanishes(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"DescribePolicies", "UpdateAutoScalingGroup", "PutScalingPolicy"} {
		s := released(t)
		s.SetFaults(region.On(operation, 1, region.Fault{Before: &smithy.GenericAPIError{Code: "ValidationError", Message: "AutoScalingGroup name not found - null"}}))
		s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9", "TargetCPUPercent": "60"}), s.wanted(nil)))
	}
}
