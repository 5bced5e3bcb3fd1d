package drain

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Status is how a drain stands, for an operator.
type Status struct {
	Instance string    `json:"instance"`
	Group    string    `json:"autoScalingGroup,omitempty"`
	Cause    Cause     `json:"cause"`
	Since    time.Time `json:"since"`
	Deadline time.Time `json:"deadline"`
	// Next is what a look would do now, and WaitsFor what it waits for.
	Next     Do     `json:"next"`
	WaitsFor string `json:"waitsFor,omitempty"`
	// Command is the ID of the shutdown command, once it is sent.
	Command string `json:"command,omitempty"`
	// Trouble is why AWS could not be asked.
	Trouble string `json:"trouble,omitempty"`
	// Ended is when the drain was over, for one that an operator asked for.
	Ended time.Time `json:"ended,omitzero"`
}

// Status tells how the open drains stand, the oldest first, or the named
// instance's, open or ended. It changes nothing.
func (r *Drainer) Status(ctx context.Context, instance string) ([]Status, error) {
	known, _, err := r.drains.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	var drains, open []*Drain
	for id, d := range known {
		if instance == "" && d.open() || id == instance {
			drains = append(drains, &d)
			if d.open() {
				open = append(open, &d)
			}
		}
	}
	slices.SortFunc(drains, byAge)
	o := r.observe(ctx, open)
	all := []Status{}
	for _, d := range drains {
		s := Status{
			Instance: d.Instance, Group: d.Group, Cause: d.Cause, Since: d.Since, Deadline: d.deadline(r.cfg), Command: d.Command.ID, Ended: d.Ended,
		}
		if d.open() {
			step := Plan(r.cfg, *d, o)
			s.Next, s.WaitsFor = step.Do, step.WaitsFor
		}
		if d.trouble != nil {
			s.Trouble = d.trouble.Error()
		}
		all = append(all, s)
	}
	return all, nil
}
