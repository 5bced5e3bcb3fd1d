package repair

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/event"
)

// Hold is why nothing is changed now.
type Hold struct {
	Outcome Outcome // Waiting, Refused or Ignored
	Reason  string
	Remedy  string // what a person can do, if anything
	// Again asks for another look soon. Without it, an event to come or the
	// next sweep is soon enough.
	Again bool
	// Quiet means that nobody needs to be told.
	Quiet bool
}

// patience is how long after the end of a deployment the guard waits for a
// minority of unhealthy instances to come round. After that, attaching the
// group is what gets them replaced.
const patience = 10 * time.Minute

// The processes that CodeDeploy suspends on a group while it moves traffic, and
// resumes when it is done. All three suspended with no deployment in progress
// are the mark of a deployment that died.
var suspendedByCodeDeploy = []string{"AddToLoadBalancer", "AlarmNotification", "ScheduledActions"}

// Guard says why the group must be left alone now; nil means that it need not
// be. The rules are ordered: the first that holds is the one to tell.
func Guard(scope Scope, o *Observed) *Hold {
	dg := o.DeploymentGroup
	switch {
	case o.Gone:
		return ignore("the deployment group does not exist any more")
	case !o.ours():
		return ignore("its deployments do not copy an Auto Scaling group")
	case len(o.InProgress) > 0:
		return o.holdInProgress()
	case len(dg.Groups) != 1:
		return &Hold{Outcome: Refused,
			Reason: fmt.Sprintf("the deployment group names %d Auto Scaling groups, and a copy has exactly one", len(dg.Groups)),
			Remedy: "Correct the deployment group's Auto Scaling groups."}
	case o.Group == nil:
		return &Hold{Outcome: Waiting,
			Reason: fmt.Sprintf("the Auto Scaling group %s, which the deployment group names, does not exist", dg.Groups[0]),
			Remedy: "Deploy again, or name an existing Auto Scaling group in the deployment group."}
	case !scope.admits(o.Group):
		return ignore("its Auto Scaling group's tags take it out of scope")
	case o.Failed != nil && slices.Contains(o.Failed.Replacement, o.Group.Name) && !o.verified():
		return &Hold{Outcome: Refused,
			Reason: fmt.Sprintf("the deployment group names %s, the replacement group of deployment %s, which did not succeed", o.Group.Name, o.Failed.ID),
			Remedy: "Deploy again; a successful deployment's group is attached. If this group is meant to serve, attach it by hand once."}
	case len(o.wantedSources()) == 0 && len(o.Missing) == 0:
		return ignore("it has no load balancing to keep")
	}
	return o.holdUnready()
}

func ignore(reason string) *Hold { return &Hold{Outcome: Ignored, Reason: reason, Quiet: true} }

// holdInProgress waits for another deployment to end. Its own end will make us
// look; people are told only if a finished deployment is kept waiting by it.
func (o *Observed) holdInProgress() *Hold {
	finished := o.Hint.State == event.Succeeded && o.Subject != nil && o.Subject.Over
	return &Hold{Outcome: Waiting, Quiet: !finished, Again: finished,
		Reason: fmt.Sprintf("deployment %s of the deployment group is in progress", strings.Join(o.InProgress, ", "))}
}

// holdUnready waits until attaching the group does no harm.
func (o *Observed) holdUnready() *Hold {
	g := o.Group
	if slices.Contains(g.Suspended, "AddToLoadBalancer") && !o.abandoned(g) {
		return &Hold{Outcome: Waiting, Again: true,
			Reason: fmt.Sprintf("the process AddToLoadBalancer of %s is suspended", g.Name),
			Remedy: fmt.Sprintf("If nobody needs that: aws autoscaling resume-processes --auto-scaling-group-name '%s' --scaling-processes AddToLoadBalancer", g.Name)}
	}
	for _, s := range o.wantedSources() {
		if state := g.Sources[s]; state == "Removing" {
			return &Hold{Outcome: Waiting, Again: true, Reason: fmt.Sprintf("somebody is detaching %s from %s", s, g.Name)}
		} else if attached(state) {
			continue
		}
		if !o.DeploymentGroup.Deployed {
			return &Hold{Outcome: Waiting, Quiet: true, Reason: "no deployment of the deployment group has succeeded yet"}
		}
		if s.Type != ELBV2 || !g.ELBChecked {
			continue
		}
		if hold := o.holdUnhealthy(s); hold != nil {
			return hold
		}
	}
	return nil
}

// holdUnhealthy waits until attaching would not make an ELB-checked group
// replace its instances: once attached, it replaces each that the target group
// reports unhealthy. Instances that are not registered do not count; attaching
// registers them, and the health check comes before traffic.
func (o *Observed) holdUnhealthy(s Source) *Hold {
	t := o.Targets[s.ID]
	var running, well, sick int
	for _, i := range o.Group.Instances {
		if !i.InService {
			continue
		}
		running++
		switch state := t.Health[i.ID]; state {
		case healthy, unused: // unused: no load balancer sends it anything or checks it
			well++
		case "":
		default:
			sick++
		}
	}
	late := o.Now.Sub(o.DeploymentGroup.Ended) > patience
	if running == 0 || sick == 0 && (well > 0 || late) || late && well > sick {
		return nil
	}
	return &Hold{Outcome: Waiting, Again: true,
		Reason: fmt.Sprintf("of %d instances in service of %s, %d are healthy in %s and %d are not; attached now, the group would replace those", running, o.Group.Name, well, s, sick),
		Remedy: "Look at the target group's health check and at the instances' application log."}
}

// abandoned tells whether a group carries CodeDeploy's suspensions although no
// deployment is there to lift them.
func (o *Observed) abandoned(g *Group) bool {
	left := g == o.Left || o.Failed != nil || !o.verified()
	return left && len(o.InProgress) == 0 && !slices.ContainsFunc(suspendedByCodeDeploy, func(p string) bool {
		return !slices.Contains(g.Suspended, p)
	})
}

// verified tells whether the current group was once seen with everything it
// should have. What is missing from such a group, a person has taken away.
func (o *Observed) verified() bool {
	return o.Record.Baseline != nil && o.Group != nil && o.Record.Baseline.Group == o.Group.Name
}

// attached tells whether a traffic source in this state is attached, or about
// to be.
func attached(state string) bool {
	return state == "Adding" || state == "Added" || state == "InService"
}
