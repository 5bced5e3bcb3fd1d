package step_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/tenant/step"
)

func TestClassOf(t *testing.T) {
	answer := func(code string) error {
		return &smithy.OperationError{ServiceID: "SNS", OperationName: "Publish", Err: &smithy.GenericAPIError{Code: code}}
	}
	for name, c := range map[string]struct {
		err  error
		want step.ErrorClass
	}{
		"of a kind":             {&step.Error{Class: step.Conflict, Err: errors.New("taken")}, step.Conflict},
		"of a kind, wrapped":    {fmt.Errorf("apply: %w", &step.Error{Class: step.NotYet, Err: errors.New("pending")}), step.NotYet},
		"access denied":         {answer("AccessDeniedException"), step.Refused},
		"throttled":             {answer("ThrottlingException"), step.Transient},
		"unknown code":          {answer("Whatever"), step.Transient},
		"time limit":            {context.DeadlineExceeded, step.Transient},
		"an error of any other": {errors.New("broken"), step.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			if got := step.ClassOf(c.err); got != c.want {
				t.Errorf("%v is %s, not %s: it is retried for nothing, or not at all", c.err, got, c.want)
			}
		})
	}
	if step.RemedyOf(answer("AccessDeniedException")) == "" || step.RemedyOf(&step.Error{Err: errors.New("x"), Remedy: "free it"}) != "free it" {
		t.Error("the error does not say what an operator can do")
	}
}
