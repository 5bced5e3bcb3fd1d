package repair

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair/setting"
)

// Result is what came of reconciling one deployment group. It is what a direct
// invocation returns, and the detail of the EventBridge event.
type Result struct {
	Key
	// AutoScalingGroup is the one that serves, or should.
	AutoScalingGroup string  `json:"autoScalingGroup,omitempty"`
	Deployment       string  `json:"deployment,omitempty"`
	Phase            Phase   `json:"phase,omitempty"`
	Outcome          Outcome `json:"outcome"`
	// Reason says why a deployment group is out of scope.
	Reason string `json:"reason,omitempty"`
	// Changes are those made or, in plan mode, due.
	Changes  []setting.Change `json:"changes"`
	Blockers []Blocker        `json:"blockers"`
	// LeftBehind is the replacement group that a failed release left running.
	LeftBehind *LeftBehind `json:"leftBehind,omitempty"`
}

// LeftBehind is a replacement group that a failed or stopped release left.
type LeftBehind struct {
	Group      string `json:"autoScalingGroup"`
	Deployment string `json:"deployment"`
	Instances  int    `json:"instances"`
	// Serves means that some of them serve users.
	Serves bool `json:"serves"`
}

// result is a plan as operators and machines see it.
func (p Plan) result(o *Observation) Result {
	res := Result{
		Key: o.Key, Outcome: p.Outcome, Reason: p.Reason, Phase: p.Serving.Phase,
		Changes: slices.Concat([]setting.Change{}, p.Changes, p.Done), Blockers: slices.Concat([]Blocker{}, p.Blockers), LeftBehind: p.Left,
		AutoScalingGroup: o.DeploymentGroup.name(), Deployment: o.DeploymentGroup.Last,
	}
	if p.Serving.Group != nil {
		res.AutoScalingGroup = p.Serving.Group.Name
	}
	if d := o.event(); d != nil {
		res.Deployment = d.ID
	}
	return res
}

// notice is a result as a notification.
func (res Result) notice(headline string) notice.Notice {
	detail, err := json.Marshal(res)
	if err != nil {
		detail = nil // strings and numbers: it cannot fail
	}
	return notice.Notice{
		ActionRequired: res.Outcome == ActionRequired,
		Subject:        fmt.Sprintf("%s: %s", headline, res.Key),
		Text:           res.text(headline), Detail: detail,
	}
}

// text is the result for a person. Names break no line of it.
func (res Result) text(headline string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s.\n", headline)
	if res.DeploymentGroup != everything.DeploymentGroup {
		line("Application:         %s", setting.Plain(res.Application))
		line("Deployment group:    %s", setting.Plain(res.DeploymentGroup))
		line("Auto Scaling group:  %s", setting.Plain(res.AutoScalingGroup))
	}
	if res.Deployment != "" {
		line("Deployment:          %s", setting.Plain(res.Deployment))
	}
	if len(res.Changes) > 0 {
		title := "What was done"
		if res.Outcome == Planned {
			title = "What is due"
		}
		line("\n%s:", title)
		for _, c := range res.Changes {
			line("  - %s", say(c))
		}
	}
	for _, blocker := range res.Blockers {
		line("\nWhy: %s.", blocker.Reason)
		if blocker.Remedy != "" {
			line("What you can do: %s", blocker.Remedy)
		}
	}
	if l := res.LeftBehind; l != nil {
		what := "which cost money and serve nobody"
		if l.Serves {
			what = "some of which serve users"
		}
		line("\nDeployment %s did not succeed and left the Auto Scaling group %s with %d instances, %s. Nothing deletes it by itself. When you are done with it:", setting.Plain(l.Deployment), setting.Plain(l.Group), l.Instances, what)
		line("  aws autoscaling delete-auto-scaling-group --auto-scaling-group-name %s --force-delete", quote(l.Group))
	}
	return b.String()
}

// report logs and counts an outcome.
func (r *Repairer) report(ctx context.Context, o *Observation, p Plan) Result {
	res := p.result(o)
	changes := make([]string, len(res.Changes))
	for i, c := range res.Changes {
		changes[i] = say(c)
	}
	blockers := make([]string, len(res.Blockers))
	for i, b := range res.Blockers {
		blockers[i] = b.Reason
	}
	r.log.InfoContext(ctx, "deployment group reconciled",
		"application", res.Application, "deployment_group", res.DeploymentGroup, "asg", res.AutoScalingGroup, "deployment", res.Deployment,
		"phase", string(res.Phase), "outcome", string(res.Outcome), "reason", res.Reason, "changes", changes, "blockers", blockers,
		"requeue", p.Requeue.String())
	r.notices.Count(string(res.Outcome))
	return res
}

// quote makes one word of a POSIX shell of a name, whatever is in it. A line break
// would end the command for a person who copies it line by line, so a name with control
// characters is written in octal digits, for printf. A substitution loses line breaks at
// its end: they come after it.
func quote(name string) string {
	single := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	body := strings.TrimRight(name, "\n")
	if !strings.ContainsFunc(body, unicode.IsControl) {
		return single(name)
	}
	var octal strings.Builder
	for _, c := range []byte(body) {
		fmt.Fprintf(&octal, `\%03o`, c)
	}
	return `"$(printf '` + octal.String() + `')"` + single(name[len(body):])
}

func detachCommand(group string, sources []fleet.TrafficSource) string {
	var words []string
	for _, s := range sources {
		words = append(words, quote("Identifier="+s.ID+",Type="+s.Type))
	}
	return fmt.Sprintf("aws autoscaling detach-traffic-sources --auto-scaling-group-name %s --traffic-sources %s", quote(group), strings.Join(words, " "))
}

func replaceCommand(instance string) string {
	return "aws autoscaling set-instance-health --health-status Unhealthy --instance-id " + quote(instance)
}

// allowRemedy says what an operator can do about a denied call.
func allowRemedy(err error) string {
	switch fault.Action(err) {
	case "iam:PassRole":
		return "Allow iam:PassRole for the lifecycle hook's role to the function's role: configure it as deployhooks:hookRoleArns."
	case "vpc-lattice:RegisterTargets", "vpc-lattice:DeregisterTargets":
		return fault.AllowRemedy(err) + " Attaching a VPC Lattice target group needs it besides the Auto Scaling action."
	}
	return fault.AllowRemedy(err)
}
