package drain

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// observe asks AWS once for all drains: each group, each target group and each
// command one time, however many drains it concerns. A question that fails is
// the trouble of the drains that needed its answer, and of no others. For
// drains that are new it also finds out which target groups they must leave.
func (r *Drainer) observe(ctx context.Context, drains []*Drain) *Observed {
	o := &observation{Observed: Observed{
		Now: r.now(), Groups: map[string]*Group{}, TargetGroups: map[string]TargetGroup{}, Commands: map[string]map[string]Result{},
	}}
	groups, targetGroups := map[string][]*Drain{}, map[string][]*Drain{}
	for _, d := range drains {
		if d.Group != "" {
			groups[d.Group] = append(groups[d.Group], d)
		}
		for _, arn := range d.Targets {
			targetGroups[arn] = append(targetGroups[arn], d)
		}
	}
	var round errgroup.Group
	round.SetLimit(concurrency)
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(groups)), describeGroupsLimit) {
		round.Go(func() error {
			found, err := r.groups(ctx, chunk)
			for _, name := range chunk {
				o.note(err, groups[name], func() { o.Groups[name] = found[name] })
			}
			return nil
		})
	}
	r.observeTargets(ctx, o, &round, targetGroups)
	r.observeCommands(ctx, o, &round, drains)
	_ = round.Wait() // errors are the drains' trouble

	r.learn(ctx, o, drains)
	return &o.Observed
}

// observation is what questions asked at once find out.
type observation struct {
	Observed
	guard sync.Mutex
}

// note keeps an answer, or makes the error the trouble of those who asked.
func (o *observation) note(err error, asked []*Drain, keep func()) {
	o.guard.Lock()
	defer o.guard.Unlock()
	if err == nil {
		keep()
		return
	}
	for _, d := range asked {
		d.trouble = err
	}
}

func (r *Drainer) observeTargets(ctx context.Context, o *observation, round *errgroup.Group, asked map[string][]*Drain) {
	for arn, drains := range asked {
		round.Go(func() error {
			found, err := r.health(ctx, arn)
			o.note(err, drains, func() { o.TargetGroups[arn] = found })
			return nil
		})
	}
}

func (r *Drainer) observeCommands(ctx context.Context, o *observation, round *errgroup.Group, drains []*Drain) {
	sent, unsure := map[string][]*Drain{}, []*Drain(nil)
	for _, d := range drains {
		switch c := d.Command; {
		case c.Over || c.Key == "":
		case c.ID != "":
			sent[c.ID] = append(sent[c.ID], d)
		default:
			unsure = append(unsure, d)
		}
	}
	for id, drains := range sent {
		round.Go(func() error {
			found, err := r.results(ctx, id)
			o.note(err, drains, func() { o.Commands[id] = found })
			return nil
		})
	}
	if len(unsure) > 0 {
		round.Go(func() error {
			found, err := r.sentSince(ctx, slices.MinFunc(unsure, func(a, b *Drain) int { return a.Command.Asked.Compare(b.Command.Asked) }).Command.Asked)
			o.note(err, unsure, func() { o.Sent = found })
			return nil
		})
	}
}

// learn finds out for drains that do not know it yet what their group, its
// deployment, its tags and the configuration say of target groups and hooks.
func (r *Drainer) learn(ctx context.Context, o *observation, drains []*Drain) {
	ignorant := map[string][]*Drain{}
	for _, d := range drains {
		if group, known := o.Groups[d.Group]; !d.Known && (d.Group == "" || known && group != nil) {
			ignorant[d.Group] = append(ignorant[d.Group], d)
		}
	}
	var round errgroup.Group
	round.SetLimit(concurrency)
	for name, drains := range ignorant {
		round.Go(func() error {
			facts, err := r.facts(ctx, o.Groups[name])
			o.note(err, drains, func() {})
			for _, d := range drains {
				d.learn(facts)
			}
			return nil
		})
	}
	_ = round.Wait()

	// Target groups that were not known when the others were asked about.
	asked := map[string][]*Drain{}
	for _, drains := range ignorant {
		for _, d := range drains {
			for _, arn := range d.Targets {
				if _, known := o.TargetGroups[arn]; !known {
					asked[arn] = append(asked[arn], d)
				}
			}
		}
	}
	var more errgroup.Group
	more.SetLimit(concurrency)
	r.observeTargets(ctx, o, &more, asked)
	_ = more.Wait()
}

// learn keeps what was found out, all of it or as much as could be.
func (d *Drain) learn(f facts) {
	d.Known, d.Targets, d.Delay, d.changed = f.Whole, f.TargetGroups, f.Delay, true
	d.Ours = f.Ours
	for i := range d.Actions {
		if hook, ok := f.Hooks[d.Actions[i].Hook]; ok {
			d.Actions[i].Timeout, d.Actions[i].Global = hook.Timeout, hook.Global
		}
	}
}
