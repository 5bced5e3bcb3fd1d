package drain

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

// TestLaunchHookOfOurs has a launch hook's name match the function's pattern: its
// instances are not this function's, and nobody waits for it when one terminates.
func TestLaunchHookOfOurs(t *testing.T) {
	t.Parallel()
	for how, lost := range map[string]bool{"by the event": false, "by the sweep": true} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{})
			_, err := s.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
				AutoScalingGroupName: &s.group, LifecycleHookName: aws.String("deployhooks-launch"), HeartbeatTimeout: aws.Int32(60),
				LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"), DefaultResult: aws.String("CONTINUE"),
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Scale(s.group, 5)
			s.Advance(5 * time.Minute)
			if lost {
				s.SetDelivery(lose)
			}
			s.scaleIn(1)
			s.Advance(10 * time.Minute)
			for _, c := range s.Calls() {
				switch in := c.Input.(type) {
				case *autoscaling.CompleteLifecycleActionInput:
					if aws.ToString(in.LifecycleHookName) != hook {
						t.Errorf("%s is completed: an instance is in service before it is ready, or a call is wasted", *in.LifecycleHookName)
					}
				case *autoscaling.RecordLifecycleActionHeartbeatInput:
					if aws.ToString(in.LifecycleHookName) != hook {
						t.Errorf("%s gets a heartbeat", *in.LifecycleHookName)
					}
				}
			}
			s.mustNotNotify("the launch hook is another's")
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestDamagedItemOfAWaitingInstance has the records of waiting instances be damaged and
// their events be lost: the sweep takes them up all the same.
func TestDamagedItemOfAWaitingInstance(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 3600})
	for _, i := range s.InService(s.group) {
		item := map[string]types.AttributeValue{
			"instance": &types.AttributeValueMemberS{Value: i}, "open": &types.AttributeValueMemberS{Value: "open"},
			"version": &types.AttributeValueMemberN{Value: "1"}, "schema": &types.AttributeValueMemberN{Value: "1"}, "value": &types.AttributeValueMemberS{Value: "{"},
		}
		if _, err := s.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	s.SetDelivery(lose)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustHoldAtMost(5*time.Minute, "the sweep comes each minute: a damaged record hides it")
	s.mustCutNothing()
}

// TestAttachedTargetGroupDeleted deletes a target group that the group is attached to:
// nobody can be in it, and nobody has to correct anything for the drain.
func TestAttachedTargetGroupDeleted(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.DeleteTargetGroup("web")
	s.Advance(time.Minute)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustHoldAtMost(s.longest(), "its requests had ended")
	s.mustNotify("action-required", 0)
	mustCutNone(t, s.side)
}

// TestSpotWhoseGroupCannotBeRead has Auto Scaling not answer: the target groups of the
// interrupted instance are searched for.
func TestSpotWhoseGroupCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{delay: time.Minute})
	s.SetFaults(down("Auto Scaling"))
	i := s.InService(s.group)[0]
	s.InterruptSpot(i)
	s.Advance(20 * time.Second)
	s.mustDrain(i, true)
	s.Advance(10 * time.Minute)
	mustCutNone(t, s.side)
}

// TestSearchedTargetGroupUnread has the target group that holds the instance be
// unreadable for minutes while it is searched for: that it cannot be read does not
// mean that nobody is in it.
func TestSearchedTargetGroupUnread(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 900, tags: map[string]string{targetGroupsTag: ""}, env: settings{"FIND_TARGET_GROUPS": "true"}})
	arn := s.TargetGroupARN("side")
	s.SetFaults(func(c region.Call) region.Fault {
		if in, ok := c.Input.(*elb.DescribeTargetHealthInput); ok && aws.ToString(in.TargetGroupArn) == arn {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	s.scaleIn(2)
	s.untilHeld(2)
	s.Advance(4 * time.Minute)
	s.SetFaults(nil)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
}
