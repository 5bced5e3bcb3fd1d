package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/permissions"
)

// addTopics makes the topics that are not given. They take TLS only. Without a
// key of the user's they have none: SNS keeps messages on encrypted disks by
// default, what they hold are names of deployments, and with AWS's own SNS key
// neither CloudWatch alarms nor other services could publish (SNS developer guide,
// "Enable compatibility between event sources from AWS services and encrypted
// topics").
func (h *DeploymentHooks) addTopics() {
	h.TriggerTopic = h.newTopic("Triggers", "CodeDeploy triggers for deployhooks", "codedeploy.amazonaws.com")
	h.NoticeTopic = h.props.NoticeTopic
	if h.NoticeTopic == nil {
		h.NoticeTopic = h.newTopic("Notices", "deployhooks", "cloudwatch.amazonaws.com")
	}
	h.AlarmTopic = h.NoticeTopic
	switch {
	case h.props.AlarmTopic != nil:
		h.AlarmTopic = h.props.AlarmTopic
	case h.Configuration.AlarmTopicARN != "":
		h.AlarmTopic = awssns.Topic_FromTopicArn(h, jsii.String("Alarms"), &h.Configuration.AlarmTopicARN)
	}
	for _, address := range h.Configuration.NotifyEmails {
		h.NoticeTopic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&address, nil))
	}
	h.addSubscribers()
}

// newTopic makes a topic that an AWS service publishes to on behalf of this
// account and of no other. CodeDeploy publishes with the deployment group's
// service role, which its own policy allows; the statement covers service roles
// that lack it.
func (h *DeploymentHooks) newTopic(id, displayName, service string) awssns.ITopic {
	// The condition is in the key's policy too ("Enable compatibility between event
	// sources from AWS services and encrypted topics", SNS developer guide).
	publisher := awsiam.NewServicePrincipal(&service, &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(h).Account()}},
	})
	topic := awssns.NewTopic(h, &id, &awssns.TopicProps{
		DisplayName: h.in.named(displayName),
		EnforceSSL:  jsii.Bool(true),
		MasterKey:   h.props.EncryptionKey,
	})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("AllowPublishByService"),
		Principals: &[]awsiam.IPrincipal{publisher},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
	}))
	if h.props.EncryptionKey != nil {
		h.props.EncryptionKey.GrantEncryptDecrypt(publisher)
	}
	return topic
}

// Subscribers is who gets the notifications, in words.
func (h *DeploymentHooks) Subscribers() *string { return &h.subscribers }

// addSubscribers says who gets the notifications, and warns if nobody does.
func (h *DeploymentHooks) addSubscribers() {
	var who []string
	who = append(who, h.Configuration.NotifyEmails...)
	if h.props.NoticeTopic != nil {
		who = append(who, "those of the given topic")
	}
	if h.AlarmTopic != h.NoticeTopic {
		who = append(who, "those of "+*h.AlarmTopic.TopicArn()+" (alarms and what requires action)")
	}
	h.subscribers = strings.Join(who, ", ")
	if len(who) == 0 {
		const subscribe = "aws sns subscribe --protocol email --notification-endpoint you@example.com --topic-arn "
		h.subscribers = "nobody; " + subscribe + *h.NoticeTopic.TopicArn()
		awscdk.Annotations_Of(h).AddWarningV2(jsii.String("deployhooks:noSubscriber"), jsii.String(
			"Nobody is subscribed to alarms and notifications. Give deployhooks:notifyEmails or deployhooks:alarmTopicArn, or subscribe to the notices topic: "+subscribe+"<topic>"))
	}
}

// addBaselines makes the table of the baselines, unless there is one. It outlives
// the stack: what it holds cannot be read from AWS again once the blue group is
// gone. Its name is fixed, so that a stack that is deployed again fails instead of
// beginning without them; deployhooks:baselineTable has it use them.
func (h *DeploymentHooks) addBaselines() {
	if name := h.Configuration.Repair.BaselineTable; name != "" {
		h.Baselines = awsdynamodb.Table_FromTableName(h, jsii.String("Baselines"), &name)
		return
	}
	props := h.in.table("application")
	props.TableName = awscdk.Names_UniqueResourceName(h, &awscdk.UniqueResourceNameOptions{Separator: jsii.String("-"), MaxLength: jsii.Number(245)})
	props.TableName = jsii.String(*props.TableName + "-baselines")
	props.SortKey = stringKey("deploymentGroup")
	// Retained, except by the roll-back of a first deployment: its name would be taken in the next.
	props.RemovalPolicy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	props.PointInTimeRecoverySpecification = &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)}
	h.Baselines = awsdynamodb.NewTable(h, jsii.String("Baselines"), props)
}

// addDrains makes the table of the drains. It is deleted with the stack: it holds
// what is in progress and, for two days, what has ended, and without the function
// nothing acts on either; the hooks' own timeouts then end the lifecycle actions. So it needs no backup. The index holds open drains only, because only
// they have its key, so that reading them does not read what has ended.
func (h *DeploymentHooks) addDrains() {
	props := h.in.table("instance")
	props.TimeToLiveAttribute = jsii.String("expires")
	props.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
	table := awsdynamodb.NewTable(h, jsii.String("Drains"), props)
	table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(permissions.OpenIndex),
		PartitionKey:   stringKey("open"),
		SortKey:        stringKey("instance"),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
	h.Drains = table
}

func stringKey(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}
