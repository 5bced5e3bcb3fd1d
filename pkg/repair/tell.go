package repair

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"deployhooks/pkg/notice"
)

// result is what a decision looks like from outside. What a repair has done is
// what was pending and is now seen to work.
func (o *Observed) result(d Decision) Result {
	res := Result{Key: o.Key, Outcome: d.Outcome, Reason: d.Reason, Remedy: d.Remedy, Changes: []Change{}, Deployment: o.deploymentID()}
	changes := d.Changes
	if d.Settled {
		changes = append(slices.Clone(changes), o.done...)
	}
	for _, c := range changes {
		res.Changes = append(res.Changes, c.public())
	}
	if len(o.DeploymentGroup.Groups) == 1 {
		res.Group = o.DeploymentGroup.Groups[0]
	}
	if o.Left != nil {
		res.LeftBehind = &LeftBehind{Group: o.Left.Name, Deployment: o.Failed.ID, Instances: len(o.Left.Instances)}
	}
	return res
}

// public leaves out what the owner of a hook wrote for himself.
func (c Change) public() Change {
	if c.Hook != nil {
		hook := *c.Hook
		hook.Metadata, hook.RoleARN = "", ""
		c.Hook = &hook
	}
	return c
}

func (o *Observed) deploymentID() string {
	if o.Hint.Deployment != "" {
		return o.Hint.Deployment
	}
	return o.DeploymentGroup.Last
}

// told identifies the outcome. A deployment is not in it: Auto Scaling makes
// one for every instance it launches, and a release shows in the group's name.
func (o *Observed) told(d Decision) Told {
	t := Told{Outcome: d.Outcome, Matter: d.Matter}
	if o.Left != nil {
		t.Matter += " left " + o.Left.Name
	}
	if len(o.DeploymentGroup.Groups) == 1 {
		t.Group = o.DeploymentGroup.Groups[0]
	}
	return t
}

// newsAfter tells whether an outcome is news after those that were told. That a
// repaired group is in order is none.
func (t Told) newsAfter(told []Told) bool {
	repaired := Told{Group: t.Group, Outcome: Repaired}
	return !slices.Contains(told, t) && !(t.Outcome == Unchanged && t.Matter == "" && slices.Contains(told, repaired))
}

// report logs and counts an outcome.
func (r *Repairer) report(ctx context.Context, o *Observed, d Decision) Result {
	res := o.result(d)
	changes := make([]string, len(res.Changes))
	for i, c := range res.Changes {
		changes[i] = c.String()
	}
	r.log.InfoContext(ctx, "deployment group looked at",
		"application", res.Application, "deployment_group", res.DeploymentGroup, "asg", res.Group, "deployment", res.Deployment,
		"outcome", string(res.Outcome), "reason", res.Reason, "changes", changes, "look", o.Hint.Look)
	r.notices.Count(string(res.Outcome))
	return res
}

// send tells people and other systems.
func (r *Repairer) send(ctx context.Context, res Result) error {
	return r.notices.Tell(ctx, notice.Notice{
		Subject: fmt.Sprintf("%s: %s", headlines[res.Outcome], res.Key),
		Text:    res.text(),
		Detail:  res,
	})
}

var headlines = map[Outcome]string{
	Repaired:  "Load balancing repaired",
	Unchanged: "Load balancing in order",
	Planned:   "Repair planned, not applied",
	Waiting:   "Repair waiting",
	Refused:   "Repair needs you",
}

// text is the outcome for a person.
func (res Result) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s.", headlines[res.Outcome])
	line("")
	line("Application:         %s", res.Application)
	line("Deployment group:    %s", res.DeploymentGroup)
	line("Auto Scaling group:  %s", res.Group)
	if res.Deployment != "" {
		line("Deployment:          %s", res.Deployment)
	}
	if len(res.Changes) > 0 {
		line("")
		line("%s:", changesTitle(res.Outcome))
		for _, c := range res.Changes {
			line("  - %s", c)
		}
	}
	if res.Reason != "" {
		line("")
		line("Why: %s.", res.Reason)
	}
	if res.Remedy != "" {
		line("")
		line("What you can do: %s", res.Remedy)
	}
	if l := res.LeftBehind; l != nil {
		line("")
		line("Deployment %s did not succeed and left the Auto Scaling group %s with %d instances, which cost money and serve nobody. Nothing deletes it by itself. When you are done with it:", l.Deployment, l.Group, l.Instances)
		line("  aws autoscaling delete-auto-scaling-group --auto-scaling-group-name '%s' --force-delete", l.Group)
	}
	return b.String()
}

func changesTitle(o Outcome) string {
	if o == Planned {
		return "What is due"
	}
	return "What was done"
}
