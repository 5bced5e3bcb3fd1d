package drain

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// meanwhile is an Elastic Load Balancing at which something else happens whenever
// targets are asked about.
type meanwhile struct {
	region.ELBV2
	happens func()
}

func (m meanwhile) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, opts ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	out, err := m.ELBV2.DescribeTargetHealth(ctx, in, opts...)
	m.happens()
	return out, err
}

// TestSweepDuringAReconcile has the sweep come in the middle of each reconcile, in
// another environment: what is under way is left to that reconcile.
func TestSweepDuringAReconcile(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 10, env: command("stop"), noSweep: true})
	other := s.function(nil)
	var busy atomic.Bool
	s.Function = s.functionWith(func(c *drain.Clients) {
		c.Balancers = meanwhile{s.ELBV2(), func() {
			if !busy.CompareAndSwap(false, true) {
				return
			}
			defer busy.Store(false)
			if _, err := other.Invoke(t.Context(), []byte(`{"action":"sweep"}`)); err != nil {
				t.Error(err)
			}
		}}
	})
	s.scaleIn(5)
	s.untilReleased()
	s.mustComplete(5)
	s.mustRunOnce(5)
	if n := s.Made("CompleteLifecycleAction"); n > 5 {
		t.Errorf("%d completions of 5 actions", n)
	}
	s.mustNotify("drained", 5)
}

// TestSweepIntervalOfItsOwn sets the sweep to ten minutes: a hook that lasts longer
// outlives a lost event.
func TestSweepIntervalOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true, heartbeat: 1200, env: settings{"SWEEP_INTERVAL": "10m"}})
	s.sweepEvery(10 * time.Minute)
	s.SetDelivery(lose)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.mustHoldAtMost(13*time.Minute, "the sweep comes every ten minutes")
	s.mustBeIdle()
}

// TestSweepWithNothingToDo counts what a sweep costs where nothing happens: it runs
// more than forty thousand times a month.
func TestSweepWithNothingToDo(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s.addGroup(name, 2)
	}
	s.ForgetCalls()
	s.Advance(10 * time.Minute)
	if n := len(s.Calls()); n > 50 {
		t.Errorf("ten sweeps with nothing to do make %d calls", n)
	}
}

// TestSweepOfManyGroups follows all pages.
func TestSweepOfManyGroups(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{PageSize: 1}})
	for _, name := range []string{"a", "b", "c", "x", "y", "z"} {
		s.addGroup(name, 2)
	}
	s.SetDelivery(lose)
	for _, a := range []string{"a-worker", "shop-web", "z-worker"} {
		s.Scale(a, 1)
	}
	s.untilReleased()
	s.mustComplete(5)
	s.mustCutNothing()
	s.mustHoldAtMost(4*time.Minute, "its requests had ended")
	s.mustBeIdle()
}

// TestSweepInTheBatchOfATick has sweeps come at full minutes, as ticks do, so that
// both are in one batch each time: the sweep finds what waits nevertheless. Found by
// the random test.
func TestSweepInTheBatchOfATick(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 12, delay: 5 * time.Minute, mix: []time.Duration{time.Second, 280 * time.Second}, perSecond: 3})
	n := 0
	s.SetDelivery(func(region.Delivery) []time.Duration {
		if n++; n%3 == 1 {
			return []time.Duration{0}
		}
		return region.Lost()
	})
	s.scaleIn(9)
	s.untilReleased()
	s.mustComplete(9)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestHookAddedBetweenDrains adds the hook minutes after the group was seen without
// it, and loses the first event.
func TestHookAddedBetweenDrains(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noHook: true, delay: 60 * time.Second, heartbeat: 3600})
	s.Queue.Send(spotWarning(s.InService(s.group)[0]))
	s.Advance(3 * time.Minute)
	s.putHook(hook, 3600)
	s.SetDelivery(lose)
	s.scaleIn(1)
	s.untilHeld(1)
	s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 2*time.Hour)
	s.mustHoldAtMost(3*time.Minute, "the sweep comes each minute")
	s.mustCutNothing()
}
