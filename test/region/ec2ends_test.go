package region_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestInstanceThatEC2Ends: its group finds out at its next health check and
// runs its hook for an instance that is gone. The event of the state comes at
// once.
func TestInstanceThatEC2Ends(t *testing.T) {
	for _, tc := range []struct {
		name   string
		end    func(r *region.Region, id string)
		states []string // sent before the group finds out
		target string   // shown before the group finds out
	}{
		{"terminated in the console", func(r *region.Region, id string) { r.Terminate(id) }, []string{"shutting-down", "terminated"}, "unused"},
		{"stopped in the console", func(r *region.Region, id string) { r.StopInstance(id) }, []string{"stopping", "stopped"}, "unused"},
		{"its host failed", func(r *region.Region, id string) { r.Kill(id) }, nil, "unhealthy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{Timings: region.Timings{Replace: time.Minute}})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, HealthCheck: "EC2", Instances: 4})
			if err := second(r.AutoScaling().PutLifecycleHook(ctx, putHook("drain"))); err != nil {
				t.Fatal(err)
			}
			q := r.Queue("ec2").Match(func(d region.Delivery) bool { return d.Source == "aws.ec2" })
			id := r.InService(svc.Group)[0]
			tc.end(r, id)
			r.Advance(2 * time.Second)
			if m := q.Messages(); len(m) != min(1, len(tc.states)) {
				t.Errorf("at once EventBridge got %v", m)
			}
			r.Advance(50 * time.Second)
			if got := stateOf(t, r, id); got != "InService" || string(r.Health("web")[id]) != tc.target || len(r.LifecycleActions()) != 0 {
				t.Errorf("before the group finds out the instance is %q and %q, and %d hooks ran", got, r.Health("web")[id], len(r.LifecycleActions()))
			}
			var states []string
			for _, m := range q.Messages() {
				for _, s := range tc.states {
					if strings.Contains(m.Body, `"detail-type":"EC2 Instance State-change Notification"`) && strings.Contains(m.Body, `"detail":{"instance-id":"`+id+`","state":"`+s+`"}`) {
						states = append(states, s)
					}
				}
			}
			if !slices.Equal(states, tc.states) {
				t.Errorf("EventBridge got %v", q.Messages())
			}
			r.Advance(3 * time.Minute)
			actions := r.LifecycleActions()
			if len(actions) != 1 || stateOf(t, r, id) != "Terminating:Wait" || len(r.InService(svc.Group)) != 4 || r.Health("web")[id] == "healthy" {
				t.Fatalf("found out, %d hooks run, the instance is %q and %q, and %d serve", len(actions), stateOf(t, r, id), r.Health("web")[id], len(r.InService(svc.Group)))
			}
			if err := complete(r, actions[0], "CONTINUE", true); err != nil {
				t.Fatal(err)
			}
			r.Advance(10 * time.Minute)
			if got := r.Health("web")[id]; stateOf(t, r, id) != "" || got != "" {
				t.Errorf("completed, the instance is %q and %q", stateOf(t, r, id), got)
			}
		})
	}
}

// TestTerminatedInstanceLeavesItsTargetGroups, also those that its group does
// not know.
func TestTerminatedInstanceLeavesItsTargetGroups(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	r.AddTargetGroup(region.TargetGroup{Name: "partners"})
	id := r.InService(group)[0]
	r.Register("partners", id, 8080)
	r.Advance(time.Minute)
	r.Terminate(id)
	r.Advance(25 * time.Second)
	if got := r.Health("partners")[id]; got != "unused" {
		t.Errorf("just terminated the target is %q", got)
	}
	r.Advance(2 * time.Minute)
	if got := r.Health("partners")[id]; got != "" {
		t.Errorf("two minutes later the target is %q", got)
	}
}

// TestRootVolumeReplacement: the instance is drained, its hooks run, and it
// comes back; nobody is launched in its place.
func TestRootVolumeReplacement(t *testing.T) {
	r := region.New(region.Options{})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 5 * time.Second})
	q := r.Queue("events").Match(func(d region.Delivery) bool { return d.Source == "aws.autoscaling" })
	r.Advance(10 * time.Second)
	id := r.InService(svc.Group)[0]
	r.ReplaceRootVolume(id)
	r.Advance(20 * time.Second)
	actions := r.LifecycleActions()
	if len(actions) != 1 || stateOf(t, r, id) != "ReplacingRootVolume:Wait" {
		t.Fatalf("%d hooks run, and the instance is %s", len(actions), stateOf(t, r, id))
	}
	if m := q.Messages(); len(m) != 1 || !strings.Contains(m[0].Body, `"Origin":"AutoScalingGroup","Destination":"AutoScalingGroup","Action":"ReplaceRootVolume"}`) {
		t.Errorf("the event is %v", m)
	}
	if err := complete(r, actions[0], "CONTINUE", true); err != nil {
		t.Fatal(err)
	}
	r.Advance(5 * time.Minute)
	if got := stateOf(t, r, id); got != "InService" || r.Health("web")[id] != "healthy" {
		t.Errorf("completed, the instance is %s and %q", got, r.Health("web")[id])
	}
	if g, _ := r.Group(svc.Group); len(g.Instances) != 4 || len(activities(t, r, svc.Group)) != 4 {
		t.Errorf("the group has %d instances, its activities are %v", len(g.Instances), activities(t, r, svc.Group))
	}
	if failed := users.Total().Failed; failed != 0 {
		t.Errorf("%d requests failed", failed)
	}
	again := r.InService(svc.Group)[1]
	r.ReplaceRootVolume(again)
	r.Advance(20 * time.Second)
	r.DeleteGroup(svc.Group)
	r.Advance(time.Hour)
	if _, there := r.Group(svc.Group); there {
		t.Error("a group that is deleted meanwhile never ends")
	}
}
