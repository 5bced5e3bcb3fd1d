package deploymentgroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	s := created(t)
	g := s.deploymentGroup("web")
	if g.BlueGreenDeploymentConfiguration.GreenFleetProvisioningOption.Action != cd.GreenFleetProvisioningActionCopyAutoScalingGroup ||
		g.DeploymentStyle.DeploymentOption != cd.DeploymentOptionWithTrafficControl || g.DeploymentStyle.DeploymentType != cd.DeploymentTypeBlueGreen {
		t.Errorf("the deployment group is %+v: a release does not copy its Auto Scaling group", g)
	}
	if !g.AutoRollbackConfiguration.Enabled || len(g.AutoRollbackConfiguration.Events) != 3 || !g.AlarmConfiguration.Enabled || len(g.AlarmConfiguration.Alarms) != 1 {
		t.Errorf("it rolls back on %+v, with alarms %+v: a bad release stays", g.AutoRollbackConfiguration, g.AlarmConfiguration)
	}
	if len(g.TriggerConfigurations) != 1 || *g.LoadBalancerInfo.TargetGroupInfoList[0].Name != "web" || g.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes != 5 {
		t.Errorf("it notifies %+v and moves traffic in %+v", g.TriggerConfigurations, g.LoadBalancerInfo)
	}
	if got := s.size(seed); got != "2..4 version 1 cpu 50" || len(s.InService(seed)) != 2 {
		t.Errorf("the Auto Scaling group is %s with %d instances: there is nothing to release to", got, len(s.InService(seed)))
	}
	s.release() // which the deployment group is for
	if s.current() == seed {
		t.Error("the release has not replaced the Auto Scaling group")
	}
}

// TestUpdate holds that whatever ordinary configuration changes reaches the Auto Scaling
// group that is current, and that the one of the template does not come back.
func TestUpdate(t *testing.T) {
	t.Parallel()
	s := released(t)
	copied := s.current()
	before, after := s.wanted(nil), s.wanted(properties{"MinSize": "3", "MaxSize": "8", "LaunchTemplateVersion": "2", "TargetCPUPercent": "60", "Alarms": nil,
		"TerminationWaitMinutes": "0", "Tags": map[string]string{"owner": "ana"}})
	s.ForgetCalls()
	if id := s.succeeds(s.request("Update", "shop/web", after, before)); id != "shop/web" {
		t.Errorf("the physical ID becomes %s: CloudFormation deletes the deployment group", id)
	}
	for _, c := range s.Calls() {
		if in, ok := c.Input.(*codedeploy.UpdateDeploymentGroupInput); ok && in.AutoScalingGroups != nil {
			t.Errorf("the update names %v: a group that a release has deleted comes back", in.AutoScalingGroups)
		}
	}
	if s.current() != copied || s.size(copied) != "3..8 version 2 cpu 60" {
		t.Errorf("the current group is %s, %s: the change does not reach what serves users", s.current(), s.size(copied))
	}
	g := s.deploymentGroup("web")
	if g.AlarmConfiguration.Enabled || g.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes != 0 {
		t.Errorf("the settings are not changed: %+v", g)
	}
	if tags := s.tags("web"); tags["owner"] != "ana" || tags["team"] != "" {
		t.Errorf("the tags are %v: what the template no longer has stays", tags)
	}
	s.ForgetCalls()
	s.succeeds(s.request("Update", "shop/web", after, before))
	for _, c := range s.Calls() {
		if n := c.Operation; strings.HasPrefix(n, "Update") || strings.HasPrefix(n, "Put") || strings.HasPrefix(n, "CreateOr") {
			t.Errorf("%s is called although nothing differs", n)
		}
	}
	s.succeeds(s.request("Update", "shop/web", before, after)) // a rollback
	if s.current() != copied || s.size(copied) != "2..4 version 1 cpu 50" {
		t.Errorf("after the rollback the group is %s", s.size(copied))
	}
}

func TestUpdateWithoutTargetCPU(t *testing.T) {
	t.Parallel()
	s := created(t)
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"TargetCPUPercent": nil, "TriggerTopic": nil}), s.wanted(nil)))
	if got := s.size(seed); got != "2..4 version 1" || len(s.deploymentGroup("web").TriggerConfigurations) > 0 {
		t.Errorf("the group is %s: what the template no longer has goes on", got)
	}
}

// TestDelete holds that a deletion removes what CodeDeploy made for this deployment group,
// and nothing that resembles it.
func TestDelete(t *testing.T) {
	t.Parallel()
	s := released(t)
	copied := s.current()
	other := s.AddService(region.Service{Application: "pay", DeploymentGroup: "web", TargetGroups: []string{"pay"}})
	sibling := s.AddService(region.Service{Application: "shop", DeploymentGroup: "api", TargetGroups: []string{"api"}})
	s.RunDeployment(other, region.Deployment{})
	s.RunDeployment(sibling, region.Deployment{})
	g, _ := s.Group(copied)
	var tags []asg.Tag
	for _, tag := range g.Tags {
		tags = append(tags, asg.Tag{Key: tag.Key, Value: tag.Value, PropagateAtLaunch: aws.Bool(false)})
	}
	s.addGroup("cloned-by-hand", 1, tags...)
	s.addGroup("never-copied", 1)
	s.Advance(20 * time.Minute)
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	want := []string{s.GroupOf(other), s.GroupOf(sibling), "cloned-by-hand", "never-copied"}
	slices.Sort(want)
	if got := s.groups(); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v: a copy costs money for ever, or somebody's instances are gone", got, want)
	}
	if s.deploymentGroup("web") != nil {
		t.Error("the deployment group is left")
	}
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil)) // once more
}

// TestDeleteOfWhatNeverWas: CloudFormation deletes what failed to be created too.
func TestDeleteOfWhatNeverWas(t *testing.T) {
	t.Parallel()
	s := released(t)
	former := s.AddService(region.Service{Application: "shop", DeploymentGroup: "former", TargetGroups: []string{"former"}})
	s.RunDeployment(former, region.Deployment{})
	s.DeleteDeploymentGroup(former)
	before := s.groups()
	for _, id := range []string{"training-ShopDeploymentGroup-1A2B3C", "none-request-1", "shop/former", "shop/other", "gone/web", "a/b/c", "shop/", "/web"} {
		if got := s.succeeds(s.request("Delete", id, s.wanted(nil), nil)); got != id {
			t.Errorf("the deletion of %s answers about %s: CloudFormation takes it for a failure", id, got)
		}
	}
	if after := s.groups(); !slices.Equal(before, after) || s.deploymentGroup("web") == nil {
		t.Errorf("left are %v: the deletion of what never was deletes what is", after)
	}
}

// TestDeleteWithoutReleases leaves the group of the template to CloudFormation.
func TestDeleteWithoutReleases(t *testing.T) {
	t.Parallel()
	s := created(t)
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if s.deploymentGroup("web") != nil || s.size(seed) != "2..4 version 1 cpu 50" {
		t.Errorf("the group of the template is %s: CloudFormation deletes it itself", s.size(seed))
	}
}

// TestDeleteAfterTheDeploymentGroup: somebody has deleted it by hand, and the copy is left.
func TestDeleteAfterTheDeploymentGroup(t *testing.T) {
	t.Parallel()
	s := released(t)
	s.DeleteDeploymentGroup(s.service)
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if left := s.groups(); len(left) > 0 {
		t.Errorf("left are %v, which cost money for ever", left)
	}
}

// TestReplacement plays what CloudFormation does for another name: an update that answers
// another ID, and then the deletion of the former one; and its rollback.
func TestReplacement(t *testing.T) {
	t.Parallel()
	renamed := properties{"DeploymentGroupName": "site"}
	t.Run("after a release", func(t *testing.T) {
		t.Parallel()
		s := released(t)
		copied := s.current()
		before, after := s.wanted(nil), s.wanted(renamed)
		if id := s.succeeds(s.request("Update", "shop/web", after, before)); id != "shop/site" {
			t.Fatalf("the physical ID is %s: the former deployment group stays", id)
		}
		s.succeeds(s.request("Delete", "shop/web", before, nil))
		if g := s.deploymentGroup("site"); g == nil || *g.AutoScalingGroups[0].Name != copied || len(s.InService(copied)) != 2 {
			t.Fatalf("the new deployment group is %+v, and the groups %v: users lose their instances", g, s.groups())
		}
		s.service.DeploymentGroup = "site"
		s.release()
		s.succeeds(s.request("Delete", "shop/site", after, nil))
		if left := s.groups(); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		t.Parallel()
		s := released(t)
		copied := s.current()
		before, after := s.wanted(nil), s.wanted(renamed)
		s.succeeds(s.request("Update", "shop/web", after, before))
		if id := s.succeeds(s.request("Update", "shop/site", before, after)); id != "shop/web" {
			t.Fatalf("the physical ID is %s", id)
		}
		s.succeeds(s.request("Delete", "shop/site", after, nil))
		if s.deploymentGroup("site") != nil || s.current() != copied || len(s.InService(copied)) != 2 {
			t.Errorf("left are %v: the rollback costs the service", s.groups())
		}
	})
	t.Run("failed half-way", func(t *testing.T) {
		t.Parallel()
		s := released(t)
		copied := s.current()
		before, after := s.wanted(nil), s.wanted(renamed)
		after["MaxSize"] = "9"
		s.SetFaults(region.On("UpdateAutoScalingGroup", 0, region.Fault{Before: region.AccessDenied("")}))
		failed := s.answer(s.request("Update", "shop/web", after, before))
		if failed.Status != invoke.Failed || failed.PhysicalResourceID != "shop/web" || !strings.Contains(failed.Reason, "autoscaling:UpdateAutoScalingGroup") {
			t.Fatalf("the answer is %+v", failed)
		}
		s.SetFaults(nil)
		s.succeeds(s.request("Update", "shop/web", before, after))
		if s.deploymentGroup("site") != nil || s.current() != copied || s.size(copied) != "2..4 version 1 cpu 50" {
			t.Errorf("after the rollback there is %+v beside %s: nobody deletes it", s.deploymentGroup("site"), s.current())
		}
	})
}

// TestImport holds that a deployment group of somebody else's is taken over only where the
// template says so, and is not deleted before it says otherwise.
func TestImport(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.service = s.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}})
	s.release()
	copied := s.current()
	refused := s.answer(s.request("Create", "", s.wanted(nil), nil))
	if refused.Status != invoke.Failed || !strings.Contains(refused.Reason, "Import") {
		t.Fatalf("the answer is %+v", refused)
	}
	s.succeeds(s.request("Delete", refused.PhysicalResourceID, s.wanted(nil), nil))
	if s.deploymentGroup("web") == nil || len(s.InService(copied)) != 2 {
		t.Fatal("the rollback of a creation that failed deletes somebody's service")
	}
	imports := s.wanted(properties{"Import": "true"})
	s.succeeds(s.request("Create", "", imports, nil))
	if s.size(copied) != "2..4 version 1 cpu 50" || s.current() != copied || !s.deploymentGroup("web").AlarmConfiguration.Enabled {
		t.Errorf("the group is %s: the import changes nothing", s.size(copied))
	}
	s.succeeds(s.request("Delete", "shop/web", imports, nil))
	if s.deploymentGroup("web") == nil || len(s.InService(copied)) != 2 || s.tags("web")["team"] != "shop" {
		t.Fatal("the rollback of an import deletes the service")
	}
	s.succeeds(s.request("Create", "", imports, nil))
	s.succeeds(s.request("Update", "shop/web", s.wanted(nil), imports))
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if s.deploymentGroup("web") != nil || slices.Contains(s.groups(), copied) {
		t.Errorf("left are %v although the template owns the deployment group", s.groups())
	}
}

// TestAnotherStack holds that two stacks do not fight for a deployment group.
func TestAnotherStack(t *testing.T) {
	t.Parallel()
	s := released(t)
	before := s.groups()
	for _, kind := range []string{"Create", "Update", "Delete"} {
		id := ""
		if kind != "Create" {
			id = "shop/web"
		}
		message := strings.ReplaceAll(s.message("of-another-"+kind, kind, id, s.wanted(properties{"Import": "true", "MaxSize": "9"}), nil), stack, otherStack)
		s.publish(message)
		if a := s.answer("of-another-" + kind); (a.Status == invoke.Success) != (kind == "Delete") || kind != "Delete" && (!strings.Contains(a.Reason, stack) || !strings.Contains(a.Reason, "If that stack is gone")) {
			t.Errorf("%s of another stack answers %+v", kind, a)
		}
	}
	if s.size(s.current()) != "2..4 version 1 cpu 50" || !slices.Equal(before, s.groups()) {
		t.Errorf("another stack has changed the group to %s", s.size(s.current()))
	}
}

// tags are a deployment group's.
func (s *scenario) tags(name string) map[string]string {
	s.t.Helper()
	out, err := s.CodeDeploy().ListTagsForResource(s.t.Context(), &codedeploy.ListTagsForResourceInput{
		ResourceArn: aws.String("arn:aws:codedeploy:" + region.Name + ":" + region.Account + ":deploymentgroup:shop/" + name)})
	s.must(err)
	tags := map[string]string{}
	for _, tag := range out.Tags {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}
