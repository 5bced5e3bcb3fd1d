package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// Swept is what a sweep found.
type Swept struct {
	// InScope counts the deployment groups checked, InOrder those that need
	// nothing, and Skipped the applications that could not be read.
	InScope int `json:"inScope"`
	InOrder int `json:"inOrder"`
	Skipped int `json:"skipped"`
	// HandedOver are those that a reconcile was requested for.
	HandedOver []Key `json:"handedOver"`
	// ContinuesAfter is the application after which another invocation goes on,
	// because the time of this one was up.
	ContinuesAfter string `json:"continuesAfter,omitempty"`
}

// sweepBatch is how many applications are read before their deployment groups are
// checked together and handed over. sweepMargin is what is left of the invocation's
// time when a sweep hands over to the next.
const (
	sweepBatch  = 20
	sweepMargin = 20 * time.Second
)

// sweeper is one invocation of a sweep.
type sweeper struct {
	*Repairer
	work   sweepWork
	swept  Swept
	unread []error
	// own is the sweep's own record; Key is empty until it was read.
	own store.Item[Record]
}

// sweep checks every deployment group in scope, many with one question, and has the
// function reconcile each that is not plainly in order. So a missed event costs
// minutes, and one group in trouble does not delay the others. It hands over while it
// reads, stops in time, and continues where it stopped.
func (r *Repairer) sweep(ctx context.Context, work sweepWork) (Swept, error) {
	s := &sweeper{Repairer: r, work: work, swept: Swept{HandedOver: []Key{}}}
	if err := s.run(ctx); err != nil {
		return s.swept, fmt.Errorf("sweep: %w", err)
	}
	r.log.InfoContext(ctx, "swept", "in_scope", s.swept.InScope, "in_order", s.swept.InOrder, "handed_over", len(s.swept.HandedOver),
		"skipped", s.swept.Skipped, "continues_after", s.swept.ContinuesAfter)
	return s.swept, nil
}

func (s *sweeper) run(ctx context.Context) error {
	reading, cancel := before(ctx, sweepMargin)
	defer cancel()
	applications, err := s.applications(reading)
	if err != nil {
		s.unread = append(s.unread, err)
	}
	applications = slices.DeleteFunc(applications, func(name string) bool { return name <= s.work.After })
	for batch := range slices.Chunk(applications, sweepBatch) {
		found, skipped := s.deploymentGroups(reading, batch)
		if reading.Err() != nil {
			break
		}
		s.unread, s.swept.Skipped = append(s.unread, skipped...), s.swept.Skipped+len(skipped)
		if err := s.check(ctx, found); fault.IsOwn(err) {
			return err
		} else if err != nil {
			s.unread = append(s.unread, err)
		}
		s.work.After = batch[len(batch)-1]
	}
	over := reading.Err() == nil
	if err := s.notifyUnread(ctx, over); err != nil || over {
		return err
	}
	s.swept.ContinuesAfter = s.work.After
	return s.queue.Continue(ctx, continuation{Sweep: &s.work}, 0)
}

// before is a context that ends some time before another does.
func before(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// check hands over the deployment groups that are not plainly in order.
func (s *sweeper) check(ctx context.Context, found map[Key]DeploymentGroup) error {
	summaries, own, err := s.summaries(ctx, found)
	if err != nil {
		return err
	}
	s.own = own
	s.readDetails(ctx, summaries)
	sending, ctx := errgroup.WithContext(ctx)
	sending.SetLimit(concurrency)
	for _, g := range summaries {
		s.swept.InScope++
		switch {
		case g.inOrder():
			s.swept.InOrder++
			continue
		case g.record.Due.After(s.now()):
			continue // a continuation is on its way
		}
		s.swept.HandedOver = append(s.swept.HandedOver, g.Key)
		sending.Go(func() error {
			return s.queue.Continue(ctx, continuation{Reconcile: &reconcileWork{Key: g.Key}}, 0)
		})
	}
	return sending.Wait()
}

// detailsBatch is how many groups of a batch a sweep asks for the settings that no
// question about many groups shows, such as lifecycle hooks; of a larger batch, a
// quarter each time.
const detailsBatch = 12

// readDetails asks more about groups that are in order otherwise. Which ones depends on
// the time, so that each has its turn.
func (s *sweeper) readDetails(ctx context.Context, summaries []summary) {
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(concurrency)
	for i := range summaries {
		g := &summaries[i]
		turn := fnv.New32a()
		fmt.Fprint(turn, g.Key, s.now().Unix()/60)
		if !g.inOrder() || len(summaries) > detailsBatch && turn.Sum32()%4 != 0 {
			continue
		}
		reads.Go(func() error {
			// What cannot be read of one group is for its reconcile to find out.
			g.fetched, _ = setting.Fetch(ctx, s.clients.Groups, g.group.Name)
			return nil
		})
	}
	_ = reads.Wait()
}

// summary is what a sweep knows of a deployment group.
type summary struct {
	Key
	DeploymentGroup
	group      *fleet.AutoScalingGroup
	record     Record
	unreadable error
	fetched    setting.Fetched
}

// inOrder reports whether the group has, by all that a summary shows, what a
// reconcile would want, and whether the baseline is up to date.
func (g summary) inOrder() bool {
	r := g.record
	o := Observation{Record: r, DeploymentGroup: g.DeploymentGroup}
	if g.unreadable != nil || g.group == nil || !o.verified(g.group) || r.Published != g.group.Name || r.Deployment != g.Last ||
		len(r.Notices.Outbox) > 0 || len(r.Pending) > 0 || r.Settle || len(r.Blocked) > 0 || r.Bridged != nil || r.Blue != nil || len(r.OnStandby) > 0 ||
		len(r.Former) > 0 {
		return false
	}
	attached := map[string]bool{}
	for _, s := range g.group.Sources {
		attached[s.Name()] = true
	}
	lacks := func(name string) bool { return !attached[name] }
	return !slices.ContainsFunc(g.TargetGroups, lacks) && !slices.ContainsFunc(g.Classic, lacks) &&
		setting.Take(g.group, g.fetched).Seen(g.fetched).Equal(r.Baseline.Settings.Seen(g.fetched))
}

// summaries reads the records and Auto Scaling groups of deployment groups, and leaves
// out those whose tags take them out of scope. It reads the sweep's own record along.
func (r *Repairer) summaries(ctx context.Context, found map[Key]DeploymentGroup) (summaries []summary, own store.Item[Record], err error) {
	keys := slices.SortedFunc(maps.Keys(found), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.DeploymentGroup, b.DeploymentGroup))
	})
	var names []string
	recordKeys := []store.Key{everything.key()}
	for _, k := range keys {
		names, recordKeys = append(names, found[k].Groups...), append(recordKeys, k.key())
	}
	var records map[store.Key]store.Item[Record]
	var groups map[string]*fleet.AutoScalingGroup
	round, reading := errgroup.WithContext(ctx)
	round.Go(func() (err error) {
		records, err = r.records.Get(reading, recordKeys...)
		return err
	})
	round.Go(func() (err error) {
		groups, err = fleet.AutoScalingGroups(reading, r.clients.Groups, names...)
		return err
	})
	if err := round.Wait(); err != nil {
		return nil, own, err
	}
	for _, k := range keys {
		item := records[k.key()]
		g := summary{Key: k, DeploymentGroup: found[k], record: item.Value, unreadable: item.Unreadable, group: groups[found[k].name()]}
		balanced := len(g.TargetGroups)+len(g.Classic) > 0 || g.record.Baseline != nil || g.unreadable != nil
		if balanced && r.cfg.admits(g.group) {
			summaries = append(summaries, g)
		}
	}
	return summaries, records[everything.key()], nil
}

// notifyUnread notifies operators of what the sweep cannot read, once it has lasted, and
// forgets what it can read again.
func (s *sweeper) notifyUnread(ctx context.Context, over bool) error {
	if s.own.Key == (store.Key{}) {
		items, err := s.records.Get(ctx, everything.key())
		if err != nil {
			return err
		}
		s.own = items[everything.key()]
	}
	o := &Observation{Key: everything, Now: s.now(), Config: s.cfg, Record: s.own.Value}
	if len(s.unread) == 0 && (!over || s.own.Value.equal(Record{})) {
		return nil
	}
	p := Plan{draft: s.own.Value, Serving: Serving{Phase: Settled}}
	for _, err := range s.unread {
		p.fail(o, err)
	}
	o.Err = errors.Join(s.unread...) // what else fails is not known while something does
	p = p.finish(o)
	p.Next.Due, p.Next.Requeues = time.Time{}, 0
	if err := s.save(ctx, &s.own, p.Next); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	return s.notify(ctx, &s.own)
}
