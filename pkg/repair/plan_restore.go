package repair

import (
	"fmt"
	"slices"
	"strings"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// wanted are the traffic sources that exist and that a group should have, sorted:
// those that the deployment group names and, if the group is new, those that the
// last one had besides.
func (o *Observation) wanted(g *fleet.AutoScalingGroup) []fleet.TrafficSource {
	known := o.Record.Baseline
	if o.verified(g) || o.anew(g) {
		known = nil
	}
	var wanted []fleet.TrafficSource
	for _, t := range o.Targets {
		if t.TargetType == fleet.InstanceTargets && (o.names(t.Name) || known.has(t.source()) || known != nil && slices.ContainsFunc(known.sources(fleet.ELBV2), func(s fleet.TrafficSource) bool { return s.Name() == t.Name })) {
			wanted = append(wanted, t.source())
		}
	}
	for _, name := range o.DeploymentGroup.Classic {
		wanted = append(wanted, fleet.TrafficSource{Type: fleet.ClassicELB, ID: name})
	}
	wanted = append(wanted, known.sources(fleet.ClassicELB)...)
	wanted = append(wanted, known.sources(fleet.VPCLattice)...)
	slices.SortFunc(wanted, fleet.CompareTrafficSources)
	return slices.Compact(wanted)
}

// lacking are the wanted traffic sources that are not attached; nil for none.
func (o *Observation) lacking(g *fleet.AutoScalingGroup) []fleet.TrafficSource {
	states := o.states(g)
	var lacking []fleet.TrafficSource
	for _, s := range o.wanted(g) {
		if !fleet.Attached(states[s]) {
			lacking = append(lacking, s)
		}
	}
	return lacking
}

// except are those traffic sources of all that are not among some.
func except(all, some []fleet.TrafficSource) []fleet.TrafficSource {
	return slices.DeleteFunc(slices.Clone(all), func(s fleet.TrafficSource) bool { return slices.Contains(some, s) })
}

// restore gives the group that serves everything that it should have and that does
// no harm now. Processes that a dead release left suspended come first and alone:
// what is attached while AddToLoadBalancer is suspended stays without its instances.
func (p *Plan) restore(o *Observation, g *fleet.AutoScalingGroup) {
	if g.IsSuspended(setting.AddToLoadBalancer) {
		if o.keptOut(g.Name) {
			return // letIn resumes it
		}
		if !o.verified(g) && setting.SuspendedByCodeDeploy(g) {
			p.Changes = append(p.Changes, o.resume(g)...)
			return
		}
		p.block(o, Blocker{Matter: "suspended", notify: notifyAfter, passes: true,
			Reason: fmt.Sprintf("the process %s of %s is suspended", setting.AddToLoadBalancer, setting.Plain(g.Name)),
			Remedy: fmt.Sprintf("If nobody needs that: aws autoscaling resume-processes --auto-scaling-group-name %s --scaling-processes %s", quote(g.Name), setting.AddToLoadBalancer)})
		return
	}
	p.serveAgain(o, g)
	sources := p.attachable(o, g)
	if slices.ContainsFunc(o.lacking(g), func(s fleet.TrafficSource) bool { return slices.Contains(sources, s) }) {
		p.withoutRevision(o, g)
	}
	want := o.wantedSettings(g)
	want[setting.TrafficSources] = setting.SourceItems(sources)
	for _, c := range setting.Diff(g.Name, want, setting.Take(g, o.Details[g.Name].Fetched)) {
		if c.Kind == setting.TrafficSources || !p.refused(o, c) {
			p.Changes = append(p.Changes, c)
		}
	}
	if o.settles(g) {
		p.Changes = append(p.Changes, o.register(g, sources)...)
	}
	if o.Record.Settle && o.draining(g) != nil {
		p.block(o, Blocker{Matter: "draining " + g.Name, notify: never, passes: true,
			Reason: fmt.Sprintf("instances in service of %s are draining, and are registered again when they have", setting.Plain(g.Name))})
	}
	p.unsettled(o, g, sources)
}

// refused reports whether AWS has refused a change until somebody does something.
// An operator's request, and the next release, try again.
func (p *Plan) refused(o *Observation, c setting.Change) bool {
	return slices.Contains(o.Record.Refused, say(c)) && !o.confirmed()
}

// resume lifts what CodeDeploy suspended and did not resume.
func (o *Observation) resume(g *fleet.AutoScalingGroup) []setting.Change {
	all := setting.Snapshot{setting.Resume: setting.Running(func(string) bool { return true })}
	return setting.Diff(g.Name, all, setting.Take(g, nil))[:1]
}

// wantedSettings are the settings, besides traffic sources and processes, that a
// group that is new should have, or that an operator wants tried again.
func (o *Observation) wantedSettings(g *fleet.AutoScalingGroup) setting.Snapshot {
	b := o.Record.Baseline
	want := setting.Snapshot{}
	switch {
	case b == nil || o.anew(g) && !o.confirmed():
	case o.verified(g) && o.confirmed():
		want = want.Merge(b.Lost)
	case !o.verified(g):
		want = want.Merge(b.Settings).Merge(b.Lost)
	}
	delete(want, setting.Resume)
	delete(want, setting.TrafficSources)
	return want
}

// attachable are the wanted traffic sources that are attached or may be now. One
// that must wait does not keep the others waiting.
func (p *Plan) attachable(o *Observation, g *fleet.AutoScalingGroup) []fleet.TrafficSource {
	var sources []fleet.TrafficSource
	for _, s := range o.wanted(g) {
		if b := p.blocksSource(o, g, s); b != nil {
			p.block(o, *b)
		} else {
			sources = append(sources, s)
		}
	}
	return sources
}

// blocksSource says what blocks attaching a traffic source now; nil for nothing.
func (p *Plan) blocksSource(o *Observation, g *fleet.AutoScalingGroup, s fleet.TrafficSource) *Blocker {
	state := o.states(g)[s]
	group := setting.Plain(g.Name)
	confirm := "If it is right, invoke the function with the action repair for this deployment group."
	switch verified := o.verified(g); {
	case fleet.Attached(state):
		return nil
	case state == fleet.SourceRemoving:
		return &Blocker{Matter: "detaching " + s.ID, notify: notifyAfter, passes: true, Reason: fmt.Sprintf("somebody is detaching %s from %s", s, group)}
	case verified && o.Record.Baseline.has(s) && !o.confirmed():
		return &Blocker{Matter: "detached " + s.ID, notify: 0, aside: true,
			Reason: fmt.Sprintf("somebody has detached %s from %s, which was complete before, and the deployment group still names it", s, group),
			Remedy: "To attach it again, invoke the function with the action repair; to be rid of it, take it out of the deployment group's load balancer settings."}
	case verified && !o.confirmed():
		return &Blocker{Matter: "new setting " + s.ID, ActionRequired: true, aside: true,
			Reason: fmt.Sprintf("the deployment group's load balancer settings name %s since the last release; %s is not attached to it until a release has used the new settings", s, group),
			Remedy: confirm}
	case o.anew(g) && !o.releasedSince(g) && !o.confirmed():
		return &Blocker{Matter: "created anew", ActionRequired: true,
			Reason: fmt.Sprintf("the deployment group, or its Auto Scaling group %s, was deleted and created anew under its name, and no release has deployed to it since", group),
			Remedy: confirm}
	case !verified && p.Serving.Deployed == "" && g == p.Serving.Group:
		return o.notDeployed(g)
	case s.Type != fleet.ELBV2 || !g.ELBChecked:
		return nil
	}
	return o.unhealthy(g, s)
}

// releasedSince reports whether a release has deployed to a group since its
// baseline was taken.
func (o *Observation) releasedSince(g *fleet.AutoScalingGroup) bool {
	d := o.succeeded()
	return d.to(g) && d.Ended.After(o.Record.Baseline.Taken)
}

func (o *Observation) notDeployed(g *fleet.AutoScalingGroup) *Blocker {
	if maker := o.Deployments[g.Tags[fleet.ProvisioningTag]]; maker.failed() || o.latest().failed() && o.latest().to(g) {
		if maker == nil {
			maker = o.latest()
		}
		return &Blocker{Matter: "failed replacement", ActionRequired: true,
			Reason: fmt.Sprintf("the deployment group names %s, the replacement group of deployment %s, which did not succeed, and none of its instances is registered", setting.Plain(g.Name), maker.ID),
			Remedy: "Deploy again: the group of a successful deployment is attached. If this group is meant to serve, attach it by hand once."}
	}
	return &Blocker{Matter: "not deployed", notify: notifyAfter,
		Reason: fmt.Sprintf("no deployment to %s has succeeded yet", setting.Plain(g.Name)),
		Remedy: "Deploy to it, or attach it by hand."}
}

// unhealthyIn begins the matter of a traffic source that unhealthy instances keep from
// being attached.
const unhealthyIn = "unhealthy in "

// unhealthy delays an attachment that would have an ELB-checked group replace its
// instances: once the source is InService, it replaces each that the target group
// reports unhealthy. Instances that are not registered do not count: attaching
// registers them, and the health check comes before traffic. That delays for ten minutes
// at most: then being attached is what gets unhealthy instances replaced, and a source
// is InService only with a healthy one ("Health checks for instances in an Auto Scaling
// group").
func (o *Observation) unhealthy(g *fleet.AutoScalingGroup, s fleet.TrafficSource) *Blocker {
	in := func(states ...string) []string {
		return instances(g, func(i fleet.Instance) bool { return slices.Contains(states, o.Targets[s.ID].state(i.ID)) })
	}
	well, absent := len(in(fleet.TargetHealthy, fleet.TargetUnused)), len(in("")) // unused: no load balancer sends it anything or checks it
	running := len(instances(g, fleet.Instance.InService))
	sick := running - well - absent
	matter := unhealthyIn + s.ID
	late := max(o.blockedFor(matter), o.released()) >= gracePeriod
	if sick == 0 || late {
		return nil
	}
	return &Blocker{Matter: matter, notify: notifyAfter, passes: true,
		Reason: fmt.Sprintf("of %d instances in service of %s, %d are healthy in %s and %d are not", running, setting.Plain(g.Name), well, s, sick),
		Remedy: "Attached now, the group would replace what is not healthy; ten minutes after the release it is attached all the same. Check the target group's health check and the instances' application log."}
}

// attachAlso attaches the replacement group of a failed release that serves.
func (p *Plan) attachAlso(o *Observation, g *fleet.AutoScalingGroup) {
	if g.IsSuspended(setting.AddToLoadBalancer) {
		return // what CodeDeploy left suspended is resumed first
	}
	named := slices.DeleteFunc(o.wanted(g), func(s fleet.TrafficSource) bool {
		return o.states(g)[s] == fleet.SourceRemoving || s.Type == fleet.ELBV2 && !o.names(s.Name())
	})
	want := setting.Snapshot{setting.TrafficSources: setting.SourceItems(named)}
	got := setting.Snapshot{setting.TrafficSources: setting.SourceItems(g.Sources), setting.Resume: setting.Running(func(string) bool { return true })}
	p.Changes = append(p.Changes, setting.Diff(g.Name, want, got)...)
}

// settles reports whether every instance in service should be registered, too: until
// the group was seen complete for the first time, and after AddToLoadBalancer was
// suspended. Else, an instance that is not registered was taken out by somebody.
func (o *Observation) settles(g *fleet.AutoScalingGroup) bool {
	return !o.verified(g) || o.Record.Settle
}

// unsettled says what is attached and does not serve yet. A traffic source is Adding
// while instances are being registered, and Added when all are. Only on an
// ELB-checked group does it go on to InService, once one of them is healthy
// (DescribeTrafficSources, Amazon EC2 Auto Scaling API Reference).
func (p *Plan) unsettled(o *Observation, g *fleet.AutoScalingGroup, sources []fleet.TrafficSource) {
	states := o.states(g)
	for _, s := range sources {
		b := Blocker{Matter: "unsettled " + s.ID, notify: notifyAfter}
		b.passes = o.blockedFor(b.Matter) < gracePeriod
		switch {
		case states[s] == fleet.SourceAdding:
			b.Reason = fmt.Sprintf("Auto Scaling is still registering the instances of %s in %s", setting.Plain(g.Name), s)
		case states[s] == fleet.SourceAdded && g.ELBChecked && o.expectsHealth(g, s):
			b.Reason = fmt.Sprintf("%s is attached to %s, and no instance is healthy in it yet", s, setting.Plain(g.Name))
			b.Remedy = "Check the target group's health check and the instances' application log."
		default:
			continue
		}
		p.block(o, b)
	}
}

// expectsHealth reports whether any instance can become healthy in the source: not
// if none is in service, nor if no load balancer uses the target group.
func (o *Observation) expectsHealth(g *fleet.AutoScalingGroup, s fleet.TrafficSource) bool {
	return instances(g, func(i fleet.Instance) bool { return o.Targets[s.ID].state(i.ID) != fleet.TargetUnused }) != nil
}

// unusable says which of the deployment group's target groups cannot be attached at
// all; empty for none.
func (o *Observation) unusable() string {
	var missing, wrong, reasons []string
	for _, name := range o.Missing {
		if o.names(name) {
			missing = append(missing, name)
		}
	}
	for _, t := range o.Targets {
		if t.TargetType != fleet.InstanceTargets && o.names(t.Name) {
			wrong = append(wrong, fmt.Sprintf("%s (type %s)", setting.Plain(t.Name), t.TargetType))
		}
	}
	slices.Sort(wrong)
	if len(missing) > 0 {
		reasons = append(reasons, "the deployment group names target groups that do not exist: "+setting.Join(slices.Compact(missing)))
	}
	if len(wrong) > 0 {
		reasons = append(reasons, "Auto Scaling groups work with target groups of type instance only: "+strings.Join(wrong, ", "))
	}
	return strings.Join(reasons, "; ")
}
