package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Names of errors (ASL, "Errors").
const (
	statesAll        = "States.ALL"
	statesTaskFailed = "States.TaskFailed"
	statesTimeout    = "States.Timeout"
	statesRuntime    = "States.Runtime"
	statesDataLimit  = "States.DataLimitExceeded"
	noChoiceMatched  = "States.NoChoiceMatched"
)

// maxStateData is the largest input or output of a state ("Quotas related to state
// throttling", Step Functions Developer Guide: 256 KiB).
const maxStateData = 256 << 10

// aslError is the error of a state: its name and its cause.
type aslError struct{ name, cause string }

// is reports whether ErrorEquals matches the error. "States.ALL … can't catch the
// States.DataLimitExceeded terminal error or Runtime error types" ("Handling errors in
// Step Functions workflows").
func (e *aslError) is(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		switch name {
		case e.name:
			return true
		case statesAll:
			return e.name != statesDataLimit && e.name != statesRuntime
		case statesTaskFailed: // "any error except for States.Timeout"
			return e.name != statesDataLimit && e.name != statesRuntime && e.name != statesTimeout
		}
		return false
	})
}

// execution is one execution of a state machine. A transition takes no time (assumed);
// what happens is in the order in which it was caused.
type execution struct {
	r            *Region
	arn, name    string
	machine      *machine
	version      *string
	input        string
	output       *string
	status       types.ExecutionStatus
	failed       *aslError
	started      time.Time
	stopped      time.Time
	transitions  int
	events       []types.HistoryEvent
	root         *scope
	timesRetried int
}

// scope is a run of one list of states: the machine's, or a branch's.
type scope struct {
	x       *execution
	states  map[string]*aslState
	ended   bool
	inner   []*scope
	outcome func(output any, failed *aslError)
}

// finish ends a scope once, and everything that still runs in it.
func (s *scope) finish(output any, failed *aslError) {
	if s.ended {
		return
	}
	s.abort()
	s.outcome(output, failed)
}

func (s *scope) abort() {
	s.ended = true
	for _, inner := range s.inner {
		inner.abort()
	}
}

// later lets the scope go on after d, unless it has ended by then.
func (s *scope) later(d time.Duration, f func()) {
	s.x.r.after(d, func() {
		if !s.ended {
			f()
		}
	})
}

func (x *execution) start(m *aslMachine, input any) {
	x.event(types.HistoryEventTypeExecutionStarted, func(e *types.HistoryEvent) {
		e.ExecutionStartedEventDetails = &types.ExecutionStartedEventDetails{Input: &x.input, RoleArn: &x.machine.role, StateMachineVersionArn: x.version}
	})
	x.root = &scope{x: x, states: m.States, outcome: func(output any, failed *aslError) {
		if failed != nil {
			x.end(types.ExecutionStatusFailed, nil, failed)
			return
		}
		x.end(types.ExecutionStatusSucceeded, output, nil)
	}}
	if m.TimeoutSeconds > 0 {
		x.r.after(time.Duration(m.TimeoutSeconds)*time.Second, func() { x.end(types.ExecutionStatusTimedOut, nil, &aslError{name: statesTimeout}) })
	}
	x.root.later(0, func() { x.root.enter(m.StartAt, input) })
}

// end ends the execution, if it runs.
func (x *execution) end(status types.ExecutionStatus, output any, failed *aslError) {
	if x.status != types.ExecutionStatusRunning {
		return
	}
	x.root.abort()
	x.status, x.stopped, x.failed = status, x.r.clock.now, failed
	kind := map[types.ExecutionStatus]types.HistoryEventType{
		types.ExecutionStatusSucceeded: types.HistoryEventTypeExecutionSucceeded, types.ExecutionStatusFailed: types.HistoryEventTypeExecutionFailed,
		types.ExecutionStatusAborted: types.HistoryEventTypeExecutionAborted, types.ExecutionStatusTimedOut: types.HistoryEventTypeExecutionTimedOut,
	}[status]
	x.event(kind, func(e *types.HistoryEvent) {
		switch status {
		case types.ExecutionStatusSucceeded:
			x.output = aws.String(string(encode(output)))
			e.ExecutionSucceededEventDetails = &types.ExecutionSucceededEventDetails{Output: x.output}
		case types.ExecutionStatusFailed:
			e.ExecutionFailedEventDetails = &types.ExecutionFailedEventDetails{Error: &failed.name, Cause: &failed.cause}
		case types.ExecutionStatusAborted:
			e.ExecutionAbortedEventDetails = &types.ExecutionAbortedEventDetails{Error: &failed.name, Cause: &failed.cause}
		case types.ExecutionStatusTimedOut:
			e.ExecutionTimedOutEventDetails = &types.ExecutionTimedOutEventDetails{Error: &failed.name}
		}
	})
}

func (x *execution) event(kind types.HistoryEventType, details func(*types.HistoryEvent)) {
	id := int64(len(x.events) + 1)
	e := types.HistoryEvent{Id: id, PreviousEventId: id - 1, Timestamp: aws.Time(x.r.clock.now), Type: kind}
	if details != nil {
		details(&e)
	}
	x.events = append(x.events, e)
}
