package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/pkg/notice"
)

// ForwardOutcomesProps are the properties of [ForwardOutcomes].
type ForwardOutcomesProps struct {
	// To is the ARN of the bus that gets the outcomes, of any account and region. Its
	// policy must let this account put events.
	//
	// Required.
	To *string

	// From is the name of this account's bus that the outcomes are on.
	//
	// Default: "default".
	From *string

	// AlarmTopic gets the alarm, and its end. CloudWatch must be allowed to publish to it.
	//
	// Default: - nobody is notified of an alarm.
	AlarmTopic awssns.ITopic

	// EncryptionKey encrypts the dead-letter queue. If it is not defined in this
	// application its policy must let events use it.
	//
	// Default: - a key of SQS.
	EncryptionKey awskms.IKey
}

// ForwardOutcomes sends every outcome of the deployment hooks, of all sources
// deployhooks.*, to one more bus, such as that of [Central].
type ForwardOutcomes struct {
	constructs.Construct
	Rule        awsevents.Rule
	DeadLetters awssqs.Queue
}

// NewForwardOutcomes adds ForwardOutcomes to scope.
func NewForwardOutcomes(scope constructs.Construct, id *string, props *ForwardOutcomesProps) *ForwardOutcomes {
	if props == nil {
		props = &ForwardOutcomesProps{}
	}
	var v validation
	v.require(props.To != nil, "To", "required")
	from := or(props.From, "default")
	if props.To != nil {
		v.require(!isBus(*props.To, from, awscdk.Stack_Of(scope)), "To", "it is the bus %s itself, so that events would go round", from)
	}
	v.enforce("ForwardOutcomes", scope, id)

	f := &ForwardOutcomes{Construct: constructs.NewConstruct(scope, id)}
	f.DeadLetters = newDeadLetterQueue(f.Construct, props.EncryptionKey)
	// Organizations' buses take events with a role only (EventBridge API reference,
	// PutPermission). The condition is that of "Cross-service confused deputy prevention"
	// (EventBridge user guide).
	role := awsiam.NewRole(f.Construct, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(f.Construct).Account()}},
		}),
	})
	f.Rule = awsevents.NewRule(f.Construct, jsii.String("Rule"), &awsevents.RuleProps{
		Description:  jsii.String("Sends the outcomes of the deployment hooks to the central bus"),
		EventBus:     busOf(f.Construct, from),
		EventPattern: outcomeEvents(),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewEventBus(
			awsevents.EventBus_FromEventBusArn(f.Construct, jsii.String("To"), props.To),
			&awseventstargets.EventBusProps{Role: role, DeadLetterQueue: f.DeadLetters},
		)},
	})
	const remedy = "The central bus did not get these outcomes: check that its policy lets this account send, and read them there."
	addAlarms(f.Construct, []alarm{deadLetterAlarm(f.DeadLetters, remedy)}, props.AlarmTopic)
	return f
}

// outcomeEvents are those of all functions.
func outcomeEvents() *awsevents.EventPattern {
	return &awsevents.EventPattern{Source: awsevents.Match_Prefix(jsii.String(notice.Namespace + ".")), DetailType: jsii.Strings(notice.DetailType)}
}

// busOf is a bus of this account by its name; nil for the default one.
func busOf(scope constructs.Construct, name string) awsevents.IEventBus {
	if name == "default" {
		return nil
	}
	return awsevents.EventBus_FromEventBusName(scope, jsii.String("From"), &name)
}

// isBus reports whether an ARN is that of a bus of the stack by its name, as far as the
// stack says where it is.
func isBus(arn, name string, stack awscdk.Stack) bool {
	fields := strings.Split(arn, ":")
	return len(fields) == 6 && fields[3] == *stack.Region() && fields[4] == *stack.Account() && fields[5] == "event-bus/"+name
}
