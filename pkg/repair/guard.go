package repair

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hold is why nothing is changed now.
type Hold struct {
	Outcome Outcome // Waiting, Refused or Ignored
	// Matter is what holds, in a word or two that stay the same while it does.
	Matter string
	Reason string
	Remedy string // what a person can do, if anything
	// Again asks for another look soon. Without it, an event to come or the
	// next sweep is soon enough.
	Again bool
	// Quiet means that nobody needs to be told.
	Quiet bool
	// Final means that a person has decided so, and that nothing is to come.
	Final bool
}

// patience is how long what is slow may only be slow: a minority of unhealthy
// instances to come round after a deployment, a traffic source to come into
// service, a busy group to become free.
const patience = 10 * time.Minute

// The processes that CodeDeploy suspends on a group while it moves traffic, and
// resumes when it is done. Just these three, suspended on a new group with no
// deployment in progress, are the mark of a deployment that died.
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
		return &Hold{Outcome: Refused, Matter: "number of groups",
			Reason: fmt.Sprintf("the deployment group names %d Auto Scaling groups, and a copy has exactly one", len(dg.Groups)),
			Remedy: "Correct the deployment group's Auto Scaling groups."}
	case o.Group == nil:
		return &Hold{Outcome: Waiting, Matter: "no group",
			Reason: fmt.Sprintf("the Auto Scaling group %s, which the deployment group names, does not exist", dg.Groups[0]),
			Remedy: "Deploy again, or name an existing Auto Scaling group in the deployment group."}
	case !scope.admits(o.Group):
		return ignore("its Auto Scaling group's tags take it out of scope")
	case len(o.wantedSources()) == 0 && o.unusable() == "":
		return ignore("it has no load balancing to keep")
	case o.Last.failed() && o.Last.to(o.Group) && !o.Success.to(o.Group) && !o.verified():
		return &Hold{Outcome: Refused, Matter: "failed replacement",
			Reason: fmt.Sprintf("the deployment group names %s, the replacement group of deployment %s, which did not succeed", o.Group.Name, o.Last.ID),
			Remedy: "Deploy again; a successful deployment's group is attached. If this group is meant to serve, attach it by hand once."}
	case o.Group.suspended() && !o.abandoned(o.Group):
		return &Hold{Outcome: Waiting, Matter: "suspended", Again: true,
			Reason: fmt.Sprintf("the process AddToLoadBalancer of %s is suspended", o.Group.Name),
			Remedy: fmt.Sprintf("If nobody needs that: aws autoscaling resume-processes --auto-scaling-group-name '%s' --scaling-processes AddToLoadBalancer", o.Group.Name)}
	}
	return nil
}

func ignore(reason string) *Hold { return &Hold{Outcome: Ignored, Reason: reason, Quiet: true} }

// holdInProgress waits for another deployment to end. Its own end will make us
// look; people are told only if a finished release is kept waiting by it for
// long. Deployments to instances that a scale-out launches are soon over.
func (o *Observed) holdInProgress() *Hold {
	s := o.Subject
	finished := s != nil && s.Over && s.Succeeded && !s.Scaling
	return &Hold{Outcome: Waiting, Matter: "in progress", Again: finished, Quiet: !finished || o.Now.Sub(s.Ended) <= patience,
		Reason: fmt.Sprintf("deployment %s of the deployment group is in progress", strings.Join(o.InProgress, ", "))}
}

// holdSource waits until attaching one traffic source does no harm. One that
// must wait does not keep the others from being attached.
func (o *Observed) holdSource(s Source) *Hold {
	g := o.Group
	switch {
	case attached(g.Sources[s]):
		return nil
	case g.Sources[s] == "Removing":
		return &Hold{Outcome: Waiting, Matter: "detaching " + s.ID, Again: true, Reason: fmt.Sprintf("somebody is detaching %s from %s", s, g.Name)}
	case o.verified() && slices.Contains(o.Record.Baseline.Sources, s) && !o.Hint.Insist:
		return &Hold{Outcome: Waiting, Matter: "detached " + s.ID, Final: true,
			Reason: fmt.Sprintf("somebody has detached %s from %s, which was complete before, and the deployment group still names it", s, g.Name),
			Remedy: "To attach it again, invoke the function with the action repair; to be rid of it, take it out of the deployment group's load balancer settings."}
	case !o.verified() && !o.deployedTo():
		return &Hold{Outcome: Waiting, Matter: "not deployed",
			Reason: fmt.Sprintf("no deployment to %s has succeeded yet", g.Name),
			Remedy: "Deploy to it, or attach it by hand."}
	case s.Type != ELBV2 || !g.ELBChecked:
		return nil
	}
	return o.holdUnhealthy(s)
}

// holdUnhealthy waits until attaching would not make an ELB-checked group
// replace its instances: once attached, it replaces each that the target group
// reports unhealthy. Instances that are not registered do not count: attaching
// registers them, and the health check comes before traffic. But if not one is
// registered in a target group that CodeDeploy moves traffic with, the reroute
// is not seen yet.
func (o *Observed) holdUnhealthy(s Source) *Hold {
	var running, well, sick int
	for _, i := range o.Group.Instances {
		if !i.InService {
			continue
		}
		running++
		switch o.Targets[s.ID].Health[i.ID] {
		case healthy, unused: // unused: no load balancer sends it anything or checks it
			well++
		case "":
		default:
			sick++
		}
	}
	rerouted := well > 0 || !slices.Contains(o.DeploymentGroup.TargetGroups, s.Name())
	// Where only launching instances were deployed to since, the release is
	// older than they are.
	late := o.Success != nil && o.Success.Scaling
	if released := o.released(); !released.IsZero() {
		late = o.Now.Sub(released) > patience
	}
	if running == 0 || sick == 0 && (rerouted || late) || late && well > sick {
		return nil
	}
	return &Hold{Outcome: Waiting, Matter: "unhealthy in " + s.ID, Again: true,
		Reason: fmt.Sprintf("of %d instances in service of %s, %d are healthy in %s and %d are not", running, o.Group.Name, well, s, sick),
		Remedy: "Attached now, the group would replace what is not healthy. Look at the target group's health check and at the instances' application log."}
}

// together is several holds as one; nil for none. It lasts while one of them
// does.
func together(holds []*Hold) *Hold {
	if len(holds) == 0 {
		return nil
	}
	all := &Hold{Outcome: Waiting, Quiet: true, Final: true}
	var matters, reasons []string
	for _, h := range holds {
		all.Again, all.Final = all.Again || h.Again, all.Final && h.Final
		if !h.Quiet {
			all.Quiet = false
		}
		if all.Remedy == "" {
			all.Remedy = h.Remedy
		}
		matters, reasons = append(matters, h.Matter), append(reasons, h.Reason)
	}
	all.Matter, all.Reason = strings.Join(slices.Compact(matters), ", "), strings.Join(slices.Compact(reasons), "; ")
	return all
}

// abandoned tells whether a group that is new, or left behind, carries
// CodeDeploy's suspensions although no deployment is there to lift them.
func (o *Observed) abandoned(g *Group) bool {
	return len(o.InProgress) == 0 && (g == o.Left || !o.verified()) &&
		slices.Equal(slices.Sorted(slices.Values(g.Suspended)), suspendedByCodeDeploy)
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
