package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/fault"
)

const (
	topicARN = "arn:aws:sns:eu-west-1:123456789012:operators"
	alarmARN = "arn:aws:sns:eu-west-1:123456789012:alarms"
)

// way is one way out: a topic or the bus. It fails as often as it says, or always.
type way struct {
	err  error
	sent []string
}

func (w *way) take(text string) error {
	if w.err == nil {
		w.sent = append(w.sent, text)
	}
	return w.err
}

// ways are all ways out of a Publisher.
type ways struct {
	bus, topic, alarm way
	event             eventbridgetypes.PutEventsRequestEntry
	message           *sns.PublishInput
	entryFails        *eventbridgetypes.PutEventsResultEntry
}

func (w *ways) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	w.message = in
	if *in.TopicArn == alarmARN {
		return &sns.PublishOutput{}, w.alarm.take(*in.Message)
	}
	return &sns.PublishOutput{}, w.topic.take(*in.Message)
}

func (w *ways) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	w.event = in.Entries[0]
	if w.entryFails != nil {
		return &eventbridge.PutEventsOutput{FailedEntryCount: 1, Entries: []eventbridgetypes.PutEventsResultEntry{*w.entryFails}}, nil
	}
	return &eventbridge.PutEventsOutput{}, w.bus.take(*in.Entries[0].Detail)
}

func (w *ways) publisher(metrics io.Writer) *Publisher {
	cfg := Config{TopicARN: topicARN, AlarmTopicARN: alarmARN, EventBus: "default"}
	return New(cfg, "repair", w, w, metrics, func() time.Time { return time.UnixMilli(1700000000000) })
}

func call(service, operation string, answer error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: answer}
}

func TestPublish(t *testing.T) {
	var w ways
	n := Notice{Subject: "Repaired: shop/wéb", Text: "Attached wéb.", Detail: json.RawMessage(`{"outcome":"repaired"}`)}
	if err := w.publisher(io.Discard).Publish(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if m := w.message; *m.TopicArn != topicARN || *m.Subject != "Repaired: shop/w?b" || *m.Message != "Attached wéb." {
		t.Errorf("operators get %q, %q at %s", *m.Subject, *m.Message, *m.TopicArn)
	}
	if e := w.event; *e.EventBusName != "default" || *e.Source != "deployhooks.repair" || *e.DetailType != DetailType || *e.Detail != `{"outcome":"repaired"}` {
		t.Errorf("machines get %s %s %s on %s", *e.Source, *e.DetailType, *e.Detail, *e.EventBusName)
	}
}

// TestPublishWhereAWayFails holds who gets a notification, how often, and what is
// said of the way that failed.
func TestPublishWhereAWayFails(t *testing.T) {
	outage := func(service string) error { return call(service, "Call", errors.New("connection reset")) }
	denied := call(sns.ServiceID, "Publish", &snstypes.AuthorizationErrorException{Message: aws.String("no")})
	gone := call(sns.ServiceID, "Publish", &snstypes.NotFoundException{Message: aws.String("Topic does not exist")})
	for name, c := range map[string]struct {
		ways           ways
		actionRequired bool
		tries          int      // that failed before
		again          bool     // it is to be sent again
		bus            int      // how often each gets it
		topic, alarm   []string // what each reads besides the text
		harm           string
	}{
		"all work":                     {bus: 1, topic: []string{""}, harm: "nobody is notified"},
		"all work, action required":    {actionRequired: true, bus: 1, topic: []string{""}, alarm: []string{""}, harm: "nobody is paged"},
		"the bus is down":              {ways: ways{bus: way{err: outage("EventBridge")}}, tries: 2, again: true, harm: "operators get the notification with each retry"},
		"the bus stays down":           {ways: ways{bus: way{err: outage("EventBridge")}}, tries: 3, topic: []string{"event bus default did not get this: "}, harm: "an outage of EventBridge keeps operators in the dark"},
		"the alarm topic stays down":   {ways: ways{alarm: way{err: outage("SNS")}}, actionRequired: true, tries: 3, bus: 1, topic: []string{"topic " + alarmARN + " did not get this: "}, harm: "one topic keeps the other from being notified"},
		"the topic stays down":         {ways: ways{topic: way{err: outage("SNS")}}, tries: 3, again: true, bus: 1, harm: "the notification is lost"},
		"the topic is down":            {ways: ways{topic: way{err: outage("SNS")}}, again: true, bus: 1, harm: "the notification is lost"},
		"the alarm topic is down":      {ways: ways{alarm: way{err: outage("SNS")}}, actionRequired: true, again: true, bus: 1, harm: "operators get the notification with each retry, or nobody is paged"},
		"the bus denies":               {ways: ways{bus: way{err: call("EventBridge", "PutEvents", &smithy.GenericAPIError{Code: "AccessDeniedException"})}}, topic: []string{"event bus default did not get this: AccessDeniedException. Allow events:PutEvents"}, harm: "operators wait for what no retry can send"},
		"the bus is gone":              {ways: ways{bus: way{err: call("EventBridge", "PutEvents", &eventbridgetypes.ResourceNotFoundException{})}}, topic: []string{"event bus default did not get this: ResourceNotFoundException."}, harm: "operators wait for what no retry can send"},
		"the bus throttles the event":  {ways: ways{entryFails: &eventbridgetypes.PutEventsResultEntry{ErrorCode: aws.String("ThrottlingException")}}, again: true, harm: "the event is lost silently"},
		"the bus refuses the event":    {ways: ways{entryFails: &eventbridgetypes.PutEventsResultEntry{ErrorCode: aws.String("MalformedDetail"), ErrorMessage: aws.String("no JSON")}}, topic: []string{"MalformedDetail: no JSON."}, harm: "operators wait for what no retry can send"},
		"the bus fails without reason": {ways: ways{entryFails: &eventbridgetypes.PutEventsResultEntry{}}, again: true, harm: "the event is lost silently"},
		"the topic denies":             {ways: ways{topic: way{err: denied}}, again: true, bus: 1, harm: "the notification is lost"},
		"the topic denies, action required": {ways: ways{topic: way{err: denied}}, actionRequired: true, bus: 1,
			alarm: []string{"", "topic " + topicARN + " did not get this: AuthorizationError: no. Allow sns:Publish"}, harm: "operators are paged with each retry, or never learn of the topic"},
		"the alarm topic is gone": {ways: ways{alarm: way{err: gone}}, actionRequired: true, bus: 1,
			topic: []string{"topic " + alarmARN + " did not get this: NotFound: Topic does not exist."}, harm: "nobody learns that pages are lost"},
		"both topics deny": {ways: ways{topic: way{err: denied}, alarm: way{err: denied}}, actionRequired: true, again: true, bus: 1, harm: "the notification is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.ways
			err := w.publisher(io.Discard).Publish(t.Context(), Notice{ActionRequired: c.actionRequired, Tries: c.tries, Subject: "subject", Text: "The text.", Detail: json.RawMessage(`{}`)})
			if (err != nil) != c.again || err != nil && (!fault.IsOwn(err) || !strings.Contains(err.Error(), `"subject"`)) {
				t.Errorf("%v: %s", err, c.harm)
			}
			if len(w.bus.sent) != c.bus {
				t.Errorf("the bus gets it %d times: %s", len(w.bus.sent), c.harm)
			}
			for topic, got := range map[string][2][]string{"the topic": {w.topic.sent, c.topic}, "the alarm topic": {w.alarm.sent, c.alarm}} {
				sent, want := got[0], got[1]
				if !slices.EqualFunc(sent, want, func(text, more string) bool {
					return strings.HasPrefix(text, "The text.") && strings.Contains(text, more) && (more != "" || text == "The text.")
				}) {
					t.Errorf("%s gets %q, want %q: %s", topic, sent, want, c.harm)
				}
			}
		})
	}
}

func TestOneTopic(t *testing.T) {
	for _, alarm := range []string{"", topicARN} {
		var w ways
		p := w.publisher(io.Discard)
		p.cfg.AlarmTopicARN = alarm
		if err := p.Publish(t.Context(), Notice{ActionRequired: true, Subject: "s", Text: "t"}); err != nil || len(w.topic.sent) != 1 {
			t.Errorf("with the alarm topic %q, the topic gets it %d times, %v", alarm, len(w.topic.sent), err)
		}
	}
}

// TestNoticeInALedger holds that a notification reads the same after it has been
// stored.
func TestNoticeInALedger(t *testing.T) {
	for _, n := range []Notice{{Subject: "s", Text: "t"}, {ActionRequired: true, Subject: "s", Text: "t", Detail: json.RawMessage(`{"outcome":"repaired"}`)}} {
		text, err := json.Marshal(Ledger[Notice]{}.Add("m", n))
		if err != nil {
			t.Fatal(err)
		}
		var stored Ledger[Notice]
		if err := json.Unmarshal(text, &stored); err != nil {
			t.Fatal(err)
		}
		var before, after ways
		for w, n := range map[*ways]Notice{&before: n, &after: stored.Outbox[0].Notice} {
			if err := w.publisher(io.Discard).Publish(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if *after.event.Detail != *before.event.Detail || (*after.event.Detail)[0] != '{' {
			t.Errorf("stored, the detail %s is %s: EventBridge refuses what is no object", *before.event.Detail, *after.event.Detail)
		}
	}
}

func TestSubject(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                  "plain",
		"two\nlines":             "two?lines",
		" begun by a space":      "begun by a space",
		"":                       "deployhooks",
		strings.Repeat("x", 99):  strings.Repeat("x", 99),
		strings.Repeat("x", 200): strings.Repeat("x", 96) + "...",
		strings.Repeat("ü", 99):  strings.Repeat("?", 99),
	} {
		if got := subject(text); got != want {
			t.Errorf("%q becomes %q, want %q: SNS refuses the notification", text, got, want)
		}
	}
}

func TestLongText(t *testing.T) {
	var w ways
	if err := w.publisher(io.Discard).Publish(t.Context(), Notice{Subject: "s", Text: "x" + strings.Repeat("ü", 200_000)}); err != nil {
		t.Fatal(err)
	}
	if text := w.topic.sent[0]; len(text) > textLimit || len(text) < textLimit-4 || !utf8.ValidString(text) {
		t.Errorf("%d bytes are sent: SNS refuses the notification, or operators get little of it", len(text))
	}
}

// exclusive notices when two write at the same time.
type exclusive struct {
	bytes.Buffer
	writers, overlaps atomic.Int32
}

func (e *exclusive) Write(line []byte) (int, error) {
	if e.writers.Add(1) > 1 {
		e.overlaps.Add(1)
		e.writers.Add(-1)
		return len(line), nil
	}
	defer e.writers.Add(-1)
	for range 10 {
		runtime.Gosched()
	}
	return e.Buffer.Write(line)
}

// TestCount holds that metrics are in CloudWatch's embedded metric format, one line
// each, whoever writes at the same time.
func TestCount(t *testing.T) {
	var out exclusive
	p := new(ways).publisher(&out)
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() { p.Count(fmt.Sprintf("outcome-%d", n)) })
	}
	all.Wait()
	if out.overlaps.Load() > 0 {
		t.Error("two write at the same time: lines of metrics are mixed up")
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 50 {
		t.Fatalf("%d lines for 50 outcomes: outcomes are not counted", len(lines))
	}
	for _, text := range lines {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		metadata := line["_aws"].(map[string]any)
		directive := metadata["CloudWatchMetrics"].([]any)[0].(map[string]any)
		for _, dimension := range directive["Dimensions"].([]any)[0].([]any) {
			if line[dimension.(string)] == nil {
				t.Errorf("dimension %s has no value, and CloudWatch drops the metric", dimension)
			}
		}
		metric := directive["Metrics"].([]any)[0].(map[string]any)["Name"].(string)
		if line[metric] != 1.0 || directive["Namespace"] != Namespace || line["Function"] != "repair" || metadata["Timestamp"] != 1700000000000.0 {
			t.Errorf("got %s: the outcome is not counted where the alarms look", text)
		}
	}
}

// TestMeasure holds that values are metrics of one environment, in the embedded format.
func TestMeasure(t *testing.T) {
	var out exclusive
	new(ways).publisher(&out).Measure("training", Value{Name: "AgeOfProof", Value: 2.5}, Value{Name: "ProofSeconds", Unit: "Seconds", Value: 60})
	const want = `{"AgeOfProof":2.5,"Environment":"training","ProofSeconds":60,"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"deployhooks",` +
		`"Dimensions":[["Environment"]],"Metrics":[{"Name":"AgeOfProof","Unit":"None"},{"Name":"ProofSeconds","Unit":"Seconds"}]}]}}` + "\n"
	if out.String() != want {
		t.Errorf("wrote %s: the alarms have no data", out.String())
	}
}
