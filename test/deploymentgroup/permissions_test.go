package deploymentgroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/fault"
	"deployhooks/test/region"
)

// TestEveryPermissionIsNeeded holds that what is not needed is not allowed.
func TestEveryPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	// The region does not know what instances are made of ("Control Amazon EC2 launch template
	// usage in Auto Scaling groups", Amazon EC2 Auto Scaling User Guide).
	known := []string{"ec2:CreateTags", "ssm:GetParameters"}
	s := created(t)
	s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"TargetCPUPercent": nil, "Alarms": nil, "Tags": nil}), s.wanted(nil)))
	s.release()
	s.Deploy(s.service, region.Deployment{})
	s.Advance(3 * time.Minute)
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
	for _, permission := range s.role.Unused() {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.Contains(permission, k) }) {
			t.Errorf("no call rests on %s: whoever gets hold of the function's role may do more than it does", permission)
		}
	}
}

// TestForbidden holds what the role does not allow, whatever the code does.
func TestForbidden(t *testing.T) {
	t.Parallel()
	s := created(t)
	s.addGroup("of-somebody", 1)
	groups := s.role.AutoScaling()
	deleteGroup := func(name string) error {
		_, err := groups.DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &name, ForceDelete: aws.Bool(true)})
		return err
	}
	_, size := groups.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("of-somebody"), MaxSize: aws.Int32(0)})
	_, tag := groups.CreateOrUpdateTags(t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []asg.Tag{{
		ResourceId: aws.String("of-somebody"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("CodeDeployProvisioningDeploymentId"), Value: aws.String("d-1")}}})
	_, pass := s.role.CodeDeploy().UpdateDeploymentGroup(t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), ServiceRoleArn: aws.String("arn:aws:iam::" + region.Account + ":role/admin")})
	for what, err := range map[string]error{
		"to delete the group of the template": deleteGroup(seed), "to delete somebody's group": deleteGroup("of-somebody"),
		"to size somebody's group": size, "to give a group the tag of a copy": tag, "to pass another role": pass,
	} {
		if !fault.Is(err, fault.Denied) {
			t.Errorf("the role allows %s (%v)", what, err)
		}
	}
}
