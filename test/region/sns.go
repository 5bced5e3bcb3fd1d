package region

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// SNS has the methods of the SDK's sns.Client.
type SNS struct{ r *Region }

// SNS is the region's Simple Notification Service.
func (r *Region) SNS() SNS { return SNS{r} }

// Limits of a publication (API reference, Publish).
const (
	maxSubject   = 100
	maxPublished = 256 << 10
)

// Topic is an SNS topic.
type Topic struct {
	r             *Region
	name          string
	arn           string
	published     []Publication
	subscriptions []subscription
}

// Publication is what was published to a topic.
type Publication struct {
	Subject    string
	Message    string
	At         time.Time
	Attributes map[string]string
}

type subscription struct {
	queue *Queue
	raw   bool
}

// Topic is the topic of that name, made on first use.
func (r *Region) Topic(name string) *Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.topic(name)
}

func (r *Region) topic(name string) *Topic {
	a := arn("sns", name)
	if r.topics[a] == nil {
		r.topics[a] = &Topic{r: r, name: name, arn: a}
	}
	return r.topics[a]
}

// ARN is the topic's Amazon Resource Name.
func (t *Topic) ARN() string { return t.arn }

// Subscribe has the topic's messages put into a queue: raw, or wrapped in the
// envelope that SNS makes without raw message delivery.
func (t *Topic) Subscribe(q *Queue, raw bool) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.subscriptions = append(t.subscriptions, subscription{q, raw})
}

// Published is what was published to the topic, in order.
func (t *Topic) Published() []Publication {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return slices.Clone(t.published)
}

// Publish publishes a message to a topic.
func (v SNS) Publish(ctx context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	return call(ctx, v.r, sns.ServiceID, "Publish", in, "TopicArn TargetArn Message Subject MessageAttributes", v.r.publish)
}

func (r *Region) publish(in *sns.PublishInput) (*sns.PublishOutput, error) {
	t := r.topics[aws.ToString(or(in.TopicArn, in.TargetArn))]
	if t == nil {
		return nil, &types.NotFoundException{Message: aws.String("Topic does not exist")}
	}
	message, subject := aws.ToString(in.Message), aws.ToString(in.Subject)
	switch {
	case message == "":
		return nil, &types.InvalidParameterException{Message: aws.String("Invalid parameter: Empty message")}
	case len(message) > maxPublished:
		return nil, &types.InvalidParameterException{Message: aws.String("Invalid parameter: Message too long")}
	case in.Subject != nil && !goodSubject(subject):
		return nil, &types.InvalidParameterException{Message: aws.String("Invalid parameter: Subject")}
	}
	attributes := map[string]string{}
	for name, v := range in.MessageAttributes {
		attributes[name] = aws.ToString(v.StringValue)
	}
	id := r.publishToTopic(t, subject, message, Delivery{})
	t.published[len(t.published)-1].Attributes = attributes
	return &sns.PublishOutput{MessageId: aws.String(id)}, nil
}

// goodSubject: "Subjects must be UTF-8 text with no line breaks or control
// characters, and less than 100 characters long" (API reference).
func goodSubject(s string) bool {
	runes := []rune(s)
	return len(runes) > 0 && len(runes) < maxSubject && !slices.ContainsFunc(runes, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func (r *Region) publishToTopic(t *Topic, subject, message string, about Delivery) string {
	id := r.ids.uuid("notification")
	t.published = append(t.published, Publication{Subject: subject, Message: message, At: r.clock.now})
	about.Via = "SNS"
	for _, s := range t.subscriptions {
		payload := []byte(message)
		if !s.raw {
			payload = r.notification(t, id, subject, message)
		}
		r.deliver(s.queue, payload, about)
	}
	return id
}

// notification is the envelope of a message without raw delivery ("Amazon SNS
// message and JSON formats", HTTP/HTTPS notification JSON format).
func (r *Region) notification(t *Topic, id, subject, message string) []byte {
	return encode(struct {
		Type             string
		MessageID        string `json:"MessageId"`
		TopicArn         string
		Subject          string `json:",omitempty"`
		Message          string
		Timestamp        string
		SignatureVersion string
		Signature        string
		SigningCertURL   string
		UnsubscribeURL   string
	}{
		Type: "Notification", MessageID: id, TopicArn: t.arn, Subject: subject, Message: message,
		Timestamp:        r.clock.now.UTC().Format("2006-01-02T15:04:05.000Z"),
		SignatureVersion: "1", Signature: "EXAMPLE",
		SigningCertURL: "https://sns." + Name + ".amazonaws.com/SimpleNotificationService-example.pem",
		UnsubscribeURL: "https://sns." + Name + ".amazonaws.com/?Action=Unsubscribe&SubscriptionArn=" + t.arn + ":example",
	})
}
