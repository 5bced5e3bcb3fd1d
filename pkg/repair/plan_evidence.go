package repair

import (
	"slices"

	"deployhooks/pkg/fleet"
)

// replacement is a release's green group; nil, if it names none, or it is gone.
func (o *Observation) replacement(d *Deployment) *fleet.AutoScalingGroup {
	if d == nil {
		return nil
	}
	for _, name := range d.Replacement {
		if g := o.Groups[name]; g != nil {
			return g
		}
	}
	return nil
}

// deployed is what shows that a group was deployed to. Deployments by Auto Scaling
// show nothing. A release shows nothing of a group that is younger than its end: the
// group was created anew under its name.
func (o *Observation) deployed(g *fleet.AutoScalingGroup) Proof {
	tag := g.Tags[fleet.ProvisioningTag]
	maker, asked := o.Deployments[tag]
	switch {
	case maker != nil && maker.Succeeded && maker.to(g):
		return ByTag
	case o.succeeded().to(g) && (o.succeeded().Ended.IsZero() || !g.Created.After(o.succeeded().Ended)):
		return ByRelease
	case len(o.registered(g)) > 0,
		g == o.named() && o.maker(g) != nil && o.deregistered(o.old(g)): // a reroute has taken the traffic from the old one
		return ByTraffic
	case asked && maker == nil && g.Name == o.DeploymentGroup.name():
		return ByMaker
	case len(o.DeploymentGroup.TargetGroups) == 0 && o.DeploymentGroup.Success != "" && o.succeeded() == nil:
		return ByRelease // only Classic Load Balancers, whose registrations are not read
	}
	return ""
}

// registered are the instances in service of a group that are registered in a
// target group that CodeDeploy moves traffic with. What was bridged proves nothing,
// unless the group is known to have got the traffic before.
func (o *Observation) registered(g *fleet.AutoScalingGroup) []string {
	bridged := o.Record.Bridged
	if d := o.Deployments[o.Record.Rerouted]; d.to(g) && !o.undone(d) {
		bridged = nil
	}
	return o.reached(g, bridged)
}

// reached are the same instances, without those of a bridge.
func (o *Observation) reached(g *fleet.AutoScalingGroup, without *Bridge) []string {
	return instances(g, func(i fleet.Instance) bool {
		return o.inTarget(func(t TargetGroup) bool { return o.names(t.Name) && t.state(i.ID) != "" && !without.holds(t.ARN, i.ID) })
	})
}

// serves reports whether an instance of a group is registered, not by a bridge, and
// healthy.
func (o *Observation) serves(g *fleet.AutoScalingGroup) bool {
	return slices.ContainsFunc(o.registered(g), o.healthy)
}

// healthy reports whether an instance is registered and healthy where CodeDeploy
// moves traffic.
func (o *Observation) healthy(id string) bool {
	return o.inTarget(func(t TargetGroup) bool { return o.names(t.Name) && t.state(id) == fleet.TargetHealthy })
}

// draining are the instances in service of a group that are being deregistered: a
// reroute that was stopped registers none of them again.
func (o *Observation) draining(g *fleet.AutoScalingGroup) []string {
	return instances(g, func(i fleet.Instance) bool {
		return o.inTarget(func(t TargetGroup) bool { return t.known(i.ID) && t.state(i.ID) == "" })
	})
}

// inTarget reports whether a target group that was read is such.
func (o *Observation) inTarget(such func(TargetGroup) bool) bool {
	for _, t := range o.Targets {
		if such(t) {
			return true
		}
	}
	return false
}

// instances are those in service of a group that are such, sorted.
func instances(g *fleet.AutoScalingGroup, such func(fleet.Instance) bool) (ids []string) {
	for _, i := range g.Instances {
		if i.InService() && such(i) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
