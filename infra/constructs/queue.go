package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newDeadLetterQueue makes a dead-letter queue, encrypted with the key, which may be nil.
func newDeadLetterQueue(scope constructs.Construct, key awskms.IKey) awssqs.Queue {
	return awssqs.NewQueue(scope, jsii.String("DeadLetters"), &awssqs.QueueProps{
		Encryption: queueEncryption(key), EncryptionMasterKey: key,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)), // SQS's limit
	})
}

// queueEncryption is SSE-SQS unless there is a key: EventBridge and SNS may then send
// without a key policy for each, and it costs nothing.
func queueEncryption(key awskms.IKey) awssqs.QueueEncryption {
	if key != nil {
		return awssqs.QueueEncryption_KMS
	}
	return awssqs.QueueEncryption_SQS_MANAGED
}

func (f *QueuedFunction) addQueues() {
	f.DeadLetters = newDeadLetterQueue(f, f.key)
	f.Queue = awssqs.NewQueue(f, jsii.String("Queue"), &awssqs.QueueProps{
		Encryption: queueEncryption(f.key), EncryptionMasterKey: f.key,
		EnforceSSL:        jsii.Bool(true),
		VisibilityTimeout: duration(f.queue.visibility),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: f.DeadLetters, MaxReceiveCount: &f.queue.receives},
	})
}

func (f *QueuedFunction) addEventSource() {
	props := &awslambda.EventSourceMappingProps{
		Target:                  f.Function,
		EventSourceArn:          f.Queue.QueueArn(),
		BatchSize:               &f.queue.batchSize,
		MaxConcurrency:          &f.queue.concurrency,
		ReportBatchItemFailures: jsii.Bool(true),
	}
	if f.queue.window > 0 {
		props.MaxBatchingWindow = duration(f.queue.window)
	}
	awslambda.NewEventSourceMapping(f, jsii.String("EventSource"), props)
}
