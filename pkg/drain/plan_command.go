package drain

import (
	"fmt"
	"time"

	"deployhooks/pkg/fault"
)

// runsCommand reports whether the instance is to run a shutdown command, if there is
// one. An instance that serves again, or that is only announced to end, is not shut
// down. Without an action or an operator only one of a managed group is: a Spot
// instance may be anybody's.
func (d Drain) runsCommand(o *Observation) bool {
	if !d.terminating() || d.Returns != "" || d.FromWarmPool || d.dead(o.Now) {
		return false
	}
	return len(d.Actions) > 0 || d.Cause == CauseOperator || d.Managed
}

// mayCommand reports whether it has to be known which commands SSM lists: one is to
// be sent, or may have been.
func (d Drain) mayCommand(cfg Config, o *Observation) bool {
	s := cfg.settings(o.tags(d))
	d = d.learn(cfg, o)
	if s.Shutdown == (Shutdown{}) || d.Command.Over || d.Command.ID != "" || !d.runsCommand(o) || d.Skip || cfg.Mode == PlanOnly {
		return false
	}
	step := Step{Next: d}
	clear, _ := step.planTargets(o)
	return clear || d.Command.Key != "" || d.commandIsDue(s, o.Now)
}

// listed is how long after a command may have been sent SSM is sure to list it:
// longer than an invocation of the function lasts.
const listed = 2 * time.Minute

// succeeded is the status of a command that succeeded ("Understanding command
// statuses", AWS Systems Manager User Guide).
const succeeded = "Success"

// undelivered are the statuses of a command that never reached its instance, beside
// our own (same page).
var undelivered = map[string]bool{
	"Pending": true, "Delayed": true, "DeliveryTimedOut": true, "Undeliverable": true, "Terminated": true, "InvalidInstanceId": true, noAnswer: true, notKnownSent: true,
}

// undeliveredYet are those of a command that may still reach it, and delivery is how
// long an instance that its group calls unhealthy has to take it: the agent takes
// commands within seconds, and EC2 may have ended the instance.
var undeliveredYet = map[string]bool{"": true, "Pending": true, "Delayed": true}

const delivery = 15 * time.Second

// Statuses of our own.
const (
	noAnswer     = "no-answer"      // in time
	notKnownSent = "not-known-sent" // nor ever will be
	notSent      = "not-sent"       // SSM refused it
	notRun       = "not-run"        // there was no time for it, or no certainty
)

// planCommand plans what comes after the last request.
func (s *Step) planCommand(settings Settings, o *Observation) {
	d := &s.Next
	c := &d.Command
	instance, _ := o.instance(*d)
	if _, known := o.Hooks[d.Group]; !known && d.Group != "" && !d.Managed && !d.EC2EndsAt.IsZero() && !fault.Is(o.Failed[Question{aboutHooks, d.Group}], fault.Denied) {
		s.waitForAnswer(o, "an answer on the group's hooks", Question{aboutHooks, d.Group})
		return
	}
	c.adopt(o.Sent[d.Instance], d.Since)
	denied := fault.Is(o.Failed[Question{aboutSent, ""}], fault.Denied)
	overdue := !c.Asked.IsZero() && !o.Now.Before(c.Asked.Add(s.Timeout))
	switch {
	case c.ID == "" && settings.Shutdown == (Shutdown{}):
		*c = Command{}
		*s = s.release(Drained)
		return
	case c.Over:
	case c.Key == "" && (settings.Shutdown == (Shutdown{}) || !d.runsCommand(o)):
		*s = s.release(Drained)
		return
	case c.Key == "" && o.Sent == nil && !denied && d.EC2EndsAt.IsZero():
		s.waitForAnswer(o, "an answer on whether a shutdown command was sent", Question{aboutSent, ""})
		return
	case c.Key == "", c.ID == "" && o.Sent != nil && o.Now.After(c.Asked.Add(listed)) && !overdue:
		// In the second case the process died before it sent the command.
		*c = Command{}
		s.Send = settings.Shutdown
		s.waitFor("the shutdown command to be sent")
		return
	case overdue && c.ID == "":
		// Whether it runs cannot be known, and twice is worse than not at all.
		c.Over, c.Status = true, notKnownSent
	case overdue:
		c.Over, c.Output, c.Status = true, fmt.Sprintf("last status %q after %s", c.Status, s.Timeout), noAnswer
	case c.ID == "":
		s.waitForAnswer(o, "an answer on whether the shutdown command was sent", Question{aboutSent, ""})
		return
	case instance.Unhealthy && undeliveredYet[c.Status] && o.Now.After(c.Asked.Add(delivery)):
		c.Over = true
	default:
		s.waitForAnswer(o, "the shutdown command "+c.ID, Question{aboutCommand, c.ID})
		return
	}
	*s = s.release(c.outcome(instance.Unhealthy))
}

// adopt takes a command that another installation has sent since the drain began, or
// that a function sent which died, for the drain's: it shuts the instance down as
// well.
func (c *Command) adopt(all []SentCommand, since time.Time) {
	if c.ID != "" || c.Over {
		return
	}
	for _, sent := range all {
		if !sent.Asked.Before(since.Add(-time.Second)) {
			c.ID, c.Key = sent.ID, sent.Key
			if c.Asked.IsZero() {
				c.Asked = sent.Asked
			}
		}
	}
}

// outcome is how a drain ends whose command is over. A group replaces an instance
// that EC2 has ended as unhealthy: there was nothing left to shut down.
func (c Command) outcome(unhealthy bool) Outcome {
	switch {
	case c.Status == succeeded:
		return Drained
	case undelivered[c.Status] && unhealthy:
		return Gone
	}
	return CommandFailed
}
