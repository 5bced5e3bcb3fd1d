// Package setting holds the settings of an Auto Scaling group that CodeDeploy's
// copy of it can lose: one file for each kind, and [Kinds], which joins them. The
// repair's plan, its calls, the baseline, the dry run, the notifications and the
// function's permissions derive from Kinds. One more kind is one more file, its
// table of cases, and one more name there.
package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fleet"
)

// Client is a client of Auto Scaling. Each kind's file has the interface of the
// calls that it makes, and holds that the SDK's client has them.
type Client any

// Kind is one kind of setting: a list of items that a copy can lack.
type Kind struct {
	// Name identifies the kind in baselines and in changes.
	Name string
	// Fetch asks AWS for what the group's description does not show; nil where
	// that shows everything.
	Fetch func(ctx context.Context, client Client, group string) (any, error)
	// Items are the group's items, from its description and the answer of Fetch.
	Items func(g *fleet.AutoScalingGroup, fetched any) []Item
	// Diff lists the changes that give the group those items of want that it does
	// not have. It never removes anything: somebody may have added it. Pure.
	Diff func(group string, want, got []Item) []Change
	// Apply carries out a change. It is idempotent.
	Apply func(ctx context.Context, client Client, c Change) error
	// Say is the change in words, in the imperative.
	Say func(c Change) string
	// Reads are the IAM actions that Fetch needs, and Writes those that Apply needs.
	// All are Auto Scaling's.
	Reads, Writes []string
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
func Apply(ctx context.Context, client Client, c Change) error {
	k, ok := kind(c.Kind)
	if !ok {
		return fmt.Errorf("a change of kind %q is not known", c.Kind)
	}
	return k.Apply(ctx, client, c)
}

// Reads are the IAM actions that [Fetch] needs.
func Reads() []string {
	var all []string
	for _, k := range Kinds {
		all = append(all, k.Reads...)
	}
	return all
}

// Writes are the IAM actions that [Apply] needs.
func Writes() []string {
	var all []string
	for _, k := range Kinds {
		all = append(all, k.Writes...)
	}
	return all
}

// Fetched holds the answers of the kinds' Fetch functions, by the kinds' names.
type Fetched map[string]any

// Fetch asks AWS, all kinds at once, for what the description of an Auto Scaling
// group does not show.
func Fetch(ctx context.Context, client Client, group string) (Fetched, error) {
	answers := make([]any, len(Kinds))
	round, ctx := errgroup.WithContext(ctx)
	for i, k := range Kinds {
		if k.Fetch != nil {
			round.Go(func() (err error) {
				answers[i], err = k.Fetch(ctx, client, group)
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
