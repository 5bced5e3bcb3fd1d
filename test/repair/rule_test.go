package repair

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// gracePeriod is how long a group that serves may be without what it needs while
// AWS answers.
const gracePeriod = 10 * time.Minute

// rule watches a fixture and holds the rule of the function: of a group that
// serves users, no instance with the revision stays unregistered for ten minutes
// while AWS answers, and a group that is unattached that long has operators who
// know why. It also holds that nothing is put before users that is not ready.
type rule struct {
	f        *fixture
	original string
	// since is when something that must not last began.
	since  map[string]time.Time
	broken []string
	// excused says that an operator's decision stands in the way at present.
	excused bool
	// faulty says that AWS does not answer as it should.
	faulty bool
	// answering is since when neither of the two is so, and no reroute is under way.
	answering time.Time
	// rolledBack is when roll-backs ended, by half a minute.
	rolledBack []time.Time
}

// watch begins to watch, twice a minute.
func watch(f *fixture) *rule {
	r := &rule{f: f, original: f.GroupOf(f.svc), since: map[string]time.Time{}}
	f.OnCall(r.call)
	r.next()
	return r
}

func (r *rule) next() {
	r.f.After(30*time.Second, func() {
		r.check()
		r.next()
	})
}

// faults has calls fail; nil has them succeed again.
func (r *rule) faults(hook func(region.Call) region.Fault) {
	r.faulty = hook != nil
	r.f.SetFaults(hook)
}

// breaks records that the rule is broken, once for each thing.
func (r *rule) breaks(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.broken, text) {
		r.broken = append(r.broken, text)
	}
}

// mustHold fails the test if the rule was broken, with a few examples.
func (r *rule) mustHold(t testing.TB) {
	t.Helper()
	for _, text := range r.broken[:min(3, len(r.broken))] {
		t.Errorf("%s\nnotified: %q", text, r.f.Subjects())
	}
}

// call checks what the function asks of a load balancer.
func (r *rule) call(c region.Call) {
	in, ok := c.Input.(*elb.RegisterTargetsInput)
	if !ok {
		return
	}
	for _, target := range in.Targets {
		if !r.f.Validated(*target.Id) {
			r.breaks("the function registered %s, which has no revision or belongs to a group before its reroute: users get what nobody has validated", *target.Id)
		}
	}
}

// serving is the Auto Scaling group that users depend on, by what the region's
// deployments have done, and the one that a deployment moves them to at this
// moment, if one does.
func (r *rule) serving() (group, next string) {
	group = r.original
	for _, id := range r.f.deployments() {
		_, green := r.f.Groups(id)
		switch stage := r.f.StageOf(id); {
		case r.f.Deployed(id), stage == region.StageWait, stage == region.StageTerminate:
			group = green
		case !r.f.Ended(id) && stage == region.StageReroute:
			next = green
		}
	}
	return group, next
}

// kept reports whether the function keeps the other group of the last release, which
// ended in the middle of its reroute: both have a part of the traffic, CodeDeploy
// leaves it at that, and either may be kept.
func (r *rule) kept() bool {
	n := len(r.f.deployed)
	if n == 0 {
		return false
	}
	last := r.f.deployed[n-1]
	if r.f.StageOf(last) != region.StageReroute || !r.f.Ended(last) || r.f.Deployed(last) || r.f.RollbackOf(last) != "" {
		return false
	}
	green := r.f.green(last)
	return !slices.ContainsFunc(r.f.svc.TargetGroups, func(name string) bool {
		return !contains(r.f.Attached(green), r.f.TargetGroupARN(name)) || len(r.f.unregistered(green, name)) > 0
	})
}

func (r *rule) check() {
	r.checkRollbacks()
	group, next := r.serving()
	rerouting := next != ""
	if rerouting {
		group = next // what is notified of it now is known when it serves
	}
	lasting := map[string]bool{}
	for _, name := range r.f.svc.TargetGroups {
		if !slices.Contains(r.f.Attached(group), r.f.TargetGroupARN(name)) {
			lasting["unattached "+group+" "+name] = true
		}
		for _, i := range r.f.unregistered(group, name) {
			if r.f.Validated(i) {
				lasting["unregistered "+i+" "+name] = true
			}
		}
	}
	now := r.f.Now()
	if r.faulty || r.excused || rerouting || r.kept() {
		r.answering = now
	}
	for what := range r.since {
		if !lasting[what] {
			delete(r.since, what)
		}
	}
	for what := range lasting {
		if r.since[what].IsZero() {
			r.since[what] = now
		}
		// As long as AWS answers, and an operator does not stand in the way.
		if now.Sub(r.since[what]) > gracePeriod && now.Sub(r.answering) > gracePeriod {
			r.lasts(strings.Fields(what), group, r.since[what])
		}
	}
	r.checkEarly()
}

func (r *rule) checkRollbacks() {
	ended := 0
	for _, id := range r.f.deployed {
		if rollback := r.f.RollbackOf(id); rollback != "" && r.f.Ended(rollback) {
			ended++
		}
	}
	if ended > len(r.rolledBack) {
		r.rolledBack = append(r.rolledBack, r.f.Now())
	}
}

// lasts records that something has lasted too long.
func (r *rule) lasts(what []string, group string, since time.Time) {
	switch what[0] {
	case "unregistered":
		r.breaks("%s of group %s, which serves, has been unregistered with %s for ten minutes: paid for, it serves nobody", what[1], group, what[2])
	case "unattached":
		if !r.known(group, since) {
			r.breaks("group %s, which serves, has been unattached from %s for ten minutes, and no notification since %s names it: operators do not know", group, what[2], since.Format(time.TimeOnly))
		}
	}
}

// known reports whether operators were notified of the group since an instant.
func (r *rule) known(group string, since time.Time) bool {
	for _, p := range r.f.Notices.Published() {
		if !p.At.Before(since) && strings.Contains(p.Message, group) {
			return true
		}
	}
	return false
}

// checkEarly holds that a replacement group is not before users until CodeDeploy
// puts it there.
func (r *rule) checkEarly() {
	for _, id := range r.f.deployed {
		green := r.f.green(id)
		switch stage := r.f.StageOf(id); {
		case green == "" || r.f.Ended(id):
		case stage == region.StageProvision, stage == region.StageInstall, stage == region.StageReady:
			if len(r.f.Attached(green)) > 0 {
				r.breaks("group %s is attached before the reroute of %s: unvalidated instances take traffic", green, id)
			}
		}
	}
}

// serves reports whether a load balancer has a target that it may send requests
// to.
func serves(state elbtypes.TargetHealthStateEnum) bool {
	switch state {
	case elbtypes.TargetHealthStateEnumHealthy, elbtypes.TargetHealthStateEnumUnhealthy, elbtypes.TargetHealthStateEnumInitial, elbtypes.TargetHealthStateEnumUnavailable:
		return true
	}
	return false
}

// servingNow is the group that users depend on now.
func (r *rule) servingNow() string {
	group, _ := r.serving()
	return group
}
