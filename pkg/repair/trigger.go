package repair

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/event"
)

// Trigger is why a deployment group is reconciled.
type Trigger struct {
	// Deployments are those that events are about, by ID. One may be a deployment
	// to a single instance that Auto Scaling asked for.
	Deployments map[string]event.State
	// Confirmed means that an operator asked for the repair, and so confirms what
	// the function does not do by itself.
	Confirmed bool
	// Due are the times of the function's own continuations. One is superseded
	// unless the record holds its time.
	Due []time.Time
	// Redelivered means that an earlier delivery, or try, came to no end.
	Redelivered bool
	// Swept means that the sweep found the group.
	Swept bool
}

// and is a trigger with everything that either says.
func (t Trigger) and(u Trigger) Trigger {
	all := map[string]event.State{}
	maps.Copy(all, t.Deployments)
	maps.Copy(all, u.Deployments)
	return Trigger{Deployments: all, Due: slices.Concat(t.Due, u.Due), Redelivered: t.Redelivered || u.Redelivered, Swept: t.Swept || u.Swept}
}

// superseded reports whether the trigger is nothing but continuations in whose place
// others were sent. One that is delivered again is taken: the one in its place may
// never have been sent.
func (o *Observation) superseded() bool {
	t := o.Trigger
	return len(t.Due) > 0 && len(t.Deployments) == 0 && !t.Swept && !t.Redelivered && !slices.ContainsFunc(t.Due, o.Record.Due.Equal)
}

// deferred reports whether the trigger is nothing but deployments by Auto Scaling.
// A group that launches makes two events an instance, and none of them matters.
func (o *Observation) deferred() bool {
	t := o.Trigger
	if len(t.Deployments) == 0 || len(t.Due) > 0 || t.Swept {
		return false
	}
	for id := range t.Deployments {
		if d := o.Deployments[id]; d == nil || !d.ByAutoScaling {
			return false
		}
	}
	return true
}

// deferral is how long deployments by Auto Scaling are collected.
const deferral = 30 * time.Second

// postpone has the group reconciled a little later, unless that is due already.
func (r *Repairer) postpone(ctx context.Context, o *Observation) error {
	if o.Record.Due.After(o.Now) {
		return nil
	}
	p := Plan{Next: o.Record, Requeue: deferral}
	p.Next.Due = o.Now.Add(deferral)
	if err := r.requeue(ctx, o.Key, p); err != nil {
		return err
	}
	record := o.Item
	if err := r.save(ctx, &record, p.Next); !errors.Is(err, errConflict) {
		return err
	}
	return nil // somebody else is at it
}
