package region

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Limits and defaults of lifecycle hooks (API reference, PutLifecycleHook).
const (
	hooksPerGroup           = 50
	defaultHeartbeatTimeout = 3600
	minHeartbeatTimeout     = 30
	maxHeartbeatTimeout     = 7200
	maxGlobalTimeout        = 172800
)

func (r *Region) putLifecycleHook(in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.LifecycleHookName)
	old, exists := g.hooks[name]
	h := asg.LifecycleHook{
		AutoScalingGroupName:  aws.String(g.name),
		LifecycleHookName:     aws.String(name),
		LifecycleTransition:   or(in.LifecycleTransition, old.LifecycleTransition),
		DefaultResult:         or(in.DefaultResult, or(old.DefaultResult, aws.String(resultAbandon))),
		HeartbeatTimeout:      or(in.HeartbeatTimeout, or(old.HeartbeatTimeout, aws.Int32(defaultHeartbeatTimeout))),
		NotificationMetadata:  or(in.NotificationMetadata, old.NotificationMetadata),
		NotificationTargetARN: or(in.NotificationTargetARN, old.NotificationTargetARN),
		RoleARN:               or(in.RoleARN, old.RoleARN),
	}
	switch transition := aws.ToString(h.LifecycleTransition); {
	case name == "":
		return nil, invalid("LifecycleHookName is required")
	case transition != onLaunching && transition != onTerminating:
		return nil, invalid("A valid LifecycleTransition is required when creating a lifecycle hook, not %q", transition)
	case *h.DefaultResult != resultContinue && *h.DefaultResult != resultAbandon:
		return nil, invalid("Invalid default result: %s", *h.DefaultResult)
	case *h.HeartbeatTimeout < minHeartbeatTimeout || *h.HeartbeatTimeout > maxHeartbeatTimeout:
		return nil, invalid("The heartbeat timeout must be between %d and %d seconds, not %d", minHeartbeatTimeout, maxHeartbeatTimeout, *h.HeartbeatTimeout)
	case !exists && len(g.hooks) == hooksPerGroup:
		return nil, &asg.LimitExceededFault{Message: aws.String("a group can have at most 50 lifecycle hooks")}
	}
	h.GlobalTimeout = aws.Int32(min(maxGlobalTimeout, 100**h.HeartbeatTimeout))
	g.hooks[name] = h
	if in.NotificationTargetARN != nil {
		r.testNotification(g, h)
	}
	return &autoscaling.PutLifecycleHookOutput{}, nil
}

// putHook puts a hook on a group that is being made.
func (r *Region) putHook(g *group, h asg.LifecycleHook) error {
	_, err := r.putLifecycleHook(&autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &g.name, LifecycleHookName: h.LifecycleHookName, LifecycleTransition: h.LifecycleTransition,
		DefaultResult: h.DefaultResult, HeartbeatTimeout: h.HeartbeatTimeout, NotificationMetadata: h.NotificationMetadata,
		NotificationTargetARN: h.NotificationTargetARN, RoleARN: h.RoleARN,
	})
	return err
}

func (r *Region) describeLifecycleHooks(in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var hooks []asg.LifecycleHook
	for _, h := range sorted(g.hooks) {
		if len(in.LifecycleHookNames) == 0 || slices.Contains(in.LifecycleHookNames, *h.LifecycleHookName) {
			hooks = append(hooks, h)
		}
	}
	return &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: hooks}, nil
}

// deleteLifecycleHook: "If there are any outstanding lifecycle actions, they
// are completed first (ABANDON for launching instances, CONTINUE for
// terminating instances)" (API reference).
func (r *Region) deleteLifecycleHook(in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.LifecycleHookName)
	if _, ok := g.hooks[name]; !ok {
		return nil, invalid("No Lifecycle Hook found with name: %s for Auto Scaling group: %s", name, g.name)
	}
	delete(g.hooks, name)
	for _, i := range slices.Concat(g.instances, g.warm) {
		if a := r.actionOf(i.id, name); a != nil {
			result := resultContinue
			if *a.hook.LifecycleTransition == onLaunching {
				result = resultAbandon
			}
			r.endAction(a, HookDeleted, result)
		}
	}
	return &autoscaling.DeleteLifecycleHookOutput{}, nil
}
