package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/permissions"
)

// QueuedFunctionProps are the properties of a [QueuedFunction].
type QueuedFunctionProps struct {
	// LambdaFunctionProps are those of the function itself. Its environment also
	// gets QUEUE_URL, which is the URL of its own queue.
	LambdaFunctionProps

	// BatchSize is how many messages one invocation takes at most, 1 to 10,000.
	//
	// Default: 10.
	BatchSize *float64

	// BatchingWindow is how long Lambda waits for a batch to fill, at most five
	// minutes. A BatchSize of more than 10 needs a second at least.
	//
	// Default: - none: a batch is what is in the queue.
	BatchingWindow awscdk.Duration

	// MaxConcurrency bounds how many batches are processed at once, 2 to 1,000.
	//
	// Default: 2.
	MaxConcurrency *float64

	// VisibilityTimeout is how long a message that failed stays invisible before
	// it is delivered again. Not shorter than Timeout.
	//
	// Default: - six times the Timeout and the BatchingWindow, as AWS advises.
	VisibilityTimeout awscdk.Duration

	// MaxReceiveCount is how often a message is tried before it is moved to the
	// dead-letter queue.
	//
	// Default: 5.
	MaxReceiveCount *float64

	// Sweep is how often the queue gets the message invoke.Sweep, in whole
	// minutes.
	//
	// Default: - never.
	Sweep awscdk.Duration

	// StaleAfter is how old the oldest message of the queue may become before an
	// alarm goes off: longer than the function's longest delay and two visibility
	// timeouts.
	//
	// Default: - 15 minutes.
	StaleAfter awscdk.Duration
}

// QueuedFunction is a [LambdaFunction] with everything around it that operating it
// takes: whatever concerns it comes through one queue, and what it cannot process is
// moved to one dead-letter queue.
type QueuedFunction struct {
	constructs.Construct
	Program
	Queue       awssqs.Queue
	DeadLetters awssqs.Queue

	queue queueSettings
}

// queueSettings are the properties that several parts need, in seconds.
type queueSettings struct {
	window, visibility, stale, sweep float64
	batchSize, concurrency, receives float64
}

// NewQueuedFunction adds a QueuedFunction to scope.
func NewQueuedFunction(scope constructs.Construct, id *string, props *QueuedFunctionProps) *QueuedFunction {
	var v validation
	if props == nil {
		props = &QueuedFunctionProps{}
	}
	settings := props.LambdaFunctionProps.settings(&v, "QUEUE_URL")
	queue := props.settings(&v, settings.timeout)
	v.enforce("QueuedFunction", scope, id)

	f := &QueuedFunction{Program: Program{settings: settings, key: props.EncryptionKey}, queue: queue}
	constructs.NewConstruct_Override(f, scope, id)
	// With a key of the user's the CDK lets rules of any account send to the queue,
	// unless an application has this flag, as new ones have.
	f.Node().SetContext(jsii.String("@aws-cdk/aws-events:eventsTargetQueueSameAccount"), true)
	f.addQueues()
	f.addLogs(f)
	f.addRole(f)
	own := []string{*f.Queue.QueueArn()}
	f.allow(
		permissions.Allow("ReadOwnQueue", own, "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
		permissions.Allow("RequeueOwnMessages", own, "sqs:SendMessage"),
	)
	f.addFunction(f, &props.LambdaFunctionProps, map[string]*string{"QUEUE_URL": f.Queue.QueueUrl()})
	f.addEventSource()
	f.addSweep()
	addAlarms(f, append(f.alarms(), f.queueAlarms()...), props.AlarmTopic)
	return f
}

// settings are the properties of the queue with their defaults.
func (p *QueuedFunctionProps) settings(v *validation, timeout float64) queueSettings {
	s := queueSettings{
		window: inSeconds(p.BatchingWindow, 0), stale: inSeconds(p.StaleAfter, 900), sweep: inSeconds(p.Sweep, 0),
		batchSize: or(p.BatchSize, 10), concurrency: or(p.MaxConcurrency, 2), receives: or(p.MaxReceiveCount, 5),
	}
	s.visibility = inSeconds(p.VisibilityTimeout, 6*timeout+s.window)
	// Limits: Lambda API reference, CreateEventSourceMapping; SQS API reference,
	// CreateQueue.
	v.between(s.batchSize, "BatchSize", "", 1, 10000)
	v.between(s.window, "BatchingWindow", " s", 0, 300)
	v.require(s.batchSize <= 10 || s.window >= 1, "BatchingWindow", "a BatchSize of %v needs a window of 1 s or more", s.batchSize)
	v.between(s.concurrency, "MaxConcurrency", "", 2, 1000)
	v.between(s.receives, "MaxReceiveCount", "", 1, 1000)
	v.between(s.visibility, "VisibilityTimeout", " s", 0, 43200)
	v.require(s.visibility >= timeout, "VisibilityTimeout", "%v s is shorter than the Timeout of %v s, so that a batch is delivered again while it is processed", s.visibility, timeout)
	v.between(s.sweep/60, "Sweep", " minutes", 0, 1440)
	v.between(s.stale, "StaleAfter", " s", 60, 1209600)
	return s
}
