package region

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// StepFunctions has the methods of the SDK's sfn.Client, for Standard workflows.
type StepFunctions struct{ r *Region }

// StepFunctions is the region's Step Functions.
func (r *Region) StepFunctions() StepFunctions { return StepFunctions{r} }

// stepFunctions is what the region keeps of Step Functions and of the Lambda functions
// that state machines invoke.
type stepFunctions struct {
	functions  map[string]Function    // by ARN
	machines   map[string]*machine    // by ARN
	parsed     map[string]*aslMachine // by definition
	executions map[string]*execution
	waiting    map[string]*callback // by task token
}

// machine is a state machine and its versions.
type machine struct {
	name, arn, role string
	created         time.Time
	revision        string   // the present definition
	versions        []string // definitions, of version 1 on
}

// executionNames: "a-z, A-Z, 0-9, - and _" are the characters that are safe with
// CloudWatch; up to 80 (API reference, StartExecution).
var executionNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// CreateStateMachine creates a Standard state machine, and with Publish version 1 of it.
func (v StepFunctions) CreateStateMachine(ctx context.Context, in *sfn.CreateStateMachineInput, _ ...func(*sfn.Options)) (*sfn.CreateStateMachineOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "CreateStateMachine", in, "Name Definition RoleArn Type Publish", v.r.createStateMachine)
}

// UpdateStateMachine changes a state machine's definition, and with Publish makes a version of it.
func (v StepFunctions) UpdateStateMachine(ctx context.Context, in *sfn.UpdateStateMachineInput, _ ...func(*sfn.Options)) (*sfn.UpdateStateMachineOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "UpdateStateMachine", in, "StateMachineArn Definition RoleArn Publish", v.r.updateStateMachine)
}

// PublishStateMachineVersion makes a version of the present revision.
func (v StepFunctions) PublishStateMachineVersion(ctx context.Context, in *sfn.PublishStateMachineVersionInput, _ ...func(*sfn.Options)) (*sfn.PublishStateMachineVersionOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "PublishStateMachineVersion", in, "StateMachineArn", v.r.publishStateMachineVersion)
}

// StartExecution starts an execution of a state machine or of a version of it.
func (v StepFunctions) StartExecution(ctx context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "StartExecution", in, "StateMachineArn Name Input", v.r.startExecution)
}

// StopExecution aborts an execution.
func (v StepFunctions) StopExecution(ctx context.Context, in *sfn.StopExecutionInput, _ ...func(*sfn.Options)) (*sfn.StopExecutionOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "StopExecution", in, "ExecutionArn Cause Error", v.r.stopExecution)
}

// DescribeExecution tells how far an execution is.
func (v StepFunctions) DescribeExecution(ctx context.Context, in *sfn.DescribeExecutionInput, _ ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "DescribeExecution", in, "ExecutionArn", v.r.describeExecution)
}

// GetExecutionHistory lists what happened in an execution.
func (v StepFunctions) GetExecutionHistory(ctx context.Context, in *sfn.GetExecutionHistoryInput, _ ...func(*sfn.Options)) (*sfn.GetExecutionHistoryOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "GetExecutionHistory", in, "ExecutionArn MaxResults NextToken ReverseOrder", v.r.getExecutionHistory)
}

// SendTaskSuccess ends a task that waits for its token.
func (v StepFunctions) SendTaskSuccess(ctx context.Context, in *sfn.SendTaskSuccessInput, _ ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "SendTaskSuccess", in, "TaskToken Output", v.r.sendTaskSuccess)
}

// SendTaskFailure fails a task that waits for its token.
func (v StepFunctions) SendTaskFailure(ctx context.Context, in *sfn.SendTaskFailureInput, _ ...func(*sfn.Options)) (*sfn.SendTaskFailureOutput, error) {
	return call(ctx, v.r, sfn.ServiceID, "SendTaskFailure", in, "TaskToken Error Cause", v.r.sendTaskFailure)
}

// Executions are the ARNs of all executions, in the order of their names.
func (r *Region) Executions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.stepFunctions.executions))
}

// Transitions are the state transitions of an execution, by which Standard workflows are
// priced: each state entered, and each retry ("AWS Step Functions pricing").
func (r *Region) Transitions(execution string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.stepFunctions.executions[execution]; x != nil {
		return x.transitions
	}
	return 0
}

func (r *Region) parse(definition string) (*aslMachine, error) {
	if m := r.stepFunctions.parsed[definition]; m != nil {
		return m, nil
	}
	m, err := parseMachine(definition)
	if err == nil {
		r.stepFunctions.parsed[definition] = m
	}
	return m, err
}

func (r *Region) createStateMachine(in *sfn.CreateStateMachineInput) (*sfn.CreateStateMachineOutput, error) {
	name, definition := aws.ToString(in.Name), aws.ToString(in.Definition)
	switch {
	case !executionNames.MatchString(name):
		return nil, &types.InvalidName{Message: aws.String("Invalid Name: '" + name + "'")}
	case in.Type == types.StateMachineTypeExpress:
		return nil, failure("NotImplemented", "the simulated region has no Express workflows")
	}
	if _, err := r.parse(definition); err != nil {
		return nil, &types.InvalidDefinition{Message: aws.String("Invalid State Machine Definition: '" + err.Error() + "'")}
	}
	m := r.stepFunctions.machines[arn("states", "stateMachine:"+name)]
	switch {
	case m == nil:
		m = &machine{name: name, arn: arn("states", "stateMachine:"+name), role: aws.ToString(in.RoleArn), created: r.clock.now, revision: definition}
		r.stepFunctions.machines[m.arn] = m
	case m.revision != definition || m.role != aws.ToString(in.RoleArn): // idempotent with the same parameters
		return nil, &types.StateMachineAlreadyExists{Message: aws.String("State Machine Already Exists: '" + m.arn + "'")}
	}
	out := &sfn.CreateStateMachineOutput{StateMachineArn: &m.arn, CreationDate: &m.created}
	if in.Publish {
		out.StateMachineVersionArn = aws.String(m.publish())
	}
	return out, nil
}

// publish makes a version, unless the newest one is the present revision (API reference,
// PublishStateMachineVersion: "idempotent").
func (m *machine) publish() string {
	if n := len(m.versions); n == 0 || m.versions[n-1] != m.revision {
		m.versions = append(m.versions, m.revision)
	}
	return m.arn + ":" + strconv.Itoa(len(m.versions))
}

func (r *Region) updateStateMachine(in *sfn.UpdateStateMachineInput) (*sfn.UpdateStateMachineOutput, error) {
	m := r.stepFunctions.machines[aws.ToString(in.StateMachineArn)]
	if m == nil {
		return nil, noMachine(in.StateMachineArn)
	}
	if in.Definition != nil {
		if _, err := r.parse(*in.Definition); err != nil {
			return nil, &types.InvalidDefinition{Message: aws.String("Invalid State Machine Definition: '" + err.Error() + "'")}
		}
		m.revision = *in.Definition
	}
	if in.RoleArn != nil {
		m.role = *in.RoleArn
	}
	out := &sfn.UpdateStateMachineOutput{UpdateDate: aws.Time(r.clock.now)}
	if in.Publish {
		out.StateMachineVersionArn = aws.String(m.publish())
	}
	return out, nil
}

func (r *Region) publishStateMachineVersion(in *sfn.PublishStateMachineVersionInput) (*sfn.PublishStateMachineVersionOutput, error) {
	m := r.stepFunctions.machines[aws.ToString(in.StateMachineArn)]
	if m == nil {
		return nil, noMachine(in.StateMachineArn)
	}
	return &sfn.PublishStateMachineVersionOutput{StateMachineVersionArn: aws.String(m.publish()), CreationDate: aws.Time(r.clock.now)}, nil
}

func noMachine(arn *string) error {
	return &types.StateMachineDoesNotExist{Message: aws.String("State Machine Does Not Exist: '" + aws.ToString(arn) + "'")}
}

// definition is the definition that an ARN names: of a version, or of the present revision.
func (r *Region) definition(arn string) (m *machine, definition string) {
	if m = r.stepFunctions.machines[arn]; m != nil {
		return m, m.revision
	}
	base, version, _ := cutLast(arn, ":")
	n, err := strconv.Atoi(version)
	if m = r.stepFunctions.machines[base]; m == nil || err != nil || n < 1 || n > len(m.versions) {
		return nil, ""
	}
	return m, m.versions[n-1]
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// startExecution: "If StartExecution is called with the same name and input as a running
// execution, the call succeeds and return the same response as the original request. If
// the execution is closed or if the input is different, it returns a 400
// ExecutionAlreadyExists error" (API reference, StartExecution).
func (r *Region) startExecution(in *sfn.StartExecutionInput) (*sfn.StartExecutionOutput, error) {
	m, definition := r.definition(aws.ToString(in.StateMachineArn))
	if m == nil {
		return nil, noMachine(in.StateMachineArn)
	}
	name := aws.ToString(in.Name)
	if in.Name == nil {
		name = r.ids.uuid("execution")
	}
	input := "{}"
	if in.Input != nil {
		input = *in.Input
	}
	var document any
	switch {
	case !executionNames.MatchString(name):
		return nil, &types.InvalidName{Message: aws.String("Invalid Name: '" + name + "'")}
	case json.Unmarshal([]byte(input), &document) != nil || len(input) > maxStateData:
		return nil, &types.InvalidExecutionInput{Message: aws.String("Invalid State Machine Execution Input")}
	}
	id := arn("states", "execution:"+m.name+":"+name)
	if old := r.stepFunctions.executions[id]; old != nil {
		if old.status != types.ExecutionStatusRunning || old.input != input {
			return nil, &types.ExecutionAlreadyExists{Message: aws.String("Execution Already Exists: '" + id + "'")}
		}
		return &sfn.StartExecutionOutput{ExecutionArn: &old.arn, StartDate: &old.started}, nil
	}
	parsed, err := r.parse(definition)
	must(err) // it was accepted before
	x := &execution{r: r, arn: id, name: name, machine: m, input: input, status: types.ExecutionStatusRunning, started: r.clock.now}
	if requested := aws.ToString(in.StateMachineArn); requested != m.arn {
		x.version = &requested
	}
	r.stepFunctions.executions[id] = x
	x.start(parsed, document)
	return &sfn.StartExecutionOutput{ExecutionArn: &x.arn, StartDate: &x.started}, nil
}

func (r *Region) executionOf(arn *string) (*execution, error) {
	x := r.stepFunctions.executions[aws.ToString(arn)]
	if x == nil {
		return nil, &types.ExecutionDoesNotExist{Message: aws.String("Execution Does Not Exist: '" + aws.ToString(arn) + "'")}
	}
	return x, nil
}

// stopExecution: an execution that has ended stays as it is (assumed).
func (r *Region) stopExecution(in *sfn.StopExecutionInput) (*sfn.StopExecutionOutput, error) {
	x, err := r.executionOf(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	x.end(types.ExecutionStatusAborted, nil, &aslError{aws.ToString(in.Error), aws.ToString(in.Cause)})
	return &sfn.StopExecutionOutput{StopDate: &x.stopped}, nil
}

func (r *Region) describeExecution(in *sfn.DescribeExecutionInput) (*sfn.DescribeExecutionOutput, error) {
	x, err := r.executionOf(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	out := &sfn.DescribeExecutionOutput{
		ExecutionArn: &x.arn, Name: &x.name, StateMachineArn: &x.machine.arn, StateMachineVersionArn: x.version,
		Status: x.status, StartDate: &x.started, Input: &x.input, Output: x.output,
	}
	if x.status != types.ExecutionStatusRunning {
		out.StopDate = &x.stopped
	}
	if x.failed != nil && x.failed.name != "" {
		out.Error, out.Cause = &x.failed.name, &x.failed.cause
	}
	return out, nil
}

// getExecutionHistory: pages of 100 events unless asked otherwise, up to 1,000 (API reference).
func (r *Region) getExecutionHistory(in *sfn.GetExecutionHistoryInput) (*sfn.GetExecutionHistoryOutput, error) {
	x, err := r.executionOf(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	events := slices.Clone(x.events)
	if in.ReverseOrder {
		slices.Reverse(events)
	}
	asked := in.MaxResults
	if asked == 0 {
		asked = 100
	}
	events, next, err := page(r, events, in.NextToken, asked, 1000, &types.InvalidToken{Message: aws.String("Invalid Token")})
	if err != nil {
		return nil, err
	}
	return &sfn.GetExecutionHistoryOutput{Events: events, NextToken: next}, nil
}
