package invoke_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"deployhooks/pkg/invoke"
	"deployhooks/pkg/tenant/step"
)

func TestTask(t *testing.T) {
	type in struct{ Step string }
	type out struct {
		State string `json:"state"`
	}
	denied := &step.Error{Class: step.Refused, Err: errors.New("denied")}
	for name, c := range map[string]struct {
		payload string
		err     error // of the task
		answer  string
		kind    string
	}{
		"a task":                     {payload: `{"step":"dns"}`, answer: `{"state":"dns"}`},
		"an error with a type":       {payload: `{"step":"dns"}`, err: fmt.Errorf("apply: %w", denied), kind: "Refused"},
		"an error without one":       {payload: `{"step":"dns"}`, err: errors.New("broken")},
		"a field of a newer version": {payload: `{"step":"dns","colour":"red"}`, kind: "Refused"},
		"no JSON":                    {payload: `step`, kind: "Refused"},
		"two tasks":                  {payload: `{"step":"dns"}{"step":"mail"}`, kind: "Refused"},
		"too large":                  {payload: `{"step":"` + strings.Repeat("x", 256<<10) + `"}`, kind: "Refused"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := invoke.Task[in, out]{Run: func(_ context.Context, i in) (out, error) { return out{i.Step}, c.err }}.Invoke(t.Context(), []byte(c.payload))
			kind, _ := invoke.ErrorType(err)
			if string(answer) != c.answer || kind != c.kind || (err == nil) != (c.answer != "") {
				t.Errorf("answered %s, %v of type %q: the state machine retries what it should not, or does not what it should", answer, err, kind)
			}
		})
	}
}
