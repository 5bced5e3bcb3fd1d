package bench

import (
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"deployhooks/infra/capacity"
	"deployhooks/test/harness"
	"deployhooks/test/harness/drains"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// releaseWait is the termination wait of the releases, and releaseDelay the deregistration
// delay of their target group.
const (
	releaseWait  = 15 * time.Minute
	releaseDelay = time.Minute
)

// releaseFigures are what came of a release, and of a scale-in by a quarter after it.
type releaseFigures struct {
	duration, attached, scaleIn float64        // seconds; attached counts from SUCCESS
	calls                       map[string]int // of the release, until ten minutes after, by function
	scaleInCalls                int
	failed                      int // requests, of both
	throttled                   int // calls
}

// TestReleases plays a release of 4, 40 and 400 instances, and a scale-in after it, with the
// hooks and without, under the request rates that the region knows.
func TestReleases(t *testing.T) {
	for _, n := range []int{4, 40, 400} {
		with, without := playRelease(t, n, true), playRelease(t, n, false)
		t.Logf("%d instances: %+v, without the hooks %+v", n, with, without)
		if with.failed > 0 || without.failed == 0 {
			t.Errorf("%d instances: %d requests failed with the hooks, and %d without: one shows nothing, or the other too much", n, with.failed, without.failed)
		}
		if with.throttled > 0 {
			t.Errorf("%d instances: %d calls of the hooks were throttled", n, with.throttled)
		}
		if with.duration > without.duration {
			t.Errorf("%d instances: the release takes %.0f s with the hooks and %.0f s without", n, with.duration, without.duration)
		}
		name := func(what string) string { return fmt.Sprintf("release.%d.%s", n, what) }
		report(
			figure{name("calls"), float64(with.calls["repair"] + with.calls["drain"]), "calls", 0, 0},
			figure{name("calls.repair"), float64(with.calls["repair"]), "calls", 0, 0},
			figure{name("calls.drain"), float64(with.calls["drain"]), "calls", 0, 0},
			figure{name("duration"), with.duration, "s, simulated", 0, without.duration},
			figure{name("attached"), with.attached, "s after SUCCESS", 0, 0},
			figure{name("scaleIn.calls"), float64(with.scaleInCalls), "calls", 0, 0},
			figure{name("scaleIn.duration"), with.scaleIn, "s, simulated", 0, without.scaleIn},
			figure{name("failed"), float64(with.failed), "requests", 0, float64(without.failed)},
		)
	}
}

// playRelease plays one release.
func playRelease(t *testing.T, instances int, hooks bool) (f releaseFigures) {
	t.Helper()
	r := region.New(region.Options{Throttling: true})
	svc := region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: instances, Min: 1, TerminationWait: releaseWait,
		Zones: []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"},
	}
	made := map[string]int{}
	if hooks {
		svc.Trigger = repairs.Triggers
		svc.Hooks = append(svc.Hooks, drains.Hook(releaseDelay))
		count := func(function string, h *harness.Harness) {
			h.Queue.Serve(func(payload []byte) ([]byte, error) {
				_, seen := r.CallsSince(math.MaxInt)
				answer, err := h.Invoke(payload)
				calls, _ := r.CallsSince(seen)
				made[function] += len(calls)
				return answer, err
			})
		}
		count("repair", repairs.Install(r, repairs.Settings{}))
		count("drain", drains.Install(r))
	}
	svc = r.AddService(svc)
	r.SetDeregistrationDelay("web", releaseDelay)
	r.Advance(6 * time.Minute)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 20, Mix: []time.Duration{200 * time.Millisecond, 2 * time.Second, 20 * time.Second}})
	r.Advance(time.Minute)
	clear(made)
	r.ForgetCalls()

	began := r.Now()
	r.RunDeployment(svc, region.Deployment{})
	succeeded := r.Now()
	f.duration = succeeded.Sub(began).Seconds()
	if r.RunUntil(func() bool { return len(r.Attached(r.GroupOf(svc))) > 0 }, 10*time.Minute) {
		f.attached = r.Now().Sub(succeeded).Seconds()
	} else if hooks {
		t.Fatalf("the group of %d is not attached ten minutes after its release", instances)
	}
	r.Advance(succeeded.Add(10 * time.Minute).Sub(r.Now()))

	f.calls = maps.Clone(made)
	clear(made)
	began = r.Now()
	r.Scale(r.GroupOf(svc), instances-instances/4)
	left := func() bool { return len(r.Running()) == instances-instances/4 }
	r.Advance(time.Second)
	if !r.RunUntil(left, time.Hour) {
		t.Fatalf("%d instances run an hour after the scale-in of %d by a quarter", len(r.Running()), instances)
	}
	f.scaleIn = r.Now().Sub(began).Seconds()
	r.Advance(2 * time.Minute)
	f.scaleInCalls = made["repair"] + made["drain"]
	f.failed = users.Total().Failed
	for _, c := range r.Calls() {
		if throttled(c.Err) {
			f.throttled++
		}
	}
	return f
}

// TestCapacity reports what the stages of growth need in their largest region.
func TestCapacity(t *testing.T) {
	for _, s := range capacity.Stages() {
		p := s.Region(0, capacity.Typical())
		if p.LostCPU > capacity.LossCPU {
			t.Errorf("%s: %d instances are at %.0f %% without a zone", s.Name, p.Instances, 100*p.LostCPU)
		}
		report(
			figure{"capacity." + s.Name + ".peak", p.PeakPerSecond, "requests/s", 0, 0},
			figure{"capacity." + s.Name + ".instances", float64(p.Instances), s.Instance.Type, 0, 0},
			figure{"capacity." + s.Name + ".lostZone", 100 * p.LostCPU, "% CPU", 100 * capacity.LossCPU, 0},
			figure{"capacity." + s.Name + ".cost", s.Total(capacity.Typical()), "$ a month, all regions", 0, 0},
		)
	}
}
