package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/fleet"
)

const putHook = "put-lifecycle-hook"

type lifecycleHooksAPI interface {
	fleet.HooksAPI
	PutLifecycleHook(context.Context, *autoscaling.PutLifecycleHookInput, ...func(*autoscaling.Options)) (*autoscaling.PutLifecycleHookOutput, error)
}

var _ lifecycleHooksAPI = (*autoscaling.Client)(nil)

// lifecycleHooks are the users' own lifecycle hooks, which a copy was not seen to
// have. Without its terminate hook, a group stops draining unnoticed.
var lifecycleHooks = Kind{
	Name:   putHook,
	Reads:  []string{"autoscaling:DescribeLifecycleHooks"},
	Writes: []string{"autoscaling:PutLifecycleHook"},
	Fetch: func(ctx context.Context, client Client, group string) (any, error) {
		return fleet.LifecycleHooks(ctx, client.(lifecycleHooksAPI), group)
	},
	Items: hookItems,
	Diff: func(group string, want, got []Item) []Change {
		var changes []Change
		for _, i := range missing(want, got) {
			changes = append(changes, Change{Kind: putHook, Group: group, Items: []string{i.Name}, Data: []json.RawMessage{i.Data}})
		}
		return changes
	},
	Apply: applyHook,
	Say: func(c Change) string {
		return fmt.Sprintf("put lifecycle hook %s back on %s", Join(c.Items), Plain(c.Group))
	},
}

// hookItems leaves out the hooks that CodeDeploy puts and removes itself.
func hookItems(_ *fleet.AutoScalingGroup, fetched any) []Item {
	hooks, _ := fetched.([]fleet.LifecycleHook)
	var items []Item
	for _, h := range hooks {
		if !strings.HasPrefix(h.Name, fleet.ManagedHook) {
			items = append(items, item(h.Name, h))
		}
	}
	return items
}

// HasTerminateHook reports whether terminating instances wait for a hook of the
// users' own, whose owner drains them.
func HasTerminateHook(f Fetched) bool {
	hooks, _ := f[putHook].([]fleet.LifecycleHook)
	return slices.ContainsFunc(hooks, func(h fleet.LifecycleHook) bool {
		return h.Transition == "autoscaling:EC2_INSTANCE_TERMINATING" && !strings.HasPrefix(h.Name, fleet.ManagedHook)
	})
}

func applyHook(ctx context.Context, client Client, c Change) error {
	for _, data := range c.Data {
		var h fleet.LifecycleHook
		if err := json.Unmarshal(data, &h); err != nil {
			return fmt.Errorf("lifecycle hook of %s: %w", c.Group, err)
		}
		_, err := client.(lifecycleHooksAPI).PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: &c.Group, LifecycleHookName: &h.Name, LifecycleTransition: &h.Transition,
			HeartbeatTimeout: &h.Timeout, DefaultResult: &h.DefaultResult,
			NotificationMetadata: optional(h.Metadata), NotificationTargetARN: optional(h.TargetARN), RoleARN: optional(h.RoleARN),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// optional leaves an empty string out of a request: AWS does not take it for
// absent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}
