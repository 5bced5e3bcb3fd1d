package region_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/test/region"
)

// batch opens what a served function gets.
func batch(t *testing.T, payload []byte) (ids, bodies []string, receives string) {
	t.Helper()
	var event struct {
		Records []struct {
			MessageID, Body, EventSource string
			Attributes                   map[string]string
		}
	}
	if err := json.Unmarshal(payload, &event); err != nil || len(event.Records) == 0 {
		t.Fatalf("%v in %s", err, payload)
	}
	for _, r := range event.Records {
		ids, bodies = append(ids, r.MessageID), append(bodies, r.Body)
		receives = r.Attributes["ApproximateReceiveCount"]
	}
	return ids, bodies, receives
}

// TestServedQueue: what an answer of the function means for its messages.
func TestServedQueue(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(ids []string) ([]byte, error)
		calls  int      // of the function, within ten minutes
		dead   []string // bodies in the dead-letter queue
	}{
		{"an empty list is success", func([]string) ([]byte, error) { return []byte(`{"batchItemFailures":[]}`), nil }, 1, nil},
		{"null is success", func([]string) ([]byte, error) { return []byte(`{"batchItemFailures":null}`), nil }, 1, nil},
		{"nothing is success", func([]string) ([]byte, error) { return nil, nil }, 1, nil},
		{"one message fails", func(ids []string) ([]byte, error) {
			return []byte(`{"batchItemFailures":[{"itemIdentifier":"` + ids[0] + `"}]}`), nil
		}, 3, []string{"a"}},
		{"an unknown message fails all", func([]string) ([]byte, error) {
			return []byte(`{"batchItemFailures":[{"itemIdentifier":"nobody"}]}`), nil
		}, 3, []string{"a", "b"}},
		{"an error fails all", func([]string) ([]byte, error) { return nil, errors.New("boom") }, 3, []string{"a", "b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			q := r.Queue("repair").Configure(region.QueueSettings{VisibilityTimeout: time.Minute, MaxReceive: 3})
			var calls int
			q.Serve(func(payload []byte) ([]byte, error) {
				calls++
				ids, _, receives := batch(t, payload)
				if want := string(rune('0' + calls)); receives != want {
					t.Errorf("the receive count is %s, want %s", receives, want)
				}
				return tc.answer(ids)
			})
			q.Send("a")
			q.Send("b")
			r.Advance(10 * time.Minute)
			var dead []string
			for _, m := range q.DeadLetters() {
				dead = append(dead, m.Body)
			}
			if calls != tc.calls || !slices.Equal(dead, tc.dead) || q.Len() != 0 {
				t.Errorf("%d calls, dead %v, %d left; want %d calls, dead %v", calls, dead, q.Len(), tc.calls, tc.dead)
			}
		})
	}
}

func TestBatchesHoldTen(t *testing.T) {
	r := region.New(region.Options{})
	q := r.Queue("repair")
	for range 25 {
		q.Send("x")
	}
	var sizes []int
	q.Serve(func(payload []byte) ([]byte, error) {
		ids, _, _ := batch(t, payload)
		sizes = append(sizes, len(ids))
		return nil, nil
	})
	r.Advance(time.Minute)
	if !slices.Equal(sizes, []int{10, 10, 5}) {
		t.Errorf("batches of %v", sizes)
	}
}

func TestFunctionSendsToItselfWithADelay(t *testing.T) {
	r := region.New(region.Options{})
	q := r.Queue("repair")
	var at []time.Duration
	q.Serve(func([]byte) ([]byte, error) {
		at = append(at, r.Now().Sub(r.Start()).Round(10*time.Second))
		if len(at) == 3 {
			return nil, nil
		}
		return nil, second(r.SQS().SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(q.URL()), MessageBody: aws.String("again"), DelaySeconds: 300}))
	})
	q.Send("first")
	r.Advance(time.Hour)
	if want := []time.Duration{0, 5 * time.Minute, 10 * time.Minute}; !slices.Equal(at, want) {
		t.Errorf("the function ran at %v, want %v", at, want)
	}
}

func TestQueueThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	r.Queue("repair")
	client := r.SQS()
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("repair")})
	if err != nil {
		t.Fatal(err)
	}
	url := found.QueueUrl
	if err := second(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello"), DelaySeconds: 60})); err != nil {
		t.Fatal(err)
	}
	receive := func() *sqs.ReceiveMessageOutput {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if n := len(receive().Messages); n != 0 {
		t.Error("a delayed message was handed out")
	}
	r.Advance(time.Minute)
	out := receive()
	if len(out.Messages) != 1 || *out.Messages[0].Body != "hello" || len(receive().Messages) != 0 {
		t.Fatalf("received %v, and once more while it is in flight", out.Messages)
	}
	r.Advance(30 * time.Second)
	out = receive()
	if len(out.Messages) != 1 {
		t.Fatal("after its visibility timeout the message is not handed out again")
	}
	if err := second(client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: out.Messages[0].ReceiptHandle})); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Hour)
	if len(receive().Messages) != 0 {
		t.Error("a deleted message is handed out")
	}
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"a queue that is not there": {second(client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("none")})), "QueueDoesNotExist"},
		"sending to it":             {second(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String("https://sqs/1/none"), MessageBody: aws.String("x")})), "QueueDoesNotExist"},
		"more than 900 s of delay":  {second(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: 901})), "InvalidParameterValue"},
		"an empty message":          {second(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url})), "MissingParameter"},
	} {
		if code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %s", name, tc.err, tc.code)
		}
	}
}

func TestAWindowGathersABatch(t *testing.T) {
	for _, tc := range []struct {
		name    string
		window  time.Duration
		batch   int
		batches []int
	}{
		{"without a window the first message goes alone", 0, 10, []int{1, 7}},
		{"a window gathers all that come in it", 20 * time.Second, 100, []int{8}},
		{"a full batch does not wait", 20 * time.Second, 4, []int{4, 4}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			q := r.Queue("ticks").WithoutEvents().Configure(region.QueueSettings{BatchSize: tc.batch, Window: tc.window})
			var batches []int
			q.Serve(func(payload []byte) ([]byte, error) {
				var batch struct{ Records []struct{ Body string } }
				err := json.Unmarshal(payload, &batch)
				batches = append(batches, len(batch.Records))
				return []byte(`{"batchItemFailures":[]}`), err
			})
			q.Send("first")
			r.Advance(5 * time.Second)
			for range 7 {
				q.Send("more")
			}
			r.Advance(time.Minute)
			if !slices.Equal(batches, tc.batches) {
				t.Errorf("the messages came in batches of %v, want %v", batches, tc.batches)
			}
		})
	}
}

func TestABatchFitsAnInvocation(t *testing.T) {
	r := region.New(region.Options{})
	q := r.Queue("ticks").WithoutEvents().Configure(region.QueueSettings{BatchSize: 1000, Window: time.Second})
	var invocations int
	q.Serve(func([]byte) ([]byte, error) {
		invocations++
		return []byte(`{"batchItemFailures":[]}`), nil
	})
	for range 50 {
		q.Send(strings.Repeat("x", 250<<10))
	}
	r.Advance(time.Minute)
	if invocations != 3 || q.Len() != 0 {
		t.Errorf("12 MB of messages came in %d invocations of at most 6 MB, and %d are left", invocations, q.Len())
	}
}

func TestBatchesWorkedOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		q := r.Queue("ticks").WithoutEvents().Configure(region.QueueSettings{BatchSize: 1, Concurrency: 2})
		var working, most, answered atomic.Int32
		q.Serve(func([]byte) ([]byte, error) {
			most.Store(max(most.Load(), working.Add(1)))
			time.Sleep(10 * time.Second)
			working.Add(-1)
			answered.Add(1)
			return []byte(`{"batchItemFailures":[]}`), nil
		})
		for range 5 {
			q.Send("tick")
		}
		pass := func(seconds int) {
			for range seconds {
				r.Advance(time.Second)
				time.Sleep(time.Second)
			}
		}
		if pass(15); answered.Load() != 2 {
			t.Errorf("%d batches of 10 s were answered after 15 s, want the first two", answered.Load())
		}
		pass(25)
		if most.Load() != 2 || q.Len() != 0 {
			t.Errorf("up to %d batches were worked on at once, want 2; %d messages are left", most.Load(), q.Len())
		}
	})
}
