package constructs_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/constructs"
)

// Everything that the hooks stack has, in a stack of the platform's own.
func ExampleNewDeploymentHooks() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("platform"), nil)

	hooks := constructs.NewDeploymentHooks(stack, jsii.String("Hooks"), &constructs.DeploymentHooksProps{
		Configuration: &map[string]interface{}{
			"deployhooks:repairMode":   "plan", // begin by reading what it would do
			"deployhooks:applications": []any{"shop", "search"},
		},
		EnvironmentName:     jsii.String("staging"),
		Tags:                &map[string]*string{"team": jsii.String("platform")},
		EncryptionKey:       awskms.NewKey(stack, jsii.String("Key"), nil),
		PermissionsBoundary: awsiam.ManagedPolicy_FromManagedPolicyName(stack, jsii.String("Boundary"), jsii.String("workloads")),
		AlarmTopic:          awssns.NewTopic(stack, jsii.String("Pager"), nil),
	})

	awscdk.NewCfnOutput(stack, jsii.String("Notices"), &awscdk.CfnOutputProps{Value: hooks.NoticeTopic.TopicArn()})
	app.Synth(nil)
}

// An Auto Scaling group whose instances are drained before they terminate.
func ExampleNewDrainHook() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("web"), nil)
	group := awsautoscaling.AutoScalingGroup_FromAutoScalingGroupName(stack, jsii.String("Group"), jsii.String("web"))

	constructs.NewDrainHook(stack, jsii.String("Drain"), &constructs.DrainHookProps{
		AutoScalingGroup:    group,
		DeregistrationDelay: awscdk.Duration_Minutes(jsii.Number(5)), // the longest among its target groups
	})
}

// A function of another team, with the same queue, alarms and logs.
func ExampleNewQueuedFunction() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("audit"), nil)

	function := constructs.NewQueuedFunction(stack, jsii.String("Audit"), &constructs.QueuedFunctionProps{
		LambdaFunctionProps: constructs.LambdaFunctionProps{
			Code:       jsii.String("build/arm64/audit"), // the folder of bootstrap
			AlarmTopic: awssns.NewTopic(stack, jsii.String("Pager"), nil),
		},
		Sweep: awscdk.Duration_Hours(jsii.Number(1)),
	})
	function.OnEvents(jsii.String("Deployments"), jsii.String("Deployments that change their state"), &awsevents.EventPattern{
		Source: jsii.Strings("aws.codedeploy"),
	})
	function.Allow(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("codedeploy:GetDeployment"), Resources: jsii.Strings("*"),
	}))
}
