package intake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
)

// TestSweepCannotFollow: that intake lacks the permission to look at executions ends no operation:
// all those that run would be held at once, in the middle of their steps. What is wrong with one
// execution holds that one.
func TestSweepCannotFollow(t *testing.T) {
	for code, want := range map[string]registry.OperationState{"AccessDeniedException": registry.Running, "ThrottlingException": registry.Running, "InvalidArn": registry.Held} {
		h := newHarness(t)
		h.launch("1", "acme")
		h.pass(3 * time.Minute)
		h.engine.endedErr = &smithy.OperationError{ServiceID: "SFN", OperationName: "DescribeExecution", Err: &smithy.GenericAPIError{Code: code, Message: "no"}}
		err := h.try(event.Continuation{Body: []byte(`{"sweep":{}}`)})[0]
		if op := h.current("acme"); op.State != want {
			t.Errorf("%s: the launch is %s: %s", code, op.State, op.Reason)
		}
		if failed := err != nil && strings.Contains(err.Error(), code); failed != (want == registry.Running) {
			t.Errorf("%s: the sweep says %v", code, err)
		}
	}
}
