package deploymentgroup

import (
	"maps"
	"slices"
	"strings"

	"deployhooks/pkg/fleet"
)

// planDelete plans the deletion of a deployment group and of the Auto Scaling groups that
// its deployments made. The copies go first: while the deployment group exists, CodeDeploy
// certainly remembers whose they are, and without them no deployment can make more.
func planDelete(r Request, o *Observation) (p Plan) {
	g := o.Group
	switch {
	case g != nil && !r.owns(g): // of a creation that failed because of it
		return p
	case g != nil && g.Tags[importedTag] != "":
		keys := slices.DeleteFunc(slices.Sorted(maps.Keys(g.Tags)), func(key string) bool { return !strings.HasPrefix(key, OwnTag) })
		p.change(UntagGroup, r.Wanted.ID.String()).Keys = keys
		return p
	}
	if g != nil && len(g.Releases) > 0 {
		for _, release := range g.Releases {
			p.change(StopRelease, release.ID)
			p.wait("deployment %s has to stop", release.ID)
		}
		return p
	}
	for _, name := range slices.Sorted(maps.Keys(o.AutoScaling)) {
		a := o.AutoScaling[name]
		if !isCopy(r.Wanted.ID, g != nil, name, a, o.Deployments) {
			continue
		}
		if !a.Deleting {
			p.change(DeleteCopy, name)
		}
		p.wait("Auto Scaling group %s has to be deleted, with its instances", name)
	}
	if g != nil && len(p.Waits) == 0 {
		p.change(DeleteGroup, r.Wanted.ID.String())
		p.wait("deployment group %s has to be deleted", r.Wanted.ID) // and a release that began meanwhile may have left a copy
	}
	return p
}

// isCopy reports whether CodeDeploy made an Auto Scaling group for a deployment group.
// The tag of its deployment alone is no proof: whoever copies a group by hand may copy its
// tags. exists says that the deployment group does; without it only the function's own tag
// says that the former one of this name was the stack's.
func isCopy(id ID, exists bool, name string, a *AutoScaling, deployments map[string]Deployment) bool {
	made := a.Tags[fleet.ProvisioningTag]
	if own, tagged := a.Tags[OwnTag]; made == "" || tagged && own != id.String() || !tagged && !exists {
		return false
	}
	d, known := deployments[made]
	switch {
	case !known: // CodeDeploy has forgotten it; its name (observed) has to do
		return name == "CodeDeploy_"+id.Group+"_"+made
	case d.Of != id && a.Tags[OwnTag] != id.String(): // the tag alone is on one that a replaced deployment group handed over
		return false
	}
	return slices.Contains(d.Replacement, name)
}
