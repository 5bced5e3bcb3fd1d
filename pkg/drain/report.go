package drain

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"deployhooks/pkg/fault"
)

// Report is a notification: one outcome of instances of a group, or something about
// them that operators have to act on. It is the detail of the EventBridge event.
type Report struct {
	Group   string  `json:"autoScalingGroup,omitempty"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Remedy  string  `json:"remedy,omitempty"`
	// Count is how many instances it is about, and Instances the first of them.
	Count     int        `json:"count"`
	Instances []Instance `json:"instances"`
}

// Instance is an instance in a report.
type Instance struct {
	ID      string `json:"instance"`
	Cause   Cause  `json:"cause,omitempty"`
	Seconds int    `json:"seconds,omitempty"` // since the drain began
	// InFlight is what the drain waited for or, in [PlanOnly], what it would do.
	InFlight string `json:"inFlight,omitempty"`
	// Command, CommandStatus and Output are the shutdown command's ID, how it ended,
	// and the beginning of its output.
	Command       string `json:"command,omitempty"`
	CommandStatus string `json:"commandStatus,omitempty"`
	Output        string `json:"output,omitempty"`
}

var reasons = map[Outcome]string{
	Drained:        "nothing is in flight any more and the shutdown command has run",
	CommandFailed:  "nothing is in flight any more, but the shutdown command did not succeed",
	TimedOut:       "no heartbeat was accepted in time, so the lifecycle action ended with the hook's default result, whatever was in flight",
	DeadlinePassed: "the deadline passed with requests in flight, or with targets that the load balancer still shows as draining",
	Announced:      "EC2 recommends to replace the Spot instance: it is at elevated risk of interruption",
	Planned:        "the function is in plan mode: the lifecycle actions were completed without draining",
}

// remedies are for outcomes that operators can do something about.
var remedies = map[Outcome]string{
	CommandFailed: "Run the command on another instance of the group. If it was not delivered: the SSM agent must run on the instance and its instance profile must allow it (AmazonSSMManagedInstanceCore).",
}

// report is what is notified of the drain's end.
func (d Drain) report(outcome Outcome, now time.Time, inFlight string) Report {
	r := d.about(Report{Outcome: outcome, Reason: reasons[outcome], Remedy: remedies[outcome]})
	i := &r.Instances[0]
	i.Seconds, i.InFlight = int(now.Sub(d.Since)/time.Second), inFlight
	i.Command, i.CommandStatus, i.Output = d.Command.ID, d.Command.Status, d.Command.Output
	return r
}

// about makes the drain's instance what a report is about.
func (d Drain) about(r Report) Report {
	r.Group, r.Count, r.Instances = d.Group, 1, []Instance{{ID: d.Instance, Cause: d.Cause}}
	return r
}

// reportFault reports a call that is denied, or that AWS never takes.
func reportFault(err error) Report {
	return Report{Outcome: ActionRequired, Reason: fmt.Sprintf("%s failed: %s", fault.Action(err), fault.Message(err)), Remedy: remedy(err)}
}

func remedy(err error) string {
	switch fault.Of(err) {
	case fault.Denied:
		return fault.AllowRemedy(err)
	case fault.Invalid:
		return "Check what the message names; AWS does not take the call as it is."
	}
	return "None is needed if it passes: the function tries again."
}

// reportLimit is how many instances a report lists, so that it fits a message of SNS
// and an event of EventBridge, 256 KiB each, outputs included.
const reportLimit = 50

var headlines = map[Outcome]string{
	Drained:        "Drained and shut down",
	CommandFailed:  "Shutdown command failed",
	TimedOut:       "Lifecycle action timed out",
	DeadlinePassed: "Released with requests in flight",
	Planned:        "Would be drained",
	ActionRequired: "Draining: action required",
	Announced:      "Interruption or maintenance announced",
}

func (p Report) subject() string {
	of := ""
	if p.Group != "" {
		of = " of " + quote(p.Group)
	}
	switch p.Count {
	case 0:
		return headlines[p.Outcome]
	case 1:
		return fmt.Sprintf("%s: %s%s", headlines[p.Outcome], p.Instances[0].ID, of)
	}
	return fmt.Sprintf("%s: %d instances%s", headlines[p.Outcome], p.Count, of)
}

// quote quotes a name that holds more than names usually do.
func quote(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_./:", r))
	}) {
		return fmt.Sprintf("%q", name)
	}
	return name
}

// text is the report for operators.
func (p Report) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s.", headlines[p.Outcome])
	line("")
	if p.Group != "" {
		line("Auto Scaling group: %s", quote(p.Group))
	}
	line("Reason: %s.", strings.TrimSuffix(p.Reason, "."))
	if p.Remedy != "" {
		line("Remedy: %s", p.Remedy)
	}
	line("")
	for _, i := range p.Instances {
		line("%s", i)
	}
	if more := p.Count - len(p.Instances); more > 0 {
		line("and %d more", more)
	}
	return b.String()
}

func (i Instance) String() string {
	s := i.ID
	if i.Cause != "" {
		s += fmt.Sprintf(" (%s)", i.Cause)
	}
	if i.Seconds > 0 {
		s += fmt.Sprintf(", after %d s", i.Seconds)
	}
	if i.InFlight != "" {
		s += ", waited for " + i.InFlight
	}
	if i.CommandStatus != "" {
		s += fmt.Sprintf("; command %s: %s", i.Command, i.CommandStatus)
	}
	if i.Output != "" {
		s += "\n  " + strings.ReplaceAll(printable(strings.TrimSpace(i.Output)), "\n", "\n  ")
	}
	return s
}

// printable is a command's output without what would control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
