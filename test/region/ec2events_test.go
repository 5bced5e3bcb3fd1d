package region_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

func deregister(t *testing.T, r *region.Region, targetGroup, instance string) {
	t.Helper()
	_, err := r.ELBV2().DeregisterTargets(context.Background(), &elasticloadbalancingv2.DeregisterTargetsInput{
		TargetGroupArn: aws.String(r.TargetGroupARN(targetGroup)), Targets: []elb.TargetDescription{{Id: aws.String(instance)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSpotInterruptionComesWithTwoMinutes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		act   bool // on the warning
		takes time.Duration
		early bool // requests are lost that could have been saved
		late  bool // or that could not
	}{
		{"unheeded, requests are lost", false, 10 * time.Second, true, false},
		{"heeded, none is", true, 10 * time.Second, false, false},
		{"what takes longer than the notice cannot be saved", true, 150 * time.Second, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 20, Takes: tc.takes})
			q := r.Queue("events")
			r.Advance(time.Minute)
			id := r.InService(svc.Group)[0]
			r.InterruptSpot(id)
			r.Advance(2 * time.Second)
			if m := q.Messages(); len(m) != 1 || !strings.Contains(m[0].Body, `"detail":{"instance-id":"`+id+`","instance-action":"terminate"}`) {
				t.Fatalf("the warning is %v", m)
			}
			if tc.act {
				deregister(t, r, "web", id)
			}
			r.Advance(117 * time.Second)
			if stateOf(t, r, id) != "InService" {
				t.Error("the instance died before its two minutes were over")
			}
			r.Advance(5 * time.Minute)
			// The group has found out since, and runs its hook for an instance
			// that is gone.
			actions := r.LifecycleActions()
			if got := stateOf(t, r, id); got != "Terminating:Wait" || len(actions) != 1 || len(r.InService(svc.Group)) != 4 {
				t.Fatalf("after the notice the instance is %q, %d hooks ran, and %d serve", got, len(actions), len(r.InService(svc.Group)))
			}
			if since := actions[0].Began.Sub(r.Start()); since < 3*time.Minute {
				t.Errorf("the hook ran %s after the beginning: before the instance was gone", since)
			}
			if err := complete(r, actions[0], "CONTINUE", true); err != nil {
				t.Error(err)
			}
			r.Advance(time.Second)
			if got := stateOf(t, r, id); got != "" {
				t.Errorf("completed, the instance is %q", got)
			}
			total := users.Total()
			if early, late := total.CutEarly > 0, total.CutLate > 0; early != tc.early || late != tc.late {
				t.Errorf("%d requests were cut off that could have been saved, and %d that could not; want %v and %v", total.CutEarly, total.CutLate, tc.early, tc.late)
			}
		})
	}
}

func TestSpotEndsAWaitForAHook(t *testing.T) {
	r := region.New(region.Options{})
	a := scaleIn(t, r, hooked(r, hook("drain", terminating, 600, "CONTINUE")).Group)
	r.InterruptSpot(a.Instance)
	r.Advance(3 * time.Minute)
	if got := r.LifecycleActions()[0].Ending; got != region.InstanceGone {
		t.Errorf("two minutes after the warning the action is %q", got)
	}
}

func TestRebalanceRecommendation(t *testing.T) {
	for _, tc := range []struct {
		name      string
		rebalance bool
	}{
		{"alone it is only announced", false},
		{"with Capacity Rebalancing the instance leaves once it is replaced", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
			r.SetCapacityRebalance(svc.Group, tc.rebalance)
			q := r.Queue("events").Match(func(d region.Delivery) bool { return d.DetailType == "EC2 Instance Rebalance Recommendation" })
			id := r.InService(svc.Group)[0]
			r.RecommendRebalance(id)
			r.Advance(20 * time.Second)
			if len(q.Messages()) != 1 || !slices.Contains(r.InService(svc.Group), id) {
				t.Errorf("%d events, and the instance left before its replacement came: %q", len(q.Messages()), stateOf(t, r, id))
			}
			r.Advance(time.Minute)
			waits := stateOf(t, r, id) == "Terminating:Wait"
			if waits != tc.rebalance || len(r.InService(svc.Group)) != 4 {
				t.Errorf("the instance waits for its hook: %v, and %d serve", waits, len(r.InService(svc.Group)))
			}
		})
	}
}

func TestMaintenanceIsOnlyAnnounced(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	q := r.Queue("events")
	id := r.InService(svc.Group)[0]
	r.Maintenance(id)
	r.Advance(time.Hour)
	m := q.Messages()
	if len(m) != 1 || !strings.Contains(m[0].Body, `"source":"aws.health"`) || !strings.Contains(m[0].Body, `"eventTypeCategory":"scheduledChange"`) ||
		!strings.Contains(m[0].Body, `"affectedEntities":[{"entityValue":"`+id+`"`) {
		t.Errorf("maintenance was announced as %v", m)
	}
	if got := stateOf(t, r, id); got != "InService" {
		t.Errorf("the announcement made the instance %q", got)
	}
}
