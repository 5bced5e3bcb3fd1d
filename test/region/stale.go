package region

import (
	"encoding/json"
	"strings"
	"time"
)

// answers are what was answered lately, by question, where reads may be stale.
type answers map[string]answer

type answer struct {
	out any
	at  time.Time
}

// stale answers a question as it was answered before, within
// [Options.StaleReads] of then. The operations that only ask begin with
// Describe, Get, List or BatchGet.
func stale[I, O any](r *Region, service, operation string, serve func(*I) (*O, error)) func(*I) (*O, error) {
	asks := false
	for _, prefix := range []string{"Describe", "Get", "List", "BatchGet"} {
		asks = asks || strings.HasPrefix(operation, prefix)
	}
	if r.options.StaleReads == 0 || !asks {
		return serve
	}
	return func(in *I) (*O, error) {
		question, err := json.Marshal(in)
		if err != nil {
			panic("region: " + err.Error()) // no input of the SDK is without a JSON form
		}
		key := service + " " + operation + " " + string(question)
		if before, ok := r.answers[key]; ok && r.clock.now.Sub(before.at) < r.options.StaleReads {
			out := *before.out.(*O)
			return &out, nil
		}
		out, err := serve(in)
		if err == nil {
			if r.answers == nil {
				r.answers = answers{}
			}
			kept := *out
			r.answers[key] = answer{&kept, r.clock.now}
		}
		return out, err
	}
}
