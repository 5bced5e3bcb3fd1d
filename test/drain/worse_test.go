package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

func spotWarning(instance string) string {
	return fmt.Sprintf(`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":%q}}`, instance)
}

// TestHookAddedByHand adds a hook while an instance waits for another one. The
// sweep cannot tell which of the two it waits for, and the one that has no action
// must not keep the other from its heartbeats.
func TestHookAddedByHand(t *testing.T) {
	w := newWorld(t, setting{delay: 5 * time.Minute, heartbeat: 120, mix: []time.Duration{time.Second, 280 * time.Second}})
	w.Advance(5 * time.Minute)
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	w.scaleIn(1)
	w.RunUntil(func() bool { return w.ActiveActions() > 0 }, 10*time.Minute)
	w.putHook("deployhooks-added", 120)
	w.settle()
	w.mustComplete(1)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestSpotAfterAnOrder has an instance interrupted that an operator had drained,
// and put back, or had let go as it is, hours ago.
func TestSpotAfterAnOrder(t *testing.T) {
	for _, action := range []string{"drain", "skip"} {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t, setting{})
			i := w.InService(w.group)[0]
			w.ask(`{"action":"` + action + `","instance":"` + i + `"}`)
			w.Advance(6 * time.Minute)
			w.Register("side", i, 80)
			w.Advance(5 * time.Hour)
			w.InterruptSpot(i)
			w.Advance(10 * time.Minute)
			w.mustLoseNothing()
			w.mustBeQuiet()
		})
	}
}

// TestSpotDuringALifecycleAction has EC2 take an instance back that a hook holds
// for longer than that leaves: people hear of what is cut off, and of the command.
func TestSpotDuringALifecycleAction(t *testing.T) {
	w := newWorld(t, setting{delay: 5 * time.Minute, heartbeat: 900, mix: []time.Duration{time.Second, 290 * time.Second}, config: drain.Config{Command: "stop"}})
	w.Advance(5 * time.Minute)
	w.scaleIn(1)
	w.RunUntil(func() bool { return w.ActiveActions() > 0 }, 10*time.Minute)
	w.Advance(10 * time.Second)
	w.InterruptSpot(w.terminations()[0].Instance)
	w.Advance(20 * time.Minute)
	if told := w.Subjects(); harness.Count(told, "Let go with requests in flight") != 1 || !strings.Contains(w.LastNotice(), "not run") {
		t.Errorf("told %q: %s", told, w.LastNotice())
	}
	w.mustBeQuiet()
}

// TestSpotInstanceOfAStranger has an instance interrupted whose group nobody has
// given into the function's hands: no command runs on it, and nobody is told.
func TestSpotInstanceOfAStranger(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	stranger := w.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2"})
	w.InterruptSpot(w.InService(stranger.Group)[0])
	w.Queue.Send(spotWarning("i-0eeeeeeeeeeeeeee1"))
	w.Advance(10 * time.Minute)
	if runs, told := w.runs(), w.Subjects(); len(runs) > 0 || len(told) > 0 {
		t.Errorf("commands ran on %v, and people were told %q", runs, told)
	}
	w.mustBeQuiet()
}

// TestTheSecondTimeFromTheWarmPool has an instance go twice. The first time its
// event is lost and the sweep takes it up, which knows no token.
func TestTheSecondTimeFromTheWarmPool(t *testing.T) {
	w := newWorld(t, setting{})
	reuse := func(on bool) {
		_, err := w.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
			AutoScalingGroupName: &w.group, InstanceReusePolicy: &asgtypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(on)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	reuse(true)
	w.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	w.scaleIn(1)
	w.settle()
	first := w.terminations()[0].Instance
	w.SetDelivery(nil)
	w.Scale(w.group, 4)
	w.Advance(10 * time.Minute)
	reuse(false)
	w.Register("side", first, 80)
	w.Advance(time.Minute)
	before := len(w.terminations())
	w.Scale(w.group, 0)
	w.Advance(20 * time.Minute)
	for _, a := range w.terminations()[before:] {
		if a.Ending != region.Completed {
			t.Errorf("%s ended as %q after %s", a.Instance, a.Ending, a.Ended.Sub(a.Began))
		}
	}
	w.mustLoseNothing()
}

// deafTopic takes as long to fail as the SDK's tries of a service that hangs.
type deafTopic struct{}

func (deafTopic) Publish(ctx context.Context, _ *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	return nil, errors.New("dial tcp: i/o timeout")
}

// TestSNSThatHangs holds that instances go although nobody can be told of them,
// those about which there is nothing to tell at once, and that no invocation is
// cut off in the middle.
func TestSNSThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setting{tags: map[string]string{drain.CommandTag: "stop"}, instances: 6})
		jobs := w.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 4, HealthCheck: "EC2"})
		shop := w.group
		w.group = jobs.Group
		w.putHook(hook, 300)
		w.group = shop
		n := 0
		w.OnCommand(func(region.CommandRun) region.CommandResult { n++; return region.CommandResult{Failed: int32(n % 2)} })
		publisher := notice.New(notice.Config{TopicARN: "arn", EventBus: "default"}, "drain", deafTopic{}, w.EventBridge(), io.Discard, w.Now)
		w.Function = drain.New(drain.Config{QueueURL: w.Queue.URL(), Table: "drains", Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute}, drain.Clients{
			Groups: w.AutoScaling(), Balancers: w.ELBV2(), Deployments: w.CodeDeploy(), Commands: w.SSM(), Queue: w.SQS(), Database: w.DynamoDB(),
		}, publisher, harness.Logger(), w.Now)
		var longest time.Duration
		w.Queue.Serve(func(payload []byte) ([]byte, error) {
			began := time.Now()
			defer func() { longest = max(longest, time.Since(began)) }()
			return w.Invoke(payload)
		})
		w.scaleIn(4)
		w.Advance(90 * time.Second)
		w.Scale(jobs.Group, 2) // nothing to wait for, nothing to tell
		w.Advance(30 * time.Minute)
		if longest > config.Timeout/2 {
			t.Errorf("an invocation takes %s", longest)
		}
		for _, a := range w.terminations() {
			held := a.Ended.Sub(a.Began)
			if a.Ending != region.Completed || held > 10*time.Minute || a.Group == jobs.Group && held > 30*time.Second {
				t.Errorf("%s of %s ended as %q after %s", a.Instance, a.Group, a.Ending, held)
			}
		}
		w.mustRunOnce(4)
		w.mustLoseNothing()
	})
}

// TestAWarningSpoilsNoBatch holds that what cannot be told keeps no other message
// of its batch, and that what fails has nothing told again.
func TestAWarningSpoilsNoBatch(t *testing.T) {
	t.Run("nobody can be told", func(t *testing.T) {
		w := newWorld(t, setting{})
		w.SetFaults(region.On("Publish", 0, region.Fault{Before: region.Unavailable()}))
		running := w.InService(w.group)
		w.RecommendRebalance(running[2])
		w.Queue.Send(spotWarning(running[0]))
		w.Advance(20 * time.Minute)
		if dead := w.Queue.DeadLetters(); len(dead) != 1 || !strings.Contains(dead[0].Body, "Rebalance") {
			t.Errorf("given up: %+v", dead)
		}
	})
	t.Run("the table cannot be read", func(t *testing.T) {
		w := newWorld(t, setting{noSweep: true})
		w.SetFaults(region.On("Scan", 0, region.Fault{Before: region.Unavailable()}))
		w.RecommendRebalance(w.InService(w.group)[0])
		w.Queue.Send(`{"action":"sweep"}`)
		w.Advance(20 * time.Minute)
		if told := w.Subjects(); len(told) != 1 {
			t.Errorf("told %q", told)
		}
	})
}

// TestThrottledCommand holds that a command that was certainly not sent is sent
// at the next look.
func TestThrottledCommand(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	w.SetFaults(region.On("SendCommand", 1, region.Fault{Before: region.Throttled()}))
	w.InterruptSpot(w.InService(w.group)[0])
	w.Advance(5 * time.Minute)
	w.mustRunOnce(1)
	w.mustBeQuiet()
}

// TestOneTargetThatIsNotTaken has AWS refuse to deregister one instance, which
// keeps no other.
func TestOneTargetThatIsNotTaken(t *testing.T) {
	w := newWorld(t, setting{instances: 9})
	bad := ""
	w.SetFaults(func(c region.Call) region.Fault {
		in, ok := c.Input.(*elb.DeregisterTargetsInput)
		if !ok || !strings.Contains(aws.ToString(in.TargetGroupArn), "/side/") {
			return region.Fault{}
		}
		for _, target := range in.Targets {
			if bad == "" {
				bad = aws.ToString(target.Id)
			}
			if aws.ToString(target.Id) == bad {
				return region.Fault{Before: &smithy.GenericAPIError{Code: "InvalidTarget", Message: "The following targets are not valid"}}
			}
		}
		return region.Fault{}
	})
	w.scaleIn(8)
	w.settle()
	w.mustComplete(8)
	for _, a := range w.terminations() {
		if held := a.Ended.Sub(a.Began); a.Instance != bad && held > 5*time.Minute {
			t.Errorf("%s was held %s for another's sake", a.Instance, held)
		}
	}
	if harness.Count(w.Subjects(), bad) == 0 {
		t.Errorf("nobody is told that %s cannot be taken out: %q", bad, w.Subjects())
	}
}

// meanwhile is an Elastic Load Balancing at which something else happens
// whenever targets are asked about.
type meanwhile struct {
	region.ELBV2
	happens func()
}

func (m meanwhile) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, opts ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	out, err := m.ELBV2.DescribeTargetHealth(ctx, in, opts...)
	m.happens()
	return out, err
}

// TestSweepDuringALook has the sweep come in the middle of each look, in another
// environment: what is under way is left to that look.
func TestSweepDuringALook(t *testing.T) {
	w := newWorld(t, setting{instances: 10, config: drain.Config{Command: "stop"}, noSweep: true})
	other := w.function(drain.Config{Command: "stop"})
	var busy atomic.Bool
	w.Function = w.functionWith(drain.Config{Command: "stop"}, func(c *drain.Clients) {
		c.Balancers = meanwhile{w.ELBV2(), func() {
			if !busy.CompareAndSwap(false, true) {
				return
			}
			defer busy.Store(false)
			if _, err := other.Invoke(t.Context(), []byte(`{"action":"sweep"}`)); err != nil {
				t.Error(err)
			}
		}}
	})
	w.scaleIn(5)
	w.settle()
	w.mustComplete(5)
	w.mustRunOnce(5)
	if n := w.Made("CompleteLifecycleAction"); n > 5 {
		t.Errorf("%d completions of 5 actions", n)
	}
	if told := w.Subjects(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
}

// TestManyShortHooks holds what the README says of hooks that wait for less than
// is asked for: a third of a second for each instance that leaves at once.
func TestManyShortHooks(t *testing.T) {
	for heartbeat, instances := range map[int32]int{30: 90, 60: 180, 120: 360} {
		w := newWorld(t, setting{instances: instances + 1, heartbeat: heartbeat, perSecond: 5, mix: []time.Duration{time.Second, 110 * time.Second}, region: region.Options{Throttling: true}})
		w.scaleIn(instances)
		w.RunUntil(func() bool { return len(w.terminations()) == instances }, 10*time.Minute)
		w.RunUntil(func() bool { return w.ActiveActions() == 0 }, time.Hour)
		w.mustComplete(instances)
		w.mustLoseNothing()
		for _, a := range w.terminations() {
			if held := a.Ended.Sub(a.Began); held > 5*time.Minute {
				t.Fatalf("hooks of %d s: %s was held %s", heartbeat, a.Instance, held)
			}
		}
	}
}
