package constructs_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
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

// A web application in a network and behind a load balancer of the platform's own.
func ExampleNewBlueGreenService() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("shop"), nil)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	balancer := awselasticloadbalancingv2.NewApplicationLoadBalancer(stack, jsii.String("LoadBalancer"), &awselasticloadbalancingv2.ApplicationLoadBalancerProps{
		Vpc: vpc, InternetFacing: jsii.Bool(true),
	})
	certificate := awselasticloadbalancingv2.ListenerCertificate_FromArn(jsii.String("arn:aws:acm:eu-west-1:123456789012:certificate/0"))

	constructs.NewBlueGreenService(stack, jsii.String("Web"), &constructs.BlueGreenServiceProps{
		Name: jsii.String("shop-web"),
		Vpc:  vpc,
		Provider: constructs.NewDeploymentGroupFunction(stack, jsii.String("DeploymentGroups"), &constructs.DeploymentGroupFunctionProps{
			LambdaFunctionProps: constructs.LambdaFunctionProps{Code: jsii.String("build/arm64/deploymentgroup")}, // the folder of bootstrap
		}),
		LoadBalancer: balancer,
		Listener: balancer.AddListener(jsii.String("Https"), &awselasticloadbalancingv2.BaseApplicationListenerProps{
			Port: jsii.Number(443), Certificates: &[]awselasticloadbalancingv2.IListenerCertificate{certificate},
			DefaultAction: awselasticloadbalancingv2.ListenerAction_FixedResponse(jsii.Number(404), nil),
		}),
		Hosts:        jsii.Strings("shop.example.com"),
		InstanceType: jsii.String("t4g.small"),
		MinInstances: jsii.Number(2), MaxInstances: jsii.Number(6),
		Revisions: awss3.NewBucket(stack, jsii.String("Revisions"), nil),
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
