package repair

import (
	"fmt"
	"maps"
	"slices"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// registerLimit keeps a call on targets small: its API reference names no limit.
// namedLimit is how many instances EnterStandby and ExitStandby are given, and
// SetInstanceProtection, which takes 50 (Amazon EC2 Auto Scaling API Reference).
const (
	registerLimit = 100
	namedLimit    = 20
)

// bridge registers the instances of the group that serves, one by one, while a
// release is in progress: those in service that have the revision and are not
// registered where the group is not attached. CodeDeploy itself does the same.
// Terminating ones are left to the drain function's hook, draining ones to whoever
// deregistered them.
func (p *Plan) bridge(o *Observation) {
	g := p.Serving.Group
	if o.stood(p.Serving) < standing {
		if b := o.Record.Bridged; p.Serving.Release != nil && !o.Config.AttachDuringTerminationWait && (b == nil || b.Group == g.Name) {
			p.protect(o, g) // a scale-in does not wait, and the protection of a wrong group is ended
		}
		return
	}
	if b := o.Record.Bridged; b != nil && b.Group != g.Name { // that one serves no more
		if p.unprotect(o); len(p.Changes) > 0 {
			return
		}
	}
	sources := o.bridgeable(g)
	settle := p.Serving.Release != nil && o.Record.Settle && !g.IsSuspended(setting.AddToLoadBalancer)
	if settle { // an attached source does not register what launched while the process was suspended
		sources = append(sources, except(o.wanted(g), o.lacking(g))...)
	}
	changes := o.absent(bridge, g, sources)
	if settle && changes == nil && o.draining(g) == nil {
		p.draft.Settle = false
	}
	p.Changes = append(p.Changes, changes...)
	if p.Serving.Release != nil { // else it cannot be attached because of a refresh, which waits for protected instances
		p.protect(o, g)
	}
	p.reportWithout(o, g, o.suspects(g))
}

// bridgeable are the traffic sources that a group lacks and that a release has used:
// the baseline has them, or instances of the group are registered. What a group that
// was complete lacks, or a group created anew, waits for an operator or for the
// release's end (blocksSource).
func (o *Observation) bridgeable(g *fleet.AutoScalingGroup) []fleet.TrafficSource {
	if !o.confirmed() && (o.verified(g) || o.anew(g) && !o.releasedSince(g)) {
		return nil
	}
	b, states := o.Record.Baseline, o.states(g)
	return slices.DeleteFunc(o.lacking(g), func(s fleet.TrafficSource) bool {
		used := b == nil || b.has(s) || slices.ContainsFunc(g.Instances, func(i fleet.Instance) bool { return o.Targets[s.ID].state(i.ID) != "" })
		return states[s] == fleet.SourceRemoving || !used && !o.confirmed()
	})
}

// protect keeps scale-in from the instances that serve users while their group is
// not attached: Auto Scaling would end them without deregistering them, and cut off
// their requests ("Use instance scale-in protection", Amazon EC2 Auto Scaling User
// Guide). The group shrinks when it is attached. Where a terminate hook drains the
// instances, and for those that somebody has protected, there is nothing to do.
func (p *Plan) protect(o *Observation, g *fleet.AutoScalingGroup) {
	if len(o.lacking(g)) == 0 || setting.HasTerminateHook(o.Details[g.Name].Fetched) {
		p.unprotect(o)
		return
	}
	serving := instances(g, func(i fleet.Instance) bool {
		return !i.Protected && o.inTarget(func(t TargetGroup) bool { return t.state(i.ID) != "" })
	})
	p.Changes = append(p.Changes, chunks(protect, g.Name, "", serving, namedLimit)...)
}

// unprotect ends the protection that the bridge gave.
func (p *Plan) unprotect(o *Observation) {
	b := o.Record.Bridged
	if b == nil || o.Groups[b.Group] == nil {
		return
	}
	still := slices.DeleteFunc(slices.Clone(b.Protected), func(id string) bool {
		i, _ := o.Groups[b.Group].Instance(id)
		return !i.Protected
	})
	p.Changes = append(p.Changes, chunks(unprotect, b.Group, "", still, namedLimit)...)
}

// takeBackUnrecorded deregisters what is left of a release that was rolled back:
// CodeDeploy has deregistered what it registered, and the record of the bridge was
// lost, or is another deployment group's. What appears later, somebody registers.
func (p *Plan) takeBackUnrecorded(o *Observation) {
	serving := p.Serving.Group
	for _, d := range o.Deployments {
		g := o.replacement(d)
		if g == nil || g == serving || serving == nil || !d.failed() || !o.serves(serving) || !o.Config.admits(g) {
			continue
		}
		if back := o.rollback(d); back == nil || !back.Over || o.Now.Sub(back.Ended) > gracePeriod {
			continue
		}
		for _, t := range o.Targets {
			var here []string
			for _, i := range g.Instances {
				if o.names(t.Name) && t.state(i.ID) != "" && !o.Record.Bridged.holds(t.ARN, i.ID) {
					here = append(here, i.ID)
				}
			}
			p.Changes = append(p.Changes, chunks(deregister, g.Name, t.ARN, here, registerLimit)...)
		}
	}
}

// takeBack deregisters what was bridged of a group that does not serve any more, once
// the one that does is seen to: the release was rolled back. Of the group that serves,
// the bridge is forgotten once the group is attached.
func (p *Plan) takeBack(o *Observation) {
	b, g := o.Record.Bridged, p.Serving.Group
	if b == nil || g != nil && b.Group == g.Name && len(o.lacking(g)) > 0 {
		return
	}
	p.unprotect(o)
	if g == nil || b.Group != g.Name {
		if g == nil || !o.serves(g) {
			return
		}
		for _, arn := range slices.Sorted(maps.Keys(b.Targets)) {
			here := slices.DeleteFunc(slices.Clone(b.Targets[arn]), func(id string) bool { return o.Targets[arn].state(id) == "" })
			p.Changes = append(p.Changes, chunks(deregister, b.Group, arn, here, registerLimit)...)
		}
	}
	if len(p.Changes) == 0 {
		p.draft.Bridged = nil
	}
}

// register registers the instances that were launched while AddToLoadBalancer was
// suspended: neither resuming the process nor a source that is attached already does
// that ("Suspend and resume Amazon EC2 Auto Scaling processes"). A source still to
// be attached registers them itself.
func (o *Observation) register(g *fleet.AutoScalingGroup, sources []fleet.TrafficSource) []setting.Change {
	states := o.states(g)
	return o.absent(register, g, slices.DeleteFunc(slices.Clone(sources), func(s fleet.TrafficSource) bool {
		return !fleet.Attached(states[s]) || states[s] == fleet.SourceAdding
	}))
}

// absent makes changes of a kind for the instances in service of a group that have the
// revision, as far as is known, and that target groups do not know.
func (o *Observation) absent(kind string, g *fleet.AutoScalingGroup, sources []fleet.TrafficSource) (changes []setting.Change) {
	without := o.suspects(g)
	for _, s := range sources {
		if s.Type != fleet.ELBV2 {
			continue
		}
		absent := instances(g, func(i fleet.Instance) bool { return !o.Targets[s.ID].known(i.ID) && !slices.Contains(without, i.ID) })
		changes = append(changes, chunks(kind, g.Name, s.ID, absent, registerLimit)...)
	}
	return changes
}

// chunks makes changes of at most n instances each.
func chunks(kind, group, targetGroup string, instances []string, n int) []setting.Change {
	slices.Sort(instances)
	var changes []setting.Change
	for chunk := range slices.Chunk(instances, n) {
		changes = append(changes, setting.Change{Kind: kind, Group: group, TargetGroup: targetGroup, Items: chunk})
	}
	return changes
}

// detachChanges detach traffic sources from a group.
func detachChanges(group string, sources []fleet.TrafficSource) []setting.Change {
	got := setting.Snapshot{setting.TrafficSources: setting.SourceItems(sources)}
	var changes []setting.Change
	for _, c := range setting.Diff(group, got, setting.Snapshot{}) {
		if c.Kind == setting.TrafficSources {
			c.Kind = detach
			changes = append(changes, c)
		}
	}
	return changes
}

// bridgeLeft reports the bridge of a deployment group that is gone.
func (p *Plan) bridgeLeft(o *Observation, b *Bridge) {
	p.block(o, Blocker{Matter: "bridge left " + b.Group, ActionRequired: true, Reason: fmt.Sprintf(
		"the deployment group was renamed or deleted, and instances of %s stay as they were left: registered one by one in %s, or protected from scale-in (%s)",
		setting.Plain(b.Group), setting.Join(slices.Sorted(maps.Keys(b.Targets))), setting.Join(b.Protected)),
		Remedy: "If the group does not serve any more, deregister them; end the protection; then invoke the function with the action forget for the old name."})
}
