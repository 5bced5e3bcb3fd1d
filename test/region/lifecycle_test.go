package region_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"deployhooks/test/region"
)

const (
	launching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// hook is a lifecycle hook with a heartbeat timeout in seconds.
func hook(name, transition string, heartbeat int32, defaultResult string) asg.LifecycleHook {
	return asg.LifecycleHook{
		LifecycleHookName: aws.String(name), LifecycleTransition: aws.String(transition),
		HeartbeatTimeout: aws.Int32(heartbeat), DefaultResult: aws.String(defaultResult),
	}
}

// hooked is the shop with terminate hooks on its group.
func hooked(r *region.Region, hooks ...asg.LifecycleHook) region.Service {
	return r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4, Hooks: hooks,
	})
}

// scaleIn takes one instance out of a group and lets it come to its hooks.
func scaleIn(t *testing.T, r *region.Region, group string) region.LifecycleAction {
	t.Helper()
	g, _ := r.Group(group)
	r.Scale(group, int(*g.DesiredCapacity)-1)
	r.Advance(10 * time.Second)
	all := r.LifecycleActions()
	if len(all) == 0 {
		t.Fatal("a scale-in ran no hook: the instance dies unasked")
	}
	return all[len(all)-1]
}

// stateOf is the lifecycle state of an instance as a caller sees it, "" when
// it is in no group.
func stateOf(t *testing.T, r *region.Region, instance string) string {
	t.Helper()
	out, err := r.AutoScaling().DescribeAutoScalingInstances(context.Background(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{instance}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.AutoScalingInstances) == 0 {
		return ""
	}
	return *out.AutoScalingInstances[0].LifecycleState
}

func complete(r *region.Region, a region.LifecycleAction, result string, byToken bool) error {
	in := &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook), LifecycleActionResult: aws.String(result),
	}
	if byToken {
		in.LifecycleActionToken = aws.String(a.Token)
	} else {
		in.InstanceId = aws.String(a.Instance)
	}
	_, err := r.AutoScaling().CompleteLifecycleAction(context.Background(), in)
	return err
}

func noActiveAction(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.HasPrefix(api.ErrorMessage(), "No active Lifecycle Action found")
}

func TestTerminateHookKeepsTheInstanceUntilItIsCompleted(t *testing.T) {
	for _, tc := range []struct {
		name    string
		byToken bool
		result  string
	}{
		{"by token", true, "CONTINUE"},
		{"by instance", false, "CONTINUE"},
		{"abandoned, which terminates it all the same", true, "ABANDON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 300, "ABANDON"))
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			a := scaleIn(t, r, svc.Group)
			if got := stateOf(t, r, a.Instance); got != "Terminating:Wait" {
				t.Fatalf("the instance is %q instead of waiting for its hook", got)
			}
			r.Advance(4 * time.Minute)
			if got := stateOf(t, r, a.Instance); got != "Terminating:Wait" {
				t.Fatalf("before the timeout the instance is %q", got)
			}
			if err := complete(r, a, tc.result, tc.byToken); err != nil {
				t.Fatal(err)
			}
			r.Advance(time.Second)
			if got := stateOf(t, r, a.Instance); got != "Terminating:Proceed" {
				t.Errorf("released, the instance is %q", got)
			}
			r.Advance(time.Minute)
			if got := stateOf(t, r, a.Instance); got != "" {
				t.Errorf("the instance is still in its group: %q", got)
			}
			if err := complete(r, a, tc.result, tc.byToken); !noActiveAction(err) {
				t.Errorf("completing it again gives %v; callers rely on the error that nothing is active", err)
			}
			if failed := users.Total().Failed; failed != 0 {
				t.Errorf("%d requests failed", failed)
			}
		})
	}
}

func TestHeartbeatsAndTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name          string
		defaultResult string
		heartbeats    int // one every 20 seconds
		want          region.Ending
		after         time.Duration
	}{
		{"no heartbeat: the default result after 30 s", "CONTINUE", 0, region.TimedOutWait, 30 * time.Second},
		{"abandoned by default", "ABANDON", 0, region.TimedOutWait, 30 * time.Second},
		{"three heartbeats buy a minute", "CONTINUE", 3, region.TimedOutWait, 90 * time.Second},
		{"heartbeats for ever end with the global timeout", "CONTINUE", 1000, region.GlobalTimeout, 3000 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 30, tc.defaultResult))
			r.Scale(svc.Group, 3)
			r.RunUntil(func() bool { return r.ActiveActions() > 0 }, time.Minute)
			a := r.LifecycleActions()[0]
			for range tc.heartbeats {
				r.Advance(20 * time.Second)
				_, err := r.AutoScaling().RecordLifecycleActionHeartbeat(context.Background(), &autoscaling.RecordLifecycleActionHeartbeatInput{
					AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook), LifecycleActionToken: aws.String(a.Token),
				})
				if noActiveAction(err) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			r.Advance(time.Minute)
			a = r.LifecycleActions()[0]
			if a.Ending != tc.want || a.Result != tc.defaultResult || a.Ended.Sub(a.Began) != tc.after {
				t.Errorf("the action ended %q with %s after %s, want %q with %s after %s",
					a.Ending, a.Result, a.Ended.Sub(a.Began), tc.want, tc.defaultResult, tc.after)
			}
		})
	}
}

func TestSeveralHooksRunSideBySide(t *testing.T) {
	for _, tc := range []struct {
		name   string
		result string // of the first
		waits  bool   // for the second
	}{
		{"one continues, the other is still waited for", "CONTINUE", true},
		{"one abandons, which stops the other", "ABANDON", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"), hook("logs", terminating, 900, "CONTINUE"))
			scaleIn(t, r, svc.Group)
			all := r.LifecycleActions()
			if len(all) != 2 || all[0].Token == all[1].Token || all[0].Instance != all[1].Instance {
				t.Fatalf("two hooks began %v", all)
			}
			if err := complete(r, all[0], tc.result, true); err != nil {
				t.Fatal(err)
			}
			r.Advance(time.Minute)
			if waits := stateOf(t, r, all[1].Instance) == "Terminating:Wait"; waits != tc.waits {
				t.Errorf("the instance waits for the other hook: %v, want %v", waits, tc.waits)
			}
			err := complete(r, all[1], "CONTINUE", true)
			if tc.waits && err != nil {
				t.Error(err)
			}
			if !tc.waits && !noActiveAction(err) {
				t.Errorf("the stopped action can still be completed: %v", err)
			}
			r.Advance(time.Minute)
			if got := stateOf(t, r, all[1].Instance); got != "" {
				t.Errorf("all hooks are done and the instance is %q", got)
			}
		})
	}
}

func TestHooksOfAnInstanceThatLeavesAnotherWay(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *region.Region, a region.LifecycleAction)
		want region.Ending
	}{
		{"terminated by hand", func(r *region.Region, a region.LifecycleAction) { r.Terminate(a.Instance) }, region.InstanceGone},
		{"its group is force-deleted", func(r *region.Region, a region.LifecycleAction) { r.DeleteGroup(a.Group) }, region.InstanceGone},
		{"its hook is deleted", func(r *region.Region, a region.LifecycleAction) {
			_, _ = r.AutoScaling().DeleteLifecycleHook(context.Background(), &autoscaling.DeleteLifecycleHookInput{
				AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook)})
		}, region.HookDeleted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			a := scaleIn(t, r, hooked(r, hook("drain", terminating, 600, "CONTINUE")).Group)
			tc.do(r, a)
			if got := r.LifecycleActions()[0].Ending; got != tc.want {
				t.Errorf("the action ended %q, want %q", got, tc.want)
			}
			if err := complete(r, a, "CONTINUE", true); err == nil {
				t.Error("the action can be completed still")
			}
			r.Advance(time.Minute)
			if got := stateOf(t, r, a.Instance); got != "" {
				t.Errorf("the instance is %q", got)
			}
		})
	}
}

func TestDeleteSkipsTerminateHooks(t *testing.T) {
	r := region.New(region.Options{})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	r.DeleteGroup(svc.Group)
	r.Advance(time.Minute)
	if n := len(r.LifecycleActions()); n != 0 {
		t.Errorf("a force delete ran %d hooks", n)
	}
}

func TestLaunchHookDelaysService(t *testing.T) {
	for _, tc := range []struct {
		name, result string
		inService    int
	}{
		{"continued, it serves", "CONTINUE", 5},
		{"abandoned, it is replaced", "ABANDON", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("warm-up", launching, 600, "ABANDON"))
			r.Scale(svc.Group, 5)
			r.Advance(50 * time.Second)
			all := r.LifecycleActions()
			if len(all) != 1 || stateOf(t, r, all[0].Instance) != "Pending:Wait" {
				t.Fatalf("the launch did not wait for its hook: %v", all)
			}
			if err := complete(r, all[0], tc.result, false); err != nil {
				t.Fatal(err)
			}
			r.Advance(45 * time.Second)
			if n := len(r.InService(svc.Group)); n != tc.inService {
				t.Errorf("%d instances are in service, want %d", n, tc.inService)
			}
		})
	}
}

// TestShapesOfLifecycleEvents compares the three shapes in which an action is
// sent.
func TestShapesOfLifecycleEvents(t *testing.T) {
	r := region.New(region.Options{})
	rule, straight, wrapped := r.Queue("rule"), r.Queue("straight").WithoutEvents(), r.Queue("wrapped").WithoutEvents()
	topic := r.Topic("hooks")
	topic.Subscribe(wrapped, true)
	toQueue, toTopic := hook("a-queue", terminating, 600, "CONTINUE"), hook("b-topic", terminating, 600, "CONTINUE")
	toQueue.NotificationTargetARN, toTopic.NotificationTargetARN = aws.String(straight.ARN()), aws.String(topic.ARN())
	toQueue.NotificationMetadata = aws.String(`{"drain":"120s"}`)
	svc := hooked(r, toQueue, toTopic)
	r.Advance(2 * time.Second)
	for _, q := range []*region.Queue{straight, wrapped} {
		if m := q.Messages(); len(m) != 1 || !strings.Contains(m[0].Body, `"Event":"autoscaling:TEST_NOTIFICATION"`) {
			t.Errorf("putting the hook sent %v instead of a test notification", m)
		}
	}
	scaleIn(t, r, svc.Group)
	all := r.LifecycleActions()

	type sent struct {
		LifecycleActionToken, AutoScalingGroupName, LifecycleHookName, EC2InstanceId, LifecycleTransition, NotificationMetadata, Origin, Destination string
	}
	var events []sent
	for _, m := range rule.Messages() {
		var e struct {
			Source     string `json:"source"`
			DetailType string `json:"detail-type"`
			Resources  []string
			Detail     sent
		}
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			t.Fatal(err)
		}
		if e.Source != "aws.autoscaling" || e.DetailType != "EC2 Instance-terminate Lifecycle Action" || len(e.Resources) != 1 {
			t.Errorf("the event is %s", m.Body)
		}
		events = append(events, e.Detail)
	}
	for n, q := range []*region.Queue{straight, wrapped} {
		var flat sent
		messages := q.Messages()
		if err := json.Unmarshal([]byte(messages[len(messages)-1].Body), &flat); err != nil {
			t.Fatal(err)
		}
		want := sent{all[n].Token, svc.Group, all[n].Hook, all[n].Instance, terminating, "", "AutoScalingGroup", "EC2"}
		if n == 0 {
			want.NotificationMetadata = `{"drain":"120s"}`
		}
		if flat != want || events[n] != want {
			t.Errorf("the notification is\n%+v and the event\n%+v, want\n%+v", flat, events[n], want)
		}
	}
}

func TestHealthReplacementRunsTheHooks(t *testing.T) {
	r := region.New(region.Options{})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	r.Kill(r.InService(svc.Group)[0])
	r.Advance(2 * time.Minute)
	if n := r.ActiveActions(); n != 1 {
		t.Errorf("replacing an unhealthy instance ran %d hooks", n)
	}
	if n := len(r.InService(svc.Group)); n != 4 {
		t.Errorf("%d instances serve while the dead one waits, want 4", n)
	}
}

func putHook(name string) *autoscaling.PutLifecycleHookInput {
	return &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String(name), LifecycleTransition: aws.String(terminating),
		HeartbeatTimeout: aws.Int32(600), DefaultResult: aws.String("CONTINUE"),
	}
}
