package deploymentgroup

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"deployhooks/pkg/event"
)

// The tags by which the function knows what is its own. [OwnTag] itself is on Auto
// Scaling groups, with the physical ID of their deployment group; CodeDeploy copies it.
// The others are on deployment groups.
const (
	OwnTag = "deployhooks:deployment-group"
	// stackTag and resourceTag say which resource of which stack owns the deployment group.
	stackTag    = OwnTag + ":stack"
	resourceTag = OwnTag + ":resource"
	// requestTag is the time of the latest request, so that an older one that is delivered
	// once more changes nothing.
	requestTag = OwnTag + ":request"
	// importedTag is on a deployment group that was there before the stack.
	importedTag = OwnTag + ":imported"
)

// Request is a request with what the function adds to it.
type Request struct {
	event.CustomResource
	// Wanted are the properties, of which a deletion has the ID only.
	Wanted Properties
	// Removed are the keys of tags that the template no longer has.
	Removed []string
	// Leftover is a deployment group that an update which failed may have made: its answer
	// did not name it, so CloudFormation does not delete it. Zero for none.
	Leftover ID
	// Answered means that CloudFormation has its answer: what is left is to follow a
	// release.
	Answered bool
	// Last is what was in the way at the last try.
	Last string
}

// Plan is what is to be done about a request.
type Plan struct {
	// Changes are made in their order, up to the first that fails.
	Changes []Change `json:"changes,omitempty"`
	// Fault is why the request can never succeed, and what to do. Nothing is changed then.
	Fault string `json:"fault,omitempty"`
	// Waits are what has to end before the request is done.
	Waits []string `json:"waits,omitempty"`
	// Follow are the releases in progress to whose new Auto Scaling groups the request has
	// yet to be applied, when they serve.
	Follow []string `json:"follow,omitempty"`
	// Superseded means that a later request was carried out already: this one is an old
	// message.
	Superseded bool `json:"superseded,omitempty"`
}

// Verb is what a [Change] does.
type Verb string

// The verbs of changes, by what they are about.
const (
	CreateGroup Verb = "create deployment group"
	UpdateGroup Verb = "update deployment group"
	DeleteGroup Verb = "delete deployment group"
	NameGroup   Verb = "name the Auto Scaling group of deployment group"
	TagGroup    Verb = "tag deployment group"
	UntagGroup  Verb = "untag deployment group"
	StopRelease Verb = "stop deployment"
	TagCopies   Verb = "tag Auto Scaling group"
	SizeGroup   Verb = "size Auto Scaling group"
	PutPolicy   Verb = "put the scaling policy on Auto Scaling group"
	DropPolicy  Verb = "delete the scaling policy of Auto Scaling group"
	DeleteCopy  Verb = "delete Auto Scaling group"
)

// Change is one call.
type Change struct {
	Do Verb   `json:"do"`
	To string `json:"to"` // the deployment group's ID, the deployment's, or the Auto Scaling group's name
	// AutoScalingGroup is the one that the deployment group begins with.
	AutoScalingGroup string            `json:"autoScalingGroup,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Keys             []string          `json:"keys,omitempty"` // of tags to remove
	Max              int32             `json:"max,omitempty"`  // size; the rest is as wanted
}

func (p *Plan) change(do Verb, to string) *Change {
	p.Changes = append(p.Changes, Change{Do: do, To: to})
	return &p.Changes[len(p.Changes)-1]
}

func (p *Plan) wait(format string, args ...any) {
	p.Waits = append(p.Waits, fmt.Sprintf(format, args...))
}

func faulty(format string, args ...any) Plan { return Plan{Fault: fmt.Sprintf(format, args...)} }

// NewPlan decides about a request.
func NewPlan(r Request, o *Observation) Plan {
	switch {
	case r.superseded(o.Group), r.superseded(o.Former):
		return Plan{Superseded: true}
	case r.Type == event.Delete:
		return planDelete(r, o)
	case r.Answered && o.Group == nil: // deleted since
		return Plan{}
	case o.NoApplication:
		return faulty("There is no CodeDeploy application %s. Add it to the template (AWS::CodeDeploy::Application), and have the deployment group depend on it.", r.Wanted.ID.Application)
	case o.Group == nil:
		return planCreate(r, o)
	}
	if reason := r.foreign(o.Group); reason != "" {
		return Plan{Fault: reason}
	}
	return planUpdate(r, o)
}

// superseded reports whether a later request was carried out.
func (r Request) superseded(g *Group) bool {
	if g == nil || !r.owns(g) {
		return false
	}
	latest, err := time.Parse(time.RFC3339Nano, g.Tags[requestTag])
	return err == nil && r.Time.Before(latest)
}

// owns reports whether a deployment group is the request's resource.
func (r Request) owns(g *Group) bool {
	return g.Tags[stackTag] == r.Stack && g.Tags[resourceTag] == r.LogicalID
}

// foreign is why the request may not change a deployment group, empty if it may.
func (r Request) foreign(g *Group) string {
	switch owner := g.Tags[stackTag]; {
	case r.owns(g), owner == "" && r.Wanted.Import:
		return ""
	case owner != "":
		return fmt.Sprintf("The deployment group %s belongs to the resource %s of the stack %s. Give another DeploymentGroupName, or remove it there first. If that stack is gone, delete the deployment group with its Auto Scaling groups; or, to keep them, remove its tag %s and set Import to true.", r.Wanted.ID, g.Tags[resourceTag], owner, stackTag)
	}
	return fmt.Sprintf("The deployment group %s exists already, and no stack made it. Set Import to true to take it over, give another DeploymentGroupName, or delete it.", r.Wanted.ID)
}

// ownTags are the tags of a deployment group that is the request's.
func (r Request) ownTags() map[string]string {
	tags := maps.Clone(r.Wanted.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[stackTag], tags[resourceTag], tags[requestTag] = r.Stack, r.LogicalID, r.Time.UTC().Format(time.RFC3339Nano)
	return tags
}

// planUpdate plans what differs. The settings change at once: a deployment in progress
// keeps those that it began with (DeploymentInfo, CodeDeploy API Reference).
func planUpdate(r Request, o *Observation) (p Plan) {
	g := o.Group
	tags := r.ownTags()
	if !r.owns(g) {
		tags[importedTag] = "true"
	}
	maps.DeleteFunc(tags, func(key, value string) bool { return g.Tags[key] == value })
	if len(tags) > 0 {
		p.change(TagGroup, r.Wanted.ID.String()).Tags = tags
	}
	removed := r.Removed
	if !r.Wanted.Import {
		removed = append(slices.Clone(removed), importedTag)
	}
	removed = slices.DeleteFunc(slices.Clone(removed), func(key string) bool { _, there := g.Tags[key]; return !there })
	if len(removed) > 0 {
		p.change(UntagGroup, r.Wanted.ID.String()).Keys = removed
	}
	if !reflect.DeepEqual(settingsOf(r.Wanted.info()), g.Settings) {
		p.change(UpdateGroup, r.Wanted.ID.String())
	}
	p.sizeAll(r, o)
	if o.Leftover != nil && r.owns(o.Leftover) && p.Fault == "" {
		p.change(DeleteGroup, r.Leftover.String())
	}
	for _, release := range g.Releases {
		p.Follow = append(p.Follow, release.ID)
	}
	return p
}

// sizeAll plans the sizes of whatever serves. The replacement group of a release is left
// to CodeDeploy until users are on it, and the original group from then on.
func (p *Plan) sizeAll(r Request, o *Observation) {
	var left, serving []string
	copying := false
	for _, release := range o.Group.Releases {
		if release.Rerouted {
			serving = append(serving, release.Replacement...)
		} else {
			left, copying = append(left, release.Replacement...), true
		}
	}
	if firstAlive(o, serving) == "" {
		serving = o.Group.AutoScalingGroups
	}
	sized := false
	for _, name := range serving {
		a := o.AutoScaling[name]
		if a == nil || a.Deleting || slices.Contains(left, name) {
			continue
		}
		if own := a.Tags[OwnTag]; !r.Answered || own == "" || own == r.Wanted.ID.String() { // it may be handed over already
			p.size(r, name, a, copying)
			sized = true
		}
	}
	if sized || r.Answered {
		return
	}
	seed := r.Wanted.AutoScalingGroup
	switch {
	case len(o.Group.Releases) > 0:
		p.wait("deployment %s of %s is in progress, and no Auto Scaling group of the deployment group exists yet", o.Group.Releases[0].ID, r.Wanted.ID)
	case firstAlive(o, []string{seed}) != "":
		p.change(NameGroup, r.Wanted.ID.String()).AutoScalingGroup = seed
		p.size(r, seed, o.AutoScaling[seed], false)
	default:
		*p = faulty("The deployment group %s has no Auto Scaling group that exists: %q are gone, and so is %s of the template. Give AutoScalingGroup the name of one that exists.", r.Wanted.ID, o.Group.AutoScalingGroups, seed)
	}
}

// size plans what an Auto Scaling group lacks. While it is being copied, its maximum is
// not lowered: CodeDeploy gives the copy as many instances as there were.
func (p *Plan) size(r Request, name string, a *AutoScaling, copying bool) {
	if id := r.Wanted.ID.String(); a.Tags[OwnTag] != id {
		p.change(TagCopies, name).Tags = map[string]string{OwnTag: id}
	}
	w, most := r.Wanted, r.Wanted.MaxSize
	if copying {
		most = max(most, a.Max)
	}
	if a.Min != w.MinSize || a.Max != most || a.Template != w.LaunchTemplate || a.TemplateVersion != w.TemplateVersion {
		p.change(SizeGroup, name).Max = most
	}
	switch {
	case a.TargetCPU == w.TargetCPU:
	case w.TargetCPU == 0:
		p.change(DropPolicy, name)
	default:
		p.change(PutPolicy, name)
	}
}
