package repair

import (
	"fmt"
	"slices"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// maker is the release that made a group, or last deployed to it; nil if it is not
// known.
func (o *Observation) maker(g *fleet.AutoScalingGroup) *Deployment {
	if d := o.Deployments[g.Tags[fleet.ProvisioningTag]]; d != nil && d.to(g) {
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
	if !asked || revised.Err != nil || len(o.Launched) > launchedLimit { // who was not asked about is not known to lack it
		return nil
	}
	return instances(g, func(i fleet.Instance) bool { return !o.hasRevision(i.ID) && !o.healthy(i.ID) })
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

// launchedLimit is how many deployments by Auto Scaling are asked which instance they
// deployed to. If there are more since the release, all instances count as having the
// revision.
const launchedLimit = 50

// openRevision says what is still to be asked about who has the revision: first the
// release that made the group, then, if that leaves instances open, the deployments
// since.
func (o *Observation) openRevision(s Serving) (revised []string, launched *Deployment) {
	maker := o.maker(s.Group)
	if maker == nil || s.Phase == Rerouting || len(o.lacking(s.Group)) == 0 && !o.settles(s.Group) && len(o.Record.OnStandby) == 0 {
		return nil, nil
	}
	if _, asked := o.Revised[maker.ID]; !asked {
		return []string{maker.ID}, nil
	}
	held := slices.ContainsFunc(o.Record.OnStandby, func(id string) bool { return !o.hasRevision(id) })
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
	case PutOnStandby:
		p.Changes = append(p.Changes, chunks(enterStandby, g.Name, "", without, namedLimit)...)
	case Replace:
		p.Changes = append(p.Changes, chunks(replaceInstances, g.Name, "", without, namedLimit)...)
	}
	p.Changes = slices.DeleteFunc(p.Changes, func(c setting.Change) bool { return isolates(c) && p.refused(o, c) })
	p.reportWithout(o, g, without)
}

func isolates(c setting.Change) bool { return c.Kind == enterStandby || c.Kind == replaceInstances }

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
	case PutOnStandby:
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
	for _, id := range o.Record.OnStandby {
		i, exists := g.Instance(id)
		switch {
		case !exists, i.InService():
		case i.State == fleet.Standby && o.hasRevision(id):
			ready, held = append(ready, id), append(held, id)
		default:
			held = append(held, id)
		}
	}
	p.draft.OnStandby = held
	p.Changes = append(p.Changes, chunks(exitStandby, g.Name, "", ready, namedLimit)...)
}
