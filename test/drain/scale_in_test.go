package drain

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/test/region"
)

// displays runs a scenario under both ways in which a load balancer shows a target
// that has nothing in flight any more: gone at once, as older editions of the ALB
// user guide say, or draining until the deregistration delay has elapsed, as the
// current one says ("Edit target group attributes").
func displays(t *testing.T, play func(t *testing.T, o region.Options)) {
	for name, older := range map[string]bool{"older display": true, "current display": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, region.Options{DrainedAtOnce: older})
		})
	}
}

func TestScaleIn(t *testing.T) {
	t.Parallel()
	displays(t, func(t *testing.T, o region.Options) {
		s := newScenario(t, setup{region: o})
		s.scaleIn(1)
		s.untilReleased()
		s.mustComplete(1)
		s.mustCutNothing()
		s.mustBeIdle()
		s.mustNotNotify("an ordinary scale-in needs nobody")
	})
}

// TestScaleInWithoutTheFunction shows that the scenarios have something to lose.
func TestScaleInWithoutTheFunction(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noHook: true})
	s.scaleIn(1)
	s.Advance(10 * time.Minute)
	if total := s.side.Total(); total.CutEarly == 0 {
		t.Errorf("without the function no request is cut off either: %+v", total)
	}
}

func TestInstanceRefresh(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	_, err := s.AutoScaling().StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: &s.group})
	if err != nil {
		t.Fatal(err)
	}
	s.Advance(2 * time.Hour)
	s.mustComplete(4)
	s.mustCutNothing()
	s.mustBeIdle()
}

func TestNothingInFlight(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{region: region.Options{DrainedAtOnce: true}})
	s.web.Stop()
	s.side.Stop()
	s.Advance(5 * time.Minute)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustHoldAtMost(15*time.Second, "nothing was in flight to it")
}

// TestNothingInFlightCurrentDisplay holds an idle instance no longer than the
// deregistration delay: the display says nothing earlier.
func TestNothingInFlightCurrentDisplay(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.web.Stop()
	s.side.Stop()
	s.Advance(5 * time.Minute)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustHoldAtMost(s.longest(), "its target group's deregistration delay was over")
}

func TestNeverInATargetGroup(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.addGroup("jobs", 2)
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustBeIdle()
	s.mustHoldAtMost(5*time.Second, "it was never in a target group")
}

func TestTerminatedByHandDuringTheDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(10 * time.Second)
	s.Terminate(s.actions()[0].Instance)
	s.Advance(5 * time.Minute)
	s.mustBeIdle()
}

// TestHooksOfOthers leaves hooks that do not match the configured pattern to their
// owners.
func TestHooksOfOthers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.putHook("backup", 600)
	s.putHook("deployhooks-second", 300)
	s.scaleIn(1)
	s.Advance(9 * time.Minute)
	if n := s.ActiveActions(); n != 1 {
		t.Errorf("%d actions wait, want the one of the other owner: its work was cut short, or ours not done", n)
	}
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestAnotherHookForHours has another owner hold the instance for hours after the
// function completed its action: the sweep sees it wait, and must know that it has
// been drained.
func TestAnotherHookForHours(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.putHook("backup", 7200)
	s.scaleIn(1)
	s.Advance(100 * time.Minute)
	if n := s.ActiveActions(); n != 1 {
		t.Errorf("%d actions wait, want the one of the other owner", n)
	}
	s.Advance(3 * time.Hour)
	s.mustComplete(1)
	s.mustRunOnce(1)
	s.mustNotify("drained", 1)
}

// TestTableDoesNotGrow reads the table long after the last drain: items of ended
// drains are deleted, or carry the time at which DynamoDB deletes them.
func TestTableDoesNotGrow(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.scaleIn(3)
	s.untilReleased()
	s.Advance(3 * time.Hour)
	out, err := s.DynamoDB().Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("drains")})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range out.Items {
		id, _ := item["instance"].(*types.AttributeValueMemberS)
		if id == nil || !strings.HasPrefix(id.Value, "i-") {
			continue
		}
		expires, _ := item["expires"].(*types.AttributeValueMemberN)
		if expires == nil {
			t.Errorf("the item of %s stays in the table for ever, and is paid for", id.Value)
			continue
		}
		// An action lasts 48 hours at most (PutLifecycleHook, API reference).
		if at, err := strconv.ParseInt(expires.Value, 10, 64); err != nil || time.Unix(at, 0).Before(s.Now().Add(40*time.Hour)) {
			t.Errorf("the item of %s may be deleted while its instance still waits for another hook, and is drained again: it expires at %s", id.Value, expires.Value)
		}
	}
}
