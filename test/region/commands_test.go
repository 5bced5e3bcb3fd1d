package region_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"deployhooks/test/region"
)

func shell(lines ...string) *ssm.SendCommandInput {
	return &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), Parameters: map[string][]string{"commands": lines}}
}

func TestCommandsEndAsTheirInstancesHaveIt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		result  region.CommandResult
		die     bool // the instance, while the command runs
		after   time.Duration
		status  types.CommandInvocationStatus
		details string
		output  string
	}{
		{"fast", region.CommandResult{Output: "bye"}, false, time.Second, types.CommandInvocationStatusSuccess, "Success", "bye"},
		{"slow, not done yet", region.CommandResult{Takes: 5 * time.Minute}, false, 4 * time.Minute, types.CommandInvocationStatusInProgress, "InProgress", ""},
		{"slow, done", region.CommandResult{Takes: 5 * time.Minute}, false, 5 * time.Minute, types.CommandInvocationStatusSuccess, "Success", ""},
		{"failing", region.CommandResult{Failed: 3, Output: "no such service"}, false, time.Minute, types.CommandInvocationStatusFailed, "Failed", "no such service"},
		{"lost on the way", region.CommandResult{Lost: true}, false, 59 * time.Second, types.CommandInvocationStatusPending, "Pending", ""},
		{"lost until the delivery times out", region.CommandResult{Lost: true}, false, time.Minute, types.CommandInvocationStatusTimedOut, "DeliveryTimedOut", ""},
		{"begun, and no result reported", region.CommandResult{Silent: true}, false, 9 * time.Minute, types.CommandInvocationStatusInProgress, "InProgress", ""},
		{"too slow for its execution timeout", region.CommandResult{Takes: time.Hour}, false, 10 * time.Minute, types.CommandInvocationStatusTimedOut, "ExecutionTimedOut", ""},
		{"its instance dies", region.CommandResult{Takes: 2 * time.Minute}, true, 5 * time.Minute, types.CommandInvocationStatusInProgress, "InProgress", ""},
		{"more output than is kept", region.CommandResult{Output: strings.Repeat("x", 3000)}, false, time.Minute, types.CommandInvocationStatusSuccess, "Success", strings.Repeat("x", 2500)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := context.Background()
			r := region.New(region.Options{})
			id := r.InService(shop(r).Group)[0]
			r.OnCommand(func(region.CommandRun) region.CommandResult { return tc.result })
			in := shell("systemctl stop web")
			in.InstanceIds, in.Comment, in.TimeoutSeconds = []string{id}, aws.String("drain "+id), aws.Int32(60)
			in.Parameters["executionTimeout"] = []string{"600"}
			sent, err := r.SSM().SendCommand(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			if tc.die {
				r.Terminate(id)
			}
			r.Advance(tc.after)
			out, err := r.SSM().ListCommandInvocations(ctx, &ssm.ListCommandInvocationsInput{CommandId: sent.Command.CommandId, Details: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.CommandInvocations) != 1 {
				t.Fatalf("%d invocations of a command to one instance", len(out.CommandInvocations))
			}
			v := out.CommandInvocations[0]
			var output string
			for _, p := range v.CommandPlugins {
				output += aws.ToString(p.Output)
			}
			if v.Status != tc.status || aws.ToString(v.StatusDetails) != tc.details || output != tc.output {
				t.Errorf("the invocation is %s (%s) with %d bytes of output, want %s (%s) with %d", v.Status, aws.ToString(v.StatusDetails), len(output), tc.status, tc.details, len(tc.output))
			}
			list, err := r.SSM().ListCommands(ctx, &ssm.ListCommandsInput{InstanceId: aws.String(id), Filters: []types.CommandFilter{
				{Key: types.CommandFilterKeyInvokedAfter, Value: aws.String(r.Start().Add(-time.Second).Format(time.RFC3339))},
			}})
			if err != nil || len(list.Commands) != 1 || aws.ToString(list.Commands[0].Comment) != "drain "+id {
				t.Errorf("after a crash the command cannot be found by its instance and comment: %v, %v", list, err)
			}
			if runs := r.CommandRuns(); len(runs) != 1 || runs[0].Instance != id {
				t.Errorf("the instance ran %v", runs)
			}
		})
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*region.Region, *ssm.SendCommandInput)
		want   any
	}{
		{"one instance is gone: none gets it", func(r *region.Region, in *ssm.SendCommandInput) { r.Terminate(in.InstanceIds[1]) }, new(*types.InvalidInstanceId)},
		{"an instance twice", func(_ *region.Region, in *ssm.SendCommandInput) { in.InstanceIds[1] = in.InstanceIds[0] }, new(*types.DuplicateInstanceId)},
		{"no such document", func(_ *region.Region, in *ssm.SendCommandInput) { in.DocumentName = aws.String("Drain") }, new(*types.InvalidDocument)},
		{"a shell script without lines", func(_ *region.Region, in *ssm.SendCommandInput) { in.Parameters = nil }, new(*types.InvalidParameters)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			in := shell("true")
			in.InstanceIds = r.InService(shop(r).Group)[:2]
			tc.change(r, in)
			_, err := r.SSM().SendCommand(context.Background(), in)
			if err == nil || !errors.As(err, tc.want) {
				t.Errorf("the command is answered with %v, want %T", err, tc.want)
			}
			if runs := r.CommandRuns(); len(runs) != 0 {
				t.Errorf("refused, it ran on %v", runs)
			}
		})
	}
}

func TestACommandAsAWhole(t *testing.T) {
	ctx := context.Background()
	r := region.New(region.Options{})
	ids := r.InService(shop(r).Group)
	r.AddDocument("Goodbye")
	r.OnCommand(func(run region.CommandRun) region.CommandResult {
		return region.CommandResult{Failed: map[string]int32{ids[1]: 1}[run.Instance], Takes: map[string]time.Duration{ids[2]: time.Minute}[run.Instance]}
	})
	_, err := r.SSM().SendCommand(ctx, &ssm.SendCommandInput{DocumentName: aws.String("Goodbye"), InstanceIds: ids})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		after  time.Duration
		status types.CommandStatus
		done   int32
	}{{10 * time.Second, types.CommandStatusInProgress, 3}, {time.Minute, types.CommandStatusFailed, 4}} {
		r.Advance(want.after)
		out, err := r.SSM().ListCommands(ctx, &ssm.ListCommandsInput{})
		if err != nil {
			t.Fatal(err)
		}
		if c := out.Commands[0]; c.Status != want.status || c.CompletedCount != want.done || c.TargetCount != 4 {
			t.Errorf("the command is %s, %d of %d done; want %s, %d of 4", c.Status, c.CompletedCount, c.TargetCount, want.status, want.done)
		}
	}
}
