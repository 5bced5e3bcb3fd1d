package drain

import (
	"context"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

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
