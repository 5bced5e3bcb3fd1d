package repair

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/event"
)

// Decision is what to do about a deployment group now, and why.
type Decision struct {
	Outcome Outcome // Planned if there are Changes, until they are applied
	Matter  string  // see [Hold]
	Reason  string
	Remedy  string
	Changes []Change
	Again   bool // another look is due soon
	Quiet   bool // nobody needs to be told
	// Settled means that the group has everything it should have, in service.
	Settled bool
}

// Decide is the whole thinking, without a clock or a call: guard, plan, and,
// where nothing is left to plan, whether what was done works.
func Decide(scope Scope, o *Observed) Decision {
	left := o.planLeft(scope)
	if hold := Guard(scope, o); hold != nil {
		d := hold.decision()
		if d.Outcome != Ignored {
			d.Changes = left
		}
		return d
	}
	want, held := o.want()
	changes := append(Plan(want, o), left...)
	switch slow := o.unsettled(want); {
	case len(changes) > 0:
		return Decision{Outcome: Planned, Changes: changes, Again: true}
	case held != nil && !held.Final:
		return held.decision()
	case slow != nil:
		return slow.decision()
	}
	d := o.settled()
	if held != nil { // what a person has taken away is all that is missing
		d.Matter, d.Reason, d.Remedy, d.Quiet = held.Matter, held.Reason, held.Remedy, false
		if d.Outcome == Unchanged {
			d.Outcome = Waiting
		}
	}
	return d
}

func (h *Hold) decision() Decision {
	return Decision{Outcome: h.Outcome, Matter: h.Matter, Reason: h.Reason, Remedy: h.Remedy, Again: h.Again, Quiet: h.Quiet}
}

// settled is the decision on a group that has everything it can have.
func (o *Observed) settled() Decision {
	d := Decision{Outcome: Unchanged, Settled: true, Quiet: o.routine()}
	if len(o.Record.Pending) > 0 {
		d.Outcome, d.Quiet = Repaired, false
	}
	if reason := o.unusable(); reason != "" {
		d.Outcome, d.Quiet, d.Matter, d.Reason = Refused, false, reason, reason
		d.Remedy = "Create the target group anew, or take it out of the deployment group's load balancer settings."
	}
	return d
}

// routine tells whether an unchanged group is no news: nobody has deployed, or
// only Auto Scaling has, to one instance.
func (o *Observed) routine() bool {
	scaling := o.Subject != nil && o.Subject.Scaling
	return o.Left == nil && (!ended(o.Hint.State) || scaling)
}

// patient tells whether the last release ended, or our own change was made, so
// lately that what is slow may only be slow.
func (o *Observed) patient() bool {
	return o.Now.Sub(o.released()) <= patience || o.Now.Sub(o.Record.Since) <= patience
}

// released is when the last deployment that was more than one to a launching
// instance ended; zero if that is not known. A group that scales all the time
// is not one that was released just now.
func (o *Observed) released() time.Time {
	var latest time.Time
	for _, d := range []*Deployment{o.Subject, o.Last, o.Success} {
		if d != nil && !d.Scaling && d.Ended.After(latest) {
			latest = d.Ended
		}
	}
	return latest
}

// unsettled says what is attached and does not serve yet; nil if nothing. A
// traffic source reads Adding while instances are being registered, and Added
// when all are. Only on an ELB-checked group does it go on to InService, once
// one of them is healthy (DescribeTrafficSources, Amazon EC2 Auto Scaling API
// Reference). That is slow at first and news later.
func (o *Observed) unsettled(want Wanted) *Hold {
	for _, s := range want.Sources {
		hold := &Hold{Outcome: Waiting, Matter: "unsettled " + s.ID, Again: o.patient(), Quiet: o.patient()}
		switch state := o.Group.Sources[s]; {
		case state == "Adding":
			hold.Reason = fmt.Sprintf("Auto Scaling is still registering the instances of %s in %s", o.Group.Name, s)
			return hold
		case state == "Added" && o.Group.ELBChecked && o.expectsHealth(s):
			hold.Reason = fmt.Sprintf("%s is attached to %s, and no instance is healthy in it yet", s, o.Group.Name)
			hold.Remedy = "Look at the target group's health check and at the instances' application log."
			return hold
		}
	}
	return nil
}

// expectsHealth tells whether any instance can become healthy in the source:
// not if none is in service, nor if no load balancer uses the target group.
func (o *Observed) expectsHealth(s Source) bool {
	return slices.ContainsFunc(o.Group.Instances, func(i Instance) bool {
		return i.InService && o.Targets[s.ID].Health[i.ID] != unused
	})
}

// unusable says which of the deployment group's target groups cannot be
// attached at all; empty for none.
func (o *Observed) unusable() string {
	var missing, wrong, reasons []string
	for _, name := range o.Missing {
		if o.names(name) {
			missing = append(missing, name)
		}
	}
	for _, t := range o.Targets {
		if t.Kind != kindInstance && o.names(t.source().Name()) {
			wrong = append(wrong, fmt.Sprintf("%s (type %s)", t.source().Name(), t.Kind))
		}
	}
	slices.Sort(wrong)
	if len(missing) > 0 {
		reasons = append(reasons, fmt.Sprintf("the deployment group names target groups that do not exist: %s", strings.Join(missing, ", ")))
	}
	if len(wrong) > 0 {
		reasons = append(reasons, fmt.Sprintf("Auto Scaling groups work with target groups of type instance only: %s", strings.Join(wrong, ", ")))
	}
	return strings.Join(reasons, "; ")
}

// names tells whether the deployment group names the target group.
func (o *Observed) names(targetGroup string) bool {
	return slices.Contains(o.DeploymentGroup.TargetGroups, targetGroup)
}

// ended tells whether an event says that a deployment is over.
func ended(s event.State) bool {
	return s == event.Succeeded || s == event.Failed || s == event.Stopped
}

// picture is the baseline to keep: the current group as it is, if it has all the
// load balancing that the deployment group asks for and that the last picture
// had. A group that was complete once may lose what only the old picture had: a
// person has taken it away. Hooks that could not be put back are kept apart,
// for the next release to try.
func (o *Observed) picture() *Baseline {
	old := o.Record.Baseline
	if o.Group == nil || !o.ours() || o.Group.suspended() {
		return old
	}
	b := &Baseline{Group: o.Group.Name, Taken: o.Now, Hooks: o.Group.Hooks}
	for s, state := range o.Group.Sources {
		if state == "Added" || state == "InService" {
			b.Sources = append(b.Sources, s)
		}
	}
	slices.SortFunc(b.Sources, compareSources)
	for _, c := range planHooks(o.oldHooks(), o.Group) {
		b.Lost = append(b.Lost, *c.Hook)
	}
	missing := slices.DeleteFunc(o.wantedSources(), func(s Source) bool { return slices.Contains(b.Sources, s) })
	if len(b.Sources) == 0 || len(missing) > 0 || b.equal(old) {
		return old
	}
	return b
}

// next is the record after the decision, which was applied if applied says so.
func (o *Observed) next(d Decision, applied bool) Record {
	n := o.Record
	n.Baseline = o.picture()
	switch {
	case applied:
		if len(n.Pending) == 0 {
			n.Since = o.Now
			n.Told = slices.DeleteFunc(slices.Clone(n.Told), func(t Told) bool { return t.Outcome == Repaired })
		}
		n.Pending = merge(n.Pending, d.Changes)
	case d.Settled:
		n.Pending, n.Since, n.Settle = nil, time.Time{}, false
		n.Told = slices.DeleteFunc(slices.Clone(n.Told), func(t Told) bool {
			return t.Outcome != Repaired && t.Outcome != Unchanged && t != o.told(d)
		})
	}
	if o.Group != nil && o.Group.suspended() {
		n.Settle = true
	}
	if len(o.InProgress) > 0 {
		if o.Subject.failed() {
			n.Failed = o.Subject.ID
		}
		return n
	}
	if o.Group != nil {
		n.Failed = ""
	}
	if !d.Again {
		n.Deployment = o.DeploymentGroup.Last
	}
	return n
}

// merge adds changes to those that are pending already, each once.
func merge(pending, changes []Change) []Change {
	merged := slices.Clone(pending)
	for _, c := range changes {
		if !slices.ContainsFunc(merged, func(p Change) bool { return p.String() == c.String() }) {
			merged = append(merged, c)
		}
	}
	return merged
}
