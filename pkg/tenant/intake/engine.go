package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
)

// Executions is what [StepFunctions] calls.
type Executions interface {
	StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
	SendTaskSuccess(context.Context, *sfn.SendTaskSuccessInput, ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error)
}

// StepFunctions runs operations as executions of their state machines.
type StepFunctions struct{ Client Executions }

// Start implements [Engine]. Step Functions starts no second execution of a name, for 90 days
// after it ended (StartExecution, AWS Step Functions API Reference).
func (s StepFunctions) Start(ctx context.Context, op registry.Operation) error {
	input, err := json.Marshal(workflow.ExecutionOf(op))
	if err != nil {
		return fmt.Errorf("encode the input of %s: %w", op.ID, err)
	}
	_, err = s.Client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &op.Machine, Name: aws.String(workflow.ExecutionName(op)), Input: aws.String(string(input)),
	})
	var exists *types.ExecutionAlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// Ended implements [Engine].
func (s StepFunctions) Ended(ctx context.Context, op registry.Operation) (string, error) {
	arn, err := executionARN(op)
	if err != nil {
		return "", err
	}
	out, err := s.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	var none *types.ExecutionDoesNotExist
	switch {
	case errors.As(err, &none):
		return workflow.NotStarted, nil
	case err != nil:
		return "", err
	}
	return finalStatus(string(out.Status)), nil
}

// finalStatus is a status that is final, else empty.
func finalStatus(status string) string {
	switch types.ExecutionStatus(status) {
	case types.ExecutionStatusSucceeded, types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted:
		return status
	}
	return ""
}

// executionARN is the ARN of the execution of the operation's present attempt: that of its state
// machine with another resource type and without the version ("Resource types defined by AWS
// Step Functions", Service Authorization Reference).
func executionARN(op registry.Operation) (string, error) {
	parts := strings.Split(op.Machine, ":")
	if len(parts) < 7 || parts[5] != "stateMachine" {
		return "", fmt.Errorf("operation %s has the state machine %q, which is no ARN of one", op.ID, op.Machine)
	}
	return strings.Join(append(parts[:5:5], "execution", parts[6], workflow.ExecutionName(op)), ":"), nil
}

// Resume implements [Engine].
func (s StepFunctions) Resume(ctx context.Context, token string) error {
	_, err := s.Client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: aws.String("{}")})
	var late *types.TaskTimedOut
	var gone *types.TaskDoesNotExist
	var invalid *types.InvalidToken
	if errors.As(err, &late) || errors.As(err, &gone) || errors.As(err, &invalid) {
		return nil
	}
	return err
}
