package drain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// resolution is what a configured name stands for: the ID of a load balancer, or
// why it stands for none.
type resolution struct{ id, reason string }

// Names are resolved anew after these times: those that stand for something, and
// those that were rejected, which operators may be correcting.
const (
	resolvedFor = time.Hour
	rejectedFor = time.Minute
)

// targetGroupName is the form of a target group's name (CreateTargetGroup, Elastic
// Load Balancing API Reference), and targetGroupARN that of its ARN.
var (
	targetGroupName = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	targetGroupARN  = regexp.MustCompile(`^arn:[^:]+:elasticloadbalancing:([^:]*):([^:]*):targetgroup/[^/]+/[^/]+$`)
)

// resolved is what a name stands for, as far as it is known without asking.
func (r *Drainer) resolved(name string) (resolution, bool) {
	arn := targetGroupARN.FindStringSubmatch(name)
	home := r.cfg.Home
	switch {
	case arn == nil && !targetGroupName.MatchString(name):
		return resolution{reason: "it is neither the name nor the ARN of a target group; separate several by spaces"}, true
	case arn != nil && (home.Region != "" && arn[1] != home.Region || home.Account != "" && arn[2] != home.Account):
		return resolution{reason: "it is in another account or region"}, true
	}
	if known, ok := r.known.names.get(name, r.now().Add(-rejectedFor)); ok {
		return known, true
	}
	known, ok := r.known.names.get(name, r.now().Add(-resolvedFor))
	return known, ok && known.id != ""
}

// unresolved reports whether there is a name that AWS has to be asked about.
func (q *questions) unresolved(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := q.r.resolved(name); return !ok })
}

// resolve asks what names stand for. What cannot be read stays as it was.
func (r *Drainer) resolve(ctx context.Context, names []string) error {
	ask := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := r.resolved(name); return ok })
	found, missing, err := fleet.TargetGroups(ctx, r.clients.Balancers, ask...)
	for _, t := range found {
		r.keep(t)
	}
	for _, name := range missing {
		r.known.names.put(name, resolution{reason: "it does not exist"}, r.now())
	}
	return err
}

// keep remembers a target group.
func (r *Drainer) keep(t fleet.TargetGroup) {
	known, _ := r.known.balancers.get(t.ARN, time.Time{})
	known.ID, known.Network = t.ARN, t.Network()
	r.known.balancers.put(t.ARN, known, r.known.balancers.at(t.ARN))
	is := resolution{id: t.ARN}
	if t.TargetType != fleet.InstanceTargets {
		is = resolution{reason: fmt.Sprintf("its targets are of type %s; instances cannot be deregistered from it", t.TargetType)}
	}
	r.known.names.put(t.ARN, is, r.now())
	r.known.names.put(t.Name, is, r.now())
}

// wanted are the load balancers that names stand for; failed is why some could not
// be resolved.
func (q *questions) wanted(n *wantedNames, failed error) (Wanted, error) {
	w := Wanted{Attached: n.attached}
	errs := []error{n.err}
	for _, id := range n.attached {
		w.Balancers = append(w.Balancers, id)
	}
	whole := n.groupKnown || fault.Is(n.err, fault.Denied)
	for _, name := range n.targetGroups {
		is, ok := q.r.resolved(name)
		switch attached := slices.Contains(n.attached, name); {
		case !ok:
			errs = append(errs, failed)
			// An attached one can be left although nothing else is known of it.
			whole = whole && (attached && failed != nil || fault.Is(failed, fault.Denied))
		case is.id != "":
			w.Balancers = append(w.Balancers, is.id)
		case !attached: // else deleted while attached: nobody can be in it
			w.Rejected = append(w.Rejected, fmt.Sprintf("target group %q: %s", name, is.reason))
		}
	}
	w.Balancers = sorted(w.Balancers)
	w.Rejected = sorted(w.Rejected)
	w.Whole = whole && (n.err == nil || fault.Is(n.err, fault.Denied))
	return w, errors.Join(errs...)
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// balancers are the load balancers of the drains, each with the least of how well
// it is known: lower is to be asked about first.
func (q *questions) balancers(drains []Drain) map[string]int {
	all := map[string]int{}
	for _, d := range drains {
		for _, id := range q.o.balancersOf(d) {
			urgency := settledTargets
			switch left, known := d.Balancers[id]; {
			case !known || !d.EC2EndsAt.IsZero():
				urgency = unseenTargets
			case !left.Drained:
				urgency = drainingTargets
			}
			if was, ok := all[id]; !ok || urgency < was {
				all[id] = urgency
			}
		}
	}
	return all
}

// In which order load balancers are asked about their targets.
const (
	unseenTargets   = iota // of a drain that has not seen them, or that hurries
	drainingTargets        // of one that waits
	settledTargets         // of none that waits; they may be registered again
)

// settledEvery is how often load balancers are asked that no drain waits for.
const settledEvery = 30 * time.Second

// balancersOf are the IDs of all load balancers that a drain has to leave.
func (o *Observation) balancersOf(d Drain) []string {
	return sorted(slices.Concat(slices.Collect(maps.Keys(d.Balancers)), o.Wanted[d.Group].Balancers, o.Found[d.Instance]))
}

// askTargets reads who is registered in which load balancer, and the delays of
// those whose is not known, as far as the budget goes; a third of it is left to
// deregistrations.
func (q *questions) askTargets(ctx context.Context, drains []Drain) {
	urgency := q.balancers(drains)
	ids := slices.SortedFunc(maps.Keys(urgency), func(a, b string) int {
		return cmp.Or(cmp.Compare(urgency[a], urgency[b]), q.r.known.targets.at(a).Compare(q.r.known.targets.at(b)), strings.Compare(a, b))
	})
	var first, then []func(context.Context)
	for _, id := range ids {
		known := q.o.Balancers[id]
		if !known.DelayKnown || q.r.known.balancers.at(id).Before(q.o.Now.Add(-resolvedFor)) {
			then = append(then, func(ctx context.Context) { q.askDelay(ctx, id) })
		}
		switch {
		case urgency[id] == unseenTargets:
			first = append(first, func(ctx context.Context) { q.askRegistered(ctx, id) })
		case urgency[id] == drainingTargets || q.o.Now.Sub(q.r.known.targets.at(id)) >= settledEvery:
			then = append(then, func(ctx context.Context) { q.askRegistered(ctx, id) })
		}
	}
	ask := append(first, then...)
	if n := max(1, q.b.Balancing*(describeFraction-1)/describeFraction); len(ask) > n {
		ask, q.o.Deferred = ask[:n], true
	}
	q.b.Balancing -= len(ask)
	parallel(ctx, ask...)
}

func (q *questions) askRegistered(ctx context.Context, id string) {
	found, err := q.r.registered(ctx, id)
	if err == nil {
		q.r.known.targets.put(id, found, q.o.Now)
	}
	q.note(aboutTargets, id, err, func(o *Observation) {
		if err == nil {
			o.Targets[id] = found
		}
	})
}

// registered are the registrations in a load balancer by instance; none where it
// does not exist.
func (r *Drainer) registered(ctx context.Context, id string) (map[string][]fleet.Target, error) {
	var targets []fleet.Target
	var err error
	if isClassic(id) {
		targets, err = r.classicTargets(ctx, id)
	} else {
		targets, _, err = fleet.Targets(ctx, r.clients.Balancers, id)
	}
	found := map[string][]fleet.Target{}
	for _, t := range targets {
		found[t.Instance] = append(found[t.Instance], t)
	}
	return found, err
}

// askDelay reads how long leaving a load balancer may take.
func (q *questions) askDelay(ctx context.Context, id string) {
	read := func() (time.Duration, error) { return fleet.DeregistrationDelay(ctx, q.r.clients.Balancers, id) }
	if isClassic(id) {
		read = func() (time.Duration, error) { return q.r.classicDelay(ctx, id) }
	}
	delay, err := read()
	q.note(aboutBalancer, id, err, func(o *Observation) {
		known := o.Balancers[id]
		switch {
		case err == nil, fault.Is(err, fault.NotFound): // nobody can be in it
			known.ID, known.Delay, known.DelayKnown = id, delay, true
		case fault.Is(err, fault.Denied): // it is as long as it can be
			known.ID, known.Delay, known.DelayKnown = id, maxDelay, true
		default:
			return
		}
		o.Balancers[id] = known
		q.r.known.balancers.put(id, known, o.Now)
	})
}

// search finds the target groups that hold the drains' instances although nobody
// named them: those whose targets were read lately, or are read now.
func (q *questions) search(ctx context.Context, drains []Drain) {
	every, ok := q.r.known.every.get("", q.o.Now.Add(-rarely))
	if !ok && take(&q.b.Balancing) {
		found, err := fleet.EveryTargetGroup(ctx, q.r.clients.Balancers)
		if err != nil {
			q.note(aboutSearch, "", err, func(*Observation) {})
			return
		}
		every, ok = nil, true
		for _, t := range found {
			if q.r.keep(t); t.TargetType == fleet.InstanceTargets {
				every = append(every, t.ARN)
			}
		}
		q.r.known.every.put("", every, q.o.Now)
	}
	since := q.o.Now
	for _, d := range drains {
		if d.Since.Before(since) {
			since = d.Since
		}
	}
	// An instance that terminates is registered nowhere anew.
	since = since.Add(-rarely)
	var ask []func(context.Context)
	missing := 0
	for _, id := range every {
		if _, read := q.r.known.targets.get(id, since); read {
			continue
		}
		if missing++; q.b.Balancing > least.Balancing/2 {
			q.b.Balancing--
			ask = append(ask, func(ctx context.Context) { q.askRegistered(ctx, id) })
		}
	}
	parallel(ctx, ask...)
	q.o.Searched = ok && missing == len(ask) && len(q.o.Failed) == 0
	q.o.Deferred = q.o.Deferred || missing > len(ask)
	for _, id := range every {
		targets, _ := q.r.known.targets.get(id, since)
		for _, d := range drains {
			if len(targets[d.Instance]) > 0 {
				q.o.Found[d.Instance] = append(q.o.Found[d.Instance], id)
			}
		}
	}
}
