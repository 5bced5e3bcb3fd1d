package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodedeploy"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/environment/spec"
)

// BlueGreenServiceProps are the properties of a [BlueGreenService].
type BlueGreenServiceProps struct {
	// Name of the target group, the CodeDeploy application and its deployment group; at
	// most 32 lowercase letters, digits and hyphens.
	//
	// Required.
	Name *string

	// Provider is the function behind the deployment group's custom resource.
	//
	// Required.
	Provider *DeploymentGroupFunction

	// Vpc that the instances run in, and its subnets for them. The subnets cannot be
	// changed later, as the Auto Scaling group that has them does not outlive the first
	// release.
	//
	// Required; the default of Subnets is the private ones with a way to the internet.
	Vpc     awsec2.IVpc
	Subnets *awsec2.SubnetSelection

	// LoadBalancer and its HTTPS Listener, which routes Hosts, 1 to 5 names, to the
	// service.
	//
	// Required.
	LoadBalancer awselasticloadbalancingv2.IApplicationLoadBalancer
	Listener     awselasticloadbalancingv2.IApplicationListener
	Hosts        *[]*string

	// Priority of the routing rule, 1 to 50000.
	//
	// Default: - one that follows from the name.
	Priority *float64

	// Port is where instances listen for HTTP. It cannot be changed later, as the target
	// group would be replaced: make another service.
	//
	// Default: 8080.
	Port *float64

	// HealthCheckPath is what instances answer with 200 when they can serve.
	//
	// Default: "/".
	HealthCheckPath *string

	// InstanceType such as t4g.small.
	//
	// Required.
	InstanceType *string

	// Image is the SSM parameter of the machine image, which needs dnf and the SSM agent.
	// It is read at each deployment of the stack.
	//
	// Default: - the newest Amazon Linux 2023 for the instance type.
	Image *string

	// VolumeGiB is the size of the root volume, 8 to 1024.
	//
	// Default: 20.
	VolumeGiB *float64

	// MinInstances and MaxInstances bound the Auto Scaling group.
	//
	// Required.
	MinInstances *float64
	MaxInstances *float64

	// TargetCPUPercent is the average CPU utilization that scaling keeps.
	//
	// Default: 50.
	TargetCPUPercent *float64

	// DeregistrationDelay is how long requests in flight may take, at most an hour.
	//
	// Default: - a minute.
	DeregistrationDelay awscdk.Duration

	// TerminationWait is how long the replaced instances stay after a release, so that a
	// rollback is quick, at most two days.
	//
	// Default: - an hour.
	TerminationWait awscdk.Duration

	// Revisions is the bucket that revisions are deployed from. Instances read what is
	// below <Name>/.
	//
	// Required.
	Revisions awss3.IBucket

	// Repository is the service's own image registry, which instances pull from.
	//
	// Default: - none.
	Repository awsecr.IRepository

	// Variables are written to /etc/deployhooks/environment, in the form that systemd's
	// EnvironmentFile takes. They are no place for secrets: whoever may read the launch
	// template sees them. Give the ARN of a secret, and let Role read it.
	//
	// Default: - SERVICE and LOG_GROUP only.
	Variables *map[string]*string

	// Tags of the Auto Scaling group and of its instances. They cannot be changed later.
	// The scope of the hooks (deployhooks:repairTag and deployhooks:drainTag) should be
	// among them.
	//
	// Default: - those of the stack.
	Tags *map[string]*string

	// LogRetentionDays is how long the service's logs are kept.
	//
	// Default: 30.
	LogRetentionDays *float64

	// Alarms stop a deployment and roll it back, besides the construct's own, at most 9.
	//
	// Default: - none.
	Alarms *[]awscloudwatch.IAlarm

	// TriggerTopic is notified of deployments: that of [DeploymentHooks].
	//
	// Default: - none: repair gets deployments from EventBridge alone.
	TriggerTopic awssns.ITopic

	// AlarmTopic gets the alarms.
	//
	// Default: - nobody is notified of an alarm.
	AlarmTopic awssns.ITopic
}

// BlueGreenService is one web application: an Auto Scaling group behind a target group,
// released by CodeDeploy blue/green deployments that copy the group, and drained before
// instances terminate. It needs [DeploymentHooks] in the same account and region.
//
// The first instances have CodeDeploy's agent and nothing to serve, until the first
// release.
type BlueGreenService struct {
	constructs.Construct
	TargetGroup awselasticloadbalancingv2.ApplicationTargetGroup
	Application awscodedeploy.CfnApplication
	// Role is that of the instances, SecurityGroup theirs.
	Role            awsiam.Role
	SecurityGroup   awsec2.SecurityGroup
	LogGroup        awslogs.LogGroup
	DeploymentGroup *BlueGreenDeploymentGroup
	// Errors is on when too many responses are 5xx. It stops a deployment in progress.
	Errors awscloudwatch.Alarm

	props    BlueGreenServiceProps
	template awsec2.LaunchTemplate
	rule     awselasticloadbalancingv2.ApplicationListenerRule
	seed     awsautoscaling.CfnAutoScalingGroup
	hook     *DrainHook
	subnets  *awsec2.SelectedSubnets
}

// RevisionPrefix is where in the bucket the service's revisions are.
func (s *BlueGreenService) RevisionPrefix() *string { return jsii.String(*s.props.Name + "/") }

// NewBlueGreenService adds a BlueGreenService to scope.
func NewBlueGreenService(scope constructs.Construct, id *string, props *BlueGreenServiceProps) *BlueGreenService {
	var v validation
	if props == nil {
		props = &BlueGreenServiceProps{}
	}
	props.check(&v)
	v.enforce("BlueGreenService", scope, id)

	s := &BlueGreenService{props: *props}
	constructs.NewConstruct_Override(s, scope, id)
	subnets := or(props.Subnets, awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS})
	s.subnets = props.Vpc.SelectSubnets(&subnets)
	s.LogGroup = newLogGroup(s, "Logs", or(props.LogRetentionDays, 30))
	s.addTargetGroup()
	s.addRole()
	s.addTemplate()
	s.addSeed()
	s.addAlarms()
	s.addDeploymentGroup()
	return s
}

// check refuses what AWS refuses; the deployment group checks what is its own.
func (p *BlueGreenServiceProps) check(v *validation) {
	v.require(p.Vpc != nil, "Vpc", "required")
	v.require(p.LoadBalancer != nil, "LoadBalancer", "required")
	v.require(p.Listener != nil, "Listener", "required")
	v.require(p.Provider != nil, "Provider", "required")
	v.require(p.Revisions != nil, "Revisions", "required")
	v.require(p.InstanceType != nil, "InstanceType", "required")
	v.require(p.MinInstances != nil, "MinInstances", "required")
	v.require(p.MaxInstances != nil, "MaxInstances", "required")
	// Elastic Load Balancing API reference, CreateTargetGroup.
	name := or(p.Name, "")
	v.require(targetGroupName.MatchString(name), "Name", "%q, and give 1 to 32 lowercase letters, digits and hyphens, not starting or ending with a hyphen", name)
	hosts := len(or(p.Hosts, nil))
	v.require(hosts >= 1 && hosts <= 5, "Hosts", "%d of them, and 1 to 5 are needed", hosts) // "Quotas" (Application Load Balancers guide)
	v.between(or(p.Priority, 1), "Priority", "", 1, 50000)
	v.between(or(p.Port, 8080), "Port", "", 1, 65535)
	v.between(or(p.VolumeGiB, 20), "VolumeGiB", " GiB", 8, 1024)
	v.between(inSeconds(p.DeregistrationDelay, 60), "DeregistrationDelay", " s", 0, maxDelay)
	v.require(len(or(p.Alarms, nil)) <= 9, "Alarms", "%d of them, and CodeDeploy allows 10 with the construct's own", len(or(p.Alarms, nil)))
}

// addTargetGroup adds the target group and what routes to it.
func (s *BlueGreenService) addTargetGroup() {
	p := s.props
	s.TargetGroup = awselasticloadbalancingv2.NewApplicationTargetGroup(s, jsii.String("Targets"), &awselasticloadbalancingv2.ApplicationTargetGroupProps{
		TargetGroupName: p.Name, Vpc: p.Vpc, TargetType: awselasticloadbalancingv2.TargetType_INSTANCE,
		Protocol: awselasticloadbalancingv2.ApplicationProtocol_HTTP, Port: jsii.Number(or(p.Port, 8080)),
		DeregistrationDelay: duration(inSeconds(p.DeregistrationDelay, 60)),
		HealthCheck: &awselasticloadbalancingv2.HealthCheck{
			Path: jsii.String(or(p.HealthCheckPath, "/")), HealthyHttpCodes: jsii.String("200"),
			// An instance that fails gets requests for half a minute at most.
			Interval: duration(10), Timeout: duration(5), HealthyThresholdCount: jsii.Number(2), UnhealthyThresholdCount: jsii.Number(2),
		},
	})
	priority := or(p.Priority, float64(spec.Priority(*p.Name)))
	s.rule = awselasticloadbalancingv2.NewApplicationListenerRule(s, jsii.String("Rule"), &awselasticloadbalancingv2.ApplicationListenerRuleProps{
		Listener: p.Listener, Priority: &priority,
		Conditions:   &[]awselasticloadbalancingv2.ListenerCondition{awselasticloadbalancingv2.ListenerCondition_HostHeaders(p.Hosts)},
		TargetGroups: &[]awselasticloadbalancingv2.IApplicationTargetGroup{s.TargetGroup},
	})
	s.SecurityGroup = awsec2.NewSecurityGroup(s, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc: p.Vpc, Description: jsii.String("Instances of " + *p.Name), AllowAllOutbound: jsii.Bool(true), AllowAllIpv6Outbound: jsii.Bool(true),
	})
	s.SecurityGroup.Connections().AllowFrom(p.LoadBalancer, awsec2.Port_Tcp(jsii.Number(or(p.Port, 8080))), jsii.String("Requests and health checks"))
}

// addSeed adds the Auto Scaling group that the first release copies and deletes. An update
// of a group that is gone fails, so nothing here follows from what is ordinarily changed:
// the deployment group's custom resource gives the current group its size and its launch
// template.
func (s *BlueGreenService) addSeed() {
	var tags []*awsautoscaling.CfnAutoScalingGroup_TagPropertyProperty
	for _, key := range sortedKeys(or(s.props.Tags, nil)) {
		tags = append(tags, &awsautoscaling.CfnAutoScalingGroup_TagPropertyProperty{Key: &key, Value: (*s.props.Tags)[key], PropagateAtLaunch: jsii.Bool(true)})
	}
	tags = append(tags, &awsautoscaling.CfnAutoScalingGroup_TagPropertyProperty{Key: jsii.String("Name"), Value: s.props.Name, PropagateAtLaunch: jsii.Bool(true)})
	s.seed = awsautoscaling.NewCfnAutoScalingGroup(s, jsii.String("Seed"), &awsautoscaling.CfnAutoScalingGroupProps{
		MinSize: jsii.String("0"), MaxSize: jsii.String("0"), Tags: &tags,
		LaunchTemplate: &awsautoscaling.CfnAutoScalingGroup_LaunchTemplateSpecificationProperty{
			LaunchTemplateId: s.template.LaunchTemplateId(), Version: jsii.String("1"),
		},
		VpcZoneIdentifier: anything(*s.subnets.SubnetIds),
		TargetGroupArns:   &[]any{s.TargetGroup.TargetGroupArn()},
		// An instance that answers no health checks is replaced, once one has answered: until
		// the first release none does ("Verify the attachment status of your load balancer", Auto
		// Scaling user guide: until then the load balancer is not InService).
		HealthCheckType: jsii.String("ELB"), HealthCheckGracePeriod: jsii.Number(300),
	})
	// With the longest delay there is, so that another delay changes nothing.
	s.hook = NewDrainHook(s, jsii.String("Drain"), &DrainHookProps{AutoScalingGroup: s.seed, DeregistrationDelay: duration(maxDelay)})
	// It goes with its group, which may be gone before the stack.
	s.hook.Hook.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN)
}

func (s *BlueGreenService) addDeploymentGroup() {
	p := s.props
	s.Application = awscodedeploy.NewCfnApplication(s, jsii.String("Application"), &awscodedeploy.CfnApplicationProps{
		ApplicationName: p.Name, ComputePlatform: jsii.String("Server"),
	})
	alarms := []*string{s.Errors.AlarmName()}
	for _, a := range or(p.Alarms, nil) {
		alarms = append(alarms, a.AlarmName())
	}
	props := &BlueGreenDeploymentGroupProps{
		Provider: p.Provider, ApplicationName: s.Application.Ref(), DeploymentGroupName: p.Name, ServiceRole: s.newServiceRole(),
		AutoScalingGroup: s.seed.Ref(), TargetGroups: &[]*string{s.TargetGroup.TargetGroupArn()},
		TerminationWait: p.TerminationWait, Alarms: &alarms,
		LaunchTemplateId: s.template.LaunchTemplateId(), LaunchTemplateVersion: s.template.LatestVersionNumber(), InstanceRole: s.Role,
		MinSize: p.MinInstances, MaxSize: p.MaxInstances, TargetCPUPercent: jsii.Number(or(p.TargetCPUPercent, 50)),
		Tags: p.Tags,
	}
	if p.TriggerTopic != nil {
		props.TriggerTopic = p.TriggerTopic.TopicArn()
	}
	s.DeploymentGroup = NewBlueGreenDeploymentGroup(s, jsii.String("DeploymentGroup"), props)
	// The first instances install the agent over the internet, with what their role allows.
	s.DeploymentGroup.Node().AddDependency(s.subnets.InternetConnectivityEstablished, s.Role, s.rule, s.hook)
}
