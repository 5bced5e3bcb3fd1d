package deploymentgroup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

// operations are one of each kind, by what comes before.
var operations = map[string]struct {
	begin   func(testing.TB) *scenario
	request func(*scenario) string
}{
	"create": {newScenario, func(s *scenario) string { return s.request("Create", "", s.wanted(nil), nil) }},
	"import": {func(t testing.TB) *scenario {
		s := newScenario(t)
		s.service = s.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}})
		s.release()
		return s
	}, func(s *scenario) string {
		return s.request("Create", "", s.wanted(properties{"Import": "true"}), nil)
	}},
	"update": {released, func(s *scenario) string {
		return s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9", "MinSize": "3", "TargetCPUPercent": "60", "Alarms": nil, "Tags": nil}), s.wanted(nil))
	}},
	"replace": {released, func(s *scenario) string {
		return s.request("Update", "shop/web", s.wanted(properties{"DeploymentGroupName": "site"}), s.wanted(nil))
	}},
	"replace and delete the former": {func(t testing.TB) *scenario {
		s := released(t)
		s.succeeds(s.request("Update", "shop/web", s.wanted(properties{"DeploymentGroupName": "site"}), s.wanted(nil)))
		return s
	}, func(s *scenario) string { return s.request("Delete", "shop/web", s.wanted(nil), nil) }},
	"delete": {released, func(s *scenario) string { return s.request("Delete", "shop/web", s.wanted(nil), nil) }},
	"delete in a release": {func(t testing.TB) *scenario {
		s := released(t)
		s.Deploy(s.service, region.Deployment{HangAt: region.StageInstall})
		s.Advance(5 * time.Minute)
		return s
	}, func(s *scenario) string { return s.request("Delete", "shop/web", s.wanted(nil), nil) }},
	"update in a release": {func(t testing.TB) *scenario {
		s := released(t)
		s.Deploy(s.service, region.Deployment{})
		s.Advance(3 * time.Minute)
		return s
	}, func(s *scenario) string {
		return s.request("Update", "shop/web", s.wanted(properties{"MaxSize": "9", "TargetCPUPercent": "60"}), s.wanted(nil))
	}},
}

// state is everything that an operation may change.
func (s *scenario) state() string {
	s.t.Helper()
	var b strings.Builder
	for _, name := range []string{"web", "site"} {
		if g := s.deploymentGroup(name); g != nil {
			tags := s.tags(name)
			delete(tags, "deployhooks:deployment-group:request")
			kept := cd.DeploymentGroupInfo{
				AlarmConfiguration: g.AlarmConfiguration, AutoRollbackConfiguration: g.AutoRollbackConfiguration, BlueGreenDeploymentConfiguration: g.BlueGreenDeploymentConfiguration,
				DeploymentConfigName: g.DeploymentConfigName, DeploymentStyle: g.DeploymentStyle, LoadBalancerInfo: g.LoadBalancerInfo,
				ServiceRoleArn: g.ServiceRoleArn, TriggerConfigurations: g.TriggerConfigurations,
			}
			for _, a := range g.AutoScalingGroups {
				fmt.Fprintln(&b, name, *a.Name)
			}
			text, _ := json.Marshal(kept)
			fmt.Fprintln(&b, name, string(text), tags)
		}
	}
	for _, name := range s.groups() {
		g, _ := s.Group(name)
		for _, tag := range g.Tags {
			fmt.Fprint(&b, *tag.Key, "=", *tag.Value, " ")
		}
		fmt.Fprintln(&b, name, s.size(name), len(s.InService(name)))
	}
	return b.String()
}

// ends lets an operation come to its end, and is what it leaves: the answers without
// repetitions, and the state.
func (s *scenario) ends(id string) string {
	s.t.Helper()
	s.answer(id)
	s.Advance(time.Hour)
	s.SetFaults(nil)
	var answers []string
	for _, a := range s.answers[id] {
		answers = append(answers, a.Status+" "+a.PhysicalResourceID)
	}
	if dead := s.Queue.DeadLetters(); len(dead) > 0 || s.Queue.Len() > 0 {
		s.t.Errorf("left are %d messages, and %d in the dead-letter queue", s.Queue.Len(), len(dead))
	}
	return strings.Join(slices.Compact(answers), ", ") + "\n" + s.state()
}

// every plays each operation, undisturbed and with what disturbs it before it is requested
// or afterwards, and requires the same end.
func every(t *testing.T, disturbed func(t *testing.T, run func(before, after func(*scenario)) (same bool))) {
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := o.begin(t)
			want := s.ends(o.request(s))
			if !strings.HasPrefix(want, invoke.Success) {
				t.Fatalf("undisturbed, it ends with %s", want)
			}
			disturbed(t, func(before, after func(*scenario)) bool {
				s := o.begin(t)
				s.Function = cold{s}
				before(s)
				id := o.request(s)
				after(s)
				got := s.ends(id)
				if got != want {
					t.Errorf("ends with\n%s\nwant\n%s", got, want)
				}
				return got == want
			})
		})
	}
}

// cold is a function that remembers nothing of its last invocation.
type cold struct{ s *scenario }

func (c cold) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return c.s.function().Invoke(ctx, payload)
}

func undisturbed(*scenario) {}

func TestKilledAfterEachCall(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, run func(_, _ func(*scenario)) bool) {
		for n := 1; ; n++ {
			var killed *bool
			if !run(undisturbed, func(s *scenario) { killed = s.KillAfter(n) }) {
				t.Fatalf("killed after call %d", n)
			}
			if !*killed {
				if n < 4 {
					t.Errorf("only %d calls: nothing was tried", n)
				}
				return
			}
		}
	})
}

func TestEveryCallFailsOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]region.Fault{
		"throttled": {Before: region.Throttled()}, "unavailable": {Before: region.Unavailable()}, "its answer lost": {After: region.TimedOut()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			every(t, func(_ *testing.T, run func(_, _ func(*scenario)) bool) {
				seen := map[string]bool{}
				run(undisturbed, func(s *scenario) {
					s.SetFaults(func(c region.Call) region.Fault {
						if seen[c.Operation] {
							return region.Fault{}
						}
						seen[c.Operation] = true
						return fault
					})
				})
			})
		})
	}
}

// TestDuplicates: SNS and SQS deliver at least once.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	every(t, func(_ *testing.T, run func(_, _ func(*scenario)) bool) {
		run(func(s *scenario) {
			s.SetDelivery(func(region.Delivery) []time.Duration {
				return []time.Duration{0, time.Second, 20 * time.Second, 20 * time.Minute}
			})
		}, undisturbed)
	})
}

// TestResponses holds that an answer that is lost is sent again, and one that is refused is not.
func TestResponses(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string][]int{
		"an outage": {503, 500, 0, 0, 503}, "lost after it took effect": {http.StatusGatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			every(t, func(_ *testing.T, run func(_, _ func(*scenario)) bool) {
				run(undisturbed, func(s *scenario) { s.sendFails = slices.Clone(fails) })
			})
		})
	}
	s := newScenario(t)
	s.sendFails = []int{http.StatusForbidden}
	s.request("Create", "", s.wanted(nil), nil)
	s.Advance(2 * time.Hour)
	if len(s.sendFails) > 0 || s.Queue.Len() > 0 || len(s.Queue.DeadLetters()) > 0 || !strings.Contains(s.log.String(), "response not sent") {
		t.Errorf("an expired URL leaves %d messages; the log says %s", s.Queue.Len(), s.log)
	}
	for _, secret := range []string{"responses.example", "Signature"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has %q: whoever reads it can answer CloudFormation", secret)
		}
	}
	s = newScenario(t)
	s.sendFails = slices.Repeat([]int{503}, 1000)
	s.request("Create", "", s.wanted(nil), nil)
	s.Advance(3 * time.Hour)
	if s.Queue.Len() > 0 || strings.Contains(s.log.String(), "Signature") {
		t.Error("an answer that nobody takes is sent for ever")
	}
}

// TestDenied holds that what IAM forbids is answered with the action to allow, when IAM has
// had the time to spread what the stack has made, and that a deletion can follow.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"CreateDeploymentGroup", "GetDeploymentGroup", "DescribeAutoScalingGroups", "UpdateAutoScalingGroup", "PutScalingPolicy", "CreateOrUpdateTags"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			s.SetFaults(region.On(operation, 0, region.Fault{Before: region.AccessDenied("")}))
			begun := s.Now()
			a := s.answer(s.request("Create", "", s.wanted(nil), nil))
			if a.Status != invoke.Failed || !strings.Contains(a.Reason, ":"+operation) || !strings.Contains(a.Reason, "Allow") {
				t.Errorf("the answer is %+v", a)
			}
			if took := s.Now().Sub(begun); took < 3*time.Minute || took > 5*time.Minute {
				t.Errorf("it comes after %s: before IAM has spread the stack's own policy, or late", took)
			}
			s.SetFaults(nil)
			s.succeeds(s.request("Delete", a.PhysicalResourceID, s.wanted(nil), nil))
			if s.deploymentGroup("web") != nil || len(s.groups()) != 1 {
				t.Errorf("after the rollback there are %v", s.groups())
			}
		})
	}
	s := newScenario(t)
	s.SetFaults(region.On("CreateDeploymentGroup", 3, region.Fault{Before: region.AccessDenied("iam:PassRole")}))
	s.succeeds(s.request("Create", "", s.wanted(nil), nil))
}

// TestRoleYetUnknown: CodeDeploy refuses a role that IAM has not spread yet.
func TestRoleYetUnknown(t *testing.T) {
	t.Parallel()
	refusal := region.Fault{Before: &cd.InvalidRoleException{}}
	s := newScenario(t)
	s.SetFaults(region.On("CreateDeploymentGroup", 4, refusal))
	s.succeeds(s.request("Create", "", s.wanted(nil), nil))
	s = newScenario(t)
	s.SetFaults(region.On("CreateDeploymentGroup", 0, refusal))
	if a := s.answer(s.request("Create", "", s.wanted(nil), nil)); a.Status != invoke.Failed || !strings.Contains(a.Reason, "InvalidRoleException") {
		t.Errorf("the answer is %+v", a)
	}
}

// TestDeadline holds that CloudFormation learns what is in the way before it gives up.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := released(t)
	s.SetFaults(region.On("DeleteAutoScalingGroup", 0, region.Fault{Before: region.Unavailable()}))
	begun := s.Now()
	a := s.answer(s.request("Delete", "shop/web", s.wanted(nil), nil))
	if took := s.Now().Sub(begun); a.Status != invoke.Failed || took < 45*time.Minute || took > 55*time.Minute {
		t.Errorf("after %s the answer is %+v", took, a)
	}
	for _, part := range []string{s.current(), "ServiceUnavailable", "delete the stack again"} {
		if !strings.Contains(a.Reason, part) {
			t.Errorf("the reason %q does not say %q", a.Reason, part)
		}
	}
	s.SetFaults(nil)
	s.Advance(time.Hour)
	if s.deploymentGroup("web") == nil || s.Queue.Len() > 0 {
		t.Error("a request goes on after its answer, and may undo what CloudFormation requests next")
	}
	s.succeeds(s.request("Delete", "shop/web", s.wanted(nil), nil))
}

// TestBadProperties holds that every fault is named, and nothing changed.
func TestBadProperties(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	a := s.answer(s.request("Create", "", s.wanted(properties{"MinSize": "5", "MaxSize": "x", "LaunchTemplateVersion": "$Latest", "Alarm": "a", "ServiceRoleArn": nil}), nil))
	for _, part := range []string{"MaxSize", `"x"`, "LaunchTemplateVersion", "did you mean Alarms?", "ServiceRoleArn: missing"} {
		if a.Status != invoke.Failed || !strings.Contains(a.Reason, part) {
			t.Errorf("the answer %+v does not say %q", a, part)
		}
	}
	if len(s.Calls()) > 1 { // Publish
		t.Errorf("%d calls are made with properties that cannot be applied", len(s.Calls()))
	}
	s.succeeds(s.request("Delete", a.PhysicalResourceID, s.wanted(nil), nil))
	for name, c := range map[string]struct {
		change properties
		want   string
	}{
		"no application": {properties{"ApplicationName": "shoop"}, "no CodeDeploy application shoop"},
		"no group":       {properties{"AutoScalingGroup": "shop-sead"}, "no Auto Scaling group shop-sead"},
	} {
		if a := s.answer(s.request("Create", "", s.wanted(c.change), nil)); a.Status != invoke.Failed || !strings.Contains(a.Reason, c.want) {
			t.Errorf("%s: the answer is %+v", name, a)
		}
	}
}

// TestOldMessage holds that an update which SQS delivers once more, after CloudFormation has
// rolled it back, changes nothing.
func TestOldMessage(t *testing.T) {
	t.Parallel()
	s := released(t)
	before, after := s.wanted(nil), s.wanted(properties{"MaxSize": "9"})
	s.SetDelivery(func(region.Delivery) []time.Duration { return []time.Duration{0, 10 * time.Minute} })
	s.succeeds(s.request("Update", "shop/web", after, before))
	s.SetDelivery(nil)
	s.succeeds(s.request("Update", "shop/web", before, after))
	s.Advance(time.Hour)
	if got := s.size(s.current()); got != "2..4 version 1 cpu 50" {
		t.Errorf("the group is %s: an old message undoes the rollback", got)
	}
}
