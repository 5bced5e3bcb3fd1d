package drain

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/notice"
)

// Report is what people and other systems are told: one outcome of a group's
// instances, or one trouble with them. It is the detail of the EventBridge
// event.
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
	Cause   Cause  `json:"cause"`
	Seconds int    `json:"seconds"` // since the drain began
	// InFlight says what the instance was not rid of.
	InFlight string `json:"inFlight,omitempty"`
	// Command, CommandStatus and Output are the shutdown command's ID, how it
	// ended, and the beginning of what it wrote.
	Command       string `json:"command,omitempty"`
	CommandStatus string `json:"commandStatus,omitempty"`
	Output        string `json:"output,omitempty"`
}

// Outcomes that only reports have.
const (
	// Trouble means that a call fails and that people must do something.
	Trouble Outcome = "trouble"
	// Warned means that AWS has announced something about instances.
	Warned Outcome = "warned"
)

// reportLimit is how many instances a report lists, so that it fits a message
// of SNS and an event of EventBridge, 256 KiB each, outputs included.
const reportLimit = 50

// tellTries is how often people are tried to be told of an end before the
// instance is let go: for a minute or two. A notice is not worth more than that.
const tellTries = 10

// tellEnds tells people of ends, those of one group and outcome together. It
// returns the drains of which it could not, but may another time.
func (r *Drainer) tellEnds(ctx context.Context, drains []*Drain, steps map[*Drain]*Step) (untold map[*Drain]bool) {
	type key struct {
		group   string
		outcome Outcome
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	news := map[key][]*Drain{}
	for _, d := range drains {
		k := key{d.Group, steps[d].Outcome}
		news[k] = append(news[k], d)
	}
	untold = map[*Drain]bool{}
	for k, drains := range news {
		report := Report{Group: k.group, Outcome: k.outcome, Count: len(drains), Reason: reasons[k.outcome]}
		for _, d := range drains[:min(len(drains), reportLimit)] {
			report.Instances = append(report.Instances, d.report(r.now(), steps[d].WaitsFor))
		}
		if err := r.tell(ctx, report); err != nil {
			r.log.ErrorContext(ctx, "people could not be told", "asg", k.group, "outcome", string(k.outcome), "error", err)
			for _, d := range drains {
				d.Untold, d.changed = d.Untold+1, true
				untold[d] = fault.Of(err) != fault.Denied && d.Untold < tellTries
			}
			continue
		}
		for _, d := range drains { // who cannot be let go now is not told of again
			d.Told, d.changed = append(d.Told, string(k.outcome)), true
		}
	}
	return untold
}

// complainEvery is how long people are not told again of a call that the function
// may not make.
const complainEvery = time.Hour

// complain tells people that the function may not make a call that all drains
// need. There may be no table to remember it in, so each execution environment
// remembers it by itself.
func (r *Drainer) complain(ctx context.Context, err error) {
	if err == nil || fault.Of(err) != fault.Denied {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	matter := fault.Action(err)
	if told, ok := r.complained.Load(matter); ok && r.now().Before(told.(time.Time).Add(complainEvery)) {
		return
	}
	if err := r.tell(ctx, reportTrouble(nil, matter, err)); err != nil {
		r.log.ErrorContext(ctx, "people could not be told of trouble", "error", err)
		return
	}
	r.complained.Store(matter, r.now())
}

var reasons = map[Outcome]string{
	Drained:       "nothing is in flight any more and the shutdown command has run",
	CommandFailed: "nothing is in flight any more, but the shutdown command did not succeed",
	TimedOut:      "no heartbeat came through in time, so the lifecycle action ended with the hook's default result, whatever was in flight",
	Late:          "the deadline passed with something still in flight; the instances were let go all the same",
}

func (d *Drain) report(now time.Time, waitsFor string) Instance {
	return Instance{
		ID: d.Instance, Cause: d.Cause, Seconds: int(now.Sub(d.Since) / time.Second), InFlight: waitsFor,
		Command: d.Command.ID, CommandStatus: d.Command.Status, Output: d.Command.Output,
	}
}

// reportTrouble reports a call that fails for these drains, or for all where it
// names none.
func reportTrouble(drains []*Drain, action string, err error) Report {
	report := Report{Outcome: Trouble, Count: len(drains), Instances: []Instance{}, Remedy: fault.Remedy(err)}
	if len(drains) > 0 {
		report.Group = drains[0].Group
	}
	report.Reason = fault.Message(err)
	if action != "" {
		report.Reason = fmt.Sprintf("%s failed: %s", action, report.Reason)
	}
	for _, d := range drains[:min(len(drains), reportLimit)] {
		report.Instances = append(report.Instances, d.report(d.Since, ""))
	}
	return report
}

// warning is an announcement of AWS about an instance.
type warning struct{ instance, text, message string }

func rebalanceWarning(e event.RebalanceRecommendation, message string) warning {
	return warning{e.Instance, "EC2 recommends to replace the Spot instance: it is at elevated risk of interruption", message}
}

func maintenanceWarnings(e event.Maintenance, message string) (all []warning) {
	for _, id := range e.Instances {
		all = append(all, warning{id, cmp.Or(e.Code, "EC2 maintenance") + ": " + e.Text, message})
	}
	return all
}

// warn passes announcements on to people, those that say the same together. A
// message whose announcement could not be passed on comes again.
func (r *Drainer) warn(ctx context.Context, o *orders) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	alike := map[string][]warning{}
	for _, w := range o.warn {
		if !slices.ContainsFunc(alike[w.text], func(v warning) bool { return v.instance == w.instance }) {
			alike[w.text] = append(alike[w.text], w)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(alike)) {
		report := Report{Outcome: Warned, Reason: text, Count: len(alike[text])}
		for _, w := range alike[text][:min(report.Count, reportLimit)] {
			report.Instances = append(report.Instances, Instance{ID: w.instance})
		}
		if err := r.tell(ctx, report); err != nil {
			for _, w := range alike[text] {
				o.fail(w.message, err)
			}
		}
	}
}

func (r *Drainer) tell(ctx context.Context, report Report) error {
	return r.notices.Tell(ctx, notice.Notice{Subject: report.subject(), Text: report.text(), Detail: report})
}

var headlines = map[Outcome]string{
	Drained:       "Drained and shut down",
	CommandFailed: "Shutdown command failed",
	TimedOut:      "Lifecycle action timed out",
	Late:          "Let go with requests in flight",
	Trouble:       "Draining needs you",
	Warned:        "Instances announced to go",
}

func (p Report) subject() string {
	of := ""
	if p.Group != "" {
		of = " of " + p.Group
	}
	switch p.Count {
	case 0:
		return headlines[p.Outcome]
	case 1:
		return fmt.Sprintf("%s: %s%s", headlines[p.Outcome], p.Instances[0].ID, of)
	}
	return fmt.Sprintf("%s: %d instances%s", headlines[p.Outcome], p.Count, of)
}

// text is the report for a person.
func (p Report) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s.", headlines[p.Outcome])
	line("")
	if p.Group != "" {
		line("Auto Scaling group:  %s", p.Group)
	}
	line("Why: %s.", p.Reason)
	if p.Remedy != "" {
		line("What you can do: %s", p.Remedy)
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
		s += fmt.Sprintf(" (%s), after %d s", i.Cause, i.Seconds)
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
