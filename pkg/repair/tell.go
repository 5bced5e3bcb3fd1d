package repair

import (
	"context"
	"fmt"
	"strings"

	"deployhooks/pkg/notice"
)

// result is what a decision looks like from outside. What a repair has done is
// what was pending and is now seen to work.
func (o *Observed) result(d Decision) Result {
	res := Result{Key: o.Key, Outcome: d.Outcome, Reason: d.Reason, Remedy: d.Remedy, Changes: append([]Change{}, d.Changes...), Deployment: o.deploymentID()}
	if d.Settled {
		res.Changes = append(res.Changes, o.Record.Pending...)
	}
	if len(o.DeploymentGroup.Groups) == 1 {
		res.Group = o.DeploymentGroup.Groups[0]
	}
	if o.Left != nil {
		res.LeftBehind = &LeftBehind{Group: o.Left.Name, Deployment: o.Failed.ID, Instances: len(o.Left.Instances)}
	}
	return res
}

func (o *Observed) deploymentID() string {
	if o.Hint.Deployment != "" {
		return o.Hint.Deployment
	}
	return o.DeploymentGroup.Last
}

func (o *Observed) told(d Decision) Told {
	return Told{Deployment: o.deploymentID(), Outcome: d.Outcome, Reason: d.Reason}
}

// after tells whether an outcome is news after the last that was told. That a
// repaired group is in order is none.
func (t Told) after(last Told) bool {
	repaired := last.Outcome == Repaired && t.Outcome == Unchanged && t.Deployment == last.Deployment
	return t != last && !repaired
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

// tell sends the outcome to people and to other systems.
func (r *Repairer) tell(ctx context.Context, res Result) error {
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
