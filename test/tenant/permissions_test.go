package tenant_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/manual"
	"deployhooks/pkg/tenant/step/reserve"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/harness"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// employed is a registry in DynamoDB, with intake and a worker of each class, each with the role
// that infra gives it and no other access to the region.
type employed struct {
	*tenants
	*region.Region
	t      *testing.T
	intake *intake.Intake
	roles  map[string]*region.Principal
}

// staffed is the product with a step of each kind that works with the region.
func staffed() *blueprint.Blueprint {
	b := product()
	for _, s := range []blueprint.Step{
		{Name: "hosts", Kind: "reserve", Class: step.Control, Parameters: json.RawMessage(`{"names":["${spec.title}.example.com"]}`)},
		{Name: "store", Kind: "manual", Class: step.Control, Parameters: json.RawMessage(`{"title":"Open","owner":"mobile","due":"2h","instructions":"Open it."}`)},
	} {
		s.Policy = step.Policy{TimeLimit: time.Minute, Expected: time.Second}
		b.Steps = append(b.Steps, s)
	}
	b.Environments = map[string]blueprint.Environment{"production": {Host: "${spec.title}.example.org"}}
	b.Version = ""
	b.Version = b.Hash()
	return b
}

func employ(t *testing.T) *employed {
	t.Helper()
	b := staffed()
	h := onStepFunctions(t, b)
	e := &employed{tenants: h, Region: h.engine.(*stepFunctions).Region, t: t, roles: map[string]*region.Principal{}}
	layout := registry.Layout("registry")
	e.AddTable(layout.Table, layout.Partition, layout.Sort)
	e.AddIndex(layout.Table, region.Index{Name: permissions.OpenIndex, Keys: []string{permissions.OpenIndex}})
	h.registry = registry.New(registry.NewDynamoDB(e.DynamoDB(), layout.Table), e.Now)
	topics := notice.Config{TopicARN: e.Topic("notices").ARN(), AlarmTopicARN: e.Topic("alarms").ARN(), EventBus: "default"}

	cfg, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	arn := func(service, resource string) string {
		return strings.Join([]string{"arn:aws", service, region.Name, region.Account, resource}, ":")
	}
	location := permissions.TenantLocation{
		Location: permissions.Location{
			Partition: "aws", Region: region.Name, Account: region.Account, Table: arn("dynamodb", "table/"+layout.Table),
			NoticeTopic: topics.TopicARN, AlarmTopic: topics.AlarmTopicARN,
		},
		Bucket: "arn:aws:s3:::tenants", Machines: []string{"converge", "remove"}, ManualMachine: "manual",
	}
	hire := func(name string, statements []permissions.Statement) (*region.Principal, *registry.Registry, *notice.Publisher) {
		role := e.Principal(name, policies.Document(statements))
		e.roles[name] = role
		return role, registry.New(registry.NewDynamoDB(role.DynamoDB(), layout.Table), e.Now), notice.New(topics, name, role.SNS(), role.EventBridge(), io.Discard, e.Now)
	}
	machines := e.deploy(b)
	for _, class := range step.Classes() {
		var needs []step.Permission
		if class == step.Control {
			needs = kinds.Descriptions()["manual"].Permissions(nil)
		}
		role, records, notices := hire(string(class), permissions.Worker(cfg, location, class, needs))
		all := map[string]step.Kind{
			string(class): kind{cloud: h.cloud, class: class},
			"reserve":     reserve.New(records),
			"manual":      manual.New(records, manual.StepFunctions{Client: role.StepFunctions(), Machine: machines["manual"]}),
		}
		h.workers[class] = workflow.NewWorker(workflow.Parts{
			Class: class, Registry: records, Kinds: all, Blueprints: h.blueprint, Notices: notices, Now: e.Now, Log: harness.Logger(),
		})
	}
	role, records, notices := hire("intake", permissions.Intake(cfg, location, "arn:aws:s3:::assets/blueprint.json"))
	e.intake = intake.New(intake.Config{
		Table: layout.Table, RemovalDelay: time.Hour,
		Offer: intake.Offer{Blueprint: b.Version, ConvergeMachine: machines["converge"], RemoveMachine: machines["remove"]},
	}, intake.Parts{
		Registry: records, Blueprints: h.blueprint, Engine: intake.StepFunctions{Client: role.StepFunctions()}, Notices: notices,
		Validate: func(_, _ json.RawMessage) []registry.Fault { return nil },
	}, harness.Logger(), e.Now)
	return e
}

// deploy makes the state machines under the names that the roles know, and returns the ARNs that
// the functions get: versions, but of the one that waits for people.
func (e *employed) deploy(b *blueprint.Blueprint) map[string]string {
	e.t.Helper()
	arns := map[string]string{}
	for name, define := range map[string]func() ([]byte, error){
		"converge": func() ([]byte, error) { return workflow.Converge(b) },
		"remove":   func() ([]byte, error) { return workflow.Remove(b) },
		"manual":   workflow.Manual,
	} {
		text, err := define()
		if err != nil {
			e.t.Fatal(err)
		}
		out, err := e.StepFunctions().CreateStateMachine(context.Background(), &sfn.CreateStateMachineInput{
			Name: &name, Definition: aws.String(substitute(string(text))), RoleArn: aws.String("arn:aws:iam::123456789012:role/machine"), Publish: name != "manual",
		})
		if err != nil {
			e.t.Fatal(err)
		}
		if arns[name] = aws.ToString(out.StateMachineArn); name != "manual" {
			arns[name] = aws.ToString(out.StateMachineVersionArn)
		}
	}
	return arns
}

// send gives intake a request, or else its sweep.
func (e *employed) send(events ...event.Event) {
	e.t.Helper()
	var batch []event.Message
	for _, ev := range events {
		batch = append(batch, event.Message{Event: ev})
	}
	if err := errors.Join(e.intake.Handle(context.Background(), batch)...); err != nil {
		e.t.Fatal(err)
	}
}

func (e *employed) sweep() { e.t.Helper(); e.send(event.Continuation{Body: []byte(`{"sweep":{}}`)}) }

func (e *employed) ask(payload string) {
	e.t.Helper()
	if _, err := e.intake.Invoke(context.Background(), []byte(payload)); err != nil {
		e.t.Fatal(err)
	}
}

// await lets time pass until the tenant has no operation, or a held one, and intake knows.
func (e *employed) await(want string) {
	e.t.Helper()
	var v registry.View
	over := e.RunUntil(func() bool {
		v = e.view()
		return v.Tenant.Operation == "" || v.Operation(v.Tenant.Operation).State == registry.Held
	}, 24*time.Hour)
	e.sweep()
	last := v.Operations[len(v.Operations)-1]
	if got := string(v.Tenant.State) + ", " + string(last.Kind) + " " + string(last.State); !over || got != want {
		e.t.Fatalf("the tenant is %s (%s; over: %t), want %s", got, e.state(last), over, want)
	}
}

// TestRolesAllowWhatIsCalledAndNothingElse plays a tenant's life with every function under its own role:
// what a role lacks fails the life, and what no call rests on is too much. The calls of the
// kinds of steps to other services have their own test in test/steps.
func TestRolesAllowWhatIsCalledAndNothingElse(t *testing.T) {
	e := employ(t)
	request := func(id string, operation registry.OperationKind, spec string) event.TenantRequest {
		r := event.TenantRequest{ID: id, Tenant: tenantName, Operation: string(operation)}
		if spec != "" {
			r.Spec = json.RawMessage(spec)
		}
		return r
	}
	e.cloud.script["dns"] = []error{&step.Error{Class: step.Refused, Err: errors.New("no such zone")}}
	e.send(request("1", registry.Launch, `{"name":"acme","title":"acme"}`))
	e.await("launching, launch held")
	e.ask(`{"action":"retry","tenant":"acme"}`)
	e.await("active, launch succeeded")
	e.Advance(4 * time.Hour) // reminders
	e.ask(`{"action":"complete","tenant":"acme","step":"store","by":"ann"}`)
	e.send(request("2", registry.Change, `{"name":"acme","title":"acme-sons"}`)) // a host is free, and a name
	e.await("active, change succeeded")
	e.cloud.script["mail"] = []error{&step.Error{Class: step.Conflict, Err: errors.New("somebody else's")}}
	e.Advance(time.Second)
	e.send(request("2b", registry.Change, `{"name":"acme","title":"acme-bros"}`))
	e.Advance(10 * time.Second)
	e.sweep() // while it runs, or is held
	e.await("active, change held")
	e.send(request("2c", registry.Change, `{"name":"acme","title":"acme-and-friends"}`))
	e.ask(`{"action":"cancel","tenant":"acme","operation":"` + e.view().Tenant.Queued[0] + `"}`) // its host is free
	e.ask(`{"action":"abandon","tenant":"acme"}`)
	e.ask(`{"action":"tenants"}`)
	e.ask(`{"action":"tenant","tenant":"acme"}`)
	e.send(request("3", registry.Remove, ""))
	e.ask(`{"action":"cancel","tenant":"acme"}`)
	e.Advance(time.Second)
	e.send(request("4", registry.Remove, ""))
	e.Advance(time.Hour / 2)
	e.sweep() // does it still wait?
	e.await("removed, remove succeeded")

	// Tested elsewhere: test/infra holds that they are what Lambda needs, and test/steps what kinds call.
	others := []string{"ReadBlueprints: s3:GetObject", "KeepBlueprints: s3:GetObject", "KeepBlueprints: s3:PutObject", "FindMissingBlueprints: s3:ListBucket", "ReadUploadedBlueprint: s3:GetObject"}
	for name, role := range e.roles {
		for _, unused := range role.Unused() {
			if !slices.Contains(others, unused) {
				t.Errorf("%s: no call rests on %s: whoever gets hold of the role may do more than the function does", name, unused)
			}
		}
	}
}
