package region_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"deployhooks/test/region"
)

// typedError is the error of a function, by the name that its state machine sees.
type typedError string

func (e typedError) Error() string     { return "failed: " + string(e) }
func (e typedError) ErrorType() string { return string(e) }

// workflow is a state machine in a region with functions that do as they are told.
type workflow struct {
	*testing.T
	*region.Region
	machine  string
	payloads []string
	at       []time.Duration  // since the start, of each invocation
	answers  map[string][]any // by function: what each invocation returns, an error or a value
	takes    map[string]time.Duration
}

func newWorkflow(t *testing.T, states string) *workflow {
	t.Helper()
	w := &workflow{T: t, Region: region.New(region.Options{}), answers: map[string][]any{}, takes: map[string]time.Duration{}}
	for _, name := range []string{"one", "two"} {
		w.AddFunction(region.Function{Name: name, Handler: func(payload []byte) ([]byte, error) { return w.invoke(name, payload) },
			Takes: func([]byte) time.Duration { return w.takes[name] }})
	}
	out, err := w.StepFunctions().CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String("m"), Definition: &states, RoleArn: aws.String("arn:aws:iam::123456789012:role/m")})
	if err != nil {
		t.Fatal(err)
	}
	w.machine = *out.StateMachineArn
	return w
}

func (w *workflow) invoke(name string, payload []byte) ([]byte, error) {
	w.payloads = append(w.payloads, name+" "+string(payload))
	w.at = append(w.at, w.Now().Sub(w.Region.Start()))
	if len(w.answers[name]) == 0 {
		return []byte(`"done"`), nil
	}
	answer := w.answers[name][0]
	w.answers[name] = w.answers[name][1:]
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return json.Marshal(answer)
}

// run runs an execution to its end and returns how it ended.
func (w *workflow) run(input string) (status, output string) {
	w.Helper()
	out, err := w.StepFunctions().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &w.machine, Input: &input, Name: aws.String("x")})
	if err != nil {
		w.Fatal(err)
	}
	if !w.RunUntil(func() bool { status, output = w.outcome(*out.ExecutionArn); return status != "RUNNING" }, 24*time.Hour) {
		w.Fatal("the execution does not end")
	}
	return status, output
}

func (w *workflow) outcome(execution string) (status, output string) {
	out, err := w.StepFunctions().DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil {
		w.Fatal(err)
	}
	if out.Error != nil {
		return string(out.Status), *out.Error
	}
	return string(out.Status), aws.ToString(out.Output)
}

func machineOf(first string, states ...string) string {
	return fmt.Sprintf(`{"StartAt":%q,"States":{%s}}`, first, strings.Join(states, ","))
}

func taskOf(name, function, more string) string {
	return fmt.Sprintf(`%q:{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":%q,"Payload":{"name.$":"$.name"}},%s}`, name, function, more)
}

func TestStatesOfStepFunctions(t *testing.T) {
	const end = `"End":true`
	for name, c := range map[string]struct {
		states         string
		input          string
		answers        []any // of the function one
		status, output string
		payloads       []string
	}{
		"a task": {states: machineOf("A", taskOf("A", "one", `"ResultPath":"$.result",`+end)), status: "SUCCEEDED",
			output: `{"name":"acme","result":{"ExecutedVersion":"$LATEST","Payload":"done","StatusCode":200}}`, payloads: []string{`one {"name":"acme"}`}},
		"a result selected and discarded": {states: machineOf("A", taskOf("A", "one", `"ResultSelector":{"state.$":"$.Payload.state"},"Next":"B"`), `"B":{"Type":"Pass","ResultPath":null,"End":true}`),
			answers: []any{map[string]string{"state": "running"}}, status: "SUCCEEDED", output: `{"state":"running"}`},
		"a path that is not there":      {states: machineOf("A", taskOf("A", "one", end)), input: `{}`, status: "FAILED", output: "States.ParameterPathFailure"},
		"an error that nothing catches": {states: machineOf("A", taskOf("A", "one", end)), answers: []any{typedError("Refused")}, status: "FAILED", output: "Refused"},
		"an error that is caught": {states: machineOf("A", taskOf("A", "one", `"Catch":[{"ErrorEquals":["Refused"],"ResultPath":null,"Next":"B"}],`+end), `"B":{"Type":"Succeed"}`),
			answers: []any{typedError("Refused")}, status: "SUCCEEDED", output: `{"name":"acme"}`},
		"an error with its cause": {states: machineOf("A", taskOf("A", "one", `"Catch":[{"ErrorEquals":["States.TaskFailed"],"ResultPath":"$.error","Next":"B"}],`+end), `"B":{"Type":"Pass","InputPath":"$.error.Error","End":true}`),
			answers: []any{typedError("Refused")}, status: "SUCCEEDED", output: `"Refused"`},
		"a killed function": {states: machineOf("A", taskOf("A", "one", end)), answers: []any{region.ErrKilled}, status: "FAILED", output: "Lambda.Unknown"},
		"a Go error":        {states: machineOf("A", taskOf("A", "one", end)), answers: []any{errors.New("broken")}, status: "FAILED", output: "errorString"},
		"branches": {states: machineOf("P", `"P":{"Type":"Parallel","ResultPath":null,"Branches":[`+machineOf("A", taskOf("A", "one", end))+`,`+machineOf("B", taskOf("B", "two", end))+`],"End":true}`),
			status: "SUCCEEDED", output: `{"name":"acme"}`, payloads: []string{`one {"name":"acme"}`, `two {"name":"acme"}`}},
		"results of branches": {states: machineOf("P", `"P":{"Type":"Parallel","Branches":[`+machineOf("A", `"A":{"Type":"Pass","Result":1,"End":true}`)+`,`+machineOf("B", `"B":{"Type":"Pass","Result":2,"End":true}`)+`],"End":true}`),
			status: "SUCCEEDED", output: `[1,2]`},
		"a branch that fails stops the others": {states: machineOf("P", `"P":{"Type":"Parallel","Branches":[`+machineOf("W", `"W":{"Type":"Wait","Seconds":5,"Next":"A"}`, taskOf("A", "two", end))+`,`+machineOf("B", taskOf("B", "one", end))+`],"End":true}`),
			answers: []any{typedError("Refused")}, status: "FAILED", output: "Refused", payloads: []string{`one {"name":"acme"}`}},
		"a choice": {states: machineOf("C", `"C":{"Type":"Choice","Choices":[{"Variable":"$.name","StringEquals":"other","Next":"B"},{"Variable":"$.name","StringEquals":"acme","Next":"A"}],"Default":"B"}`, `"A":{"Type":"Succeed"}`, `"B":{"Type":"Fail","Error":"Wrong"}`),
			status: "SUCCEEDED", output: `{"name":"acme"}`},
		"no choice":        {states: machineOf("C", `"C":{"Type":"Choice","Choices":[{"Variable":"$.name","StringEquals":"other","Next":"B"}]}`, `"B":{"Type":"Succeed"}`), status: "FAILED", output: "States.NoChoiceMatched"},
		"a failure":        {states: machineOf("F", `"F":{"Type":"Fail","Error":"Held","Cause":"steps failed"}`), status: "FAILED", output: "Held"},
		"a result placed":  {states: machineOf("A", `"A":{"Type":"Pass","InputPath":"$.a.b","ResultPath":"$.a.c","End":true}`), input: `{"a":{"b":7}}`, status: "SUCCEEDED", output: `{"a":{"b":7,"c":7}}`},
		"a machine's time": {states: `{"StartAt":"A","TimeoutSeconds":5,"States":{"A":{"Type":"Wait","Seconds":6,"End":true}}}`, status: "TIMED_OUT", output: "States.Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkflow(t, c.states)
			w.answers["one"] = c.answers
			if c.input == "" {
				c.input = `{"name":"acme"}`
			}
			status, output := w.run(c.input)
			if status != c.status || output != c.output {
				t.Errorf("%s %s, not %s %s", status, output, c.status, c.output)
			}
			if c.payloads != nil && !slices.Equal(w.payloads, c.payloads) {
				t.Errorf("invoked %q, not %q", w.payloads, c.payloads)
			}
		})
	}
}

func TestRetriersOfStepFunctions(t *testing.T) {
	retry := `"Retry":[{"ErrorEquals":["Refused"],"MaxAttempts":0},{"ErrorEquals":["NotYet"],"IntervalSeconds":15,"BackoffRate":1,"MaxAttempts":3},` +
		`{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"BackoffRate":2,"MaxDelaySeconds":5,"MaxAttempts":4}],"End":true`
	fail := func(names ...string) (all []any) {
		for _, n := range names {
			all = append(all, typedError(n))
		}
		return all
	}
	for name, c := range map[string]struct {
		fails  []any
		at     string
		status string
	}{
		"never retried":               {fail("Refused"), "[0s]", "FAILED"},
		"back-off up to the maximum":  {fail("x", "x", "x", "x"), "[0s 2s 6s 11s 16s]", "SUCCEEDED"},
		"used up":                     {fail("x", "x", "x", "x", "x"), "[0s 2s 6s 11s 16s]", "FAILED"},
		"constant":                    {fail("NotYet", "NotYet", "NotYet"), "[0s 15s 30s 45s]", "SUCCEEDED"},
		"each retrier counts its own": {fail("NotYet", "x", "NotYet", "x", "NotYet", "NotYet"), "[0s 15s 17s 32s 36s 51s]", "FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkflow(t, machineOf("A", taskOf("A", "one", retry)))
			w.answers["one"] = c.fails
			if status, _ := w.run(`{"name":"acme"}`); status != c.status || fmt.Sprint(w.at) != c.at {
				t.Errorf("%s after tries at %v, not %s %s", status, w.at, c.status, c.at)
			}
		})
	}
}

func TestJitterOfStepFunctions(t *testing.T) {
	w := newWorkflow(t, machineOf("A", taskOf("A", "one", `"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":10,"BackoffRate":1,"MaxAttempts":50,"JitterStrategy":"FULL"}],"End":true`)))
	for range 50 {
		w.answers["one"] = append(w.answers["one"], typedError("x"))
	}
	w.run(`{"name":"acme"}`)
	if took := w.at[50]; took < 150*time.Second || took > 350*time.Second {
		t.Errorf("50 delays between 0 and 10 seconds add up to %s", took)
	}
}

func TestTimeoutsOfTasks(t *testing.T) {
	w := newWorkflow(t, machineOf("A", taskOf("A", "one", `"TimeoutSeconds":30,"Catch":[{"ErrorEquals":["States.Timeout"],"ResultPath":null,"Next":"B"}],"End":true`), taskOf("B", "two", `"ResultPath":null,"End":true`)))
	w.takes["one"] = time.Minute
	if status, _ := w.run(`{"name":"acme"}`); status != "SUCCEEDED" || fmt.Sprint(w.at) != "[0s 30s]" {
		t.Errorf("%s after invocations at %v", status, w.at)
	}
}

const waitForToken = `"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{"FunctionName":"one","Payload":{"token.$":"$$.Task.Token"}},"TimeoutSecondsPath":"$.wait","Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Pass","End":true}`

func TestTaskTokens(t *testing.T) {
	var tokens []string
	start := func() (*workflow, string) {
		w := newWorkflow(t, machineOf("A", waitForToken))
		out, err := w.StepFunctions().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &w.machine, Input: aws.String(`{"wait":60}`)})
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(10 * time.Second)
		var payload struct{ Token string }
		if len(w.payloads) != 1 || json.Unmarshal([]byte(strings.TrimPrefix(w.payloads[0], "one ")), &payload) != nil || payload.Token == "" {
			t.Fatalf("no token was given out: %q", w.payloads)
		}
		tokens = append(tokens, payload.Token)
		return w, *out.ExecutionArn
	}
	t.Run("success", func(t *testing.T) {
		w, x := start()
		if status, _ := w.outcome(x); status != "RUNNING" {
			t.Fatalf("%s before anybody has answered", status)
		}
		success := &sfn.SendTaskSuccessInput{TaskToken: &tokens[0], Output: aws.String(`{"by":"ann"}`)}
		if err := second(w.StepFunctions().SendTaskSuccess(ctx, success)); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Second)
		if status, output := w.outcome(x); status != "SUCCEEDED" || output != `{"by":"ann"}` {
			t.Errorf("%s %s", status, output)
		}
		if err := second(w.StepFunctions().SendTaskSuccess(ctx, success)); code(err) != "TaskTimedOut" {
			t.Errorf("the same token again gives %v", err)
		}
	})
	t.Run("failure", func(t *testing.T) {
		w, x := start()
		if err := second(w.StepFunctions().SendTaskFailure(ctx, &sfn.SendTaskFailureInput{TaskToken: &tokens[1], Error: aws.String("Refused"), Cause: aws.String("no")})); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Second)
		if status, output := w.outcome(x); status != "SUCCEEDED" || output != `{"Cause":"no","Error":"Refused"}` {
			t.Errorf("%s %s", status, output)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		w, x := start()
		w.Advance(time.Minute)
		if status, output := w.outcome(x); !strings.Contains(output, "States.Timeout") {
			t.Errorf("%s %s", status, output)
		}
		if err := second(w.StepFunctions().SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &tokens[2], Output: aws.String("1")})); code(err) != "TaskTimedOut" {
			t.Errorf("an answer after the time-out gives %v", err)
		}
		if err := second(w.StepFunctions().SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String("x"), Output: aws.String("1")})); code(err) != "InvalidToken" {
			t.Errorf("a token of nobody gives %v", err)
		}
	})
}

func TestWaitStates(t *testing.T) {
	for name, c := range map[string]struct{ wait, input, at string }{
		"seconds":                    {`"Seconds":90`, `{}`, "[1m30s]"},
		"seconds of the input":       {`"SecondsPath":"$.wait"`, `{"wait":7}`, "[7s]"},
		"an instant":                 {`"TimestampPath":"$.until"`, `{"until":"2024-03-04T10:00:00Z"}`, "[1h0m0s]"},
		"an instant that has passed": {`"TimestampPath":"$.until"`, `{"until":"2024-03-04T08:00:00Z"}`, "[0s]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkflow(t, machineOf("W", `"W":{"Type":"Wait",`+c.wait+`,"Next":"N"}`, `"N":{"Type":"Pass","Parameters":{"name":"acme"},"Next":"A"}`, taskOf("A", "one", `"End":true`)))
			if status, output := w.run(c.input); status != "SUCCEEDED" || fmt.Sprint(w.at) != c.at {
				t.Errorf("%s %s after invocations at %v, not %s", status, output, w.at, c.at)
			}
		})
	}
}

func TestExecutions(t *testing.T) {
	w := newWorkflow(t, machineOf("W", `"W":{"Type":"Wait","Seconds":60,"End":true}`))
	v1, err := w.StepFunctions().PublishStateMachineVersion(ctx, &sfn.PublishStateMachineVersionInput{StateMachineArn: &w.machine})
	if err != nil {
		t.Fatal(err)
	}
	start := func(machine, input string) (string, error) {
		out, err := w.StepFunctions().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: aws.String("launch"), Input: &input})
		if err != nil {
			return "", err
		}
		return *out.ExecutionArn, nil
	}
	x, err := start(*v1.StateMachineVersionArn, `{"a":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := start(*v1.StateMachineVersionArn, `{"a":1}`); again != x || err != nil {
		t.Errorf("the same start of a running execution gives %s, %v", again, err)
	}
	if _, err := start(*v1.StateMachineVersionArn, `{"a":2}`); code(err) != "ExecutionAlreadyExists" {
		t.Errorf("another input under the same name gives %v", err)
	}
	// A changed machine leaves the version that runs as it is.
	if err := second(w.StepFunctions().UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &w.machine, Definition: aws.String(machineOf("F", `"F":{"Type":"Fail","Error":"Changed"}`))})); err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Minute)
	if status, _ := w.outcome(x); status != "SUCCEEDED" {
		t.Errorf("%s after the machine was changed", status)
	}
	if _, err := start(*v1.StateMachineVersionArn, `{"a":1}`); code(err) != "ExecutionAlreadyExists" {
		t.Errorf("starting an execution that has ended gives %v", err)
	}
	again, err := w.StepFunctions().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: v1.StateMachineVersionArn})
	if err != nil {
		t.Fatal(err)
	}
	if err := second(w.StepFunctions().StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: again.ExecutionArn, Error: aws.String("Stopped")})); err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Minute)
	if status, output := w.outcome(*again.ExecutionArn); status != "ABORTED" || output != "Stopped" {
		t.Errorf("a stopped execution is %s %s", status, output)
	}
	if _, err := start(w.machine+":7", "{}"); code(err) != "StateMachineDoesNotExist" {
		t.Errorf("a version that was never published gives %v", err)
	}
}

func TestHistory(t *testing.T) {
	w := newWorkflow(t, machineOf("A", taskOf("A", "one", `"Retry":[{"ErrorEquals":["States.ALL"]}],"End":true`)))
	w.answers["one"] = []any{typedError("x")}
	w.run(`{"name":"acme"}`)
	x := w.Executions()[0]
	var kinds []sfntypes.HistoryEventType
	p := sfn.NewGetExecutionHistoryPaginator(w.StepFunctions(), &sfn.GetExecutionHistoryInput{ExecutionArn: &x, MaxResults: 4})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			kinds = append(kinds, e.Type)
		}
	}
	want := "[ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskSucceeded TaskStateExited ExecutionSucceeded]"
	if fmt.Sprint(kinds) != want {
		t.Errorf("%v\nwant %s", kinds, want)
	}
	if n := w.Transitions(x); n != 2 {
		t.Errorf("%d transitions for a state and one retry", n)
	}
}

func TestDefinitionsRefused(t *testing.T) {
	for name, c := range map[string]struct{ definition, because string }{
		"no JSON":                       {`{`, ""},
		"an unknown field":              {machineOf("A", `"A":{"Type":"Pass","Results":1,"End":true}`), "Results"},
		"a field that is not simulated": {machineOf("A", taskOf("A", "one", `"HeartbeatSeconds":1,"End":true`)), "HeartbeatSeconds"},
		"a type that is not simulated":  {machineOf("A", `"A":{"Type":"Map","End":true}`), "Map"},
		"a state that is not there":     {machineOf("A", `"A":{"Type":"Pass","Next":"B"}`), `"B"`},
		"a state that nothing leads to": {machineOf("A", `"A":{"Type":"Succeed"}`, `"B":{"Type":"Succeed"}`), `"B"`},
		"two states of one name":        {machineOf("A", `"A":{"Type":"Parallel","Branches":[`+machineOf("A", `"A":{"Type":"Succeed"}`)+`],"End":true}`), "DUPLICATE"},
		"neither Next nor End":          {machineOf("A", `"A":{"Type":"Pass"}`), "End"},
		"States.ALL not last":           {machineOf("A", taskOf("A", "one", `"Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["x"]}],"End":true`)), "States.ALL"},
		"a long name":                   {machineOf(strings.Repeat("x", 81), `"`+strings.Repeat("x", 81)+`":{"Type":"Succeed"}`), "80"},
		"another resource":              {machineOf("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true}`), "sqs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := region.New(region.Options{}).StepFunctions().CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String("m"), Definition: &c.definition})
			if code(err) != "InvalidDefinition" || !strings.Contains(err.Error(), c.because) {
				t.Errorf("refused with %v", err)
			}
		})
	}
}
