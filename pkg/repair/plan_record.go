package repair

import (
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// next is the record after the plan, if everything in it succeeds.
func (p Plan) next(o *Observation) Record {
	n := p.draft
	n.Blocked = map[string]time.Time{}
	if p.partial(o) {
		maps.Copy(n.Blocked, o.Record.Blocked)
	}
	for _, b := range p.Blockers {
		n.Blocked[b.Matter] = b.Since
	}
	if o.Trigger.Confirmed {
		n.Confirmed = o.Now
	}
	if o.Err != nil {
		return n
	}
	s := p.Serving
	if d := o.latest(); d != nil {
		n.Release = d.ID
	}
	if n.Evidence = s.evidence(); n.Evidence != o.Record.Evidence {
		n.EvidenceSince = o.Now
	}
	if s.Release != nil {
		n.Release, n.Rerouted = s.Release.ID, ""
		if s.Phase == Rerouted && (s.Sure || o.stood(s) >= standing) {
			n.Rerouted = s.Release.ID
		}
	}
	if d := o.event(); d != nil && d.Succeeded {
		n.Ended = d.ID
	}
	if p.settled {
		n.Ended = ""
	}
	n.Former = p.formerGroups(o)
	n.Baseline = p.baseline(o)
	p.pending(o, &n)
	if s.Group != nil && s.Group.IsSuspended(setting.AddToLoadBalancer) {
		n.Settle = true
	}
	if s.Phase == Settled && (p.settled || !slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return b.passes })) {
		n.Deployment = o.DeploymentGroup.Last
	}
	if p.Publish != "" {
		n.Published = p.Publish
	}
	return n
}

// partial reports whether something may block that is not known now: while AWS does not
// answer, and while a release is in progress.
func (p Plan) partial(o *Observation) bool { return o.Err != nil || p.Serving.Phase != Settled }

// pending is what the plan's changes make of the record, and what their end does.
func (p Plan) pending(o *Observation, n *Record) {
	if p.settled {
		n.Pending, n.Settle = nil, false
		return
	}
	if o.Config.Mode == ModePlan {
		return
	}
	for _, c := range p.Changes {
		if c.Kind == setting.Resume && o.keptOut(c.Group) {
			continue // nothing was broken
		}
		switch c.Kind {
		case bridge, protect:
			n.Bridged = n.Bridged.with(c)
			continue
		case suspendBlue:
			n.Blue = &Blue{Group: c.Group, Originals: n.Blue.Originals, Suspended: true}
			continue
		case deregister, unprotect, exitStandby:
			continue
		case enterStandby:
			n.OnStandby = append(slices.Clone(n.OnStandby), c.Items...)
		}
		if !slices.ContainsFunc(n.Pending, func(other setting.Change) bool { return say(other) == say(c) }) {
			c.Data = nil
			n.Pending = append(slices.Clone(n.Pending), c)
		}
	}
}

// recordFirst reports whether the record is saved before the plan is applied: once
// processes are resumed, nothing in AWS shows that instances launched meanwhile are
// still to be registered, and once they are suspended, nothing shows by whom.
func (p Plan) recordFirst() bool {
	return slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return c.Kind == setting.Resume || c.Kind == suspendBlue })
}

// formerLimit bounds how many former groups are remembered.
const formerLimit = 5

// formerGroups are the groups that served before and still exist.
func (p Plan) formerGroups(o *Observation) []string {
	names := o.former(p.Serving.Group)
	if p.Serving.Phase == Rerouted { // until a rollback, it is the current one
		names = append(names, p.Serving.Group.Name)
	}
	for _, also := range p.Serving.Also {
		names = append(names, also.Name)
	}
	var former []string
	for _, name := range names {
		if o.Groups[name] != nil && !slices.Contains(former, name) {
			former = append(former, name)
		}
	}
	return former[max(0, len(former)-formerLimit):]
}

// baseline is the last known-good configuration to keep: that of the group as it is,
// if it has everything that it should have. A release moves it to the new group when
// that one is complete. Of a group that was complete once, what is missing since was
// taken away by somebody: it leaves the baseline, except a traffic source that the
// deployment group still names, which stays known as detached. Settings that could
// not be restored are kept apart, for the next release.
func (p Plan) baseline(o *Observation) *Baseline {
	old, g := o.Record.Baseline, p.Serving.Group
	if g == nil || g.IsSuspended(setting.AddToLoadBalancer) || p.Serving.Phase != Settled && p.Serving.Phase != Before {
		return old
	}
	details, known := o.Details[g.Name]
	if !known || p.Serving.Deployed == "" && len(g.Sources) == 0 {
		return old
	}
	now := setting.Take(g, details.Fetched)
	var sources []fleet.TrafficSource
	for s, state := range details.States {
		if state == fleet.SourceAdded || state == fleet.SourceInService {
			sources = append(sources, s)
		}
	}
	b := &Baseline{Group: g.Name, ARN: g.ARN, DeploymentGroupID: o.DeploymentGroup.ID, Taken: o.Now}
	switch {
	case o.verified(g):
		for _, s := range old.Settings.Sources() {
			detached := s.Type == fleet.ELBV2 && o.names(s.Name()) || s.Type == fleet.ClassicELB && slices.Contains(o.DeploymentGroup.Classic, s.ID)
			if detached && !slices.Contains(sources, s) && !slices.Contains(o.Missing, s.Name()) {
				sources = append(sources, s)
			}
		}
		b.Lost = old.Lost.Without(now)
	case len(p.Changes) > 0 || len(except(o.wanted(g), sources)) > 0:
		return old
	case old != nil && !o.anew(g):
		b.Lost = old.Settings.Merge(old.Lost).Without(now)
		delete(b.Lost, setting.TrafficSources)
		delete(b.Lost, setting.Resume)
	}
	if len(sources) == 0 {
		return old
	}
	slices.SortFunc(sources, fleet.CompareTrafficSources)
	now[setting.TrafficSources] = setting.SourceItems(sources)
	if b.Settings = now; b.same(old) {
		return old
	}
	return b
}

// after is the plan when some of its changes have failed: errs are those of each, and
// that of publishing.
func (p Plan) after(o *Observation, errs []error) Plan {
	if err := errs[len(p.Changes)]; err != nil {
		p.fail(o, err)
		p.Publish = ""
	}
	var made []setting.Change
	var refused []string
	for i, c := range p.Changes {
		err := errs[i]
		if err != nil {
			p.fail(o, err)
		}
		switch kind := fault.Of(err); {
		case err == nil, kind == fault.Transient, kind == fault.Unknown: // it may have had its effect
			made = append(made, c)
		case kind == fault.Denied, kind == fault.Invalid:
			refused = append(refused, say(c))
		}
	}
	p.Changes = made
	p = p.finish(o)
	p.Next.Refused = slices.Compact(slices.Sorted(slices.Values(slices.Concat(p.Next.Refused, refused))))
	return p
}
