package repair

import (
	"slices"

	"deployhooks/pkg/fleet"
)

// questions are what is still to be asked.
type questions struct {
	deployments  []string // IDs
	groups       []string // names of Auto Scaling groups
	details      []string // names of Auto Scaling groups
	targets      []string // ARNs of target groups
	targetGroups []string // names of target groups
	revised      []string // IDs of deployments
	// launched asks for the deployments since this release; nil does not.
	launched *Deployment
}

func (q questions) none() bool {
	return len(q.deployments)+len(q.groups)+len(q.details)+len(q.targets)+len(q.targetGroups)+len(q.revised) == 0 && q.launched == nil
}

// open says what is still to be asked, by what is known.
func (o *Observation) open() (q questions) {
	if o.Gone || !o.DeploymentGroup.managed() {
		return q
	}
	q.deployments = unasked(o.Deployments, o.openDeployments())
	q.groups = unasked(o.Groups, o.openGroups())
	q.details = unasked(o.Details, []string{o.DeploymentGroup.name()})
	q.targets, q.targetGroups = o.openTargetGroups()
	if len(o.Groups) == 0 { // a guess that saves a round
		if b := o.Record.Baseline; b == nil || b.Group != o.DeploymentGroup.name() {
			id := o.DeploymentGroup.Success
			if d := o.event(); d != nil {
				id = d.ID
			}
			q.revised = unasked(o.Revised, []string{id})
		}
		return q
	}
	if s := serving(o); s.Group != nil && len(q.deployments)+len(q.groups)+len(q.targets)+len(q.targetGroups) == 0 {
		q.details = unasked(o.Details, []string{o.DeploymentGroup.name(), s.Group.Name})
		q.revised, q.launched = o.openRevision(s)
	}
	return q
}

func (o *Observation) openDeployments() []string {
	ids := append([]string{o.DeploymentGroup.Last, o.DeploymentGroup.Success, o.Record.Release, o.Record.Rerouted, o.Record.Failed}, o.Listed...)
	for _, d := range o.Deployments {
		if d != nil && d.Undoes != "" {
			ids = append(ids, d.Undoes)
		}
	}
	if g := o.named(); g != nil {
		ids = append(ids, g.Tags[fleet.ProvisioningTag])
	}
	return ids
}

func (o *Observation) openGroups() []string {
	names := slices.Concat(o.DeploymentGroup.Groups, o.Record.Former)
	if b := o.Record.Baseline; b != nil {
		names = append(names, b.Group)
	}
	if b := o.Record.Bridged; b != nil {
		names = append(names, b.Group)
	}
	for _, d := range o.Deployments {
		if d != nil && !d.ByAutoScaling {
			names = append(names, d.Replacement...)
		}
	}
	return names
}

// openTargetGroups are the ARNs that the baseline knows, and the names of those
// that it does not know, of the target groups that were not read yet.
func (o *Observation) openTargetGroups() (arns, names []string) {
	read := func(name string) bool {
		for _, t := range o.Targets {
			if t.Name == name {
				return true
			}
		}
		return slices.Contains(o.Missing, name)
	}
	for _, s := range o.Record.Baseline.sources(fleet.ELBV2) {
		if !read(s.Name()) {
			arns, names = append(arns, s.ID), append(names, s.Name())
		}
	}
	if b := o.Record.Bridged; b != nil {
		for arn := range b.Targets {
			if name := fleet.TargetGroupName(arn); !read(name) && !slices.Contains(names, name) {
				arns, names = append(arns, arn), append(names, name)
			}
		}
	}
	return arns, slices.DeleteFunc(slices.Clone(o.DeploymentGroup.TargetGroups), func(n string) bool { return read(n) || slices.Contains(names, n) })
}

// unasked are the keys, once each, that have no answer yet.
func unasked[T any](answers map[string]T, keys []string) []string {
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(k string) bool {
		_, asked := answers[k]
		return asked || k == ""
	})
}
