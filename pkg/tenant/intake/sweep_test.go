package intake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/event"
	. "deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
)

// TestTopicDenied: what the topic does not take for a day, whatever the reason, is sent when it does.
func TestTopicDenied(t *testing.T) {
	for _, code := range []string{"AuthorizationError", "NotFound", "KMSDisabled", "InternalError"} {
		h := newHarness(t)
		h.silent = &smithy.OperationError{ServiceID: "SNS", OperationName: "Publish", Err: &smithy.GenericAPIError{Code: code, Message: "no"}}
		h.deliver(request("1", "acme", "launch", specOf("acme", "acme", `,"locale":7`)))
		for range 24 * 12 {
			h.pass(5 * time.Minute)
			h.sweep()
		}
		if tries := h.last("acme").Ledger.Outbox[0].Tries; tries < 20 || tries > 40 {
			t.Errorf("%s: tried %d times in a day", code, tries)
		}
		h.silent = nil
		h.pass(time.Hour)
		h.sweep()
		if len(h.published) != 1 {
			t.Errorf("%s: sent is %v: the sender never learns that the request was rejected", code, h.published)
		}
	}
}

// TestLateNotifications: what is sent after the operation went on says what was true of its own state.
func TestLateNotifications(t *testing.T) {
	h := newHarness(t)
	h.launch("1", "acme")
	h.finish("acme", registry.Succeeded)
	h.silent = &smithy.OperationError{ServiceID: "SNS", OperationName: "Publish", Err: &smithy.GenericAPIError{Code: "InternalError", Message: "no"}}
	h.deliver(request("2", "acme", "remove", ""))
	h.pass(25 * time.Hour)
	h.finish("acme", "")
	h.silent = nil
	h.pass(time.Hour)
	h.sweep()
	late := map[registry.OperationState]Report{}
	for _, d := range h.details {
		late[d.Outcome] = d
	}
	if d := late[registry.Delayed]; d.Reason != "" || !d.NotBefore.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("of the delayed removal operators read %+v: it looks like one that failed before it began", d)
	}
	if d := late[registry.Held]; !strings.Contains(d.Reason, "aborted") || !d.NotBefore.IsZero() {
		t.Errorf("of the held removal operators read %+v: nobody knows why it is held", d)
	}
}

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
