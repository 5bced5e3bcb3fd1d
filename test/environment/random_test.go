package environment

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/test/region"
)

// TestRandomLosses plays random schedules of releases, roll-backs, changes of size, late and
// lost events, and losses of an instance or a zone, each when the one before has been made
// up for. No request fails that could have been answered, and the environment is whole in
// the end. Groups shrink and releases begin in whole environments only: limits_test.go
// shows what becomes of a release during which a zone comes back.
func TestRandomLosses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := production()
		c.instances = rapid.IntRange(2, 6).Draw(rt, "instances")
		c.wait = time.Duration(rapid.SampledFrom([]int{10, 15, 60}).Draw(rt, "termination wait, in minutes")) * time.Minute
		c.delay = time.Duration(rapid.SampledFrom([]int{30, 60, 300}).Draw(rt, "deregistration delay, in seconds")) * time.Second
		e := start(t, c)
		late := rapid.SliceOfN(rapid.IntRange(0, 60), 7, 7).Draw(rt, "deliveries, in seconds")
		n := 0
		e.SetDelivery(func(region.Delivery) []time.Duration { n++; return region.Late(time.Duration(late[n%7]) * time.Second) })
		var played []string
		for range rapid.IntRange(1, 8).Draw(rt, "events") {
			name := rapid.SampledFrom([]string{"release", "alarm", "grow", "shrink", "instance", "instance", "zone"}).Draw(rt, "event")
			played = append(played, name)
			happenings[name](e, rt)
			e.Advance(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds")) * time.Second)
		}
		e.settle()
		e.Advance(zoneBack)
		for _, text := range append(e.unanswered(), e.faults()...) {
			rt.Errorf("%s\nafter %v of %+v, losses %v", text, played, c, e.losses)
		}
	})
}

var happenings = map[string]func(*environment, *rapid.T){
	"release": func(e *environment, _ *rapid.T) {
		if e.released() && e.whole() {
			e.deploy()
		}
	},
	// An alarm stops the release, and CodeDeploy rolls it back.
	"alarm": func(e *environment, _ *rapid.T) { e.Stop(e.release) },
	"grow":  func(e *environment, rt *rapid.T) { e.resize(rapid.IntRange(1, 3).Draw(rt, "more")) },
	// A scale-in before repair has seen to a release's new group is test/repair's matter.
	"shrink": func(e *environment, rt *rapid.T) {
		if fewer := rapid.IntRange(1, 3).Draw(rt, "fewer"); e.whole() && len(e.Attached(e.GroupOf(e.svc))) > 0 {
			e.resize(-fewer)
		}
	},
	"instance": func(e *environment, rt *rapid.T) {
		if running := e.Running(); e.whole() {
			e.lose(running[rapid.IntRange(0, 99).Draw(rt, "which")%len(running)])
		}
	},
	"zone": func(e *environment, rt *rapid.T) {
		if zone := rapid.SampledFrom(e.config.zones).Draw(rt, "zone"); e.whole() {
			e.loseZone(zone)
		}
	},
}

// resize has the group that serves grow or shrink, not below two instances.
func (e *environment) resize(by int) {
	e.Scale(e.GroupOf(e.svc), max(2, e.desired()+by))
}

// whole reports whether an earlier loss has been made up for, so that another one is not a
// second loss: the group that serves has its size, all of it alive, healthy and in two zones
// at least, and no zone is away.
func (e *environment) whole() bool {
	if n := len(e.losses); n > 0 && e.losses[n-1].zone != "" && e.Now().Sub(e.losses[n-1].at) < zoneBack+recovery {
		return false
	}
	zones := map[string]bool{}
	health := e.Health("web")
	inService := e.InService(e.GroupOf(e.svc))
	for _, i := range inService {
		if health[i] != "healthy" || !slices.Contains(e.Running(), i) {
			return false
		}
		zones[e.ZoneOf(i)] = true
	}
	return len(inService) >= e.desired() && len(zones) >= 2
}
