// Package harness is what the scenarios of the functions have in common: a
// function that runs in a simulated region, and what operators and AWS see of
// it.
package harness

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"strings"

	"deployhooks/test/region"
)

// Harness is a region with a function in it.
type Harness struct {
	*region.Region
	// Queue feeds the function, and Notices is where it notifies operators.
	Queue   *region.Queue
	Notices *region.Topic
	// Function is the execution environment that handles the next invocation.
	Function interface {
		Invoke(context.Context, []byte) ([]byte, error)
	}
	// Invocations counts how often Lambda ran the function.
	Invocations int
}

// Invoke runs the function as Lambda does: if a call of it was the last thing
// that the process ever did, whatever it answers never arrives.
func (h *Harness) Invoke(payload []byte) ([]byte, error) {
	h.Invocations++
	_, seen := h.CallsSince(math.MaxInt)
	answer, err := h.Function.Invoke(context.Background(), payload)
	made, _ := h.CallsSince(seen)
	for _, c := range made {
		if errors.Is(c.Err, region.ErrKilled) {
			return nil, region.ErrKilled
		}
	}
	return answer, err
}

// KillAfter ends the function's process after the n-th call, and has another
// take its place when the next message comes. It reports whether that happened.
func (h *Harness) KillAfter(n int) (killed *bool) {
	killed = new(bool)
	kill := region.KilledAfter(n)
	h.SetFaults(func(c region.Call) region.Fault {
		f := kill(c)
		*killed = *killed || f.After != nil
		return f
	})
	h.Queue.Serve(func(payload []byte) ([]byte, error) {
		answer, err := h.Invoke(payload)
		if err != nil {
			h.SetFaults(nil)
		}
		return answer, err
	})
	return killed
}

// Subjects are the subjects of the notifications sent so far.
func (h *Harness) Subjects() (subjects []string) {
	for _, p := range h.Notices.Published() {
		subjects = append(subjects, p.Subject)
	}
	return subjects
}

// Texts are the texts of the notifications sent so far.
func (h *Harness) Texts() (texts []string) {
	for _, p := range h.Notices.Published() {
		texts = append(texts, p.Message)
	}
	return texts
}

// LastNotice is the text of the last notification, empty without one.
func (h *Harness) LastNotice() string {
	if texts := h.Texts(); len(texts) > 0 {
		return texts[len(texts)-1]
	}
	return ""
}

// Made counts the calls of an operation that took effect.
func (h *Harness) Made(operation string) (n int) {
	for _, c := range h.Calls() {
		if c.Operation == operation && c.Err == nil {
			n++
		}
	}
	return n
}

// Count counts the texts that contain part.
func Count(all []string, part string) (n int) {
	for _, s := range all {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// Logger is silent unless the environment variable DEPLOYHOOKS_LOG is set.
func Logger() *slog.Logger {
	if os.Getenv("DEPLOYHOOKS_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
