package repair

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/event"
)

// concurrency is how many deployment groups one invocation works on together.
// CodeDeploy documents no rates; 4 groups ask it 12 questions at once.
const concurrency = 4

// continuation is the function's own work, continued by way of its queue. The
// schedule sends {"continue":{"sweep":{}}}.
type continuation struct {
	Reconcile *reconcileWork `json:"reconcile,omitempty"`
	Sweep     *sweepWork     `json:"sweep,omitempty"`
}

type reconcileWork struct {
	Key
	// Due is the time in the record that the continuation belongs to; zero for a
	// group that a sweep found.
	Due time.Time `json:"due,omitzero"`
}

type sweepWork struct {
	// After is the name of the last application that was swept.
	After string `json:"after,omitempty"`
}

// handle handles a batch: the messages about one deployment group reconcile it once.
func (r *Repairer) handle(ctx context.Context, messages []event.Message) []error {
	errs := make([]error, len(messages))
	triggers := map[Key]Trigger{}
	subjects := map[Key][]int{}
	var sweeps []int
	var sweep sweepWork
	for i, m := range messages {
		k, t, s, err := r.subject(m.Event)
		switch {
		case err != nil:
			errs[i] = err
		case s != nil:
			sweeps, sweep = append(sweeps, i), *s
		case k != Key{}:
			t.Redelivered = m.Receives > 1
			triggers[k] = triggers[k].and(t)
			subjects[k] = append(subjects[k], i)
		default:
			r.log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%T", m.Event))
		}
	}
	var round errgroup.Group
	round.SetLimit(concurrency)
	for k, indexes := range subjects {
		round.Go(func() error {
			t := triggers[k]
			if r.duplicate(k, t) {
				return nil
			}
			_, err := r.Reconcile(ctx, k, t)
			if err == nil {
				r.remember(k, t)
			}
			for _, i := range indexes {
				errs[i] = err
			}
			return nil
		})
	}
	_ = round.Wait() // errors are in errs
	if len(sweeps) > 0 {
		_, err := r.sweep(ctx, sweep) // one for all, and after what cannot wait
		for _, i := range sweeps {
			errs[i] = err
		}
	}
	return errs
}

// duplicate reports whether a trigger is nothing but events that this process has
// handled already: what they said is in the record, and in AWS.
func (r *Repairer) duplicate(k Key, t Trigger) bool {
	if len(t.Deployments) == 0 || len(t.Due) > 0 || t.Anyway || t.Redelivered {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, state := range t.Deployments {
		if !r.handled[k.String()+" "+id+" "+string(state)] {
			return false
		}
	}
	return true
}

// handledLimit bounds how many events a process remembers.
const handledLimit = 10_000

func (r *Repairer) remember(k Key, t Trigger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.handled) > handledLimit {
		clear(r.handled)
	}
	for id, state := range t.Deployments {
		r.handled[k.String()+" "+id+" "+string(state)] = true
	}
}

// and is what two triggers have in common: everything that either says.
func (t Trigger) and(u Trigger) Trigger {
	all := map[string]event.State{}
	for _, from := range []map[string]event.State{t.Deployments, u.Deployments} {
		for id, state := range from {
			if all[id] == "" || state != event.Started {
				all[id] = state
			}
		}
	}
	return Trigger{Deployments: all, Due: slices.Concat(t.Due, u.Due), Redelivered: t.Redelivered || u.Redelivered, Anyway: t.Anyway || u.Anyway}
}

// subject is the deployment group that a message is about, or the sweep that it asks
// for, or neither.
func (r *Repairer) subject(e event.Event) (Key, Trigger, *sweepWork, error) {
	switch e := e.(type) {
	case event.Deployment:
		k := Key{e.Application, e.DeploymentGroup}
		if !r.cfg.covers(k) {
			return Key{}, Trigger{}, nil, nil
		}
		return k, Trigger{Deployments: map[string]event.State{e.ID: e.State}}, nil, nil
	case event.Continuation:
		var c continuation
		if err := e.Decode(&c); err != nil {
			return Key{}, Trigger{}, nil, err
		}
		switch {
		case c.Sweep != nil:
			return Key{}, Trigger{}, c.Sweep, nil
		case c.Reconcile == nil || c.Reconcile.Application == "" || c.Reconcile.DeploymentGroup == "":
			return Key{}, Trigger{}, nil, fmt.Errorf(`a continuation needs "sweep", or "reconcile" with "application" and "deploymentGroup"`)
		case c.Reconcile.Due.IsZero():
			return c.Reconcile.Key, Trigger{Anyway: true}, nil, nil
		}
		return c.Reconcile.Key, Trigger{Due: []time.Time{c.Reconcile.Due}}, nil, nil
	}
	return Key{}, Trigger{}, nil, nil
}

// request is what an operator asks for by direct invocation.
//
//	{"action": "plan",   "application": "shop", "deploymentGroup": "web"}   what would be done, without doing it
//	{"action": "repair", "application": "shop", "deploymentGroup": "web"}   do it now, and confirm what waits for that
//	{"action": "status", "application": "shop", "deploymentGroup": "web"}   what is attached, and what is remembered
//	{"action": "forget", "application": "shop", "deploymentGroup": "web"}   drop the record; the next reconcile begins a new one
//	{"action": "sweep"}                                                     check every deployment group in scope
//
// plan and status without names answer for every deployment group in scope.
type request struct {
	Action          string `json:"action"`
	Application     string `json:"application"`
	DeploymentGroup string `json:"deploymentGroup"`
}

func (r *Repairer) answer(ctx context.Context, e event.Request) (any, error) {
	var req request
	if err := e.Decode(&req); err != nil {
		return nil, err
	}
	k := Key{req.Application, req.DeploymentGroup}
	named := req.Application != "" && req.DeploymentGroup != ""
	switch {
	case !named && k != Key{}, !named && (req.Action == "repair" || req.Action == "forget"):
		return nil, fmt.Errorf(`action %q needs both "application" and "deploymentGroup"`, req.Action)
	case named && req.Action == "sweep":
		return nil, fmt.Errorf(`action "sweep" takes no names`)
	}
	switch req.Action {
	case "plan":
		return each(ctx, r, k, r.Plan)
	case "status":
		return each(ctx, r, k, r.Status)
	case "repair":
		return r.Reconcile(ctx, k, Trigger{Confirmed: true})
	case "forget":
		return r.Forget(ctx, k)
	case "sweep":
		return r.sweep(ctx, sweepWork{})
	}
	return nil, fmt.Errorf(`action %q is not known: give "plan", "repair", "status", "forget" or "sweep"`, req.Action)
}
