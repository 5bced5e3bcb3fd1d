package region

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Limits and defaults of Run Command (API reference, SendCommand,
// ListCommands, ListCommandInvocations; "Understanding command statuses").
const (
	instancesPerCommand  = 50
	maxComment           = 100
	commandsPerPage      = 50
	minDeliveryTimeout   = 30
	defaultDelivery      = 3600
	defaultExecution     = 3600
	maxInvocationOutput  = 2500
	documentParamTimeout = "executionTimeout"
)

// SendCommand runs a document on up to fifty instances named by ID. Targets
// are not simulated.
func (v SSM) SendCommand(ctx context.Context, in *ssm.SendCommandInput, _ ...func(*ssm.Options)) (*ssm.SendCommandOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "SendCommand", in, "DocumentName Comment InstanceIds Parameters TimeoutSeconds", v.r.sendCommand)
}

// ListCommands lists commands, the newest first.
func (v SSM) ListCommands(ctx context.Context, in *ssm.ListCommandsInput, _ ...func(*ssm.Options)) (*ssm.ListCommandsOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "ListCommands", in, "CommandId InstanceId Filters MaxResults NextToken", v.r.listCommands)
}

// ListCommandInvocations lists what commands have come to on each instance,
// the newest command first.
func (v SSM) ListCommandInvocations(ctx context.Context, in *ssm.ListCommandInvocationsInput, _ ...func(*ssm.Options)) (*ssm.ListCommandInvocationsOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "ListCommandInvocations", in, "CommandId InstanceId Filters Details MaxResults NextToken", v.r.listCommandInvocations)
}

func (r *Region) sendCommand(in *ssm.SendCommandInput) (*ssm.SendCommandOutput, error) {
	if err := r.goodCommand(in); err != nil {
		return nil, err
	}
	delivery := time.Duration(deref(or(in.TimeoutSeconds, aws.Int32(defaultDelivery)))) * time.Second
	execution := defaultExecution * time.Second
	if given := in.Parameters[documentParamTimeout]; len(given) == 1 {
		n, err := strconv.Atoi(given[0])
		if err != nil || n < 1 {
			return nil, &types.InvalidParameters{Message: aws.String("Parameter \"executionTimeout\" must be a number of seconds")}
		}
		execution = time.Duration(n) * time.Second
	}
	c := &command{id: r.ids.uuid("command"), sent: r.clock.now}
	c.describe = types.Command{
		CommandId: aws.String(c.id), DocumentName: in.DocumentName, Comment: in.Comment,
		InstanceIds: slices.Clone(in.InstanceIds), Parameters: in.Parameters,
		MaxConcurrency: aws.String("50"), MaxErrors: aws.String("0"),
		RequestedDateTime: aws.Time(c.sent), TimeoutSeconds: aws.Int32(int32(delivery / time.Second)),
		ExpiresAfter: aws.Time(c.sent.Add(delivery + execution)),
	}
	r.commands.all = append(r.commands.all, c)
	r.commands.byID[c.id] = c
	for _, id := range in.InstanceIds {
		r.run(c, r.instances[id], delivery, execution)
	}
	d := c.status()
	return &ssm.SendCommandOutput{Command: &d}, nil
}

// goodCommand refuses a command as a whole: one instance that is gone spoils
// it for all ("InvalidInstanceId: ... The managed node isn't in a valid state.
// Valid states are Running, Pending, Stopped, and Stopping. Invalid states are
// Shutting-down and Terminated", API reference; the messages are assumed).
func (r *Region) goodCommand(in *ssm.SendCommandInput) error {
	document := aws.ToString(in.DocumentName)
	seen := map[string]bool{}
	switch {
	case len(in.InstanceIds) == 0 || len(in.InstanceIds) > instancesPerCommand:
		return failure("ValidationException", "1 validation error detected: Value at 'instanceIds' failed to satisfy constraint: Member must have length between 1 and %d, not %d", instancesPerCommand, len(in.InstanceIds))
	case len([]rune(aws.ToString(in.Comment))) > maxComment:
		return failure("ValidationException", "1 validation error detected: Value at 'comment' failed to satisfy constraint: Member must have length less than or equal to %d", maxComment)
	case in.TimeoutSeconds != nil && *in.TimeoutSeconds < minDeliveryTimeout:
		return failure("ValidationException", "1 validation error detected: Value '%d' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to %d", *in.TimeoutSeconds, minDeliveryTimeout)
	case !r.commands.documents[document]:
		return &types.InvalidDocument{Message: aws.String("Document with name " + document + " does not exist.")}
	case document == shellDocument && len(in.Parameters["commands"]) == 0:
		return &types.InvalidParameters{Message: aws.String("The following parameters are missing: commands")}
	}
	for _, id := range in.InstanceIds {
		if seen[id] {
			return &types.DuplicateInstanceId{} // has no message
		}
		seen[id] = true
		if i := r.instances[id]; i == nil || i.ec2 == shuttingDown || i.ec2 == terminated {
			return &types.InvalidInstanceId{Message: aws.String("Instances [[" + id + "]] not in a valid state for account " + Account)}
		}
	}
	return nil
}

// status is the command with what its invocations come to ("Understanding
// command statuses").
func (c *command) status() types.Command {
	d := c.describe
	d.TargetCount = int32(len(c.invocations))
	d.Status, d.StatusDetails = types.CommandStatusSuccess, aws.String("Success")
	var pending, running, failed, late int
	for _, v := range c.invocations {
		switch v.status {
		case types.CommandInvocationStatusPending:
			pending++
			continue
		case types.CommandInvocationStatusInProgress:
			running++
			continue
		case types.CommandInvocationStatusFailed:
			failed++
			d.ErrorCount++
		case types.CommandInvocationStatusTimedOut:
			late++
			if v.details == "DeliveryTimedOut" {
				d.DeliveryTimedOutCount++
			} else {
				d.ErrorCount++
			}
		}
		d.CompletedCount++
	}
	switch {
	case pending == len(c.invocations):
		d.Status, d.StatusDetails = types.CommandStatusPending, aws.String("Pending")
	case pending+running > 0:
		d.Status, d.StatusDetails = types.CommandStatusInProgress, aws.String("InProgress")
	case failed > 0:
		d.Status, d.StatusDetails = types.CommandStatusFailed, aws.String("Failed")
	case late > 0:
		d.Status, d.StatusDetails = types.CommandStatusTimedOut, aws.String("TimedOut")
	}
	return d
}

func (r *Region) listCommands(in *ssm.ListCommandsInput) (*ssm.ListCommandsOutput, error) {
	var found []types.Command
	for _, c := range r.commandsOf(in.CommandId, in.InstanceId) {
		d := c.status()
		match, err := filtered(c, string(d.Status), in.Filters)
		if err != nil {
			return nil, err
		}
		if match {
			found = append(found, d)
		}
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxResults), commandsPerPage, badCommandToken())
	if err != nil {
		return nil, err
	}
	return &ssm.ListCommandsOutput{Commands: found, NextToken: next}, nil
}

func badCommandToken() error {
	return &types.InvalidNextToken{Message: aws.String("The specified token isn't valid.")}
}

// commandsOf are the commands that may be meant, the newest first.
func (r *Region) commandsOf(id, instance *string) []*command {
	var found []*command
	switch {
	case id != nil:
		if c := r.commands.byID[*id]; c != nil {
			found = append(found, c)
		}
	case instance != nil:
		for _, v := range r.commands.byNode[*instance] {
			found = append(found, v.command)
		}
	default:
		found = slices.Clone(r.commands.all)
	}
	if id != nil && instance != nil {
		found = slices.DeleteFunc(found, func(c *command) bool { return !slices.Contains(c.describe.InstanceIds, *instance) })
	}
	slices.Reverse(found)
	return found
}

// filtered applies the filters InvokedAfter, InvokedBefore, Status and
// DocumentName.
func filtered(c *command, status string, filters []types.CommandFilter) (bool, error) {
	for _, f := range filters {
		value := aws.ToString(f.Value)
		ok := false
		switch f.Key {
		case types.CommandFilterKeyInvokedAfter, types.CommandFilterKeyInvokedBefore:
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return false, &types.InvalidFilterKey{}
			}
			ok = c.sent.After(at) == (f.Key == types.CommandFilterKeyInvokedAfter)
		case types.CommandFilterKeyStatus:
			ok = status == value
		case types.CommandFilterKeyDocumentName:
			ok = aws.ToString(c.describe.DocumentName) == value
		default:
			return false, &types.InvalidFilterKey{}
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

func (r *Region) listCommandInvocations(in *ssm.ListCommandInvocationsInput) (*ssm.ListCommandInvocationsOutput, error) {
	var found []types.CommandInvocation
	for _, c := range r.commandsOf(in.CommandId, in.InstanceId) {
		for _, v := range c.invocations {
			if in.InstanceId != nil && *in.InstanceId != v.instance.id {
				continue
			}
			match, err := filtered(c, string(v.status), in.Filters)
			if err != nil {
				return nil, err
			}
			if match {
				found = append(found, v.describe(in.Details))
			}
		}
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxResults), commandsPerPage, badCommandToken())
	if err != nil {
		return nil, err
	}
	return &ssm.ListCommandInvocationsOutput{CommandInvocations: found, NextToken: next}, nil
}

// describe is an invocation; only with details does it list its plugins,
// and so of its output, of which 2,500 characters are kept (API reference,
// CommandPlugin).
func (v *invocation) describe(details bool) types.CommandInvocation {
	c := v.command.describe
	d := types.CommandInvocation{
		CommandId: c.CommandId, InstanceId: aws.String(v.instance.id), InstanceName: aws.String(""), Comment: c.Comment,
		DocumentName: c.DocumentName, DocumentVersion: c.DocumentVersion, RequestedDateTime: c.RequestedDateTime,
		Status: v.status, StatusDetails: aws.String(v.details), CloudWatchOutputConfig: c.CloudWatchOutputConfig,
	}
	if !details || v.started.IsZero() {
		return d
	}
	output := []rune(v.output)
	p := types.CommandPlugin{
		Name: aws.String("aws:runShellScript"), Status: types.CommandPluginStatus(v.status), StatusDetails: aws.String(v.details),
		ResponseCode: v.code, ResponseStartDateTime: aws.Time(v.started),
		Output: aws.String(string(output[:min(len(output), maxInvocationOutput)])),
	}
	if v.over() {
		p.ResponseFinishDateTime = aws.Time(v.finished)
	}
	d.CommandPlugins = []types.CommandPlugin{p}
	return d
}
