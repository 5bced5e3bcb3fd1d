package repair

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// Plan says what would be done about a deployment group, and does nothing.
func (r *Repairer) Plan(ctx context.Context, k Key) (Result, error) {
	o := r.observe(ctx, k, Trigger{Swept: true})
	o.Config.Mode = ModePlan
	return plan(o).result(o), nil
}

// Status is how a deployment group stands, for an operator.
type Status struct {
	Key
	AutoScalingGroup string   `json:"autoScalingGroup,omitempty"`
	LastDeployment   string   `json:"lastDeployment,omitempty"`
	InProgress       []string `json:"releasesInProgress,omitempty"`
	// Serving is what shows that the group was deployed to, and Because says it in
	// words.
	Serving   Proof         `json:"serving,omitempty"`
	Because   string        `json:"because,omitempty"`
	Sources   []SourceState `json:"trafficSources"`
	Suspended []string      `json:"suspendedProcesses,omitempty"`
	// Record is what is remembered, without the notifications' texts, and
	// RecordError why it cannot be read.
	Baseline    *Baseline        `json:"baseline,omitempty"`
	Pending     []setting.Change `json:"pending,omitempty"`
	Bridged     *Bridge          `json:"bridged,omitempty"`
	OnStandby   []string         `json:"onStandby,omitempty"`
	Notified    []string         `json:"notified,omitempty"`
	RecordError string           `json:"recordError,omitempty"`
	// Next is what a reconcile would come to now.
	Next Result `json:"next"`
}

// SourceState is a traffic source of the Auto Scaling group that serves, with its
// state as in DescribeTrafficSources and, for a target group, how many of its targets
// are in which state.
type SourceState struct {
	fleet.TrafficSource
	State   string         `json:"state"`
	Targets map[string]int `json:"targets,omitempty"`
}

// Status says how a deployment group stands. It changes nothing.
func (r *Repairer) Status(ctx context.Context, k Key) (Status, error) {
	o := r.observe(ctx, k, Trigger{Swept: true})
	o.Config.Mode = ModePlan
	p := plan(o)
	s := Status{
		Key: k, AutoScalingGroup: o.DeploymentGroup.name(), LastDeployment: o.DeploymentGroup.Last,
		Serving: p.Serving.Deployed, Because: words[p.Serving.Deployed], Sources: []SourceState{},
		Baseline: o.Record.Baseline, Pending: o.Record.Pending, Bridged: o.Record.Bridged, OnStandby: o.Record.OnStandby,
		Notified: o.Record.Notices.Sent, Next: p.result(o),
	}
	for _, d := range o.releasesInProgress() {
		s.InProgress = append(s.InProgress, d.ID)
	}
	if o.Unreadable != nil {
		s.RecordError = o.Unreadable.Error()
	}
	g := p.Serving.Group
	if g == nil {
		return s, nil
	}
	s.AutoScalingGroup, s.Suspended = g.Name, g.Suspended
	for source, state := range o.states(g) {
		targets := map[string]int{}
		for _, t := range o.Targets[source.ID].Targets {
			targets[t.State]++
		}
		s.Sources = append(s.Sources, SourceState{source, state, targets})
	}
	slices.SortFunc(s.Sources, func(a, b SourceState) int { return fleet.CompareTrafficSources(a.TrafficSource, b.TrafficSource) })
	return s, nil
}

// Forget drops what is remembered of a deployment group, whether it can be read or
// not: load balancing or lifecycle hooks that are gone on purpose, and that a repair
// would otherwise go on trying to restore. What is attached stays attached.
func (r *Repairer) Forget(ctx context.Context, k Key) (Status, error) {
	items, err := r.records.Get(ctx, k.key(), k.substitute())
	if err != nil {
		return Status{}, fmt.Errorf("forget %s: %w", k, err)
	}
	for _, item := range items {
		if item.Version == 0 && item.Unreadable == nil {
			continue // never written
		}
		lost, err := r.records.Put(ctx, store.Item[Record]{Key: item.Key, Version: item.Version})
		if err == nil && len(lost) > 0 {
			err = errConflict
		}
		if err != nil {
			return Status{}, fmt.Errorf("forget %s: %w", k, err)
		}
	}
	return r.Status(ctx, k)
}

// each asks about the named deployment group, or, where none is named, about every
// one in scope, in the order of their names. What cannot be read of one is in its
// own answer.
func each[T any](ctx context.Context, r *Repairer, k Key, ask func(context.Context, Key) (T, error)) (any, error) {
	if k != (Key{}) {
		return ask(ctx, k)
	}
	keys, err := r.inScope(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]T, len(keys))
	round, ctx := errgroup.WithContext(ctx)
	round.SetLimit(concurrency)
	for i, k := range keys {
		round.Go(func() (err error) {
			answers[i], err = ask(ctx, k)
			return err
		})
	}
	return answers, round.Wait()
}
