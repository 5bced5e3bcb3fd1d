package region_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

// TestUpdateKeepsAutoScalingGroups: "To keep the Auto Scaling groups, enter their names or do
// not specify Auto Scaling group names. To remove Auto Scaling groups, specify a non-null empty
// list" (UpdateDeploymentGroup, CodeDeploy API Reference).
func TestUpdateKeepsAutoScalingGroups(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	for _, step := range []struct {
		groups []string
		want   int
	}{{nil, 1}, {[]string{group}, 1}, {[]string{}, 0}} {
		in := &codedeploy.UpdateDeploymentGroupInput{
			ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"), AutoScalingGroups: step.groups,
			AlarmConfiguration: &cd.AlarmConfiguration{Enabled: true, Alarms: []cd.Alarm{{Name: aws.String("5xx")}}},
		}
		if err := second(r.CodeDeploy().UpdateDeploymentGroup(ctx, in)); err != nil {
			t.Fatal(err)
		}
		out, err := r.CodeDeploy().GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})
		if err != nil || len(out.DeploymentGroupInfo.AutoScalingGroups) != step.want || !out.DeploymentGroupInfo.AlarmConfiguration.Enabled {
			t.Errorf("after an update with %#v there are %d groups, want %d (%v)", step.groups, len(out.DeploymentGroupInfo.AutoScalingGroups), step.want, err)
		}
	}
}

func TestDeploymentGroupTags(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	shop(r)
	resource := aws.String("arn:aws:codedeploy:" + region.Name + ":" + region.Account + ":deploymentgroup:shop/web")
	tags := func() (all []string) {
		in := &codedeploy.ListTagsForResourceInput{ResourceArn: resource}
		for {
			out, err := r.CodeDeploy().ListTagsForResource(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range out.Tags {
				all = append(all, *tag.Key+"="+*tag.Value)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return all
			}
		}
	}
	tag := func(pairs ...string) error {
		in := &codedeploy.TagResourceInput{ResourceArn: resource}
		for _, p := range pairs {
			key, value, _ := strings.Cut(p, "=")
			in.Tags = append(in.Tags, cd.Tag{Key: &key, Value: &value})
		}
		return second(r.CodeDeploy().TagResource(ctx, in))
	}
	if err := tag("b=1", "a=2"); err != nil {
		t.Fatal(err)
	}
	if err := tag("a=3"); err != nil || !slices.Equal(tags(), []string{"a=3", "b=1"}) {
		t.Errorf("tags are %v (%v)", tags(), err)
	}
	if err := second(r.CodeDeploy().UntagResource(ctx, &codedeploy.UntagResourceInput{ResourceArn: resource, TagKeys: []string{"a", "c"}})); err != nil || !slices.Equal(tags(), []string{"b=1"}) {
		t.Errorf("tags are %v (%v)", tags(), err)
	}
	var many []string
	for n := range 50 {
		many = append(many, fmt.Sprintf("k%d=v", n))
	}
	if err := tag(many...); code(err) != "TagLimitExceededException" || len(tags()) != 1 {
		t.Errorf("51 tags give %v", err)
	}
	if err := tag("aws:x=1"); code(err) != "InvalidTagsToAddException" {
		t.Errorf("a tag of AWS's own gives %v", err)
	}
	for arn, want := range map[string]string{"": "ResourceArnRequiredException", "arn:aws:s3:::x": "InvalidArnException", *resource + "x": "DeploymentGroupDoesNotExistException"} {
		if err := second(r.CodeDeploy().ListTagsForResource(ctx, &codedeploy.ListTagsForResourceInput{ResourceArn: &arn})); code(err) != want {
			t.Errorf("%q gives %v, want %s", arn, err, want)
		}
	}
}

// TestScalingPoliciesAreCopied as was observed in CloudTrail: PutScalingPolicy on the copy.
func TestScalingPoliciesAreCopied(t *testing.T) {
	r := region.New(region.Options{})
	s := shop(r)
	put := func(target float64) error {
		return second(r.AutoScaling().PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{
			AutoScalingGroupName: aws.String(group), PolicyName: aws.String("cpu"), PolicyType: aws.String("TargetTrackingScaling"),
			TargetTrackingConfiguration: &asg.TargetTrackingConfiguration{
				TargetValue: &target, PredefinedMetricSpecification: &asg.PredefinedMetricSpecification{PredefinedMetricType: asg.MetricTypeASGAverageCPUUtilization}},
		}))
	}
	policies := func(name string) (all []string) {
		out, err := r.AutoScaling().DescribePolicies(ctx, &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &name})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.ScalingPolicies {
			all = append(all, fmt.Sprint(*p.PolicyName, *p.AutoScalingGroupName, *p.TargetTrackingConfiguration.TargetValue))
		}
		return all
	}
	if err := put(40); err != nil {
		t.Fatal(err)
	}
	if err := put(50); err != nil || !slices.Equal(policies(group), []string{"cpu" + group + "50"}) {
		t.Errorf("policies are %v (%v)", policies(group), err)
	}
	r.RunDeployment(s, region.Deployment{})
	copied := r.GroupOf(s)
	if !slices.Equal(policies(copied), []string{"cpu" + copied + "50"}) {
		t.Errorf("the copy has the policies %v", policies(copied))
	}
	remove := &autoscaling.DeletePolicyInput{AutoScalingGroupName: &copied, PolicyName: aws.String("cpu")}
	if err := second(r.AutoScaling().DeletePolicy(ctx, remove)); err != nil || len(policies(copied)) > 0 {
		t.Errorf("policies are %v (%v)", policies(copied), err)
	}
	if err := second(r.AutoScaling().DeletePolicy(ctx, remove)); code(err) != "ValidationError" {
		t.Errorf("a policy that is gone gives %v", err)
	}
	if err := second(r.AutoScaling().PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{AutoScalingGroupName: &copied, PolicyName: aws.String("x"), PolicyType: aws.String("TargetTrackingScaling")})); code(err) != "ValidationError" {
		t.Errorf("a policy without a target gives %v", err)
	}
}
