package drain

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/test/region"
)

// TestThrottledReleases has Auto Scaling throttle every completion: each reconcile
// stops after a few, so that the account's other callers get through.
func TestThrottledReleases(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 61, heartbeat: 3600})
	s.SetFaults(region.On("CompleteLifecycleAction", 0, region.Fault{Before: region.Throttled()}))
	s.scaleIn(60)
	s.untilHeld(60)
	s.Advance(4 * time.Minute)
	s.ForgetCalls()
	s.Advance(time.Minute)
	n := 0
	for _, c := range s.Calls() {
		if c.Operation == "CompleteLifecycleAction" {
			n++
		}
	}
	if n == 0 || n > 12*25 {
		t.Errorf("%d completions tried in a minute in which all are throttled: other callers of the account are throttled with them", n)
	}
}

// TestCommandOfAFewSeconds has a command's time be shorter than SSM takes for its
// delivery.
func TestCommandOfAFewSeconds(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"COMMAND": "stop", "COMMAND_TIMEOUT": "10s"}})
	s.scaleIn(1)
	s.untilReleased()
	for _, c := range s.Calls() {
		if in, ok := c.Input.(*ssm.SendCommandInput); ok && aws.ToInt32(in.TimeoutSeconds) < 30 {
			t.Errorf("SSM refuses a delivery timeout of %d s, and the command never runs", *in.TimeoutSeconds)
		}
	}
	s.mustRunOnce(1)
}

// TestCommandsOnSeveralPages has the answers to two SendCommand at once be lost while
// SSM lists the commands one by one: each is found on whichever page it is.
func TestCommandsOnSeveralPages(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop"), region: region.Options{PageSize: 1}})
	var groups []string
	for name, minutes := range map[string]string{"jobs": "3", "mail": "4"} { // two commands, not one
		s.group = s.AddService(region.Service{Application: name, DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2", Tags: map[string]string{commandTimeoutTag: minutes}}).Group
		s.putHook(hook, 900)
		groups = append(groups, s.group)
	}
	s.SetFaults(region.On("SendCommand", 0, region.Fault{After: region.TimedOut()}))
	for _, g := range groups {
		s.Scale(g, 1)
	}
	s.Advance(20 * time.Minute)
	s.mustComplete(2)
	s.mustRunOnce(2)
	s.mustNotify("command-failed", 0)
	s.mustNotify("drained", 2)
}

// TestTicksOutOfOrderInABatch has an old tick come behind the one that is due: the one
// that is due is not lost, and the next one sent.
func TestTicksOutOfOrderInABatch(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(20 * time.Second)
	s.Queue.Serve(nil)
	s.ForgetCalls()
	tick := func(id string, at time.Time) string {
		return fmt.Sprintf(`{"messageId":%q,"eventSource":"aws:sqs","eventSourceARN":%q,"body":%q}`, id, s.Queue.ARN(), fmt.Sprintf(`{"continue":{"tick":{"slot":%d}}}`, at.Unix()))
	}
	batch := `{"Records":[` + tick("due", s.Now().Add(30*time.Second)) + "," + tick("old", s.Now().Add(-time.Minute)) + `]}`
	if _, err := s.Invoke([]byte(batch)); err != nil {
		t.Fatal(err)
	}
	if s.Made("SendMessage") == 0 {
		t.Error("the tick that was due is used up without another: nobody looks after the instance")
	}
}

// TestTicksThatCannotBeSent has SQS take no message for minutes: the tick that could
// not send the next one is delivered again.
func TestTicksThatCannotBeSent(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true, delay: 10 * time.Minute, heartbeat: 900, mix: []time.Duration{time.Second, 9 * time.Minute}, perSecond: 1})
	s.Advance(9 * time.Minute)
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(30 * time.Second)
	s.SetFaults(region.On("SendMessage", 0, region.Fault{Before: region.Unavailable()}))
	s.Advance(2 * time.Minute)
	s.SetFaults(nil)
	s.untilReleased()
	s.mustComplete(1)
	s.mustCutNothing()
}
