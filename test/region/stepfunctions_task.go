package region

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Function is a Lambda function that state machines invoke.
type Function struct {
	Name string
	// Handler answers an invocation. An error's type, which the state machine sees, is
	// what its method ErrorType() string returns, or the name of its Go type, as the Go
	// runtime of Lambda reports it. [ErrKilled] is a function that ended without an answer.
	Handler func(payload []byte) ([]byte, error)
	// Takes is how long an invocation takes; nil is no time. The handler runs at the
	// beginning of it.
	Takes func(payload []byte) time.Duration
}

// AddFunction adds or replaces a function, and returns its ARN.
func (r *Region) AddFunction(f Function) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := arn("lambda", "function:"+f.Name)
	r.stepFunctions.functions[id] = f
	return id
}

// taskResource are the resources of tasks that are simulated: the Lambda integration,
// as request-response and with a task token ("Invoke an AWS Lambda function with Step Functions").
var taskResource = regexp.MustCompile(`^arn:aws[a-z-]*:states:::lambda:invoke(\.waitForTaskToken)?$`)

// resourceOf is what history says of a task.
func (s *aslState) resourceOf() (kind, resource *string) {
	return aws.String("lambda"), aws.String(s.Resource[strings.LastIndex(s.Resource, ":")+1:])
}

// attempt is one try of a task: it ends once.
type attempt struct {
	v     *visit
	ended bool
}

// callback is a task that waits for its token.
type callback struct {
	attempt *attempt
}

// end ends the try, unless it has ended or was aborted.
func (a *attempt) end(f func()) bool {
	if a.ended || a.v.scope.ended {
		return false
	}
	a.ended = true
	f()
	return true
}

func (a *attempt) fail(failed *aslError) bool {
	return a.end(func() {
		kind, resource := a.v.state.resourceOf()
		if failed.name == statesTimeout {
			a.v.x.event(types.HistoryEventTypeTaskTimedOut, func(e *types.HistoryEvent) {
				e.TaskTimedOutEventDetails = &types.TaskTimedOutEventDetails{ResourceType: kind, Resource: resource, Error: &failed.name}
			})
		} else {
			a.v.x.event(types.HistoryEventTypeTaskFailed, func(e *types.HistoryEvent) {
				e.TaskFailedEventDetails = &types.TaskFailedEventDetails{ResourceType: kind, Resource: resource, Error: &failed.name, Cause: &failed.cause}
			})
		}
		a.v.fail(failed)
	})
}

func (a *attempt) succeed(result any) bool {
	return a.end(func() {
		kind, resource := a.v.state.resourceOf()
		a.v.x.event(types.HistoryEventTypeTaskSucceeded, func(e *types.HistoryEvent) {
			e.TaskSucceededEventDetails = &types.TaskSucceededEventDetails{ResourceType: kind, Resource: resource, Output: aws.String(string(encode(result)))}
		})
		a.v.result(result)
	})
}

// task invokes the function.
func (v *visit) task() {
	r, a := v.x.r, &attempt{v: v}
	waits := strings.HasSuffix(v.state.Resource, ".waitForTaskToken")
	v.token = ""
	if waits { // a new one for each try
		v.token = "token-" + r.ids.hex("task token", 16)
		r.stepFunctions.waiting[v.token] = &callback{a}
	}
	document, failed := fill(v.state.Parameters, v.input, v.context())
	limit := v.state.TimeoutSeconds
	if failed == nil && v.state.TimeoutSecondsPath != "" {
		limit, failed = secondsAt(v.input, v.state.TimeoutSecondsPath)
	}
	if failed != nil {
		v.fail(failed)
		return
	}
	text := string(encode(document))
	kind, resource := v.state.resourceOf()
	v.x.event(types.HistoryEventTypeTaskScheduled, func(e *types.HistoryEvent) {
		e.TaskScheduledEventDetails = &types.TaskScheduledEventDetails{ResourceType: kind, Resource: resource, Region: aws.String(Name), Parameters: &text}
	})
	if limit > 0 { // 99999999 seconds unless set (ASL, "Task State")
		v.later(time.Duration(limit)*time.Second, func() { a.fail(&aslError{name: statesTimeout}) })
	}
	f, payload, failed := r.functionOf(document)
	if failed != nil {
		a.fail(failed)
		return
	}
	v.x.event(types.HistoryEventTypeTaskStarted, func(e *types.HistoryEvent) {
		e.TaskStartedEventDetails = &types.TaskStartedEventDetails{ResourceType: kind, Resource: resource}
	})
	r.outside(func() {
		answer, err := f.Handler(payload)
		var takes time.Duration
		if f.Takes != nil {
			takes = f.Takes(payload)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		v.later(takes, func() { a.answered(answer, err, waits) })
	})
}

// functionOf is the function that the parameters of the integration name, and its payload.
func (r *Region) functionOf(parameters any) (f Function, payload []byte, failed *aslError) {
	object, _ := parameters.(map[string]any)
	for name := range object {
		if name != "FunctionName" && name != "Payload" {
			return f, nil, &aslError{statesRuntime, "the simulated region does not know the parameter " + name + " of lambda:invoke"}
		}
	}
	name, _ := object["FunctionName"].(string)
	f, ok := r.stepFunctions.functions[name]
	if !ok {
		if f, ok = r.stepFunctions.functions[arn("lambda", "function:"+name)]; !ok {
			return f, nil, &aslError{"Lambda.ResourceNotFoundException", "Function not found: " + name}
		}
	}
	return f, encode(object["Payload"]), nil
}

// answered is the end of an invocation. A task that waits for its token only fails by
// it; else the token ends it.
func (a *attempt) answered(answer []byte, err error, waits bool) {
	var payload any
	switch {
	case err != nil:
		a.fail(invocationError(err))
		return
	case len(answer) > 0 && json.Unmarshal(answer, &payload) != nil:
		a.fail(&aslError{"Lambda.Unknown", "the answer is not JSON"})
		return
	}
	if waits {
		if !a.ended {
			kind, resource := a.v.state.resourceOf()
			a.v.x.event(types.HistoryEventTypeTaskSubmitted, func(e *types.HistoryEvent) {
				e.TaskSubmittedEventDetails = &types.TaskSubmittedEventDetails{ResourceType: kind, Resource: resource, Output: aws.String(string(answer))}
			})
		}
		return
	}
	a.succeed(map[string]any{"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200.0})
}

// invocationError is how a state machine sees the error of a function. "Unhandled errors
// in Lambda are reported as Lambda.Unknown" ("Handling errors in Step Functions workflows").
func invocationError(err error) *aslError {
	if errors.Is(err, ErrKilled) {
		return &aslError{"Lambda.Unknown", "The cause could not be determined because Lambda did not return an error type."}
	}
	var typed interface{ ErrorType() string }
	kind := reflect.TypeOf(err)
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	name := kind.Name()
	if errors.As(err, &typed) {
		name = typed.ErrorType()
	}
	return &aslError{name, string(encode(map[string]string{"errorMessage": err.Error(), "errorType": name}))}
}

func (r *Region) sendTaskSuccess(in *sfn.SendTaskSuccessInput) (*sfn.SendTaskSuccessOutput, error) {
	var output any
	if json.Unmarshal([]byte(aws.ToString(in.Output)), &output) != nil {
		return nil, &types.InvalidOutput{Message: aws.String("Invalid Output: not JSON")}
	}
	return &sfn.SendTaskSuccessOutput{}, r.settleToken(in.TaskToken, func(a *attempt) bool { return a.succeed(output) })
}

func (r *Region) sendTaskFailure(in *sfn.SendTaskFailureInput) (*sfn.SendTaskFailureOutput, error) {
	return &sfn.SendTaskFailureOutput{}, r.settleToken(in.TaskToken, func(a *attempt) bool {
		return a.fail(&aslError{aws.ToString(in.Error), aws.ToString(in.Cause)})
	})
}

// settleToken: a token that was never given out is invalid; that of a task which has ended
// answers TaskTimedOut (API reference, SendTaskSuccess: "The task token has either expired
// or the task associated with the token has already been completed").
func (r *Region) settleToken(token *string, settle func(*attempt) bool) error {
	c := r.stepFunctions.waiting[aws.ToString(token)]
	switch {
	case c == nil:
		return &types.InvalidToken{Message: aws.String("Invalid Token: 'Invalid token'")}
	case !settle(c.attempt):
		return &types.TaskTimedOut{Message: aws.String(fmt.Sprintf("Task Timed Out: 'Provided task does not exist anymore' (%s)", c.attempt.v.x.arn))}
	}
	return nil
}
