package drain

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fleet"
)

// findGroups returns the drains, those of instances whose group is not known with the
// group that they are found in.
func (q *questions) findGroups(ctx context.Context, all []work) (drains []Drain) {
	var ids []string
	for _, w := range all {
		if w.drain.open() && w.drain.Group == "" {
			ids = append(ids, w.drain.Instance)
		}
		drains = append(drains, w.drain)
	}
	if len(ids) == 0 {
		return drains
	}
	q.o.Left.AutoScaling = max(0, q.o.Left.AutoScaling-(len(ids)+49)/50)
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	members, err := fleet.Members(ctx, q.r.clients.Groups, ids...)
	for i, d := range drains {
		drains[i].Group = cmp.Or(d.Group, members[d.Instance].AutoScalingGroup)
	}
	q.note(aboutGroup, "", err, func(*Observation) {})
	return drains
}

// groupsFor is how long the states of a group's instances are taken for known.
const groupsFor = 25 * time.Second

// describeGroups is how many groups one question names, and cacheFor how long what
// seldom changes is taken for known.
const (
	describeGroups = 50
	cacheFor       = 10 * time.Minute
)

// askGroups reads the drains' groups.
func (q *questions) askGroups(ctx context.Context, drains []Drain) {
	names := map[string]bool{}
	for _, d := range drains {
		if d.Group == "" {
			continue
		}
		after := q.o.Now.Add(-groupsFor) // every third tick is enough
		if d.Since.After(after) {
			after = d.Since.Add(-time.Nanosecond) // what was read before may lack the instance
		}
		if group, ok := q.r.known.groups.get(d.Group, after); ok {
			q.o.Groups[d.Group], q.o.Fresh[d.Group] = group, true
		} else {
			names[d.Group] = true
		}
	}
	chunks := slices.Collect(slices.Chunk(slices.Sorted(maps.Keys(names)), describeGroups))
	each(ctx, within(q, chunks, &q.o.Left.AutoScaling, 1), func(ctx context.Context, chunk []string) {
		found, err := fleet.AutoScalingGroups(ctx, q.r.clients.Groups, chunk...)
		for _, name := range chunk {
			group, earlier := q.r.known.groups.get(name, time.Time{})
			if err == nil {
				group = found[name]
				q.r.known.groups.put(name, group, q.o.Now)
			}
			q.note(aboutGroup, name, err, func(o *Observation) {
				if err == nil || earlier {
					o.Groups[name], o.Fresh[name] = group, err == nil || o.Fresh[name]
				}
			})
		}
	})
}

// askHooks reads the hooks of groups whose instances wait. It leaves half of the
// budget to heartbeats and releases.
func (q *questions) askHooks(ctx context.Context, drains []Drain) {
	names := map[string]bool{}
	for _, d := range drains {
		if hooks, ok := q.r.known.hooks.get(d.Group, q.o.Now.Add(-cacheFor)); ok {
			q.o.Hooks[d.Group] = hooks
		} else if d.Group != "" {
			names[d.Group] = true
		}
	}
	each(ctx, within(q, slices.Sorted(maps.Keys(names)), &q.o.Left.AutoScaling, 2), func(ctx context.Context, name string) {
		hooks, err := q.r.hooks(ctx, name)
		keep(q, aboutHooks, name, err, q.o.Hooks, hooks)
	})
}

// hooks are a group's terminate hooks that are this function's, from what is known
// of them if that is no older than [cacheFor].
func (r *Drainer) hooks(ctx context.Context, group string) ([]fleet.LifecycleHook, error) {
	all, err := fleet.LifecycleHooks(ctx, r.clients.Groups, group)
	if err != nil {
		if hooks, ok := r.known.hooks.get(group, time.Time{}); ok {
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
