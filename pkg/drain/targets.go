package drain

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// balancers are the load balancers of the drains, each with the least of how well
// it is known: lower is to be asked about first.
func (q *questions) balancers(drains []Drain) map[string]int {
	all := map[string]int{}
	for _, d := range drains {
		for _, id := range q.o.balancersOf(d) {
			urgency := settledTargets
			switch left, known := d.Balancers[id]; {
			case !known, !d.EC2EndsAt.IsZero() && left.Times == 0:
				urgency = unseenTargets
			case !left.Drained:
				urgency = drainingTargets
			}
			if was, ok := all[id]; !ok || urgency < was {
				all[id] = urgency
			}
		}
	}
	return all
}

// In which order load balancers are asked about their targets.
const (
	unseenTargets   = iota // of a drain that has not seen them, or of an interrupted instance
	drainingTargets        // of one that waits
	settledTargets         // of none that waits; they may be registered again
)

// settledEvery is how often load balancers are asked that no drain waits for.
const settledEvery = 30 * time.Second

// balancersOf are the IDs of all load balancers that a drain has to leave.
func (o *Observation) balancersOf(d Drain) []string {
	return sorted(slices.Concat(slices.Collect(maps.Keys(d.Balancers)), o.Wanted[d.Group].Balancers, o.Found[d.Instance]))
}

// askTargets reads who is registered in which load balancer, and the delays of
// those whose is not known, as far as the budget goes; a third of it is left to
// deregistrations.
func (q *questions) askTargets(ctx context.Context, drains []Drain) {
	urgency := q.balancers(drains)
	ids := slices.SortedFunc(maps.Keys(urgency), func(a, b string) int {
		return cmp.Or(cmp.Compare(urgency[a], urgency[b]), q.r.known.targets.at(a).Compare(q.r.known.targets.at(b)), strings.Compare(a, b))
	})
	var first, then []func(context.Context)
	for _, id := range ids {
		known := q.o.Balancers[id]
		if !known.DelayKnown || q.r.known.balancers.at(id).Before(q.o.Now.Add(-cacheFor)) {
			then = append(then, func(ctx context.Context) { q.askDelay(ctx, id) })
		}
		switch {
		case q.o.Targets[id] != nil: // the search has just read it
		case urgency[id] == unseenTargets:
			first = append(first, func(ctx context.Context) { q.askRegistered(ctx, id) })
		case urgency[id] == drainingTargets || q.o.Now.Sub(q.r.known.targets.at(id)) >= settledEvery:
			then = append(then, func(ctx context.Context) { q.askRegistered(ctx, id) })
		}
	}
	if slices.ContainsFunc(drains, func(d Drain) bool { return d.hasToLeave(q.o.Now) }) {
		q.o.Deferred, then = true, nil
	}
	ask := append(first, then...)
	if n := max(1, q.o.Left.Balancing*(describeFraction-1)/describeFraction); len(ask) > n {
		ask, q.o.Deferred = ask[:n], true
	}
	q.o.Left.Balancing -= len(ask)
	parallel(ctx, ask...)
}

// hasToLeave reports whether the instance is interrupted and may still get requests.
// For some seconds all calls are for such instances.
func (d Drain) hasToLeave(now time.Time) bool {
	in := len(d.Balancers) == 0
	for _, left := range d.Balancers {
		in = in || left.Times == 0 && !left.Drained
	}
	return in && !d.EC2EndsAt.IsZero() && now.Sub(d.Since) < tickInterval
}

func (q *questions) askRegistered(ctx context.Context, id string) {
	found, exists, err := q.r.registered(ctx, id)
	if err == nil && !exists {
		var replaced bool
		if replaced, err = q.r.resolveAgain(ctx, id); replaced {
			q.note(aboutTargets, id, nil, func(o *Observation) { o.Deferred = true }) // ask about the new one before anything ends
			return
		}
	}
	if err == nil || fault.Is(err, fault.Denied) { // asking a search's again brings no more
		q.r.known.targets.put(id, found, q.o.Now)
	}
	keep(q, aboutTargets, id, err, q.o.Targets, found)
}

// registered are the registrations in a load balancer by instance; none where it
// does not exist.
func (r *Drainer) registered(ctx context.Context, id string) (found map[string][]fleet.Target, exists bool, err error) {
	var targets []fleet.Target
	if isClassic(id) {
		targets, err = r.classicTargets(ctx, id)
		exists = true // or has no name to be found by
	} else {
		targets, exists, err = fleet.Targets(ctx, r.clients.Balancers, id)
	}
	found = map[string][]fleet.Target{}
	for _, t := range targets {
		found[t.Instance] = append(found[t.Instance], t)
	}
	return found, exists, err
}

// resolveAgain resolves the names anew that stand for a target group which does not
// exist, and reports whether one has been created under such a name. A reader that
// may not resolve names has to take the instance as out of the target group.
func (r *Drainer) resolveAgain(ctx context.Context, id string) (replaced bool, err error) {
	names := r.known.names.where(func(is resolution) bool { return is.id == id })
	if len(names) == 0 {
		return false, nil
	}
	if err := r.resolve(ctx, names); err != nil && !fault.Is(err, fault.Denied) {
		return false, err
	}
	for _, name := range names {
		is, _ := r.known.names.get(name, time.Time{})
		replaced = replaced || is.id != "" && is.id != id
	}
	return replaced, nil
}

// askDelay reads how long leaving a load balancer may take.
func (q *questions) askDelay(ctx context.Context, id string) {
	read := func() (time.Duration, error) { return fleet.DeregistrationDelay(ctx, q.r.clients.Balancers, id) }
	if isClassic(id) {
		read = func() (time.Duration, error) { return q.r.classicDelay(ctx, id) }
	}
	delay, err := read()
	q.note(aboutBalancer, id, err, func(o *Observation) {
		known := o.Balancers[id]
		switch {
		case err == nil, fault.Is(err, fault.NotFound): // nobody can be in it
			known.ID, known.Delay, known.DelayKnown = id, delay, true
		case fault.Is(err, fault.Denied): // it is as long as it can be
			known.ID, known.Delay, known.DelayKnown = id, fleet.MaxDeregistrationDelay, true
		default:
			return
		}
		o.Balancers[id] = known
		q.r.known.balancers.put(id, known, o.Now)
	})
}

// search finds the target groups that hold instances although nobody named them. A
// drain's search is over when each has been read since the drain began: an instance
// that terminates is registered nowhere anew. What may not be read counts as read,
// and so does what cannot be read for [outageMargin].
func (q *questions) search(ctx context.Context, drains []Drain) {
	drains = slices.DeleteFunc(slices.Clone(drains), func(d Drain) bool { return d.BalancersKnown })
	if len(drains) == 0 {
		return
	}
	youngest := slices.MaxFunc(drains, byAge).Since
	if q.r.known.every.at("").Before(youngest) && take(&q.o.Left.Balancing) {
		q.askEvery(ctx)
	}
	every, _ := q.r.known.every.get("", time.Time{})
	var missing []string
	for _, id := range every {
		if q.r.known.targets.at(id).Before(youngest) {
			missing = append(missing, id)
		}
	}
	// Those go first that were read the longest ago, so that however many drains
	// begin meanwhile, each one's search gets to its end.
	slices.SortStableFunc(missing, func(a, b string) int { return q.r.known.targets.at(a).Compare(q.r.known.targets.at(b)) })
	each(ctx, within(q, missing, &q.o.Left.Balancing, 2), q.askRegistered) // the rest is for those whose load balancers are known
	for _, d := range drains {
		q.o.Searched[d.Instance] = !q.r.known.every.at("").Before(d.Since)
		for _, id := range every {
			failed := q.o.Failed[Question{aboutTargets, id}] != nil && q.o.Now.Sub(d.Since) >= outageMargin
			if q.r.known.targets.at(id).Before(d.Since) && !failed {
				q.o.Searched[d.Instance] = false
			}
			if targets, _ := q.r.known.targets.get(id, time.Time{}); len(targets[d.Instance]) > 0 {
				q.o.Found[d.Instance] = append(q.o.Found[d.Instance], id)
			}
		}
	}
}

// askEvery lists all target groups.
func (q *questions) askEvery(ctx context.Context) {
	found, err := fleet.EveryTargetGroup(ctx, q.r.clients.Balancers)
	q.note(aboutSearch, "", err, func(*Observation) {})
	if err != nil && !fault.Is(err, fault.Denied) {
		return
	}
	var every []string
	for _, t := range found {
		if q.r.keep(t); t.TargetType == fleet.InstanceTargets {
			every = append(every, t.ARN)
		}
	}
	q.r.known.every.put("", every, q.o.Now)
}
