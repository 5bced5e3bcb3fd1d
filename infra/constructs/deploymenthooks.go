package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// DeploymentHooksProps are the properties of [DeploymentHooks].
type DeploymentHooksProps struct {
	// Configuration has the settings of README.md, "Configuration", by their
	// keys, such as "deployhooks:repairMode". The context of the CDK application
	// is not read.
	//
	// Default: - the default of each setting.
	Configuration *map[string]interface{}

	// Programs is the folder of the built functions:
	// <architecture>/<function>/bootstrap.
	//
	// Default: - they are built from the module's source, which takes the Go
	// toolchain.
	Programs *string

	// EnvironmentName tells installations apart, such as "staging". It begins the
	// descriptions of functions and the topics' display names.
	//
	// Default: - none.
	EnvironmentName *string

	// Tags of everything in the construct.
	//
	// Default: - those of the stack.
	Tags *map[string]*string

	// EncryptionKey encrypts tables, queues, logs, environment variables, and the
	// topics that the construct makes. Its policy is extended for the services
	// that use it if it is defined in this application; else it must let events,
	// sns, cloudwatch, codedeploy and logs.<region> use it.
	//
	// Default: - keys of the services.
	EncryptionKey awskms.IKey

	// PermissionsBoundary is set on every role in the construct. It must allow
	// what the roles allow (package permissions).
	//
	// Default: - none.
	PermissionsBoundary awsiam.IManagedPolicy

	// NoticeTopic gets every notification, and the alarms unless there is a topic
	// for them. A given topic keeps its policies as they are. What they must allow:
	//
	//   - The topic's policy lets cloudwatch.amazonaws.com publish (sns:Publish),
	//     under the condition that aws:SourceAccount is this account. A topic without
	//     a policy of its own does. In another account, it also lets the role of
	//     each function publish (Repair.Role and Drain.Role).
	//   - The policy of its KMS key, if it is encrypted, lets the same principals
	//     call kms:GenerateDataKey and kms:Decrypt. AWS's own key alias/aws/sns
	//     cannot do that (SNS developer guide, "Enable compatibility between event
	//     sources from AWS services and encrypted topics"). For a key of another
	//     account, the roles need both actions as well (QueuedFunction.Allow).
	//
	// Default: - a new topic.
	NoticeTopic awssns.ITopic

	// AlarmTopic gets alarms, and notifications that require action as well. It
	// needs the policies of a given NoticeTopic, and excludes the setting
	// deployhooks:alarmTopicArn.
	//
	// Default: - the topic of the setting, or else the NoticeTopic.
	AlarmTopic awssns.ITopic
}

// DeploymentHooks is both functions and everything around them. There may be
// several in one application.
type DeploymentHooks struct {
	constructs.Construct
	// Configuration is what is in force.
	Configuration config.Hooks
	Repair, Drain *QueuedFunction
	// TriggerTopic is for triggers of CodeDeploy deployment groups.
	TriggerTopic awssns.ITopic
	// NoticeTopic gets every notification.
	NoticeTopic awssns.ITopic
	// AlarmTopic gets alarms and notifications that require action; it may be the
	// NoticeTopic.
	AlarmTopic awssns.ITopic
	// Baselines outlives the stack; Drains does not.
	Baselines, Drains awsdynamodb.ITable
	Dashboard         awscloudwatch.Dashboard
	props             DeploymentHooksProps
	in                installation
	subscribers       string
}

// NewDeploymentHooks adds DeploymentHooks to scope.
func NewDeploymentHooks(scope constructs.Construct, id *string, props *DeploymentHooksProps) *DeploymentHooks {
	if props == nil {
		props = &DeploymentHooksProps{}
	}
	var v validation
	cfg, err := config.ParseOwn(or(props.Configuration, nil))
	if err != nil {
		v.require(false, "Configuration", "%v", err)
	}
	v.require(props.AlarmTopic == nil || cfg.AlarmTopicARN == "", "AlarmTopic", "deployhooks:alarmTopicArn is %q; give one of them", cfg.AlarmTopicARN)
	requireSameRegion(&v, scope, cfg.AlarmTopicARN)
	v.enforce("DeploymentHooks", scope, id)

	h := &DeploymentHooks{Configuration: cfg, props: *props}
	constructs.NewConstruct_Override(h, scope, id)
	h.in = installation{scope: h, cfg: cfg, environment: props.EnvironmentName, key: props.EncryptionKey}
	discard := h.in.findPrograms("DeploymentHooks", props.Programs, "repair", "drain")
	defer discard()
	h.addTopics()
	h.in.notices, h.in.alarms = h.NoticeTopic, h.AlarmTopic
	h.addBaselines()
	h.addDrains()
	h.addRepair()
	h.addDrain()
	if bus := cfg.CentralEventBus; bus != "" {
		NewForwardOutcomes(h, jsii.String("Forward"), &ForwardOutcomesProps{From: &cfg.EventBus, To: &bus, AlarmTopic: h.AlarmTopic, EncryptionKey: props.EncryptionKey})
	}
	h.Dashboard = h.newDashboard()
	if props.Tags != nil {
		for key, value := range *props.Tags {
			awscdk.Tags_Of(h).Add(&key, value, nil)
		}
	}
	if props.PermissionsBoundary != nil {
		awsiam.PermissionsBoundary_Of(h).Apply(props.PermissionsBoundary)
	}
	return h
}

// requireSameRegion refuses a topic of another region, where the stack says its
// own: CloudWatch publishes to topics of the alarm's region.
func requireSameRegion(v *validation, scope constructs.Construct, topic string) {
	region := *awscdk.Stack_Of(scope).Region()
	if topic == "" || *awscdk.Token_IsUnresolved(region) {
		return
	}
	of := strings.Split(topic, ":")[3]
	v.require(of == region, "Configuration", "deployhooks:alarmTopicArn is a topic in %s, and the stack is in %s, where alarms need it", of, region)
}
