package environment

import (
	"testing"
	"time"

	"deployhooks/test/region"
)

// doings are what an environment does when it loses something. span is how long that takes.
var doings = map[string]struct {
	begin func(*environment)
	span  time.Duration
}{
	"at rest":    {func(*environment) {}, 0},
	"a release":  {(*environment).deploy, 66 * time.Minute},
	"a rollback": {(*environment).rollBack, 3 * time.Minute},
	"a scale-in": {(*environment).scaleIn, 4 * time.Minute},
}

// rollBack has an alarm stop a release when it has moved the traffic.
func (e *environment) rollBack() {
	e.deploy()
	e.RunUntil(func() bool { return e.StageOf(e.release) == region.StageWait }, time.Hour)
	e.Advance(2 * time.Minute)
	e.Stop(e.release)
}

// scaleIn has the group grow by as many instances as it has, and then shrink again.
func (e *environment) scaleIn() {
	n := e.config.instances
	e.Scale(e.svc.Group, 2*n)
	e.Advance(5 * time.Minute)
	e.Scale(e.svc.Group, n)
}

// TestProductionSurvivesTheLossOfAnyInstance kills each instance at each step of what
// production does. No request fails that could have been answered, the load that the
// others take is that of one instance, and the environment is whole afterwards.
func TestProductionSurvivesTheLossOfAnyInstance(t *testing.T) {
	for name, doing := range doings {
		for _, lost := range []bool{false, true} {
			c := production()
			c.eventsLost = lost
			t.Run(named(name, lost), func(t *testing.T) {
				t.Parallel()
				for _, at := range c.steps(t, doing.begin, doing.span) {
					for n := 0; ; n++ {
						e := c.reach(t, doing.begin, at)
						running := e.Running()
						if n >= len(running) {
							break
						}
						e.lose(running[n])
						e.mustSurvive(name, at)
					}
				}
			})
		}
	}
}

// TestProductionSurvivesTheLossOfAnyZone does the same with each zone.
func TestProductionSurvivesTheLossOfAnyZone(t *testing.T) {
	for name, doing := range doings {
		for _, lost := range []bool{false, true} {
			c := production()
			c.eventsLost = lost
			t.Run(named(name, lost), func(t *testing.T) {
				t.Parallel()
				for _, at := range c.steps(t, doing.begin, doing.span) {
					for _, zone := range c.zones {
						e := c.reach(t, doing.begin, at)
						e.loseZone(zone)
						e.mustSurvive(name, at)
					}
				}
			})
		}
	}
}

// TestTheBlueGroupLosesAnInstance holds that the old version stays away from users while a
// release waits to terminate the blue group: the group is still attached to the target
// group and replaces a lost instance. That it registers one in the reroute is seen
// minutes later; when CodeDeploy deletes the group, nothing is in flight there.
func TestTheBlueGroupLosesAnInstance(t *testing.T) {
	t.Parallel()
	for _, into := range []time.Duration{3 * time.Minute, 4 * time.Minute, 5 * time.Minute, 10 * time.Minute, 50 * time.Minute} {
		t.Run(into.String(), func(t *testing.T) {
			t.Parallel()
			e := production().reach(t, (*environment).deploy, into)
			blue, _ := e.Groups(e.release)
			if e.StageOf(e.release) != region.StageWait && e.StageOf(e.release) != region.StageReroute {
				t.Fatalf("the release is in stage %q: this shows nothing", e.StageOf(e.release))
			}
			e.lose(e.InService(blue)[0])
			e.Advance(2 * time.Minute)
			if len(e.InService(blue)) < e.config.instances {
				t.Fatal("the blue group does not replace what it has lost: this shows nothing")
			}
			e.Advance(4 * time.Minute)
			since := e.Now()
			e.Advance(70 * time.Minute)
			for _, s := range e.users.Seconds() {
				if s.At.After(since) && s.ByGroup[blue] > 0 {
					t.Fatalf("%d of %d requests are answered by the old version at %s, six minutes after the loss and later", s.ByGroup[blue], s.Requests, s.At)
				}
			}
			for _, text := range append(e.unanswered(), e.faults()...) {
				t.Error(text)
			}
		})
	}
}

func named(doing string, eventsLost bool) string {
	if eventsLost {
		return doing + ", events lost"
	}
	return doing
}

// reach is an environment that has been doing something for a while.
func (c configuration) reach(t testing.TB, begin func(*environment), at time.Duration) *environment {
	t.Helper()
	e := start(t, c)
	begin(e)
	e.Advance(at)
	return e
}

// mustSurvive lets the environment recover and holds what production claims.
func (e *environment) mustSurvive(doing string, at time.Duration) {
	e.t.Helper()
	e.settle()
	for _, text := range e.unanswered() {
		e.t.Errorf("%s lost %s into %s: requests that could have been answered: %s", e.losses[0], at, doing, text)
	}
	for _, text := range e.faults() {
		e.t.Errorf("%s lost %s into %s: %s", e.losses[0], at, doing, text)
	}
	if n := e.fewestServing(); n < e.config.instances-1 {
		e.t.Errorf("%s lost %s into %s: only %d instances of %d served: too few for the load", e.losses[0], at, doing, n, e.config.instances)
	}
}

// fewestServing is the smallest number of instances that the load balancer sent requests
// to in any second since the first loss.
func (e *environment) fewestServing() int {
	fewest := e.config.instances
	for _, s := range e.users.Seconds() {
		if s.Requests > 0 && !s.At.Before(e.losses[0].at) {
			fewest = min(fewest, s.Serving)
		}
	}
	return fewest
}
