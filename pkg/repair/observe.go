package repair

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// maxRounds bounds how many rounds of questions follow from one another.
const maxRounds = 6

// observe asks in as few rounds as the questions allow, those of a round at once:
// first what CodeDeploy and the record say, then what Auto Scaling and the target
// groups say, and then only what those answers leave open, such as a target group
// that no baseline knows or a replacement group that is not named yet.
func (r *Repairer) observe(ctx context.Context, k Key, trigger Trigger) *Observation {
	o := &Observation{
		Key: k, Now: r.now(), Trigger: trigger, Config: r.cfg,
		Deployments: map[string]*Deployment{}, Groups: map[string]*fleet.AutoScalingGroup{}, Details: map[string]Details{},
		Targets: map[string]TargetGroup{}, Revised: map[string]Revised{},
	}
	if len(trigger.Deployments) > 1 { // likely Auto Scaling's, of which none matters
		if o.Err = r.observeTrigger(ctx, o); o.Err != nil || o.deferred() {
			return o
		}
	}
	o.Err = r.observeDeploymentGroup(ctx, o)
	for round := 0; o.Err == nil && round < maxRounds && !o.deferred(); round++ {
		q := o.open()
		if q.none() {
			break
		}
		o.Err = r.ask(ctx, o, q)
	}
	return o
}

func (r *Repairer) observeDeploymentGroup(ctx context.Context, o *Observation) error {
	round, reading := errgroup.WithContext(ctx)
	var trigger error // the record is read whatever else fails
	round.Go(func() error {
		if o.Item.Key == (store.Key{}) {
			trigger = r.observeTrigger(ctx, o)
		}
		return nil
	})
	round.Go(func() (err error) {
		o.DeploymentGroup, err = r.deploymentGroup(reading, o.Key)
		if fault.Is(err, fault.NotFound) {
			o.Gone, err = true, nil
		}
		return err
	})
	round.Go(func() (err error) {
		o.Listed, err = r.listInProgress(reading, o.Key)
		if fault.Is(err, fault.NotFound) {
			err = nil // the first question finds that out too
		}
		return err
	})
	err := round.Wait()
	return cmp.Or(trigger, err)
}

// observeTrigger reads the record and the deployments that events are about.
func (r *Repairer) observeTrigger(ctx context.Context, o *Observation) error {
	var round errgroup.Group
	var unread error // of the record, which counts most
	round.Go(func() error {
		unread = r.load(ctx, o)
		return nil
	})
	round.Go(func() error {
		found, err := r.deployments(ctx, slices.Collect(maps.Keys(o.Trigger.Deployments)))
		for id, d := range found {
			o.Deployments[id] = d
		}
		return err
	})
	err := round.Wait()
	return cmp.Or(unread, err)
}

// load reads the record, and its substitute where it cannot be read.
func (r *Repairer) load(ctx context.Context, o *Observation) error {
	items, err := r.records.Get(ctx, o.Key.key())
	if err != nil {
		return err
	}
	o.Item = items[o.Key.key()]
	if o.Unreadable = o.Item.Unreadable; o.Unreadable != nil {
		if items, err = r.records.Get(ctx, o.Key.substitute()); err != nil {
			return err
		}
		o.Item = items[o.Key.substitute()]
	}
	o.Record = o.Item.Value
	return nil
}

// ask asks a round of questions and puts the answers into the observation.
func (r *Repairer) ask(ctx context.Context, o *Observation, q questions) error {
	var mu sync.Mutex // protects o
	round, ctx := errgroup.WithContext(ctx)
	each := func(keys []string, read func(key string) (func(), error)) {
		for _, key := range keys {
			round.Go(func() error {
				put, err := read(key)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				put()
				return nil
			})
		}
	}
	if len(q.deployments) > 0 {
		each([]string{""}, func(string) (func(), error) {
			found, err := r.deployments(ctx, q.deployments)
			return func() {
				for id, d := range found {
					o.Deployments[id] = d
				}
			}, err
		})
	}
	if len(q.groups) > 0 {
		each([]string{""}, func(string) (func(), error) {
			found, err := fleet.AutoScalingGroups(ctx, r.clients.Groups, q.groups...)
			return func() {
				for _, name := range q.groups {
					if g := found[name]; g != nil && !g.Deleting {
						o.Groups[name] = g
					} else {
						o.Groups[name] = nil
					}
				}
			}, err
		})
	}
	each(q.details, func(name string) (func(), error) {
		d, err := r.details(ctx, name)
		return func() { o.Details[name] = d }, err
	})
	each(q.targets, func(arn string) (func(), error) {
		found, missing, err := r.targetsOf(ctx, arn)
		return func() { o.add(found, missing) }, err
	})
	if len(q.targetGroups) > 0 {
		each([]string{""}, func(string) (func(), error) {
			found, missing, err := r.targetGroups(ctx, q.targetGroups...)
			return func() { o.add(found, missing) }, err
		})
	}
	each(q.revised, func(id string) (func(), error) {
		revised := r.revised(ctx, id)
		return func() { o.Revised[id] = revised }, nil
	})
	if q.launched != nil {
		each([]string{""}, func(string) (func(), error) {
			ids, err := r.listSucceeded(ctx, o.Key, q.launched.Created)
			return func() { o.Launched = append([]string{}, ids...) }, err
		})
	}
	return round.Wait()
}

func (o *Observation) add(found []TargetGroup, missing []string) {
	for _, t := range found {
		o.Targets[t.ARN] = t
	}
	o.Missing = append(o.Missing, missing...)
	slices.Sort(o.Missing)
}

func (r *Repairer) details(ctx context.Context, name string) (d Details, err error) {
	round, ctx := errgroup.WithContext(ctx)
	round.Go(func() (err error) {
		d.States, err = fleet.TrafficSources(ctx, r.clients.Groups, name)
		return err
	})
	round.Go(func() (err error) {
		d.Fetched, err = setting.Fetch(ctx, r.clients.Groups, name)
		return err
	})
	return d, round.Wait()
}

// targetsOf reads a target group whose ARN is known. If it is gone, another may
// have been made under its name since.
func (r *Repairer) targetsOf(ctx context.Context, arn string) ([]TargetGroup, []string, error) {
	targets, exists, err := fleet.Targets(ctx, r.clients.Balancers, arn)
	if err != nil {
		return nil, nil, err
	}
	name := fleet.TargetGroupName(arn)
	if !exists {
		return r.targetGroups(ctx, name)
	}
	return []TargetGroup{{fleet.TargetGroup{ARN: arn, Name: name, TargetType: fleet.InstanceTargets}, targets}}, nil, nil
}

// targetGroups finds target groups by name and reads each.
func (r *Repairer) targetGroups(ctx context.Context, names ...string) (found []TargetGroup, missing []string, err error) {
	groups, missing, err := fleet.TargetGroups(ctx, r.clients.Balancers, names...)
	if err != nil {
		return nil, nil, err
	}
	found = make([]TargetGroup, len(groups))
	round, ctx := errgroup.WithContext(ctx)
	for i, g := range groups {
		found[i].TargetGroup = g
		if g.TargetType == fleet.InstanceTargets {
			round.Go(func() (err error) {
				found[i].Targets, _, err = fleet.Targets(ctx, r.clients.Balancers, g.ARN)
				return err
			})
		}
	}
	return found, missing, round.Wait()
}
