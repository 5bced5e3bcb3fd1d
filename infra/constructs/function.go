package constructs

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/permissions"
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
		VisibilityTimeout: duration(f.settings.visibility),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: f.DeadLetters, MaxReceiveCount: &f.settings.receives},
	})
}

// addLogs makes the log group, so that it has a retention and is deleted with the
// stack; one that Lambda makes by itself has neither.
func (f *QueuedFunction) addLogs() {
	f.LogGroup = awslogs.NewLogGroup(f, jsii.String("Logs"), &awslogs.LogGroupProps{
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		EncryptionKey: f.key,
		// The CDK's own type has a name per retention; the number is what the
		// template holds either way.
		Retention: awslogs.RetentionDays_INFINITE,
	})
	f.LogGroup.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(&f.settings.retentionDays)
	if f.key == nil {
		return
	}
	// "Encrypt log data in CloudWatch Logs using AWS Key Management Service"
	// (CloudWatch Logs user guide). The group's own ARN would make a circle.
	stack := awscdk.Stack_Of(f)
	f.key.GrantEncryptDecrypt(awsiam.NewServicePrincipal(jsii.String("logs."+*stack.Region()+".amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"kms:EncryptionContext:aws:logs:arn": "arn:" + *stack.Partition() + ":logs:" + *stack.Region() + ":" + *stack.Account() + ":log-group:*",
		}},
	}))
}

// addRole makes the function's role, with what every function needs and nothing
// by way of AWS's managed policies, which allow logging to every log group.
func (f *QueuedFunction) addRole() {
	f.Role = awsiam.NewRole(f, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	queue := []string{*f.Queue.QueueArn()}
	f.allow(
		permissions.Allow("WriteOwnLogs", []string{*f.LogGroup.LogGroupArn()}, "logs:CreateLogStream", "logs:PutLogEvents"),
		permissions.Allow("ReadOwnQueue", queue, "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
		permissions.Allow("RequeueOwnMessages", queue, "sqs:SendMessage"),
	)
	if f.key != nil {
		f.key.GrantEncryptDecrypt(f.Role)
	}
}

// Allow adds statements to the function's role.
func (f *QueuedFunction) Allow(statements ...awsiam.PolicyStatement) {
	for _, s := range statements {
		f.Role.AddToPolicy(s)
	}
}

// allow is [QueuedFunction.Allow] for statements in plain values.
func (f *QueuedFunction) allow(statements ...permissions.Statement) {
	for _, s := range statements {
		props := &awsiam.PolicyStatementProps{Sid: &s.SID, Actions: jsii.Strings(s.Actions...), Resources: jsii.Strings(s.Resources...)}
		if len(s.Condition) > 0 {
			conditions := map[string]any{}
			for operator, keys := range s.Condition {
				conditions[operator] = keys
			}
			props.Conditions = &conditions
		}
		f.Allow(awsiam.NewPolicyStatement(props))
	}
}

func (f *QueuedFunction) addFunction(props *QueuedFunctionProps) {
	environment := map[string]*string{"QUEUE_URL": f.Queue.QueueUrl(), "LOG_LEVEL": &f.settings.level}
	if props.Environment != nil {
		maps.Copy(environment, *props.Environment)
	}
	// See QueuedFunctionProps.LogLevel.
	level := awslambda.ApplicationLogLevel_INFO
	if f.settings.level == "DEBUG" {
		level = awslambda.ApplicationLogLevel_DEBUG
	}
	f.Function = awslambda.NewFunction(f, jsii.String("Function"), &awslambda.FunctionProps{
		Description:  props.Description,
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: f.settings.architecture,
		Handler:      jsii.String("bootstrap"),
		Code: awslambda.Code_FromAsset(props.Code, &awss3assets.AssetOptions{
			// Only the program: its hash alone decides whether there is anything
			// to deploy.
			Exclude: jsii.Strings("*", "!bootstrap"),
		}),
		MemorySize:            &f.settings.memory,
		Timeout:               duration(f.settings.timeout),
		Role:                  f.Role,
		Environment:           &environment,
		EnvironmentEncryption: f.key,
		LogGroup:              f.LogGroup,
		// JSON, so that the function's structured lines can be queried.
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: level,
		// A function requeues by sending itself a message with a delay. Lambda
		// takes that for a runaway loop and stops it after about 16 rounds (Lambda
		// developer guide, "Recursive loop detection"), which would end a long
		// wait. The functions bound their waits themselves.
		RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
	})
}

func (f *QueuedFunction) addEventSource() {
	props := &awslambda.EventSourceMappingProps{
		Target:                  f.Function,
		EventSourceArn:          f.Queue.QueueArn(),
		BatchSize:               &f.settings.batchSize,
		MaxConcurrency:          &f.settings.concurrency,
		ReportBatchItemFailures: jsii.Bool(true),
	}
	if f.settings.window > 0 {
		props.MaxBatchingWindow = duration(f.settings.window)
	}
	awslambda.NewEventSourceMapping(f, jsii.String("EventSource"), props)
}
