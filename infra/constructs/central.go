package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/pkg/notice"
)

// CentralProps are the properties of [Central].
type CentralProps struct {
	// Senders are the IDs of the accounts, such as 123456789012, and of the organizations,
	// such as o-a1b2c3d4e5, that may send outcomes.
	//
	// Required.
	Senders *[]*string

	// NotifyEmails get every outcome. Each address has to confirm once, by mail.
	//
	// Default: - none; subscribe to Topic.
	NotifyEmails *[]*string
}

// Central collects the outcomes of many accounts: on a bus for machines, and on a topic for
// people. [ForwardOutcomes] sends them.
type Central struct {
	constructs.Construct
	Bus         awsevents.EventBus
	Topic       awssns.Topic
	DeadLetters awssqs.Queue
}

// NewCentral adds Central to scope.
func NewCentral(scope constructs.Construct, id *string, props *CentralProps) *Central {
	if props == nil {
		props = &CentralProps{}
	}
	var v validation
	v.require(props.Senders != nil && len(*props.Senders) > 0, "Senders", "required, as otherwise nobody may send")
	v.enforce("Central", scope, id)

	c := &Central{Construct: constructs.NewConstruct(scope, id)}
	c.addBus(*props.Senders)
	c.addTopic(or(props.NotifyEmails, nil))
	c.DeadLetters = newDeadLetterQueue(c.Construct, nil)
	c.addRule()
	const remedy = "The central topic did not get these outcomes: check its policy and that of its key, and read them there."
	addAlarms(c.Construct, []alarm{deadLetterAlarm(c.DeadLetters, remedy)}, c.Topic)
	return c
}

// addRule notifies people of each outcome. The CDK would let the rules of all accounts
// publish to a topic that it knows.
func (c *Central) addRule() {
	rule := awsevents.NewRule(c.Construct, jsii.String("Notify"), &awsevents.RuleProps{
		Description:  jsii.String("Notifies people of the outcomes of all accounts"),
		EventBus:     c.Bus,
		EventPattern: outcomeEvents(),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSnsTopic(
			awssns.Topic_FromTopicArn(c.Construct, jsii.String("Target"), c.Topic.TopicArn()),
			&awseventstargets.SnsTopicProps{DeadLetterQueue: c.DeadLetters, Message: awsevents.RuleTargetInput_FromMultilineText(jsii.String(centralText()))},
		)},
	})
	c.allowPublish("AllowPublishByRule", servicePrincipal("events.amazonaws.com", "ArnEquals", "aws:SourceArn", rule.RuleArn()))
}

// servicePrincipal is a service under a condition.
func servicePrincipal(service, operator, key string, value *string) awsiam.IPrincipal {
	return awsiam.NewServicePrincipal(&service, &awsiam.ServicePrincipalOpts{Conditions: &map[string]any{operator: map[string]any{key: value}}})
}

func (c *Central) allowPublish(sid string, publisher awsiam.IPrincipal) {
	c.Topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: &sid, Principals: &[]awsiam.IPrincipal{publisher}, Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{c.Topic.TopicArn()},
	}))
}

// centralText is an outcome for people. A field that an outcome lacks is left out
// ("Amazon EventBridge input transformation", EventBridge user guide).
func centralText() string {
	field := func(path string) string { return *awsevents.EventField_FromPath(&path) }
	return field("$.source") + " in account " + field("$.account") + " (" + field("$.region") + "), " + field("$.time") + ": " + field("$.detail.outcome") + "\n" +
		field("$.detail.reason") + "\n" +
		"Everything that is known: " + field("$.detail")
}

// addBus makes the bus. Its policy takes outcomes from the senders and nothing else:
// neither events that look like AWS's own, nor those of other software.
func (c *Central) addBus(senders []*string) {
	c.Bus = awsevents.NewEventBus(c.Construct, jsii.String("Bus"), &awsevents.EventBusProps{
		EventBusName: awscdk.Names_UniqueResourceName(c.Construct, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(200), Separator: jsii.String("-")}),
		Description:  jsii.String("Outcomes of the deployment hooks of many accounts"),
	})
	var accounts []awsiam.IPrincipal
	for _, sender := range senders {
		if strings.HasPrefix(*sender, "o-") {
			c.allowOutcomes("AllowOutcomesOf"+strings.ReplaceAll(*sender, "-", ""), []awsiam.IPrincipal{awsiam.NewStarPrincipal()}, sender)
		} else {
			accounts = append(accounts, awsiam.NewAccountPrincipal(sender))
		}
	}
	if len(accounts) > 0 {
		c.allowOutcomes("AllowOutcomesOfAccounts", accounts, nil)
	}
}

// allowOutcomes lets principals put outcomes, those of an organization unless it is nil.
// The source is a condition key of EventBridge's own, with those of all entries of a call
// ("Example policy: Sending events to a custom bus in a different account", EventBridge
// user guide).
func (c *Central) allowOutcomes(sid string, from []awsiam.IPrincipal, organization *string) {
	conditions := map[string]any{
		"ForAllValues:StringLike": map[string]any{"events:source": notice.Namespace + ".*"},
		"Null":                    map[string]any{"events:source": "false"}, // for none, the other is true
	}
	if organization != nil {
		conditions["StringEquals"] = map[string]any{"aws:PrincipalOrgID": organization}
	}
	c.Bus.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: &sid, Principals: &from, Actions: jsii.Strings("events:PutEvents"), Resources: &[]*string{c.Bus.EventBusArn()}, Conditions: &conditions,
	}))
}

// addTopic makes the topic, with a key whose policy lets EventBridge and CloudWatch
// publish, which AWS's own key for SNS does not (SNS developer guide, "Enable
// compatibility between event sources from AWS services and encrypted topics").
func (c *Central) addTopic(emails []*string) {
	key := awskms.NewKey(c.Construct, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the notifications of deployment hooks of many accounts"),
		EnableKeyRotation: jsii.Bool(true),
		// It decrypts nothing that is kept: SNS has delivered or dropped what it encrypted.
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	c.Topic = awssns.NewTopic(c.Construct, jsii.String("Topic"), &awssns.TopicProps{
		DisplayName: jsii.String("deployhooks of all accounts"), EnforceSSL: jsii.Bool(true), MasterKey: key,
	})
	alarms := servicePrincipal("cloudwatch.amazonaws.com", "StringEquals", "aws:SourceAccount", awscdk.Stack_Of(c.Construct).Account())
	for _, publisher := range []awsiam.IPrincipal{alarms, awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)} {
		key.Grant(publisher, jsii.String("kms:Decrypt"), jsii.String("kms:GenerateDataKey*"))
	}
	c.allowPublish("AllowPublishByAlarms", alarms)
	for _, address := range emails {
		c.Topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(address, nil))
	}
}
