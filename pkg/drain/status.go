package drain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
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
// instance's, open or ended. With plan, a named instance without an open drain is
// planned as if an operator drained it now. It changes nothing.
func (r *Drainer) status(ctx context.Context, instance string, plan bool, b Budget) ([]Status, error) {
	drains, err := r.named(ctx, instance, plan)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	all := make([]work, len(drains))
	for i := range drains {
		all[i].drain = drains[i]
	}
	drains, o := r.observe(ctx, all, b)
	answer := []Status{}
	for i, step := range Plan(r.cfg, drains, o) {
		answer = append(answer, r.statusOf(drains[i], step, o))
	}
	return answer, nil
}

// named are the drains that a status is about.
func (r *Drainer) named(ctx context.Context, instance string, plan bool) (drains []Drain, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if instance == "" {
		if plan {
			drains = r.missed(ctx)
		}
		open, err := r.drains.Open(ctx)
		for _, item := range open {
			if item.Unreadable == nil && item.Value.open() {
				drains = append(drains, item.Value)
			}
		}
		slices.SortFunc(drains, byAge)
		return drains, err
	}
	items, err := r.drains.Get(ctx, store.Key{Partition: instance})
	d := items[store.Key{Partition: instance}].Value
	d.Instance = instance
	if plan && !d.open() && err == nil {
		d = Drain{Instance: instance}.begin(Trigger{Cause: CauseOperator}, r.now())
	}
	if d.Since.IsZero() {
		return nil, err
	}
	return []Drain{d}, err
}

// missed are drains of the instances that the sweep would find now.
func (r *Drainer) missed(ctx context.Context) (drains []Drain) {
	found, _, _, err := r.sweep(ctx, sweepWork{}, 0, 20)
	r.notifyDenied(ctx, err)
	for _, t := range found {
		if d, ok := (Drain{Instance: t.Instance}).merge(t, r.now()); ok {
			drains = append(drains, d)
		}
	}
	return drains
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
