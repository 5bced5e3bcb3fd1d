package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
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

// sweep checks every deployment group in scope, many with one question, and has the
// function reconcile each that is not plainly in order. So a missed event costs
// minutes, and one group in trouble does not delay the others. It hands over while it
// reads, stops in time, and continues where it stopped.
func (r *Repairer) sweep(ctx context.Context, work sweepWork) (Swept, error) {
	if work.Began.IsZero() {
		work.Began = r.now()
	}
	swept := Swept{HandedOver: []Key{}}
	reading, cancel := before(ctx, sweepMargin)
	defer cancel()
	applications, err := r.applications(reading)
	var unread []error
	if err != nil {
		unread = append(unread, err)
	}
	applications = slices.DeleteFunc(applications, func(name string) bool { return name <= work.After })
	for batch := range slices.Chunk(applications, sweepBatch) {
		found, skipped := r.deploymentGroups(reading, batch)
		if reading.Err() != nil {
			swept.ContinuesAfter = work.After
			break
		}
		unread, swept.Skipped = append(unread, skipped...), swept.Skipped+len(skipped)
		if err := r.check(ctx, found, &swept); fault.IsOwn(err) {
			return swept, fmt.Errorf("sweep: %w", err)
		} else if err != nil {
			unread = append(unread, err)
		}
		work.After = batch[len(batch)-1]
	}
	over := reading.Err() == nil
	if err := r.reportSweep(ctx, work, unread, over); err != nil {
		return swept, fmt.Errorf("sweep: %w", err)
	}
	if !over {
		swept.ContinuesAfter = work.After
		if err := r.queue.Continue(ctx, continuation{Sweep: &work}, 0); err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
	}
	r.log.InfoContext(ctx, "swept", "in_scope", swept.InScope, "in_order", swept.InOrder, "handed_over", len(swept.HandedOver),
		"skipped", swept.Skipped, "continues_after", swept.ContinuesAfter)
	return swept, nil
}

// before is a context that ends some time before another does.
func before(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// check hands over the deployment groups that are not plainly in order.
func (r *Repairer) check(ctx context.Context, found map[Key]DeploymentGroup, swept *Swept) error {
	glances, err := r.glances(ctx, found)
	if err != nil {
		return err
	}
	sending, ctx := errgroup.WithContext(ctx)
	sending.SetLimit(concurrency)
	for _, g := range glances {
		swept.InScope++
		switch {
		case g.inOrder():
			swept.InOrder++
			continue
		case g.record.Due.After(r.now()):
			continue // a continuation is on its way
		}
		swept.HandedOver = append(swept.HandedOver, g.Key)
		sending.Go(func() error {
			return r.queue.Continue(ctx, continuation{Reconcile: &reconcileWork{Key: g.Key}}, 0)
		})
	}
	return sending.Wait()
}

// glance is what a sweep knows of a deployment group.
type glance struct {
	Key
	DeploymentGroup
	group      *fleet.AutoScalingGroup
	record     Record
	unreadable error
	fetched    setting.Fetched
}

// inOrder reports whether the group has, by all that is seen at a glance, what a
// reconcile would want, and whether the baseline is up to date.
func (g glance) inOrder() bool {
	r := g.record
	if g.unreadable != nil || g.group == nil || r.Baseline == nil || r.Published != g.group.Name || r.Deployment != g.Last ||
		r.Failed != "" || len(r.Notices.Outbox) > 0 || len(r.Pending) > 0 || r.Settle || len(r.Blocked) > 0 || r.Bridged != nil || len(r.HeldBack) > 0 ||
		len(r.Former) > 0 || r.Baseline.Group != g.group.Name || r.Baseline.ARN != g.group.ARN || r.Baseline.DeploymentGroupID != g.ID {
		return false
	}
	attached := map[string]bool{}
	for _, s := range g.group.Sources {
		attached[s.Name()] = true
	}
	lacks := func(name string) bool { return !attached[name] }
	return !slices.ContainsFunc(g.TargetGroups, lacks) && !slices.ContainsFunc(g.Classic, lacks) &&
		setting.Take(g.group, g.fetched).Equal(r.Baseline.Settings)
}

// glances reads the records and Auto Scaling groups of deployment groups, and leaves
// out those whose tags take them out of scope.
func (r *Repairer) glances(ctx context.Context, found map[Key]DeploymentGroup) ([]glance, error) {
	keys := sorted(found)
	var names []string
	var recordKeys []store.Key
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
		return nil, err
	}
	var glances []glance
	for _, k := range keys {
		item := records[k.key()]
		g := glance{Key: k, DeploymentGroup: found[k], record: item.Value, unreadable: item.Unreadable, group: groups[found[k].name()]}
		balanced := len(g.TargetGroups)+len(g.Classic) > 0 || g.record.Baseline != nil || g.unreadable != nil
		if balanced && r.cfg.admits(g.group) {
			glances = append(glances, g)
		}
	}
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(concurrency)
	for i := range glances {
		if g := &glances[i]; g.group != nil {
			reads.Go(func() error {
				// What cannot be read of one group is for its reconcile to find out.
				g.fetched, _ = setting.Fetch(ctx, r.clients.Groups, g.group.Name)
				return nil
			})
		}
	}
	return glances, reads.Wait()
}

// inScope are the deployment groups in scope, sorted. What cannot be read is missing,
// unless nothing can be read.
func (r *Repairer) inScope(ctx context.Context) ([]Key, error) {
	applications, err := r.applications(ctx)
	if err != nil {
		return nil, err
	}
	found, unread := r.deploymentGroups(ctx, applications)
	if len(found) == 0 && len(unread) > 0 {
		return nil, errors.Join(unread...)
	}
	glances, err := r.glances(ctx, found)
	keys := make([]Key, len(glances))
	for i, g := range glances {
		keys[i] = g.Key
	}
	return keys, err
}

// applications are the applications in scope, sorted.
func (r *Repairer) applications(ctx context.Context) ([]string, error) {
	if len(r.cfg.Applications) > 0 {
		return slices.Sorted(slices.Values(r.cfg.Applications)), nil
	}
	var names []string
	pages := codedeploy.NewListApplicationsPaginator(r.clients.Deployments, &codedeploy.ListApplicationsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list applications: %w", err)
		}
		names = append(names, page.Applications...)
	}
	slices.Sort(names)
	return names, nil
}

// deploymentGroups finds the deployment groups of applications whose deployments copy
// an Auto Scaling group. An application that cannot be read is left out, and its
// error returned.
func (r *Repairer) deploymentGroups(ctx context.Context, applications []string) (found map[Key]DeploymentGroup, unread []error) {
	found = map[Key]DeploymentGroup{}
	var mu sync.Mutex // protects both
	var round errgroup.Group
	round.SetLimit(concurrency)
	for _, application := range applications {
		round.Go(func() error {
			groups, err := r.deploymentGroupsOf(ctx, application)
			mu.Lock()
			defer mu.Unlock()
			for k, g := range groups {
				if g.managed() {
					found[k] = g
				}
			}
			if err != nil && !fault.Is(err, fault.NotFound) { // deleted meanwhile
				unread = append(unread, err)
			}
			return nil
		})
	}
	_ = round.Wait() // each application has its own error
	return found, unread
}

// batchDeploymentGroupsLimit is how many names BatchGetDeploymentGroups takes
// (BatchLimitExceededException, AWS CodeDeploy API Reference).
const batchDeploymentGroupsLimit = 100

func (r *Repairer) deploymentGroupsOf(ctx context.Context, application string) (map[Key]DeploymentGroup, error) {
	found := map[Key]DeploymentGroup{}
	var names []string
	pages := codedeploy.NewListDeploymentGroupsPaginator(r.clients.Deployments, &codedeploy.ListDeploymentGroupsInput{ApplicationName: &application})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list deployment groups of %s: %w", setting.Plain(application), err)
		}
		names = append(names, page.DeploymentGroups...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !r.cfg.covers(Key{application, name}) })
	for chunk := range slices.Chunk(names, batchDeploymentGroupsLimit) {
		out, err := r.clients.Deployments.BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{
			ApplicationName: &application, DeploymentGroupNames: chunk,
		})
		if err != nil {
			return found, fmt.Errorf("get deployment groups of %s: %w", setting.Plain(application), err)
		}
		for _, info := range out.DeploymentGroupsInfo {
			found[Key{application, aws.ToString(info.DeploymentGroupName)}] = deploymentGroup(&info)
		}
	}
	return found, nil
}

func sorted(found map[Key]DeploymentGroup) []Key {
	var keys []Key
	for k := range found {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		if a.Application != b.Application {
			if a.Application < b.Application {
				return -1
			}
			return 1
		}
		if a.DeploymentGroup < b.DeploymentGroup {
			return -1
		}
		return 1
	})
	return keys
}

// reportSweep notifies operators of what the sweep cannot read, once it has lasted,
// and forgets what it could read again.
func (r *Repairer) reportSweep(ctx context.Context, work sweepWork, unread []error, over bool) error {
	items, err := r.records.Get(ctx, everything.key())
	if err != nil {
		return err
	}
	item := items[everything.key()]
	o := &Observation{Key: everything, Now: r.now(), Config: r.cfg, Record: item.Value}
	p := Plan{draft: item.Value}
	for _, err := range unread {
		if fault.IsOwn(err) {
			return err
		}
		p.fail(o, err)
	}
	if len(unread) == 0 && (len(item.Value.Blocked) == 0 && item.Value.Notices.Empty() || !over) {
		return nil
	}
	if !over || len(unread) > 0 {
		o.Err = errors.Join(unread...) // what else is wrong is not known yet
	}
	p = p.finish(o)
	p.Next.Due, p.Next.Requeues = time.Time{}, 0
	if err := r.save(ctx, &item, p.Next); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	return r.notify(ctx, &item)
}
