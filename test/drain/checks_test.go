package drain

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region"
)

// actions are the lifecycle actions of the function's hooks.
func (s *scenario) actions() (ours []region.LifecycleAction) {
	for _, a := range s.LifecycleActions() {
		if strings.HasPrefix(a.Hook, "deployhooks-") {
			ours = append(ours, a)
		}
	}
	return ours
}

// held is how long an action kept its instance.
func held(a region.LifecycleAction) time.Duration { return a.Ended.Sub(a.Began) }

// mustComplete fails unless the function has completed n actions, and no other
// was left to its hook's timeout.
func (s *scenario) mustComplete(n int) {
	s.t.Helper()
	all := s.actions()
	if len(all) != n {
		s.t.Errorf("%d lifecycle actions, want %d", len(all), n)
	}
	for _, a := range all {
		if a.Ending != region.Completed || a.Result != "CONTINUE" {
			s.t.Errorf("%s of %s ended as %q with %q after %s: nobody completed it", a.Hook, a.Instance, a.Ending, a.Result, held(a))
		}
	}
}

// mustHoldAtMost fails if an instance was held longer.
func (s *scenario) mustHoldAtMost(d time.Duration, why string) {
	s.t.Helper()
	for _, a := range s.actions() {
		if held(a) > d {
			s.t.Errorf("%s was held %s although %s", a.Instance, held(a), why)
		}
	}
}

// mustCutNothing fails if a request was cut off that could have finished.
func (s *scenario) mustCutNothing() {
	s.t.Helper()
	for _, users := range []*region.Stream{s.web, s.side} {
		mustCutNone(s.t, users)
	}
}

func mustCutNone(t interface {
	Helper()
	Errorf(string, ...any)
}, users *region.Stream) {
	t.Helper()
	if total := users.Total(); total.CutEarly > 0 {
		t.Errorf("%d requests to %s of %d were cut off that could have finished within the deregistration delay", total.CutEarly, users.TargetGroup(), total.Requests)
	}
}

// mustBeIdle fails if messages are in the dead-letter queue, or drains are open
// that nobody waits for.
func (s *scenario) mustBeIdle() {
	s.t.Helper()
	if dead := s.Queue.DeadLetters(); len(dead) > 0 {
		s.t.Errorf("%d messages are in the dead-letter queue and set off the alarm, the first: %s", len(dead), dead[0].Body)
	}
	if open := s.status(""); len(open) > 0 {
		s.t.Errorf("%d drains are still open after the last instance went, the first: %+v", len(open), open[0])
	}
	for _, m := range s.Queue.Messages() {
		if strings.Contains(m.Body, "tick") || strings.Contains(m.Body, "reconcile") {
			s.t.Errorf("the function keeps waking itself after the last drain: %s", m.Body)
		}
	}
}

// runs counts the commands that reached each instance.
func (s *scenario) runs() map[string]int {
	n := map[string]int{}
	for _, run := range s.CommandRuns() {
		n[run.Instance]++
	}
	return n
}

// mustRunOnce fails unless the shutdown command ran once on each of so many
// instances.
func (s *scenario) mustRunOnce(instances int) {
	s.t.Helper()
	runs := s.runs()
	if len(runs) != instances {
		s.t.Errorf("the shutdown command ran on %d instances, not on %d", len(runs), instances)
	}
	for instance, n := range runs {
		if n != 1 {
			s.t.Errorf("the shutdown command ran %d times on %s", n, instance)
		}
	}
}

// drainStatus is a drain in the answer to the request "status".
type drainStatus struct {
	Instance string `json:"instance"`
	Group    string `json:"autoScalingGroup"`
	Cause    string `json:"cause"`
	WaitsFor string `json:"waitsFor"`
}

// request is a direct invocation by an operator.
func (s *scenario) request(body string) string {
	s.t.Helper()
	answer, err := s.Function.Invoke(s.t.Context(), []byte(body))
	if err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	return string(answer)
}

// action requests something for an instance, or for all if it is empty.
func (s *scenario) action(name, instance string) string {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"action": name, "instance": instance})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.request(string(body))
}

// status is the answer to "status", of one instance or of all.
func (s *scenario) status(instance string) []drainStatus {
	s.t.Helper()
	body := `{"action":"status"}`
	if instance != "" {
		body = `{"action":"status","instance":"` + instance + `"}`
	}
	var answer []drainStatus
	if text := s.request(body); json.Unmarshal([]byte(text), &answer) != nil {
		s.t.Fatalf("status answered %s", text)
	}
	return answer
}

// outcome is a notification as other systems get it.
type outcome struct {
	Outcome   string `json:"outcome"`
	Group     string `json:"autoScalingGroup"`
	Instances []struct {
		Instance string `json:"instance"`
	} `json:"instances"`
	At time.Time `json:"-"`
}

func (o outcome) names(instance string) bool {
	for _, i := range o.Instances {
		if i.Instance == instance {
			return true
		}
	}
	return false
}

// outcomes are the notifications of one outcome, all of them if it is empty.
func (s *scenario) outcomes(which string) (all []outcome) {
	s.t.Helper()
	for _, e := range s.Events("default") {
		var o outcome
		if err := json.Unmarshal([]byte(e.Detail), &o); err != nil || o.Outcome == "" {
			s.t.Errorf("other systems cannot read the event %s: %v", e.Detail, err)
		}
		if which == "" || o.Outcome == which {
			o.At = e.At
			all = append(all, o)
		}
	}
	return all
}

// mustNotify fails unless operators were notified of an outcome of so many
// instances, each once.
func (s *scenario) mustNotify(which string, instances int) {
	s.t.Helper()
	n := map[string]int{}
	for _, o := range s.outcomes(which) {
		for _, i := range o.Instances {
			n[i.Instance]++
		}
	}
	if len(n) != instances {
		s.t.Errorf("operators were notified of %q of %d instances, want %d; all they got: %q", which, len(n), instances, s.Subjects())
	}
	for instance, times := range n {
		if times > 1 {
			s.t.Errorf("operators were notified %d times of %q of %s", times, which, instance)
		}
	}
}

// mustNotNotify fails if operators were notified of anything.
func (s *scenario) mustNotNotify(why string) {
	s.t.Helper()
	if subjects := s.Subjects(); len(subjects) > 0 {
		s.t.Errorf("%s, and operators are notified of %q", why, subjects)
	}
}

// texts are all notifications to operators in one.
func (s *scenario) texts() string { return strings.Join(s.Texts(), "\n") }

// completes is the instance that a call completes the action of, empty for any
// other call.
func completes(c region.Call) string {
	if in, ok := c.Input.(*autoscaling.CompleteLifecycleActionInput); ok {
		return aws.ToString(in.InstanceId)
	}
	return ""
}

// throttled counts the calls beyond the request rates.
func (s *scenario) throttled() (n int) {
	for _, c := range s.Calls() {
		if c.Err != nil && strings.Contains(c.Err.Error(), "Rate exceeded") {
			n++
		}
	}
	return n
}

// deregistered reports whether the function has asked to deregister the instance
// from the target group.
func (s *scenario) deregistered(targetGroup, instance string) bool {
	arn := s.TargetGroupARN(targetGroup)
	for _, c := range s.Calls() {
		in, ok := c.Input.(*elb.DeregisterTargetsInput)
		if !ok || c.Err != nil || aws.ToString(in.TargetGroupArn) != arn {
			continue
		}
		for _, target := range in.Targets {
			if aws.ToString(target.Id) == instance {
				return true
			}
		}
	}
	return false
}

// mustDrain fails unless the instance was taken out of side, or left there.
func (s *scenario) mustDrain(instance string, drains bool) {
	s.t.Helper()
	switch out := s.deregistered("side", instance); {
	case out && !drains:
		s.t.Errorf("%s was taken out of service although nobody asked for it", instance)
	case !out && drains:
		s.t.Errorf("%s was left in service, and its users with it", instance)
	}
}

// mustMention fails unless a notification to operators holds the text.
func (s *scenario) mustMention(text, harm string) {
	s.t.Helper()
	if !strings.Contains(s.texts(), text) {
		s.t.Errorf("no notification says %q: %s; operators got %q:\n%s", text, harm, s.Subjects(), s.texts())
	}
}
