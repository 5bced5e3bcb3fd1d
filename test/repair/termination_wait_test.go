package repair

import (
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// waiting is the service whose blue group waits to be terminated.
func waiting(wait time.Duration) region.Service {
	s := shop()
	s.TerminationWait = wait
	return s
}

// TestTerminationWait holds that the replacement group serves like any other
// during the termination wait, whatever CodeDeploy says of it meanwhile: those
// whom a scale-out adds get requests, and operators know that they are bridged.
func TestTerminationWait(t *testing.T) {
	t.Parallel()
	const (
		bridged  = "bridged"  // registered by the function, the attachment waits
		attached = "repaired" // the release is over, by its status
	)
	for _, c := range []struct {
		name string
		wait time.Duration
		how  region.Deployment
		lost []string // events
		want string
	}{
		{"no wait", 0, region.Deployment{}, nil, attached},
		{"an hour", time.Hour, region.Deployment{}, nil, bridged},
		{"an hour, SUCCESS before it", time.Hour, region.Deployment{SucceedFirst: true}, nil, attached},
		{"an hour, SUCCESS before it, green named last", time.Hour, region.Deployment{SucceedFirst: true, Named: region.NamedAtEnd}, nil, ""},
		{"an hour, the wait flag unset", time.Hour, region.Deployment{WaitFlagUnset: true}, nil, bridged},
		{"an hour, green named at the reroute", time.Hour, region.Deployment{Named: region.NamedAtReroute}, nil, bridged},
		{"an hour, green named last", time.Hour, region.Deployment{Named: region.NamedAtEnd}, nil, bridged},
		{"an hour, the wait flag unset, green named last", time.Hour, region.Deployment{WaitFlagUnset: true, Named: region.NamedAtEnd}, nil, bridged},
		{"an hour, START lost", time.Hour, region.Deployment{}, []string{"START"}, bridged},
		{"an hour, no sign of the reroute", time.Hour, region.Deployment{WaitFlagUnset: true, Named: region.NamedAtEnd}, []string{"START", "READY", "SUCCESS"}, bridged},
		{"an hour, rerouted one by one", time.Hour, region.Deployment{Spacing: 2 * time.Minute}, nil, bridged},
		{"two days", 48 * time.Hour, region.Deployment{}, nil, bridged},
		{"two days, SUCCESS before it", 48 * time.Hour, region.Deployment{SucceedFirst: true}, nil, attached},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(c.wait), rate: 1})
			r := watch(f)
			f.Advance(6 * time.Minute)
			if c.lost != nil {
				f.loseEvents(c.lost...)
			}
			id := f.deploy(c.how)
			if c.wait > 0 {
				f.until(region.StageWait, id)
			} else {
				f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
			}
			green := f.green(id)
			f.Advance(2 * time.Minute)
			f.Scale(green, 8)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(green, "the load has risen in the termination wait, and those that were launched for it serve nobody")
			if c.want != "" && f.notified(c.want) == 0 {
				t.Errorf("operators are not notified that the group is %s: %q", c.want, f.outcomes())
			}
			if c.want == bridged && f.Made("AttachTrafficSources") > 0 {
				t.Error("attached while the release is in progress: AWS warns that all instances may become deregistered")
			}
			f.users.Stop()
			f.Advance(c.wait)
			f.settle()
			f.mustServe()
			r.mustHold(t)
			if n := len(f.Subjects()); n > 4 {
				t.Errorf("one release is %d notifications: %q", n, f.Subjects())
			}
		})
	}
}

// TestAttachmentDuringTheTerminationWait holds that those who have tried it in
// their account need no bridge.
func TestAttachmentDuringTheTerminationWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour), config: configured(func(c *repair.Config) { c.AttachDuringTerminationWait = true })})
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(10 * time.Minute)
	if n := len(f.Attached(f.green(id))); n != 1 {
		t.Errorf("the setting allows it, and %d target groups are attached during the wait: scale-in cuts requests off", n)
	}
	if f.StageOf(id) != region.StageWait {
		t.Fatal("the wait is over: this shows nothing")
	}
}

// TestRerouteIsLeftAlone holds that the function registers nothing while
// CodeDeploy registers one instance after the other itself.
func TestRerouteIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
		t.Run("named "+string(naming), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour)})
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageReroute, region.Deployment{Spacing: 4 * time.Minute, Named: naming})
			began := f.Now()
			f.until(region.StageWait, id)
			if f.Now().Sub(began) < 20*time.Minute {
				t.Fatal("the reroute is over at once: this shows nothing")
			}
			for _, operation := range []string{"RegisterTargets", "DeregisterTargets", "AttachTrafficSources", "DetachTrafficSources", "ResumeProcesses"} {
				if n := f.Made(operation); n > 0 {
					t.Errorf("%s was called %d times during the reroute: CodeDeploy's own order is disturbed", operation, n)
				}
			}
			f.mustNotFail("a reroute one by one")
		})
	}
}

// TestBridgeLeavesTerminatingInstances holds that a scale-in during the wait is
// not undone: an instance that a hook drains stays deregistered.
func TestBridgeLeavesTerminatingInstances(t *testing.T) {
	t.Parallel()
	svc := waiting(2 * time.Hour)
	f := newFixture(t, setting{service: svc})
	id := f.releaseTo(region.StageWait, region.Deployment{})
	green := f.green(id)
	f.putTerminateHook(green) // at once: without one, the instances are protected from scale-in
	f.Advance(2 * time.Minute)
	var ending []string
	f.OnCall(func(c region.Call) {
		if in, ok := c.Input.(*elb.RegisterTargetsInput); ok {
			for _, target := range in.Targets {
				if contains(ending, *target.Id) {
					t.Errorf("%s is terminating and was registered: requests are cut off when it ends", *target.Id)
				}
			}
		}
	})
	before := f.InService(green)
	f.Scale(green, 2)
	f.Advance(10 * time.Second)
	for _, i := range before {
		if !contains(f.InService(green), i) {
			ending = append(ending, i)
			f.deregister("web", i) // as drain does
		}
	}
	if len(ending) != 2 {
		t.Fatalf("%d instances are terminating: this shows nothing", len(ending))
	}
	f.Advance(30 * time.Minute)
}

// TestReleaseLeftInReady holds that the old group is kept in service while the
// next release waits for somebody to continue it.
func TestReleaseLeftInReady(t *testing.T) {
	t.Parallel()
	for _, ready := range []time.Duration{time.Hour, 48 * time.Hour} {
		t.Run(ready.String(), func(t *testing.T) {
			t.Parallel()
			svc := shop()
			svc.ReadyWait = ready
			f := newFixture(t, setting{service: svc, rate: 1})
			r := watch(f)
			// The events of the first release are lost, and the next begins before any
			// sweep could see to it.
			f.loseEvents()
			first := f.deploy(region.Deployment{})
			f.until(region.StageReady, first)
			f.Continue(first)
			f.RunUntil(func() bool { return f.Deployed(first) }, time.Hour)
			second := f.deploy(region.Deployment{})
			f.SetDelivery(nil)
			f.until(region.StageReady, second)
			old := f.green(first)
			if len(f.Attached(old)) > 0 {
				t.Fatal("a sweep came in between: this shows nothing")
			}
			f.Advance(6 * time.Minute)
			f.Scale(old, 8)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(old, "the next release waits in READY, and the group that serves cannot grow")
			if n := f.mentions(old); n == 0 {
				t.Errorf("%s serves and is not attached, and operators do not know: %q", old, f.Subjects())
			}
			f.Continue(second)
			f.RunUntil(func() bool { return f.Ended(second) }, time.Hour)
			f.users.Stop()
			f.settle()
			f.mustServe()
			r.mustHold(t)
		})
	}
}

// TestAllInstancesReplaced holds that a group serves although none of those that
// were deployed to is left: it grew, shrank to nothing and grew again before the
// function could see to it.
func TestAllInstancesReplaced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		wait  time.Duration
		check string
	}{
		{"after the release, EC2 health checks", 0, "EC2"},
		{"after the release, ELB health checks", 0, "ELB"},
		{"during the termination wait, EC2 health checks", 3 * time.Hour, "EC2"},
		{"during the termination wait, ELB health checks", 3 * time.Hour, "ELB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			svc := waiting(c.wait)
			svc.HealthCheck = c.check
			f := newFixture(t, setting{service: svc})
			f.Advance(6 * time.Minute)
			down := func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} }
			id := f.deploy(region.Deployment{})
			f.until(region.StageReroute, id)
			f.SetFaults(down)
			f.RunUntil(func() bool { return f.StageOf(id) == region.StageWait || f.Deployed(id) }, time.Hour)
			green := f.green(id)
			f.Advance(time.Minute)
			f.Scale(green, 8)
			f.Advance(5 * time.Minute)
			f.Scale(green, 0)
			f.Advance(5 * time.Minute)
			f.Scale(green, 4)
			f.Advance(5 * time.Minute)
			f.SetFaults(nil)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(green, "all instances have been replaced since the release, and none of those that run serves")
			f.Advance(c.wait)
			f.settle()
			f.mustBeAttached() // the outage has moved messages to the dead-letter queue
		})
	}
}
