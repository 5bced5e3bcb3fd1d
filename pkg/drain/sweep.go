package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/fleet"
)

// sweepWork is where a sweep begins.
type sweepWork struct {
	// After is the token of the page of groups to continue with, empty for the first.
	After string `json:"after,omitempty"`
	// Group is the last group of that page that is done, empty for none.
	Group string `json:"group,omitempty"`
}

// sweepPause is how long after a step of a sweep its next one may come: longer than an
// invocation may take before it is sent, and shorter than the schedule's interval.
const sweepPause = 30 * time.Second

// errNoBudget has a sweep continue later with the group at hand.
var errNoBudget = errors.New("no calls left for the group")

// sweep finds the instances that wait for one of our hooks and that no open drain
// knows of: their event was lost, or the hook was added by hand. It reads the groups
// page by page, as far as its time and its calls go, and returns how many items are
// open, and where another sweep is to continue; zero if it is complete.
func (r *Drainer) sweep(ctx context.Context, next sweepWork, clock, calls int) (found []Trigger, open int, _ sweepWork, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	var errs []error
	known := map[string]bool{}
	items, err := r.open(ctx, clock)
	if err != nil { // then what waits is read one by one
		errs = append(errs, fmt.Errorf("sweep: %w", err))
	}
	open = len(items)
	for _, item := range items {
		known[item.Key.Partition] = item.Unreadable == nil && item.Value.open()
	}
	for {
		if !take(&calls) {
			return found, open, next, errors.Join(errs...)
		}
		groups, more, err := fleet.AutoScalingGroupsAfter(ctx, r.clients.Groups, next.After)
		if err != nil {
			return found, open, sweepWork{}, errors.Join(append(errs, fmt.Errorf("sweep: %w", err))...)
		}
		done := slices.IndexFunc(groups, func(g *fleet.AutoScalingGroup) bool { return g.Name == next.Group })
		for _, g := range groups[done+1:] {
			triggers, err := r.sweepGroup(ctx, g, known, &calls)
			if errors.Is(err, errNoBudget) {
				return found, open, next, errors.Join(errs...)
			}
			next.Group = g.Name
			if err != nil {
				errs = append(errs, fmt.Errorf("sweep %s: %w", g.Name, err)) // and on to the next group
			}
			found = append(found, triggers...)
		}
		if next = (sweepWork{After: more}); more == "" {
			return found, open, next, errors.Join(errs...)
		}
	}
}

// sweepGroup finds the instances of one group, or returns [errNoBudget].
func (r *Drainer) sweepGroup(ctx context.Context, g *fleet.AutoScalingGroup, known map[string]bool, calls *int) ([]Trigger, error) {
	if !r.cfg.inScope(g) {
		return nil, nil
	}
	r.known.groups.put(g.Name, g, r.now())
	instances := g.Instances
	var errs []error
	if g.HasWarmPool {
		if !take(calls) {
			return nil, errNoBudget
		}
		pool, err := fleet.WarmPool(ctx, r.clients.Groups, g.Name)
		instances, errs = append(instances[:len(instances):len(instances)], pool...), append(errs, err)
	}
	var found []Trigger
	for _, i := range instances {
		if i.State == terminating || !waits(i.State) || known[i.ID] {
			continue
		}
		found = append(found, Trigger{
			Instance: i.ID, Group: g.Name, Cause: CauseSweep, Returns: returnsFrom(i.State), FromWarmPool: i.State == fleet.WarmedTerminatingWait,
		})
	}
	if len(found) == 0 {
		return nil, errors.Join(errs...)
	}
	hooks, _ := r.known.hooks.get(g.Name, r.now().Add(-cacheFor))
	if len(hooks) == 0 { // one may have been added since
		if !take(calls) {
			return nil, errNoBudget
		}
		var err error
		if hooks, err = r.hooks(ctx, g.Name); err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
	}
	if len(hooks) == 0 {
		return nil, errors.Join(errs...)
	}
	for n := range found {
		for _, h := range hooks {
			found[n].Actions = append(found[n].Actions, Action{Hook: h.Name, Timeout: int(h.Timeout), Global: int(h.Global)})
		}
	}
	return found, errors.Join(errs...)
}
