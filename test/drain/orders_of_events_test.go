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

// TestTwoHooksWithDifferentTimeouts has two of our hooks hold an instance, one
// event of them lost: each is kept in time, and the command runs once.
func TestTwoHooksWithDifferentTimeouts(t *testing.T) {
	t.Parallel()
	for lost := range 3 {
		t.Run(fmt.Sprintf("without the event %d", lost), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 10 * time.Minute, heartbeat: 900, env: command("stop"), mix: []time.Duration{time.Second, 9 * time.Minute}, perSecond: 2})
			s.putHook("deployhooks-short", 60)
			s.Advance(10 * time.Minute)
			n := 0
			s.SetDelivery(func(region.Delivery) []time.Duration {
				if n++; n == lost {
					return region.Lost()
				}
				return []time.Duration{0}
			})
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(2)
			s.mustRunOnce(1)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestGroupDeletedWhileDraining deletes the group by force: there is nothing left to
// notify anybody of.
func TestGroupDeletedWhileDraining(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.scaleIn(2)
	s.untilHeld(2)
	s.Advance(20 * time.Second)
	_, err := s.AutoScaling().DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &s.group, ForceDelete: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	s.Advance(30 * time.Minute)
	s.mustBeIdle()
	s.mustNotify("timed-out", 0)
	s.mustNotify("action-required", 0)
}

// TestGroupDeletedDuringAReturn deletes the group while an instance returns to its pool.
func TestGroupDeletedDuringAReturn(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{ReturnWaits: asgtypes.LifecycleStateWarmedPendingWait}})
	s.reuse(true)
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	_, err := s.AutoScaling().DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &s.group, ForceDelete: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	s.Advance(30 * time.Minute)
	s.mustBeIdle()
	s.mustNotNotify("the group was deleted")
}

// TestCompletedByHand has an operator complete the actions while the function
// drains, and while it is down.
func TestCompletedByHand(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Second, 20 * time.Second, 100 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("stop")})
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(after)
			for _, a := range s.actions() {
				_, err := s.AutoScaling().CompleteLifecycleAction(t.Context(), &autoscaling.CompleteLifecycleActionInput{
					AutoScalingGroupName: &s.group, LifecycleHookName: aws.String(hook), InstanceId: &a.Instance, LifecycleActionResult: aws.String("CONTINUE")})
				if err != nil {
					t.Fatal(err)
				}
			}
			s.Advance(30 * time.Minute)
			s.mustBeIdle()
			s.mustNotify("timed-out", 0)
			s.mustNotify("action-required", 0)
			s.mustNotify("drained", 0)
		})
	}
}

// TestSpotWarningAfterTheDrain warns of an instance whose drain is over.
func TestSpotWarningAfterTheDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.scaleIn(1)
	s.untilReleased()
	i := s.actions()[0].Instance
	s.Queue.Send(spotWarning(i))
	s.Advance(20 * time.Minute)
	s.mustRunOnce(1)
	s.mustNotify("drained", 1)
	s.mustNotify("command-failed", 0)
	s.mustBeIdle()
}

// TestEventsWithOtherTokens delivers the event again with another token, during the
// drain and after it.
func TestEventsWithOtherTokens(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{10 * time.Second, 130 * time.Second, 10 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("stop"), noSweep: true})
			s.scaleIn(1)
			s.untilHeld(1)
			a := s.actions()[0]
			s.Advance(after)
			s.Queue.Send(fmt.Sprintf(`{"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action","time":%q,"detail":{"LifecycleActionToken":"11111111-2222-3333-4444-555555555555","AutoScalingGroupName":%q,"LifecycleHookName":%q,"EC2InstanceId":%q,"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"}}`,
				s.Now().UTC().Format(time.RFC3339), s.group, hook, a.Instance))
			s.Advance(20 * time.Minute)
			s.mustComplete(1)
			s.mustRunOnce(1)
			s.mustNotify("drained", 1)
			s.mustNotify("timed-out", 0)
			s.mustBeIdle()
		})
	}
}

// TestScaleToZeroAndBack scales a group to zero and back while its instances drain.
func TestScaleToZeroAndBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 40, env: command("stop")})
	for range 3 {
		s.Scale(s.group, 0)
		s.Advance(20 * time.Second)
		s.Scale(s.group, 20)
		s.Advance(time.Minute)
	}
	s.Scale(s.group, 0)
	s.Advance(20 * time.Minute)
	s.mustComplete(len(s.actions()))
	s.mustCutNothing()
	s.mustBeIdle()
	for i, n := range s.runs() {
		if n != 1 {
			t.Errorf("the shutdown command ran %d times on %s", n, i)
		}
	}
}

// TestOneBadNameAmongGroups has one group's tag name a target group in a way that
// AWS refuses as a whole.
func TestOneBadNameAmongGroups(t *testing.T) {
	t.Parallel()
	arn := "arn:aws:elasticloadbalancing:" + region.Name + ":" + region.Account + ":targetgroup/"
	for _, bad := range []string{arn + "x/0000000000000000", arn + "we$b/x", arn + "x/y", "-web-", "nope"} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 900})
			good := s.group
			s.group = s.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 3, HealthCheck: "EC2", Tags: map[string]string{targetGroupsTag: bad}}).Group
			s.putHook(hook, 900)
			s.Scale(s.group, 1)
			s.Scale(good, 2)
			s.untilHeld(3)
			s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 3*time.Hour)
			s.mustHoldAtMost(5*time.Minute, "its requests had ended; a name of another group cannot be followed")
			s.mustCutNothing()
			s.mustNotify("action-required", 2)
		})
	}
}

// TestRootVolumeReplacedOnTheWayToTheWarmPool replaces the root volume of an
// instance that is about to return.
func TestRootVolumeReplacedOnTheWayToTheWarmPool(t *testing.T) {
	t.Parallel()
	for name, o := range warmPools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{region: o, env: command("stop")})
			s.reuse(true)
			s.scaleIn(1)
			s.untilHeld(1)
			s.Advance(10 * time.Second)
			i := s.actions()[0].Instance
			// As the documentation has it: another token, both ends the group.
			s.Queue.Send(fmt.Sprintf(`{"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action","time":%q,"detail":{"LifecycleActionToken":"11111111-2222-3333-4444-555555555555","AutoScalingGroupName":%q,"LifecycleHookName":%q,"EC2InstanceId":%q,"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","Origin":"AutoScalingGroup","Destination":"AutoScalingGroup","Action":"ReplaceRootVolume"}}`,
				s.Now().UTC().Format(time.RFC3339), s.group, hook, i))
			s.Advance(30 * time.Minute)
			s.mustComplete(1)
			s.mustRunOnce(0)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestUnknownInstanceAmongMany ends one instance of sixty that drain: the others
// run their commands and leave.
func TestUnknownInstanceAmongMany(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 61, env: command("stop"), region: region.Options{Throttling: true}})
	s.scaleIn(60)
	s.untilHeld(60)
	s.Advance(60 * time.Second)
	bad := s.actions()[7].Instance
	s.Terminate(bad)
	s.untilReleased()
	s.mustCutNothing()
	for _, a := range s.actions() {
		if a.Instance != bad && s.runs()[a.Instance] != 1 {
			t.Errorf("the shutdown command ran %d times on %s", s.runs()[a.Instance], a.Instance)
		}
	}
	s.mustHoldAtMost(4*time.Minute, "one instance of sixty was gone")
}

// many adds groups, each with a target group of its own and the hook.
func (s *scenario) many(n, instances int, delay time.Duration, heartbeat int32) (groups []string, users []*region.Stream) {
	first := s.group
	for k := range n {
		name := fmt.Sprintf("app-%03d", k)
		s.AddTargetGroup(region.TargetGroup{Name: name, Delay: delay})
		s.group = s.AddService(region.Service{Application: name, DeploymentGroup: "web", Instances: instances, HealthCheck: "EC2", Tags: map[string]string{targetGroupsTag: name}}).Group
		for _, i := range s.InService(s.group) {
			s.Register(name, i, 80)
		}
		s.putHook(hook, heartbeat)
		groups = append(groups, s.group)
		users = append(users, s.StartTraffic(region.Traffic{TargetGroup: name, PerSecond: 1, Mix: []time.Duration{time.Second, 50 * time.Second}}))
	}
	s.group = first
	s.Advance(3 * time.Minute)
	s.ForgetCalls()
	return groups, users
}

// TestSweepFindsManyGroups has the events of sixty groups be lost at once.
func TestSweepFindsManyGroups(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{Throttling: true}})
	groups, users := s.many(60, 3, time.Minute, 300)
	s.SetDelivery(lose)
	for _, g := range groups {
		s.Scale(g, 1)
	}
	s.Advance(15 * time.Minute)
	for _, u := range users {
		mustCutNone(t, u)
	}
	s.mustComplete(120)
	if n, all := s.throttled(), len(s.Calls()); n*20 > all {
		t.Errorf("%d of %d calls were throttled", n, all)
	}
	s.mustHoldAtMost(4*time.Minute, "its requests had ended")
	s.mustBeIdle()
}
