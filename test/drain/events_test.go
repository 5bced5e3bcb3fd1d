package drain

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

func lose(region.Delivery) []time.Duration { return region.Lost() }

func TestEventsLost(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.SetDelivery(lose)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.mustBeIdle()
}

func TestEventsDuplicatedAndReordered(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	n := 0
	s.SetDelivery(func(region.Delivery) []time.Duration {
		n++
		late := region.Duplicated(5)
		for i := range late {
			late[i] += time.Duration((n*37+i*61)%200) * time.Second
		}
		return append(late, 30*time.Minute)
	})
	s.scaleIn(3)
	s.untilReleased()
	s.Advance(time.Hour)
	s.mustComplete(3)
	s.mustRunOnce(3)
	s.mustCutNothing()
	s.mustBeIdle()
	if n := s.Made("CompleteLifecycleAction"); n != 3 {
		t.Errorf("3 actions were completed %d times: calls that other callers lack", n)
	}
}

// TestQueueDeliversEverythingTwice has SQS hand out every message twice, as it
// may: the function's messages to itself must not multiply.
func TestQueueDeliversEverythingTwice(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	invocations := 0
	s.Queue.Serve(func(payload []byte) ([]byte, error) {
		invocations += 2
		if _, err := s.Invoke(payload); err != nil {
			return nil, err
		}
		return s.Invoke(payload)
	})
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustRunOnce(2)
	s.mustCutNothing()
	s.mustBeIdle()
	if invocations > 200 {
		t.Errorf("%d invocations: each delivery leads to more of them", invocations)
	}
}

// stale is an Auto Scaling whose answer about its groups is 20 s old: terminating
// instances are still in service.
type stale struct {
	region.AutoScaling
	s *scenario
}

func (b stale) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, opts ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	out, err := b.AutoScaling.DescribeAutoScalingGroups(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	terminating := map[string]time.Time{}
	for _, a := range b.s.actions() {
		terminating[a.Instance] = a.Began
	}
	for _, group := range out.AutoScalingGroups {
		for i := range group.Instances {
			began, ok := terminating[aws.ToString(group.Instances[i].InstanceId)]
			if ok && b.s.Now().Before(began.Add(20*time.Second)) {
				group.Instances[i].LifecycleState = asgtypes.LifecycleStateInService
			}
		}
	}
	return out, nil
}

// TestEventAheadOfAutoScaling has the event arrive before Auto Scaling's own
// answers know of it. Nobody sweeps, so an event that is dropped is not made up for.
func TestEventAheadOfAutoScaling(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true})
	s.Function = s.functionWith(func(c *drain.Clients) { c.Groups = stale{s.AutoScaling(), s} })
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestEventWhoseDrainCannotBeSaved has the first write fail that would have saved a
// new drain. Then the event must be delivered again: nothing else knows of the
// instance.
func TestEventWhoseDrainCannotBeSaved(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"TransactWriteItems", "PutItem"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("stop"), noSweep: true})
			s.addGroup("jobs", 2)
			s.SetFaults(region.On(operation, 1, region.Fault{Before: region.Unavailable()}))
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(1)
			s.mustRunOnce(1)
			s.mustBeIdle()
		})
	}
}

func TestRebalanceRecommendation(t *testing.T) {
	t.Parallel()
	for response, drains := range map[string]bool{"notify": false, "drain": true} {
		t.Run(response, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"ON_REBALANCE": response}})
			i := s.InService(s.group)[0]
			s.RecommendRebalance(i)
			s.Advance(5 * time.Minute)
			s.mustDrain(i, drains)
			if !drains {
				s.mustNotify("announced", 1)
			}
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	for response, drains := range map[string]bool{"notify": false, "drain": true} {
		t.Run(response, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"ON_MAINTENANCE": response}})
			i := s.InService(s.group)[0]
			s.Maintenance(i)
			s.Advance(5 * time.Minute)
			s.mustNotify("announced", 1)
			s.mustMention("RETIREMENT", "operators cannot know what AWS has announced")
			s.mustDrain(i, drains)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestMaintenanceIsOver has AWS Health close an event: the instance serves on.
func TestMaintenanceIsOver(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"ON_MAINTENANCE": "drain"}})
	i := s.InService(s.group)[0]
	s.Queue.Send(fmt.Sprintf(`{"source":"aws.health","detail-type":"AWS Health Event","account":%q,"region":%q,"detail":{"service":"EC2","eventTypeCategory":"scheduledChange","statusCode":"closed","affectedEntities":[{"entityValue":%q}]}}`, region.Account, region.Name, i))
	s.Advance(5 * time.Minute)
	s.mustNotify("announced", 1)
	s.mustDrain(i, false)
}

func stateChange(instance, state string) string {
	return fmt.Sprintf(`{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","account":%q,"time":"2024-03-04T09:02:00Z","region":%q,"resources":["arn:aws:ec2:eu-west-1:123456789012:instance/%s"],"detail":{"instance-id":%q,"state":%q}}`,
		region.Account, region.Name, instance, instance, state)
}

// TestStateChange has somebody stop or terminate an instance at the console.
func TestStateChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		setting, state string
		drains         bool
		harm           string
	}{
		{"", "shutting-down", false, "a setting that is off by default acts"},
		{"off", "stopping", false, "a setting that is off acts"},
		{"drain", "stopping", true, "load balancers go on sending users to an instance that stops"},
		{"drain", "shutting-down", true, "load balancers go on sending users to an instance that is terminated"},
		{"drain", "running", false, "an instance that has just started is taken out of service"},
		{"drain", "terminated", false, "calls about an instance that no longer exists"},
	} {
		t.Run(c.setting+" "+c.state, func(t *testing.T) {
			t.Parallel()
			env := settings{}
			if c.setting != "" {
				env["ON_STATE_CHANGE"] = c.setting
			}
			s := newScenario(t, setup{env: env})
			i := s.InService(s.group)[0]
			s.Queue.Send(stateChange(i, c.state))
			s.Advance(10 * time.Second)
			if out := s.deregistered("side", i); out != c.drains {
				t.Errorf("deregistered: %t: %s", out, c.harm)
			}
			s.Advance(10 * time.Minute)
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}
