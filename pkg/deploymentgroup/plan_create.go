package deploymentgroup

import (
	"fmt"
	"slices"

	"deployhooks/pkg/fleet"
)

// planCreate plans a deployment group that does not exist: in a creation, or in an update to
// another name.
func planCreate(r Request, o *Observation) (p Plan) {
	source := r.Wanted.AutoScalingGroup
	if r.PhysicalID == r.Wanted.ID.String() { // somebody has deleted it
		var reason string
		if source, reason = orphan(r.Wanted.ID, o); reason != "" {
			return Plan{Fault: reason}
		}
	}
	if o.Former != nil && r.owns(o.Former) { // its releases have replaced the template's
		if len(o.Former.Releases) > 0 {
			p.wait("deployment %s of %s, which this one replaces, is in progress: until it ends, which Auto Scaling group stays is not known. Wait for it, or stop it", o.Former.Releases[0].ID, r.PhysicalID)
			return p
		}
		if name := firstAlive(o, o.Former.AutoScalingGroups); name != "" {
			source = name
		}
	}
	if firstAlive(o, []string{source}) == "" {
		return faulty("There is no Auto Scaling group %s to begin with. The first release deletes that of the template: give AutoScalingGroup the name of one that exists.", source)
	}
	if o.Former != nil && r.owns(o.Former) {
		// What still follows a release for the former one is to end, instead of taking the Auto
		// Scaling group back.
		p.change(TagGroup, r.PhysicalID).Tags = map[string]string{requestTag: r.ownTags()[requestTag]}
	}
	create := p.change(CreateGroup, r.Wanted.ID.String())
	create.AutoScalingGroup, create.Tags = source, r.ownTags()
	p.size(r, source, o.AutoScaling[source], false)
	return p
}

// orphan is the copy that a deployment group had which somebody has deleted; the reason is why it
// cannot be told. An old message that is delivered once more, after the deletion of the
// resource, finds none, and makes nothing anew.
func orphan(id ID, o *Observation) (name, reason string) {
	var all []string
	for name, a := range o.AutoScaling {
		if a.Tags[OwnTag] == id.String() && a.Tags[fleet.ProvisioningTag] != "" && !a.Deleting {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	switch len(all) {
	case 0:
		return "", fmt.Sprintf("The deployment group %s does not exist any more: somebody has deleted it. Remove the resource from the template, deploy, and add it again.", id)
	case 1:
		return all[0], ""
	}
	return "", fmt.Sprintf("The deployment group %s does not exist any more: somebody has deleted it. It had one of the Auto Scaling groups %q: delete those that serve nobody, then deploy again.", id, all)
}

// firstAlive is the first of the names whose Auto Scaling group exists.
func firstAlive(o *Observation, names []string) string {
	i := slices.IndexFunc(names, func(name string) bool { return o.AutoScaling[name] != nil && !o.AutoScaling[name].Deleting })
	if i < 0 {
		return ""
	}
	return names[i]
}
