package repair

import (
	"slices"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// keepOut keeps the old version from users while a release waits to terminate its blue
// group. That group is still attached, so that Auto Scaling registers what it launches
// in the place of a lost instance, and the force delete that ends the wait drains
// nothing. AddToLoadBalancer is suspended there, and what the group has registered
// since the reroute is deregistered. The instances that CodeDeploy has taken the
// traffic from are left alone: whoever registers those again goes back to them, be it
// CodeDeploy or an operator.
func (p *Plan) keepOut(o *Observation) {
	b, known := o.blue(p.Serving.Group), o.Record.Blue
	switch {
	case b == nil, known != nil && known.Group != b.Name, !o.Config.admits(b):
		p.letIn(o)
		return
	case known == nil:
		reached := o.reached(b, nil)
		p.draft.Blue = &Blue{Group: b.Name, Originals: instances(b, func(i fleet.Instance) bool { return !slices.Contains(reached, i.ID) })}
		return
	case o.stood(p.Serving) < standing, !o.serves(p.Serving.Group):
		return
	case !b.IsSuspended(setting.AddToLoadBalancer):
		p.Changes = append(p.Changes, setting.Change{Kind: suspendBlue, Group: b.Name, Items: []string{setting.AddToLoadBalancer}})
	case !known.Suspended:
		return // somebody else has suspended it
	}
	p.Changes = append(p.Changes, o.launched(deregister, b, func(t TargetGroup, id string) bool { return t.state(id) != "" })...)
}

// letIn ends what keepOut has begun. If the group serves again, or is about to, what it
// has launched meanwhile is registered, as Auto Scaling would have done: it does not when
// the process is resumed, and CodeDeploy's rollback registers the original instances
// only. That the process runs is believed when it cannot be an earlier answer any more.
func (p *Plan) letIn(o *Observation) {
	known, s := o.Record.Blue, p.Serving
	if known == nil {
		return
	}
	b := o.Groups[known.Group]
	rollback := s.Release != nil && s.Release.Undoes != ""
	if b != nil && known.Suspended && (rollback || s.Phase == Settled && b == s.Group) {
		p.Changes = append(p.Changes, o.launched(register, b, func(t TargetGroup, id string) bool { return !t.known(id) })...)
	}
	switch {
	case b != nil && known.Suspended && s.Phase != Settled && setting.SuspendedByCodeDeploy(b): // it resumes the processes itself
	case b != nil && known.Suspended && b.IsSuspended(setting.AddToLoadBalancer):
		p.Changes = append(p.Changes, setting.Change{Kind: setting.Resume, Group: b.Name, Items: []string{setting.AddToLoadBalancer}})
	case !known.Suspended || o.stood(s) >= standing:
		p.draft.Blue = nil
	}
}

// blue is the group that a release has taken the traffic from, if the baseline knows it
// and it is still attached; nil for none.
func (o *Observation) blue(green *fleet.AutoScalingGroup) *fleet.AutoScalingGroup {
	if o.Record.Baseline == nil {
		return nil
	}
	b := o.Groups[o.Record.Baseline.Group]
	wanted := o.wanted(green)
	if b == nil || b == green || !o.verified(b) || len(except(wanted, b.Sources)) == len(wanted) {
		return nil
	}
	return b
}

// launched makes changes of a kind for the instances in service of a blue group that are
// none of its original ones, in the target groups that CodeDeploy moves traffic with.
func (o *Observation) launched(kind string, b *fleet.AutoScalingGroup, such func(TargetGroup, string) bool) (changes []setting.Change) {
	for _, t := range o.Targets {
		if o.names(t.Name) {
			here := instances(b, func(i fleet.Instance) bool { return !slices.Contains(o.Record.Blue.Originals, i.ID) && such(t, i.ID) })
			changes = append(changes, chunks(kind, b.Name, t.ARN, here, registerLimit)...)
		}
	}
	return changes
}

// keptOut reports whether the function has suspended AddToLoadBalancer of a group.
func (o *Observation) keptOut(group string) bool {
	return o.Record.Blue != nil && o.Record.Blue.Suspended && o.Record.Blue.Group == group
}

// keepsOut reports whether nothing that a group launches reaches users.
func (p *Plan) keepsOut(o *Observation, g *fleet.AutoScalingGroup) bool {
	return o.keptOut(g.Name) && g.IsSuspended(setting.AddToLoadBalancer) ||
		slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return c.Kind == suspendBlue && c.Group == g.Name })
}
