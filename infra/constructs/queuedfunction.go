package constructs

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
)

// QueuedFunctionProps are the properties of a [QueuedFunction].
type QueuedFunctionProps struct {
	// Code is the folder that holds the program, which is named bootstrap.
	// Nothing else of the folder is deployed.
	//
	// Required.
	Code *string

	// Description of the function.
	//
	// Default: - none.
	Description *string

	// Architecture that the program is built for. A program for another one is
	// refused.
	//
	// Default: awslambda.Architecture_ARM_64().
	Architecture awslambda.Architecture

	// MemorySize of the function, in MB.
	//
	// Default: 256.
	MemorySize *float64

	// Timeout of one invocation.
	//
	// Default: - one minute.
	Timeout awscdk.Duration

	// Environment variables of the function, besides QUEUE_URL, which is the URL
	// of its own queue.
	//
	// Default: - none.
	Environment *map[string]*string

	// LogLevel is the least severe level that the function logs: DEBUG, INFO,
	// WARN or ERROR. It gets it as the variable LOG_LEVEL. Lambda itself filters
	// nothing from INFO on, because it would drop metrics in the embedded format,
	// which have no level (Lambda developer guide, "Log-level filtering").
	//
	// Default: "INFO".
	LogLevel *string

	// LogRetentionDays is how long logs are kept, one of CloudWatch Logs'
	// retentions.
	//
	// Default: 30.
	LogRetentionDays *float64

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

	// AlarmTopic gets the alarms, and their end. CloudWatch must be allowed to
	// publish to it.
	//
	// Default: - nobody is notified of an alarm.
	AlarmTopic awssns.ITopic

	// EncryptionKey encrypts the queues and the logs. Its policy is extended for
	// the services that use it if it is defined in this application; else it must
	// let events, sns and logs.<region> use it.
	//
	// Default: - keys of the services.
	EncryptionKey awskms.IKey
}

// QueuedFunction is a Lambda function with everything around it that operating it
// takes: whatever concerns it comes through one queue, what it cannot process is
// moved to one dead-letter queue, its logs expire, its alarms reach operators,
// and its role allows what [QueuedFunction.Allow] adds and nothing else of note.
type QueuedFunction struct {
	constructs.Construct
	Function    awslambda.Function
	Queue       awssqs.Queue
	DeadLetters awssqs.Queue
	Role        awsiam.Role
	LogGroup    awslogs.LogGroup

	settings queueSettings
	key      awskms.IKey
}

// queueSettings are the properties that several parts need, in seconds.
type queueSettings struct {
	timeout, window, visibility, stale, sweep float64
	batchSize, concurrency, receives, memory  float64
	retentionDays                             float64
	level                                     string
	architecture                              awslambda.Architecture
}

// NewQueuedFunction adds a QueuedFunction to scope.
func NewQueuedFunction(scope constructs.Construct, id *string, props *QueuedFunctionProps) *QueuedFunction {
	var v validation
	if props == nil {
		props = &QueuedFunctionProps{}
	}
	settings := props.settings(&v)
	v.enforce("QueuedFunction", scope, id)

	f := &QueuedFunction{settings: settings, key: props.EncryptionKey}
	constructs.NewConstruct_Override(f, scope, id)
	f.addQueues()
	f.addLogs()
	f.addRole()
	f.addFunction(props)
	f.addEventSource()
	f.addSweep()
	f.addAlarms(props.AlarmTopic)
	return f
}

// settings are the properties with their defaults.
func (p *QueuedFunctionProps) settings(v *validation) queueSettings {
	s := queueSettings{
		timeout: inSeconds(p.Timeout, 60), window: inSeconds(p.BatchingWindow, 0),
		stale: inSeconds(p.StaleAfter, 900), sweep: inSeconds(p.Sweep, 0),
		batchSize: or(p.BatchSize, 10), concurrency: or(p.MaxConcurrency, 2),
		receives: or(p.MaxReceiveCount, 5), memory: or(p.MemorySize, 256),
		retentionDays: or(p.LogRetentionDays, 30),
		level:         or(p.LogLevel, "INFO"), architecture: p.Architecture,
	}
	s.visibility = inSeconds(p.VisibilityTimeout, 6*s.timeout+s.window)
	if s.architecture == nil {
		s.architecture = awslambda.Architecture_ARM_64()
	}
	// Limits: Lambda API reference, CreateFunction and CreateEventSourceMapping;
	// SQS API reference, CreateQueue.
	v.between(s.timeout, "Timeout", " s", 1, 900)
	v.between(s.memory, "MemorySize", " MB", 128, 10240)
	v.between(s.batchSize, "BatchSize", "", 1, 10000)
	v.between(s.window, "BatchingWindow", " s", 0, 300)
	v.require(s.batchSize <= 10 || s.window >= 1, "BatchingWindow", "a BatchSize of %v needs a window of 1 s or more", s.batchSize)
	v.between(s.concurrency, "MaxConcurrency", "", 2, 1000)
	v.between(s.receives, "MaxReceiveCount", "", 1, 1000)
	v.between(s.visibility, "VisibilityTimeout", " s", 0, 43200)
	v.require(s.visibility >= s.timeout, "VisibilityTimeout", "%v s is shorter than the Timeout of %v s, so that a batch is delivered again while it is processed", s.visibility, s.timeout)
	v.between(s.sweep/60, "Sweep", " minutes", 0, 1440)
	v.between(s.stale, "StaleAfter", " s", 60, 1209600)
	v.require(slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, s.level), "LogLevel", "%q is not one of DEBUG, INFO, WARN and ERROR", s.level)
	if p.Code == nil {
		v.require(false, "Code", "required")
	} else if err := checkProgram(*p.Code, *s.architecture.Name()); err != nil {
		v.require(false, "Code", "%v", err)
	}
	if p.Environment != nil {
		for _, own := range []string{"QUEUE_URL", "LOG_LEVEL"} {
			v.require((*p.Environment)[own] == nil, "Environment", "%s is set by the construct", own)
		}
	}
	return s
}
