// Package tasks starts the functions that state machines call.
package tasks

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"deployhooks/pkg/invoke"
)

// Start serves tasks until the environment of the function ends; see [invoke.Task].
func Start[In, Out any](run func(context.Context, In) (Out, error)) {
	lambda.Start(handler{invoke.Task[In, Out]{Run: run}})
}

// handler gives Lambda's runtime the types of errors, by which the state machine retries.
type handler struct{ lambda.Handler }

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := h.Handler.Invoke(ctx, payload)
	if name, ok := invoke.ErrorType(err); ok {
		err = messages.InvokeResponse_Error{Type: name, Message: err.Error()}
	}
	return out, err
}
