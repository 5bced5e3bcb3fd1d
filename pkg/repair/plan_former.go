package repair

import (
	"fmt"
	"slices"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// remains reports the replacement group that a failed or stopped release left, and
// resumes what CodeDeploy left suspended there.
func (p *Plan) remains(o *Observation) {
	for _, d := range o.Deployments {
		g := o.replacement(d)
		if !d.failed() || g == nil || g == p.Serving.Group || !o.left(d) {
			continue
		}
		p.Left = &LeftBehind{Group: g.Name, Deployment: d.ID, Instances: len(g.Instances), Serves: slices.Contains(p.Serving.Also, g)}
		if o.Config.admits(g) && setting.SuspendedByCodeDeploy(g) {
			p.Changes = append(p.Changes, o.resume(g)...)
		}
	}
}

// left reports whether the remains of a failed release are still to be reported: of the
// last one, and of the one that the last undoes.
func (o *Observation) left(d *Deployment) bool {
	return slices.ContainsFunc([]*Deployment{o.latest(), o.event(), o.Deployments[o.DeploymentGroup.Last]}, func(last *Deployment) bool {
		return last != nil && (d == last || d.ID == last.Undoes)
	})
}

// blueGroups reports groups that served before and still have traffic sources: what
// they launch puts the old version back in front of users.
func (p *Plan) blueGroups(o *Observation) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(o.former(p.Serving.Group)))) {
		g := o.Groups[name]
		if g == nil || g == p.Serving.Group || slices.Contains(p.Serving.Also, g) || p.Serving.Deployed == "" {
			continue
		}
		attached := slices.DeleteFunc(slices.Clone(g.Sources), func(s fleet.TrafficSource) bool { return !slices.Contains(o.wanted(p.Serving.Group), s) })
		if len(attached) == 0 || p.keepsOut(o, g) {
			continue
		}
		if o.Config.BlueGroupThatStays == Detach && o.Config.admits(g) && p.Serving.Phase == Settled && len(o.lacking(p.Serving.Group)) == 0 && o.noRollback() {
			p.Changes = append(p.Changes, detachChanges(g.Name, attached)...)
			continue
		}
		p.block(o, Blocker{Matter: "blue group " + name, notify: notifyAfter, aside: true,
			Reason: fmt.Sprintf("%s does not serve any more and is still attached to %s: an instance that it launches puts the old version back in front of users", setting.Plain(name), names(attached)),
			Remedy: "When no rollback to it is needed any more, detach it or delete it: " + detachCommand(g.Name, attached)})
	}
}

// noRollback reports whether no rollback can need an earlier group any more: it is
// kept for good, or its termination wait has ended, whether SUCCESS came before or
// after it. After a rollback, the group that it left is not needed.
func (o *Observation) noRollback() bool {
	latest := o.latest()
	return o.DeploymentGroup.Stays || latest.failed() || latest != nil && latest.Undoes != "" || o.released() >= o.DeploymentGroup.TerminationWait
}

// former are the groups that served before a group.
func (o *Observation) former(current *fleet.AutoScalingGroup) []string {
	all := slices.Clone(o.Record.Former)
	if b := o.Record.Baseline; b != nil {
		all = append(all, b.Group)
	}
	return slices.DeleteFunc(all, func(name string) bool { return current != nil && name == current.Name })
}
