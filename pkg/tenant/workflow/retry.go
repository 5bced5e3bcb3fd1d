package workflow

import (
	"cmp"
	"math"
	"slices"
	"time"

	"deployhooks/pkg/tenant/step"
)

// anyError matches every error ("Errors", Amazon States Language).
const anyError = "States.ALL"

// leased is the name of the error that another try of the step is still running, or was
// killed less than its lease ago.
const leased = "Leased"

// endedError is the name of the error that a manual task is not to be waited for any more: it is
// completed, cancelled or of a later operation.
const endedError = "Ended"

// A retrier says how often and after what time a task is tried again that fails with one
// of some errors. It counts its own retries ("Retrying after error", Amazon States
// Language). Both engines go by the first that matches.
type retrier struct {
	errors   []string
	interval time.Duration
	rate     float64
	attempts int           // 0 is never
	longest  time.Duration // 0 is no limit
	jitter   bool          // a random part of the time instead of all of it
}

// margin is what a task gets beyond its step's time limit, to start and to record.
const margin = time.Minute

// limitOf bounds one try of a step. A kind that says nothing has a few minutes.
func limitOf(p step.Policy) time.Duration { return cmp.Or(p.TimeLimit, 5*time.Minute) }

// retriersOf are the retriers of a step.
func retriersOf(p step.Policy) []retrier {
	const (
		interval = 10 * time.Second
		kills    = 3 // that a step survives
	)
	all := []retrier{
		{errors: []string{string(step.Refused), string(step.Conflict)}},
		{errors: []string{leased}, interval: interval, rate: 1, attempts: kills * (times(limitOf(p)+margin, interval) + 1)},
	}
	if p.Wait > 0 {
		interval := max(p.Interval, time.Second)
		all = append(all, retrier{errors: []string{string(step.NotYet)}, interval: interval, rate: 1, attempts: times(p.Wait, interval)})
	}
	return append(all, transient)
}

// transient retries everything else, for six minutes at most: errors of class Transient,
// a worker that ends without an answer, and the errors of Lambda itself ("Handle transient
// Lambda service exceptions", Step Functions Developer Guide).
var transient = retrier{errors: []string{anyError}, interval: 2 * time.Second, rate: 2, attempts: 10, longest: time.Minute, jitter: true}

// bookkeeping are the retriers of the control tasks: they only read and write the
// registry, so nothing but time makes them succeed. They retry for 100 minutes at most.
var bookkeeping = []retrier{
	{errors: []string{string(step.Refused)}},
	{errors: []string{anyError}, interval: 2 * time.Second, rate: 2, attempts: 100, longest: time.Minute, jitter: true},
}

func times(of, each time.Duration) int { return int((of + each - 1) / each) }

// retrierFor is the index of the first retrier for an error.
func retrierFor(all []retrier, name string) int {
	return slices.IndexFunc(all, func(r retrier) bool {
		return slices.Contains(r.errors, name) || slices.Contains(r.errors, anyError)
	})
}

// delay is the time before the n-th retry, counted from 1. fraction is in [0, 1).
func (r retrier) delay(n int, fraction float64) time.Duration {
	d := float64(r.interval) * math.Pow(r.rate, float64(n-1))
	if r.longest > 0 {
		d = min(d, float64(r.longest))
	}
	if r.jitter {
		d *= fraction
	}
	return time.Duration(d)
}
