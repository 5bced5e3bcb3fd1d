package manual

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"deployhooks/pkg/tenant/workflow"
)

// Executions is what [StepFunctions] calls.
type Executions interface {
	StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
}

// StepFunctions waits for people by executions of a state machine.
type StepFunctions struct {
	Client  Executions
	Machine string // ARN
}

// StartManual implements [Engine]. Step Functions starts no second execution of a name, for 90
// days after it ended (StartExecution, AWS Step Functions API Reference).
func (s StepFunctions) StartManual(ctx context.Context, e workflow.ManualExecution) error {
	input, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode the input: %w", err)
	}
	_, err = s.Client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &s.Machine, Name: aws.String(workflow.ManualExecutionName(e.Operation, e.Step)), Input: aws.String(string(input)),
	})
	var exists *types.ExecutionAlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}
