package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/drain"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

// TestRandomStorms plays random storms on random bad days and holds: a request
// that could have finished within the deregistration delay is never cut off,
// every action is completed or past its deadline with a notice, no command runs
// twice, and calls stay within the rates.
func TestRandomStorms(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := randomSetting(rt)
		w := newWorld(t, s)
		w.OnCommand(randomCommands(rt))
		w.SetDelivery(randomDelivery(rt))
		var story []string
		left := s.instances
		for range rapid.IntRange(1, 6).Draw(rt, "events") {
			name := rapid.SampledFrom(stormNames).Draw(rt, "event")
			story = append(story, name)
			storms[name](w, rt, &left)
			w.pass(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds"))*time.Second, s)
		}
		// The dust settles.
		w.pass(2*time.Minute, s)
		w.SetFaults(nil)
		w.SetDelivery(nil)
		w.Advance(30 * time.Minute)

		told := strings.Join(w.Texts(), "\n")
		for _, a := range w.terminations() {
			switch {
			case a.Ending == region.Active:
				rt.Errorf("%s still waits after %v", a.Instance, story)
			case a.Ending == region.Completed || a.Ending == region.InstanceGone:
			case !strings.Contains(told, a.Instance):
				rt.Errorf("%s ended as %q after %s, untold, after %v", a.Instance, a.Ending, a.Ended.Sub(a.Began), story)
			}
		}
		for _, users := range []*region.Stream{w.web, w.side} {
			if cut := users.Total().CutEarly; cut > 0 {
				rt.Errorf("%d requests to %s were cut off that could have finished, after %v; told %s", cut, users.TargetGroup(), story, told)
			}
		}
		for instance, n := range w.runs() {
			if n > 1 {
				rt.Errorf("the shutdown command ran %d times on %s after %v", n, instance, story)
			}
		}
		throttled := 0
		for _, c := range w.Calls() {
			if s.region.Throttling && c.Err != nil && strings.Contains(c.Err.Error(), "Rate exceeded") {
				throttled++
			}
		}
		if !contains(story, "throttle") && throttled > 0 {
			rt.Errorf("%d calls beyond the rates after %v", throttled, story)
		}
		// Messages may be given up in an outage that lasts; drains may not.
		if open := w.ask(`{"action":"status"}`); len(open) > 0 {
			rt.Errorf("%d drains are still open after %v, the first: %+v", len(open), story, open[0])
		}
		if n := w.Queue.Len(); n > 3 {
			rt.Errorf("%d messages are still in the queue after %v: looks multiply", n, story)
		}
	})
}

// pass lets time pass, and has the weather change before it was bad for a third
// as long as the hook waits: heartbeats begin when half of that is left, and what
// nobody can reach until its hook gives up cannot be saved by anybody.
func (w *world) pass(d time.Duration, s setting) {
	longest := time.Duration(s.heartbeat) * time.Second / 3
	if w.bad+d > longest {
		w.Advance(longest - w.bad)
		w.SetFaults(nil)
		w.Advance(2 * time.Minute) // twice the time between sweeps
		w.bad, d = 0, 0
	}
	w.bad += d
	w.Advance(d)
}

func contains(all []string, s string) bool { return harness.Count(all, s) > 0 }

func randomSetting(rt *rapid.T) setting {
	delay := time.Duration(rapid.SampledFrom([]int{30, 120, 300}).Draw(rt, "delay")) * time.Second
	s := setting{
		region: region.Options{
			PageSize:      rapid.SampledFrom([]int{0, 1, 7}).Draw(rt, "page size"),
			Throttling:    rapid.Bool().Draw(rt, "throttling"),
			DrainedAtOnce: rapid.Bool().Draw(rt, "drained at once"),
		},
		perSecond: 3,
		instances: rapid.SampledFrom([]int{3, 10, 60}).Draw(rt, "instances"),
		delay:     delay,
		heartbeat: int32(rapid.SampledFrom([]int{300, 900, 3600}).Draw(rt, "heartbeat")),
		mix:       []time.Duration{300 * time.Millisecond, delay / 4, delay - 2*time.Second, delay + time.Minute},
	}
	switch rapid.IntRange(0, 2).Draw(rt, "command") {
	case 1:
		s.config = drain.Config{Command: "stop"}
	case 2:
		s.tags = map[string]string{drain.CommandTag: "stop"}
	}
	return s
}

// randomCommands has commands succeed, fail, take long, or never answer, by
// instance.
func randomCommands(rt *rapid.T) func(region.CommandRun) region.CommandResult {
	fates := []region.CommandResult{
		{Output: "bye"}, {Takes: 90 * time.Second}, {Failed: 1}, {Lost: true}, {Silent: true},
	}
	drawn := rapid.SliceOfN(rapid.SampledFrom(fates), 7, 7).Draw(rt, "commands")
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
	fates := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 300), 0, 3), 12, 12).Draw(rt, "deliveries, in seconds")
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

// stormNames are the names of storms, in an order that does not change.
var stormNames = []string{"scale in", "scale in", "all go", "spot", "terminate", "throttle", "outage", "time-outs", "kill", "redeliver", "calm"}

var storms = map[string]func(w *world, rt *rapid.T, left *int){
	"scale in": func(w *world, rt *rapid.T, left *int) {
		*left = max(1, *left-rapid.IntRange(1, 30).Draw(rt, "instances"))
		w.Scale(w.group, *left)
	},
	"all go": func(w *world, _ *rapid.T, left *int) { *left = 1; w.Scale(w.group, 1) },
	"spot": func(w *world, _ *rapid.T, _ *int) {
		// The warning alone: of an instance whose warning is lost nobody could
		// save anything. Nor is there anything to hold where draining may take
		// longer than the two minutes that a warning leaves.
		if w.delay > time.Minute {
			return
		}
		if running := w.InService(w.group); len(running) > 1 && w.side.Total().Requests > 0 {
			w.Queue.Send(fmt.Sprintf(`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":%q}}`, running[0]))
		}
	},
	"terminate": func(w *world, _ *rapid.T, _ *int) {
		for _, a := range w.terminations() {
			if a.Ending == region.Active {
				w.Terminate(a.Instance)
				return
			}
		}
	},
	"throttle":  faulty(region.Fault{Before: region.Throttled()}),
	"outage":    faulty(region.Fault{Before: region.Unavailable()}),
	"time-outs": faulty(region.Fault{After: region.TimedOut()}),
	"kill": func(w *world, rt *rapid.T, _ *int) {
		w.KillAfter(rapid.IntRange(1, 40).Draw(rt, "calls"))
	},
	"redeliver": func(w *world, _ *rapid.T, _ *int) {
		w.Queue.Serve(func(payload []byte) ([]byte, error) {
			if answer, err := w.Invoke(payload); err != nil {
				return answer, err
			}
			return w.Invoke(payload)
		})
	},
	"calm": func(w *world, _ *rapid.T, _ *int) {
		w.SetFaults(nil)
		w.Queue.Serve(w.Invoke)
	},
}

// faulty makes one call in n fail, here and there: what fails each time at the
// same place is no bad day but a missing permission, which has a story of its
// own.
func faulty(fault region.Fault) func(*world, *rapid.T, *int) {
	return func(w *world, rt *rapid.T, _ *int) {
		w.SetFaults(region.OneIn(rapid.IntRange(2, 7).Draw(rt, "one call in"), rapid.Uint64().Draw(rt, "seed"), fault))
	}
}
