package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/events"
	"deployhooks/pkg/event"
)

// handler fails messages that are about what it does not like.
type handler struct{ dislikes string }

func (h handler) Handle(_ context.Context, messages []event.Message) []error {
	errs := make([]error, len(messages))
	for i, m := range messages {
		errs[i] = m.Err
		if req, ok := m.Event.(event.Request); ok && req.Action == h.dislikes {
			errs[i] = errors.New("not now")
		}
		if _, ok := m.Event.(event.LifecycleAction); ok && h.dislikes == "lifecycle" {
			errs[i] = errors.New("not now")
		}
	}
	return errs
}

func (h handler) Answer(_ context.Context, r event.Request) (any, error) {
	if r.Action == h.dislikes {
		return nil, errors.New("cannot")
	}
	return map[string]string{"did": r.Action}, nil
}

func batch(bodies ...string) []byte {
	var records []string
	for n, body := range bodies {
		records = append(records, fmt.Sprintf(`{"messageId":"m-%d","body":%q,"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:drain","attributes":{"ApproximateReceiveCount":"1"}}`, n+1, body))
	}
	return fmt.Appendf(nil, `{"Records":[%s]}`, strings.Join(records, ","))
}

func TestInvoke(t *testing.T) {
	lifecycle, err := events.Read("autoscaling-eventbridge-terminate")
	if err != nil {
		t.Fatal(err)
	}
	for story, c := range map[string]struct {
		payload  []byte
		dislikes string
		want     string
		fault    string // part of the error; empty for none
	}{
		"a batch in order":                       {payload: batch(`{"action":"a"}`, `{"action":"b"}`), want: `{"batchItemFailures":[]}`},
		"one message fails, the others do not":   {payload: batch(`{"action":"a"}`, `{"action":"b"}`, `{"action":"c"}`), dislikes: "b", want: `{"batchItemFailures":[{"itemIdentifier":"m-2"}]}`},
		"one message is damaged":                 {payload: batch(`{"action":"a"}`, `{`), want: `{"batchItemFailures":[{"itemIdentifier":"m-2"}]}`},
		"an operator asks":                       {payload: []byte(`{"action":"a"}`), want: "{\n  \"did\": \"a\"\n}"},
		"an operator asks for what cannot be":    {payload: []byte(`{"action":"a"}`), dislikes: "a", fault: "cannot"},
		"an event comes directly":                {payload: lifecycle},
		"an event that comes directly fails":     {payload: lifecycle, dislikes: "lifecycle", fault: "not now"},
		"a payload that nobody could understand": {payload: []byte(`{`), fault: "JSON"},
	} {
		t.Run(story, func(t *testing.T) {
			out, err := Invoke(t.Context(), c.payload, handler{c.dislikes}, slog.New(slog.DiscardHandler))
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Fatalf("failed with %v, want …%s…", err, c.fault)
			}
			if string(out) != c.want {
				t.Errorf("answered %s, want %s", out, c.want)
			}
		})
	}
}

type sender struct{ sent []*sqs.SendMessageInput }

func (s *sender) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	s.sent = append(s.sent, in)
	return &sqs.SendMessageOutput{}, nil
}

// TestSend shows that what is sent for later is understood, and is not early.
func TestSend(t *testing.T) {
	var s sender
	own := Own{URL: "https://queue", Client: &s}
	if err := own.Send(t.Context(), map[string]any{"action": "tick"}, 4200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	in := s.sent[0]
	if *in.QueueUrl != "https://queue" || in.DelaySeconds != 5 {
		t.Errorf("sent to %s in %d s", *in.QueueUrl, in.DelaySeconds)
	}
	parsed, err := event.Parse(batch(*in.MessageBody))
	if err != nil || len(parsed.Messages) != 1 {
		t.Fatalf("understood as %v, %v", parsed, err)
	}
	if req, ok := parsed.Messages[0].Event.(event.Request); !ok || req.Action != "tick" || !json.Valid(req.Body) {
		t.Errorf("understood as %#v", parsed.Messages[0].Event)
	}
}
