// Package backup_test plays proofs and fills in the simulated region: its RDS restores
// snapshots to databases of a real PostgreSQL, its Step Functions run the state machine, and
// its IAM enforces the permissions that infra gives the function.
package backup_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/infra/permissions"
	"deployhooks/pkg/backup"
	"deployhooks/pkg/invoke"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/test/harness"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// Names in the region.
const (
	training   = "training-db"
	production = "production-db"
	secretARN  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:training-master-a1b2c3"
	password   = "of training's secret"
	proofOf    = "deployhooks-proof-"
	fillOf     = "deployhooks-fill-"
	formerOf   = "deployhooks-former-"
)

// environment is an environment with its backups: training, which production may fill.
type environment struct {
	*region.Region
	t        *testing.T
	role     *region.Principal
	config   backup.Config
	records  store.Store[backup.Record]
	metrics  bytes.Buffer
	machine  string
	function func([]byte) ([]byte, error)
	// calls counts those that change something; kill ends the function after one of them. To
	// end after one that only reads is the same as after the change before it.
	calls, kill int
	dead        bool
	deny        string // an action
	// afterGet runs when the function has read its record, until it reports true.
	afterGet   func() bool
	tls        *tls.Config
	parameters map[string]string // of the last connection
	started    int
}

func newEnvironment(t *testing.T, change ...func(*environment)) *environment {
	t.Helper()
	return newEnvironmentIn(t, region.Options{}, change...)
}

// quick is a region whose RDS is: a run has few calls, each of which may be the last.
var quick = region.Options{Timings: region.Timings{RestoreDB: time.Minute, ModifyDB: 20 * time.Second, RenameDB: 40 * time.Second, DeleteDB: 40 * time.Second}}

func newEnvironmentIn(t *testing.T, o region.Options, change ...func(*environment)) *environment {
	t.Helper()
	e := &environment{Region: region.New(o), t: t, config: backup.Config{
		Environment: "training", Instance: training, Database: "app", SubnetGroup: "private", SecurityGroup: "sg-proof", InstanceClass: "db.t4g.micro",
		FillFrom: production, Secret: secretARN, Checks: backup.Checks{{Table: "public.orders", MinRows: 10, NewestColumn: "Made At", MaxAgeHours: 24}},
	}}
	e.AddDBInstance(region.DBInstance{ID: training, Database: "app", Password: password, Created: e.Now().AddDate(0, -1, 0), Data: "good", Retention: 7, SubnetGroup: "private", SecurityGroups: []string{"sg-db"},
		ParameterGroup: "training-pg", DeletionProtection: true, Encrypted: true, Tags: map[string]string{"team": "shop", "aws:cloudformation:stack-name": "training"}})
	e.AddDBInstance(region.DBInstance{ID: production, Database: "app", Password: "of production", Data: "good", Retention: 7, Encrypted: true})
	for _, id := range []string{training, production} {
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:" + id + "-1", Instance: id, At: e.Now().Add(-6 * time.Hour)})
	}
	e.AddTable("backups", "instance")
	for _, c := range change {
		c(e)
	}
	e.install()
	return e
}

// install deploys the function with its role, and the state machine.
func (e *environment) install() {
	e.t.Helper()
	topics := notice.Config{TopicARN: e.Topic("notices").ARN(), AlarmTopicARN: e.Topic("alarms").ARN(), EventBus: "default"}
	e.role = e.Principal("backup", policies.Document(permissions.Backups(
		permissions.Backup{Instance: e.config.Instance, SubnetGroup: "private", FillFrom: e.config.FillFrom, Secret: e.config.Secret, EventBus: "default"},
		permissions.Location{Partition: "aws", Region: region.Name, Account: region.Account, Table: "arn:aws:dynamodb:eu-west-1:123456789012:table/backups",
			NoticeTopic: topics.TopicARN, AlarmTopic: topics.AlarmTopicARN})))
	e.SetFaults(e.fault)
	e.records = store.NewDynamoDB[backup.Record](e.role.DynamoDB(), backup.Layout("backups"))
	backups := backup.New(backup.Parts{
		Config: e.config, RDS: e.role.RDS(), Secrets: secrets{e}, Store: contested{e.records, e}, Connect: e.connect,
		Authorities: func(context.Context) ([]byte, error) { return authority, nil },
		Notices:     notice.New(topics, "backup", e.role.SNS(), e.role.EventBridge(), &e.metrics, e.Now), Now: e.Now, Log: harness.Logger(),
	})
	task := invoke.Task[backup.Task, backup.Result]{Run: backups.Run}
	e.function = func(payload []byte) ([]byte, error) {
		e.dead = false
		out, err := task.Invoke(context.Background(), payload)
		if e.dead {
			return nil, region.ErrKilled
		}
		return out, typed(err)
	}
	arn := e.AddFunction(region.Function{Name: "backup", Handler: e.function})
	definition, err := backup.Machine()
	if err != nil {
		e.t.Fatal(err)
	}
	text := strings.NewReplacer("${Partition}", "aws", "${FunctionArn}", arn).Replace(string(definition))
	out, err := e.StepFunctions().CreateStateMachine(context.Background(), &sfn.CreateStateMachineInput{Name: aws.String("backup"), Definition: &text, RoleArn: aws.String("arn:aws:iam::123456789012:role/m")})
	if err != nil {
		e.t.Fatal(err)
	}
	e.machine = *out.StateMachineArn
}

// invoke invokes the function as an operator does.
func (e *environment) invoke(payload string) ([]byte, error) { return e.function([]byte(payload)) }

func (e *environment) ask(payload string) (result backup.Result) {
	e.t.Helper()
	out, err := e.invoke(payload)
	if err == nil {
		err = json.Unmarshal(out, &result)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return result
}

// forgetRecord loses the record, as the deletion of its table does.
func (e *environment) forgetRecord() {
	e.changeRecord(func(r *backup.Record) { *r = backup.Record{} })
}

// changeRecord writes the record as another execution does.
func (e *environment) changeRecord(change func(*backup.Record)) {
	all := store.NewDynamoDB[backup.Record](e.DynamoDB(), backup.Layout("backups"))
	key := store.Key{Partition: e.config.Instance}
	found, err := all.Get(context.Background(), key)
	if err != nil {
		e.t.Fatal(err)
	}
	item := found[key]
	change(&item.Value)
	if _, err := all.Put(context.Background(), item); err != nil {
		e.t.Fatal(err)
	}
}

// texts are all texts in a value of the SDK.
func texts(v any) (all []string) {
	text, err := json.Marshal(v)
	if err == nil {
		all = append(all, string(text))
	}
	return all
}

type snapshot = types.DBSnapshot

// typed keeps an error's type where Lambda's runtime would.
func typed(err error) error {
	if name, ok := invoke.ErrorType(err); ok {
		return named{err, name}
	}
	return err
}

type named struct {
	error
	name string
}

func (n named) ErrorType() string { return n.name }

// fault kills the function at the call that is asked for, and denies an action.
func (e *environment) fault(c region.Call) region.Fault {
	if c.Service == "SFN" {
		return region.Fault{}
	}
	if e.dead {
		return region.Fault{Before: region.Killed()}
	}
	reads := strings.HasPrefix(c.Operation, "Describe") || c.Operation == "BatchGetItem"
	if !reads {
		e.calls++
	}
	switch {
	case !reads && e.calls == e.kill:
		e.dead = true
		return region.Fault{After: region.Killed()}
	case e.deny != "" && region.Action(c) == e.deny:
		return region.Fault{Before: region.AccessDenied("")}
	}
	return region.Fault{}
}

// start starts an execution.
func (e *environment) start(input string) string {
	e.t.Helper()
	e.started++
	out, err := e.StepFunctions().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &e.machine, Name: aws.String(fmt.Sprintf("run-%d", e.started)), Input: &input})
	if err != nil {
		e.t.Fatal(err)
	}
	return *out.ExecutionArn
}

const (
	prove   = `{"action":"prove"}`
	sweep   = `{"action":"sweep"}`
	fillNow = `{"action":"fill","confirm":"training"}`
)

// play starts an execution and lets it end; it returns its status.
func (e *environment) play(input string) string {
	e.t.Helper()
	execution := e.start(input)
	e.RunUntil(func() bool { return e.status(execution) != "RUNNING" }, 24*time.Hour)
	return e.status(execution)
}

func (e *environment) status(execution string) string {
	out, err := e.StepFunctions().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil {
		e.t.Fatal(err)
	}
	return string(out.Status)
}

// record is what is recorded.
func (e *environment) record() backup.Record {
	found, err := store.NewDynamoDB[backup.Record](e.DynamoDB(), backup.Layout("backups")).Get(context.Background(), store.Key{Partition: e.config.Instance})
	if err != nil {
		e.t.Fatal(err)
	}
	return found[store.Key{Partition: e.config.Instance}].Value
}

// made is how often an operation took effect.
func (e *environment) made(operation string, is func(any) bool) (n int) {
	for _, c := range e.Calls() {
		if c.Operation == operation && (c.Err == nil || errors.Is(c.Err, region.ErrKilled)) && (is == nil || is(c.Input)) {
			n++
		}
	}
	return n
}

// renames is whether a call renames an instance.
func renames(in any) bool { return in.(*rds.ModifyDBInstanceInput).NewDBInstanceIdentifier != nil }

// left is what there is beside the environments' own instances.
func (e *environment) left() (left []string) {
	for id, status := range e.DBInstances() {
		if id != training && id != production {
			left = append(left, id+" "+status)
		}
	}
	return append(left, e.DBSecrets()...)
}

// serves is what the environment's database holds, if it answers with the environment's
// password.
func (e *environment) serves() string {
	d, ok := e.DescribeDB(training)
	if !ok || d.Endpoint == nil {
		return "no instance"
	}
	at, ok := e.DBEndpoint(*d.Endpoint.Address)
	if !ok || at.Password != password {
		return "no answer with the environment's password"
	}
	return at.Data
}

// notices are the texts that operators got.
func (e *environment) notices() (all []string) {
	for _, p := range e.Topic("notices").Published() {
		all = append(all, p.Message)
	}
	return all
}

// values are those of a metric, in order.
func (e *environment) values(name string) (all []float64) {
	for line := range strings.Lines(e.metrics.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields[name] != nil {
			all = append(all, fields[name].(float64))
		}
	}
	return all
}
