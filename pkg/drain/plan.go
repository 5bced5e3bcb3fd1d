package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
)

// Step is what to do next about one drain. The zero step waits for nothing.
type Step struct {
	// Deregister are registrations to end now.
	Deregister []Target
	// Beat says that the actions' timeouts must begin anew, unless the instance
	// is let go now.
	Beat bool
	Do   Do
	// WaitsFor says in words what the drain waits for.
	WaitsFor string
	// Outcome is how the drain ends, with [Release] and [Forget].
	Outcome Outcome
	// Result is the command's news: a result, a status of ours, or the ID of a
	// command that was found to have been sent.
	Command Command
}

// Do is the one thing that a step does beside deregistering.
type Do string

// What a step can do.
const (
	// Wait looks again later.
	Wait Do = "wait"
	// Send sends the shutdown command.
	Send Do = "send"
	// Release completes the lifecycle actions and ends the drain.
	Release Do = "release"
	// Forget ends the drain; there is nothing to complete.
	Forget Do = "forget"
)

// Outcome is how a drain ended.
type Outcome string

const (
	// Drained means that nothing was in flight, and that the command, if there
	// is one, has run.
	Drained Outcome = "drained"
	// CommandFailed means that the command did not succeed, or did not answer
	// in time.
	CommandFailed Outcome = "command failed"
	// Late means that the deadline passed with something still in flight.
	Late Outcome = "deadline passed"
	// Skipped means that an operator let the instance go.
	Skipped Outcome = "skipped"
	// Returned means that the instance went back to its warm pool.
	Returned Outcome = "returned to warm pool"
	// Gone means that the instance no longer waits for anybody: it is gone, or
	// somebody else has completed the action.
	Gone Outcome = "gone"
	// TimedOut means that no heartbeat came through in time, so that the
	// instance went as it was.
	TimedOut Outcome = "timed out"
)

// Plan is the next step of a drain, by what AWS says now. It takes no step
// towards letting the instance go that it is not sure of, before the deadline.
func Plan(cfg Config, d Drain, o *Observed) Step {
	switch {
	case !o.held(d) && d.timedOut(o.Now), len(d.Actions) > 0 && o.Now.After(d.deadline(cfg).Add(spare+maxHeartbeat)):
		// The second where nobody may say how the instance stands: no heartbeat
		// has gone out since the deadline, so no action can be left.
		return Step{Do: Forget, Outcome: TimedOut}
	case !o.held(d):
		return Step{Do: Forget, Outcome: Gone}
	case d.Skip:
		return Step{Do: Release, Outcome: Skipped}
	case d.ToWarmPool:
		return Step{Do: Release, Outcome: Returned}
	}
	routed, draining, unknown := o.targets(d)
	step := Step{Do: Wait, Deregister: routed, Command: d.Command}
	late := !o.Now.Before(d.deadline(cfg))
	switch {
	case !d.Known:
		step.WaitsFor = "an answer on which target groups the instance is in"
	case len(unknown) > 0:
		step.WaitsFor = "an answer on targets in " + strings.Join(unknown, ", ")
	case len(routed)+len(draining) > 0:
		step.WaitsFor = "requests in flight by way of " + names(append(slices.Clone(routed), draining...))
	default:
		planCommand(cfg, d, o, &step)
	}
	if late && step.Do != Release {
		step.Do, step.Outcome = Release, Late
		if step.Command.ID == "" && cfg.commands(d, o) != (shutdown{}) {
			step.Command.Status = "not run"
		}
	}
	if step.Do == Release && len(d.Actions) == 0 {
		step.Do = Forget
	}
	step.Beat = d.beats(cfg, o.Now)
	return step
}

// beats tells whether the actions' timeouts must begin anew. Past the deadline
// they need not: if nobody can complete an action then its own timeout must.
func (d Drain) beats(cfg Config, now time.Time) bool {
	timeout := d.timeout()
	ahead := max(beatAhead, min(timeout/2, maxBeatAhead))
	return len(d.Actions) > 0 && !now.Add(ahead).Before(d.timesOut()) && now.Before(d.deadline(cfg).Add(spare))
}

// timedOut tells whether an action that nobody holds any more ran out of time.
func (d Drain) timedOut(now time.Time) bool {
	return d.open() && len(d.Actions) > 0 && !now.Before(d.timesOut())
}

// A heartbeat goes out two looks before the timeout at the latest, so that one
// look may be late; and, where there is time, as long before as an outage or a
// storm may last.
const (
	beatAhead    = 20 * time.Second
	maxBeatAhead = 3 * time.Minute
)

// planCommand plans what comes after the last request.
func planCommand(cfg Config, d Drain, o *Observed, step *Step) {
	command := cfg.commands(d, o)
	c := &step.Command
	if !c.Over && c.ID == "" && c.Key != "" {
		c.ID = o.Sent[c.Key][d.Instance]
	}
	if result, ok := o.Commands[c.ID][d.Instance]; ok && !c.Over && c.ID != "" {
		c.Status, c.Output, c.Over = result.Status, result.Output, result.Over
	}
	overdue := !c.Asked.IsZero() && !o.Now.Before(c.Asked.Add(cfg.CommandTimeout))
	switch {
	case c.Over:
	case c.Key == "" && command == (shutdown{}):
		step.Do, step.Outcome = Release, Drained
		return
	case c.Key == "":
		step.Do, step.WaitsFor = Send, "the shutdown command to be sent"
		return
	case overdue && c.ID == "":
		// Whether it runs cannot be known, and twice is worse than not at all.
		c.Over, c.Status = true, "not known to have been sent"
	case overdue:
		c.Over, c.Status = true, fmt.Sprintf("no answer within %s, last %q", cfg.CommandTimeout, c.Status)
	case c.ID == "" && o.Sent != nil && o.Now.After(c.Asked.Add(listed)):
		// The process died before it sent the command.
		*c = Command{}
		step.Do, step.WaitsFor = Send, "the shutdown command to be sent"
		return
	case c.ID == "":
		step.WaitsFor = "word of whether the shutdown command was sent"
		return
	default:
		step.WaitsFor = "the shutdown command " + c.ID
		return
	}
	step.Do, step.Outcome = Release, Drained
	if c.Status != succeeded {
		step.Outcome = CommandFailed
	}
}

// listed is how long after a command may have been sent SSM is sure to list it:
// longer than an invocation of the function lasts.
const listed = 2 * time.Minute

// succeeded is the status of a command that did what it should
// ("Understanding command statuses", AWS Systems Manager User Guide).
const succeeded = "Success"

// goes tells whether the instance is on its way out by now. One that is only
// recommended or announced to go may run on for weeks, and shall not be shut down
// by the way; its lifecycle action will come.
func (d Drain) goes() bool {
	return len(d.Actions) > 0 || d.Cause == Operator || !d.Interrupted.IsZero()
}

// commands is the command that a drained instance is to run, if any. Without an
// action or an order only one whose group is in our hands runs any: a Spot
// instance may be anybody's.
func (c Config) commands(d Drain, o *Observed) shutdown {
	if !d.goes() || len(d.Actions) == 0 && d.Cause != Operator && !d.Ours {
		return shutdown{}
	}
	return c.shutdown(o.tags(d))
}

func (o *Observed) tags(d Drain) map[string]string {
	if g := o.Groups[d.Group]; g != nil {
		return g.Tags
	}
	return nil
}

// newsworthy tells whether people shall hear of an end.
func (s Step) newsworthy() bool {
	return s.Outcome == Late || s.Outcome == TimedOut || s.Outcome == CommandFailed || s.Outcome == Drained && s.Command.Key != ""
}

// waits tells by its lifecycle state whether an instance may be held by a
// terminate hook ("Amazon EC2 Auto Scaling instance lifecycle"). Terminating
// comes before Terminating:Wait, and an event may be faster than the state.
func waits(state string) bool { return state == terminating || state == terminatingWait }

const (
	inService       = "InService"
	terminating     = "Terminating"
	terminatingWait = "Terminating:Wait"
)

func names(targets []Target) string {
	var all []string
	for _, t := range targets {
		all = append(all, t.String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// targetGroupName is the name in a target group's ARN
// (arn:aws:elasticloadbalancing:…:targetgroup/<name>/<id>).
func targetGroupName(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return arn
}

// over tells whether a failed call on an action says that there is no such
// action any more.
func over(err error) bool { return fault.Of(err) == fault.NotFound }
