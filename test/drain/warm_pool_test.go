package drain

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

// reuse has the Auto Scaling group take instances back into a warm pool, or not.
func (s *scenario) reuse(on bool) {
	s.t.Helper()
	_, err := s.AutoScaling().PutWarmPool(s.t.Context(), &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: &s.group, InstanceReusePolicy: &asgtypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(on)},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// warmPools are what Auto Scaling may show of an instance that waits to return to
// its warm pool. Nobody here has observed it: the user guide's diagram has
// Warmed:Pending:Wait ("Use lifecycle hooks with a warm pool").
var warmPools = map[string]region.Options{
	"Warmed:Pending:Wait, in the pool only":     {ReturnWaits: asgtypes.LifecycleStateWarmedPendingWait},
	"Warmed:Pending:Wait":                       {ReturnWaits: asgtypes.LifecycleStateWarmedPendingWait, PoolDescribed: true},
	"Warmed:Terminating:Wait, in the pool only": {ReturnWaits: asgtypes.LifecycleStateWarmedTerminatingWait},
	"Warmed:Terminating:Wait":                   {ReturnWaits: asgtypes.LifecycleStateWarmedTerminatingWait, PoolDescribed: true},
	"Terminating:Wait":                          {ReturnWaits: asgtypes.LifecycleStateTerminatingWait},
}

// TestReturnToTheWarmPool has an instance return to its warm pool, in whichever
// state it waits: its requests end as others' do, and no command ends it.
func TestReturnToTheWarmPool(t *testing.T) {
	t.Parallel()
	for name, o := range warmPools {
		for how, lost := range map[string]bool{"by the event": false, "by the sweep": true} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{region: o, env: command("stop")})
				s.reuse(true)
				most := s.longest()
				if lost {
					s.SetDelivery(lose)
					most += sweepInterval
				}
				s.scaleIn(2)
				s.untilReleased()
				s.mustComplete(2)
				s.mustCutNothing()
				s.mustHoldAtMost(most, "its requests had ended: it waits out its hook, and the pool lacks it")
				s.mustBeIdle()
				if lost && o.ReturnWaits == asgtypes.LifecycleStateTerminatingWait {
					return // nothing says that it returns to the pool and does not die
				}
				s.mustRunOnce(0)
				s.mustNotNotify("a return to the warm pool needs nobody")
			})
		}
	}
}

// TestSecondReturnToTheWarmPool has an instance come back into service and return
// again: it is drained again, whatever is remembered of the first time.
func TestSecondReturnToTheWarmPool(t *testing.T) {
	t.Parallel()
	for name, o := range warmPools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{region: o, env: command("stop")})
			s.reuse(true)
			s.scaleIn(1)
			s.untilReleased()
			first := s.actions()[0].Instance
			s.Scale(s.group, 4)
			s.Advance(10 * time.Minute)
			s.Register("side", first, 80)
			s.Advance(time.Minute)
			s.Scale(s.group, 0)
			s.Advance(10 * time.Minute)
			s.mustComplete(5)
			s.mustCutNothing()
			s.mustRunOnce(0)
			s.mustHoldAtMost(3*time.Minute, "its requests had ended")
			s.mustBeIdle()
		})
	}
}

// TestTerminatedAfterTheWarmPool has an instance return to its warm pool, with its
// event lost, so that the sweep takes it up, which knows no token; then come back
// into service, and die.
func TestTerminatedAfterTheWarmPool(t *testing.T) {
	t.Parallel()
	for name, o := range warmPools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{region: o})
			s.reuse(true)
			s.SetDelivery(lose)
			s.scaleIn(1)
			s.untilReleased()
			first := s.actions()[0].Instance
			s.SetDelivery(nil)
			s.Scale(s.group, 4)
			s.Advance(10 * time.Minute)
			s.reuse(false)
			s.Register("side", first, 80)
			s.Advance(time.Minute)
			s.Scale(s.group, 0)
			s.Advance(20 * time.Minute)
			s.mustComplete(5)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestCommandAfterTheWarmPool has an instance that returned before, without its
// command, die: now its command runs.
func TestCommandAfterTheWarmPool(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.reuse(true)
	s.scaleIn(1)
	s.untilReleased()
	s.Scale(s.group, 4)
	s.Advance(10 * time.Minute)
	s.reuse(false)
	s.Scale(s.group, 0)
	s.Advance(20 * time.Minute)
	s.mustComplete(5)
	s.mustRunOnce(4)
}

// TestReturnTimesOut tells of an instance whose hook timed out on its way back to
// the warm pool: its requests were cut off like any other's.
func TestReturnTimesOut(t *testing.T) {
	t.Parallel()
	for name, o := range warmPools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{region: o})
			s.reuse(true)
			s.scaleIn(1)
			s.untilHeld(1)
			s.Advance(5 * time.Second)
			s.Queue.Serve(nil)
			s.Advance(12 * time.Minute)
			s.Queue.Serve(s.Invoke)
			s.Advance(5 * time.Minute)
			if len(s.timedOut()) == 0 {
				t.Fatal("no action timed out: nothing is shown")
			}
			s.mustNotifyOfTimeOuts()
			s.mustBeIdle()
		})
	}
}

// TestRootVolumeReplaced drains an instance whose root volume is replaced, runs no
// command that would end it, and leaves it to come back.
func TestRootVolumeReplaced(t *testing.T) {
	t.Parallel()
	for how, lost := range map[string]bool{"by the event": false, "by the sweep": true} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("shutdown -h now")})
			most := s.longest()
			if lost {
				s.SetDelivery(lose)
				most += sweepInterval
			}
			i := s.InService(s.group)[0]
			s.ReplaceRootVolume(i)
			s.untilReleased()
			s.mustComplete(1)
			s.mustHoldAtMost(most, "its requests had ended")
			s.mustDrain(i, true)
			s.mustRunOnce(0)
			s.mustCutNothing()
			s.mustNotNotify("the instance comes back")
			s.mustBeIdle()
			s.Advance(5 * time.Minute)
			if n := len(s.InService(s.group)); n != 4 {
				t.Errorf("%d instances are in service, want 4: the one whose root volume was replaced did not come back", n)
			}
			// And goes like any other later on.
			s.SetDelivery(nil)
			s.Register("side", i, 80)
			s.Advance(time.Minute)
			s.Scale(s.group, 0)
			s.Advance(10 * time.Minute)
			s.mustComplete(5)
			s.mustRunOnce(4)
			s.mustCutNothing()
		})
	}
}

// TestReturnEventAfterTheTermination delivers the event of an earlier return to the
// warm pool while the instance is terminating: its command still has to run.
func TestReturnEventAfterTheTermination(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop"), noSweep: true})
	s.scaleIn(1)
	s.untilHeld(1)
	a := s.actions()[0]
	s.Advance(20 * time.Second)
	s.Queue.Send(fmt.Sprintf(`{"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action","time":%q,"detail":{"LifecycleActionToken":"11111111-2222-3333-4444-555555555555","AutoScalingGroupName":%q,"LifecycleHookName":%q,"EC2InstanceId":%q,"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","Origin":"AutoScalingGroup","Destination":"WarmPool"}}`,
		a.Began.Add(-5*time.Minute).UTC().Format(time.RFC3339), s.group, hook, a.Instance))
	s.Advance(20 * time.Minute)
	s.mustComplete(1)
	s.mustRunOnce(1)
	s.mustBeIdle()
}
