// Package invoke is how a function is called: with a batch of its SQS queue, with
// an event or notification straight from EventBridge or SNS, or by an operator. A
// function's handler is a [Domain] and this package.
//
// An operator's request ([event.Request]) is taken by direct invocation only: whoever
// may publish to a topic or put an event on a bus must not get to make requests. What
// the function continues of its own work ([event.Continuation]) is taken from its
// queue only, and without an envelope. A topic that delivers raw messages adds none:
// whoever may publish to it can continue work.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"deployhooks/pkg/event"
)

// Domain is what a function does with what reaches it.
type Domain interface {
	// Handle handles events and continuations, those of one batch together, and
	// returns an error or nil for each, in their order: with an error, the message is
	// delivered again.
	Handle(context.Context, []event.Message) []error
	// Answer carries out an operator's request and returns the answer, which becomes
	// JSON.
	Answer(context.Context, event.Request) (any, error)
}

// Home is the account and region of the fleet that a function manages.
type Home struct {
	// Account and Region are the function's own; empty accepts events of any.
	Account string `env:"ACCOUNT"`
	Region  string `env:"AWS_REGION"`
	// AcceptEventsFrom are further pairs <account>/<region> whose events are in scope.
	AcceptEventsFrom []string `env:"ACCEPT_EVENTS_FROM"`
}

// covers reports whether an event is of an account and region in scope. What an event
// does not say may be in scope: one that Auto Scaling sends straight to a queue does
// not say its region.
func (h Home) covers(e event.Event) bool {
	account, region := event.Origin(e)
	for _, pair := range append([]string{h.Account + "/" + h.Region}, h.AcceptEventsFrom...) {
		a, r, _ := strings.Cut(pair, "/")
		if (a == "" || account == "" || a == account) && (r == "" || region == "" || r == region) {
			return true
		}
	}
	return false
}

// Handler handles invocations of one function. It implements the Lambda runtime's
// Handler.
type Handler struct {
	Domain Domain
	Home   Home
	Log    *slog.Logger
}

// Invoke handles one invocation. A message of the queue that fails is reported for
// another delivery, one that is malformed as well: it ends, kept, in the dead-letter
// queue.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	batch, err := event.Parse(payload)
	if err != nil {
		h.Log.ErrorContext(ctx, "payload malformed", "error", err)
		return nil, err
	}
	if req, ok := operator(batch); ok {
		return h.answer(ctx, req)
	}
	return h.handle(ctx, batch)
}

// operator is the request of a direct invocation.
func operator(b event.Batch) (event.Request, bool) {
	if b.Queued || len(b.Messages) != 1 || b.Messages[0].Enveloped {
		return event.Request{}, false
	}
	req, ok := b.Messages[0].Event.(event.Request)
	return req, ok
}

func (h Handler) answer(ctx context.Context, req event.Request) ([]byte, error) {
	answer, err := h.Domain.Answer(ctx, req)
	if err != nil {
		h.Log.ErrorContext(ctx, "request failed", "action", req.Action, "error", err)
		return nil, err
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the answer to %q: %w", req.Action, err)
	}
	return text, nil
}

// batchResponse names to SQS the messages to deliver again. The list must not be
// null ("Handling errors for an SQS event source in Lambda", AWS Lambda Developer
// Guide).
type batchResponse struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	ID string `json:"itemIdentifier"`
}

func (h Handler) handle(ctx context.Context, batch event.Batch) ([]byte, error) {
	errs := make([]error, len(batch.Messages))
	var admitted []event.Message
	var index []int
	for i, m := range batch.Messages {
		var ok bool
		if ok, errs[i] = h.admit(ctx, batch.Queued, m); ok {
			admitted, index = append(admitted, m), append(index, i)
		}
	}
	if len(admitted) > 0 {
		results := h.Domain.Handle(ctx, admitted)
		for j, i := range index {
			if len(results) == len(admitted) {
				errs[i] = results[j]
			} else { // none may count as handled that is not
				errs[i] = fmt.Errorf("%d results for %d messages", len(results), len(admitted))
			}
		}
	}
	response := batchResponse{Failures: []batchFailure{}}
	for i, m := range batch.Messages {
		if errs[i] != nil {
			h.Log.ErrorContext(ctx, "message failed", "message", m.ID, "receives", m.Receives, "error", errs[i])
			response.Failures = append(response.Failures, batchFailure{m.ID})
		}
	}
	if !batch.Queued {
		return nil, errors.Join(errs...) // the caller delivers again
	}
	return json.Marshal(response)
}

// admit reports whether a message is for the domain to handle.
func (h Handler) admit(ctx context.Context, queued bool, m event.Message) (bool, error) {
	if m.Err != nil {
		return false, m.Err
	}
	switch e := m.Event.(type) {
	case event.Request:
		return false, fmt.Errorf("action %q is taken by direct invocation only, not from a queue, a topic or a bus", e.Action)
	case event.Continuation:
		if !queued || m.Enveloped {
			return false, errors.New(`a "continue" message is taken from the function's own queue only`)
		}
	case event.Unknown, event.Test:
		h.Log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%+v", e))
		return false, nil
	}
	if !h.Home.covers(m.Event) {
		account, region := event.Origin(m.Event)
		h.Log.DebugContext(ctx, "event of another account or region out of scope", "account", account, "region", region)
		return false, nil
	}
	return true, nil
}
