package repair

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// Swept is what a sweep found.
type Swept struct {
	// InScope counts the deployment groups looked at, InOrder those that need
	// nothing.
	InScope int `json:"inScope"`
	InOrder int `json:"inOrder"`
	// HandedOver are those that a closer look was asked for, sorted.
	HandedOver []Key `json:"handedOver"`
}

// Sweep glances at every deployment group in scope, a hundred with one
// question, and asks the function by its queue for a closer look at each that
// is not plainly in order. So a lost event costs minutes, and one group in
// trouble does not hold up the others.
func (r *Repairer) Sweep(ctx context.Context) (Swept, error) {
	swept := Swept{HandedOver: []Key{}}
	inScope, err := r.inScope(ctx)
	if err != nil && !r.tellBlind(ctx, err) {
		return swept, fmt.Errorf("sweep: %w", err)
	}
	if err == nil {
		if err := r.forgetBlind(ctx); err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
	}
	swept.InScope = len(inScope)
	for _, g := range inScope {
		if g.inOrder() {
			swept.InOrder++
		} else {
			swept.HandedOver = append(swept.HandedOver, g.Key)
		}
	}
	var sending errgroup.Group
	sending.SetLimit(concurrency)
	for _, k := range swept.HandedOver {
		sending.Go(func() error { return r.request(ctx, k, Hint{Sweep: true}, 0) })
	}
	if err := sending.Wait(); err != nil {
		return swept, fmt.Errorf("sweep: %w", err)
	}
	r.log.InfoContext(ctx, "swept", "in_scope", swept.InScope, "in_order", swept.InOrder, "handed_over", len(swept.HandedOver))
	return swept, nil
}

// tellBlind tells people that a sweep is denied what it asks, and reports
// whether it did: no retry helps then.
func (r *Repairer) tellBlind(ctx context.Context, err error) bool {
	if kind := fault.Of(err); kind != fault.Denied && kind != fault.Invalid || tools(err) {
		return false
	}
	o := &Observed{Key: everything}
	records, unread := r.records.load(ctx, o.Key)
	if unread != nil {
		return false
	}
	o.Record = records[o.Key]
	_, unable := r.unable(ctx, o, err)
	return unable == nil
}

// forgetBlind makes it news again if a sweep is denied something after this.
func (r *Repairer) forgetBlind(ctx context.Context) error {
	records, err := r.records.load(ctx, everything)
	if err != nil || records[everything].equal(Record{}) {
		return err
	}
	return r.records.save(ctx, everything, Record{Version: records[everything].Version})
}

// glance is what a sweep knows of a deployment group.
type glance struct {
	Key
	DeploymentGroup
	group  *Group
	record Record
}

// inOrder tells whether the group has, by all that is seen at a glance, what a
// closer look would want, and whether that look was had since the last
// deployment.
func (g glance) inOrder() bool {
	r := g.record
	if g.group == nil || r.Baseline == nil || r.Baseline.Group != g.group.Name || r.Published != g.group.Name ||
		r.Deployment != g.Last || r.Failed != "" || r.Untold != (Untold{}) || len(r.Pending) > 0 || r.Settle || g.group.suspended() {
		return false
	}
	attached := map[string]bool{}
	for s := range g.group.Sources {
		attached[s.Name()] = true
	}
	return !slices.ContainsFunc(slices.Concat(g.TargetGroups, g.Classic), func(name string) bool { return !attached[name] })
}

// inScope finds the deployment groups in scope whose deployments copy an Auto
// Scaling group, sorted by name. An application that cannot be read is missing
// from the answer, and in the error.
func (r *Repairer) inScope(ctx context.Context) ([]glance, error) {
	found, unread := r.copying(ctx)
	keys := slices.SortedFunc(maps.Keys(found), func(a, b Key) int { return strings.Compare(a.String(), b.String()) })
	names := map[string]bool{}
	for _, k := range keys {
		for _, name := range found[k].Groups {
			names[name] = true
		}
	}
	var (
		round   errgroup.Group
		records map[Key]Record
		groups  = map[string]*Group{}
	)
	round.Go(func() (err error) {
		records, err = r.records.load(ctx, keys...)
		return err
	})
	round.Go(func() (err error) {
		groups, err = r.groups(ctx, slices.Sorted(maps.Keys(names))...)
		return err
	})
	if err := round.Wait(); err != nil {
		return nil, err
	}
	var inScope []glance
	for _, k := range keys {
		g := glance{Key: k, DeploymentGroup: found[k], record: records[k]}
		if len(g.Groups) == 1 {
			g.group = groups[g.Groups[0]]
		}
		if g.balanced() && r.cfg.Scope.admits(g.group) {
			inScope = append(inScope, g)
		}
	}
	return inScope, unread
}

// balanced tells whether there is load balancing to look after.
func (g glance) balanced() bool {
	return len(g.TargetGroups) > 0 || len(g.Classic) > 0 || g.record.Baseline != nil
}

// copying finds, among the applications and names in scope, the deployment
// groups whose deployments copy an Auto Scaling group.
func (r *Repairer) copying(ctx context.Context) (map[Key]DeploymentGroup, error) {
	applications := r.cfg.Applications
	if len(applications) == 0 {
		var err error
		if applications, err = r.applications(ctx); err != nil {
			return map[Key]DeploymentGroup{}, err
		}
	}
	var (
		round errgroup.Group
		guard sync.Mutex
		found = map[Key]DeploymentGroup{}
	)
	round.SetLimit(concurrency)
	for _, application := range applications {
		round.Go(func() error {
			groups, err := r.deploymentGroups(ctx, application)
			if err != nil && fault.Of(err) != fault.NotFound { // deleted while we looked
				return err
			}
			guard.Lock()
			defer guard.Unlock()
			for k, g := range groups {
				if (&Observed{DeploymentGroup: g}).ours() {
					found[k] = g
				}
			}
			return nil
		})
	}
	return found, round.Wait()
}

func (r *Repairer) applications(ctx context.Context) ([]string, error) {
	var names []string
	in := &codedeploy.ListApplicationsInput{}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Deployments.ListApplications(ctx, in)
		if err != nil {
			return nil, err
		}
		names, in.NextToken = append(names, out.Applications...), out.NextToken
	}
	return names, nil
}

// batchDeploymentGroupsLimit is how many names BatchGetDeploymentGroups takes
// (BatchLimitExceededException, CodeDeploy API Reference).
const batchDeploymentGroupsLimit = 100

// deploymentGroups reads the deployment groups of an application whose names
// are in scope.
func (r *Repairer) deploymentGroups(ctx context.Context, application string) (map[Key]DeploymentGroup, error) {
	var names []string
	in := &codedeploy.ListDeploymentGroupsInput{ApplicationName: &application}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Deployments.ListDeploymentGroups(ctx, in)
		if err != nil {
			return nil, err
		}
		names, in.NextToken = append(names, out.DeploymentGroups...), out.NextToken
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !r.cfg.Scope.covers(Key{application, name}) })
	found := map[Key]DeploymentGroup{}
	for chunk := range slices.Chunk(names, batchDeploymentGroupsLimit) {
		out, err := r.clients.Deployments.BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{
			ApplicationName: &application, DeploymentGroupNames: chunk,
		})
		if err != nil {
			return nil, err
		}
		for _, info := range out.DeploymentGroupsInfo {
			found[Key{application, aws.ToString(info.DeploymentGroupName)}] = deploymentGroup(&info)
		}
	}
	return found, nil
}
