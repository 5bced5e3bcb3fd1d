package drain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// observe asks AWS once for all drains: each group, each target group and each
// command one time, however many drains it concerns, as far as the budget goes.
// What a question that fails was to tell is missing; what is known from earlier
// takes its place where it changes rarely.
func (r *Drainer) observe(ctx context.Context, drains []Drain, unplaced error, b *Budget) *Observation {
	q := &questions{r: r, b: b, o: &Observation{
		Now: r.now(), Groups: map[string]*fleet.AutoScalingGroup{}, Instances: map[string]map[string]fleet.Instance{},
		Hooks: map[string][]fleet.LifecycleHook{}, Wanted: map[string]Wanted{}, Balancers: map[string]Balancer{},
		Targets: map[string]map[string][]fleet.Target{}, Found: map[string][]string{},
		Commands: map[string]map[string]Result{}, Failed: map[Question]error{},
	}}
	if unplaced != nil {
		q.o.Failed[Question{aboutGroup, ""}] = unplaced
	}
	drains = slices.DeleteFunc(slices.Clone(drains), func(d Drain) bool { return !d.open() })
	for _, round := range []func(context.Context, []Drain){q.askGroups, q.askHooks, q.askWanted, q.askTargets, q.askSent} {
		ctx, cancel := within(ctx, observeTime)
		round(ctx, drains)
		cancel()
	}
	return q.o
}

// questions are what one observation asks.
type questions struct {
	r *Drainer
	b *Budget

	mu sync.Mutex // protects o
	o  *Observation
}

// note keeps an answer, or why there is none.
func (q *questions) note(about, name string, err error, keep func(*Observation)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.o.Failed[Question{about, name}] = err
	}
	keep(q.o)
}

// parallel asks questions at the same time.
func parallel(ctx context.Context, ask ...func(context.Context)) {
	round, ctx := errgroup.WithContext(ctx)
	round.SetLimit(concurrency)
	for _, a := range ask {
		round.Go(func() error { a(ctx); return nil })
	}
	_ = round.Wait() // answers and errors are in the observation
}

// groupsFor is how long the states of a group's instances are taken for known.
const groupsFor = 25 * time.Second

// describeGroups is how many groups one question names, and rarely how long what
// seldom changes is taken for known.
const (
	describeGroups = 50
	rarely         = 10 * time.Minute
)

// askGroups reads the drains' groups, and their commands' results.
func (q *questions) askGroups(ctx context.Context, drains []Drain) {
	names, sent := map[string]bool{}, map[string]bool{}
	for _, d := range drains {
		if d.Group != "" {
			// Seen just now, and the drain with it: every third tick is enough.
			group, ok := q.r.known.groups.get(d.Group, q.o.Now.Add(-groupsFor))
			if ok && q.o.Instances[d.Group] == nil {
				q.keepGroup(q.o, d.Group, group, true)
			}
			if !ok || q.r.known.groups.at(d.Group).Before(d.Since.Add(stateLag)) {
				names[d.Group] = true
			}
		}
		if c := d.Command; c.ID != "" && !c.Over {
			sent[c.ID] = true
		}
	}
	var ask []func(context.Context)
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(names)), describeGroups) {
		if !take(&q.b.AutoScaling) {
			q.o.Deferred = true
			break
		}
		ask = append(ask, func(ctx context.Context) {
			found, err := fleet.AutoScalingGroups(ctx, q.r.clients.Groups, chunk...)
			for _, name := range chunk {
				group, _ := q.r.known.groups.get(name, time.Time{})
				if err == nil {
					group = found[name]
					q.r.known.groups.put(name, group, q.o.Now)
				}
				q.note(aboutGroup, name, err, func(o *Observation) { q.keepGroup(o, name, group, err == nil) })
			}
		})
	}
	for id := range sent {
		ask = append(ask, func(ctx context.Context) {
			results, err := q.r.results(ctx, id)
			q.note(aboutCommand, id, err, func(o *Observation) {
				if err == nil {
					o.Commands[id] = results
				}
			})
		})
	}
	parallel(ctx, ask...)
}

func (q *questions) keepGroup(o *Observation, name string, group *fleet.AutoScalingGroup, now bool) {
	if now || group != nil {
		o.Groups[name] = group
	}
	if !now {
		return
	}
	o.Instances[name] = map[string]fleet.Instance{}
	if group != nil {
		for _, i := range group.Instances {
			o.Instances[name][i.ID] = i
		}
	}
}

// askHooks reads the hooks of groups whose instances wait. It leaves half of the
// budget to heartbeats and releases.
func (q *questions) askHooks(ctx context.Context, drains []Drain) {
	names := map[string]bool{}
	for _, d := range drains {
		if d.Group != "" {
			names[d.Group] = true
		}
	}
	var ask []func(context.Context)
	budget := max(1, q.b.AutoScaling/2)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if hooks, ok := q.r.known.hooks.get(name, q.o.Now.Add(-rarely)); ok {
			q.o.Hooks[name] = hooks
			continue
		}
		if budget == 0 || !take(&q.b.AutoScaling) {
			q.o.Deferred = true
			continue
		}
		budget--
		ask = append(ask, func(ctx context.Context) {
			hooks, err := q.r.hooks(ctx, name)
			q.note(aboutHooks, name, err, func(o *Observation) {
				if err == nil {
					o.Hooks[name] = hooks
				}
			})
		})
	}
	parallel(ctx, ask...)
}

// hooks are a group's terminate hooks that are this function's, from what is known
// of them if that is no older than [rarely].
func (r *Drainer) hooks(ctx context.Context, group string) ([]fleet.LifecycleHook, error) {
	all, err := fleet.LifecycleHooks(ctx, r.clients.Groups, group)
	if err != nil {
		hooks, ok := r.known.hooks.get(group, time.Time{})
		if ok {
			return hooks, nil
		}
		return nil, err
	}
	ours := slices.DeleteFunc(all, func(h fleet.LifecycleHook) bool {
		return h.Transition != terminateTransition || !r.cfg.Hooks.Match(h.Name)
	})
	r.known.hooks.put(group, ours, r.now())
	return ours, nil
}

const terminateTransition = "autoscaling:EC2_INSTANCE_TERMINATING"

// askWanted finds out which load balancers the instances of each group have to
// leave: those attached to it, those of the deployment that made it, those that its
// tags and the configuration name, and all that hold an instance where the
// configuration or an interrupted instance asks for that.
func (q *questions) askWanted(ctx context.Context, drains []Drain) {
	named := map[string]*wantedNames{}
	search := q.r.cfg.FindTargetGroups
	for _, d := range drains {
		n := named[d.Group]
		if n == nil {
			n = q.names(ctx, d.Group)
			named[d.Group] = n
		}
		// The group of an interrupted instance cannot be read: search for it.
		search = search || !n.groupKnown && !d.EC2EndsAt.IsZero() && len(d.Balancers) == 0
	}
	var all []string
	for _, n := range named {
		all = append(all, n.targetGroups...)
	}
	var failed error
	if q.unresolved(all) && take(&q.b.Balancing) {
		failed = q.r.resolve(ctx, all)
	}
	for group, n := range named {
		w, err := q.wanted(n, failed)
		q.note(aboutWanted, group, err, func(o *Observation) { o.Wanted[group] = w })
	}
	if search {
		q.search(ctx, drains)
	}
	for id := range q.balancers(drains) {
		if known, ok := q.r.known.balancers.get(id, time.Time{}); ok {
			q.o.Balancers[id] = known
		}
	}
}

// wantedNames are the names by which a group's load balancers are known.
type wantedNames struct {
	targetGroups []string // names and ARNs
	attached     []string // IDs
	groupKnown   bool
	err          error
}

func (q *questions) names(ctx context.Context, name string) *wantedNames {
	n := &wantedNames{targetGroups: slices.Clone(q.r.cfg.TargetGroups), groupKnown: true}
	if name == "" {
		n.err = q.o.Failed[Question{aboutGroup, ""}]
		n.groupKnown = n.err == nil
		return n
	}
	group, known := q.o.Groups[name]
	n.groupKnown = known
	if err := q.o.Failed[Question{aboutGroup, name}]; !known {
		n.err = err
	}
	if group == nil {
		return n
	}
	for _, s := range group.Sources {
		switch s.Type {
		case fleet.ELBV2:
			n.attached = append(n.attached, s.ID)
			n.targetGroups = append(n.targetGroups, s.ID)
		case fleet.ClassicELB:
			n.attached = append(n.attached, classicID(s.ID))
		}
	}
	deployed, err := q.r.deploymentTargets(ctx, group.Tags[fleet.ProvisioningTag])
	n.err = errors.Join(n.err, err)
	n.targetGroups = slices.Concat(n.targetGroups, deployed, strings.Fields(group.Tags[TargetGroupsTag]))
	return n
}

// deploymentTargets are the names of the target groups that CodeDeploy registered
// the instances of a group that it made in.
func (r *Drainer) deploymentTargets(ctx context.Context, deployment string) ([]string, error) {
	if deployment == "" {
		return nil, nil
	}
	if names, ok := r.known.deployments.get(deployment, time.Time{}); ok {
		return names, nil // they do not change
	}
	out, err := r.clients.Deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &deployment})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	var names []string
	if err == nil && out.DeploymentInfo.LoadBalancerInfo != nil {
		for _, t := range out.DeploymentInfo.LoadBalancerInfo.TargetGroupInfoList {
			names = append(names, aws.ToString(t.Name))
		}
	}
	r.known.deployments.put(deployment, names, r.now())
	return names, nil
}

// askSent lists the drain commands that SSM has, where a drain may be about to send
// one, or does not know whether it has: another installation, or a function that
// died, may have sent it.
func (q *questions) askSent(ctx context.Context, drains []Drain) {
	since := time.Time{}
	for _, d := range drains {
		if d.mayCommand(q.r.cfg, q.o) && (since.IsZero() || d.Since.Before(since)) {
			since = d.Since
		}
	}
	if since.IsZero() {
		return
	}
	sent, err := q.r.sentSince(ctx, since)
	q.note(aboutSent, "", err, func(o *Observation) { o.Sent = sent })
}
