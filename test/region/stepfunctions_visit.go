package region

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// visit is one visit of a state.
type visit struct {
	*scope
	state    *aslState
	raw      any // the state's input, before InputPath
	input    any // after InputPath and Parameters
	token    string
	retries  []int // of each retrier
	entered  time.Time
	attempts int
}

// enter begins a state. It is called with the region's lock held.
func (s *scope) enter(name string, raw any) {
	state := s.states[name]
	v := &visit{scope: s, state: state, raw: raw, retries: make([]int, len(state.Retry)), entered: s.x.r.clock.now}
	s.x.transitions++
	s.x.event(types.HistoryEventType(state.Type+"StateEntered"), func(e *types.HistoryEvent) {
		e.StateEnteredEventDetails = &types.StateEnteredEventDetails{Name: &state.name, Input: aws.String(string(encode(raw)))}
	})
	input, failed := state.InputPath.filter(raw)
	if failed == nil {
		v.input = input
		failed = v.begin(input)
	}
	if failed != nil {
		v.fail(failed)
	}
}

// begin does what the state's type is for.
func (v *visit) begin(input any) *aslError {
	switch v.state.Type {
	case "Succeed":
		output, failed := v.state.OutputPath.filter(input)
		if failed != nil {
			return failed
		}
		v.exited(output)
		v.finish(output, nil)
	case "Fail":
		v.finish(nil, &aslError{v.state.Error, v.state.Cause})
	case "Choice":
		return v.choose(input)
	case "Wait":
		d, failed := v.waitFor(input)
		if failed != nil {
			return failed
		}
		v.later(d, func() { v.exit(v.raw) })
	case "Pass":
		result, failed := fill(v.state.Parameters, input, v.context())
		if failed != nil {
			return failed
		}
		if v.state.Result != nil {
			must(json.Unmarshal(v.state.Result, &result))
		}
		v.result(result)
	case "Parallel", "Task":
		v.try()
	}
	return nil
}

func (v *visit) choose(input any) *aslError {
	next := v.state.Default
	for _, c := range v.state.Choices {
		matches, failed := c.matches(input)
		if failed != nil {
			return failed
		}
		if matches {
			next = c.Next
			break
		}
	}
	if next == "" {
		return &aslError{noChoiceMatched, "Failed to transition out of the state. The state does not point to a next state."}
	}
	v.exited(v.raw)
	v.later(0, func() { v.enter(next, v.raw) })
	return nil
}

// waitFor is how long a Wait state takes; none for an instant that has passed.
func (v *visit) waitFor(input any) (time.Duration, *aslError) {
	instant := v.state.Timestamp
	switch {
	case v.state.Seconds != nil:
		return time.Duration(*v.state.Seconds) * time.Second, nil
	case v.state.SecondsPath != "":
		n, failed := secondsAt(input, v.state.SecondsPath)
		return time.Duration(n) * time.Second, failed
	case v.state.TimestampPath != "":
		value, failed := lookup(input, v.state.TimestampPath)
		if failed != nil {
			return 0, failed
		}
		instant, _ = value.(string)
	}
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return 0, &aslError{statesRuntime, fmt.Sprintf("The value %q is no timestamp.", instant)}
	}
	return at.Sub(v.x.r.clock.now), nil
}

func secondsAt(input any, path string) (int, *aslError) {
	value, failed := lookup(input, path)
	if failed != nil {
		return 0, failed
	}
	n, ok := value.(float64)
	if !ok || n < 0 || n != math.Trunc(n) {
		return 0, &aslError{statesRuntime, fmt.Sprintf("The value of %s is no number of seconds.", path)}
	}
	return int(n), nil
}

// result ends a state with its result: ResultSelector, ResultPath, OutputPath, in this
// order (ASL, "Input and Output Processing").
func (v *visit) result(result any) {
	selected, failed := fill(v.state.ResultSelector, result, v.context())
	if failed == nil {
		selected, failed = v.state.ResultPath.place(v.raw, selected)
	}
	if failed == nil {
		selected, failed = v.state.OutputPath.filter(selected)
	}
	if failed == nil && len(encode(selected)) > maxStateData {
		failed = &aslError{statesDataLimit, "The state/task '" + v.state.name + "' returned a result with a size exceeding the maximum number of bytes service limit."}
	}
	if failed != nil {
		v.fail(failed)
		return
	}
	v.exit(selected)
}

func (v *visit) exit(output any) {
	v.exited(output)
	if v.state.End {
		v.finish(output, nil)
		return
	}
	v.later(0, func() { v.enter(v.state.Next, output) })
}

func (v *visit) exited(output any) {
	v.x.event(types.HistoryEventType(v.state.Type+"StateExited"), func(e *types.HistoryEvent) {
		e.StateExitedEventDetails = &types.StateExitedEventDetails{Name: &v.state.name, Output: aws.String(string(encode(output)))}
	})
}

// fail is an error of a state: retried, caught, or the end of the scope (ASL, "Errors":
// retriers first, each with a count of its own; then catchers).
func (v *visit) fail(failed *aslError) {
	for i, r := range v.state.Retry {
		if !failed.is(r.ErrorEquals) {
			continue
		}
		if most := valueOr(r.MaxAttempts, 3); v.retries[i] < most {
			v.retries[i]++
			v.later(r.delay(v.retries[i], v.x.fraction()), func() {
				v.x.transitions++
				v.try()
			})
			return
		}
		break
	}
	for _, c := range v.state.Catch {
		if !failed.is(c.ErrorEquals) {
			continue
		}
		output, wrong := c.ResultPath.place(v.raw, map[string]any{"Error": failed.name, "Cause": failed.cause})
		if wrong != nil {
			failed = wrong
			break
		}
		v.exited(output)
		v.later(0, func() { v.enter(c.Next, output) })
		return
	}
	v.finish(nil, failed)
}

// delay is the time before the n-th retry. The defaults are an interval of 1 second,
// a rate of 2 and 3 attempts (ASL, "Retrying after error").
func (r aslRetry) delay(n int, fraction float64) time.Duration {
	d := float64(valueOr(r.IntervalSeconds, 1)) * math.Pow(valueOr(r.BackoffRate, 2.0), float64(n-1))
	if r.MaxDelaySeconds > 0 {
		d = min(d, float64(r.MaxDelaySeconds))
	}
	if r.JitterStrategy == "FULL" { // between 0 and the delay
		d *= fraction
	}
	return time.Duration(d * float64(time.Second))
}

// fraction is a number in [0, 1) that is the same in every run.
func (x *execution) fraction() float64 {
	x.timesRetried++
	return float64(seed(fmt.Sprint(x.arn, x.timesRetried))%1000) / 1000
}

func valueOr[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// context is the context object ("Accessing execution data from the Context object").
func (v *visit) context() map[string]any {
	var input any
	_ = json.Unmarshal([]byte(v.x.input), &input)
	c := map[string]any{
		"Execution":    map[string]any{"Id": v.x.arn, "Input": input, "Name": v.x.name, "RoleArn": v.x.machine.role, "StartTime": v.x.started.UTC().Format(time.RFC3339Nano)},
		"State":        map[string]any{"EnteredTime": v.entered.UTC().Format(time.RFC3339Nano), "Name": v.state.name, "RetryCount": float64(max(v.attempts-1, 0))},
		"StateMachine": map[string]any{"Id": v.x.machine.arn, "Name": v.x.machine.name},
	}
	if v.token != "" {
		c["Task"] = map[string]any{"Token": v.token}
	}
	return maps.Clone(c)
}

// try runs a Task or a Parallel state, once more after each retry.
func (v *visit) try() {
	v.attempts++
	if v.state.Type == "Parallel" {
		v.parallel()
		return
	}
	v.task()
}

// parallel: "the interpreter … waits until each branch terminates"; its result is the
// list of theirs; "if any branch fails … the entire Parallel state is considered to have
// failed and all the branches are stopped" (ASL, "Parallel State").
func (v *visit) parallel() {
	input, failed := fill(v.state.Parameters, v.input, v.context())
	if failed != nil {
		v.fail(failed)
		return
	}
	v.x.event(types.HistoryEventTypeParallelStateStarted, nil)
	results := make([]any, len(v.state.Branches))
	left := len(results)
	var branches []*scope
	for i, b := range v.state.Branches {
		branch := &scope{x: v.x, states: b.States}
		branch.outcome = func(output any, failed *aslError) {
			if failed != nil {
				for _, other := range branches {
					other.abort()
				}
				v.x.event(types.HistoryEventTypeParallelStateFailed, nil)
				v.fail(failed)
				return
			}
			results[i] = output
			if left--; left == 0 {
				v.x.event(types.HistoryEventTypeParallelStateSucceeded, nil)
				v.result(results)
			}
		}
		branches = append(branches, branch)
		v.inner = append(v.inner, branch)
		branch.later(0, func() { branch.enter(b.StartAt, input) })
	}
}
