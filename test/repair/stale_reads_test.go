package repair

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestStaleReadsInTheWait holds that what AWS still says of a moment ago puts nobody
// before users who should not be there.
func TestStaleReadsInTheWait(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{0, 15 * time.Second, 30 * time.Second, 45 * time.Second, time.Minute, 75 * time.Second, 90 * time.Second} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			svc := waiting(3 * time.Hour)
			svc.ReadyWait = 12 * time.Hour
			f := newFixture(t, setting{service: svc, rate: 1, region: region.Options{StaleReads: time.Minute}})
			// The first release goes unnoticed, so that the old group is bridged.
			f.loseEvents()
			down := func(region.Call) region.Fault { return region.Fault{Before: region.Unavailable()} }
			f.SetFaults(down)
			first := f.releaseTo(region.StageReady, region.Deployment{SucceedFirst: true})
			f.Continue(first)
			f.RunUntil(func() bool { return f.Ended(first) && f.StageOf(first) != region.StageWait }, 12*time.Hour)
			second := f.releaseTo(region.StageReady, region.Deployment{})
			f.SetFaults(nil)
			f.SetDelivery(nil)
			f.Advance(10 * time.Minute)
			old := f.green(first)
			f.Scale(old, 8)
			f.Advance(5*time.Minute + offset)
			f.Scale(old, 6)
			f.Advance(30 * time.Second)
			f.Scale(old, 8)
			f.Advance(2*time.Minute + offset)
			f.Continue(second)
			f.until(region.StageWait, second)
			f.Advance(3 * time.Minute)
			since := f.Now()
			f.Advance(20 * time.Minute)
			f.mustNotAnswer(old, since, "the second release has moved the traffic")
			f.mustRegisterAll(f.green(second), "the second release")
		})
	}
}

// TestEndOfTheWaitUnderStaleReads holds that the end of a release takes nothing from
// users that the bridge has given them, however old the answers are.
func TestEndOfTheWaitUnderStaleReads(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{0, 30 * time.Second, 2 * time.Minute} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
			for _, releases := range []int{0, 1} {
				t.Run(fmt.Sprintf("stale %v, named %q, after %d releases", stale, naming, releases), func(t *testing.T) {
					t.Parallel()
					f := newFixture(t, setting{service: waiting(2 * time.Hour), rate: 1, region: region.Options{StaleReads: stale}})
					f.Advance(6 * time.Minute)
					f.releaseTimes(releases)
					id := f.releaseTo(region.StageWait, region.Deployment{Named: naming})
					green := f.green(id)
					f.Advance(5 * time.Minute)
					f.Scale(green, 8)
					f.Advance(12 * time.Minute)
					f.replaceAll(green, 5*time.Minute)
					f.Advance(12 * time.Minute)
					f.mustRegisterAll(green, "all were replaced in the wait")
					before := f.users.Total().Failed
					deregistered := f.Made("DeregisterTargets")
					f.RunUntil(func() bool { return f.Ended(id) }, 3*time.Hour)
					f.Advance(30 * time.Minute)
					if failed := f.users.Total().Failed - before; failed > 0 || f.Made("DeregisterTargets") > deregistered {
						t.Errorf("the release has succeeded, the function deregistered %d times, and %d requests failed", f.Made("DeregisterTargets")-deregistered, failed)
					}
					f.mustServe()
				})
			}
		}
	}
}
