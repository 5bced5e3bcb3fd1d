package setting

import (
	"encoding/json"
	"strings"
	"testing"

	"deployhooks/pkg/fleet"
)

var drainHook = fleet.LifecycleHook{
	Name: "drain", Transition: "autoscaling:EC2_INSTANCE_TERMINATING", Timeout: 300, DefaultResult: "CONTINUE", Metadata: "secret", RoleARN: "arn:role",
}

func TestLifecycleHooks(t *testing.T) {
	hooks := func(all ...fleet.LifecycleHook) described { return described{fetched: all} }
	testKind(t, lifecycleHooks, map[string]kindCase{
		"a copy without the hook":           {hooks(drainHook), hooks(), []string{"put lifecycle hook drain back on green"}, "instances terminate with requests in flight"},
		"a hook of the same name":           {hooks(drainHook), hooks(fleet.LifecycleHook{Name: "drain", Timeout: 60}), nil, "a person's change is undone"},
		"a hook that CodeDeploy put itself": {hooks(fleet.LifecycleHook{Name: fleet.ManagedHook + "x"}), hooks(), nil, "a release that has ended holds instances"},
	})
	for _, c := range lifecycleHooks.Diff("green", hookItems(nil, []fleet.LifecycleHook{drainHook}), nil) {
		if public, _ := json.Marshal(c); strings.Contains(string(public), "secret") || strings.Contains(string(public), "arn:role") {
			t.Errorf("what the hook's owner wrote for himself is public: %s", public)
		}
	}
}
