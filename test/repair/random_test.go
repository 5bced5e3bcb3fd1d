package repair

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/test/region"
)

// TestRandomSchedules plays random schedules of releases, scaling and failures.
// While they last it holds the rule of the function (see [rule]); when they have
// ended, every target group of the group that serves is attached. A failing
// schedule is printed with the flag that repeats it; it then becomes a named
// scenario in seeds_test.go.
func TestRandomSchedules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, setting{
			region: region.Options{
				PageSize:          rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "page size"),
				Throttling:        rapid.Bool().Draw(rt, "throttling"),
				CamelCaseCreators: rapid.Bool().Draw(rt, "creators in camel case"),
				Timings:           region.Timings{Install: rapid.SampledFrom([]time.Duration{30 * time.Second, 6 * time.Minute}).Draw(rt, "install")},
			},
			service: randomService(rt),
			rate:    1,
		})
		f.SetDelivery(randomDelivery(rt))
		s := &schedule{fixture: f, rule: watch(f)}
		for range rapid.IntRange(1, 8).Draw(rt, "events") {
			name := rapid.SampledFrom(eventNames).Draw(rt, "event")
			s.played = append(s.played, name)
			randomEvents[name](s, rt)
			s.Advance(time.Duration(rapid.IntRange(1, 900).Draw(rt, "seconds")) * time.Second)
		}
		s.end()
		for _, text := range s.rule.broken {
			rt.Errorf("%s\nafter %v of %+v; notified %q", text, s.played, f.svc, f.Subjects())
		}
		attached := s.Attached(s.GroupOf(s.svc))
		for _, name := range s.svc.TargetGroups {
			if !contains(attached, s.TargetGroupARN(name)) {
				rt.Errorf("%s of service %+v is not attached to %s after %v; notified %q", name, s.svc, s.GroupOf(s.svc), s.played, s.Subjects())
			}
		}
		hours := int(s.Now().Sub(s.Start())/time.Hour) + 1
		if s.Invocations > hours*150 {
			rt.Errorf("%d invocations in %d hours after %v: requeues multiply", s.Invocations, hours, s.played)
		}
		if subjects := s.Subjects(); len(subjects) > 6*(len(s.played)+1) {
			rt.Errorf("%d notifications of %d events %v: %q", len(subjects), len(s.played), s.played, subjects)
		}
		if early := s.early; early > 0 {
			rt.Errorf("%d requests reached a replacement group before its reroute after %v", early, s.played)
		}
	})
}

// schedule is a random schedule as it is played.
type schedule struct {
	*fixture
	rule   *rule
	played []string
	early  int
}

// quiet lets a long time pass without requests, which would take longer than all
// the rest.
func (s *schedule) quiet(d time.Duration) {
	s.users.Stop()
	s.countEarly()
	s.ForgetCalls()
	s.Advance(d)
	s.users = s.StartTraffic(region.Traffic{TargetGroup: s.svc.TargetGroups[0], PerSecond: 1})
}

// end has nothing go wrong any more, and every deployment end.
func (s *schedule) end() {
	s.rule.faults(nil)
	s.SetDelivery(nil)
	s.SetInstanceRefresh(s.GroupOf(s.svc), false)
	s.resumeByHand()
	for _, id := range s.deployments() {
		if !s.Ended(id) {
			s.Continue(id)
		}
	}
	s.Advance(30 * time.Minute)
	if s.svc.TerminationWait > 0 {
		s.quiet(s.svc.TerminationWait)
	}
	for _, id := range s.deployments() { // those that hang
		if !s.Ended(id) {
			s.Stop(id)
		}
	}
	for _, i := range s.InService(s.GroupOf(s.svc)) {
		s.Recover(i)
	}
	s.Advance(time.Hour)
	for _, id := range s.deployments() { // roll-backs
		if !s.Ended(id) {
			s.Stop(id)
		}
	}
	s.Advance(2 * time.Hour)
	s.countEarly()
}

// countEarly counts the requests so far that reached a replacement group before its
// time, or after it. A bridge stands until the end of a roll-back is delivered: what
// it brought to the group that was rolled back within seconds does not count.
func (s *schedule) countEarly() {
	for _, second := range s.users.Seconds() {
		if second.Early > 0 && !slices.ContainsFunc(s.rule.rolledBack, func(at time.Time) bool { return at.Sub(second.At).Abs() < time.Minute }) {
			s.early += second.Early
		}
	}
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
	s.TerminationWait = randomWait(rt, "termination wait")
	s.ReadyWait = randomWait(rt, "ready wait")
	if rapid.Bool().Draw(rt, "trigger") {
		s.Trigger = "triggers"
	}
	return s
}

// randomWait is a termination wait that CodeDeploy accepts: usually none or minutes, at
// times an hour, seldom the longest of all.
func randomWait(rt *rapid.T, label string) time.Duration {
	minutes := rapid.SampledFrom([]int{0, 0, 1, 3, 5, 12, 60, 60, 60, 48 * 60}).Draw(rt, label)
	return time.Duration(minutes) * time.Minute
}

// randomDelivery loses, repeats and delays events, so that they are reordered.
// What becomes of the n-th event is drawn beforehand, because nothing may be
// drawn while the region runs.
func randomDelivery(rt *rapid.T) func(region.Delivery) []time.Duration {
	if rapid.Bool().Draw(rt, "no START is delivered") {
		return func(d region.Delivery) []time.Duration {
			if d.State == "START" {
				return region.Lost()
			}
			return region.Delivered()
		}
	}
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

// eventNames are the names of randomEvents, in an order that does not change.
var eventNames = []string{
	"deploy", "deploy slowly", "deploy and fail", "deploy and die", "deploy and hang", "continue", "stop", "scale", "scale to nothing and back", "launch all the time",
	"crash", "recover", "throttle", "outage", "time-outs", "kill", "suspend", "freeze", "resume", "refresh", "calm", "an hour", "two days",
}

var randomEvents = map[string]func(*schedule, *rapid.T){
	"deploy": func(s *schedule, rt *rapid.T) { s.tryDeploy(randomDeployment(rt)) },
	"deploy slowly": func(s *schedule, rt *rapid.T) {
		how := randomDeployment(rt)
		how.Installs = time.Duration(rapid.IntRange(1, 30).Draw(rt, "installs, in minutes")) * time.Minute
		how.Spacing = time.Duration(rapid.IntRange(0, 180).Draw(rt, "spacing, in seconds")) * time.Second
		s.tryDeploy(how)
	},
	"deploy and fail": func(s *schedule, rt *rapid.T) { s.tryDeploy(region.Deployment{FailAt: stage(rt)}) },
	"deploy and die":  func(s *schedule, rt *rapid.T) { s.tryDeploy(region.Deployment{DieAt: stage(rt)}) },
	"deploy and hang": func(s *schedule, rt *rapid.T) { s.tryDeploy(region.Deployment{HangAt: stage(rt)}) },
	"continue": func(s *schedule, _ *rapid.T) {
		for _, id := range s.deployed {
			s.Continue(id)
		}
	},
	"stop": func(s *schedule, _ *rapid.T) {
		if n := len(s.deployed); n > 0 {
			s.Stop(s.deployed[n-1])
		}
	},
	"scale": func(s *schedule, rt *rapid.T) {
		s.Scale(s.rule.servingNow(), rapid.IntRange(2, 8).Draw(rt, "instances"))
	},
	"scale to nothing and back": func(s *schedule, rt *rapid.T) {
		group := s.rule.servingNow()
		s.Scale(group, 8)
		s.Advance(time.Duration(rapid.IntRange(1, 900).Draw(rt, "seconds up")) * time.Second)
		s.Scale(group, 0)
		s.Advance(time.Duration(rapid.IntRange(1, 900).Draw(rt, "seconds down")) * time.Second)
		s.Scale(group, 4)
	},
	"launch all the time": func(s *schedule, rt *rapid.T) {
		for n := range rapid.IntRange(2, 15).Draw(rt, "launches") {
			s.Scale(s.rule.servingNow(), 4+n%2*2)
			s.Advance(4 * time.Minute)
		}
	},
	"crash": func(s *schedule, _ *rapid.T) {
		if running := s.InService(s.GroupOf(s.svc)); len(running) > 1 {
			s.Crash(running[0])
		}
	},
	"recover": func(s *schedule, _ *rapid.T) {
		for _, i := range s.InService(s.GroupOf(s.svc)) {
			s.Recover(i)
		}
	},
	"throttle":  faulty(region.Fault{Before: region.Throttled()}),
	"outage":    faulty(region.Fault{Before: region.Unavailable()}),
	"time-outs": faulty(region.Fault{After: region.TimedOut()}),
	"kill": func(s *schedule, rt *rapid.T) {
		s.rule.faults(region.KilledAfter(rapid.IntRange(1, 30).Draw(rt, "calls")))
	},
	"suspend": func(s *schedule, _ *rapid.T) { s.byHand(s.suspend, "AddToLoadBalancer"); s.rule.excused = true },
	"freeze":  func(s *schedule, _ *rapid.T) { s.byHand(s.suspend); s.rule.excused = true },
	"resume":  func(s *schedule, _ *rapid.T) { s.resumeByHand() },
	"refresh": func(s *schedule, rt *rapid.T) {
		s.SetInstanceRefresh(s.GroupOf(s.svc), rapid.Bool().Draw(rt, "refreshing"))
	},
	"calm":    func(s *schedule, _ *rapid.T) { s.rule.faults(nil) },
	"an hour": func(s *schedule, _ *rapid.T) { s.quiet(time.Hour) },
	// Calls do not fail for two days: what is notified is bounded by what happens,
	// and TestFaultsThatLast holds how often a failure that lasts is.
	"two days": func(s *schedule, _ *rapid.T) { s.rule.faults(nil); s.quiet(48 * time.Hour) },
}

func randomDeployment(rt *rapid.T) region.Deployment {
	return region.Deployment{
		LeaveSuspended: rapid.Bool().Draw(rt, "leave suspended"),
		SucceedFirst:   rapid.Bool().Draw(rt, "succeed first"),
		WaitFlagUnset:  rapid.Bool().Draw(rt, "wait flag unset"),
		Named:          rapid.SampledFrom([]region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd}).Draw(rt, "named"),
		CopiesMetrics:  rapid.Bool().Draw(rt, "copies metrics"),
	}
}

// byHand has an operator do something to the current group, to whom faults do
// not happen.
func (s *schedule) byHand(do func(group string, processes ...string), processes ...string) {
	s.rule.faults(nil)
	s.Advance(time.Minute) // for tokens, where calls are throttled
	do(s.GroupOf(s.svc), processes...)
}

// resumeByHand ends what an operator has suspended, not before a sweep has seen it:
// Auto Scaling does not register what was launched meanwhile, and once resumed
// nothing but the target group's health says so.
func (s *schedule) resumeByHand() {
	if s.rule.excused {
		s.rule.faults(nil)
		s.Advance(6 * time.Minute)
	}
	s.byHand(s.resume)
	s.rule.excused = false
}

// faulty makes one call in n fail, all of them at times.
func faulty(fault region.Fault) func(*schedule, *rapid.T) {
	return func(s *schedule, rt *rapid.T) {
		s.rule.faults(region.OneIn(rapid.IntRange(1, 7).Draw(rt, "one call in"), rapid.Uint64().Draw(rt, "seed"), fault))
	}
}

func stage(rt *rapid.T) region.Stage {
	return rapid.SampledFrom([]region.Stage{
		region.StageProvision, region.StageInstall, region.StageReady, region.StageReroute, region.StageWait, region.StageTerminate,
	}).Draw(rt, "stage")
}

// tryDeploy starts a deployment unless CodeDeploy has one in progress.
func (f *fixture) tryDeploy(how region.Deployment) {
	if id, err := f.TryDeploy(f.svc, how); err == nil {
		f.deployed = append(f.deployed, id)
	}
}

// deployments are all deployments so far, rollbacks included, each after what it
// rolls back.
func (f *fixture) deployments() (all []string) {
	for _, id := range f.deployed {
		all = append(all, id)
		if rollback := f.RollbackOf(id); rollback != "" {
			all = append(all, rollback)
		}
	}
	return all
}
