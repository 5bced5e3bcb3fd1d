package repair

import (
	"slices"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// Observation is everything that a plan rests on, as AWS says it now.
type Observation struct {
	Key     Key
	Now     time.Time
	Trigger Trigger
	Config  Config
	// Err is why the rest is incomplete; nil, if it is not.
	Err error

	Record Record
	// Item is where the record is stored. Unreadable says why the deployment
	// group's own one cannot be read; then Record is its substitute.
	Item       store.Item[Record]
	Unreadable error

	// Gone means that the deployment group does not exist.
	Gone            bool
	DeploymentGroup DeploymentGroup
	// Listed are the IDs of the deployments that CodeDeploy lists as in progress.
	Listed []string
	// Deployments are those that were read, by ID; nil for one that CodeDeploy does
	// not know any more.
	Deployments map[string]*Deployment
	// Groups are the Auto Scaling groups that were read, by name; nil for one that
	// does not exist or is being deleted.
	Groups map[string]*fleet.AutoScalingGroup
	// Details are the rest of those groups that may have to be changed, by name.
	Details map[string]Details
	// Targets are the target groups that may have to be attached, by ARN.
	Targets map[string]TargetGroup
	// Missing are the names of target groups that do not exist.
	Missing []string
	// Revised are the instances that a deployment deployed to, by its ID.
	Revised map[string]Revised
	// Launched are the deployments that have succeeded since the release of the
	// group that serves; nil unless they were asked for.
	Launched []string
}

// DeploymentGroup is the part of a deployment group's configuration that matters
// here.
type DeploymentGroup struct {
	ID       string
	Platform string // "Server", "Lambda" or "ECS"
	// BlueGreen means deployments of type blue/green.
	BlueGreen bool
	// Copies means that the green fleet is a copy of the Auto Scaling group.
	Copies       bool
	Groups       []string // names of its Auto Scaling groups
	TargetGroups []string // names of its target groups
	Classic      []string // names of its Classic Load Balancers
	// Stays means that the original group is kept after a release, and
	// TerminationWait is how long it is kept otherwise.
	Stays           bool
	TerminationWait time.Duration
	// Last is the last deployment that was attempted, Success the last that
	// succeeded; empty for none.
	Last, Success string
}

// managed reports whether the deployment group is one whose deployments lose their
// load balancing.
func (g DeploymentGroup) managed() bool { return g.Platform == "Server" && g.BlueGreen && g.Copies }

// name is the Auto Scaling group that the deployment group names; empty unless it
// is exactly one.
func (g DeploymentGroup) name() string {
	if len(g.Groups) != 1 {
		return ""
	}
	return g.Groups[0]
}

// Deployment is one CodeDeploy deployment.
type Deployment struct {
	ID string
	// Over means that it has ended, and Succeeded that it has ended well.
	Over, Succeeded bool
	// Ready means that it is installed and waits for the reroute.
	Ready bool
	// Waiting means that traffic is rerouted, and that the wait for the
	// termination of the original instances has started.
	Waiting        bool
	Created, Ended time.Time // zero if not known, or not yet
	// ByAutoScaling means that Auto Scaling made it, to deploy to one launching or
	// terminating instance. It is no release.
	ByAutoScaling bool
	// Undoes is the deployment that this one rolls back; empty for none.
	Undoes string
	// Replacement names the Auto Scaling groups of its green fleet.
	Replacement []string
}

// release reports whether a deployment is known and is a release.
func (d *Deployment) release() bool { return d != nil && !d.ByAutoScaling }

// failed reports whether a release ended badly; not, if it is nil.
func (d *Deployment) failed() bool { return d.release() && d.Over && !d.Succeeded }

// to reports whether a group is the release's green fleet. A rollback names the
// group that it goes back to.
func (d *Deployment) to(g *fleet.AutoScalingGroup) bool {
	return d.release() && slices.Contains(d.Replacement, g.Name)
}

// Details are what the description of an Auto Scaling group does not show.
type Details struct {
	// States are those of its traffic sources.
	States  map[fleet.TrafficSource]string
	Fetched setting.Fetched
}

// TargetGroup is a target group and everything that is registered in it.
type TargetGroup struct {
	fleet.TargetGroup
	Targets []fleet.Target
}

func (t TargetGroup) source() fleet.TrafficSource {
	return fleet.TrafficSource{Type: fleet.ELBV2, ID: t.ARN}
}

// state is the worst state of an instance over its ports, of the registrations
// that count; empty, if it is not registered.
func (t TargetGroup) state(instance string) string {
	worst := ""
	for _, target := range t.Targets {
		if target.Instance == instance && target.Registered() && (worst == "" || worst == fleet.TargetHealthy) {
			worst = target.State
		}
	}
	return worst
}

// known reports whether the target group knows an instance, be it draining.
func (t TargetGroup) known(instance string) bool {
	return slices.ContainsFunc(t.Targets, func(target fleet.Target) bool {
		return target.Instance == instance && !target.Unregistered()
	})
}

// Revised are the instances that a deployment deployed to.
type Revised struct {
	Instances []string
	// Err is why they are not known; nil, if they are.
	Err error
}

// named is the Auto Scaling group that the deployment group names; nil, if it does
// not exist.
func (o *Observation) named() *fleet.AutoScalingGroup { return o.Groups[o.DeploymentGroup.name()] }

// names reports whether the deployment group names a target group: CodeDeploy
// moves traffic with those.
func (o *Observation) names(targetGroup string) bool {
	return slices.Contains(o.DeploymentGroup.TargetGroups, targetGroup)
}

// releasesInProgress are the releases that have not ended, latest first.
// CodeDeploy's list may lag behind the deployments, either way: their own status
// counts.
func (o *Observation) releasesInProgress() []*Deployment {
	var found []*Deployment
	for _, d := range o.Deployments {
		if d.release() && !d.Over {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b *Deployment) int { return b.Created.Compare(a.Created) })
	return found
}

// event is the release that the event is about; nil for none.
func (o *Observation) event() *Deployment {
	var found []*Deployment
	for id := range o.Trigger.Deployments {
		found = append(found, o.Deployments[id])
	}
	return last(found, (*Deployment).release, created)
}

// releases are those that say what was deployed last: of the event, the last
// attempted, the last successful, and the last that was remembered.
func (o *Observation) releases() []*Deployment {
	return slices.DeleteFunc([]*Deployment{
		o.event(), o.Deployments[o.DeploymentGroup.Last], o.Deployments[o.DeploymentGroup.Success], o.Deployments[o.Record.Release],
	}, func(d *Deployment) bool { return !d.release() })
}

// latest is the latest release known; nil for none.
func (o *Observation) latest() *Deployment { return last(o.releases(), (*Deployment).release, created) }

// succeeded is the last release known that succeeded; nil for none.
func (o *Observation) succeeded() *Deployment {
	return last(o.releases(), func(d *Deployment) bool { return d.Succeeded }, ended)
}

// released is how long ago the last release that succeeded ended; negative if that is
// not known.
func (o *Observation) released() time.Duration {
	if d := o.succeeded(); d != nil && !d.Ended.IsZero() {
		return o.Now.Sub(d.Ended)
	}
	return -1
}

func created(d *Deployment) time.Time { return d.Created }
func ended(d *Deployment) time.Time   { return d.Ended }

// last is the last of some deployments by a time; nil for none.
func last(all []*Deployment, of func(*Deployment) bool, by func(*Deployment) time.Time) (last *Deployment) {
	for _, d := range all {
		if of(d) && (last == nil || by(d).After(by(last))) {
			last = d
		}
	}
	return last
}

// confirmed reports whether an operator asked for the repair a short while ago.
func (o *Observation) confirmed() bool {
	return o.Trigger.Confirmed || !o.Record.Confirmed.IsZero() && o.Now.Sub(o.Record.Confirmed) < confirmation
}

// confirmation is how long an operator's request for a repair holds: until what
// was busy then is free.
const confirmation = 15 * time.Minute

// verified reports whether a group was once seen with everything that it should
// have. What is missing from such a group, somebody has taken away.
func (o *Observation) verified(g *fleet.AutoScalingGroup) bool {
	b := o.Record.Baseline
	return b != nil && b.Group == g.Name && b.ARN == g.ARN && b.DeploymentGroupID == o.DeploymentGroup.ID
}

// anew reports whether the baseline is of another deployment group, or of another
// Auto Scaling group, with the same name: one was deleted and created anew.
func (o *Observation) anew(g *fleet.AutoScalingGroup) bool {
	b := o.Record.Baseline
	return b != nil && (b.DeploymentGroupID != o.DeploymentGroup.ID || b.Group == g.Name && b.ARN != g.ARN)
}

// states are the states of a group's traffic sources. Where they were not asked
// for, what is attached by its description counts as added.
func (o *Observation) states(g *fleet.AutoScalingGroup) map[fleet.TrafficSource]string {
	if d, ok := o.Details[g.Name]; ok {
		return d.States
	}
	states := map[fleet.TrafficSource]string{}
	for _, s := range g.Sources {
		states[s] = fleet.SourceAdded
	}
	return states
}
