package region_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"deployhooks/test/region"
)

// TestSQSLimits: what passes here and not in SQS is a message that is lost in
// production, or a requeue that never happens.
func TestSQSLimits(t *testing.T) {
	send := func(body string, delay int32) func(region.SQS, *string) error {
		return func(v region.SQS, url *string) error {
			return second(v.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, DelaySeconds: delay}))
		}
	}
	receive := func(in sqs.ReceiveMessageInput) func(region.SQS, *string) error {
		return func(v region.SQS, url *string) error { in.QueueUrl = url; return second(v.ReceiveMessage(ctx, &in)) }
	}
	batch := func(entries ...types.SendMessageBatchRequestEntry) func(region.SQS, *string) error {
		return func(v region.SQS, url *string) error {
			return second(v.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries}))
		}
	}
	entry := func(id, body string) types.SendMessageBatchRequestEntry {
		return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
	}
	entries := func(n int) (all []types.SendMessageBatchRequestEntry) {
		for i := range n {
			all = append(all, entry(fmt.Sprint(i), "{}"))
		}
		return all
	}
	hide := func(seconds int32) func(region.SQS, *string) error {
		return func(v region.SQS, url *string) error {
			if err := send("{}", 0)(v, url); err != nil {
				return err
			}
			out, err := v.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url})
			if err != nil {
				return err
			}
			return second(v.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: out.Messages[0].ReceiptHandle, VisibilityTimeout: seconds}))
		}
	}
	megabyte := strings.Repeat("x", 1<<20)
	for _, tc := range []struct {
		name string
		call func(region.SQS, *string) error
		code string
	}{
		{"the longest delay", send("{}", 900), ""},
		{"a longer delay", send("{}", 901), "InvalidParameterValue"},
		{"a delay backwards", send("{}", -1), "InvalidParameterValue"},
		{"the longest message", send(megabyte, 0), ""},
		{"a longer message", send(megabyte+"x", 0), "InvalidParameterValue"},
		{"an empty message", send("", 0), "MissingParameter"},
		{"a line break", send("a\n\tb\r", 0), ""},
		{"a control character", send("a\x00b", 0), "InvalidMessageContents"},
		{"no UTF-8", send("a\xffb", 0), "InvalidMessageContents"},
		{"ten messages", receive(sqs.ReceiveMessageInput{MaxNumberOfMessages: 10}), ""},
		{"eleven messages", receive(sqs.ReceiveMessageInput{MaxNumberOfMessages: 11}), "InvalidParameterValue"},
		{"the longest visibility timeout", receive(sqs.ReceiveMessageInput{VisibilityTimeout: 43200}), ""},
		{"a longer visibility timeout", receive(sqs.ReceiveMessageInput{VisibilityTimeout: 43201}), "InvalidParameterValue"},
		{"a long wait", receive(sqs.ReceiveMessageInput{WaitTimeSeconds: 21}), "InvalidParameterValue"},
		{"an attribute that SQS does not have", receive(sqs.ReceiveMessageInput{MessageSystemAttributeNames: []types.MessageSystemAttributeName{"ReceiveCount"}}), "InvalidAttributeName"},
		{"ten entries", batch(entries(10)...), ""},
		{"eleven entries", batch(entries(11)...), "TooManyEntriesInBatchRequest"},
		{"no entry", batch(), "EmptyBatchRequest"},
		{"an id twice", batch(entry("a", "x"), entry("a", "y")), "BatchEntryIdsNotDistinct"},
		{"an id with a dot", batch(entry("a.b", "x")), "InvalidBatchEntryId"},
		{"a long id", batch(entry(strings.Repeat("a", 81), "x")), "InvalidBatchEntryId"},
		{"entries that are long together", batch(entry("a", megabyte), entry("b", "x")), "BatchRequestTooLong"},
		{"shown again after the longest time", hide(43200), ""},
		{"shown again after a longer time", hide(43201), "InvalidParameterValue"},
	} {
		r := region.New(region.Options{})
		q := r.Queue("drain").WithoutEvents()
		if err := tc.call(r.SQS(), aws.String(q.URL())); code(err) != tc.code || (err == nil) != (tc.code == "") {
			t.Errorf("%s gives %v, want %q", tc.name, err, tc.code)
		}
	}
}

// TestBatchesSucceedInPart: an entry that is refused, or fails, is named by its
// id; who does not check that loses it.
func TestBatchesSucceedInPart(t *testing.T) {
	r := region.New(region.Options{})
	q := r.Queue("drain").WithoutEvents()
	in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(q.URL()), Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("good"), MessageBody: aws.String("1")},
		{Id: aws.String("late"), MessageBody: aws.String("2"), DelaySeconds: 901},
		{Id: aws.String("last"), MessageBody: aws.String("3"), DelaySeconds: 60},
	}}
	out, err := r.SQS().SendMessageBatch(ctx, in)
	if err != nil || len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "late" || *out.Failed[0].Code != "InvalidParameterValue" || !out.Failed[0].SenderFault {
		t.Errorf("the answer is %+v, %v", out, err)
	}
	received, err := r.SQS().ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: in.QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"ApproximateReceiveCount"}})
	if err != nil || len(received.Messages) != 1 || *received.Messages[0].Body != "1" || len(received.Messages[0].Attributes) != 1 {
		t.Errorf("received are %+v, %v", received, err)
	}
	deleted, err := r.SQS().DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: in.QueueUrl, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: received.Messages[0].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("none")},
	}})
	if err != nil || len(deleted.Successful) != 1 || len(deleted.Failed) != 1 || q.Len() != 1 {
		t.Errorf("deleted are %+v, %v, and %d are left", deleted, err, q.Len())
	}
	r.SetFaults(region.On("SendMessageBatch", 1, region.Fault{Partial: true}))
	out, err = r.SQS().SendMessageBatch(ctx, in)
	if err != nil || len(out.Failed) != 2 || *out.Failed[1].Id != "last" || out.Failed[1].SenderFault {
		t.Errorf("a partial answer is %+v, %v", out, err)
	}
}

// TestChangedVisibility: a message that is given back is handed out again at
// once, and a deleted one is not in flight any more.
func TestChangedVisibility(t *testing.T) {
	r := region.New(region.Options{})
	q := r.Queue("drain").WithoutEvents()
	q.Send("{}")
	url := aws.String(q.URL())
	take := func() []types.Message {
		out, err := r.SQS().ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
	first := take()
	if again := take(); len(first) != 1 || len(again) != 0 {
		t.Fatalf("%d messages are handed out, then %d", len(first), len(again))
	}
	change := func() error {
		return second(r.SQS().ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: first[0].ReceiptHandle}))
	}
	if err := change(); err != nil || len(take()) != 1 {
		t.Errorf("given back, the message is not handed out: %v", err)
	}
	if err := second(r.SQS().DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: first[0].ReceiptHandle})); err != nil {
		t.Fatal(err)
	}
	if err := change(); code(err) != "MessageNotInflight" {
		t.Errorf("of a deleted message it gives %v", err)
	}
}

// TestQueuesThatAWSRefuses: an event source mapping that cannot be deployed
// must not work here.
func TestQueuesThatAWSRefuses(t *testing.T) {
	for name, s := range map[string]region.QueueSettings{
		"hidden for longer than half a day": {VisibilityTimeout: 13 * time.Hour},
		"large batches without a window":    {BatchSize: 11},
		"too large batches":                 {BatchSize: 10_001, Window: time.Second},
		"a window of minutes":               {Window: 301 * time.Second},
		"a concurrency of one":              {Concurrency: 1},
		"endless receives":                  {MaxReceive: 1001},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("taken, although AWS refuses it")
				}
			}()
			region.New(region.Options{}).Queue("q").Configure(s)
		})
	}
}
