package workflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// A definition is in the Amazon States Language with JSONPath
// (https://states-language.net/spec.html). What depends on the deployment are
// substitutions of CloudFormation: ${Partition}, and [Substitution] for the functions.

// Substitution is the name of the substitution for the ARN of a class's function.
func Substitution(c step.Class) string {
	return strings.ToUpper(string(c[:1])) + string(c[1:]) + "FunctionArn"
}

// Converge is the definition of the state machine that launches and changes tenants. Its
// input is an [Execution].
func Converge(b *blueprint.Blueprint) ([]byte, error) {
	m := newMachine("Launches and changes tenants of " + b.Name)
	m.StartAt = m.steps(b.Steps, RunStep, finishState)
	m.finish()
	return m.encode()
}

// Remove is the definition of the state machine that removes tenants: after the delay,
// unless the removal is cancelled, it undoes the steps in reverse. Its input is an [Execution].
func Remove(b *blueprint.Blueprint) ([]byte, error) {
	const wait, begin, wanted, cancelled = "wait until due", "begin removal", "still wanted?", "removal cancelled"
	m := newMachine("Removes tenants of " + b.Name)
	m.StartAt = wait
	m.States[wait] = state{Type: "Wait", TimestampPath: "$.notBefore", Next: begin}
	m.States[begin] = controlState(Begin, wanted)
	m.States[wanted] = state{Type: "Choice", Choices: []choice{{Variable: "$.result.state", StringEquals: string(registry.Running), Next: m.steps(reversed(b.Steps), UndoStep, finishState)}}, Default: cancelled}
	m.States[cancelled] = state{Type: "Succeed"}
	m.finish()
	return m.encode()
}

// Manual is the definition of the state machine that waits for a person to complete a
// manual task and reminds its owner. Its input is a [ManualExecution].
func Manual() ([]byte, error) {
	const await, remind, open, ended = "wait for a person", "remind", "still open?", "ended"
	m := newMachine("Waits for people to complete manual tasks")
	m.StartAt = await
	p := taskPayload(Await, "")
	p["step.$"], p["token.$"] = "$.step", "$$.Task.Token"
	delete(p, "attempt.$")
	m.States[await] = state{
		Type: "Task", Resource: invokeResource + ".waitForTaskToken",
		Parameters:         &parameters{FunctionName: functionOf(step.Control), Payload: p},
		TimeoutSecondsPath: "$.wait", ResultPath: nothing,
		// The time-out is the reminder's time, and no failure. The reminder sees what has ended.
		Retry: append([]retry{{ErrorEquals: []string{timeout, endedError}, MaxAttempts: new(int)}}, retryStates(bookkeeping)...),
		Catch: []catch{{ErrorEquals: []string{anyError}, ResultPath: nothing, Next: remind}},
		Next:  ended,
	}
	again := controlState(Remind, open)
	again.Parameters.Payload["step.$"] = "$.step"
	delete(again.Parameters.Payload, "attempt.$")
	// The reminder says how long to wait for the next.
	again.ResultSelector = map[string]string{"state.$": "$.Payload.state", "wait.$": "$.Payload.wait"}
	m.States[remind] = again
	m.States[open] = state{Type: "Choice", Choices: []choice{{Variable: "$.result.state", StringEquals: manualOpen, Next: "wait on"}}, Default: ended}
	m.States["wait on"] = state{Type: "Pass", InputPath: "$.result.wait", ResultPath: json.RawMessage(`"$.wait"`), Next: await}
	m.States[ended] = state{Type: "Succeed"}
	return m.encode()
}

// Names of states, and values of the language. A step's name has no space, so that no
// state is named like another.
const (
	finishState    = "finish operation"
	invokeResource = "arn:${Partition}:states:::lambda:invoke"
	timeout        = "States.Timeout"
	longestName    = 80 // of a state ("States", Amazon States Language)
)

var nothing = json.RawMessage("null")

// steps adds the steps of a graph, and returns the name of the first state. All that
// ends well or badly leads to next.
func (m *machine) steps(all []blueprint.Step, task TaskName, next string) string {
	byName := map[string]blueprint.Step{}
	for _, s := range all {
		byName[s.Name] = s
	}
	var parallel int
	var add func(m *machine, b Block, next string) (first string)
	add = func(m *machine, b Block, next string) string {
		switch {
		case b.Sequence != nil:
			for i := len(b.Sequence) - 1; i >= 0; i-- {
				next = add(m, b.Sequence[i], next)
			}
			return next
		case b.Parallel != nil:
			parallel++
			s := state{Type: "Parallel", ResultPath: nothing}
			name := fmt.Sprintf("side by side %d", parallel)
			for _, part := range b.Parallel {
				branch := &machine{States: map[string]state{}}
				branch.StartAt = add(branch, part, "")
				s.Branches = append(s.Branches, branch)
			}
			m.States[name] = s.to(next)
			return name
		}
		m.step(byName[b.Step], task, next)
		return b.Step
	}
	if len(all) == 0 {
		return next
	}
	return add(m, Arrange(all), next)
}

// step adds one step, and the state that records that its retries are used up. The
// workflow goes on: what needs the step sees that it is not done, and is skipped.
func (m *machine) step(s blueprint.Step, task TaskName, next string) {
	failed := s.Name + " failed"
	m.States[s.Name] = state{
		Type: "Task", Resource: invokeResource, ResultPath: nothing,
		Parameters:     &parameters{FunctionName: functionOf(s.Class), Payload: taskPayload(task, s.Name)},
		TimeoutSeconds: seconds(limitOf(s.Policy) + margin),
		Retry:          retryStates(retriersOf(s.Policy)),
		Catch:          []catch{{ErrorEquals: []string{anyError}, ResultPath: nothing, Next: failed}},
	}.to(next)
	record := controlState(Failed, next)
	record.Parameters.Payload["step"] = s.Name
	record.ResultSelector, record.ResultPath = nil, nothing
	m.States[failed] = record
}

// finish adds the end: what becomes of the operation.
func (m *machine) finish() {
	const outcome, held, succeeded = "outcome", "operation held", "operation succeeded"
	m.States[finishState] = controlState(Finish, outcome)
	m.States[outcome] = state{Type: "Choice", Choices: []choice{{Variable: "$.result.state", StringEquals: string(registry.Succeeded), Next: succeeded}}, Default: held}
	m.States[succeeded] = state{Type: "Succeed"}
	m.States[held] = state{Type: "Fail", Error: "Held", Cause: "Steps have failed. The registry has the reasons; an operator retries or abandons the operation."}
}

// controlState is a task of class control, whose answer decides what follows.
func controlState(task TaskName, next string) state {
	return state{
		Type: "Task", Resource: invokeResource,
		Parameters:     &parameters{FunctionName: functionOf(step.Control), Payload: taskPayload(task, "")},
		TimeoutSeconds: seconds(2 * margin),
		ResultSelector: map[string]string{"state.$": "$.Payload.state"}, ResultPath: json.RawMessage(`"$.result"`),
		Retry: retryStates(bookkeeping),
	}.to(next)
}

func functionOf(c step.Class) string { return "${" + Substitution(c) + "}" }

// taskPayload is a [Task] with its values from the execution's input.
func taskPayload(task TaskName, step string) map[string]string {
	p := map[string]string{"task": string(task), "tenant.$": "$.tenant", "operation.$": "$.operation", "attempt.$": "$.attempt"}
	if step != "" {
		p["step"], p["blueprint.$"] = step, "$.blueprint"
	}
	return p
}

func retryStates(all []retrier) (states []retry) {
	for _, r := range all {
		states = append(states, r.state())
	}
	return states
}

func (r retrier) state() retry {
	s := retry{ErrorEquals: r.errors, MaxAttempts: &r.attempts}
	if r.attempts == 0 {
		return s
	}
	s.IntervalSeconds, s.BackoffRate = seconds(r.interval), r.rate
	s.MaxDelaySeconds = seconds(r.longest)
	if r.jitter {
		s.JitterStrategy = "FULL"
	}
	return s
}

func seconds(d time.Duration) int { return times(d, time.Second) }

// encode is the definition's text. It fails for a name that no state can have.
func (m *machine) encode() ([]byte, error) {
	var errs []error
	for _, name := range m.names() {
		if len(name) > longestName {
			errs = append(errs, fmt.Errorf("state %q: a state's name has at most %d characters, and this has %d: give the step a shorter name", name, longestName, len(name)))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode the state machine %q: %w", m.Comment, err)
	}
	return text.Bytes(), nil
}

// names are the names of all states, those of branches included.
func (m *machine) names() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		names = append(names, name)
		for _, branch := range m.States[name].Branches {
			names = append(names, branch.names()...)
		}
	}
	return names
}
