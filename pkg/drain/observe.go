package drain

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fleet"
)

// observe asks AWS once for all drains: each group, each target group and each
// command one time, however many drains it concerns, as far as the budget goes.
// The answer to a question that fails is missing; what is known from earlier
// takes its place where it changes rarely. It returns the drains, with the groups that
// their instances are in.
func (r *Drainer) observe(ctx context.Context, all []work, b Budget) ([]Drain, *Observation) {
	q := &questions{r: r, o: &Observation{
		Now: r.now(), Left: b, Groups: map[string]*fleet.AutoScalingGroup{}, Fresh: map[string]bool{},
		Hooks: map[string][]fleet.LifecycleHook{}, Wanted: map[string]Wanted{}, Balancers: map[string]Balancer{},
		Targets: map[string]map[string][]fleet.Target{}, Found: map[string][]string{}, Searched: map[string]bool{},
		Commands: map[string]map[string]Result{}, Failed: map[Question]error{},
	}}
	drains := q.findGroups(ctx, all)
	open := slices.DeleteFunc(slices.Clone(drains), func(d Drain) bool { return !d.open() })
	for _, round := range []func(context.Context, []Drain){q.askGroupsAndResults, q.askHooks, q.askWanted, q.askTargets, q.askSent} {
		ctx, cancel := context.WithTimeout(ctx, observeTime)
		round(ctx, open)
		cancel()
	}
	return drains, q.o
}

// askGroupsAndResults asks what does not depend on other answers.
func (q *questions) askGroupsAndResults(ctx context.Context, drains []Drain) {
	parallel(ctx, func(ctx context.Context) { q.askGroups(ctx, drains) }, func(ctx context.Context) { q.askResults(ctx, drains) })
}

// questions are what one observation asks.
type questions struct {
	r *Drainer

	mu sync.Mutex // protects o
	o  *Observation
}

// note keeps an answer, or why there is none.
func (q *questions) note(about, name string, err error, keep func(*Observation)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.o.Failed[Question{about, name}] = err
	}
	keep(q.o)
}

// keep keeps an answer, or why there is none.
func keep[T any](q *questions, about, name string, err error, to map[string]T, value T) {
	q.note(about, name, err, func(*Observation) {
		if err == nil {
			to[name] = value
		}
	})
}

// within are the first of several that may be asked by a part of what is left of a
// budget, a half or all, from which they are taken.
func within[T any](q *questions, all []T, left *int, part int) []T {
	n := max(0, min(len(all), *left, max(1, *left/part)))
	*left -= n
	q.o.Deferred = q.o.Deferred || n < len(all)
	return all[:n]
}

// each does something for each of several at the same time.
func each[T any](ctx context.Context, all []T, do func(context.Context, T)) {
	var calls []func(context.Context)
	for _, one := range all {
		calls = append(calls, func(ctx context.Context) { do(ctx, one) })
	}
	parallel(ctx, calls...)
}

// parallel makes calls at the same time.
func parallel(ctx context.Context, ask ...func(context.Context)) {
	round, ctx := errgroup.WithContext(ctx)
	round.SetLimit(concurrency)
	for _, a := range ask {
		round.Go(func() error { a(ctx); return nil })
	}
	_ = round.Wait() // answers and errors are in the observation
}
