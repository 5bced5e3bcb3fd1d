package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/permissions"
)

// DeploymentGroupFunctionProps are the properties of a [DeploymentGroupFunction].
type DeploymentGroupFunctionProps struct {
	// LambdaFunctionProps are those of the function. Code is the folder of the program
	// deploymentgroup; MemorySize and Timeout have defaults that fit, and the environment
	// is the construct's.
	LambdaFunctionProps

	// Applications are names of the CodeDeploy applications whose deployment groups the
	// function may change, or patterns such as "production-*". Patterns are better: a role
	// that names the applications of the template cannot delete the deployment group of one
	// that the template no longer has, because CloudFormation changes the role before.
	//
	// Default: - all of the account and region.
	Applications *[]*string
}

// DeploymentGroupFunction is the provider of the custom resources of
// [BlueGreenDeploymentGroup]: a topic that CloudFormation publishes its requests to, and the
// function that handles them. CloudFormation publishes with the permissions of whoever
// deploys the stack, who needs sns:Publish.
type DeploymentGroupFunction struct {
	constructs.Construct
	Topic    awssns.Topic
	Function *QueuedFunction

	passed map[string]bool // roles that the function may pass, by path and service
}

// NewDeploymentGroupFunction adds a DeploymentGroupFunction to scope.
func NewDeploymentGroupFunction(scope constructs.Construct, id *string, props *DeploymentGroupFunctionProps) *DeploymentGroupFunction {
	if props == nil {
		props = &DeploymentGroupFunctionProps{}
	}
	var v validation
	props.LambdaFunctionProps.settings(&v, "ACCOUNT", "QUEUE_URL")
	v.enforce("DeploymentGroupFunction", scope, id)

	f := &DeploymentGroupFunction{passed: map[string]bool{}}
	constructs.NewConstruct_Override(f, scope, id)
	stack := awscdk.Stack_Of(f)
	function := props.LambdaFunctionProps
	if function.Description == nil {
		function.Description = jsii.String("Makes, changes and deletes blue/green deployment groups for CloudFormation")
	}
	environment := map[string]*string{"ACCOUNT": stack.Account()}
	for name, value := range or(function.Environment, nil) {
		environment[name] = value
	}
	function.Environment = &environment
	f.Function = NewQueuedFunction(f, jsii.String("Requests"), &QueuedFunctionProps{
		LambdaFunctionProps: function,
		BatchSize:           jsii.Number(1), // a request is many calls, and several may be slow
		MaxConcurrency:      jsii.Number(5),
		// A run that was killed is repeated soon: CloudFormation waits for an hour at most.
		VisibilityTimeout: awscdk.Duration_Minutes(jsii.Number(2)),
		MaxReceiveCount:   jsii.Number(10),
	})
	var applications []string
	for _, name := range or(props.Applications, nil) {
		applications = append(applications, *name)
	}
	f.Function.allow(permissions.DeploymentGroup(applications, permissions.Location{
		Partition: *stack.Partition(), Region: *stack.Region(), Account: *stack.Account(),
	})...)
	f.Topic = awssns.NewTopic(f, jsii.String("Topic"), &awssns.TopicProps{
		DisplayName: jsii.String("Requests of CloudFormation about deployment groups"),
		EnforceSSL:  jsii.Bool(true),
		MasterKey:   props.EncryptionKey,
	})
	f.Function.OnTopic(f.Topic)
	return f
}

// ServiceToken is the ServiceToken of the custom resources.
func (f *DeploymentGroupFunction) ServiceToken() *string { return f.Topic.TopicArn() }

// passRole lets the function pass a role, if there is one, to one service.
func (f *DeploymentGroupFunction) passRole(role awsiam.IRole, service string) {
	if role == nil || f.passed[*role.Node().Path()+service] {
		return
	}
	f.passed[*role.Node().Path()+service] = true
	f.Function.Allow(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("iam:PassRole"), Resources: &[]*string{role.RoleArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": service}},
	}))
}
