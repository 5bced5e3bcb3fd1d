package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// pattern takes the events that the hooks are about, and what they say themselves.
const pattern = `{"source":["aws.codedeploy","aws.autoscaling","deployhooks.repair","deployhooks.drain"]}`

// subscribe makes the temporary queue and the rule that feeds it, and returns the queue's
// URL, also with an error if the queue was made.
func (r *recorder) subscribe(ctx context.Context) (string, error) {
	rule, err := r.buses.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &r.name, EventPattern: aws.String(pattern), Description: aws.String("Temporary: records a release"),
	})
	if err != nil {
		return "", fmt.Errorf("make the rule %s: %w", r.name, err)
	}
	queueARN := strings.Replace(aws.ToString(rule.RuleArn), ":events:", ":sqs:", 1)
	queueARN = queueARN[:strings.LastIndex(queueARN, ":")+1] + r.name
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queueARN,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule.RuleArn}},
	}}})
	if err != nil {
		return "", fmt.Errorf("write the policy of queue %s: %w", r.name, err)
	}
	queue, err := r.queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &r.name, Attributes: map[string]string{"Policy": string(policy), "SqsManagedSseEnabled": "true"}})
	if err != nil {
		return "", fmt.Errorf("make the queue %s: %w", r.name, err)
	}
	out, err := r.buses.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &r.name, Targets: []eventbridgetypes.Target{{Id: &r.name, Arn: &queueARN}}})
	if err == nil && out.FailedEntryCount > 0 {
		err = errors.New(aws.ToString(out.FailedEntries[0].ErrorMessage))
	}
	if err != nil {
		return *queue.QueueUrl, fmt.Errorf("have the rule %s send to its queue: %w", r.name, err)
	}
	return *queue.QueueUrl, nil
}

// unsubscribe removes the rule and the queue, as far as they were made.
func (r *recorder) unsubscribe(ctx context.Context, queue string) error {
	var missing *eventbridgetypes.ResourceNotFoundException
	_, err := r.buses.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &r.name, Ids: []string{r.name}})
	if err == nil || errors.As(err, &missing) {
		_, err = r.buses.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &r.name})
	}
	if errors.As(err, &missing) {
		err = nil
	}
	if queue != "" {
		_, queueErr := r.queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &queue})
		err = errors.Join(err, queueErr)
	}
	if err != nil {
		return fmt.Errorf("remove the rule and the queue %s, which you have to remove now: %w", r.name, err)
	}
	return nil
}

// receive takes the events that have arrived. It waits a second, because without waiting
// SQS asks only some of its servers ("Amazon SQS short and long polling", SQS developer
// guide).
func (r *recorder) receive(ctx context.Context, queue string) error {
	for {
		out, err := r.queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			return fmt.Errorf("receive events: %w", err)
		}
		for _, m := range out.Messages {
			if err := r.keepEvent([]byte(aws.ToString(m.Body))); err != nil {
				return err
			}
			if _, err := r.queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return fmt.Errorf("receive events: %w", err)
			}
		}
		if len(out.Messages) == 0 {
			return nil
		}
	}
}

// unusual are what names of files do not have.
var unusual = regexp.MustCompile(`[^a-z0-9]+`)

// keepEvent names an event as the fixtures in events/ are: by source and what it says.
func (r *recorder) keepEvent(body []byte) error {
	var event struct {
		Source     string    `json:"source"`
		DetailType string    `json:"detail-type"`
		Time       time.Time `json:"time"`
		Detail     struct {
			State, Outcome string
		} `json:"detail"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return fmt.Errorf("an event is no JSON: %w", err)
	}
	what := strings.ToLower(strings.ReplaceAll(event.DetailType, " ", "-"))
	for _, word := range []string{"codedeploy-", "ec2-", "-notification"} {
		what = strings.ReplaceAll(what, word, "")
	}
	if said := event.Detail.State + event.Detail.Outcome; said != "" {
		what += "-" + strings.ToLower(said)
	}
	what = strings.Trim(unusual.ReplaceAllString(what, "-"), "-") // anybody in the account may send events
	_, service, _ := strings.Cut(event.Source, ".")
	// The event's own time has seconds only, and may be long before its arrival.
	r.note(r.now(), service+"-eventbridge-"+what, fmt.Sprintf("event %s, of %s", event.DetailType, event.Time.Format(time.TimeOnly)), body)
	return nil
}

// trailSources are the services whose calls are looked up.
func trailSources() []string {
	return []string{"codedeploy.amazonaws.com", "autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "ec2.amazonaws.com"}
}

// lookUp adds CloudTrail's events of the time of the recording, once CloudTrail has them:
// it delivers within about five minutes on average (AWS CloudTrail User Guide, "How
// CloudTrail works"). What fails is said, and does not spoil the rest.
func (r *recorder) lookUp() {
	end := r.now()
	ctx, cancel := r.again()
	defer cancel()
	r.say("Waiting %v for CloudTrail. Ctrl-C leaves it out.", r.options.trail)
	if r.wait(ctx, r.options.trail) != nil {
		return
	}
	for _, source := range trailSources() {
		pages := cloudtrail.NewLookupEventsPaginator(r.trail, &cloudtrail.LookupEventsInput{
			StartTime: &r.begin, EndTime: &end,
			LookupAttributes: []cloudtrailtypes.LookupAttribute{{AttributeKey: cloudtrailtypes.LookupAttributeKeyEventSource, AttributeValue: aws.String(source)}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				r.say("  CloudTrail, %s: %v", source, err)
				break
			}
			for _, event := range page.Events {
				if aws.ToString(event.ReadOnly) != "true" {
					service, _, _ := strings.Cut(source, ".")
					r.note(aws.ToTime(event.EventTime), "cloudtrail-"+service+"-"+kebab(aws.ToString(event.EventName)), "call "+aws.ToString(event.EventName), []byte(aws.ToString(event.CloudTrailEvent)))
				}
			}
		}
	}
}
