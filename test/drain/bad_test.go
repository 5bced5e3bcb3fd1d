package drain

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/pkg/drain"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

func TestEventsLost(t *testing.T) {
	w := newWorld(t, setting{})
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

func TestEventsDuplicatedAndReordered(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	n := 0
	w.SetDelivery(func(region.Delivery) []time.Duration {
		n++
		late := region.Duplicated(5)
		for i := range late {
			late[i] += time.Duration((n*37+i*61)%200) * time.Second
		}
		return append(late, 30*time.Minute)
	})
	w.scaleIn(3)
	w.settle()
	w.Advance(time.Hour)
	w.mustComplete(3)
	w.mustRunOnce(3)
	w.mustLoseNothing()
	w.mustBeQuiet()
	if n := w.Made("CompleteLifecycleAction"); n != 3 {
		t.Errorf("completed %d times", n)
	}
}

func TestKilledAfterEachCall(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
		killed := w.KillAfter(n)
		w.scaleIn(2)
		w.settle()
		all := !*killed
		w.SetFaults(nil)
		w.mustComplete(2)
		w.mustRunOnce(2)
		w.mustLoseNothing()
		w.mustBeQuiet()
		if harness.Count(w.Subjects(), "Drained and shut down") == 0 {
			t.Errorf("nobody was told what the command said: %q", w.Subjects())
		}
		if t.Failed() {
			t.Fatalf("killed after call %d", n)
		}
		if all {
			if n < 20 {
				t.Errorf("a drain takes %d calls only: not much was killed", n-1)
			}
			return
		}
	}
}

// TestQueueRedeliversEverything hands every message out twice, as SQS may: the
// chain of ticks must not double each time.
func TestQueueRedeliversEverything(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	invocations := 0
	w.Queue.Serve(func(payload []byte) ([]byte, error) {
		invocations += 2
		if _, err := w.Invoke(payload); err != nil {
			return nil, err
		}
		return w.Invoke(payload)
	})
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustRunOnce(2)
	w.mustLoseNothing()
	w.mustBeQuiet()
	if invocations > 200 {
		t.Errorf("%d invocations: each delivery breeds others", invocations)
	}
}

func TestTerminatedByHandMeanwhile(t *testing.T) {
	w := newWorld(t, setting{})
	w.scaleIn(1)
	w.RunUntil(func() bool { return w.ActiveActions() > 0 }, 5*time.Minute)
	w.Advance(10 * time.Second)
	w.Terminate(w.terminations()[0].Instance)
	w.Advance(5 * time.Minute)
	w.mustBeQuiet()
}

func TestTargetGroupDeletedMeanwhile(t *testing.T) {
	w := newWorld(t, setting{})
	w.scaleIn(1)
	w.RunUntil(func() bool { return w.ActiveActions() > 0 }, 5*time.Minute)
	w.Advance(10 * time.Second)
	w.side.Stop()
	w.DeleteTargetGroup("side")
	w.settle()
	w.mustComplete(1)
	w.mustBeQuiet()
}

// TestAccessDenied has each call of the function denied by itself: people hear
// which permission is missing, not over and over, and no instance is stuck.
func TestAccessDenied(t *testing.T) {
	// Without these nobody knows what is in flight, or can let the instance go.
	holds := map[string]bool{"DescribeAutoScalingGroups": true, "DescribeTargetHealth": true, "DeregisterTargets": true, "CompleteLifecycleAction": true, "ListCommandInvocations": true}
	for _, operation := range []string{
		"DescribeAutoScalingGroups", "DescribeAutoScalingInstances", "DescribeLifecycleHooks", "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat",
		"DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeTargetHealth", "DeregisterTargets",
		"SendCommand", "ListCommands", "ListCommandInvocations", "GetDeployment",
		"SendMessage", "Scan", "PutItem", "TransactWriteItems", "PutEvents", "Publish",
	} {
		t.Run(operation, func(t *testing.T) {
			w := newWorld(t, setting{config: drain.Config{Command: "stop", Deadline: 10 * time.Minute}, heartbeat: 120, mix: []time.Duration{time.Second, 100 * time.Second}})
			denied := region.On(operation, 0, region.Fault{Before: region.AccessDenied("")})
			lost := region.On("SendCommand", 1, region.Fault{After: region.TimedOut()}) // so that commands are listed
			w.SetFaults(func(c region.Call) region.Fault {
				if f := denied(c); f != (region.Fault{}) {
					return f
				}
				return lost(c)
			})
			w.Queue.Send(`{"action":"drain","instance":"` + w.InService(w.group)[0] + `"}`) // so that groups are looked up
			w.scaleIn(2)
			w.Advance(25 * time.Minute)
			if n := w.ActiveActions(); n > 0 {
				t.Errorf("%d instances are stuck", n)
			}
			for _, a := range w.terminations() {
				if held := a.Ended.Sub(a.Began); !holds[operation] && held > 8*time.Minute {
					t.Errorf("%s was held %s for a permission that it could do without", a.Instance, held)
				}
			}
			switch operation {
			case "GetDeployment": // not asked: CodeDeploy did not make this group
				return
			case "PutEvents": // people hear it with the next notice
				if !strings.Contains(w.LastNotice(), "events:PutEvents") {
					t.Errorf("the notice does not name the missing permission: %s", w.LastNotice())
				}
				return
			case "Publish": // other systems hear, people cannot
				if w.Made("PutEvents") == 0 {
					t.Error("nobody was told of anything")
				}
				return
			}
			if n := harness.Count(w.Subjects(), "Draining needs you"); n < 1 || n > 3 {
				t.Errorf("told %d times: %q", n, w.Subjects())
			}
			named := strings.Join(w.Texts(), "\n")
			if action := map[string]string{"TransactWriteItems": "PutItem"}[operation]; !strings.Contains(named, operation) && (action == "" || !strings.Contains(named, action)) {
				t.Errorf("the notices do not name the missing permission: %s", named)
			}
		})
	}
}

// TestDelayOfAnHour shows that a long poll of most of an hour gets its time,
// with a hook that would time out twenty times meanwhile.
func TestDelayOfAnHour(t *testing.T) {
	w := newWorld(t, setting{delay: time.Hour, heartbeat: 180, mix: []time.Duration{time.Second, 50 * time.Minute}})
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

func TestHeartbeatOfHalfAMinute(t *testing.T) {
	w := newWorld(t, setting{heartbeat: 30, mix: []time.Duration{time.Second, 110 * time.Second}})
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	if w.Made("RecordLifecycleActionHeartbeat") == 0 {
		t.Error("no heartbeat was needed: nothing is shown")
	}
}

// TestDeadline shows that an instance is let go with a word on what was still
// in flight.
func TestDeadline(t *testing.T) {
	w := newWorld(t, setting{delay: 30 * time.Minute, mix: []time.Duration{time.Second, 25 * time.Minute}, config: drain.Config{Deadline: 4 * time.Minute}})
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustBeQuiet()
	if told := w.Subjects(); harness.Count(told, "Let go with requests in flight") != 1 || !strings.Contains(w.LastNotice(), "side:80") {
		t.Errorf("told %q: %s", told, w.LastNotice())
	}
}

// TestOneStuckDrain shows that a drain that cannot end holds up no other.
func TestOneStuckDrain(t *testing.T) {
	w := newWorld(t, setting{})
	var stuck string
	w.SetFaults(func(c region.Call) region.Fault {
		if id := completes(c); id != "" && (stuck == "" || stuck == id) {
			stuck = id
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	w.scaleIn(3)
	w.RunUntil(func() bool { return len(w.terminations()) == 3 }, 5*time.Minute)
	w.Advance(5 * time.Minute)
	if n := w.ActiveActions(); n != 1 {
		t.Errorf("%d instances wait, want only the stuck one", n)
	}
	w.SetFaults(nil)
	w.settle()
	w.mustComplete(3)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestThrottledStorm has two hundred instances leave while one call in six is
// throttled, after all the tries that the SDK would make, from beginning to end.
func TestThrottledStorm(t *testing.T) {
	w := newWorld(t, setting{instances: 201, heartbeat: 600, perSecond: 5, region: region.Options{Throttling: true}})
	w.SetFaults(region.OneIn(6, 1, region.Fault{Before: region.Throttled()}))
	w.scaleIn(200)
	w.RunUntil(func() bool { return len(w.terminations()) == 200 }, 10*time.Minute)
	w.RunUntil(func() bool { return w.ActiveActions() == 0 }, 20*time.Minute)
	w.SetFaults(nil)
	w.settle()
	w.mustComplete(200)
	w.mustLoseNothing()
	if told := w.Subjects(); harness.Count(told, "requests in flight") > 0 {
		t.Errorf("instances came to their deadline: %q", told)
	}
}

// TestOutage has one call in four fail from beginning to end, after all the tries
// that the SDK would make, under a hook of five minutes.
func TestOutage(t *testing.T) {
	for story, fault := range map[string]region.Fault{
		"throttling":             {Before: region.Throttled()},
		"503":                    {Before: region.Unavailable()},
		"time-outs with effects": {After: region.TimedOut()},
	} {
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(story, " ", seed), func(t *testing.T) {
				w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
				w.SetFaults(region.OneIn(4, seed, fault))
				w.scaleIn(3)
				w.RunUntil(func() bool { return len(w.terminations()) == 3 }, 5*time.Minute)
				w.Advance(10 * time.Minute)
				w.SetFaults(nil)
				w.settle()
				w.mustComplete(3)
				w.mustLoseNothing()
				notes := strings.Join(w.Texts(), "\n")
				for _, a := range w.terminations() {
					// A command that may have been sent is not sent again before SSM
					// is sure to list it, which there may be no time for.
					if n := w.runs()[a.Instance]; n > 1 || n == 0 && !strings.Contains(notes, a.Instance+" (") {
						t.Errorf("the shutdown command ran %d times on %s; told %s", n, a.Instance, notes)
					}
				}
				if told := w.Subjects(); len(told) > 10 {
					t.Errorf("%d notices of three instances: %q", len(told), told)
				}
			})
		}
	}
}

// hanging is an SSM that takes commands and never answers.
type hanging struct{ region.SSM }

func (hanging) SendCommand(ctx context.Context, _ *ssm.SendCommandInput, _ ...func(*ssm.Options)) (*ssm.SendCommandOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestSSMThatHangs holds that a service that hangs does not hang the function:
// an invocation ends well within the minute that it has, in the time of a
// bubble, and the instances are let go when the command's time is over.
func TestSSMThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{config: drain.Config{Command: "systemctl stop shop"}})
		w.Function = w.functionWith(drain.Config{Command: "systemctl stop shop"}, func(c *drain.Clients) { c.Commands = hanging{w.SSM()} })
		var longest time.Duration
		w.Queue.Serve(func(payload []byte) ([]byte, error) {
			began := time.Now()
			defer func() { longest = max(longest, time.Since(began)) }()
			return w.Invoke(payload)
		})
		w.scaleIn(2)
		w.settle()
		w.mustComplete(2)
		w.mustLoseNothing()
		if longest == 0 || longest > 50*time.Second {
			t.Errorf("an invocation takes %s of its 60 s", longest)
		}
	})
}

// stale is an Auto Scaling whose groups are behind by twenty seconds: whatever
// goes is in service still.
type stale struct {
	region.AutoScaling
	w *world
}

func (s stale) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, opts ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	out, err := s.AutoScaling.DescribeAutoScalingGroups(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	going := map[string]time.Time{}
	for _, a := range s.w.terminations() {
		going[a.Instance] = a.Began
	}
	for _, group := range out.AutoScalingGroups {
		for i := range group.Instances {
			began, ok := going[aws.ToString(group.Instances[i].InstanceId)]
			if ok && s.w.Now().Before(began.Add(20*time.Second)) {
				group.Instances[i].LifecycleState = asgtypes.LifecycleStateInService
			}
		}
	}
	return out, nil
}

// TestEventFasterThanAutoScaling holds that an event that is ahead of what Auto
// Scaling itself says is not dropped: nobody sweeps here.
func TestEventFasterThanAutoScaling(t *testing.T) {
	w := newWorld(t, setting{noSweep: true})
	w.Function = w.functionWith(drain.Config{}, func(c *drain.Clients) { c.Groups = stale{w.AutoScaling(), w} })
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestPartOfABatchFails holds that a message that nobody understands goes to the
// dead-letter queue by itself, and that an order that cannot be is refused.
func TestPartOfABatchFails(t *testing.T) {
	w := newWorld(t, setting{})
	w.Queue.Send(`{"action":"dr`)
	w.Queue.Send(`{"action":"drain","instance":"clock"}`)
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	w.Advance(10 * time.Minute)
	if dead := w.Queue.DeadLetters(); len(dead) != 2 {
		t.Errorf("%d messages were given up, want the two bad ones", len(dead))
	}
}

// TestDamagedItem holds that one item that cannot be read keeps no other drain.
func TestDamagedItem(t *testing.T) {
	w := newWorld(t, setting{})
	_, err := w.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: map[string]types.AttributeValue{
		"instance": &types.AttributeValueMemberS{Value: "i-0damaged"}, "version": &types.AttributeValueMemberN{Value: "1"},
		"state": &types.AttributeValueMemberS{Value: "{"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
}

// TestTickFromTheFuture holds that no message can stop the clock.
func TestTickFromTheFuture(t *testing.T) {
	w := newWorld(t, setting{})
	w.Queue.Send(`{"action":"tick","slot":9999999999}`)
	w.Advance(time.Minute)
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	if _, err := w.Function.Invoke(t.Context(), []byte(`{"action":"tick","slot":1}`)); err == nil {
		t.Error("an operator may tick")
	}
}

// TestNoticesThatFail holds that a notice that cannot go out stops no drain.
func TestNoticesThatFail(t *testing.T) {
	w := newWorld(t, setting{})
	w.SetFaults(region.On("Publish", 0, region.Fault{Before: region.AccessDenied("")}))
	w.RecommendRebalance(w.InService(w.group)[0])
	w.scaleIn(2)
	w.RunUntil(func() bool { return len(w.terminations()) == 2 }, 5*time.Minute)
	w.RunUntil(func() bool { return w.ActiveActions() == 0 }, 10*time.Minute)
	w.mustComplete(2)
	w.mustLoseNothing()
}

// TestDeniedCompletionIsToldOnce holds that an end that cannot be brought about
// is not told at every look.
func TestDeniedCompletionIsToldOnce(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "systemctl stop shop"}})
	w.SetFaults(region.On("CompleteLifecycleAction", 0, region.Fault{Before: region.AccessDenied("")}))
	w.scaleIn(2)
	w.Advance(30 * time.Minute)
	if told := w.Subjects(); len(told) > 6 {
		t.Errorf("%d notices of one fault: %q…", len(told), told[:6])
	}
	w.SetFaults(nil)
	w.settle()
	w.mustRunOnce(2)
}
