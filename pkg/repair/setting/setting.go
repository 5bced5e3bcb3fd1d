// Package setting holds the settings of an Auto Scaling group that CodeDeploy's
// copy of it can lose: one file for each kind, and [Kinds], which joins them. The
// repair's plan, its calls, the baseline, the dry run, the notifications and the
// function's permissions derive from Kinds, so that one more kind is one more file
// and one more line there.
package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fleet"
)

// API is what the kinds ask Auto Scaling, and have it do: each kind's file says which
// calls it makes.
type API interface {
	processesAPI
	trafficSourcesAPI
	lifecycleHooksAPI
	metricsAPI
}

// Kind is one kind of setting: a list of items that a copy can lack.
type Kind struct {
	// Name identifies the kind in baselines and in changes.
	Name string
	// Fetch asks AWS for what the group's description does not show; nil where
	// that shows everything.
	Fetch func(ctx context.Context, api API, group string) (any, error)
	// Items are the group's items, from its description and the answer of Fetch.
	Items func(g *fleet.AutoScalingGroup, fetched any) []Item
	// Diff lists the changes that give the group those items of want that it does
	// not have. It never removes anything: somebody may have added it. Pure.
	Diff func(group string, want, got []Item) []Change
	// Apply carries out a change. It is idempotent.
	Apply func(ctx context.Context, api API, c Change) error
	// Say is the change in words, in the imperative.
	Say func(c Change) string
	// Actions are the IAM actions that Apply needs.
	Actions []string
}

// Kinds are the kinds of settings, in the order in which they are restored.
var Kinds = []Kind{suspendedProcesses, trafficSources, lifecycleHooks, metricsCollection}

// Item is one setting of a kind, such as a traffic source or a lifecycle hook.
type Item struct {
	Name string `json:"name"`
	// Data is what restoring it takes, besides the name.
	Data json.RawMessage `json:"data,omitempty"`
}

// Change is one call that gives an Auto Scaling group what it lacks.
type Change struct {
	// Kind is the [Kind]'s name, or, for changes that restore no setting, the
	// repair's own word.
	Kind  string `json:"do"`
	Group string `json:"autoScalingGroup"`
	// Items name what the change is about, such as processes, hooks or instances.
	Items []string `json:"items,omitempty"`
	// TargetGroup is the ARN of the target group that instances are registered in.
	TargetGroup string `json:"targetGroup,omitempty"`
	// Data is what the call takes besides. It is left out of events and records:
	// a lifecycle hook's metadata is its owner's.
	Data []json.RawMessage `json:"-"`
}

// String is the change in words, in the imperative.
func (c Change) String() string {
	if k, ok := kind(c.Kind); ok {
		return k.Say(c)
	}
	return fmt.Sprintf("%s %s: %s", c.Kind, c.Group, Join(c.Items))
}

func kind(name string) (Kind, bool) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return Kinds[i], true
}

// Apply carries out a change of one of the [Kinds].
func Apply(ctx context.Context, api API, c Change) error {
	k, ok := kind(c.Kind)
	if !ok {
		return fmt.Errorf("a change of kind %q is not known", c.Kind)
	}
	return k.Apply(ctx, api, c)
}

// Actions are the IAM actions that changes need, sorted.
func Actions() []string {
	var all []string
	for _, k := range Kinds {
		all = append(all, k.Actions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Fetched holds the answers of the kinds' Fetch functions, by the kinds' names.
type Fetched map[string]any

// Fetch asks AWS, all kinds at once, for what the description of an Auto Scaling
// group does not show.
func Fetch(ctx context.Context, api API, group string) (Fetched, error) {
	answers := make([]any, len(Kinds))
	round, ctx := errgroup.WithContext(ctx)
	for i, k := range Kinds {
		if k.Fetch != nil {
			round.Go(func() (err error) {
				answers[i], err = k.Fetch(ctx, api, group)
				return err
			})
		}
	}
	if err := round.Wait(); err != nil {
		return nil, err
	}
	fetched := Fetched{}
	for i, k := range Kinds {
		fetched[k.Name] = answers[i]
	}
	return fetched, nil
}

// Snapshot holds the items of an Auto Scaling group, by the kinds' names.
type Snapshot map[string][]Item

// Take makes the snapshot of a group.
func Take(g *fleet.AutoScalingGroup, fetched Fetched) Snapshot {
	s := Snapshot{}
	for _, k := range Kinds {
		if items := k.Items(g, fetched[k.Name]); len(items) > 0 {
			s[k.Name] = items
		}
	}
	return s
}

// Diff lists the changes that give the group what want has and got has not.
func Diff(group string, want, got Snapshot) []Change {
	var changes []Change
	for _, k := range Kinds {
		changes = append(changes, k.Diff(group, want[k.Name], got[k.Name])...)
	}
	return changes
}

// Merge is a snapshot with everything that either has; of an item in both, s's.
func (s Snapshot) Merge(other Snapshot) Snapshot {
	merged := Snapshot{}
	for _, k := range Kinds {
		if items := slices.Concat(s[k.Name], missing(other[k.Name], s[k.Name])); len(items) > 0 {
			merged[k.Name] = items
		}
	}
	return merged
}

// Without is the snapshot without the items that other has as well.
func (s Snapshot) Without(other Snapshot) Snapshot {
	rest := Snapshot{}
	for name, items := range s {
		if items := missing(items, other[name]); len(items) > 0 {
			rest[name] = items
		}
	}
	return rest
}

// Seen is the snapshot without the kinds that have a Fetch, unless that was asked.
func (s Snapshot) Seen(fetched Fetched) Snapshot {
	seen := Snapshot{}
	for _, k := range Kinds {
		if items, ok := s[k.Name]; ok && (k.Fetch == nil || fetched != nil) {
			seen[k.Name] = items
		}
	}
	return seen
}

// Equal reports whether two snapshots hold the same.
func (s Snapshot) Equal(other Snapshot) bool {
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && (string(a) == string(b) || len(s) == 0 && len(other) == 0)
}

// missing are the items of want that got has not, by their names.
func missing(want, got []Item) []Item {
	return slices.DeleteFunc(slices.Clone(want), func(w Item) bool {
		return slices.ContainsFunc(got, func(g Item) bool { return g.Name == w.Name })
	})
}

// item makes an item with data, which is a struct of strings and numbers.
func item(name string, data any) Item {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // no such struct
	}
	return Item{name, text}
}

func names(items []Item) []string {
	var all []string
	for _, i := range items {
		all = append(all, i.Name)
	}
	return all
}
