// Package queue is the side of a function that faces whoever calls it: its own
// SQS queue, which hands it batches and takes messages for later, EventBridge
// and SNS where they call it directly, and operators. Every function's handler is
// made of it.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/pkg/event"
)

// Handler is what a domain makes of what it is told.
type Handler interface {
	// Handle handles messages and returns an error or nil for each: with an
	// error, the message must come again.
	Handle(context.Context, []event.Message) []error
	// Answer carries out the request of an operator, who waits for the answer.
	Answer(context.Context, event.Request) (any, error)
}

// batchResponse tells SQS which messages to deliver again. The list must not be
// null ("Handling errors for an SQS event source in Lambda", AWS Lambda developer
// guide).
type batchResponse struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	ID string `json:"itemIdentifier"`
}

// Invoke handles one invocation of a function: a batch of queue messages, events,
// or the request of an operator.
//
// A queue message that fails for a passing reason is reported for another
// delivery; so is one that cannot be understood, which thereby ends, kept, in
// the dead-letter queue.
func Invoke(ctx context.Context, payload []byte, h Handler, log *slog.Logger) ([]byte, error) {
	batch, err := event.Parse(payload)
	if err != nil {
		log.ErrorContext(ctx, "payload not understood", "error", err)
		return nil, err
	}
	if req, ok := direct(batch); ok {
		answer, err := h.Answer(ctx, req)
		if err != nil {
			log.ErrorContext(ctx, "request failed", "action", req.Action, "error", err)
			return nil, err
		}
		return json.MarshalIndent(answer, "", "  ")
	}
	errs := h.Handle(ctx, batch.Messages)
	response := batchResponse{Failures: []batchFailure{}}
	for i, m := range batch.Messages {
		if errs[i] != nil {
			log.ErrorContext(ctx, "message failed", "message", m.ID, "receives", m.Receives, "error", errs[i])
			response.Failures = append(response.Failures, batchFailure{m.ID})
		}
	}
	if !batch.Queued {
		return nil, errors.Join(errs...) // the caller delivers again
	}
	return json.Marshal(response)
}

// direct is the request of an operator.
func direct(b event.Batch) (event.Request, bool) {
	if b.Queued || len(b.Messages) != 1 {
		return event.Request{}, false
	}
	req, ok := b.Messages[0].Event.(event.Request)
	return req, ok
}

// Sender is what a function asks SQS for.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Own is a function's own queue.
type Own struct {
	URL    string
	Client Sender
}

// Send sends the function a request, which it gets after a delay of whole
// seconds, at most 900 (SendMessage, Amazon SQS API Reference).
func (o Own) Send(ctx context.Context, request any, delay time.Duration) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("ask for another look: %w", err)
	}
	_, err = o.Client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &o.URL,
		MessageBody:  aws.String(string(body)),
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never early
	})
	if err != nil {
		return fmt.Errorf("ask for another look: %w", err)
	}
	return nil
}
