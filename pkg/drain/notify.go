package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/notice"
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

// resendAfter is how long a notification that is being sent is left to whoever sends
// it.
const resendAfter = 20 * time.Second

// due are the notifications of a ledger to send now.
func due(l notice.Ledger[Report], now time.Time) []notice.Entry[Report] {
	return slices.DeleteFunc(l.Due(now), func(e notice.Entry[Report]) bool { return !e.Tried.IsZero() && now.Sub(e.Tried) < resendAfter })
}

// notify sends what the drains' ledgers hold, what is alike in one message, and
// announcements, which no record holds: why those could not be sent is returned by
// drain. It comes last: no instance waits for a notification.
func (r *Drainer) notify(ctx context.Context, all []work) map[int]error {
	ctx, cancel := within(context.WithoutCancel(ctx), notifyTime)
	defer cancel()
	alike := map[string]*letter{}
	var order []string
	add := func(matter string, report Report, from int) {
		key := strings.Join([]string{matter, report.Group, string(report.Outcome), report.Reason}, "\x00")
		if alike[key] == nil {
			alike[key] = &letter{matter: matter, report: Report{Group: report.Group, Outcome: report.Outcome, Reason: report.Reason, Remedy: report.Remedy}}
			order = append(order, key)
		}
		l := alike[key]
		l.report.Count++
		l.from = append(l.from, from)
		if len(l.report.Instances) < reportLimit {
			l.report.Instances = append(l.report.Instances, report.Instances...)
		}
	}
	for i, w := range all {
		if w.step.End == Announced && w.dropped {
			add("", w.drain.about(Report{Outcome: Announced, Reason: rebalanceText}), i)
			continue
		}
		if w.lost || w.item.Version == 0 {
			continue // whoever wrote the drain sends it, or the next reconcile does
		}
		for _, e := range due(w.drain.Ledger, r.now()) {
			add(e.Matter, e.Notice, i)
		}
	}
	unsent := map[int]error{}
	var changed []*work
	for _, key := range order {
		l := alike[key]
		err := r.deliver(ctx, *l)
		for _, i := range l.from {
			switch {
			case l.matter == "" && err != nil:
				unsent[i] = err
			case l.matter == "":
			case err == nil, fault.Is(err, fault.Denied), fault.Is(err, fault.NotFound):
				all[i].drain.Ledger = all[i].drain.Ledger.Delivered(l.matter)
			default:
				all[i].drain.Ledger = all[i].drain.Ledger.Failed(l.matter, r.now())
			}
			if l.matter != "" && !slices.Contains(changed, &all[i]) {
				changed = append(changed, &all[i])
			}
		}
	}
	if err := r.write(ctx, changed); err != nil {
		r.log.ErrorContext(ctx, "notifications not recorded", "error", err)
	}
	return unsent
}

// letter is one message about several drains.
type letter struct {
	matter string
	report Report
	from   []int
}

// deliver sends a message, unless this environment has sent the same action-required
// one within the hour.
func (r *Drainer) deliver(ctx context.Context, l letter) error {
	key := l.report.Group + "\x00" + l.matter
	if _, sent := r.known.notified.get(key, r.now().Add(-complainEvery)); sent && l.report.Outcome == ActionRequired {
		return nil
	}
	if err := r.publish(ctx, l.report); err != nil {
		r.log.ErrorContext(ctx, "notification not sent", "asg", l.report.Group, "outcome", string(l.report.Outcome), "error", err)
		return err
	}
	r.known.notified.put(key, true, r.now())
	return nil
}

// reportLimit is how many instances a report lists, so that it fits a message of SNS
// and an event of EventBridge, 256 KiB each, outputs included.
const reportLimit = 50

// complainEvery is how long operators are not notified again of what concerns all
// drains.
const complainEvery = time.Hour

// complain notifies operators that a call is denied that all drains need. There may
// be no table to remember it in, so each execution environment does so by itself.
func (r *Drainer) complain(ctx context.Context, err error) {
	for _, e := range unjoined(err) {
		if fault.Is(e, fault.Denied) {
			r.complainOnce(ctx, fault.Action(e), reportFault(e))
		}
	}
}

// unjoined are the errors that one joins.
func unjoined(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

func (r *Drainer) complainOnce(ctx context.Context, matter string, report Report) {
	ctx, cancel := within(context.WithoutCancel(ctx), notifyTime)
	defer cancel()
	report.Instances = []Instance{}
	_ = r.deliver(ctx, letter{matter: matter, report: report}) // logged, and tried again at the next occasion
}

func (r *Drainer) publish(ctx context.Context, report Report) error {
	detail, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	return r.notices.Publish(ctx, notice.Notice{
		ActionRequired: report.Outcome == ActionRequired, Subject: report.subject(), Text: report.text(), Detail: detail,
	})
}

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
		s += "\n  " + strings.ReplaceAll(strings.TrimSpace(i.Output), "\n", "\n  ")
	}
	return s
}

// rebalanceText is what a rebalance recommendation says.
const rebalanceText = "EC2 recommends to replace the Spot instance: it is at elevated risk of interruption"
