package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
)

// The topics take TLS only. They have no KMS key: SNS keeps messages on
// encrypted disks by default, what they hold are names of deployments, and
// with AWS's own SNS key neither CloudWatch alarms nor other services could
// publish (SNS developer guide, "Enable compatibility between event sources
// from AWS services and encrypted topics").

// newTriggerTopic makes the topic that CodeDeploy triggers publish to.
func (s *hooks) newTriggerTopic() awssns.Topic {
	topic := awssns.NewTopic(s.Stack, jsii.String("Triggers"), &awssns.TopicProps{
		DisplayName: jsii.String("CodeDeploy triggers for deployhooks"),
		EnforceSSL:  jsii.Bool(true),
	})
	topic.AddToResourcePolicy(s.publishBy("codedeploy.amazonaws.com", topic))
	return topic
}

// newNoticeTopic makes the topic that people read.
func (s *hooks) newNoticeTopic(cfg config.Hooks) awssns.Topic {
	topic := awssns.NewTopic(s.Stack, jsii.String("Notices"), &awssns.TopicProps{
		DisplayName: jsii.String("deployhooks"),
		EnforceSSL:  jsii.Bool(true),
	})
	topic.AddToResourcePolicy(s.publishBy("cloudwatch.amazonaws.com", topic))
	for _, address := range cfg.NotifyEmails {
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(address), nil))
	}
	return topic
}

// publishBy lets an AWS service publish on behalf of this account and of no
// other. CodeDeploy publishes with the deployment group's service role, which
// its own policy allows; the statement covers service roles that lack it.
func (s *hooks) publishBy(service string, topic awssns.Topic) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("AllowPublishByService"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(service), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Account()}},
	})
}

// alarmTopic is the configured one, or the topic of the notices.
func (s *hooks) alarmTopic(cfg config.Hooks, notices awssns.Topic) awssns.ITopic {
	if cfg.AlarmTopicARN == "" {
		return notices
	}
	return awssns.Topic_FromTopicArn(s.Stack, jsii.String("Alarms"), jsii.String(cfg.AlarmTopicARN))
}
