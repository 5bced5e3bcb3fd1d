package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

type fakeTopics struct{ sent []*sns.PublishInput }

func (f *fakeTopics) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	f.sent = append(f.sent, in)
	return &sns.PublishOutput{}, nil
}

type fakeBus struct {
	sent   []eventbridgetypes.PutEventsRequestEntry
	refuse bool
}

func (f *fakeBus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if f.refuse {
		return &eventbridge.PutEventsOutput{FailedEntryCount: 1, Entries: []eventbridgetypes.PutEventsResultEntry{{
			ErrorCode: aws.String("ThrottlingException"), ErrorMessage: aws.String("slow down")}}}, nil
	}
	f.sent = append(f.sent, in.Entries...)
	return &eventbridge.PutEventsOutput{}, nil
}

func publisher(out *bytes.Buffer) (*Publisher, *fakeTopics, *fakeBus) {
	topics, bus := &fakeTopics{}, &fakeBus{}
	return New(Config{TopicARN: "arn:topic", EventBus: "default"}, "repair", topics, bus, out, func() time.Time { return time.UnixMilli(1700000000000) }), topics, bus
}

func TestTellGoesBothWays(t *testing.T) {
	p, topics, bus := publisher(&bytes.Buffer{})
	if err := p.Tell(t.Context(), Notice{Subject: "Repaired: shop/wéb", Text: "All is well in wéb.", Detail: map[string]string{"outcome": "repaired"}}); err != nil {
		t.Fatal(err)
	}
	if got := topics.sent[0]; *got.Subject != "Repaired: shop/w?b" || *got.Message != "All is well in wéb." {
		t.Errorf("people get %q, %q", *got.Subject, *got.Message)
	}
	if got := bus.sent[0]; *got.Source != "deployhooks.repair" || *got.DetailType != DetailType || *got.Detail != `{"outcome":"repaired"}` {
		t.Errorf("systems get %s %s %s", *got.Source, *got.DetailType, *got.Detail)
	}
}

func TestTellFailsWhenEventBridgeTakesTheCallAndNotTheEvent(t *testing.T) {
	p, topics, bus := publisher(&bytes.Buffer{})
	bus.refuse = true
	if err := p.Tell(t.Context(), Notice{}); err == nil || !strings.Contains(err.Error(), "slow down") {
		t.Errorf("the event is lost without a word: %v", err)
	}
	if len(topics.sent) != 0 {
		t.Error("people are told, and will be told again with every try")
	}
}

func TestSubjectFitsSNS(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                  "plain",
		"two\nlines":             "two?lines",
		strings.Repeat("x", 200): strings.Repeat("x", 96) + "...",
		strings.Repeat("ü", 99):  strings.Repeat("?", 99),
	} {
		if got := subject(text); got != want {
			t.Errorf("%q becomes %q, want %q: SNS refuses the notice", text, got, want)
		}
	}
}

func TestCountIsEmbeddedMetricFormat(t *testing.T) {
	var out bytes.Buffer
	p, _, _ := publisher(&out)
	p.Count("repaired")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	directive := line["_aws"].(map[string]any)["CloudWatchMetrics"].([]any)[0].(map[string]any)
	for _, dimension := range directive["Dimensions"].([]any)[0].([]any) {
		if line[dimension.(string)] == nil {
			t.Errorf("dimension %s has no value, and CloudWatch drops the metric", dimension)
		}
	}
	if line["Outcomes"] != 1.0 || directive["Namespace"] != Namespace {
		t.Errorf("got %s", out.Bytes())
	}
}
