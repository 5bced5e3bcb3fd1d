package repair

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Status is how a deployment group stands, for an operator.
type Status struct {
	Key
	Group          string        `json:"autoScalingGroup,omitempty"`
	LastDeployment string        `json:"lastDeployment,omitempty"`
	InProgress     []string      `json:"deploymentsInProgress,omitempty"`
	Sources        []SourceState `json:"trafficSources"`
	Suspended      []string      `json:"suspendedProcesses,omitempty"`
	// Baseline, Pending and Told are what is remembered: see [Record].
	Baseline *Baseline `json:"baseline,omitempty"`
	Pending  []Change  `json:"pending,omitempty"`
	Told     []Told    `json:"told,omitempty"`
	// Next is what a repair would come to now.
	Next Result `json:"next"`
}

// SourceState is a traffic source of the current Auto Scaling group, with its
// state as in DescribeTrafficSources and, for a target group, how many of its
// targets are in which state.
type SourceState struct {
	Source
	State   string         `json:"state"`
	Targets map[string]int `json:"targets,omitempty"`
}

// Status tells how a deployment group stands. It changes nothing.
func (r *Repairer) Status(ctx context.Context, k Key) (Status, error) {
	o, err := r.observe(ctx, k, Hint{})
	if err != nil {
		return Status{}, fmt.Errorf("status of %s: %w", k, err)
	}
	s := Status{
		Key: k, LastDeployment: o.DeploymentGroup.Last, InProgress: o.InProgress, Sources: []SourceState{},
		Baseline: o.Record.Baseline, Pending: o.Record.Pending, Told: o.Record.Told,
		Next: o.result(Decide(r.cfg.Scope, o)),
	}
	if o.Group == nil {
		return s, nil
	}
	s.Group, s.Suspended = o.Group.Name, o.Group.Suspended
	for source, state := range o.Group.Sources {
		targets := map[string]int{}
		for _, health := range o.Targets[source.ID].Health {
			targets[health]++
		}
		s.Sources = append(s.Sources, SourceState{source, state, targets})
	}
	slices.SortFunc(s.Sources, func(a, b SourceState) int { return compareSources(a.Source, b.Source) })
	return s, nil
}

// Forget drops what only the baseline knows of a deployment group: load
// balancing or lifecycle hooks that are gone on purpose, and that a repair
// would otherwise go on trying to put back. What is attached stays attached.
func (r *Repairer) Forget(ctx context.Context, k Key) (Status, error) {
	records, err := r.records.load(ctx, k)
	if err != nil {
		return Status{}, fmt.Errorf("forget %s: %w", k, err)
	}
	if record, ok := records[k]; ok {
		if err := r.records.save(ctx, k, Record{Version: record.Version}); err != nil {
			return Status{}, fmt.Errorf("forget %s: %w", k, err)
		}
	}
	return r.Status(ctx, k)
}

// each asks about the named deployment group, or, where none is named, about
// every one in scope, in the order of their names.
func each[T any](ctx context.Context, r *Repairer, k Key, ask func(context.Context, Key) (T, error)) (any, error) {
	if k != (Key{}) {
		return ask(ctx, k)
	}
	inScope, err := r.inScope(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]T, len(inScope))
	var round errgroup.Group
	round.SetLimit(concurrency)
	for i, g := range inScope {
		round.Go(func() (err error) {
			answers[i], err = ask(ctx, g.Key)
			return err
		})
	}
	return answers, round.Wait()
}
