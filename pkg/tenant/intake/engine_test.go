package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	. "deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
)

// executions is what [StepFunctions] calls.
type executions struct {
	err    error
	status types.ExecutionStatus
	in     *sfn.StartExecutionInput
	arn    string
}

func (x *executions) StartExecution(_ context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error) {
	x.in = in
	return &sfn.StartExecutionOutput{}, x.err
}

func (x *executions) DescribeExecution(_ context.Context, in *sfn.DescribeExecutionInput, _ ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error) {
	x.arn = *in.ExecutionArn
	return &sfn.DescribeExecutionOutput{Status: x.status}, x.err
}

func (x *executions) SendTaskSuccess(context.Context, *sfn.SendTaskSuccessInput, ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error) {
	return &sfn.SendTaskSuccessOutput{}, x.err
}

func TestStepFunctions(t *testing.T) {
	op := registry.Operation{ID: "acme-launch-1", Tenant: "acme", Kind: registry.Launch, Blueprint: "v1", Machine: machine("converge"), Attempt: 2, Spec: json.RawMessage(`{"title":"secret"}`)}
	other := errors.New("other")
	x := &executions{}
	s := StepFunctions{x}
	if err := s.Start(t.Context(), op); err != nil || *x.in.Name != "acme-launch-1-2" || *x.in.StateMachineArn != op.Machine || *x.in.Input != `{"tenant":"acme","operation":"acme-launch-1","attempt":2,"blueprint":"v1"}` {
		t.Errorf("it starts %s of %s with %s, %v", *x.in.Name, *x.in.StateMachineArn, *x.in.Input, err)
	}
	for err, want := range map[error]error{nil: nil, &types.ExecutionAlreadyExists{}: nil, other: other} {
		x.err = err
		if got := s.Start(t.Context(), op); !errors.Is(got, want) {
			t.Errorf("Start that got %v says %v", err, got)
		}
	}
	for err, want := range map[error]error{nil: nil, &types.TaskTimedOut{}: nil, &types.TaskDoesNotExist{}: nil, &types.InvalidToken{}: nil, other: other} {
		x.err = err
		if got := s.Resume(t.Context(), "token"); !errors.Is(got, want) {
			t.Errorf("Resume that got %v says %v", err, got)
		}
	}
	x.err = nil
	for status, want := range map[types.ExecutionStatus]string{
		types.ExecutionStatusRunning: "", types.ExecutionStatusPendingRedrive: "", types.ExecutionStatusSucceeded: "SUCCEEDED",
		types.ExecutionStatusFailed: "FAILED", types.ExecutionStatusTimedOut: "TIMED_OUT", types.ExecutionStatusAborted: "ABORTED",
	} {
		x.status = status
		if got, err := s.Ended(t.Context(), op); got != want || err != nil || x.arn != "arn:aws:states:eu-west-1:123456789012:execution:converge:acme-launch-1-2" {
			t.Errorf("of %s, %s is %q, %v", x.arn, status, got, err)
		}
	}
	x.err = &types.ExecutionDoesNotExist{}
	if got, err := s.Ended(t.Context(), op); got != workflow.NotStarted || err != nil {
		t.Errorf("what does not exist is %q, %v", got, err)
	}
	x.err = other
	if _, err := s.Ended(t.Context(), op); !errors.Is(err, other) {
		t.Errorf("Ended says %v", err)
	}
	op.Machine = "converge"
	if _, err := s.Ended(t.Context(), op); err == nil {
		t.Error("a state machine that is no ARN is followed")
	}
}
