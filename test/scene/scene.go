// Package scene is what the stories about the functions have in common: a
// function at work in a simulated region, and what people and AWS see of it.
package scene

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"deployhooks/test/region"
)

// Scene is a region with a function in it.
type Scene struct {
	*region.Region
	// Queue feeds the function, and Notices is where it tells people.
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
func (s *Scene) Invoke(payload []byte) ([]byte, error) {
	s.Invocations++
	seen := len(s.Calls())
	answer, err := s.Function.Invoke(context.Background(), payload)
	for _, c := range s.Calls()[seen:] {
		if errors.Is(c.Err, region.ErrKilled) {
			return nil, region.ErrKilled
		}
	}
	return answer, err
}

// KillAfter ends the function's process after the n-th call, and has another
// take its place when the next message comes. It tells whether that happened.
func (s *Scene) KillAfter(n int) (killed *bool) {
	killed = new(bool)
	kill := region.KilledAfter(n)
	s.SetFaults(func(c region.Call) region.Fault {
		f := kill(c)
		*killed = *killed || f.After != nil
		return f
	})
	s.Queue.Serve(func(payload []byte) ([]byte, error) {
		answer, err := s.Invoke(payload)
		if err != nil {
			s.SetFaults(nil)
		}
		return answer, err
	})
	return killed
}

// Told are the subjects of the notices.
func (s *Scene) Told() (subjects []string) {
	for _, p := range s.Notices.Published() {
		subjects = append(subjects, p.Subject)
	}
	return subjects
}

// Notes are the texts of the notices.
func (s *Scene) Notes() (texts []string) {
	for _, p := range s.Notices.Published() {
		texts = append(texts, p.Message)
	}
	return texts
}

// LastNotice is the text of the last notice, empty without one.
func (s *Scene) LastNotice() string {
	if notes := s.Notes(); len(notes) > 0 {
		return notes[len(notes)-1]
	}
	return ""
}

// Made counts the calls of an operation that took effect.
func (s *Scene) Made(operation string) (n int) {
	for _, c := range s.Calls() {
		if c.Operation == operation && c.Err == nil {
			n++
		}
	}
	return n
}

// Count counts the texts that a text is part of.
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
