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
	if hold := Guard(scope, o); hold != nil {
		d := Decision{Outcome: hold.Outcome, Reason: hold.Reason, Remedy: hold.Remedy, Again: hold.Again, Quiet: hold.Quiet}
		if hold.Outcome != Ignored && len(o.InProgress) == 0 {
			d.Changes = o.planResume(o.Left)
		}
		return d
	}
	want := o.want()
	changes := append(Plan(want, o), o.planResume(o.Left)...)
	d := Decision{Outcome: Unchanged, Changes: changes, Settled: len(changes) == 0, Quiet: o.routine()}
	if len(o.Record.Pending) > 0 {
		d.Outcome, d.Quiet = Repaired, false
	}
	if len(changes) > 0 {
		d.Outcome, d.Again = Planned, true
	} else if reason := o.unsettled(want); reason != "" {
		d.Reason = reason
		if o.patient() {
			d.Outcome, d.Again, d.Quiet, d.Settled = Waiting, true, true, false
		}
	}
	if reason, remedy := o.unusable(); reason != "" {
		d.Reason, d.Remedy, d.Quiet = reason, remedy, false
		if len(changes) == 0 && d.Settled {
			d.Outcome = Refused
		}
	}
	return d
}

// routine tells whether an unchanged group is no news: nobody has deployed, or
// only Auto Scaling has, to one instance.
func (o *Observed) routine() bool {
	scaling := o.Subject != nil && o.Subject.Scaling
	return o.Left == nil && (!ended(o.Hint.State) || scaling)
}

// patient tells whether the last deployment ended, or our own change was made,
// so lately that what is slow may only be slow.
func (o *Observed) patient() bool {
	return o.Now.Sub(o.DeploymentGroup.Ended) <= patience || o.Now.Sub(o.Record.Since) <= patience
}

// unsettled says what is attached and does not serve yet; empty if nothing. A
// traffic source reads Adding while instances are being registered, and Added
// when all are. Only on an ELB-checked group does it go on to InService, once
// one of them is healthy (DescribeTrafficSources, Amazon EC2 Auto Scaling API
// Reference).
func (o *Observed) unsettled(want Wanted) string {
	for _, s := range want.Sources {
		switch state := o.Group.Sources[s]; {
		case state == "Adding":
			return fmt.Sprintf("Auto Scaling is still registering the instances of %s in %s", o.Group.Name, s)
		case state == "Added" && o.Group.ELBChecked && o.expectsHealth(s):
			return fmt.Sprintf("%s is attached to %s, and no instance is healthy in it yet", s, o.Group.Name)
		}
	}
	return ""
}

// expectsHealth tells whether any instance can become healthy in the source:
// not if none is in service, nor if no load balancer uses the target group.
func (o *Observed) expectsHealth(s Source) bool {
	return slices.ContainsFunc(o.Group.Instances, func(i Instance) bool {
		return i.InService && o.Targets[s.ID].Health[i.ID] != unused
	})
}

// unusable says which target groups cannot be attached at all.
func (o *Observed) unusable() (reason, remedy string) {
	var missing, wrong []string
	for _, name := range o.Missing {
		if slices.Contains(o.DeploymentGroup.TargetGroups, name) {
			missing = append(missing, name)
		}
	}
	for _, t := range o.Targets {
		if t.Kind != kindInstance {
			wrong = append(wrong, fmt.Sprintf("%s (type %s)", t.source().Name(), t.Kind))
		}
	}
	slices.Sort(wrong)
	var reasons []string
	if len(missing) > 0 {
		reasons = append(reasons, fmt.Sprintf("the deployment group names target groups that do not exist: %s", strings.Join(missing, ", ")))
	}
	if len(wrong) > 0 {
		reasons = append(reasons, fmt.Sprintf("Auto Scaling groups work with target groups of type instance only: %s", strings.Join(wrong, ", ")))
	}
	if len(reasons) == 0 {
		return "", ""
	}
	return strings.Join(reasons, "; "), "Create the target group anew, or take it out of the deployment group's load balancer settings."
}

// picture is the baseline to keep: the current group as it is, if it has all
// that the deployment group asks for and all that the last picture had. A group
// that was complete once may lose what only the old picture had: a person has
// taken it away.
func (o *Observed) picture() *Baseline {
	old := o.Record.Baseline
	if o.Group == nil || !o.ours() {
		return old
	}
	b := &Baseline{Group: o.Group.Name, Taken: o.Now}
	for s, state := range o.Group.Sources {
		if attached(state) {
			b.Sources = append(b.Sources, s)
		}
	}
	slices.SortFunc(b.Sources, compareSources)
	b.Hooks = o.Group.Hooks
	want := o.want()
	complete := len(b.Sources) > 0 && len(planAttach(want, o.Group)) == 0 && len(planHooks(want, o.Group)) == 0
	if !complete || b.equal(old) {
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
		}
		n.Pending = merge(n.Pending, d.Changes)
	case d.Settled:
		n.Pending, n.Since = nil, time.Time{}
	}
	if len(o.InProgress) > 0 {
		if s := o.Subject; s != nil && s.failed() {
			n.Failed = s.ID
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

// ended tells whether an event says that a deployment is over.
func ended(s event.State) bool {
	return s == event.Succeeded || s == event.Failed || s == event.Stopped
}
