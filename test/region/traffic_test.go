package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

func TestTrafficFindsWhatUsersFeel(t *testing.T) {
	for _, tc := range []struct {
		name    string
		happens func(*region.Region)
		failed  func(region.Tally) bool
	}{
		{"a quiet hour", func(*region.Region) {}, func(s region.Tally) bool { return s.Failed == 0 }},
		{"a crash fails requests until the health checks notice", func(r *region.Region) { r.Crash(r.InService(group)[0]) },
			func(s region.Tally) bool { return s.Failed > 0 && s.Failed < 150 }},
		{"an instance terminated behind the load balancer's back fails those in flight and some more",
			func(r *region.Region) { r.Terminate(r.InService(group)[0]) },
			func(s region.Tally) bool { return s.Failed > 0 && s.Failed < 150 }},
		{"a deleted group fails everything from then on", func(r *region.Region) { r.DeleteGroup(group) },
			func(s region.Tally) bool { return s.Failed >= 10*59*60 }},
		{"a deleted target group fails everything from then on", func(r *region.Region) { r.DeleteTargetGroup("web") },
			func(s region.Tally) bool { return s.Failed >= 10*59*60 }},
		{"a scale-in of an attached group fails nothing", func(r *region.Region) { r.Scale(group, 2) },
			func(s region.Tally) bool { return s.Failed == 0 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			shop(r)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: time.Second, Long: 20 * time.Second})
			r.Advance(time.Minute)
			tc.happens(r)
			r.Advance(time.Hour)
			total := users.Total()
			if !tc.failed(total) {
				t.Errorf("%+v", total)
			}
			if want := 10*61*60 + 1; total.Requests != want || total.Unvalidated != 0 {
				t.Errorf("%+v: want %d requests and none unvalidated", total, want)
			}
		})
	}
}

func TestRequestsInFlightDieWithTheirInstance(t *testing.T) {
	for name, die := range map[string]func(*region.Region, string){
		"terminated":   (*region.Region).Terminate,
		"host dead":    (*region.Region).Kill,
		"app crashed":  (*region.Region).Crash,
		"group killed": func(r *region.Region, _ string) { r.DeleteGroup(group) },
	} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 1})
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: time.Minute})
			users.Stop() // after its first request
			r.Advance(30 * time.Second)
			die(r, r.InService(group)[0])
			r.Advance(time.Hour)
			if total := users.Total(); total.Requests != 1 || total.Failed != 1 {
				t.Errorf("%+v: the request in flight must fail, once", total)
			}
		})
	}
}

func TestTrafficSpreadsOverServingInstances(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 8})
	r.Advance(10*time.Second - 1)
	users.Stop()
	seconds := users.Seconds()
	if len(seconds) != 10 {
		t.Fatalf("%d seconds", len(seconds))
	}
	for _, s := range seconds {
		if s.Requests != 8 || s.Serving != 4 || s.ByGroup[group] != 8 {
			t.Errorf("%+v", s)
		}
	}
}

func TestFailOpen(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	suspend(t, r, group, "ReplaceUnhealthy")
	all := r.InService(group)
	for _, i := range all {
		r.Crash(i)
	}
	r.Advance(time.Minute)
	for _, i := range all[:2] {
		r.Recover(i) // their targets take a while to be healthy
	}
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	r.Advance(5 * time.Second)
	if total := users.Total(); total.Failed == 0 || total.Failed == total.Requests {
		t.Errorf("%+v: with no healthy target requests go to all of them", total)
	}
}

// TestUnvalidatedInstances: who reaches an instance that no deployment put
// before users is counted, and early if that was before the reroute.
func TestUnvalidatedInstances(t *testing.T) {
	const wait = 30 * time.Minute
	for _, tc := range []struct {
		name               string
		when               func(*region.Region, string) bool // to attach
		scaleOut           bool                              // of green while it waits
		unvalidated, early bool
	}{
		{"attached while ready: early", func(r *region.Region, id string) bool { return r.StageOf(id) == region.StageReady }, false, true, true},
		{"attached after success: nobody", func(r *region.Region, id string) bool { return r.Deployed(id) }, false, false, false},
		{"attached after success, with an instance launched in between: unvalidated, not early", func(r *region.Region, id string) bool { return r.Deployed(id) }, true, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, ReadyWait: wait, BareAnswers: true})
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			id := r.Deploy(svc, region.Deployment{})
			r.RunUntil(func() bool { return r.StageOf(id) == region.StageReady }, wait)
			_, green := r.Groups(id)
			if tc.scaleOut {
				r.Scale(green, 3)
				r.Advance(2 * time.Minute)
			}
			if !tc.when(r, id) {
				r.Continue(id)
				r.RunUntil(func() bool { return tc.when(r, id) }, wait)
			}
			if err := attach(r, green, "elbv2", r.TargetGroupARN("web")); err != nil {
				t.Fatal(err)
			}
			r.Advance(10 * time.Minute)
			total := users.Total()
			if (total.Unvalidated > 0) != tc.unvalidated || (total.Early > 0) != tc.early {
				t.Errorf("%+v: want unvalidated %t, early %t", total, tc.unvalidated, tc.early)
			}
		})
	}
}

// TestRequestsCutOffAreCountedByWhatCouldHaveSavedThem: a drainer answers for
// the early ones only.
func TestRequestsCutOffAreCountedByWhatCouldHaveSavedThem(t *testing.T) {
	const delay = 30 * time.Second
	for _, tc := range []struct {
		name        string
		takes       time.Duration
		deregister  bool          // at the scale-in
		after       time.Duration // when the hook lets go
		early, late bool
	}{
		{"never deregistered: short requests could have been saved", 10 * time.Second, false, time.Minute, true, false},
		{"never deregistered: of long polls only those nearly done could", 40 * time.Second, false, time.Minute, true, true},
		{"completed before the delay was over", 25 * time.Second, true, 10 * time.Second, true, false},
		{"completed after everything had drained", 25 * time.Second, true, time.Minute, false, false},
		{"the delay itself cuts the long polls off", 5 * time.Minute, true, time.Minute, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
			// Without its attachment the group deregisters nothing itself.
			detach(t, r, svc.Group, "web")
			r.SetDeregistrationDelay("web", delay)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", Mix: []time.Duration{50 * time.Millisecond, tc.takes, time.Second}})
			r.Advance(10 * time.Minute)
			before := users.Total()
			r.Scale(svc.Group, 3)
			r.Advance(0)
			a := r.LifecycleActions()[0]
			if tc.deregister {
				deregister(t, r, "web", a.Instance)
			}
			r.Advance(tc.after)
			if err := complete(r, a, "CONTINUE", true); err != nil {
				t.Fatal(err)
			}
			r.Advance(10 * time.Minute)
			total := users.Total()
			if before.Failed != 0 || (total.CutEarly > 0) != tc.early || (total.CutLate > 0) != tc.late {
				t.Errorf("%d requests were cut off that could have been saved, and %d that could not", total.CutEarly, total.CutLate)
			}
		})
	}
}

func detach(t *testing.T, r *region.Region, group, targetGroup string) {
	t.Helper()
	_, err := r.AutoScaling().DetachTrafficSources(t.Context(), &autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(group),
		TrafficSources:       []asg.TrafficSourceIdentifier{{Identifier: aws.String(r.TargetGroupARN(targetGroup)), Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range r.InService(group) {
		r.Register(targetGroup, i, 80)
	}
	r.Advance(2 * time.Minute)
}
