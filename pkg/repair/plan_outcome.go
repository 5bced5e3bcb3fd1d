package repair

import (
	"slices"
	"time"

	"deployhooks/pkg/repair/setting"
)

// finish draws the conclusions: the outcome, the next record with the notifications
// in it, and when to reconcile again.
func (p Plan) finish(o *Observation) Plan {
	if p.Outcome == OutOfScope {
		return p
	}
	p.settled = p.Serving.Phase == Settled && p.Serving.Group != nil && len(p.Changes) == 0 &&
		!slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return !b.aside })
	if p.settled {
		p.Done = o.Record.Pending
	}
	p.Outcome = p.outcome(o)
	p.Next = p.next(o)
	p.Next.Notices = p.notices(o)
	p.Requeue = p.requeue(o)
	p.Next.Due, p.Next.Requeues = time.Time{}, 0
	if p.Requeue > 0 {
		p.Next.Due, p.Next.Requeues = o.Now.Add(p.Requeue), o.requeues()+1
	}
	return p
}

// bridges reports whether a change is one of those until the group that serves may be
// attached.
func (p Plan) bridges(c setting.Change) bool {
	return slices.Contains([]string{bridge, protect, suspendBlue}, c.Kind) || c.Kind == deregister && p.Serving.Phase == Rerouted
}

func (p Plan) outcome(o *Observation) Outcome {
	required := slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return b.ActionRequired })
	switch {
	case len(p.Changes) > 0 && o.Config.Mode == ModePlan:
		return Planned
	case len(p.Changes) > 0 && !p.failed && !slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return !p.bridges(c) }):
		return Bridged
	case len(p.Changes) > 0 && !p.failed:
		return Applied
	case required:
		return ActionRequired
	case p.settled && len(p.Done) > 0:
		return Repaired
	case len(p.Blockers) > 0:
		return Waiting
	}
	return InOrder
}

// The reconciles after an event come 15, 30, 60, … seconds after one another, and
// then every five minutes; every three while a release is in progress and nothing is
// due, because no event says that traffic was rerouted.
const (
	firstRequeue = 15 * time.Second
	lastRequeue  = 5 * time.Minute
	idleRequeue  = 3 * time.Minute
)

// requeues counts the continuations in a row. An event begins a new row.
func (o *Observation) requeues() int {
	if len(o.Trigger.Due) == 0 && !o.Trigger.Swept {
		return 0
	}
	return o.Record.Requeues
}

// requeue is when to reconcile again: soon, while something is expected to change by
// itself, and when a notification comes due.
func (p Plan) requeue(o *Observation) time.Duration {
	backoff := min(firstRequeue<<min(o.requeues(), 10), lastRequeue)
	var next time.Duration
	at := func(d time.Duration) {
		if next == 0 || d < next {
			next = max(d, time.Second)
		}
	}
	if len(p.Changes) > 0 && o.Config.Mode == ModeApply || slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return b.passes }) {
		at(backoff)
	}
	if p.Serving.Release != nil {
		at(idleRequeue)
	}
	if stood := standing - o.stood(p.Serving); stood > 0 && p.waitsForEvidence(o) {
		at(stood)
	}
	for _, b := range p.Blockers {
		if due := b.notify - o.Now.Sub(b.Since); b.notify > 0 && due > 0 {
			at(due)
		}
	}
	return next
}

// waitsForEvidence reports whether something is due as soon as the evidence has
// stood long enough.
func (p Plan) waitsForEvidence(o *Observation) bool {
	s := p.Serving
	return s.Release != nil && s.Group != nil && s.Phase != Rerouting && len(o.lacking(s.Group)) > 0 ||
		slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return b.Matter == evidenceNew })
}
