package drain

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
)

// One question to AWS each; observe.go says when which is asked.

// describeGroupsLimit is how many names DescribeAutoScalingGroups takes without
// MaxRecords (Amazon EC2 Auto Scaling API Reference).
const describeGroupsLimit = 50

// groups describes Auto Scaling groups by name, or all of them without names; a
// group that does not exist is not in the answer.
func (r *Drainer) groups(ctx context.Context, names []string) (map[string]*Group, error) {
	found := map[string]*Group{}
	in := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Groups.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, a := range out.AutoScalingGroups {
			found[aws.ToString(a.AutoScalingGroupName)] = groupFrom(a)
		}
		in.NextToken = out.NextToken
	}
	return found, nil
}

func groupFrom(a autoscalingtypes.AutoScalingGroup) *Group {
	g := &Group{Name: aws.ToString(a.AutoScalingGroupName), Tags: map[string]string{}, Instances: map[string]string{}}
	for _, i := range a.Instances {
		g.Instances[aws.ToString(i.InstanceId)] = string(i.LifecycleState)
	}
	for _, t := range a.Tags {
		g.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	// Which of the two lists a target group is in depends on how it was
	// attached.
	g.TargetGroups = slices.Clone(a.TargetGroupARNs)
	for _, s := range a.TrafficSources {
		if aws.ToString(s.Type) == "elbv2" {
			g.TargetGroups = append(g.TargetGroups, aws.ToString(s.Identifier))
		}
	}
	return g
}

// ourHooks are the group's terminate hooks that are this function's, as actions
// without tokens.
func (r *Drainer) ourHooks(ctx context.Context, group string) ([]Action, error) {
	out, err := r.clients.Groups.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &group})
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	var ours []Action
	for _, h := range out.LifecycleHooks {
		name := aws.ToString(h.LifecycleHookName)
		if aws.ToString(h.LifecycleTransition) == string(event.Terminating) && r.cfg.Hooks.Match(name) {
			ours = append(ours, Action{Hook: name, Timeout: int(aws.ToInt32(h.HeartbeatTimeout)), Global: int(aws.ToInt32(h.GlobalTimeout))})
		}
	}
	return ours, nil
}

// facts are what the drains of a group have in common.
type facts struct {
	TargetGroups []string // ARNs
	Delay        int      // the longest deregistration delay, in seconds
	Hooks        map[string]Action
	// Ours says that the group has a hook or a tag of ours.
	Ours bool
	// Whole says that asking again would bring no more: what is missing is
	// what the function may not ask.
	Whole bool
}

// facts finds out what the drains of a group, nil for none, have in common.
// With an error it tells as much as could be found out. An instance that cannot
// be taken out of a target group for want of a permission is not held on that
// account: it would only go on getting requests.
func (r *Drainer) facts(ctx context.Context, g *Group) (facts, error) {
	f := facts{Hooks: map[string]Action{}}
	wanted := slices.Clone(r.cfg.TargetGroups)
	var errs []error
	if g != nil {
		hooks, err := r.ourHooks(ctx, g.Name)
		errs = append(errs, err)
		for _, h := range hooks {
			f.Hooks[h.Hook] = h
		}
		f.Ours = len(hooks) > 0 || g.Tags[TargetGroupsTag] != "" || g.Tags[CommandTag] != ""
		deployed, err := r.deploymentTargets(ctx, g.Tags[deploymentTag])
		errs = append(errs, err)
		wanted = slices.Concat(wanted, g.TargetGroups, strings.Fields(g.Tags[TargetGroupsTag]), deployed)
	}
	arns, err := r.targetGroups(ctx, wanted)
	errs = append(errs, err)
	slices.Sort(arns)
	for _, arn := range slices.Compact(arns) {
		delay, err := r.delay(ctx, arn)
		if fault.Of(err) == fault.NotFound && err != nil {
			continue // nobody can be in it
		}
		errs = append(errs, err)
		f.TargetGroups, f.Delay = append(f.TargetGroups, arn), max(f.Delay, delay)
	}
	f.Whole = !slices.ContainsFunc(errs, func(err error) bool { return err != nil && fault.Of(err) != fault.Denied })
	return f, errors.Join(errs...)
}

// deploymentTargets are the names of the target groups that CodeDeploy put the
// instances of a group that it made in.
func (r *Drainer) deploymentTargets(ctx context.Context, deployment string) (names []string, err error) {
	if deployment == "" {
		return nil, nil
	}
	out, err := r.clients.Deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &deployment})
	switch {
	case err != nil && fault.Of(err) == fault.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case out.DeploymentInfo.LoadBalancerInfo == nil:
		return nil, nil
	}
	for _, t := range out.DeploymentInfo.LoadBalancerInfo.TargetGroupInfoList {
		names = append(names, aws.ToString(t.Name))
	}
	return names, nil
}

// targetGroups turns names and ARNs of target groups into ARNs. A name that
// does not exist is left out.
func (r *Drainer) targetGroups(ctx context.Context, namesAndARNs []string) (arns []string, err error) {
	var names []string
	for _, s := range namesAndARNs {
		if strings.HasPrefix(s, "arn:") {
			arns = append(arns, s)
		} else {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	// A target group is often named by its deployment and attached as well.
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.ContainsFunc(arns, func(arn string) bool { return targetGroupName(arn) == name })
	})
	if len(names) == 0 {
		return arns, nil
	}
	out, err := r.clients.Balancers.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: names})
	switch {
	case err == nil:
		for _, t := range out.TargetGroups {
			arns = append(arns, aws.ToString(t.TargetGroupArn))
		}
		return arns, nil
	case fault.Of(err) != fault.NotFound:
		return arns, err
	case len(names) == 1:
		return arns, nil
	}
	// One missing name fails the question for all of them: ask one by one.
	var errs []error
	for _, name := range names {
		one, err := r.targetGroups(ctx, []string{name})
		arns, errs = append(arns, one...), append(errs, err)
	}
	return arns, errors.Join(errs...)
}

// delayAttribute is the target group attribute of the deregistration delay
// ("Edit target group attributes", Elastic Load Balancing).
const delayAttribute = "deregistration_delay.timeout_seconds"

// delay is a target group's deregistration delay in seconds; 0 for one that has
// none.
func (r *Drainer) delay(ctx context.Context, arn string) (int, error) {
	out, err := r.clients.Balancers.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &arn})
	if err != nil {
		return int(maxDelay / time.Second), err
	}
	for _, a := range out.Attributes {
		if aws.ToString(a.Key) == delayAttribute {
			return strconv.Atoi(aws.ToString(a.Value))
		}
	}
	return 0, nil
}

// health reads who is in a target group and in what state; empty without an
// error if the target group does not exist.
func (r *Drainer) health(ctx context.Context, arn string) (TargetGroup, error) {
	// Unfiltered: an instance may be registered with ports that only this list
	// tells, and one answer serves all drains.
	out, err := r.clients.Balancers.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			return TargetGroup{}, nil
		}
		return nil, err
	}
	group := TargetGroup{}
	for _, d := range out.TargetHealthDescriptions {
		id := aws.ToString(d.Target.Id)
		group[id] = append(group[id], Target{arn, aws.ToInt32(d.Target.Port), string(d.TargetHealth.State)})
	}
	return group, nil
}
