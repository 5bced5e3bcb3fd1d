package constructs

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/permissions"
)

// LambdaFunctionProps are the properties of a [LambdaFunction].
type LambdaFunctionProps struct {
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

	// Environment variables of the function, besides those that the construct
	// sets.
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

	// SubnetIds and SecurityGroupIds place the function in a VPC, together. Its role
	// then also allows what Lambda needs there.
	//
	// Default: - none: Lambda's own network.
	SubnetIds        *[]*string
	SecurityGroupIds *[]*string

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

// LambdaFunction is a Lambda function with a role of its own that allows what
// [Program.Allow] adds and nothing else of note, logs that expire, and alarms that
// reach operators. Who invokes it is up to others; a [QueuedFunction] has a queue in
// front.
type LambdaFunction struct {
	constructs.Construct
	Program
}

// Program is what a [LambdaFunction] and a [QueuedFunction] share. It is no construct:
// jsii takes no construct that is embedded in another.
type Program struct {
	Function awslambda.Function
	Role     awsiam.Role
	LogGroup awslogs.LogGroup

	settings functionSettings
	key      awskms.IKey
}

// functionSettings are the properties that several parts need, in seconds and MB.
type functionSettings struct {
	timeout, memory, retentionDays float64
	level                          string
	architecture                   awslambda.Architecture
}

// NewLambdaFunction adds a LambdaFunction to scope.
func NewLambdaFunction(scope constructs.Construct, id *string, props *LambdaFunctionProps) *LambdaFunction {
	var v validation
	if props == nil {
		props = &LambdaFunctionProps{}
	}
	settings := props.settings(&v)
	v.enforce("LambdaFunction", scope, id)

	f := &LambdaFunction{Program: Program{settings: settings, key: props.EncryptionKey}}
	constructs.NewConstruct_Override(f, scope, id)
	f.addLogs(f)
	f.addRole(f)
	f.addFunction(f, props, nil)
	addAlarms(f, f.alarms(), props.AlarmTopic)
	return f
}

// settings are the properties with their defaults. The construct sets the variables
// reserved, besides LOG_LEVEL.
func (p *LambdaFunctionProps) settings(v *validation, reserved ...string) functionSettings {
	s := functionSettings{
		timeout: inSeconds(p.Timeout, 60), memory: or(p.MemorySize, 256), retentionDays: or(p.LogRetentionDays, 30),
		level: or(p.LogLevel, "INFO"), architecture: p.Architecture,
	}
	if s.architecture == nil {
		s.architecture = awslambda.Architecture_ARM_64()
	}
	// Limits: Lambda API reference, CreateFunction.
	v.between(s.timeout, "Timeout", " s", 1, 900)
	v.between(s.memory, "MemorySize", " MB", 128, 10240)
	v.require(slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, s.level), "LogLevel", "%q is not one of DEBUG, INFO, WARN and ERROR", s.level)
	v.require((p.SubnetIds == nil) == (p.SecurityGroupIds == nil), "SubnetIds", "a function in a VPC needs SecurityGroupIds as well, and the other way around")
	if p.Code == nil {
		v.require(false, "Code", "required")
	} else if err := checkProgram(*p.Code, *s.architecture.Name()); err != nil {
		v.require(false, "Code", "%v", err)
	}
	if p.Environment != nil {
		for _, own := range append(reserved, "LOG_LEVEL") {
			v.require((*p.Environment)[own] == nil, "Environment", "%s is set by the construct", own)
		}
	}
	return s
}

// addLogs makes the log group, so that it has a retention and is deleted with the
// stack; one that Lambda makes by itself has neither.
func (f *Program) addLogs(scope constructs.Construct) {
	f.LogGroup = awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
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
	stack := awscdk.Stack_Of(scope)
	f.key.GrantEncryptDecrypt(awsiam.NewServicePrincipal(jsii.String("logs."+*stack.Region()+".amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"ArnLike": map[string]any{
			"kms:EncryptionContext:aws:logs:arn": "arn:" + *stack.Partition() + ":logs:" + *stack.Region() + ":" + *stack.Account() + ":log-group:*",
		}},
	}))
}

// addRole makes the function's role, with what every function needs and nothing
// by way of AWS's managed policies, which allow logging to every log group.
func (f *Program) addRole(scope constructs.Construct) {
	f.Role = awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	f.allow(permissions.Allow("WriteOwnLogs", []string{*f.LogGroup.LogGroupArn()}, "logs:CreateLogStream", "logs:PutLogEvents"))
	if f.key != nil {
		f.key.GrantEncryptDecrypt(f.Role)
	}
}

// Allow adds statements to the function's role.
func (f *Program) Allow(statements ...awsiam.PolicyStatement) {
	for _, s := range statements {
		f.Role.AddToPolicy(s)
	}
}

// allow is [Program.Allow] for statements in plain values.
func (f *Program) allow(statements ...permissions.Statement) {
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

func (f *Program) addFunction(scope constructs.Construct, props *LambdaFunctionProps, own map[string]*string) {
	environment := map[string]*string{"LOG_LEVEL": &f.settings.level}
	maps.Copy(environment, own)
	if props.Environment != nil {
		maps.Copy(environment, *props.Environment)
	}
	// See LambdaFunctionProps.LogLevel.
	level := awslambda.ApplicationLogLevel_INFO
	if f.settings.level == "DEBUG" {
		level = awslambda.ApplicationLogLevel_DEBUG
	}
	f.Function = awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
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
	if props.SubnetIds == nil {
		return
	}
	f.Function.Node().DefaultChild().(awslambda.CfnFunction).SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
		SubnetIds: props.SubnetIds, SecurityGroupIds: props.SecurityGroupIds,
	})
	// Those of AWSLambdaVPCAccessExecutionRole; none has resource-level permissions that
	// would fit ("Giving Lambda functions access to resources in an Amazon VPC", AWS Lambda
	// Developer Guide).
	f.allow(permissions.Allow("UseOwnNetwork", []string{"*"}, "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"))
	f.Function.Node().AddDependency(f.Role)
}
