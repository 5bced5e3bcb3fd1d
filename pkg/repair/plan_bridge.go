package repair

import (
	"fmt"
	"maps"
	"slices"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// The kinds of changes that restore no setting.
const (
	register    = "register-targets"
	bridge      = "bridge-targets" // registers, and remembers it
	deregister  = "deregister-targets"
	detach      = "detach-traffic-sources"
	holdBack    = "enter-standby"
	letServe    = "exit-standby"
	replaceThem = "replace-instances"
)

// registerLimit keeps a call on targets small: its API reference names no limit.
// standbyLimit is how many instances EnterStandby and ExitStandby are given.
const (
	registerLimit = 100
	standbyLimit  = 20
)

// bridge registers the instances of the group that serves, one by one, while a
// release is in progress: those in service that have the revision and are not
// registered where the group is not attached. CodeDeploy itself does the same.
// Terminating ones are left to the drain function's hook, draining ones to whoever
// deregistered them.
func (p *Plan) bridge(o *Observation) {
	g := p.Serving.Group
	if o.stood(p.Serving) < standing || !o.Config.admits(g) {
		return
	}
	sources := o.lacking(g)
	settle := o.Record.Settle && !g.IsSuspended(setting.AddToLoadBalancer)
	if settle { // an attached source does not register what launched while the process was suspended
		sources = o.wanted(g)
	}
	changes := o.absent(bridge, g, sources)
	if settle && changes == nil {
		p.draft.Settle = false
	}
	p.Changes = append(p.Changes, changes...)
	p.reportWithout(o, g, o.suspects(g))
}

// takeBack deregisters what was bridged of a group that does not serve any more: the
// release was rolled back. Of the group that serves, the bridge is forgotten once
// the group is attached.
func (p *Plan) takeBack(o *Observation) {
	b := o.Record.Bridged
	if b == nil {
		return
	}
	if g := p.Serving.Group; g != nil && b.Group == g.Name {
		if len(o.lacking(g)) == 0 {
			p.draft.Bridged = nil
		}
		return
	}
	for _, arn := range slices.Sorted(maps.Keys(b.Targets)) {
		here := slices.DeleteFunc(slices.Clone(b.Targets[arn]), func(id string) bool { return o.Targets[arn].state(id) == "" })
		p.Changes = append(p.Changes, chunks(deregister, b.Group, arn, here, registerLimit)...)
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
		var absent []string
		for _, i := range g.Instances {
			if i.InService() && !o.Targets[s.ID].known(i.ID) && !slices.Contains(without, i.ID) {
				absent = append(absent, i.ID)
			}
		}
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

// maker is the release that made a group, or last deployed to it; nil if it is not
// known.
func (o *Observation) maker(g *fleet.AutoScalingGroup) *Deployment {
	if d := o.deployment(g.Tags[fleet.ProvisioningTag]); d != nil && d.to(g) {
		return d
	}
	for _, d := range o.releases() {
		if d.to(g) {
			return d
		}
	}
	return nil
}

// suspects are the instances in service of a group that CodeDeploy did not deploy
// to, as far as is known: they launched between the installation and the reroute.
// Registered and healthy ones do serve. Without an answer of CodeDeploy there are
// none.
func (o *Observation) suspects(g *fleet.AutoScalingGroup) []string {
	maker := o.maker(g)
	if maker == nil {
		return nil
	}
	revised, asked := o.Revised[maker.ID]
	if !asked || revised.Err != nil {
		return nil
	}
	var ids []string
	for _, i := range g.Instances {
		if i.InService() && !o.hasRevision(i.ID) && !o.healthy(i.ID) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// hasRevision reports whether a deployment that was asked about deployed to an
// instance.
func (o *Observation) hasRevision(id string) bool {
	for _, r := range o.Revised {
		if slices.Contains(r.Instances, id) {
			return true
		}
	}
	return false
}

// healthy reports whether an instance is registered and healthy where CodeDeploy
// moves traffic.
func (o *Observation) healthy(id string) bool {
	for _, t := range o.Targets {
		if o.names(t.Name) && t.state(id) == fleet.TargetHealthy {
			return true
		}
	}
	return false
}

// launchedLimit bounds how many deployments by Auto Scaling are asked which
// instance they deployed to, in one reconcile: the latest.
const launchedLimit = 50

// openRevision says what is still to be asked about who has the revision: first the
// release that made the group, then, if that leaves instances open, the deployments
// since.
func (o *Observation) openRevision(s Serving) (revised []string, launched *Deployment) {
	maker := o.maker(s.Group)
	if maker == nil || s.Phase == Rerouting || len(o.lacking(s.Group)) == 0 && !o.settles(s.Group) && len(o.Record.HeldBack) == 0 {
		return nil, nil
	}
	if _, asked := o.Revised[maker.ID]; !asked {
		return []string{maker.ID}, nil
	}
	held := slices.ContainsFunc(o.Record.HeldBack, func(id string) bool { return !o.hasRevision(id) })
	switch {
	case len(o.suspects(s.Group)) == 0 && !held:
		return nil, nil
	case o.Launched == nil:
		return nil, maker
	}
	latest := o.Launched[:min(len(o.Launched), launchedLimit)]
	return unasked(o.Revised, slices.Clone(latest)), nil
}

// withoutRevision keeps the instances that CodeDeploy did not deploy to from being
// reached, where the configuration says so, before the group is attached.
func (p *Plan) withoutRevision(o *Observation, g *fleet.AutoScalingGroup) {
	without := o.suspects(g)
	switch o.Config.InstancesWithoutRevision {
	case HoldBack:
		p.Changes = append(p.Changes, chunks(holdBack, g.Name, "", without, standbyLimit)...)
	case Replace:
		p.Changes = append(p.Changes, chunks(replaceThem, g.Name, "", without, standbyLimit)...)
	}
	p.Changes = slices.DeleteFunc(p.Changes, func(c setting.Change) bool { return isHoldBack(c) && p.refused(o, c) })
	p.reportWithout(o, g, without)
}

func isHoldBack(c setting.Change) bool { return c.Kind == holdBack || c.Kind == replaceThem }

// reportWithout names instances without the revision, and says so where CodeDeploy
// does not answer who has it.
func (p *Plan) reportWithout(o *Observation, g *fleet.AutoScalingGroup, without []string) {
	if maker := o.maker(g); maker != nil && o.Revised[maker.ID].Err != nil {
		p.block(o, Blocker{Matter: "revision unknown " + g.Name, aside: true, notify: notifyAfter,
			Reason: fmt.Sprintf("CodeDeploy does not say which instances of %s deployment %s deployed to, so all of them are served: %v", setting.Plain(g.Name), maker.ID, o.Revised[maker.ID].Err),
			Remedy: "Allow codedeploy:ListDeploymentTargets to the function's role, if it was denied."})
	}
	if len(without) == 0 {
		return
	}
	remedy := "Deploy again, or have Auto Scaling replace them: " + replaceCommand(without[0])
	switch o.Config.InstancesWithoutRevision {
	case HoldBack:
		remedy = "They are put on standby until CodeDeploy has deployed to them."
	case Replace:
		remedy = "Auto Scaling replaces them."
	}
	p.block(o, Blocker{Matter: "without the revision " + g.Name, aside: true, notify: 0,
		Reason: fmt.Sprintf("CodeDeploy has not deployed to %s of %s: they launched while the deployment was in progress, and only the health check keeps users from them", setting.Join(without), setting.Plain(g.Name)),
		Remedy: remedy})
}

// serveAgain ends the standby of instances that CodeDeploy has deployed to since.
func (p *Plan) serveAgain(o *Observation, g *fleet.AutoScalingGroup) {
	var ready, held []string
	for _, id := range o.Record.HeldBack {
		i, exists := g.Instance(id)
		switch {
		case !exists, i.InService():
		case i.State == fleet.Standby && o.hasRevision(id):
			ready, held = append(ready, id), append(held, id)
		default:
			held = append(held, id)
		}
	}
	p.draft.HeldBack = held
	p.Changes = append(p.Changes, chunks(letServe, g.Name, "", ready, standbyLimit)...)
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

// say is a change in words, in the imperative.
func say(c setting.Change) string {
	items, group := setting.Join(c.Items), setting.Plain(c.Group)
	target := fleet.TrafficSource{Type: fleet.ELBV2, ID: c.TargetGroup}
	switch c.Kind {
	case register, bridge:
		return fmt.Sprintf("register %s of %s in %s", items, group, target)
	case deregister:
		return fmt.Sprintf("deregister %s of %s from %s", items, group, target)
	case detach:
		return fmt.Sprintf("detach %s from %s", items, group)
	case holdBack:
		return fmt.Sprintf("put %s of %s on standby", items, group)
	case letServe:
		return fmt.Sprintf("end the standby of %s of %s", items, group)
	case replaceThem:
		return fmt.Sprintf("have Auto Scaling replace %s of %s", items, group)
	}
	return c.String()
}
