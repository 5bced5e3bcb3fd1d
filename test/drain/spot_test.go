package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

func spotWarning(instance string) string {
	return fmt.Sprintf(`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":%q}}`, instance)
}

func TestSpotInterruption(t *testing.T) {
	t.Parallel()
	displays(t, func(t *testing.T, o region.Options) {
		s := newScenario(t, setup{region: o, env: command("stop")})
		i := s.InService(s.group)[0]
		s.InterruptSpot(i)
		s.Advance(90 * time.Second)
		if failed := s.side.Total().Failed; failed > 0 {
			t.Errorf("%d requests failed before the instance was even gone", failed)
		}
		s.Advance(28 * time.Second)
		if n := s.runs()[i]; n != 1 {
			t.Errorf("the shutdown command ran %d times before EC2 took the instance back: what it should save is lost", n)
		}
		s.Advance(10 * time.Minute)
		s.mustCutNothing()
		s.mustBeIdle()
		s.mustRunOnce(1)
	})
}

// TestSpotOutOfTargetGroupsWhateverElseFails has one question after the other fail
// from the warning on. Each second in a target group is a second of requests that
// fail two minutes later.
func TestSpotOutOfTargetGroupsWhateverElseFails(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		"DescribeTargetGroupAttributes", "DescribeLifecycleHooks", "DescribeWarmPool", "GetDeployment", "DescribeLoadBalancerAttributes",
		"ListCommands", "ListCommandInvocations", "SendCommand", "Query", "Scan", "BatchGetItem", "PutItem", "TransactWriteItems", "SendMessage", "PutEvents", "Publish",
	} {
		for name, fault := range map[string]error{"503": region.Unavailable(), "denied": region.AccessDenied("")} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{env: settings{"COMMAND": "stop", "TARGET_GROUPS": "no-such-group"}, delay: 60 * time.Second})
				i := s.InService(s.group)[0]
				s.SetFaults(region.On(operation, 0, region.Fault{Before: fault}))
				s.InterruptSpot(i)
				s.Advance(10 * time.Second)
				if !s.deregistered("side", i) || !s.deregistered("web", i) {
					t.Errorf("ten seconds after its warning %s still gets requests, of side: %t, of web: %t", i, !s.deregistered("side", i), !s.deregistered("web", i))
				}
				s.Advance(10 * time.Minute)
				s.mustCutNothing()
			})
		}
	}
}

// TestSpotOfManyInstances has EC2 take back half a fleet at once.
func TestSpotOfManyInstances(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 100, perSecond: 5, mix: []time.Duration{time.Second, 20 * time.Second}, region: region.Options{Throttling: true}})
	interrupted := s.InService(s.group)[:50]
	for _, i := range interrupted {
		s.InterruptSpot(i)
	}
	s.Advance(10 * time.Second)
	for _, i := range interrupted {
		s.mustDrain(i, true)
	}
	s.Advance(10 * time.Minute)
	s.mustCutNothing()
	s.mustBeIdle()
	if n := s.throttled(); n > 0 {
		t.Errorf("%d calls beyond the rates that the account's other callers share", n)
	}
}

// TestSpotOfManyGroups has EC2 take back instances of groups with a target group each,
// as many at once as Elastic Load Balancing's rates allow to leave in ten seconds.
func TestSpotOfManyGroups(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{Throttling: true}})
	var interrupted []string
	in := map[string]string{} // target group of each
	for n := range 30 {
		name := fmt.Sprintf("app-%d", n)
		s.AddTargetGroup(region.TargetGroup{Name: name, Delay: time.Minute})
		group := s.AddService(region.Service{Application: name, DeploymentGroup: "web", Instances: 3, HealthCheck: "EC2", Tags: map[string]string{targetGroupsTag: name}}).Group
		for _, i := range s.InService(group) {
			s.Register(name, i, 80)
		}
		for _, i := range s.InService(group)[:2] {
			interrupted, in[i] = append(interrupted, i), name
		}
	}
	s.Advance(3 * time.Minute)
	s.ForgetCalls()
	for _, i := range interrupted {
		s.InterruptSpot(i)
	}
	s.Advance(10 * time.Second)
	still := 0
	for _, i := range interrupted {
		if !s.deregistered(in[i], i) {
			still++
		}
	}
	if still > 0 {
		t.Errorf("%d of %d interrupted instances get requests ten seconds after their warning", still, len(interrupted))
	}
	if n := s.throttled(); n > 0 {
		t.Errorf("%d calls beyond the rates that the account's other callers share", n)
	}
}

// TestSpotAfterARequest interrupts an instance that an operator had drained, and put
// back, or released without draining, hours ago.
func TestSpotAfterARequest(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"drain", "skip"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{})
			i := s.InService(s.group)[0]
			s.action(action, i)
			s.Advance(6 * time.Minute)
			s.Register("side", i, 80)
			s.Advance(5 * time.Hour)
			s.InterruptSpot(i)
			s.Advance(10 * time.Minute)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestSpotDuringALifecycleAction has EC2 take an instance back that a hook holds for
// longer than that leaves: the command runs while it still can, and operators are
// notified of what is cut off.
func TestSpotDuringALifecycleAction(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: 5 * time.Minute, heartbeat: 900, mix: []time.Duration{time.Second, 290 * time.Second}, env: command("stop")})
	s.Advance(5 * time.Minute)
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	s.InterruptSpot(s.actions()[0].Instance)
	s.Advance(20 * time.Minute)
	s.mustRunOnce(1)
	s.mustNotify("deadline-passed", 1)
	s.mustBeIdle()
}

// TestSpotOutOfScope interrupts an instance whose Auto Scaling group has no hook of
// ours: no command runs on it, and nobody is notified.
func TestSpotOutOfScope(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	other := s.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2"})
	s.InterruptSpot(s.InService(other.Group)[0])
	s.Queue.Send(spotWarning("i-0eeeeeeeeeeeeeee1"))
	s.Advance(10 * time.Minute)
	s.mustRunOnce(0)
	s.mustNotNotify("the instance is somebody else's")
	s.mustBeIdle()
}

func TestSpotOff(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"COMMAND": "stop", "ON_SPOT_INTERRUPTION": "off"}})
	i := s.InService(s.group)[0]
	s.Queue.Send(spotWarning(i))
	s.Advance(10 * time.Minute)
	s.mustDrain(i, false)
	s.mustRunOnce(0)
	s.mustNotNotify("Spot interruptions are switched off")
	s.mustBeIdle()
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustRunOnce(1)
}

// TestSpotThenTerminateHook has Auto Scaling find out, minutes after EC2 took the
// instance back, that it is gone, and only then run the terminate hook.
func TestSpotThenTerminateHook(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	i := s.InService(s.group)[0]
	s.InterruptSpot(i)
	s.Advance(20 * time.Minute)
	s.mustRunOnce(1)
	s.mustNotify("drained", 1)
	mustBeQuietAbout(s, i, 30*time.Second)
}

// mustBeQuietAbout fails if the terminate hook of an instance that EC2 has ended
// waits for its timeout, or leads to advice that fits instances that still run.
func mustBeQuietAbout(s *scenario, instance string, atMost time.Duration) {
	s.t.Helper()
	for _, a := range s.actions() {
		if a.Instance == instance && a.Ending != region.InstanceGone && (a.Ending != region.Completed || held(a) > atMost) {
			s.t.Errorf("the hook of %s ended as %q after %s although the instance was gone: its replacement came late", instance, a.Ending, held(a))
		}
	}
	if text := strings.ToLower(s.texts()); strings.Contains(text, "agent") {
		s.t.Errorf("operators are advised about the SSM agent of an instance that EC2 has ended:\n%s", text)
	}
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestSpotWarningLate has the warning come late: EC2's two minutes began when EC2 said
// so, not when the function got to know.
func TestSpotWarningLate(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{30 * time.Second, 45 * time.Second, 70 * time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{delay: 5 * time.Minute, env: command("stop")})
			s.SetDelivery(func(region.Delivery) []time.Duration { return []time.Duration{late} })
			i := s.InService(s.group)[0]
			s.InterruptSpot(i)
			s.Advance(119 * time.Second)
			if n := s.runs()[i]; n != 1 {
				t.Errorf("the shutdown command ran %d times before EC2 took the instance back: what it should save is lost", n)
			}
			s.Advance(20 * time.Minute)
			s.mustBeIdle()
		})
	}
}

// TestStaleTickBesideASpotWarning has a tick that another environment has taken
// come in the batch of a Spot warning.
func TestStaleTickBesideASpotWarning(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: 60 * time.Second, noSweep: true})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(20 * time.Second)
	i := s.InService(s.group)[0]
	old := fmt.Sprintf(`{"continue":{"tick":{"slot":%d}}}`, s.Now().Add(-time.Minute).Unix())
	record := func(id, body string) string {
		return fmt.Sprintf(`{"messageId":%q,"eventSource":"aws:sqs","eventSourceARN":%q,"body":%q}`, id, s.Queue.ARN(), body)
	}
	batch := `{"Records":[` + record("a", old) + "," + record("b", spotWarning(i)) + `]}`
	if answer, err := s.Invoke([]byte(batch)); err != nil || strings.Contains(string(answer), `"itemIdentifier"`) {
		t.Fatalf("%s, %v", answer, err)
	}
	if !s.deregistered("side", i) {
		t.Errorf("%s still gets requests after its warning: a tick that was used up took the budget away", i)
	}
}

// TestStandbyAndDetachedDuringASpotDrain moves the interrupted instance out of its group: EC2
// takes it back all the same, and its command has to run before.
func TestStandbyAndDetachedDuringASpotDrain(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"standby", "detached"} {
		for _, after := range []time.Duration{0, 5 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(how, after), func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{delay: 60 * time.Second, env: command("stop")})
				i := s.InService(s.group)[0]
				s.InterruptSpot(i)
				s.Advance(after)
				var err error
				if how == "standby" {
					_, err = s.AutoScaling().EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{AutoScalingGroupName: &s.group, InstanceIds: []string{i}, ShouldDecrementDesiredCapacity: aws.Bool(true)})
				} else {
					_, err = s.AutoScaling().DetachInstances(t.Context(), &autoscaling.DetachInstancesInput{AutoScalingGroupName: &s.group, InstanceIds: []string{i}, ShouldDecrementDesiredCapacity: aws.Bool(true)})
				}
				if err != nil {
					t.Fatal(err)
				}
				s.Advance(119*time.Second - after)
				s.mustDrain(i, true)
				if n := s.runs()[i]; n != 1 && after > 0 {
					t.Errorf("the shutdown command ran %d times on an instance that EC2 takes back", n)
				}
				s.Advance(20 * time.Minute)
				s.mustCutNothing()
				s.mustBeIdle()
			})
		}
	}
}
