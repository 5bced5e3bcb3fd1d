package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/test/region"
)

// observer receives every notification of the hooks: a queue behind
// the notices topic and behind the event bus.
type observer struct {
	queue *sqs.Client
	url   string

	mu     sync.Mutex
	emails []email
	events []outcome
}

// email is a notification as operators get it.
type email struct{ Subject, Message string }

// outcome is a notification as other systems get it.
type outcome struct {
	Application      string  `json:"application"`
	DeploymentGroup  string  `json:"deploymentGroup"`
	AutoScalingGroup string  `json:"autoScalingGroup"`
	Outcome          string  `json:"outcome"`
	Reason           string  `json:"reason"`
	Instances        []about `json:"instances"`
	Tenant           string  `json:"tenant"`
	Kind             string  `json:"kind"`
}

// about is an instance that an outcome is about.
type about struct {
	Instance string `json:"instance"`
	Cause    string `json:"cause"`
}

func newObserver(ctx context.Context, c *cloud) (*observer, error) {
	const name = "observer"
	arn := "arn:aws:sqs:" + region.Name + ":" + region.Account + ":" + name
	o := &observer{queue: sqs.NewFromConfig(c.config)}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["sns.amazonaws.com","events.amazonaws.com"]},"Action":"sqs:SendMessage","Resource":"` + arn + `"}]}`
	queue, err := o.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: map[string]string{"Policy": policy}})
	if err != nil {
		return nil, err
	}
	o.url = *queue.QueueUrl
	topic := c.outputs[config.NoticeTopicOutput]
	if _, err := sns.NewFromConfig(c.config).Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: &arn}); err != nil {
		return nil, err
	}
	bus := eventbridge.NewFromConfig(c.config)
	if _, err := bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String(name), EventPattern: aws.String(`{"source":["deployhooks.repair","deployhooks.drain","deployhooks.intake"]}`)}); err != nil {
		return nil, err
	}
	_, err = bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String(name), Targets: []eventbridgetypes.Target{{Id: aws.String(name), Arn: &arn}}})
	return o, err
}

// soFar is what has arrived, for people.
func (o *observer) soFar() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprint(o.emails, o.events)
}

// emailOf is the text of the first notification whose subject names something.
func (o *observer) emailOf(subject string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.emails {
		if strings.Contains(m.Subject, subject) {
			return m.Message
		}
	}
	return ""
}

// receive takes what has arrived.
func (o *observer) receive(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		out, err := o.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &o.url, MaxNumberOfMessages: 10})
		if err != nil {
			return err
		}
		for _, m := range out.Messages {
			if err := o.take(*m.Body); err != nil {
				return err
			}
			if _, err := o.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &o.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return err
			}
		}
		if len(out.Messages) == 0 {
			return nil
		}
	}
}

func (o *observer) take(body string) error {
	var message struct {
		email
		Detail *outcome `json:"detail"`
	}
	if err := json.Unmarshal([]byte(body), &message); err != nil {
		return fmt.Errorf("a notification cannot be read: %q: %w", body, err)
	}
	if message.Detail != nil {
		o.events = append(o.events, *message.Detail)
	} else {
		o.emails = append(o.emails, message.email)
	}
	return nil
}

// notifiedOf says whether operators and other systems have both been notified that a
// service was repaired.
func (o *observer) notifiedOf(s region.Service) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.emails, func(m email) bool {
		return strings.Contains(m.Subject, "repaired") && strings.Contains(m.Message, s.Application) && strings.Contains(m.Message, s.DeploymentGroup)
	}) && slices.ContainsFunc(o.events, func(e outcome) bool {
		return e.Application == s.Application && e.DeploymentGroup == s.DeploymentGroup && e.Outcome == "repaired"
	})
}

// notifiedOfEnd says whether operators and other systems have both been notified that an
// instance of a group is drained, what has caused that, and that its command
// has run.
func (o *observer) notifiedOfEnd(group, instance, cause string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.emails, func(m email) bool {
		return strings.Contains(m.Message, group) && strings.Contains(m.Message, instance+" ("+cause+")") && strings.Contains(m.Message, shutdownOutput)
	}) && slices.ContainsFunc(o.events, func(e outcome) bool {
		return e.AutoScalingGroup == group && e.Outcome == "drained" && slices.Contains(e.Instances, about{instance, cause})
	})
}

// announcedMaintenance says whether operators and other systems have both been notified of what
// AWS has announced about an instance.
func (o *observer) announcedMaintenance(instance, code string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.emails, func(m email) bool {
		return strings.Contains(m.Subject, "maintenance announced") && strings.Contains(m.Message, code) && strings.Contains(m.Message, instance)
	}) && slices.ContainsFunc(o.events, func(e outcome) bool {
		return e.Outcome == "announced" && strings.Contains(e.Reason, code) && slices.Contains(e.Instances, about{Instance: instance})
	})
}

// notifiedOfOperation says whether operators and other systems have both been notified
// of a state of a tenant's operation.
func (o *observer) notifiedOfOperation(kind registry.OperationKind, tenant string, state registry.OperationState) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.emails, func(m email) bool {
		return strings.Contains(m.Subject, fmt.Sprintf("%s of tenant %s: %s", kind, tenant, state))
	}) && slices.ContainsFunc(o.events, func(e outcome) bool {
		return e.Tenant == tenant && e.Kind == string(kind) && e.Outcome == string(state)
	})
}
