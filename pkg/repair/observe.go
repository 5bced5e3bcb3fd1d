package repair

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// observe asks in as few rounds as the questions allow, the questions of a
// round at once: first what CodeDeploy and the record say, then what Auto
// Scaling and the target groups say. Only a target group that no baseline
// knows costs a third round: its name must be looked up first. An error leaves
// in Observed what was found out before it.
func (r *Repairer) observe(ctx context.Context, k Key, hint Hint) (*Observed, error) {
	o := &Observed{Key: k, Hint: hint, Targets: map[string]TargetGroup{}, Now: r.now()}
	if err := r.observeDeployments(ctx, o); err != nil || !o.ours() {
		return o, err
	}
	return o, r.observeGroup(ctx, o)
}

func (r *Repairer) observeDeployments(ctx context.Context, o *Observed) error {
	var round errgroup.Group
	round.Go(func() (err error) {
		o.DeploymentGroup, err = r.deploymentGroup(ctx, o.Key)
		if err != nil && fault.Of(err) == fault.NotFound {
			o.Gone, err = true, nil
		}
		return err
	})
	round.Go(func() (err error) {
		o.InProgress, err = r.inProgress(ctx, o.Key)
		if err != nil && fault.Of(err) == fault.NotFound {
			err = nil // the first question finds that out too
		}
		return err
	})
	round.Go(func() error {
		records, err := r.records.load(ctx, o.Key)
		o.Record = records[o.Key]
		o.done = o.Record.Pending
		return err
	})
	if o.Hint.Deployment != "" {
		round.Go(func() (err error) {
			o.Subject, err = r.deployment(ctx, o.Hint.Deployment)
			return err
		})
	}
	err := round.Wait()
	// The list may lag behind the deployment itself, either way.
	if s := o.Subject; s != nil {
		o.InProgress = slices.DeleteFunc(o.InProgress, func(id string) bool { return id == s.ID })
		if !s.Over {
			o.InProgress = append(o.InProgress, s.ID)
		}
	}
	return err
}

func (r *Repairer) observeGroup(ctx context.Context, o *Observed) error {
	if len(o.DeploymentGroup.Groups) != 1 {
		return nil // the guard says so
	}
	var (
		name    = o.DeploymentGroup.Groups[0]
		round   errgroup.Group
		sources map[Source]string
		hooks   []Hook
		found   targetsFound
	)
	round.Go(func() error {
		groups, err := r.groups(ctx, name)
		o.Group = groups[name]
		return err
	})
	round.Go(func() (err error) {
		sources, err = r.sources(ctx, name)
		return err
	})
	round.Go(func() (err error) {
		hooks, err = r.hooks(ctx, name)
		return err
	})
	unknown := o.DeploymentGroup.TargetGroups
	for _, s := range o.Record.Baseline.sources(ELBV2) {
		unknown = slices.DeleteFunc(slices.Clone(unknown), func(n string) bool { return n == s.Name() })
		round.Go(func() error { return r.knownTargets(ctx, s, &found) })
	}
	if len(unknown) > 0 {
		round.Go(func() error { return r.namedTargets(ctx, unknown, &found) })
	}
	round.Go(func() error { return r.observeOutcomes(ctx, o) })

	err := round.Wait()
	if o.Group != nil {
		o.Group.Sources, o.Group.Hooks = sources, hooks
	}
	for _, t := range found.targets {
		o.Targets[t.ARN] = t
	}
	o.Missing = found.missing
	slices.Sort(o.Missing)
	return err
}

// targetsFound collects what questions asked at once find out.
type targetsFound struct {
	guard   sync.Mutex
	targets []TargetGroup
	missing []string
}

func (f *targetsFound) add(t TargetGroup) {
	f.guard.Lock()
	defer f.guard.Unlock()
	f.targets = append(f.targets, t)
}

func (f *targetsFound) miss(name string) {
	f.guard.Lock()
	defer f.guard.Unlock()
	f.missing = append(f.missing, name)
}

// knownTargets reads a target group whose ARN the baseline knows. If it is
// gone, another may have been made under its name since.
func (r *Repairer) knownTargets(ctx context.Context, s Source, found *targetsFound) error {
	health, err := r.health(ctx, s.ID)
	if err != nil {
		return err
	}
	if health == nil {
		return r.namedTargets(ctx, []string{s.Name()}, found)
	}
	found.add(TargetGroup{ARN: s.ID, Kind: kindInstance, Health: health})
	return nil
}

// namedTargets finds target groups by name and reads each.
func (r *Repairer) namedTargets(ctx context.Context, names []string, found *targetsFound) error {
	targets, err := r.targetGroups(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(targets, func(t TargetGroup) bool { return t.source().Name() == name }) {
			found.miss(name)
		}
	}
	var round errgroup.Group
	for _, t := range targets {
		round.Go(func() (err error) {
			if t.Kind == kindInstance {
				t.Health, err = r.health(ctx, t.ARN)
			}
			found.add(t)
			return err
		})
	}
	return round.Wait()
}

// observeOutcomes reads the last deployment and the last successful one, and
// finds out what a failed one left behind.
func (r *Repairer) observeOutcomes(ctx context.Context, o *Observed) error {
	known := map[string]*Deployment{}
	if o.Subject != nil {
		known[o.Subject.ID] = o.Subject
	}
	read := func(id string) (*Deployment, error) {
		if d, ok := known[id]; ok || id == "" {
			return d, nil
		}
		return r.deployment(ctx, id)
	}
	last, success := o.DeploymentGroup.Last, o.DeploymentGroup.Success
	var round errgroup.Group
	round.Go(func() (err error) {
		o.Last, err = read(last)
		return err
	})
	if success != last {
		round.Go(func() (err error) {
			o.Success, err = read(success)
			return err
		})
	}
	if err := round.Wait(); err != nil {
		return err
	}
	if success == last {
		o.Success = o.Last
	}
	return r.observeRemains(ctx, o, read)
}

// observeRemains looks at the green group that a failed deployment may have
// left.
func (r *Repairer) observeRemains(ctx context.Context, o *Observed, read func(string) (*Deployment, error)) error {
	var failed *Deployment
	var err error
	switch id := o.remains(); {
	case o.Last != nil && id == o.Last.ID:
		failed = o.Last
	default:
		if failed, err = read(id); err != nil {
			return err
		}
	}
	if !failed.failed() {
		return nil
	}
	o.Failed = failed
	left := slices.DeleteFunc(slices.Clone(failed.Replacement), func(name string) bool {
		return slices.Contains(o.DeploymentGroup.Groups, name)
	})
	groups, err := r.groups(ctx, left...)
	for _, g := range groups {
		o.Left = g
	}
	return err
}
