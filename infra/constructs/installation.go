package constructs

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
)

// installation is what the functions and tables of one construct share.
type installation struct {
	scope           constructs.Construct
	cfg             config.Hooks
	programs        string // the folder of the built functions
	environment     *string
	notices, alarms awssns.ITopic // may be the same
	key             awskms.IKey
	functions       []*QueuedFunction // in the order in which they were added
}

// findPrograms builds the functions unless their folder is given. Whoever calls it
// discards what was built when the CDK has copied it.
func (n *installation) findPrograms(construct string, given *string, functions ...string) (discard func()) {
	if given != nil {
		n.programs = *given
		return func() {}
	}
	folder, err := os.MkdirTemp("", "deployhooks-")
	if err == nil {
		err = build.Functions(context.Background(), folder, n.cfg.Architecture, functions...)
	}
	if err != nil {
		_ = os.RemoveAll(folder)
		fail(construct, n.scope, "Programs", err)
	}
	n.programs = folder
	return func() { _ = os.RemoveAll(folder) }
}

// program is the folder of one function's program.
func (n *installation) program(function string) *string {
	return jsii.String(filepath.Join(n.programs, string(n.cfg.Architecture), strings.ToLower(function)))
}

// named begins a text with the environment's name, if it has one.
func (n *installation) named(text string) *string {
	if n.environment != nil {
		text = *n.environment + ": " + text
	}
	return &text
}

// location is where a function with a table runs.
func (n *installation) location(table awsdynamodb.ITable) permissions.Location {
	stack := awscdk.Stack_Of(n.scope)
	p := permissions.Location{
		Partition: *stack.Partition(), Region: *stack.Region(), Account: *stack.Account(),
		Table: *table.TableArn(), NoticeTopic: *n.notices.TopicArn(),
	}
	if n.alarms != n.notices {
		p.AlarmTopic = *n.alarms.TopicArn()
	}
	return p
}

// hookFunction is what the functions differ by.
type hookFunction struct {
	description                        string
	queue                              config.Queue
	table                              awsdynamodb.ITable
	environment                        map[string]string
	permissions                        func(config.Hooks, permissions.Location) []permissions.Statement
	sweepMinutes, staleMinutes, memory int // memory in MB
}

// addFunction adds a function. Its program's folder and the function that its metrics
// name have its id in small letters.
func (n *installation) addFunction(id string, f hookFunction) *QueuedFunction {
	cfg, location := n.cfg, n.location(f.table)
	environment := map[string]*string{
		"TABLE": f.table.TableName(), "TOPIC_ARN": &location.NoticeTopic, "ALARM_TOPIC_ARN": &location.AlarmTopic, "ACCOUNT": &location.Account,
	}
	for name, value := range f.environment {
		environment[name] = &value
	}
	delete(environment, "LOG_LEVEL") // the QueuedFunction sets it
	props := &QueuedFunctionProps{
		LambdaFunctionProps: LambdaFunctionProps{
			Code:             n.program(id),
			Description:      n.named(f.description),
			Architecture:     n.architecture(),
			MemorySize:       jsii.Number(f.memory),
			Timeout:          duration(config.Timeout.Seconds()),
			Environment:      &environment,
			LogLevel:         &cfg.LogLevel,
			LogRetentionDays: jsii.Number(cfg.LogRetentionDays),
			AlarmTopic:       n.alarms,
			EncryptionKey:    n.key,
		},
		BatchSize:         jsii.Number(f.queue.BatchSize),
		BatchingWindow:    duration(f.queue.Window.Seconds()),
		MaxConcurrency:    jsii.Number(f.queue.Concurrency),
		VisibilityTimeout: duration(f.queue.VisibilityTimeout().Seconds()),
		MaxReceiveCount:   jsii.Number(config.MaxReceives),
		Sweep:             awscdk.Duration_Minutes(jsii.Number(f.sweepMinutes)),
		StaleAfter:        awscdk.Duration_Minutes(jsii.Number(f.staleMinutes)),
	}
	function := NewQueuedFunction(n.scope, &id, props)
	function.allow(f.permissions(cfg, location)...)
	n.functions = append(n.functions, function)
	return function
}

// table are the properties that both tables share.
func (n *installation) table(partitionKey string) *awsdynamodb.TableProps {
	props := &awsdynamodb.TableProps{
		PartitionKey: stringKey(partitionKey),
		BillingMode:  awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:   awsdynamodb.TableEncryption_AWS_MANAGED,
	}
	if n.key != nil {
		props.Encryption, props.EncryptionKey = awsdynamodb.TableEncryption_CUSTOMER_MANAGED, n.key
	}
	return props
}

// architecture is the CDK's word for the configured architecture.
func (n *installation) architecture() awslambda.Architecture {
	if n.cfg.Architecture == config.X86_64 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}
