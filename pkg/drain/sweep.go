package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// unattended are the instances that wait for one of our hooks and that no open
// drain knows of: their event was lost, or the hook was added by hand.
func (r *Drainer) unattended(ctx context.Context, known map[string]Drain) ([]ask, error) {
	groups, err := r.groups(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var (
		asks []ask
		errs []error
	)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		var waiting []string
		for instance, state := range groups[name].Instances {
			if state == terminatingWait && !known[instance].open() {
				waiting = append(waiting, instance)
			}
		}
		if len(waiting) == 0 {
			continue
		}
		hooks, err := r.ourHooks(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep %s: %w", name, err)) // and on to the next group
			continue
		}
		if len(hooks) == 0 {
			continue
		}
		slices.Sort(waiting)
		for _, instance := range waiting {
			asks = append(asks, ask{Instance: instance, Group: name, Cause: Swept, Actions: hooks})
		}
	}
	return asks, errors.Join(errs...)
}
