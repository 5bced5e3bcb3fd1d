package drain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// hangingTopic takes as long to fail as the SDK's tries of a service that hangs.
type hangingTopic struct{}

func (hangingTopic) Publish(ctx context.Context, _ *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	return nil, errors.New("dial tcp: i/o timeout")
}

// TestSNSThatHangs holds that instances are released although nobody can be
// notified of them, and that no invocation is cut off in the middle.
func TestSNSThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t, setup{env: command("stop"), instances: 6})
		shop := s.group
		s.addGroup("jobs", 4)
		jobs := s.group
		n := 0
		s.OnCommand(func(region.CommandRun) region.CommandResult { n++; return region.CommandResult{Failed: int32(n % 2)} })
		s.Function = s.functionThat(s.role(s.environment(nil)), hangingTopic{}, nil, func(*drain.Clients) {})
		longest := s.longestInvocation()
		s.group = shop
		s.scaleIn(4)
		s.Advance(90 * time.Second)
		s.Scale(jobs, 2)
		s.Advance(30 * time.Minute)
		if *longest > config.Timeout/2 {
			t.Errorf("an invocation takes %s", *longest)
		}
		for _, a := range s.actions() {
			if a.Ending != region.Completed || held(a) > 4*time.Minute || a.Group == jobs && held(a) > time.Minute {
				t.Errorf("%s of %s ended as %q after %s because nobody could be notified", a.Instance, a.Group, a.Ending, held(a))
			}
		}
		s.mustRunOnce(6)
		s.mustCutNothing()
	})
}

// TestSNSDownForAnHour releases instances as if nothing were wrong, and notifies
// when it can: of each matter once.
func TestSNSDownForAnHour(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"503": region.Unavailable(), "throttled": region.Throttled()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("stop")})
			s.OnCommand(func(region.CommandRun) region.CommandResult { return region.CommandResult{Failed: 1} })
			s.SetFaults(region.On("Publish", 0, region.Fault{Before: fault}))
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustHoldAtMost(3*time.Minute, "its requests had ended and its command had failed; only the notification was missing")
			s.Advance(time.Hour)
			s.SetFaults(nil)
			s.Advance(90 * time.Minute)
			for _, a := range s.actions() {
				if n := strings.Count(s.texts(), a.Instance); n == 0 {
					t.Errorf("operators never learn that the command failed on %s", a.Instance)
				}
			}
			if n := len(s.Subjects()); n > 2 {
				t.Errorf("%d notifications of two instances once SNS is back: %q", n, s.Subjects())
			}
			s.mustBeIdle()
		})
	}
}

// TestReleaseBeforeNotification holds that the action is completed before anybody
// is notified of how the drain ended.
func TestReleaseBeforeNotification(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustNotify("drained", 2)
	completed := 0
	for _, c := range s.Calls() {
		switch c.Operation {
		case "CompleteLifecycleAction":
			completed++
		case "Publish", "PutEvents":
			if completed == 0 {
				t.Errorf("%s is called before any instance is released: an SNS that hangs holds the fleet", c.Operation)
			}
		}
	}
}

// TestNotificationsDenied holds that a notification that cannot be sent holds no
// instance.
func TestNotificationsDenied(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.SetFaults(region.On("Publish", 0, region.Fault{Before: region.AccessDenied("")}))
	s.RecommendRebalance(s.InService(s.group)[0])
	s.scaleIn(2)
	s.untilHeld(2)
	s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 10*time.Minute)
	s.mustComplete(2)
	s.mustCutNothing()
	s.Advance(time.Hour)
	s.ForgetCalls()
	s.Advance(3 * time.Hour)
	for _, c := range s.Calls() {
		if c.Operation == "Publish" {
			t.Error("what is denied is sent again and again, for days")
			break
		}
	}
}

// TestDeniedCompletionIsNotifiedOnce holds that an end that cannot be brought about
// is not notified at every reconcile.
func TestDeniedCompletionIsNotifiedOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("systemctl stop shop")})
	s.SetFaults(region.On("CompleteLifecycleAction", 0, region.Fault{Before: region.AccessDenied("")}))
	s.scaleIn(2)
	s.Advance(30 * time.Minute)
	if subjects := s.Subjects(); len(subjects) > 6 {
		t.Errorf("%d notifications of one fault: %q…", len(subjects), subjects[:6])
	}
	s.SetFaults(nil)
	s.untilReleased()
	s.mustRunOnce(2)
}
