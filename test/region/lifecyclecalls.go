package region

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// CompleteLifecycleAction ends a lifecycle action, named by its token or by
// its instance.
func (v AutoScaling) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput, _ ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return asgCall(ctx, v.r, "CompleteLifecycleAction", in, "AutoScalingGroupName LifecycleHookName LifecycleActionResult LifecycleActionToken InstanceId", v.r.completeLifecycleAction)
}

// RecordLifecycleActionHeartbeat begins the heartbeat timeout of a lifecycle
// action anew.
func (v AutoScaling) RecordLifecycleActionHeartbeat(ctx context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput, _ ...func(*autoscaling.Options)) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return asgCall(ctx, v.r, "RecordLifecycleActionHeartbeat", in, "AutoScalingGroupName LifecycleHookName LifecycleActionToken InstanceId", v.r.recordLifecycleActionHeartbeat)
}

func (r *Region) completeLifecycleAction(in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	result := aws.ToString(in.LifecycleActionResult)
	if result != resultContinue && result != resultAbandon {
		return nil, invalid("The lifecycle action result must be %s or %s, not %q", resultContinue, resultAbandon, result)
	}
	a, err := r.activeAction(in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	r.endAction(a, Completed, result)
	return &autoscaling.CompleteLifecycleActionOutput{}, nil
}

// recordLifecycleActionHeartbeat "extends the timeout by the length of time
// defined using the HeartbeatTimeout parameter" (API reference), from now on
// and never beyond the action's global timeout.
func (r *Region) recordLifecycleActionHeartbeat(in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	a, err := r.activeAction(in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	a.heartbeats++
	a.due = r.clock.now.Add(seconds(a.hook.HeartbeatTimeout))
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, nil
}

// activeAction finds the action that a call means. One that has ended cannot
// be distinguished from one that never was ("No active Lifecycle Action found", observed).
func (r *Region) activeAction(group, hook, token, id *string) (*action, error) {
	g, err := r.group(group)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(hook)
	if name == "" {
		return nil, invalid("LifecycleHookName is required")
	}
	var a *action
	switch {
	case token != nil:
		a = r.actions[*token]
	case id != nil:
		a = r.actionOf(*id, name)
	default:
		return nil, invalid("Either LifecycleActionToken or InstanceId must be specified")
	}
	if a == nil || a.instance.group != g || *a.hook.LifecycleHookName != name || (id != nil && a.instance.id != *id) {
		if token != nil {
			return nil, invalid("No active Lifecycle Action found with token %s", *token)
		}
		return nil, invalid("No active Lifecycle Action found with instance ID %s", *id)
	}
	return a, nil
}

// actionOf is the action that an instance waits for on behalf of a hook, nil
// if there is none.
func (r *Region) actionOf(instance, hook string) *action {
	i := r.instances[instance]
	if i == nil || i.waiting == nil {
		return nil
	}
	for _, a := range i.waiting.actions {
		if a.ending == Active && *a.hook.LifecycleHookName == hook {
			return a
		}
	}
	return nil
}
