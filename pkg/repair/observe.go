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
	first := []question{r.readRecord, r.readTrigger}
	rest := []question{r.readDeploymentGroup, r.readInProgress}
	if len(trigger.Deployments) <= 1 { // more are likely Auto Scaling's, of which none matters
		first, rest = append(first, rest...), nil
	}
	o.Err = askAll(ctx, o, first)
	if o.Err == nil && !o.deferred() {
		o.Err = askAll(ctx, o, rest)
	}
	for round := 0; o.Err == nil && round < maxRounds && !o.deferred(); round++ {
		q := o.open()
		if q.none() {
			break
		}
		o.Err = r.ask(ctx, o, q)
	}
	return o
}

// question is asked together with others and answers a part of the observation of its
// own.
type question func(context.Context, *Observation) error

// askAll asks whatever else fails, and returns the error that counts most: the first.
func askAll(ctx context.Context, o *Observation, questions []question) error {
	errs := make([]error, len(questions))
	var round sync.WaitGroup
	for i, q := range questions {
		round.Go(func() { errs[i] = q(ctx, o) })
	}
	round.Wait()
	return cmp.Or(errs...)
}

// readRecord reads the record, and its substitute where it cannot be read.
func (r *Repairer) readRecord(ctx context.Context, o *Observation) error {
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

// readTrigger reads the deployments that events are about.
func (r *Repairer) readTrigger(ctx context.Context, o *Observation) error {
	found, err := r.deployments(ctx, slices.Collect(maps.Keys(o.Trigger.Deployments)))
	maps.Copy(o.Deployments, found)
	return err
}

func (r *Repairer) readDeploymentGroup(ctx context.Context, o *Observation) (err error) {
	o.DeploymentGroup, err = r.deploymentGroup(ctx, o.Key)
	if o.Gone = fault.Is(err, fault.NotFound); o.Gone {
		return nil
	}
	return err
}

func (r *Repairer) readInProgress(ctx context.Context, o *Observation) (err error) {
	o.Listed, err = r.listInProgress(ctx, o.Key)
	if fault.Is(err, fault.NotFound) {
		return nil // readDeploymentGroup finds that out too
	}
	return err
}

// ask asks a round of questions and puts the answers into the observation.
func (r *Repairer) ask(ctx context.Context, o *Observation, q questions) error {
	var mu sync.Mutex // protects o
	round, ctx := errgroup.WithContext(ctx)
	round.Go(func() error {
		found, err := r.deployments(ctx, q.deployments)
		return answer(&mu, err, func() { maps.Copy(o.Deployments, found) })
	})
	round.Go(func() error {
		found, err := r.groups(ctx, q.groups)
		return answer(&mu, err, func() { maps.Copy(o.Groups, found) })
	})
	for _, name := range q.details {
		round.Go(func() error {
			d, err := r.details(ctx, name)
			return answer(&mu, err, func() { o.Details[name] = d })
		})
	}
	for _, arn := range q.targets {
		round.Go(func() error {
			found, missing, err := r.targetsOf(ctx, arn)
			return answer(&mu, err, func() { o.add(found, missing) })
		})
	}
	round.Go(func() error {
		found, missing, err := r.targetGroups(ctx, q.targetGroups...)
		return answer(&mu, err, func() { o.add(found, missing) })
	})
	for _, id := range q.revised {
		round.Go(func() error {
			revised := r.revised(ctx, id)
			return answer(&mu, nil, func() { o.Revised[id] = revised })
		})
	}
	if q.launched != nil {
		round.Go(func() error {
			ids, err := r.listSucceeded(ctx, o.Key, q.launched.Created)
			return answer(&mu, err, func() { o.Launched = ids })
		})
	}
	return round.Wait()
}

// answer puts an answer where it belongs, if there is one.
func answer(mu *sync.Mutex, err error, put func()) error {
	if err == nil {
		mu.Lock()
		defer mu.Unlock()
		put()
	}
	return err
}

func (o *Observation) add(found []TargetGroup, missing []string) {
	for _, t := range found {
		o.Targets[t.ARN] = t
	}
	o.Missing = append(o.Missing, missing...)
	slices.Sort(o.Missing)
}

// questions are what is still to be asked.
type questions struct {
	deployments  []string // IDs
	groups       []string // names of Auto Scaling groups
	details      []string // names of Auto Scaling groups
	targets      []string // ARNs of target groups
	targetGroups []string // names of target groups
	revised      []string // IDs of deployments
	// launched asks for the deployments since this release; nil does not.
	launched *Deployment
}

func (q questions) none() bool {
	return len(q.deployments)+len(q.groups)+len(q.details)+len(q.targets)+len(q.targetGroups)+len(q.revised) == 0 && q.launched == nil
}

// open says what is still to be asked, by what is known.
func (o *Observation) open() (q questions) {
	if o.Gone || !o.DeploymentGroup.managed() {
		return q
	}
	q.deployments = unasked(o.Deployments, o.openDeployments())
	q.groups = unasked(o.Groups, o.openGroups())
	q.details = unasked(o.Details, []string{o.DeploymentGroup.name()})
	q.targets, q.targetGroups = o.openTargetGroups()
	if len(o.Groups) == 0 { // a guess that saves a round
		if b := o.Record.Baseline; b == nil || b.Group != o.DeploymentGroup.name() {
			id := o.DeploymentGroup.Success
			if d := o.event(); d != nil {
				id = d.ID
			}
			q.revised = unasked(o.Revised, []string{id})
		}
		return q
	}
	if s := serving(o); s.Group != nil && len(q.deployments)+len(q.groups)+len(q.targets)+len(q.targetGroups) == 0 {
		q.details = unasked(o.Details, []string{o.DeploymentGroup.name(), s.Group.Name})
		q.revised, q.launched = o.openRevision(s)
	}
	return q
}

func (o *Observation) openDeployments() []string {
	ids := append([]string{o.DeploymentGroup.Last, o.DeploymentGroup.Success, o.Record.Release, o.Record.Rerouted}, o.Listed...)
	for _, d := range o.Deployments {
		if d != nil && d.Undoes != "" {
			ids = append(ids, d.Undoes)
		}
	}
	if g := o.named(); g != nil {
		ids = append(ids, g.Tags[fleet.ProvisioningTag])
	}
	return ids
}

func (o *Observation) openGroups() []string {
	names := slices.Concat(o.DeploymentGroup.Groups, o.Record.Former)
	if b := o.Record.Baseline; b != nil {
		names = append(names, b.Group)
	}
	if b := o.Record.Bridged; b != nil {
		names = append(names, b.Group)
	}
	if b := o.Record.Blue; b != nil {
		names = append(names, b.Group)
	}
	for _, d := range o.Deployments {
		if d.release() {
			names = append(names, d.Replacement...)
		}
	}
	return names
}

// openTargetGroups are the ARNs that the record knows, and the names of those that it
// does not know, of the target groups that were not read yet.
func (o *Observation) openTargetGroups() (arns, names []string) {
	asked := func(name string) bool {
		return slices.Contains(o.Missing, name) || o.inTarget(func(t TargetGroup) bool { return t.Name == name })
	}
	for _, s := range slices.Concat(o.Record.Baseline.sources(fleet.ELBV2), o.Record.Bridged.sources()) {
		if name := s.Name(); !asked(name) && !slices.Contains(names, name) {
			arns, names = append(arns, s.ID), append(names, name)
		}
	}
	return arns, slices.DeleteFunc(slices.Clone(o.DeploymentGroup.TargetGroups), func(name string) bool { return asked(name) || slices.Contains(names, name) })
}

// unasked are the keys, once each, that have no answer yet.
func unasked[T any](answers map[string]T, keys []string) []string {
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(k string) bool {
		_, asked := answers[k]
		return asked || k == ""
	})
}
