package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// hookFunction is a Lambda function with everything that a hook needs around
// it: all that concerns it comes through one queue, what it cannot do ends in
// one dead-letter queue, its logs end, and it may do what it is told it may.
type hookFunction struct {
	scope       constructs.Construct
	props       hookFunctionProps
	function    awslambda.Function
	queue       awssqs.Queue
	deadLetters awssqs.Queue
	role        awsiam.Role
}

// hookFunctionProps is what differs from one hook to the next.
type hookFunctionProps struct {
	build       string // directory of <architecture>/<name>/bootstrap
	name        string // of the directory below functions/
	description string
	memoryMB    int
	batching    config.Queue
	// staleMinutes is how old the queue's oldest message may become before
	// people hear of it: longer than the function's longest delay and two
	// visibility timeouts.
	staleMinutes int
	// environment is what the function's own configuration wants, apart from
	// QUEUE_URL.
	environment map[string]*string
}

// newHookFunction adds a hook function, or says which built program is missing.
func newHookFunction(scope constructs.Construct, id string, cfg config.Hooks, props hookFunctionProps) (*hookFunction, error) {
	code, err := bootstrap(props.build, props.name, cfg.Architecture)
	if err != nil {
		return nil, err
	}
	h := &hookFunction{scope: constructs.NewConstruct(scope, &id), props: props}
	h.addQueues()
	logs := h.addLogs(cfg)
	h.addRole(logs)

	environment := map[string]*string{"QUEUE_URL": h.queue.QueueUrl()}
	for name, value := range props.environment {
		environment[name] = value
	}
	h.function = awslambda.NewFunction(h.scope, jsii.String("Function"), &awslambda.FunctionProps{
		Description:  &props.description,
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture(cfg.Architecture),
		Handler:      jsii.String("bootstrap"),
		Code: awslambda.Code_FromAsset(&code, &awss3assets.AssetOptions{
			// Only the program: its hash alone decides whether there is
			// anything to deploy.
			Exclude: jsii.Strings("*", "!bootstrap"),
		}),
		MemorySize:  jsii.Number(props.memoryMB),
		Timeout:     seconds(config.Timeout),
		Role:        h.role,
		Environment: &environment,
		LogGroup:    logs,
		// JSON, so that the functions' structured lines can be queried.
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel(cfg.LogLevel),
		// A hook looks again later by sending itself a message with a delay.
		// Lambda takes that for a runaway loop and stops it after about 16
		// rounds (Lambda developer guide, "Recursive loop detection"), which
		// would end a long wait. The functions bound their waits themselves.
		RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
	})
	h.addEventSource()
	return h, nil
}

func (h *hookFunction) addQueues() {
	h.deadLetters = awssqs.NewQueue(h.scope, jsii.String("DeadLetters"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)), // SQS's limit
	})
	h.queue = awssqs.NewQueue(h.scope, jsii.String("Queue"), &awssqs.QueueProps{
		// SSE-SQS and not a KMS key: EventBridge and SNS may then send without
		// a key policy for each, and it costs nothing.
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		VisibilityTimeout: seconds(h.props.batching.VisibilityTimeout()),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: h.deadLetters, MaxReceiveCount: jsii.Number(config.MaxReceives)},
	})
}

// addLogs makes the log group, so that it has a retention and goes with the
// stack; one that Lambda makes by itself has neither.
func (h *hookFunction) addLogs(cfg config.Hooks) awslogs.LogGroup {
	logs := awslogs.NewLogGroup(h.scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		// The construct's own type has a name per retention; the number is
		// what the template holds either way.
		Retention: awslogs.RetentionDays_INFINITE,
	})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))
	return logs
}

// addRole makes the function's role, with what every hook needs and nothing
// by way of AWS's managed policies, which allow logging to every log group.
func (h *hookFunction) addRole(logs awslogs.LogGroup) {
	h.role = awsiam.NewRole(h.scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	h.allow(
		permission{
			sid:       "WriteOwnLogs",
			actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			resources: []*string{logs.LogGroupArn()},
		},
		permission{
			sid:       "ReadOwnQueue",
			actions:   []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
			resources: []*string{h.queue.QueueArn()},
		},
		permission{
			sid:       "LookAgainLater",
			actions:   []string{"sqs:SendMessage"},
			resources: []*string{h.queue.QueueArn()},
		},
	)
}

func (h *hookFunction) addEventSource() {
	props := &awslambda.EventSourceMappingProps{
		Target:                  h.function,
		EventSourceArn:          h.queue.QueueArn(),
		BatchSize:               jsii.Number(h.props.batching.BatchSize),
		MaxConcurrency:          jsii.Number(h.props.batching.Concurrency),
		ReportBatchItemFailures: jsii.Bool(true),
	}
	if window := h.props.batching.Window; window > 0 {
		props.MaxBatchingWindow = seconds(window)
	}
	awslambda.NewEventSourceMapping(h.scope, jsii.String("EventSource"), props)
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

func architecture(a config.Architecture) awslambda.Architecture {
	if a == config.X86_64 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}
