package drain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
)

// Step is what is done next about one drain.
type Step struct {
	// Next is the drain's record after the step, before what comes of its calls.
	Next Drain
	// Deregister are registrations to end now.
	Deregister []Target
	// Send is the shutdown command to send now, unless it is zero.
	Send Shutdown
	// Timeout is how long the command may take.
	Timeout time.Duration
	// Heartbeat restarts the actions' timeouts. With Release, it is sent where the
	// release fails.
	Heartbeat bool
	// Release completes the actions.
	Release bool
	// End is how the drain ends, after its release if there is one; else empty.
	End Outcome
	// Drop forgets the drain: the instance is not this function's.
	Drop bool
	// Blockers are what the drain waits for.
	Blockers []Blocker
}

// Blocker is something that keeps a drain from its end.
type Blocker struct {
	// What is waited for, and Why, where a call failed.
	What   string `json:"what"`
	Why    string `json:"why,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func (s *Step) waitFor(format string, args ...any) {
	s.Blockers = append(s.Blockers, Blocker{What: fmt.Sprintf(format, args...)})
}

// inFlight says in words what the step waits for.
func (s Step) inFlight() string {
	var all []string
	for _, b := range s.Blockers {
		all = append(all, b.What)
	}
	return strings.Join(all, "; ")
}

// Plan decides about all drains of a reconcile, within what is left of the budget. A drain that has
// ended has an empty step: only notifications are left of it.
func Plan(cfg Config, drains []Drain, o *Observation) []Step {
	steps := make([]Step, len(drains))
	for i, d := range drains {
		if steps[i] = (Step{Next: d}); d.open() {
			steps[i] = planDrain(cfg, d, o)
		}
	}
	allotDeregistrations(steps, o.Left)
	allotReleases(steps, o.Left)
	return steps
}

// planDrain decides about one drain, as if there were no rates. It does not release
// an instance that may have requests in flight before the deadline.
func planDrain(cfg Config, d Drain, o *Observation) Step {
	group := o.Groups[d.Group]
	settings := cfg.settings(o.tags(d))
	begun := d.BalancersKnown // before the group left the scope; its action would wait out its timeout
	d = d.learn(cfg, o)
	excluded := optedOut(group) && d.Cause != CauseOperator
	if excluded && len(d.Actions) == 0 || !begun && !cfg.inScope(group) {
		return Step{Next: d, Drop: true}
	}
	step := Step{Next: d, Timeout: settings.CommandTimeout}
	deadline := d.deadline(settings)
	switch {
	case !o.waiting(d) || (d.Returns != "" || d.FromWarmPool) && d.absent():
		return step.vanished(o)
	case d.Skip, excluded:
		return step.release(Skipped)
	case d.Cause == CauseRebalance && !d.terminating() && settings.OnRebalance != Respond:
		step.notifyFaults(o, settings)
		return step.release(Announced)
	case len(d.Actions) > 0 && o.Now.After(deadline.Add(completeMargin+maxHeartbeat)):
		// Nobody may say how the instance stands. No heartbeat was sent since the
		// deadline, so no action can be left.
		step.End = TimedOut
		return step
	}
	return step.draining(cfg, settings, deadline, o)
}

// draining plans what is next about an instance that is to be drained.
func (s Step) draining(cfg Config, settings Settings, deadline time.Time, o *Observation) Step {
	step, d := s, s.Next
	step.notifyFaults(o, settings)
	step.Heartbeat = d.heartbeatDue(o.Now, cfg.SweepInterval) && o.Now.Before(deadline.Add(completeMargin))
	clear, read := step.planTargets(o)
	switch {
	case cfg.Mode == PlanOnly:
		if d.BalancersKnown || o.Now.Sub(d.Since) > youngFor {
			return step.announcePlan(settings, o)
		}
	case d.dead(o.Now):
		if read && len(step.Deregister) == 0 || o.Now.Sub(d.Since) > completeMargin {
			return step.release(Gone)
		}
	case clear || d.commandIsDue(settings, o.Now) && len(step.Deregister) == 0:
		step.planCommand(settings, o)
		if !clear && step.End != "" { // the command has run, and the last requests may still end
			step.Release, step.End = false, ""
		}
	}
	if step.End == "" && !o.Now.Before(deadline) && !d.dead(o.Now) {
		if step.Next.Command.Key == "" && d.runsCommand(o) && settings.Shutdown != (Shutdown{}) {
			step.Next.Command.Status = notRun
		}
		return step.release(DeadlinePassed)
	}
	return step
}

// release plans the completion of the actions, and the end.
func (s Step) release(end Outcome) Step {
	s.End = cmp.Or(end, Drained)
	if s.Next.Returns != "" && end != DeadlinePassed && end != Skipped && end != Planned {
		s.End = s.Next.Returns
	}
	s.Release = len(s.Next.Actions) > 0 && !s.Next.absent()
	s.Send = Shutdown{}
	return s
}

// vanished plans the end of a drain whose instance no longer waits.
func (s Step) vanished(o *Observation) Step {
	d := s.Next
	switch c := d.Command; {
	case d.timedOut(o):
		s.End = TimedOut
	case c.ID != "" && c.Over && c.Status == succeeded:
		s.End = Drained // completed, and the function died before it was saved
	case c.ID != "" && c.Over:
		s.End = CommandFailed
	default:
		s.End = Gone
	}
	if d.dead(o.Now) && s.End != TimedOut {
		s.End = Gone
	}
	return s
}

// dead reports whether EC2 had ended the instance before the drain began: there is
// nothing in flight any more, and nothing to shut down.
func (d Drain) dead(now time.Time) bool {
	return !d.EC2EndsAt.IsZero() && !now.Before(d.EC2EndsAt) && !d.Since.Before(d.EC2EndsAt)
}

// commandReserve is what an interrupted Spot instance keeps of its last two minutes
// for the shutdown command: a load balancer may show a target as draining although
// nothing is in flight, until a delay ends that is longer than the instance lives.
const commandReserve = time.Minute

// commandIsDue reports whether the shutdown command of an interrupted instance can wait
// no longer.
func (d Drain) commandIsDue(s Settings, now time.Time) bool {
	return !d.EC2EndsAt.IsZero() && !now.Before(d.EC2EndsAt.Add(-min(s.CommandTimeout, commandReserve)))
}

// announcePlan plans the end of a drain that only reports what it would do.
func (s Step) announcePlan(settings Settings, o *Observation) Step {
	var would []string
	for _, t := range s.Deregister {
		would = append(would, "deregister from "+t.String())
	}
	for _, b := range s.Blockers {
		would = append(would, "wait for "+b.What)
	}
	if s.Next.runsCommand(o) && settings.Shutdown != (Shutdown{}) {
		would = append(would, "run "+settings.Shutdown.String())
	}
	if len(s.Next.Actions) > 0 {
		would = append(would, "complete "+s.Next.hooks())
	}
	s.Blockers = []Blocker{{What: strings.Join(would, ", then ")}}
	s.Deregister, s.Heartbeat = nil, false
	return s.release(Planned)
}

func (s Shutdown) String() string {
	if s.Commands != "" {
		return fmt.Sprintf("the shell commands %q", s.Commands)
	}
	return fmt.Sprintf("the SSM document %q", s.Document)
}

func (d Drain) hooks() string {
	var all []string
	for _, a := range d.Actions {
		all = append(all, fmt.Sprintf("%q", a.Hook))
	}
	return "the lifecycle action of " + strings.Join(all, " and ")
}

// learn is the drain with what was observed of it.
func (d Drain) learn(cfg Config, o *Observation) Drain {
	hooks, known := o.Hooks[d.Group]
	if i, in := o.instance(d); in && len(d.Actions) == 0 && waits(i.State) && i.State != terminating {
		for _, h := range hooks {
			d.Actions = append(d.Actions, Action{Hook: h.Name})
		}
		d.Returns = returnsFrom(i.State)
	}
	d.Actions = slices.Clone(d.Actions)
	for i := range d.Actions {
		for _, h := range hooks {
			if a := &d.Actions[i]; a.Hook == h.Name {
				a.Timeout, a.Global = int(h.Timeout), int(h.Global)
			}
		}
	}
	tags := o.tags(d)
	d.Managed = d.Managed || known && len(hooks) > 0 || tags[TargetGroupsTag] != "" || tags[CommandTag] != ""
	d = d.learnTargets(cfg, o)
	if result, ok := o.Commands[d.Command.ID][d.Instance]; ok && !d.Command.Over && d.Command.ID != "" {
		d.Command.Status, d.Command.Output, d.Command.Over = result.Status, result.Output, result.Over
	}
	return d
}

// notifyFaults adds to the ledger what only operators can correct.
func (s *Step) notifyFaults(o *Observation, settings Settings) {
	d := s.Next
	if faults := slices.Concat(settings.Faults, o.Wanted[d.Group].Rejected); len(faults) > 0 {
		reason := strings.Join(faults, "; ")
		s.notify("configuration: "+reason, Report{Outcome: ActionRequired, Reason: reason, Remedy: "Correct the configuration or the group's tag. The rest is followed until then."})
	}
	for _, about := range []Question{{aboutGroup, d.Group}, {aboutHooks, d.Group}, {aboutWanted, d.Group}, {aboutCommand, d.Command.ID}, {aboutSent, ""}, {aboutSearch, ""}} {
		s.failed(o, about)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Balancers)) {
		s.failed(o, Question{aboutTargets, id})
		s.failed(o, Question{aboutBalancer, id})
	}
	for _, a := range d.Actions {
		if !a.Absent.IsZero() && (Drain{Actions: []Action{a}, Since: d.Since, Group: d.Group}).timedOut(o) {
			s.notify(string(TimedOut), d.report(TimedOut, a.Absent, ""))
		}
	}
}

// failed adds to the ledger a question that is denied, or that AWS will never take.
func (s *Step) failed(o *Observation, about Question) {
	if err := o.Failed[about]; fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) {
		s.notify(fault.Action(err), reportFault(err))
	}
}

// notify adds a notification to the drain's ledger.
func (s *Step) notify(matter string, r Report) {
	s.Next.Ledger = s.Next.Ledger.Add(matter, s.Next.about(r))
}

const terminating = "Terminating"
