package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"deployhooks/pkg/backup"
)

// fill starts a fill and shows how it stands until it is over. An interrupt ends the
// display, and not the fill.
func fill(ctx context.Context, client *sfn.Client, machine, environment string, out io.Writer, every time.Duration) error {
	request, err := json.Marshal(backup.Request{Action: backup.Fill, Confirm: environment})
	if err != nil {
		return err
	}
	started, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Input: aws.String(string(request))})
	if err != nil {
		return fmt.Errorf("start the fill of %s: %w", environment, err)
	}
	execution := started.ExecutionArn
	fmt.Fprintf(out, "Started %s; it goes on when this command is interrupted.\n", *execution)
	shown := ""
	for {
		seen, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: execution})
		if err != nil {
			return fmt.Errorf("read the execution %s: %w", *execution, err)
		}
		text, err := progress(ctx, client, execution)
		if err != nil {
			return err
		}
		if text != "" && text != shown {
			fmt.Fprintln(out, text)
			shown = text
		}
		switch seen.Status {
		case types.ExecutionStatusSucceeded:
			return nil
		case types.ExecutionStatusRunning, types.ExecutionStatusPendingRedrive:
		default:
			return fmt.Errorf("the execution is %s: %s %s", seen.Status, aws.ToString(seen.Error), aws.ToString(seen.Cause))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// progress is the text of the function's last answer, empty before the first. A round of the
// state machine has about nine events, and more only while it is retried.
func progress(ctx context.Context, client *sfn.Client, execution *string) (string, error) {
	history, err := client.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: execution, ReverseOrder: true, MaxResults: 100})
	if err != nil {
		return "", fmt.Errorf("read the events of %s: %w", *execution, err)
	}
	for _, event := range history.Events {
		if event.Type != types.HistoryEventTypeTaskStateExited || event.StateExitedEventDetails == nil {
			continue
		}
		var result backup.Result
		if err := json.Unmarshal([]byte(aws.ToString(event.StateExitedEventDetails.Output)), &result); err != nil {
			return "", fmt.Errorf("read an event of %s: %w", *execution, err)
		}
		return result.Text, nil
	}
	return "", nil
}
