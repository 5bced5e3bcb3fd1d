package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Task handles the invocations of a function by a state machine: one task in, one
// result out, both JSON. It implements the Lambda runtime's Handler.
//
// A state machine decides by an error's type whether to retry. That of an error with a
// method ErrorType() string is what it returns; main gives it to Lambda's runtime. A task
// that cannot be read is of type "Refused": no retry helps.
type Task[In, Out any] struct {
	Run func(context.Context, In) (Out, error)
}

// maxTask bounds a task: the input of a state has at most 256 KiB ("Step Functions service
// quotas", AWS Step Functions Developer Guide).
const maxTask = 256 << 10

// Invoke handles one invocation.
func (t Task[In, Out]) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > maxTask {
		return nil, refused(fmt.Errorf("the task has %d bytes, more than %d", len(payload), maxTask))
	}
	var in In
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, refused(fmt.Errorf("read the task: %w", err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refused(errors.New("read the task: more follows after it"))
	}
	out, err := t.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, refused(fmt.Errorf("encode the result: %w", err))
	}
	return text, nil
}

// ErrorType is the name of an error in a state machine, and whether it has one.
func ErrorType(err error) (name string, ok bool) {
	typed, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err)
	if !ok {
		return "", false
	}
	return typed.ErrorType(), true
}

// refusedError is the error of a task that no retry helps.
type refusedError struct{ error }

func refused(err error) error { return refusedError{err} }

func (refusedError) ErrorType() string { return "Refused" }

func (e refusedError) Unwrap() error { return e.error }
