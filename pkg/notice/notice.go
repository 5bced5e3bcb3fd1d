// Package notice is the one door out to people and to other systems: it tells
// what a function has done, and why.
//
// Every outcome is counted as a metric; those that are news are also sent to
// an SNS topic, in words for people, and to an EventBridge bus, as JSON for
// other systems.
package notice

import (
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

	"deployhooks/pkg/fault"
)

// DetailType is the detail-type of every EventBridge event sent here.
const DetailType = "Deployment Hook Outcome"

// Config is where notices go, from the function's environment.
type Config struct {
	// TopicARN is the SNS topic for people.
	TopicARN string `env:"TOPIC_ARN,required,notEmpty"`
	// EventBus is the name or ARN of the EventBridge bus for other systems.
	EventBus string `env:"EVENT_BUS" envDefault:"default"`
}

// Topics is what a notice asks of SNS.
type Topics interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Buses is what a notice asks of EventBridge.
type Buses interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Notice is an outcome to tell.
type Notice struct {
	// Subject is one line; SNS gets it in ASCII and cut to 100 characters.
	Subject string
	// Text is for people, in whole sentences.
	Text string
	// Detail is the same for machines; it becomes the event's detail.
	Detail any
}

// Publisher sends the notices of one function.
type Publisher struct {
	cfg      Config
	function string
	topics   Topics
	buses    Buses
	now      func() time.Time

	writing sync.Mutex // of metrics
	metrics io.Writer
}

// New makes a Publisher for the function of that name, which is the metric's
// dimension and, behind "deployhooks.", the events' source. Metrics are written
// as CloudWatch embedded metric format, one line each, to where Lambda reads
// logs from.
func New(cfg Config, function string, topics Topics, buses Buses, metrics io.Writer, now func() time.Time) *Publisher {
	return &Publisher{cfg: cfg, function: function, topics: topics, buses: buses, metrics: metrics, now: now}
}

// Tell sends a notice to other systems and then to people. If it fails it is to
// be told again; people, who come last, are not told twice then. Where the
// function may not tell other systems, people are told that too.
func (p *Publisher) Tell(ctx context.Context, n Notice) error {
	detail, err := json.Marshal(n.Detail)
	if err != nil {
		return fmt.Errorf("tell %q: %w", n.Subject, err)
	}
	out, err := p.buses.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventbridgetypes.PutEventsRequestEntry{{
		EventBusName: &p.cfg.EventBus,
		Source:       aws.String("deployhooks." + p.function),
		DetailType:   aws.String(DetailType),
		Detail:       aws.String(string(detail)),
	}}})
	if err == nil && out.FailedEntryCount > 0 {
		// PutEvents succeeds as a call although an entry fails.
		err = fmt.Errorf("EventBridge did not take the event: %w", failure(out.Entries))
	}
	switch {
	case err != nil && fault.Of(err) == fault.Denied:
		// No retry helps, and people are the ones who can mend it.
		n.Text += fmt.Sprintf("\n\nOther systems were not told of this: %s. %s\n", fault.Message(err), fault.Remedy(err))
	case err != nil:
		return fmt.Errorf("tell %q: %w", n.Subject, err)
	}
	_, err = p.topics.Publish(ctx, &sns.PublishInput{
		TopicArn: &p.cfg.TopicARN,
		Subject:  aws.String(subject(n.Subject)),
		Message:  aws.String(n.Text),
	})
	if err != nil {
		return fmt.Errorf("tell %q: %w", n.Subject, err)
	}
	return nil
}

func failure(entries []eventbridgetypes.PutEventsResultEntry) error {
	for _, e := range entries {
		if code := aws.ToString(e.ErrorCode); code != "" {
			return errors.New(code + ": " + aws.ToString(e.ErrorMessage))
		}
	}
	return errors.New("no reason given")
}

// subjectLimit is what SNS takes for a subject: "less than 100 characters",
// ASCII, without line breaks (Publish, Amazon SNS API Reference).
const subjectLimit = 99

// subject makes a text fit for SNS.
func subject(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(ascii) > subjectLimit {
		ascii = ascii[:subjectLimit-3] + "..."
	}
	return ascii
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
	p.writing.Lock()
	defer p.writing.Unlock()
	_, _ = p.metrics.Write(append(line, '\n'))
}
