package repair

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/infra/config"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// deployed is the function's queue as the stack makes it, one batch at a time.
func deployed() region.QueueSettings {
	return region.QueueSettings{
		VisibilityTimeout: config.RepairQueue.VisibilityTimeout(), MaxReceive: config.MaxReceives,
		BatchSize: config.RepairQueue.BatchSize, Window: config.RepairQueue.Window,
	}
}

// TestManyLaunchesAtOnce holds that the events of one deployment group share one
// observation: Auto Scaling deploys to each launched instance, with a START and a
// SUCCESS for each.
func TestManyLaunchesAtOnce(t *testing.T) {
	t.Parallel()
	const launches = 140
	f := newFixture(t, setting{noSweep: true, rate: 1, queue: deployed()})
	f.release(region.Deployment{})
	f.settle()
	f.ForgetCalls()
	events := 0
	f.SetDelivery(func(d region.Delivery) []time.Duration {
		if d.Deployment != "" {
			events++
		}
		return region.Delivered()
	})
	f.Scale(f.GroupOf(f.svc), 4+launches)
	f.settle()
	if events < 2*launches {
		t.Fatalf("%d events of %d launches: this shows nothing", events, launches)
	}
	const budget = 99 // tens
	if n := len(f.Calls()); n > budget {
		t.Errorf("%d launches at once cost %d calls, more than %d: the account's request rates are used up while it scales", launches, n, budget)
	}
	f.mustRegisterAll(f.GroupOf(f.svc), "after 140 launches")
}

// TestEventsOfManyDeploymentGroups holds that a batch costs one observation for each group
// in it and no more.
func TestEventsOfManyDeploymentGroups(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true, rate: 1, queue: deployed()})
	services := []region.Service{f.svc}
	for n := range 9 {
		s := shop()
		s.DeploymentGroup = fmt.Sprintf("web-%d", n)
		services = append(services, f.AddService(s))
	}
	f.ForgetCalls()
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Duplicated(10) })
	for _, s := range services {
		f.Deploy(s, region.Deployment{})
	}
	f.settle()
	for _, s := range services {
		if len(f.Attached(f.GroupOf(s))) != 1 {
			t.Errorf("%s is not attached", s.DeploymentGroup)
		}
	}
	if n := len(f.Calls()); n > len(services)*300 {
		t.Errorf("ten releases with every event ten times cost %d calls", n)
	}
}

// TestFirstSweepOfManyApplications holds that a sweep that takes longer than an
// invocation may hands over what it has found while it reads on, stops in time,
// and goes on where it stopped.
func TestFirstSweepOfManyApplications(t *testing.T) {
	t.Parallel()
	const (
		applications = 1000
		perCall      = 300 * time.Millisecond
		limit        = time.Minute // of one invocation
	)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, setting{noSweep: true, rate: 1})
		for n := range applications - 1 {
			f.AddService(region.Service{Application: fmt.Sprintf("app-%03d", n), DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 1})
		}
		f.Queue.Serve(nil)
		f.Function = atBubbleTime(f)
		f.OnCall(func(region.Call) { time.Sleep(perCall) })
		f.ForgetCalls()
		body, rounds, swept := repairs.Sweep, 0, 0
		for ; body != "" && rounds < 100; rounds++ {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			began, before := time.Now(), f.Queue.Len()
			_, err := f.Function.Invoke(ctx, queued(body))
			took := time.Since(began)
			cancel()
			if err != nil || took >= limit {
				t.Fatalf("round %d took %v of %v: %v: it is cut off, and begins anew for ever", rounds, took, limit, err)
			}
			if rounds == 0 && f.Queue.Len()-before < 20 {
				t.Errorf("the first round has handed over %d deployment groups: the first are not repaired until all are read", f.Queue.Len()-before)
			}
			body = ""
			for _, m := range f.Queue.Messages()[before:] {
				if sweeps(m.Body) {
					body = m.Body
				} else {
					swept++
				}
			}
		}
		if rounds < 2 {
			t.Errorf("%d rounds at %v a call: this shows nothing", rounds, perCall)
		}
		if swept < applications || swept > applications+applications/10 {
			t.Errorf("%d of %d deployment groups were handed over in %d rounds", swept, applications, rounds)
		}
		// Listing applications, then their groups, then what they are like: CodeDeploy
		// has no way to ask for those of several applications at once.
		if n := len(f.Calls()); n > 4*applications+applications/2 {
			t.Errorf("a first sweep of %d applications costs %d calls", applications, n)
		}
		f.OnCall(nil)
	})
}

// TestSweepInOrderIsCheap holds that a sweep costs the reads of a batch, and
// writes nothing, when all is in order.
func TestSweepInOrderIsCheap(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{rate: 1})
	const groups = 40
	for n := range groups - 1 {
		f.AddService(region.Service{Application: "shop", DeploymentGroup: fmt.Sprintf("web-%02d", n), TargetGroups: []string{"web"}, Instances: 1})
	}
	f.AddService(region.Service{Application: "lambda", DeploymentGroup: "x", Platform: codedeploytypes.ComputePlatformLambda})
	f.Advance(31 * time.Minute) // what is new is reconciled
	f.ForgetCalls()
	f.Advance(60 * time.Minute)
	// A call for each group: its lifecycle hooks, which no call reads of several
	// groups, so that a lost START loses none of them.
	if n, sweeps := len(f.Calls()), 12; n > sweeps*(groups+groups/4) {
		t.Errorf("%d sweeps of %d deployment groups in order cost %d calls", sweeps, groups, n)
	}
	for _, operation := range []string{"PutItem", "PutParameter", "Publish"} {
		if n := f.Made(operation); n > 0 {
			t.Errorf("%s was called %d times although nothing changed", operation, n)
		}
	}
}

// TestScaleInOnceTheNextReleaseHasBegun holds that a group that is not attached yet when
// the next release begins loses no instance to a scale-in that takes requests.
func TestScaleInOnceTheNextReleaseHasBegun(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute} {
		f := begin(t, shop())
		first := f.deploy(region.Deployment{})
		f.RunUntil(func() bool { return f.Deployed(first) }, time.Hour)
		f.deploy(region.Deployment{Installs: 20 * time.Minute})
		old := f.green(first)
		f.Advance(after)
		if len(f.Attached(old)) > 0 {
			t.Fatal("the group was attached before the next release began: this shows nothing")
		}
		f.Scale(old, 1)
		f.Advance(10 * time.Minute)
		if failed := f.users.Total().Failed; failed > 0 {
			t.Errorf("%d requests failed by a scale-in %s after the next release began", failed, after)
		}
	}
}
