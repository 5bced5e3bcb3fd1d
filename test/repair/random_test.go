package repair

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/test/region"
)

// TestRandomDays plays random schedules of bad days and holds two sentences:
// no instance takes traffic before the reroute because of us, and when the dust
// settles every group in scope is attached.
func TestRandomDays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, setting{
			region: region.Options{
				PageSize:   rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "page size"),
				Throttling: rapid.Bool().Draw(rt, "throttling"),
			},
			service: randomService(rt),
		})
		w.SetDelivery(randomDelivery(rt))
		var days []string
		for range rapid.IntRange(1, 8).Draw(rt, "events") {
			name := rapid.SampledFrom(dayNames).Draw(rt, "event")
			days = append(days, name)
			randomDays[name](w, rt)
			w.Advance(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds")) * time.Second)
		}

		// The dust settles: nothing goes wrong any more, and deployments end.
		w.SetFaults(nil)
		w.SetDelivery(nil)
		w.SetInstanceRefresh(w.GroupOf(w.svc), false)
		w.byHand(w.resume)
		for _, id := range w.deployments() {
			if !w.Ended(id) {
				w.Continue(id)
			}
		}
		w.Advance(30 * time.Minute)
		for _, id := range w.deployments() {
			if !w.Ended(id) {
				w.Stop(id)
			}
		}
		for _, i := range w.InService(w.GroupOf(w.svc)) {
			w.Recover(i)
		}
		w.Advance(3 * time.Hour)

		attached := w.Attached(w.GroupOf(w.svc))
		for _, name := range w.svc.TargetGroups {
			if !contains(attached, w.TargetGroupARN(name)) {
				rt.Errorf("%s of service %+v is not attached to %s after %v; told %q", name, w.svc, w.GroupOf(w.svc), days, w.Told())
			}
		}
		hours := int(w.Now().Sub(w.Start())/time.Hour) + 1
		if w.Invocations > hours*150 {
			rt.Errorf("%d invocations in %d hours after %v: looks multiply", w.Invocations, hours, days)
		}
		if told := w.Told(); len(told) > 6*(len(days)+1) {
			rt.Errorf("%d notices of %d events %v: %q", len(told), len(days), days, told)
		}
		if early := w.users.Total().Early; early > 0 {
			rt.Errorf("%d requests reached a replacement group before its reroute after %v", early, days)
		}
	})
}

func randomService(rt *rapid.T) region.Service {
	s := shop()
	s.TargetGroups = []string{"web", "admin", "api"}[:rapid.IntRange(1, 3).Draw(rt, "target groups")]
	if rapid.Bool().Draw(rt, "only the group knows of more") {
		s.LatticeTargetGroups = []string{"arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"}
	}
	s.HealthCheck = rapid.SampledFrom([]string{"ELB", "EC2"}).Draw(rt, "health check")
	s.RollBack = rapid.Bool().Draw(rt, "roll back")
	s.KeepBlue = rapid.Bool().Draw(rt, "keep blue")
	s.BareAnswers = rapid.Bool().Draw(rt, "bare answers")
	s.TerminationWait = time.Duration(rapid.IntRange(0, 5).Draw(rt, "termination wait")) * time.Minute
	s.ReadyWait = time.Duration(rapid.IntRange(0, 5).Draw(rt, "ready wait")) * time.Minute
	if rapid.Bool().Draw(rt, "trigger") {
		s.Trigger = "triggers"
	}
	return s
}

// randomDelivery loses, repeats and delays events, so that they are reordered.
// What becomes of the n-th event is drawn beforehand, because nothing may be
// drawn while the region runs.
func randomDelivery(rt *rapid.T) func(region.Delivery) []time.Duration {
	fates := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 900), 0, 3), 12, 12).Draw(rt, "deliveries, in seconds")
	n := 0
	return func(region.Delivery) []time.Duration {
		var late []time.Duration
		for _, seconds := range fates[n%len(fates)] {
			late = append(late, time.Duration(seconds)*time.Second)
		}
		n++
		return late
	}
}

// dayNames are the names of randomDays, in an order that does not change.
var dayNames = []string{
	"deploy", "deploy and fail", "deploy and die", "deploy and hang", "scale", "crash", "recover", "throttle", "outage", "time-outs", "kill", "suspend", "freeze", "resume", "refresh", "calm",
}

var randomDays = map[string]func(*world, *rapid.T){
	"deploy": func(w *world, rt *rapid.T) {
		w.tryDeploy(region.Deployment{
			LeaveSuspended: rapid.Bool().Draw(rt, "leave suspended"),
			SucceedFirst:   rapid.Bool().Draw(rt, "succeed first"),
		})
	},
	"deploy and fail": func(w *world, rt *rapid.T) { w.tryDeploy(region.Deployment{FailAt: stage(rt)}) },
	"deploy and die":  func(w *world, rt *rapid.T) { w.tryDeploy(region.Deployment{DieAt: stage(rt)}) },
	"deploy and hang": func(w *world, rt *rapid.T) { w.tryDeploy(region.Deployment{HangAt: stage(rt)}) },
	"scale": func(w *world, rt *rapid.T) {
		w.Scale(w.GroupOf(w.svc), rapid.IntRange(2, 8).Draw(rt, "instances"))
	},
	"crash": func(w *world, _ *rapid.T) {
		if running := w.InService(w.GroupOf(w.svc)); len(running) > 1 {
			w.Crash(running[0])
		}
	},
	"recover": func(w *world, _ *rapid.T) {
		for _, i := range w.InService(w.GroupOf(w.svc)) {
			w.Recover(i)
		}
	},
	"throttle":  faulty(region.Fault{Before: region.Throttled()}),
	"outage":    faulty(region.Fault{Before: region.Unavailable()}),
	"time-outs": faulty(region.Fault{After: region.TimedOut()}),
	"kill": func(w *world, rt *rapid.T) {
		w.SetFaults(region.KilledAfter(rapid.IntRange(1, 30).Draw(rt, "calls")))
	},
	"suspend": func(w *world, _ *rapid.T) { w.byHand(w.suspend, "AddToLoadBalancer") },
	"freeze":  func(w *world, _ *rapid.T) { w.byHand(w.suspend) },
	"resume":  func(w *world, _ *rapid.T) { w.byHand(w.resume) },
	"refresh": func(w *world, rt *rapid.T) {
		w.SetInstanceRefresh(w.GroupOf(w.svc), rapid.Bool().Draw(rt, "refreshing"))
	},
	"calm": func(w *world, _ *rapid.T) { w.SetFaults(nil) },
}

// byHand has a person do something to the current group, to whom faults do not
// happen.
func (w *world) byHand(do func(group string, processes ...string), processes ...string) {
	w.SetFaults(nil)
	w.Advance(time.Minute) // for tokens, where calls are throttled
	do(w.GroupOf(w.svc), processes...)
}

// faulty makes one call in n fail, all of them at times.
func faulty(fault region.Fault) func(*world, *rapid.T) {
	return func(w *world, rt *rapid.T) {
		w.SetFaults(region.OneIn(rapid.IntRange(1, 7).Draw(rt, "one call in"), rapid.Uint64().Draw(rt, "seed"), fault))
	}
}

func stage(rt *rapid.T) region.Stage {
	return rapid.SampledFrom([]region.Stage{
		region.StageProvision, region.StageInstall, region.StageReady, region.StageReroute, region.StageTerminate,
	}).Draw(rt, "stage")
}

// tryDeploy starts a deployment unless CodeDeploy has one in progress.
func (w *world) tryDeploy(how region.Deployment) {
	if id, err := w.TryDeploy(w.svc, how); err == nil {
		w.deployed = append(w.deployed, id)
	}
}

// deployments are all deployments so far, rollbacks included.
func (w *world) deployments() []string {
	all := append([]string{}, w.deployed...)
	for _, id := range w.deployed {
		if rollback := w.RollbackOf(id); rollback != "" {
			all = append(all, rollback)
		}
	}
	return all
}
