package repair

import (
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// Plan is what to do about a deployment group now. It is complete: it holds the
// notifications and the record as well, and nothing overrules it afterwards.
type Plan struct {
	Outcome Outcome
	Serving Serving
	// Reason says why a deployment group is out of scope.
	Reason string
	// Changes are what to do; first those that keep instances without the revision
	// out of reach.
	Changes []setting.Change
	// Done are earlier changes that are now seen to work.
	Done     []setting.Change
	Blockers []Blocker
	// Left is the replacement group that a failed release left running.
	Left *LeftBehind
	// Publish is the Auto Scaling group whose name is to be published: the one that
	// serves, once no release moves traffic; empty for none.
	Publish string
	// Next is the record, if everything succeeds.
	Next Record
	// Requeue is when to reconcile again; 0 leaves that to events and the sweep.
	Requeue time.Duration

	draft   Record // what decide has of the next record
	settled bool   // the group has everything that it should have, in service
	failed  bool   // something could not be read or done
}

// plan is the whole thinking, without a clock or a call.
func plan(o *Observation) Plan {
	return decide(o).finish(o)
}

// decide says what to change and what blocks.
func decide(o *Observation) Plan {
	p := Plan{draft: o.Record}
	p.unreadable(o)
	switch dg := o.DeploymentGroup; {
	case o.Err != nil:
		p.fail(o, o.Err)
		return p
	case o.Gone && o.Record.Bridged != nil:
		p.bridgeLeft(o, o.Record.Bridged)
		return p
	case o.Gone:
		return outOfScope(o, "the deployment group does not exist any more")
	case !dg.managed():
		return outOfScope(o, "its deployments do not copy an Auto Scaling group")
	}
	p.Serving = serving(o)
	g := p.Serving.Group
	switch dg := o.DeploymentGroup; {
	case g != nil && !o.Config.admits(g):
		return outOfScope(o, "its Auto Scaling group's tags take it out of scope")
	case g != nil && len(o.wanted(g)) == 0 && o.unusable() == "":
		return outOfScope(o, "it has no load balancing to keep")
	case len(dg.Groups) != 1 && p.Serving.Phase == Settled:
		p.block(o, Blocker{Matter: "number of groups", ActionRequired: true,
			Reason: fmt.Sprintf("the deployment group names %d Auto Scaling groups, and a copy has exactly one", len(dg.Groups)),
			Remedy: "Correct the deployment group's Auto Scaling groups."})
		return p
	case g == nil && p.Serving.Phase == Settled:
		p.block(o, Blocker{Matter: "no group", notify: 0,
			Reason: fmt.Sprintf("the Auto Scaling group %s, which the deployment group names, does not exist", setting.Plain(dg.name())),
			Remedy: "Deploy again, or name an existing Auto Scaling group in the deployment group."})
		return p
	}
	if p.Serving.Phase != Rerouted {
		p.letIn(o)
	}
	switch p.Serving.Phase {
	case Settled:
		p.keep(o)
	case Rerouted:
		p.duringTheWait(o)
	default:
		p.duringTheRelease(o)
	}
	if g != nil && p.Serving.Phase != Rerouting && p.Serving.Deployed != "" && g.Name != o.Record.Published {
		p.Publish = g.Name
	}
	return p
}

func outOfScope(o *Observation, reason string) Plan {
	return Plan{Outcome: OutOfScope, Reason: reason, Next: o.Record}
}

// keep gives the group that serves what it should have, while no release is in
// progress.
func (p *Plan) keep(o *Observation) {
	g := p.Serving.Group
	p.takeBack(o)
	p.takeBackUnrecorded(o)
	p.remains(o)
	p.blueGroups(o)
	stood := o.stood(p.Serving) >= standing
	if p.Serving.Deployed != ByTraffic || stood || o.verified(g) {
		p.restore(o, g)
	} else {
		p.awaitEvidence(o, g)
	}
	if o.attachFails() {
		p.bridge(o)
	}
	for _, also := range p.Serving.Also {
		if stood && o.Config.admits(also) {
			p.attachAlso(o, also)
		} else {
			p.awaitEvidence(o, also)
		}
	}
	if reason := o.unusable(); reason != "" {
		p.block(o, Blocker{Matter: "unusable " + reason, Reason: reason, ActionRequired: true, aside: true,
			Remedy: "Create the target group anew, or take it out of the deployment group's load balancer settings."})
	}
}

// awaitEvidence blocks what a group lacks.
func (p *Plan) awaitEvidence(o *Observation, g *fleet.AutoScalingGroup) {
	if len(o.lacking(g)) > 0 {
		p.block(o, Blocker{Matter: evidenceNew, notify: never, passes: true,
			Reason: fmt.Sprintf("that %s serves rests on its registrations alone, and has to be seen for a minute", setting.Plain(g.Name))})
	}
}

// attachFails reports whether attaching has failed for a while, or waits for unhealthy
// instances: for hours, if an instance refresh is in progress, which replaces every
// instance meanwhile.
func (o *Observation) attachFails() bool {
	for matter, since := range o.Record.Blocked {
		waits := strings.HasPrefix(matter, "failed autoscaling:AttachTrafficSources") || strings.HasPrefix(matter, unhealthyIn)
		if waits && o.Now.Sub(since) >= standing {
			return true
		}
	}
	return false
}

// duringTheRelease is for a release that has not moved the traffic, or is moving it.
// Before it begins to, the old group is bridged; then nothing is touched.
func (p *Plan) duringTheRelease(o *Observation) {
	g, s := p.Serving.Group, p.Serving
	if g == nil {
		return
	}
	switch bridged := o.Record.Bridged; {
	case s.Phase == Before:
		p.bridge(o)
	case s.Release.Undoes == "" || bridged == nil || bridged.Group == g.Name:
	case o.serves(g):
		p.takeBack(o) // CodeDeploy deregisters what it has registered itself
	default:
		p.block(o, Blocker{Matter: "bridge to take back", notify: never, passes: true,
			Reason: fmt.Sprintf("%s, and what was registered besides is deregistered when %s serves again", s.describe(), setting.Plain(g.Name))})
	}
	if o.lacking(g) == nil || s.Phase == Rerouting && len(o.registered(g)) == 0 {
		return
	}
	p.block(o, Blocker{Matter: "release in progress " + s.Release.ID, notify: notifyOfRelease, passes: true,
		Reason: fmt.Sprintf("%s, and %s is not attached to %s: AWS warns against attaching anything until a deployment has ended", s.describe(), setting.Plain(g.Name), names(o.lacking(g))),
		Remedy: "Let the deployment end, or stop it."})
}

// duringTheWait is for a release that has moved the traffic and has not ended.
func (p *Plan) duringTheWait(o *Observation) {
	g, s := p.Serving.Group, p.Serving
	p.keepOut(o)
	p.blueGroups(o)
	switch {
	case o.Config.AttachDuringTerminationWait && o.stood(s) >= standing:
		p.restore(o, g) // and registers what that has deregistered, if AWS's warning comes true
		return
	case len(o.lacking(g)) == 0:
		return
	}
	p.bridge(o)
	p.block(o, Blocker{Matter: "release in progress " + s.Release.ID, notify: notifyOfRelease, passes: true,
		Reason: fmt.Sprintf("%s. %s serves, and is attached to %s when the deployment has ended: AWS warns against attaching anything before. Until then, instances that it launches are registered one by one, and those that it terminates are drained by the drain function's lifecycle hook only", s.describe(), setting.Plain(g.Name), names(o.lacking(g))),
		Remedy: fmt.Sprintf("To end the wait: aws deploy continue-deployment --deployment-id %s --deployment-wait-type TERMINATION_WAIT", quote(s.Release.ID))})
}
