package repair

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/pkg/fault"
)

// One question to AWS each; observe.go says when which is asked.

// inProgress are the states of a deployment that has not ended.
var inProgress = []codedeploytypes.DeploymentStatus{
	codedeploytypes.DeploymentStatusCreated, codedeploytypes.DeploymentStatusQueued, codedeploytypes.DeploymentStatusInProgress,
	codedeploytypes.DeploymentStatusBaking, codedeploytypes.DeploymentStatusReady,
}

func (r *Repairer) deploymentGroup(ctx context.Context, k Key) (DeploymentGroup, error) {
	out, err := r.clients.Deployments.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{
		ApplicationName: &k.Application, DeploymentGroupName: &k.DeploymentGroup,
	})
	if err != nil {
		return DeploymentGroup{}, err
	}
	return deploymentGroup(out.DeploymentGroupInfo), nil
}

func deploymentGroup(info *codedeploytypes.DeploymentGroupInfo) DeploymentGroup {
	g := DeploymentGroup{Platform: string(info.ComputePlatform)}
	if g.Platform == "" {
		g.Platform = "Server" // groups older than the field do not have it
	}
	if s := info.DeploymentStyle; s != nil {
		g.BlueGreen = s.DeploymentType == codedeploytypes.DeploymentTypeBlueGreen
	}
	if c := info.BlueGreenDeploymentConfiguration; c != nil && c.GreenFleetProvisioningOption != nil {
		g.Copies = c.GreenFleetProvisioningOption.Action == codedeploytypes.GreenFleetProvisioningActionCopyAutoScalingGroup
	}
	for _, a := range info.AutoScalingGroups {
		g.Groups = append(g.Groups, aws.ToString(a.Name))
	}
	if b := info.LoadBalancerInfo; b != nil {
		for _, t := range b.TargetGroupInfoList {
			g.TargetGroups = append(g.TargetGroups, aws.ToString(t.Name))
		}
		for _, e := range b.ElbInfoList {
			g.Classic = append(g.Classic, aws.ToString(e.Name))
		}
	}
	if l := info.LastAttemptedDeployment; l != nil {
		g.Last = aws.ToString(l.DeploymentId)
	}
	if l := info.LastSuccessfulDeployment; l != nil {
		g.Success = aws.ToString(l.DeploymentId)
	}
	return g
}

// deployment reads a deployment; nil if CodeDeploy does not know it.
func (r *Repairer) deployment(ctx context.Context, id string) (*Deployment, error) {
	out, err := r.clients.Deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	info := out.DeploymentInfo
	d := &Deployment{
		ID:        id,
		Over:      !slices.Contains(inProgress, info.Status),
		Ended:     aws.ToTime(info.CompleteTime),
		Succeeded: info.Status == codedeploytypes.DeploymentStatusSucceeded,
		Scaling:   info.Creator == codedeploytypes.DeploymentCreatorAutoscaling || info.Creator == codedeploytypes.DeploymentCreatorAutoscalingTermination,
	}
	if b := info.RollbackInfo; b != nil {
		d.Undoes = aws.ToString(b.RollbackTriggeringDeploymentId)
	}
	if t := info.TargetInstances; t != nil {
		d.Replacement = t.AutoScalingGroups
	}
	return d, nil
}

func (r *Repairer) inProgress(ctx context.Context, k Key) ([]string, error) {
	var ids []string
	in := &codedeploy.ListDeploymentsInput{ApplicationName: &k.Application, DeploymentGroupName: &k.DeploymentGroup, IncludeOnlyStatuses: inProgress}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Deployments.ListDeployments(ctx, in)
		if err != nil {
			return nil, err
		}
		ids, in.NextToken = append(ids, out.Deployments...), out.NextToken
	}
	return ids, nil
}

// managedHook begins the names of the hooks that CodeDeploy puts and removes
// itself.
const managedHook = "CodeDeploy-managed-"

// describeGroupsLimit is how many names DescribeAutoScalingGroups takes without
// MaxRecords (Amazon EC2 Auto Scaling API Reference).
const describeGroupsLimit = 50

// groups describes Auto Scaling groups by name; one that does not exist, or is
// being deleted, is not in the answer.
func (r *Repairer) groups(ctx context.Context, names ...string) (map[string]*Group, error) {
	found := map[string]*Group{}
	for chunk := range slices.Chunk(names, describeGroupsLimit) {
		in := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: chunk}
		for more := true; more; more = aws.ToString(in.NextToken) != "" {
			out, err := r.clients.Groups.DescribeAutoScalingGroups(ctx, in)
			if err != nil {
				return nil, err
			}
			for _, a := range out.AutoScalingGroups {
				if aws.ToString(a.Status) == "" { // "Delete in progress" otherwise
					found[aws.ToString(a.AutoScalingGroupName)] = groupFrom(a)
				}
			}
			in.NextToken = out.NextToken
		}
	}
	return found, nil
}

func (r *Repairer) sources(ctx context.Context, group string) (map[Source]string, error) {
	found := map[Source]string{}
	in := &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: &group}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Groups.DescribeTrafficSources(ctx, in)
		if err != nil {
			if fault.Of(err) == fault.NotFound {
				return nil, nil // the group is gone; describing it says so too
			}
			return nil, err
		}
		for _, s := range out.TrafficSources {
			found[Source{aws.ToString(s.Type), aws.ToString(s.Identifier)}] = aws.ToString(s.State)
		}
		in.NextToken = out.NextToken
	}
	return found, nil
}

func (r *Repairer) hooks(ctx context.Context, group string) ([]Hook, error) {
	out, err := r.clients.Groups.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &group})
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	var hooks []Hook
	for _, h := range out.LifecycleHooks {
		if strings.HasPrefix(aws.ToString(h.LifecycleHookName), managedHook) {
			continue
		}
		hooks = append(hooks, Hook{
			Name:          aws.ToString(h.LifecycleHookName),
			Transition:    aws.ToString(h.LifecycleTransition),
			Timeout:       aws.ToInt32(h.HeartbeatTimeout),
			DefaultResult: aws.ToString(h.DefaultResult),
			Metadata:      aws.ToString(h.NotificationMetadata),
			TargetARN:     aws.ToString(h.NotificationTargetARN),
			RoleARN:       aws.ToString(h.RoleARN),
		})
	}
	slices.SortFunc(hooks, func(a, b Hook) int { return strings.Compare(a.Name, b.Name) })
	return hooks, nil
}

func groupFrom(a autoscalingtypes.AutoScalingGroup) *Group {
	g := &Group{
		Name: aws.ToString(a.AutoScalingGroupName),
		// The health-check type may be a list: "EC2,ELB".
		ELBChecked: strings.Contains(aws.ToString(a.HealthCheckType), "ELB"),
		Tags:       map[string]string{},
		Sources:    map[Source]string{},
	}
	for _, p := range a.SuspendedProcesses {
		g.Suspended = append(g.Suspended, aws.ToString(p.ProcessName))
	}
	for _, i := range a.Instances {
		g.Instances = append(g.Instances, Instance{aws.ToString(i.InstanceId), i.LifecycleState == autoscalingtypes.LifecycleStateInService})
	}
	for _, t := range a.Tags {
		g.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	// Which of the three lists a source is in depends on how it was attached.
	for _, s := range a.TrafficSources {
		g.Sources[Source{aws.ToString(s.Type), aws.ToString(s.Identifier)}] = ""
	}
	for _, arn := range a.TargetGroupARNs {
		g.Sources[Source{ELBV2, arn}] = ""
	}
	for _, name := range a.LoadBalancerNames {
		g.Sources[Source{ClassicELB, name}] = ""
	}
	return g
}

// targetGroups finds target groups by their names. One that does not exist is
// not in the answer.
func (r *Repairer) targetGroups(ctx context.Context, names []string) ([]TargetGroup, error) {
	out, err := r.clients.Balancers.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: names})
	switch {
	case err == nil:
		var found []TargetGroup
		for _, t := range out.TargetGroups {
			found = append(found, TargetGroup{ARN: aws.ToString(t.TargetGroupArn), Kind: string(t.TargetType)})
		}
		return found, nil
	case fault.Of(err) != fault.NotFound:
		return nil, err
	case len(names) == 1:
		return nil, nil
	}
	// One missing name fails the question for all of them: ask one by one.
	var found []TargetGroup
	for _, name := range names {
		one, err := r.targetGroups(ctx, []string{name})
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	return found, nil
}

// health reads who is registered in a target group and in what state; nil
// without an error if the target group does not exist.
func (r *Repairer) health(ctx context.Context, arn string) (map[string]string, error) {
	out, err := r.clients.Balancers.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	health := map[string]string{}
	for _, d := range out.TargetHealthDescriptions {
		id, state := aws.ToString(d.Target.Id), string(d.TargetHealth.State)
		if known, ok := health[id]; !ok || known == healthy {
			health[id] = state // an instance is as well as its worst port
		}
	}
	return health, nil
}

// The states of a target that matter here, as in DescribeTargetHealth.
const (
	healthy = string(elbtypes.TargetHealthStateEnumHealthy)
	unused  = string(elbtypes.TargetHealthStateEnumUnused)
)

// kindInstance is the one target type that works with Auto Scaling.
const kindInstance = string(elbtypes.TargetTypeEnumInstance)
