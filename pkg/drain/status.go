package drain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/fault"
)

// Status is how a drain stands, for an operator.
type Status struct {
	Instance string    `json:"instance"`
	Group    string    `json:"autoScalingGroup,omitempty"`
	Cause    Cause     `json:"cause"`
	Since    time.Time `json:"since"`
	Deadline time.Time `json:"deadline"`
	// Next is what a reconcile would do now: "deregister", "send-command",
	// "complete", "end" or "wait"; WaitsFor says in words what for, and Blockers the
	// same with the reasons.
	Next     string    `json:"next"`
	WaitsFor string    `json:"waitsFor,omitempty"`
	Blockers []Blocker `json:"blockers,omitempty"`
	// Deregister are the registrations that would be ended now, and Shutdown the
	// command that would be run then.
	Deregister []string `json:"deregister,omitempty"`
	Shutdown   string   `json:"shutdown,omitempty"`
	// Command is the ID of the shutdown command, once it is sent.
	Command string `json:"command,omitempty"`
	// Faults are why AWS did not answer, and what cannot be followed.
	Faults []string `json:"faults,omitempty"`
	// Ended is when the drain ended, for one that an operator names, and Outcome how.
	Ended   time.Time `json:"ended,omitzero"`
	Outcome Outcome   `json:"outcome,omitempty"`
}

// status reports how the open drains stand, the oldest first, or the named
// instance's, open or ended. With plan, there are also drains of the instances that a
// sweep would find now, or of the named instance as if an operator drained it now. It
// changes nothing.
func (r *Drainer) status(ctx context.Context, instance string, plan bool, b Budget) ([]Status, error) {
	in := Input{All: instance == ""}
	if instance != "" {
		in.Triggers = []Trigger{{Instance: instance, Cause: CauseOperator}}
	} else if plan {
		found, _, _, err := r.sweep(ctx, sweepWork{}, 0, 20)
		r.notifyDenied(ctx, err)
		in.Triggers = found
	}
	loaded, err := r.load(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	var all []work
	for _, w := range loaded {
		if stored := w.item.Value; stored.open() || !plan {
			w.drain = stored
		}
		if w.drain.open() || instance != "" && !w.drain.Ended.IsZero() {
			all = append(all, w)
		}
	}
	drains, o := r.observe(ctx, all, b)
	answer := []Status{}
	for i, step := range Plan(r.cfg, drains, o) {
		answer = append(answer, r.statusOf(drains[i], step, o))
	}
	return answer, nil
}

func (r *Drainer) statusOf(d Drain, step Step, o *Observation) Status {
	settings := r.cfg.settings(o.tags(step.Next))
	s := Status{
		Instance: d.Instance, Group: step.Next.Group, Cause: d.Cause, Since: d.Since, Deadline: step.Next.deadline(settings),
		Command: d.Command.ID, Ended: d.Ended, Outcome: cmp.Or(d.Outcome, step.End),
	}
	if !d.open() {
		return s
	}
	s.WaitsFor, s.Blockers = step.inFlight(), step.Blockers
	for _, t := range step.Deregister {
		s.Deregister = append(s.Deregister, t.String())
	}
	if settings.Shutdown != (Shutdown{}) && step.Next.runsCommand(o) {
		s.Shutdown = settings.Shutdown.String()
	}
	s.Faults = append(s.Faults, settings.Faults...)
	s.Faults = append(s.Faults, o.Wanted[d.Group].Rejected...)
	for about, err := range o.Failed {
		s.Faults = append(s.Faults, fmt.Sprintf("%s %s: %s", about.About, about.Name, fault.Message(err)))
	}
	slices.Sort(s.Faults)
	switch {
	case step.Drop:
		s.Next = "out-of-scope"
	case step.Release:
		s.Next = "complete"
	case step.End != "":
		s.Next = "end"
	case step.Send != (Shutdown{}):
		s.Next = "send-command"
	case len(step.Deregister) > 0:
		s.Next = "deregister"
	default:
		s.Next = "wait"
	}
	return s
}
