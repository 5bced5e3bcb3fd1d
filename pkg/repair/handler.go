package repair

import (
	"context"
	"errors"
	"fmt"
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

// Handle implements [invoke.Domain]: the messages about one deployment group reconcile
// it once, and those that ask for a sweep come to one, after what cannot wait.
func (r *Repairer) Handle(ctx context.Context, batch []event.Message) []error {
	errs := make([]error, len(batch))
	triggers, brought := map[Key]Trigger{}, map[Key][]int{}
	var sweep *sweepWork
	var sweeps []int
	for i, m := range batch {
		k, t, s, err := subject(m.Event)
		switch {
		case err != nil:
			errs[i] = err
		case s != nil:
			sweep, sweeps = s, append(sweeps, i)
		case k == Key{} || !r.cfg.covers(k):
			r.log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%T", m.Event))
		default:
			t.Redelivered = m.Receives > 1
			triggers[k], brought[k] = triggers[k].and(t), append(brought[k], i)
		}
	}
	var round errgroup.Group
	round.SetLimit(concurrency)
	for k, t := range triggers {
		round.Go(func() error {
			_, err := r.Reconcile(ctx, k, t)
			for _, i := range brought[k] {
				errs[i] = err
			}
			return nil // errors are in errs
		})
	}
	_ = round.Wait()
	if sweep != nil {
		_, err := r.sweep(ctx, *sweep)
		for _, i := range sweeps {
			errs[i] = err
		}
	}
	return errs
}

// subject is the deployment group that a message is about, or the sweep that it asks
// for, or neither.
func subject(e event.Event) (Key, Trigger, *sweepWork, error) {
	switch e := e.(type) {
	case event.Deployment:
		return Key{e.Application, e.DeploymentGroup}, Trigger{Deployments: map[string]event.State{e.ID: e.State}}, nil, nil
	case event.Continuation:
		var c continuation
		if err := e.Decode(&c); err != nil {
			return Key{}, Trigger{}, nil, err
		}
		switch {
		case c.Sweep != nil:
			return Key{}, Trigger{}, c.Sweep, nil
		case c.Reconcile == nil || c.Reconcile.Application == "" || c.Reconcile.DeploymentGroup == "":
			return Key{}, Trigger{}, nil, errors.New(`a continuation needs "sweep", or "reconcile" with "application" and "deploymentGroup"`)
		case c.Reconcile.Due.IsZero():
			return c.Reconcile.Key, Trigger{Swept: true}, nil, nil
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

// Answer implements [invoke.Domain].
func (r *Repairer) Answer(ctx context.Context, e event.Request) (any, error) {
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
