package tasks

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"deployhooks/pkg/invoke"
)

// TestErrorsHaveTheirTypes holds what a state machine decides by: an error of a type that
// it does not retry reaches it by that name, and any other as it is.
func TestErrorsHaveTheirTypes(t *testing.T) {
	other := errors.New("try again")
	h := handler{invoke.Task[int, int]{Run: func(_ context.Context, n int) (int, error) { return n, other }}}

	_, err := h.Invoke(t.Context(), []byte(`"no number"`))
	if typed, ok := errors.AsType[messages.InvokeResponse_Error](err); !ok || typed.Type != "Refused" || typed.Message == "" {
		t.Errorf("a task that cannot be read fails with %#v: the state machine retries it for nothing", err)
	}
	if _, err = h.Invoke(t.Context(), []byte(`1`)); err != other {
		t.Errorf("an error without a type becomes %#v", err)
	}
}
