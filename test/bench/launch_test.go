package bench

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/events"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/harness"
	"deployhooks/test/harness/tenants"
	"deployhooks/test/region"
)

// The budgets of a launch of the shipped example.
const (
	engineShare        = 1.0  // percent of the launch's time
	transitionsPerStep = 2.0  // of the state machine
	registryPerStep    = 3.0  // calls
	registryPerLaunch  = 15.0 // calls beside those of the steps: to accept, to start, to end, to notify
	registryDepth      = 20.0 // calls of the registry that wait for one another
	arranged           = 1.05 // times the graph's own critical path
)

// registryLatency is assumed of each call: DynamoDB answers within single-digit
// milliseconds ("What is Amazon DynamoDB?", Amazon DynamoDB Developer Guide).
const registryLatency = 5 * time.Millisecond

// transitionPrice is that of most regions, in USD ("AWS Step Functions pricing", Standard Workflows).
const transitionPrice = 0.025 / 1000

// TestLaunch plays a launch of the shipped example in the simulated region, from the recorded
// message to the active tenant. Each step takes as long as its kind expects, each call
// of the registry takes its time, and Step Functions and Lambda themselves take none. It counts
// what a launch costs, and how much of its time no step's work is done.
func TestLaunch(t *testing.T) {
	b, err := source.Load(example.FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	steps := float64(len(b.Steps))
	l := playLaunch(t, b)
	_, graph := workflow.CriticalPath(b.Steps)
	machine := workflow.Arrange(b.Steps).Expected
	share := 100 * (1 - graph.Seconds()/l.took.Seconds())
	t.Logf("%d steps in %s: %d state transitions, %d calls of the registry, %.2f %% engine", len(b.Steps), l.took, l.transitions, l.calls, share)
	if float64(l.transitions) > transitionsPerStep*steps {
		t.Errorf("%d state transitions for %g steps: a launch costs more than its budget", l.transitions, steps)
	}
	if float64(l.calls) > registryPerStep*steps+registryPerLaunch {
		t.Errorf("%d calls of the registry for %g steps: a launch costs more than its budget", l.calls, steps)
	}
	if machine.Seconds() > arranged*graph.Seconds() {
		t.Errorf("the state machine takes %s, and its graph %s: steps wait for what they do not need", machine, graph)
	}
	depth := (l.took - machine).Seconds() / registryLatency.Seconds()
	if depth > registryDepth {
		t.Errorf("%g calls of the registry wait for one another, beyond the budget of %g: tenants wait for what is no work", depth, registryDepth)
	}
	report(
		figure{"tenant.engineShare", share, "% of a launch, simulated", engineShare, 0},
		figure{"tenant.launch", l.took.Seconds(), "s, simulated", workflow.Budget.Seconds(), graph.Seconds()},
		figure{"tenant.criticalPath", machine.Seconds(), "s", arranged * graph.Seconds(), graph.Seconds()},
		figure{"tenant.registryDepth", depth, "calls", registryDepth, 0},
		figure{"tenant.registryCalls", float64(l.calls), "calls a launch", registryPerStep*steps + registryPerLaunch, 0},
		figure{"tenant.transitions", float64(l.transitions), "transitions a launch", transitionsPerStep * steps, 0},
		figure{"tenant.price", float64(l.transitions) * transitionPrice, "USD of transitions a launch", 0, 0},
	)
}

// playedLaunch is what one launch cost.
type playedLaunch struct {
	took               time.Duration
	calls, transitions int
}

// playLaunch launches the tenant of the recorded message with kinds that make nothing.
func playLaunch(t *testing.T, b *blueprint.Blueprint) playedLaunch {
	t.Helper()
	r := region.New(region.Options{})
	store := &tenants.CountedStore{Store: registry.NewMemory()}
	reg := registry.New(store, r.Now)
	blueprints := func(context.Context, string) (*blueprint.Blueprint, error) { return b, nil }
	for _, class := range step.Classes() {
		addWorker(r, b, store, workflow.NewWorker(workflow.Parts{
			Class: class, Registry: reg, Kinds: idleKinds(), Blueprints: blueprints, Now: r.Now, Log: harness.Logger(),
		}))
	}
	definition, err := workflow.Converge(b)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := r.StepFunctions().CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("converge"), Definition: aws.String(substituted(string(definition))), RoleArn: aws.String("arn:aws:iam::" + region.Account + ":role/converge"),
	})
	if err != nil {
		t.Fatal(err)
	}
	in := intake.New(intake.Config{Offer: intake.Offer{Blueprint: b.Version, ConvergeMachine: *machine.StateMachineArn, RemoveMachine: *machine.StateMachineArn}}, intake.Parts{
		Registry: reg, Blueprints: blueprints, Validate: spec.Validate, Engine: intake.StepFunctions{Client: r.StepFunctions()},
		Notices: notice.New(notice.Config{TopicARN: r.Topic("notices").ARN(), EventBus: "default"}, "intake", r.SNS(), r.EventBridge(), io.Discard, r.Now),
	}, harness.Logger(), r.Now)
	payload, err := events.Read("portal-sqs-sns-launch")
	if err != nil {
		t.Fatal(err)
	}
	began := r.Now()
	if answer, err := in.Invoke(t.Context(), payload); err != nil || len(r.Executions()) != 1 {
		t.Fatalf("%v, %s: the recorded message launches nothing", err, answer)
	}
	r.Advance(time.Duration(store.Calls.Load()) * registryLatency)
	execution := r.Executions()[0]
	running := func() bool {
		x, err := r.StepFunctions().DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &execution})
		return err == nil && x.Status == "RUNNING"
	}
	r.RunUntil(func() bool { return !running() }, time.Hour)
	v, err := reg.View(t.Context(), "acme")
	if err != nil || v.Tenant.State != registry.Active {
		t.Fatalf("%v, the tenant is %s: the figures are of something else", err, v.Tenant.State)
	}
	return playedLaunch{r.Now().Sub(began), int(store.Calls.Load()) - 1, r.Transitions(execution)} // but for the view
}

// addWorker adds the function of a class. An invocation takes as long as its step is expected to, and
// the calls that it has made.
func addWorker(r *region.Region, b *blueprint.Blueprint, store *tenants.CountedStore, w *workflow.Worker) {
	var calls int64
	r.AddFunction(region.Function{
		Name: workflow.Substitution(w.Class),
		Handler: func(payload []byte) ([]byte, error) {
			var task workflow.Task
			if err := json.Unmarshal(payload, &task); err != nil {
				return nil, err
			}
			before := store.Calls.Load()
			result, err := w.Run(context.Background(), task)
			calls = store.Calls.Load() - before
			if err != nil {
				return nil, err
			}
			return json.Marshal(result)
		},
		Takes: func(payload []byte) time.Duration {
			took := time.Duration(calls) * registryLatency
			var task workflow.Task
			if json.Unmarshal(payload, &task) == nil && task.Task == workflow.RunStep {
				s, _ := b.Step(task.Step)
				took += s.Policy.Expected
			}
			return took
		},
	})
}

// substituted is what CloudFormation makes of a definition.
func substituted(definition string) string {
	pairs := []string{"${Partition}", "aws"}
	for _, class := range step.Classes() {
		name := workflow.Substitution(class)
		pairs = append(pairs, "${"+name+"}", "arn:aws:lambda:"+region.Name+":"+region.Account+":function:"+name)
	}
	return strings.NewReplacer(pairs...).Replace(definition)
}

// idle is a kind that makes nothing.
type idle struct{ step.Description }

func idleKinds() map[string]step.Kind {
	all := map[string]step.Kind{}
	for name, d := range kinds.Descriptions() {
		all[name] = idle{d}
	}
	return all
}

func (k idle) Describe() step.Description { return k.Description }

func (idle) Check(context.Context, step.Input) (step.State, error) { return step.Absent, nil }

func (k idle) Apply(_ context.Context, in step.Input) (step.Outputs, error) {
	out := step.Outputs{}
	for _, o := range k.Outputs {
		out[o.Name] = in.Step + "-" + o.Name
	}
	return out, nil
}

func (idle) Undo(context.Context, step.Input) error { return nil }
