package tenant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/reserve"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/dynamo"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

// installation is all of the domain together: intake, the registry in DynamoDB, Step Functions
// and the workers. Its steps make places, which have one owner each.
type installation struct {
	*tenants
	t        testing.TB
	region   *region.Region
	intake   *intake.Intake
	places   *places
	reported map[string]bool // executions whose end was delivered
	requests int

	mu       sync.Mutex // the sweep notifies of several tenants at once
	subjects []string   // of notifications
}

func install(t testing.TB, b *blueprint.Blueprint) *installation {
	layout := registry.Layout("tenants")
	r := dynamo.Simulated(region.Options{}, layout.Table, []string{layout.Partition, layout.Sort})
	h := newTenantsOn(registry.NewDynamoDB(r.DynamoDB(), layout.Table), r.Now, b)
	i := &installation{tenants: h, t: t, region: r, places: &places{owners: map[string]string{}}, reported: map[string]bool{}}
	for _, w := range h.workers {
		for _, class := range step.Classes() {
			w.Kinds[string(class)] = placing{i.places, h.cloud}
		}
	}
	h.workers[step.Control].Kinds["reserve"] = reserve.New(h.registry)
	h.addFunctions(r)
	i.deploy(b)
	return i
}

// deploy deploys a blueprint: from now on requests are accepted with it.
func (i *installation) deploy(b *blueprint.Blueprint) {
	i.blueprints[b.Version] = b
	i.intake = intake.New(intake.Config{
		RemovalDelay: time.Hour,
		Offer:        intake.Offer{Blueprint: b.Version, ConvergeMachine: i.publish("converge", b, workflow.Converge), RemoveMachine: i.publish("remove", b, workflow.Remove)},
	}, intake.Parts{
		Registry: i.registry, Blueprints: i.blueprint, Engine: intake.StepFunctions{Client: i.region.StepFunctions()},
		Validate: func(_, _ json.RawMessage) []registry.Fault { return nil },
		Notices:  notice.New(notice.Config{TopicARN: "topic", EventBus: "bus"}, "intake", i, i, &bytes.Buffer{}, i.region.Now),
	}, harness.Logger(), i.region.Now)
}

// publish makes a version of a state machine, as CloudFormation does.
func (i *installation) publish(name string, b *blueprint.Blueprint, define func(*blueprint.Blueprint) ([]byte, error)) string {
	text, err := define(b)
	if err != nil {
		i.t.Fatal(err)
	}
	definition, role := substitute(string(text)), "arn:aws:iam::123456789012:role/machine"
	machines := i.region.StepFunctions()
	out, err := machines.UpdateStateMachine(i.t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: aws.String("arn:aws:states:eu-west-1:123456789012:stateMachine:" + name), Definition: &definition, Publish: true})
	if err == nil {
		return *out.StateMachineVersionArn
	}
	made, err := machines.CreateStateMachine(i.t.Context(), &sfn.CreateStateMachineInput{Name: &name, Definition: &definition, RoleArn: &role, Publish: true})
	if err != nil {
		i.t.Fatal(err)
	}
	return *made.StateMachineVersionArn
}

func (i *installation) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.subjects = append(i.subjects, *in.Subject)
	return &sns.PublishOutput{}, nil
}

func (*installation) PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return &eventbridge.PutEventsOutput{}, nil
}

// request delivers a request under an ID of its own, and returns it.
func (i *installation) request(tenant, operation, host string) event.TenantRequest {
	i.requests++
	e := event.TenantRequest{ID: fmt.Sprint(i.requests), Tenant: tenant, Operation: operation}
	if operation != string(registry.Remove) {
		e.Spec = json.RawMessage(fmt.Sprintf(`{"name":%q,"host":%q}`, tenant, host))
	}
	i.deliver(e)
	return e
}

func (i *installation) deliver(e event.Event) {
	for _, err := range i.intake.Handle(context.Background(), []event.Message{{Event: e}}) {
		if err != nil {
			i.t.Logf("delivery: %v", err) // the sweep's
		}
	}
}

func (i *installation) sweep() { i.deliver(event.Continuation{Body: []byte(`{"sweep":{}}`)}) }

// ask is an operator's command.
func (i *installation) ask(action, tenant string) (string, error) {
	out, err := i.intake.Invoke(context.Background(), fmt.Appendf(nil, `{"action":%q,"tenant":%q}`, action, tenant))
	return string(out), err
}

// report delivers the ends of executions, those of earlier ones again if wanted.
func (i *installation) report(again bool) {
	for _, arn := range i.region.Executions() {
		x, err := i.region.StepFunctions().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err != nil || x.Status == "RUNNING" || i.reported[arn] && !again {
			continue
		}
		i.reported[arn] = true
		i.deliver(event.Execution{Machine: *x.StateMachineArn, Name: *x.Name, Status: string(x.Status), Input: *x.Input})
	}
}

// pass lets time pass, and delivers what ends meanwhile.
func (i *installation) pass(d time.Duration) {
	for range 4 {
		i.region.Advance(d / 4)
		i.report(false)
	}
}

// abort ends the executions of a tenant from outside.
func (i *installation) abort(tenant string) {
	for _, arn := range i.region.Executions() {
		if strings.Contains(arn, ":"+tenant+"-") {
			_, _ = i.region.StepFunctions().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: &arn})
		}
	}
}

func (i *installation) viewOf(tenant string) registry.View {
	v, err := i.registry.View(context.Background(), tenant)
	if err != nil {
		i.t.Fatal(err)
	}
	return v
}

// current is a tenant's operation.
func (i *installation) current(tenant string) registry.Operation {
	v := i.viewOf(tenant)
	return v.Operation(v.Tenant.Operation)
}

// history is all that the registry knows of a tenant.
func (i *installation) history(tenant string) string {
	var b strings.Builder
	v := i.viewOf(tenant)
	fmt.Fprintf(&b, "%s is %s with %v by blueprint %s, runs %q then %v\n", tenant, v.Tenant.State, v.Tenant.Hosts, v.Tenant.Blueprint, v.Tenant.Operation, v.Tenant.Queued)
	for _, o := range v.Operations {
		fmt.Fprintf(&b, "  %s %s %d %s %v\n", o.ID, o.State, o.Attempt, o.Reason, o.Faults)
	}
	for _, s := range v.Steps {
		fmt.Fprintf(&b, "  %s %s of %s %s tried %s outputs %v", s.Name, s.State, s.Operation, s.Parameters, s.Tried, s.Outputs)
		if s.Error != nil {
			fmt.Fprintf(&b, " error %+v", *s.Error)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// owner is the tenant that has claimed a name.
func (i *installation) owner(name string) (owner string) {
	err := i.registry.Update(context.Background(), registry.Unnamed, func(tx *registry.Tx) error {
		owners, err := tx.Owners(name)
		owner = owners[name]
		return err
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return owner
}

// meanwhile lets something happen once between a worker's look at its operation and its work.
func (i *installation) meanwhile(read func(context.Context, string) (*blueprint.Blueprint, error), once *bool, happens func()) func(context.Context, string) (*blueprint.Blueprint, error) {
	return func(ctx context.Context, version string) (*blueprint.Blueprint, error) {
		if *once {
			*once = false
			happens()
		}
		return read(ctx, version)
	}
}
