package repair

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// Phase is how far the releases of a deployment group are.
type Phase string

// The phases.
const (
	// Settled means that no release is in progress.
	Settled Phase = "settled"
	// Before means that a release is in progress and has not begun to reroute: the
	// old group serves.
	Before Phase = "before-reroute"
	// Rerouting means that traffic is being moved: nothing may be touched.
	Rerouting Phase = "rerouting"
	// Rerouted means that a release has moved the traffic, and is in progress until
	// the original instances are terminated: the replacement group serves.
	Rerouted Phase = "rerouted"
)

// Serving says who serves the users of a deployment group.
type Serving struct {
	Phase Phase
	// Group is the one that serves, or should; nil, if it does not exist.
	Group *fleet.AutoScalingGroup
	// Also are replacement groups of failed releases that serve as well.
	Also []*fleet.AutoScalingGroup
	// Release is the one in progress; nil in the phase [Settled].
	Release *Deployment
	// Deployed is what shows that the group was deployed to; empty, if nothing
	// does.
	Deployed Proof
	// Sure means that the phase rests on more than what registrations look like
	// now.
	Sure bool
}

// Proof is what shows that an Auto Scaling group was deployed to. Machines read it.
type Proof string

// The proofs.
const (
	ByTag     Proof = "by-tag"
	ByRelease Proof = "by-release"
	ByTraffic Proof = "by-traffic"
	// ByMaker is that of a group that CodeDeploy made and the deployment group
	// names, when CodeDeploy has forgotten the deployment that made it.
	ByMaker Proof = "by-maker"
)

// words are the proofs for operators.
var words = map[Proof]string{
	ByTag:     "the deployment that its provisioning tag names has succeeded",
	ByRelease: "the last successful release deployed to it",
	ByTraffic: "its instances are registered",
	ByMaker:   "CodeDeploy made it and the deployment group names it",
}

// evidence identifies what is taken for the truth, so that the record can say since
// when it has been.
func (s Serving) evidence() string {
	parts := []string{string(s.Phase)}
	if s.Release != nil {
		parts = append(parts, s.Release.ID)
	}
	for _, g := range append([]*fleet.AutoScalingGroup{s.Group}, s.Also...) {
		if g != nil {
			parts = append(parts, g.Name)
		}
	}
	if s.Phase == Settled && s.Deployed == ByTraffic {
		parts = append(parts, string(ByTraffic))
	}
	return strings.Join(parts, " ")
}

// standing is how long evidence must have stood before instances are registered, or
// a group is attached, on the strength of registrations alone: reads are eventually
// consistent, and the calls of a reroute are seconds apart.
const standing = time.Minute

// reroutes is how long registrations on both sides, or suspended processes, may look
// like a reroute.
const reroutes = 10 * time.Minute

// stood is how long the record has known the same evidence.
func (o *Observation) stood(s Serving) time.Duration {
	if o.Record.Evidence != s.evidence() {
		return 0
	}
	return o.Now.Sub(o.Record.EvidenceSince)
}

// serving works out who serves, from registrations, health, suspended processes,
// the provisioning tag and the replacement groups of releases, before the status
// of the deployments.
func serving(o *Observation) Serving {
	releases := o.releasesInProgress()
	if len(releases) == 0 {
		return o.settled()
	}
	return o.releasing(releases[0])
}

// settled is who serves while no release is in progress: the group that the
// deployment group names if it was deployed to, else the one that the last
// successful release deployed to and that has the traffic.
func (o *Observation) settled() Serving {
	s := Serving{Phase: Settled, Group: o.named()}
	if s.Group != nil {
		s.Deployed = o.deployed(s.Group)
	}
	switch later := o.later(s.Group); {
	case later != nil:
		s.Group, s.Deployed = later, o.deployed(later)
	case s.Deployed == "", s.Deployed == ByTraffic && o.maker(s.Group).failed():
		for _, g := range o.candidates(s.Group) {
			proof := o.deployed(g)
			if len(o.reached(g, nil)) > 0 && proof != "" && (s.Deployed == "" || proof != ByTraffic) {
				s.Group, s.Deployed = g, proof
				break
			}
		}
	}
	for _, d := range o.Deployments {
		g := o.replacement(d)
		if g == nil || g == s.Group || slices.Contains(s.Also, g) || !d.failed() || d.Undoes != "" || o.undone(d) || !o.serves(g) {
			continue
		}
		s.Also = append(s.Also, g)
	}
	slices.SortFunc(s.Also, func(a, b *fleet.AutoScalingGroup) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// releasing is who serves while a release is in progress. A rollback is one long
// reroute. CodeDeploy suspends AddToLoadBalancer on the replacement group, registers
// its instances, deregisters the others and resumes the process (observed); it says
// that the termination wait has started, or does not (observed on ECS).
func (o *Observation) releasing(release *Deployment) Serving {
	green := o.replacement(release)
	old := o.old(green)
	s := Serving{Phase: Before, Group: old, Release: release}
	switch {
	case release.Undoes != "":
		s.Phase, s.Group = Rerouting, cmp.Or(green, o.named())
	case green == nil, release.Ready:
	case release.Waiting, o.Record.Rerouted == release.ID:
		s.Phase, s.Group, s.Sure = Rerouted, green, true
	default:
		suspended, moved := green.IsSuspended(setting.AddToLoadBalancer), len(o.registered(green)) > 0
		mixed := old != nil && len(o.reached(old, nil)) > 0
		if !moved && (!o.deregistered(old) || o.launchedSuspended(release, green)) {
			break
		}
		s.Phase, s.Group = Rerouting, green
		switch stood := o.stood(s); {
		case stood >= reroutes && (!suspended || !mixed && o.serves(green)),
			stood >= standing && !moved: // nobody serves, and CodeDeploy registers before it deregisters
			s.Phase, s.Sure = Rerouted, true
		case !suspended && moved && !mixed:
			s.Phase = Rerouted
		}
	}
	switch {
	case s.Group == nil:
	case s.Phase == Rerouted:
		s.Deployed = ByTraffic
	default:
		s.Deployed = o.deployed(s.Group)
	}
	return s
}

// later is the replacement group of a release after the one that made the named group:
// of one that succeeded, or that has the traffic although it was stopped. It serves
// once the named group has no registered instance: CodeDeploy may name it late, or
// never. nil for none.
func (o *Observation) later(named *fleet.AutoScalingGroup) *fleet.AutoScalingGroup {
	if named == nil || len(o.reached(named, nil)) > 0 {
		return nil
	}
	made := o.maker(named)
	for _, d := range []*Deployment{o.latest(), o.succeeded()} {
		g := o.replacement(d)
		if g == nil || g == named || !d.Over || o.undone(d) || made != nil && !d.Created.After(made.Created) {
			continue
		}
		if made != nil && d.Succeeded || o.serves(g) {
			return g
		}
	}
	return nil
}

// rollback is the one of a release, in progress or succeeded; nil for none.
func (o *Observation) rollback(d *Deployment) *Deployment {
	for _, other := range o.Deployments {
		if other != nil && other.Undoes == d.ID && !other.failed() {
			return other
		}
	}
	return nil
}

// undone reports whether a release was rolled back, or is being.
func (o *Observation) undone(d *Deployment) bool { return o.rollback(d) != nil }

// deregistered reports whether a group is attached to its load balancing and not one
// of its instances in service is registered: a reroute has taken them out.
func (o *Observation) deregistered(g *fleet.AutoScalingGroup) bool {
	return g != nil && len(o.wanted(g)) > 0 && len(o.lacking(g)) == 0 && len(o.reached(g, nil)) == 0 &&
		!g.IsSuspended(setting.AddToLoadBalancer) && slices.ContainsFunc(g.Instances, fleet.Instance.InService)
}

// launchedSuspended reports whether the old group may have no registered instance
// because all of them launched while AddToLoadBalancer was suspended, not because of a
// reroute: the record knows of such instances, and had not seen the release reroute.
// From then on, what it knows of is the replacement group, where CodeDeploy suspends
// the process.
func (o *Observation) launchedSuspended(release *Deployment, green *fleet.AutoScalingGroup) bool {
	return o.Record.Settle && !slices.ContainsFunc([]Phase{Rerouting, Rerouted}, func(p Phase) bool {
		return o.Record.Evidence == Serving{Phase: p, Release: release, Group: green}.evidence()
	})
}

// candidates are the groups, other than the named one, that may serve: that of the
// last successful release, earlier ones, and those of failed releases.
func (o *Observation) candidates(named *fleet.AutoScalingGroup) []*fleet.AutoScalingGroup {
	found := []*fleet.AutoScalingGroup{o.replacement(o.succeeded()), o.replacement(o.latest()), o.old(named)}
	return slices.DeleteFunc(found, func(g *fleet.AutoScalingGroup) bool { return g == nil || g == named })
}

// old is the group that served before the replacement group; nil, if it is gone.
func (o *Observation) old(green *fleet.AutoScalingGroup) *fleet.AutoScalingGroup {
	if later := o.later(o.named()); later != nil && later != green {
		return later
	}
	names := []string{o.DeploymentGroup.name()}
	if b := o.Record.Baseline; b != nil {
		names = append(names, b.Group)
	}
	for _, name := range append(names, o.Record.Former...) {
		if g := o.Groups[name]; g != nil && g != green {
			return g
		}
	}
	return nil
}

// describe is the phase in words, for operators.
func (s Serving) describe() string {
	switch s.Phase {
	case Before:
		return fmt.Sprintf("deployment %s is in progress and has not rerouted traffic yet", s.Release.ID)
	case Rerouting:
		return fmt.Sprintf("deployment %s is rerouting traffic", s.Release.ID)
	case Rerouted:
		return fmt.Sprintf("deployment %s has rerouted traffic and waits to terminate the original instances", s.Release.ID)
	}
	return "no release is in progress"
}
