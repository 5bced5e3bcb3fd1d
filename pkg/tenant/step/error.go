package step

import (
	"errors"
	"fmt"

	"deployhooks/pkg/fault"
)

// ErrorClass says what may become of a failed try. It is the error's name in
// the state machine.
type ErrorClass string

// The classes of errors.
const (
	// Transient may pass: throttling, a 5xx, a time-out. Retried with back-off and jitter.
	Transient ErrorClass = "Transient"
	// NotYet is no failure: what was asked for takes its time. Retried each
	// [Policy.Interval] for [Policy.Wait].
	NotYet ErrorClass = "NotYet"
	// Refused will not pass by itself: wrong parameters, access denied. Held at once for an operator.
	Refused ErrorClass = "Refused"
	// Conflict is that something that this tenant does not own stands in the way. Held at once.
	Conflict ErrorClass = "Conflict"
)

// Error is a failed try of a step. Its text holds no secrets.
type Error struct {
	Class ErrorClass
	Err   error
	// Remedy says what an operator can do; empty if waiting is all.
	Remedy string
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v: %s", e.Err, e.Remedy)
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of an error. Those of AWS are classified as package fault does; what is
// unknown is [Transient]: it is retried a bounded number of times. Of joined errors one that will
// not pass counts before one that may.
func ClassOf(err error) ErrorClass {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		class := Transient
		for _, e := range joined.Unwrap() {
			if c := ClassOf(e); c == Refused || c == Conflict {
				class = c
			}
		}
		return class
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	switch fault.Of(err) {
	case fault.Denied, fault.Invalid, fault.NotFound:
		return Refused
	}
	return Transient
}

// RemedyOf says what an operator can do about an error; empty if waiting is all.
func RemedyOf(err error) string {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Remedy != "":
		return e.Remedy
	case fault.Is(err, fault.Denied):
		return fault.AllowRemedy(err)
	}
	return ""
}
