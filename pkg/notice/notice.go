// Package notice notifies operators and other systems of what a function has done,
// and why.
//
// Every outcome is counted as a metric. Notifications go to an SNS topic, as text
// for operators, and to an EventBridge bus, as JSON for machines. A [Ledger] keeps
// what was notified, so that each matter is notified once.
package notice

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/fault"
)

// DetailType is the detail-type of every EventBridge event sent here.
const DetailType = "Deployment Hook Outcome"

// Config is where notices go, from the function's environment.
type Config struct {
	// TopicARN is the SNS topic for operators.
	TopicARN string `env:"TOPIC_ARN,required,notEmpty"`
	// AlarmTopicARN is the SNS topic that alarms go to; notifications that require
	// action go there as well. Empty, or the same as TopicARN, means no second
	// topic.
	AlarmTopicARN string `env:"ALARM_TOPIC_ARN"`
	// EventBus is the name or ARN of the EventBridge bus for other systems.
	EventBus string `env:"EVENT_BUS" envDefault:"default"`
}

// Topics is what a [Publisher] calls of SNS.
type Topics interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Buses is what a [Publisher] calls of EventBridge.
type Buses interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Notice is one notification.
type Notice struct {
	// ActionRequired means that an operator has to do something.
	ActionRequired bool `json:"actionRequired,omitempty"`
	// Subject is one line; SNS gets it in ASCII and cut to 100 characters.
	Subject string `json:"subject"`
	// Text is for operators, in whole sentences.
	Text string `json:"text"`
	// Detail is the same for machines; it becomes the event's detail.
	Detail json.RawMessage `json:"detail,omitempty"`
	// Tries is how often sending failed before: see [Entry].
	Tries int `json:"-"`
}

// Publisher sends the notifications of one function.
type Publisher struct {
	cfg      Config
	function string
	topics   Topics
	buses    Buses
	now      func() time.Time

	mu      sync.Mutex // serializes the lines of metrics
	metrics io.Writer
}

// New makes a Publisher for the function of that name, which is the metric's
// dimension and, behind "deployhooks.", the events' source. Metrics are written as
// CloudWatch embedded metric format, one line each, to where Lambda reads logs
// from.
func New(cfg Config, function string, topics Topics, buses Buses, metrics io.Writer, now func() time.Time) *Publisher {
	return &Publisher{cfg: cfg, function: function, topics: topics, buses: buses, metrics: metrics, now: now}
}

// Publish sends a notification to the bus and then to operators: to the alarm topic
// where it requires action, and to the topic. If it fails it is to be sent again;
// operators, who come last, get it twice only where one of their two topics failed.
//
// Where one of them fails and no retry can help, such as where a call is denied, or
// where several tries did not, the notification on the others says so, and is not
// sent again: operators are those who can fix it. The error is marked with fault.Own.
func (p *Publisher) Publish(ctx context.Context, n Notice) error {
	retry := func(err error) bool { return fault.MayPass(err) && n.Tries < waitTries }
	if err := p.putEvent(ctx, n); err != nil {
		if retry(err) {
			return p.failed(n, err)
		}
		n.Text += missed("event bus "+p.cfg.EventBus, err)
	}
	topics := []string{p.cfg.TopicARN}
	if n.ActionRequired && p.cfg.AlarmTopicARN != "" && p.cfg.AlarmTopicARN != p.cfg.TopicARN {
		topics = []string{p.cfg.AlarmTopicARN, p.cfg.TopicARN}
	}
	var delivered string // the topic that took it
	var err error        // of the last topic
	for _, topic := range topics {
		switch err = p.publish(ctx, topic, n); {
		case err == nil:
			delivered = topic
		case retry(err):
			return p.failed(n, err)
		default:
			n.Text += missed("topic "+topic, err)
		}
	}
	if err != nil && delivered != "" { // its subscribers do not know yet that the others do not have it
		err = p.publish(ctx, delivered, n)
	}
	return p.failed(n, err)
}

// waitTries is how often a notification waits for a way that fails.
const waitTries = 3

func (p *Publisher) failed(n Notice, err error) error {
	if err == nil {
		return nil
	}
	return fault.Own(fmt.Errorf("notify %q: %w", n.Subject, err))
}

// missed says in a notification what did not take it.
func missed(what string, err error) string {
	text := fmt.Sprintf("\n\nThe %s did not get this: %s.", what, fault.Message(err))
	if fault.Is(err, fault.Denied) {
		text += " " + fault.AllowRemedy(err)
	}
	return text + "\n"
}

func (p *Publisher) putEvent(ctx context.Context, n Notice) error {
	detail := n.Detail
	if len(detail) == 0 {
		detail = json.RawMessage("{}")
	}
	out, err := p.buses.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventbridgetypes.PutEventsRequestEntry{{
		EventBusName: &p.cfg.EventBus,
		Source:       aws.String("deployhooks." + p.function),
		DetailType:   aws.String(DetailType),
		Detail:       aws.String(string(detail)),
	}}})
	if err == nil && out.FailedEntryCount > 0 {
		// PutEvents succeeds as a call although an entry fails.
		err = &smithy.OperationError{ServiceID: eventbridge.ServiceID, OperationName: "PutEvents", Err: failure(out.Entries)}
	}
	return err
}

// failure is the error of the first entry that failed.
func failure(entries []eventbridgetypes.PutEventsResultEntry) error {
	for _, e := range entries {
		if code := aws.ToString(e.ErrorCode); code != "" {
			return &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.ErrorMessage)}
		}
	}
	return errors.New("no reason given")
}

func (p *Publisher) publish(ctx context.Context, topic string, n Notice) error {
	if len(n.Text) > textLimit {
		n.Text = strings.ToValidUTF8(n.Text[:textLimit], "")
	}
	_, err := p.topics.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Subject: aws.String(subject(n.Subject)), Message: aws.String(n.Text)})
	return err
}

// textLimit is how many bytes of text SNS takes: 256 KiB with the subject and the
// rest (Publish, Amazon SNS API Reference).
const textLimit = 255 << 10

// subjectLimit is what SNS takes for a subject: "less than 100 characters", ASCII,
// without line breaks, not empty and not begun by a space (Publish, Amazon SNS API
// Reference).
const subjectLimit = 99

// subject makes a text fit for SNS.
func subject(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSpace(text))
	if len(ascii) > subjectLimit {
		ascii = ascii[:subjectLimit-3] + "..."
	}
	return cmp.Or(ascii, Namespace)
}

// metric is one line of the CloudWatch embedded metric format.
type metric struct {
	AWS      metadata `json:"_aws"`
	Function string
	Outcome  string
	Outcomes int
}

type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// Namespace is the CloudWatch namespace of the metrics. The one metric is
// Outcomes, a count, with the dimensions Function and Outcome.
const Namespace = "deployhooks"

// Count counts an outcome. A metric that cannot be written is lost: the log,
// which has the same writer, is lost with it.
func (p *Publisher) Count(outcome string) {
	line, err := json.Marshal(metric{
		AWS: metadata{Timestamp: p.now().UnixMilli(), CloudWatchMetrics: []directive{{
			Namespace: Namespace, Dimensions: [][]string{{"Function", "Outcome"}}, Metrics: []definition{{"Outcomes", "Count"}},
		}}},
		Function: p.function, Outcome: outcome, Outcomes: 1,
	})
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.metrics.Write(append(line, '\n'))
}
