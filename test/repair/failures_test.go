package repair

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

func TestKilledAfterEachCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		f := newFixture(t, setting{noSweep: true, rate: 2})
		killed := f.KillAfter(n)
		f.release(region.Deployment{})
		f.settle()
		f.mustServe()
		// Killed between the attachment and its record, nobody knows any
		// more who attached: the next reconcile finds the group in order.
		if subjects := len(f.Subjects()); subjects < 1 || subjects > 2 {
			t.Errorf("killed after call %d: the outcome is notified %d times", n, subjects)
		}
		if t.Failed() {
			t.Fatalf("killed after call %d", n)
		}
		if !*killed {
			if n < 20 {
				t.Errorf("a release takes %d calls only: not much was killed", n-1)
			}
			return
		}
	}
}

func TestKilledWhileResuming(t *testing.T) {
	t.Parallel()
	for n := 1; n < 60; n++ {
		f := newFixture(t, setting{noSweep: true, rate: 2})
		killed := f.KillAfter(n)
		id := f.deploy(region.Deployment{LeaveSuspended: true})
		f.RunUntil(func() bool { return f.StageOf(id) == region.StageReroute }, time.Hour)
		f.RunUntil(func() bool { _, green := f.Groups(id); g, _ := f.Group(green); return len(g.SuspendedProcesses) == 3 }, time.Hour)
		_, green := f.Groups(id)
		f.Scale(green, 6)
		f.settle()
		f.mustServe()
		if registered := len(f.Health("web")); registered < 6 {
			t.Fatalf("killed after call %d: %d of 6 instances are registered", n, registered)
		}
		if !*killed {
			return
		}
	}
}

func TestFaultsOfEveryCall(t *testing.T) {
	t.Parallel()
	operations := []string{
		"GetDeployment", "GetDeploymentGroup", "ListDeployments", "DescribeAutoScalingGroups", "DescribeTrafficSources", "DescribeLifecycleHooks",
		"DescribeTargetHealth", "DescribeTargetGroups", "AttachTrafficSources", "BatchGetItem", "PutItem", "PutParameter", "Publish", "PutEvents", "SendMessage",
	}
	for name, fault := range map[string]region.Fault{
		"throttled":             {Before: region.Throttled()},
		"503":                   {Before: region.Unavailable()},
		"time-out after effect": {After: region.TimedOut()},
		"in part":               {Partial: true},
	} {
		for _, operation := range operations {
			t.Run(name+" "+operation, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, setting{noSweep: true, rate: 2})
				f.SetFaults(region.On(operation, 2, fault))
				f.release(region.Deployment{})
				f.settle()
				f.mustServe()
				if f.notified("repaired") < 1 {
					t.Errorf("operators are not notified of the repair: %q", f.Subjects())
				}
			})
		}
	}
}

// TestFaultsThatLast holds that trouble that does not pass neither multiplies
// calls nor notices, and that the group is repaired when it has passed.
func TestFaultsThatLast(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		"GetDeployment", "GetDeploymentGroup", "ListDeployments", "DescribeAutoScalingGroups", "DescribeTrafficSources", "DescribeLifecycleHooks",
		"DescribeTargetHealth", "DescribeTargetGroups", "AttachTrafficSources", "BatchGetItem", "PutItem", "PutParameter", "Publish", "PutEvents",
		"SendMessage", "ListApplications", "ListDeploymentGroups", "BatchGetDeploymentGroups",
	} {
		for name, fault := range map[string]region.Fault{
			"throttled":             {Before: region.Throttled()},
			"503":                   {Before: region.Unavailable()},
			"time-out after effect": {After: region.TimedOut()},
			"access denied":         {Before: region.AccessDenied("")},
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, setting{rate: 1})
				struck := 0
				f.SetFaults(func(c region.Call) region.Fault {
					if c.Operation != operation {
						return region.Fault{}
					}
					struck++
					return fault
				})
				f.release(region.Deployment{})
				const hours = 3
				f.Advance(hours * time.Hour)
				if struck == 0 {
					t.Fatal("the fault never struck: this shows nothing")
				}
				if f.Invocations > hours*100 {
					t.Errorf("%d invocations in %d hours: failed reconciles multiply", f.Invocations, hours)
				}
				if subjects := f.Subjects(); len(subjects) > 12 {
					t.Errorf("%d notices of one fault: %q…", len(subjects), subjects[:12])
				}
				f.SetFaults(nil)
				f.Advance(2 * time.Hour)
				if len(f.Attached(f.GroupOf(f.svc))) != 1 {
					t.Error("the trouble has passed, and the group is not attached")
				}
			})
		}
	}
}

func TestThrottledAtTheDocumentedRates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{region: region.Options{Throttling: true}, noSweep: true})
	services := []region.Service{f.svc}
	for n := range 100 {
		s := shop()
		s.DeploymentGroup = fmt.Sprintf("web-%d", n)
		s.TargetGroups = []string{fmt.Sprintf("web-%d", n)}
		services = append(services, f.AddService(s))
	}
	for _, s := range services {
		f.Deploy(s, region.Deployment{})
	}
	f.Advance(time.Hour)
	for _, s := range services {
		if len(f.Attached(f.GroupOf(s))) != 1 {
			t.Errorf("%s was not repaired", s.DeploymentGroup)
		}
	}
	throttled := 0
	for _, c := range f.Calls() {
		if c.Err != nil && strings.Contains(c.Err.Error(), "Rate exceeded") {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("nothing was throttled: this shows nothing")
	}
}

func TestDeletedInBetween(t *testing.T) {
	t.Parallel()
	for scenario, c := range map[string]struct {
		remove func(*fixture)
		notice string
	}{
		"the deployment group":     {remove: func(f *fixture) { f.DeleteDeploymentGroup(f.svc) }},
		"the Auto Scaling group":   {remove: func(f *fixture) { f.DeleteGroup(f.GroupOf(f.svc)) }, notice: "does not exist"},
		"one of two target groups": {remove: func(f *fixture) { f.DeleteTargetGroup("admin") }, notice: "do not exist: admin"},
	} {
		t.Run(scenario, func(t *testing.T) {
			svc := shop()
			svc.TargetGroups = []string{"web", "admin"}
			f := newFixture(t, setting{service: svc})
			// All at the moment that matters: when the function wants to attach.
			removed := false
			f.Queue.Serve(func(payload []byte) ([]byte, error) {
				if !removed && strings.Contains(string(payload), "SUCCESS") {
					removed = true
					c.remove(f)
				}
				return f.Invoke(payload)
			})
			f.release(region.Deployment{})
			f.settle()
			if dead := f.Queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages were moved to the dead-letter queue, the first: %s", len(dead), dead[0].Body)
			}
			if c.notice != "" && !strings.Contains(f.LastNotice(), c.notice) {
				t.Errorf("operators are not notified that it is gone: %q", f.LastNotice())
			}
			if scenario == "one of two target groups" {
				f.mustServe(f.TargetGroupARN("web"))
			}
		})
	}
}
