package repair

import (
	"slices"

	"deployhooks/pkg/notice"
)

// notices is the ledger after the plan: what is new is in its outbox.
func (p Plan) notices(o *Observation) notice.Ledger[notice.Notice] {
	ledger := p.Next.Notices
	res := p.result(o)
	res.LeftBehind = nil
	matter := func(what string) string { return what + " " + res.AutoScalingGroup }
	repaired, inOrder, planned, left := matter("repaired"), matter("in-order"), matter("planned"), ""
	live := []string{inOrder}
	for _, b := range p.Blockers {
		live = append(live, b.Matter)
	}
	if p.Left != nil {
		left = "left " + p.Left.Group
		live = append(live, left)
	}
	if len(p.Changes) == 0 {
		live = append(live, repaired)
	} else if p.Outcome == Planned {
		live = append(live, planned)
	}
	ledger = ledger.Keep(func(m string) bool { return slices.Contains(live, m) || p.partial(o) })
	switch ended := o.event() != nil && o.event().Succeeded || o.Record.Ended != ""; {
	case p.Outcome == Planned:
		ledger = ledger.Add(planned, res.notice("Repair planned, not applied"))
	case p.Outcome == Bridged:
		ledger = ledger.Add(p.Serving.evidence()+" bridged", res.notice("Temporary changes until the release ends"))
	case p.settled && len(p.Done) > 0:
		done := res
		done.Outcome = Repaired
		ledger = ledger.Add(repaired, done.notice("Load balancing repaired"))
	case p.settled && ended && !ledger.Knows(repaired) && len(p.Blockers) == 0:
		ledger = ledger.Add(inOrder, res.notice("Load balancing in order"))
	}
	if left != "" && p.Serving.Phase == Settled {
		remains := res
		remains.Changes, remains.Blockers, remains.LeftBehind = nil, nil, p.Left
		ledger = ledger.Add(left, remains.notice("Failed release left a group running"))
	}
	return p.notifyBlockers(o, ledger, res)
}

// notifyBlockers puts one notification into the outbox for everything that has
// blocked for long enough and that operators do not know of.
func (p Plan) notifyBlockers(o *Observation, ledger notice.Ledger[notice.Notice], res Result) notice.Ledger[notice.Notice] {
	var due []Blocker
	for _, b := range p.Blockers {
		lasted := b.ActionRequired || b.notify >= 0 && o.Now.Sub(b.Since) >= b.notify
		if lasted && !ledger.Knows(b.Matter) {
			due = append(due, b)
		}
	}
	if len(due) == 0 {
		return ledger
	}
	res.Blockers, res.Changes, res.Outcome = due, nil, Waiting
	headline := "Repair waiting"
	if slices.ContainsFunc(due, func(b Blocker) bool { return b.ActionRequired }) {
		res.Outcome, headline = ActionRequired, "Repair: action required"
	}
	ledger = ledger.Add(due[0].Matter, res.notice(headline))
	for _, b := range due[1:] {
		ledger = ledger.Delivered(b.Matter) // in the same notification
	}
	return ledger
}
