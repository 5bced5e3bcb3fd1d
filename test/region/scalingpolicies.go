package region

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Scaling policies are kept and copied; nothing measures a CPU here, so none of them
// scales.

// PutScalingPolicy puts a target-tracking policy on a group, or changes it.
func (v AutoScaling) PutScalingPolicy(ctx context.Context, in *autoscaling.PutScalingPolicyInput, _ ...func(*autoscaling.Options)) (*autoscaling.PutScalingPolicyOutput, error) {
	return asgCall(ctx, v.r, "PutScalingPolicy", in, "AutoScalingGroupName PolicyName PolicyType TargetTrackingConfiguration Enabled EstimatedInstanceWarmup", v.r.putScalingPolicy)
}

// DescribePolicies lists the policies of a group, or of all.
func (v AutoScaling) DescribePolicies(ctx context.Context, in *autoscaling.DescribePoliciesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribePoliciesOutput, error) {
	return asgCall(ctx, v.r, "DescribePolicies", in, "AutoScalingGroupName MaxRecords NextToken PolicyNames PolicyTypes", v.r.describePolicies)
}

// DeletePolicy deletes a policy by its name.
func (v AutoScaling) DeletePolicy(ctx context.Context, in *autoscaling.DeletePolicyInput, _ ...func(*autoscaling.Options)) (*autoscaling.DeletePolicyOutput, error) {
	return asgCall(ctx, v.r, "DeletePolicy", in, "AutoScalingGroupName PolicyName", v.r.deletePolicy)
}

func (r *Region) putScalingPolicy(in *autoscaling.PutScalingPolicyInput) (*autoscaling.PutScalingPolicyOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	name, target := aws.ToString(in.PolicyName), in.TargetTrackingConfiguration
	switch {
	case name == "":
		return nil, invalid("PolicyName is required")
	case aws.ToString(in.PolicyType) != "TargetTrackingScaling":
		return nil, failure("NotImplemented", "the simulated region knows no scaling policies of type %q", aws.ToString(in.PolicyType))
	case target == nil || target.TargetValue == nil || (target.PredefinedMetricSpecification == nil) == (target.CustomizedMetricSpecification == nil):
		return nil, invalid("TargetTrackingConfiguration needs a target value and one metric")
	}
	r.setPolicy(g, asg.ScalingPolicy{
		PolicyName: in.PolicyName, PolicyType: in.PolicyType, TargetTrackingConfiguration: target,
		Enabled: or(in.Enabled, aws.Bool(true)), EstimatedInstanceWarmup: in.EstimatedInstanceWarmup,
	})
	return &autoscaling.PutScalingPolicyOutput{PolicyARN: g.policies[name].PolicyARN}, nil
}

// setPolicy gives a policy its ARN, that of the policy which it replaces.
func (r *Region) setPolicy(g *group, p asg.ScalingPolicy) {
	name := aws.ToString(p.PolicyName)
	p.AutoScalingGroupName = aws.String(g.name)
	p.PolicyARN = aws.String(arn("autoscaling", "scalingPolicy:"+r.ids.uuid("scaling policy")+":autoScalingGroupName/"+g.name+":policyName/"+name))
	if old, ok := g.policies[name]; ok {
		p.PolicyARN = old.PolicyARN
	}
	if g.policies == nil {
		g.policies = map[string]asg.ScalingPolicy{}
	}
	g.policies[name] = p
}

func (r *Region) describePolicies(in *autoscaling.DescribePoliciesInput) (*autoscaling.DescribePoliciesOutput, error) {
	var found []asg.ScalingPolicy
	for _, g := range sorted(r.groups) {
		if in.AutoScalingGroupName != nil && *in.AutoScalingGroupName != g.name {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(g.policies)) {
			p := g.policies[name]
			if (len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, name)) && (len(in.PolicyTypes) == 0 || slices.Contains(in.PolicyTypes, aws.ToString(p.PolicyType))) {
				found = append(found, p)
			}
		}
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxRecords), 50, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribePoliciesOutput{ScalingPolicies: found, NextToken: next}, nil
}

func (r *Region) deletePolicy(in *autoscaling.DeletePolicyInput) (*autoscaling.DeletePolicyOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.PolicyName)
	if _, ok := g.policies[name]; !ok {
		return nil, invalid("No scaling policy found by name %s for group %s", strings.ToLower(name), g.name) // the text is assumed
	}
	delete(g.policies, name)
	return &autoscaling.DeletePolicyOutput{}, nil
}
