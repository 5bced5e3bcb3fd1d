package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

func (f *QueuedFunction) addQueues() {
	// SSE-SQS unless there is a key: EventBridge and SNS may then send without a
	// key policy for each, and it costs nothing.
	encryption := awssqs.QueueEncryption_SQS_MANAGED
	if f.key != nil {
		encryption = awssqs.QueueEncryption_KMS
	}
	f.DeadLetters = awssqs.NewQueue(f, jsii.String("DeadLetters"), &awssqs.QueueProps{
		Encryption: encryption, EncryptionMasterKey: f.key,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)), // SQS's limit
	})
	f.Queue = awssqs.NewQueue(f, jsii.String("Queue"), &awssqs.QueueProps{
		Encryption: encryption, EncryptionMasterKey: f.key,
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
