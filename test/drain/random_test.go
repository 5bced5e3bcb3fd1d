package drain

import (
	"slices"
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"pgregory.net/rapid"

	"deployhooks/test/region"
)

// TestRandom plays random schedules of departures and failures and holds:
//   - a request that could have finished within the deregistration delay is never
//     cut off;
//   - every action is completed, or its end by time-out is notified;
//   - no command runs twice;
//   - calls stay within the rates where nothing fails;
//   - it ends: no drain stays open, and messages do not multiply.
//
// Failures last up to half of the hook's timeout (see pass): heartbeats are early
// enough for that, and what cannot be reached until its hook times out cannot be
// saved by anybody.
func TestRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := randomSetup(rt)
		s := newScenario(t, o)
		s.reuse(rapid.Bool().Draw(rt, "reuse"))
		s.OnCommand(randomCommands(rt))
		s.SetDelivery(randomDelivery(rt))
		var played []string
		left := o.instances
		for range rapid.IntRange(1, 6).Draw(rt, "happenings") {
			name := rapid.SampledFrom(happeningNames).Draw(rt, "happening")
			played = append(played, name)
			happenings[name](s, rt, &left)
			s.pass(time.Duration(rapid.IntRange(1, 200).Draw(rt, "seconds"))*time.Second, o)
		}
		// Everything settles.
		s.pass(2*time.Minute, o)
		s.SetFaults(nil)
		s.SetDelivery(nil)
		s.Queue.Serve(s.Invoke)
		s.Advance(30 * time.Minute)
		s.mustHold(rt, o, played)
	})
}

// mustHold fails if a property does not hold in the end.
func (s *scenario) mustHold(rt *rapid.T, o setup, played []string) {
	notified := map[string]bool{}
	for _, timedOut := range s.outcomes("timed-out") {
		for _, i := range timedOut.Instances {
			notified[i.Instance] = true
		}
	}
	for _, a := range s.actions() {
		switch a.Ending {
		case region.Completed, region.InstanceGone:
		case region.Active:
			rt.Errorf("%s still waits after %v", a.Instance, played)
		default:
			if !notified[a.Instance] {
				rt.Errorf("%s ended as %q after %s, and nobody was notified, after %v", a.Instance, a.Ending, held(a), played)
			}
		}
	}
	for _, users := range []*region.Stream{s.web, s.side} {
		if cut := users.Total().CutEarly; cut > 0 {
			rt.Errorf("%d requests to %s were cut off that could have finished, after %v; notified: %s", cut, users.TargetGroup(), played, s.texts())
		}
	}
	for instance, n := range s.runs() {
		if n > 1 {
			rt.Errorf("the shutdown command ran %d times on %s after %v", n, instance, played)
		}
	}
	if n := s.throttled(); o.region.Throttling && !slices.Contains(played, "throttling") && n > 0 {
		rt.Errorf("%d calls beyond the rates after %v", n, played)
	}
	// Messages may be moved to the dead-letter queue by a failure that lasts; drains
	// may not be left.
	if open := s.status(""); len(open) > 0 {
		rt.Errorf("%d drains are still open after %v, the first: %+v", len(open), played, open[0])
	}
	if n := s.Queue.Len(); n > 3 {
		rt.Errorf("%d messages are still in the queue after %v: they multiply", n, played)
	}
}

// pass lets time pass, and has failures end, for twice the time between sweeps,
// when they have lasted for half of the hook's timeout.
func (s *scenario) pass(d time.Duration, o setup) {
	longest := time.Duration(o.heartbeat) * time.Second / 2
	if s.faulty+d > longest {
		s.Advance(longest - s.faulty)
		s.SetFaults(nil)
		s.Queue.Serve(s.Invoke)
		s.Advance(2 * sweepInterval)
		s.faulty, d = 0, 0
	}
	s.faulty += d
	s.Advance(d)
}

func randomSetup(rt *rapid.T) setup {
	delay := time.Duration(rapid.SampledFrom([]int{30, 120, 300}).Draw(rt, "delay")) * time.Second
	o := setup{
		region: region.Options{
			PageSize:      rapid.SampledFrom([]int{0, 1, 7}).Draw(rt, "page size"),
			Throttling:    rapid.Bool().Draw(rt, "throttling"),
			DrainedAtOnce: rapid.Bool().Draw(rt, "drained at once"),
			StaleReads:    time.Duration(rapid.SampledFrom([]int{0, 0, 5}).Draw(rt, "stale reads")) * time.Second,
			ReturnWaits:   rapid.SampledFrom([]asgtypes.LifecycleState{"", asgtypes.LifecycleStateWarmedTerminatingWait, asgtypes.LifecycleStateTerminatingWait}).Draw(rt, "returning instances wait in"),
			PoolDescribed: rapid.Bool().Draw(rt, "pool described"),
		},
		perSecond: 3,
		instances: rapid.SampledFrom([]int{3, 10, 60}).Draw(rt, "instances"),
		delay:     delay,
		heartbeat: int32(rapid.SampledFrom([]int{300, 900, 3600}).Draw(rt, "heartbeat")),
		mix:       []time.Duration{300 * time.Millisecond, delay / 4, delay - 2*time.Second, delay + time.Minute},
	}
	switch rapid.IntRange(0, 2).Draw(rt, "command") {
	case 1:
		o.env = command("stop")
	case 2:
		o.tags, o.env = map[string]string{commandTag: "stop"}, settings{"TAG_DOCUMENTS": shellDocument}
	}
	return o
}

// randomCommands has commands succeed, fail, take long, or never answer, by
// instance.
func randomCommands(rt *rapid.T) func(region.CommandRun) region.CommandResult {
	results := []region.CommandResult{
		{Output: "bye"}, {Takes: 90 * time.Second}, {Failed: 1}, {Lost: true}, {Silent: true},
	}
	drawn := rapid.SliceOfN(rapid.SampledFrom(results), 7, 7).Draw(rt, "commands")
	n := 0
	return func(region.CommandRun) region.CommandResult {
		n++
		return drawn[n%len(drawn)]
	}
}

// randomDelivery loses, repeats and delays events, so that they are reordered.
// What becomes of the n-th event is drawn beforehand, because nothing may be
// drawn while the region runs.
func randomDelivery(rt *rapid.T) func(region.Delivery) []time.Duration {
	drawn := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 300), 0, 3), 12, 12).Draw(rt, "deliveries, in seconds")
	n := 0
	return func(region.Delivery) []time.Duration {
		var late []time.Duration
		for _, seconds := range drawn[n%len(drawn)] {
			late = append(late, time.Duration(seconds)*time.Second)
		}
		n++
		return late
	}
}

// happeningNames are the names of happenings, in an order that does not change.
var happeningNames = []string{"scale-in", "scale-in", "all leave", "Spot", "terminated", "throttling", "503", "outage", "time-outs", "killed", "down", "delivered twice", "calm"}

var happenings = map[string]func(s *scenario, rt *rapid.T, left *int){
	"scale-in": func(s *scenario, rt *rapid.T, left *int) {
		*left = max(1, *left-rapid.IntRange(1, 30).Draw(rt, "instances"))
		s.Scale(s.group, *left)
	},
	"all leave": func(s *scenario, _ *rapid.T, left *int) { *left = 1; s.Scale(s.group, 1) },
	"Spot": func(s *scenario, _ *rapid.T, _ *int) {
		// The warning alone: of an instance whose warning is lost nobody could
		// save anything. Nor can anything be held where draining may take longer
		// than the two minutes that a warning leaves.
		if s.delay > time.Minute {
			return
		}
		if running := s.InService(s.group); len(running) > 1 && s.side.Total().Requests > 0 {
			s.Queue.Send(spotWarning(running[0]))
		}
	},
	"terminated": func(s *scenario, _ *rapid.T, _ *int) {
		for _, a := range s.actions() {
			if a.Ending == region.Active {
				s.Terminate(a.Instance)
				return
			}
		}
	},
	"throttling": faulty(region.Fault{Before: region.Throttled()}),
	"503":        faulty(region.Fault{Before: region.Unavailable()}),
	"time-outs":  faulty(region.Fault{After: region.TimedOut()}),
	"outage": func(s *scenario, _ *rapid.T, _ *int) {
		s.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} })
	},
	"killed": func(s *scenario, rt *rapid.T, _ *int) {
		s.KillAfter(rapid.IntRange(1, 40).Draw(rt, "calls"))
	},
	"down": func(s *scenario, _ *rapid.T, _ *int) { s.Queue.Serve(nil) },
	"delivered twice": func(s *scenario, _ *rapid.T, _ *int) {
		s.Queue.Serve(func(payload []byte) ([]byte, error) {
			if answer, err := s.Invoke(payload); err != nil {
				return answer, err
			}
			return s.Invoke(payload)
		})
	},
	"calm": func(s *scenario, _ *rapid.T, _ *int) {
		s.SetFaults(nil)
		s.Queue.Serve(s.Invoke)
	},
}

// faulty makes one call in n fail, here and there: what fails each time at the same
// place is a missing permission, which has scenarios of its own.
func faulty(fault region.Fault) func(*scenario, *rapid.T, *int) {
	return func(s *scenario, rt *rapid.T, _ *int) {
		s.SetFaults(region.OneIn(rapid.IntRange(2, 7).Draw(rt, "one call in"), rapid.Uint64().Draw(rt, "seed"), fault))
	}
}
