package region

import (
	"slices"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// refresh is an instance refresh: every instance that is in the group when it
// starts is replaced, a few at a time, through the group's lifecycle hooks.
type refresh struct {
	id         string
	group      *group
	config     asg.RefreshPreferences
	status     asg.InstanceRefreshStatus
	reason     string
	started    time.Time
	ended      time.Time
	old        []*instance // those still to be replaced
	total      int
	progressed time.Time
}

// Defaults of an instance refresh (API reference, RefreshPreferences).
const (
	defaultMinHealthy = 90
	refreshTimeout    = time.Hour
)

func (f *refresh) active() bool { return f.status == asg.InstanceRefreshStatusInProgress }

func (f *refresh) warmup() time.Duration {
	c := f.group.config
	return seconds(or(f.config.InstanceWarmup, or(c.DefaultInstanceWarmup, c.HealthCheckGracePeriod)))
}

// refreshStep replaces as many instances as the minimum healthy percentage
// allows: "If it is not possible to keep the minimum, one instance is replaced
// at a time" ("How an instance refresh works in an Auto Scaling group"). An
// instance is replaced when it has left and another one has been in service,
// and healthy, for the warm-up.
func (r *Region) refreshStep(f *refresh) {
	g := f.group
	if !f.active() {
		return
	}
	if g.deleting || g.deleted {
		r.endRefresh(f, asg.InstanceRefreshStatusFailed, "The Auto Scaling group is being deleted.")
		return
	}
	before := len(f.old)
	f.old = slices.DeleteFunc(f.old, func(i *instance) bool { return !i.counts() })
	ready := r.readyFor(f)
	if len(f.old) == 0 && ready >= g.desired() {
		r.endRefresh(f, asg.InstanceRefreshStatusSuccessful, "")
		return
	}
	least := (g.desired()*int(deref(f.config.MinHealthyPercentage)) + 99) / 100
	budget := ready - least
	if budget <= 0 && ready >= g.desired() {
		budget = 1
	}
	for _, i := range f.old {
		if budget <= 0 || g.isSuspended(processInstanceRefresh) || g.isSuspended(processTerminate) || g.isSuspended(processLaunch) {
			break
		}
		if i.protected || i.lifecycle != asg.LifecycleStateInService {
			continue
		}
		budget--
		r.terminate(i)
	}
	f.old = slices.DeleteFunc(f.old, func(i *instance) bool { return !i.counts() })
	if len(f.old) < before {
		f.progressed = r.clock.now
	}
	r.reconcile(g)
	// Protected instances and such that do not become healthy are waited for
	// an hour ("the instance refresh will fail").
	if r.clock.now.Sub(f.progressed) >= refreshTimeout {
		r.endRefresh(f, asg.InstanceRefreshStatusFailed, "The instance refresh made no progress for an hour.")
		return
	}
	r.after(r.timings.Poll, func() { r.refreshStep(f) })
}

// readyFor counts the instances that keep the group up: old ones in service, and
// new ones that have warmed up and that no health check fails.
func (r *Region) readyFor(f *refresh) int {
	var n int
	replaced := map[*instance]bool{}
	for _, i := range f.old {
		replaced[i] = true
	}
	for _, i := range f.group.instances {
		if i.lifecycle != asg.LifecycleStateInService || i.unhealthy || i.dead {
			continue
		}
		if replaced[i] || (r.clock.now.Sub(i.inService) >= f.warmup() && !(f.group.checksELB() && r.failsAttached(i))) {
			n++
		}
	}
	return n
}

func (r *Region) endRefresh(f *refresh, status asg.InstanceRefreshStatus, reason string) {
	f.status, f.reason, f.ended = status, reason, r.clock.now
	f.group.refreshing = false
}
