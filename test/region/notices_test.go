package region_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/test/region"
)

func TestPublish(t *testing.T) {
	r := region.New(region.Options{})
	topic := r.Topic("notices")
	q := r.Queue("people").WithoutEvents()
	topic.Subscribe(q, true)
	publish := func(arn, subject, message string) error {
		return second(r.SNS().Publish(ctx, &sns.PublishInput{TopicArn: &arn, Subject: &subject, Message: &message}))
	}
	for name, tc := range map[string]struct{ arn, subject, message, code string }{
		"a notice":                   {topic.ARN(), "Repaired: shop/web", "text", ""},
		"a topic that is not there":  {topic.ARN() + "x", "Repaired", "text", "NotFound"},
		"a subject of 100":           {topic.ARN(), strings.Repeat("x", 100), "text", "InvalidParameter"},
		"a subject with a new line":  {topic.ARN(), "a\nb", "text", "InvalidParameter"},
		"an empty message":           {topic.ARN(), "Repaired", "", "InvalidParameter"},
		"a message of over 256 KiB":  {topic.ARN(), "Repaired", strings.Repeat("x", 256<<10+1), "InvalidParameter"},
		"a subject beyond ASCII":     {topic.ARN(), "Repaired: läden/web", "text", ""},
		"a notice of a largest size": {topic.ARN(), "Repaired", strings.Repeat("x", 256<<10), ""},
	} {
		if err := publish(tc.arn, tc.subject, tc.message); code(err) != tc.code {
			t.Errorf("%s: %v, want %q", name, err, tc.code)
		}
	}
	r.Advance(time.Minute)
	if n := len(topic.Published()); n != 3 || q.Len() != 3 {
		t.Errorf("%d were published, %d delivered, want 3", n, q.Len())
	}
}

func TestPutEvents(t *testing.T) {
	r := region.New(region.Options{})
	r.AddBus("hooks")
	entry := func(bus, source, detail string) ebtypes.PutEventsRequestEntry {
		return ebtypes.PutEventsRequestEntry{EventBusName: &bus, Source: &source, DetailType: aws.String("Deployment Hook Outcome"), Detail: &detail}
	}
	put := func(entries ...ebtypes.PutEventsRequestEntry) (*eventbridge.PutEventsOutput, error) {
		return r.EventBridge().PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	}
	for name, tc := range map[string]struct {
		entry ebtypes.PutEventsRequestEntry
		code  string
	}{
		"an outcome":                   {entry("default", "deployhooks.repair", `{"a":1}`), ""},
		"on a bus of its own, by ARN":  {entry("arn:aws:events:eu-west-1:123456789012:event-bus/hooks", "deployhooks.repair", `{"a":1}`), ""},
		"in the name of AWS":           {entry("default", "aws.codedeploy", `{"a":1}`), "NotAuthorizedForSourceException"},
		"with a detail that is broken": {entry("default", "deployhooks.repair", `{"a":`), "MalformedDetail"},
		"with a detail of another type": {
			entry("default", "deployhooks.repair", `[1]`), "MalformedDetail"},
	} {
		out, err := put(tc.entry)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := aws.ToString(out.Entries[0].ErrorCode); got != tc.code || (out.FailedEntryCount == 1) != (tc.code != "") {
			t.Errorf("%s: code %q, %d failed, want %q", name, got, out.FailedEntryCount, tc.code)
		}
	}
	if len(r.Events("default")) != 1 || len(r.Events("hooks")) != 1 || r.Events("hooks")[0].Detail != `{"a":1}` {
		t.Errorf("kept are %v and %v", r.Events("default"), r.Events("hooks"))
	}
	if _, err := put(make([]ebtypes.PutEventsRequestEntry, 11)...); code(err) != "ValidationException" {
		t.Errorf("eleven entries give %v", err)
	}
	r.SetFaults(region.On("PutEvents", 1, region.Fault{Partial: true}))
	out, err := put(entry("default", "deployhooks.repair", "{}"), entry("default", "deployhooks.repair", "{}"))
	if err != nil || out.FailedEntryCount != 1 || out.Entries[0].EventId == nil || out.Entries[1].ErrorCode == nil || len(r.Events("default")) != 2 {
		t.Errorf("a partial failure gives %+v, %v; kept are %d", out, err, len(r.Events("default")))
	}
}
