package repair

import (
	"fmt"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestStoppedAtEachStageThenReleased holds that after a stop without a roll-back, in
// any stage, the group that serves is kept, and so is that of the next release.
func TestStoppedAtEachStageThenReleased(t *testing.T) {
	t.Parallel()
	for _, stage := range []region.Stage{region.StageProvision, region.StageInstall, region.StageReady, region.StageReroute, region.StageWait} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
			for _, wait := range []time.Duration{0, time.Hour} {
				t.Run(fmt.Sprintf("%s, named %q, wait %v", stage, naming, wait), func(t *testing.T) {
					t.Parallel()
					svc := waiting(time.Hour)
					svc.ReadyWait = 2 * time.Hour
					f := begin(t, svc)
					r := watch(f)
					id := f.deploy(region.Deployment{Named: naming, Spacing: 20 * time.Second})
					f.RunUntil(func() bool {
						if f.StageOf(id) == region.StageReady && stage != region.StageReady {
							f.Continue(id)
						}
						return f.StageOf(id) == stage
					}, time.Hour)
					f.Advance(30 * time.Second)
					f.Stop(id)
					f.Advance(10*time.Minute + wait)
					next := f.deploy(region.Deployment{Named: naming})
					f.RunUntil(func() bool {
						if f.StageOf(next) == region.StageReady {
							f.Continue(next)
						}
						return f.Ended(next)
					}, 3*time.Hour)
					since := f.Now()
					f.settle()
					if f.Deployed(next) {
						for _, group := range []string{f.svc.Group, f.green(id)} {
							switch _, exists := f.Group(group); {
							case !exists, group == f.green(next), stage == region.StageReroute:
							case group == f.green(id) && stage == region.StageWait && naming == region.NamedAtEnd:
								// It served, CodeDeploy does not know it any more, and takes nothing from it.
								if f.answered(group) > 0 && f.mentions(group, "old version") == 0 {
									t.Errorf("%s serves beside the next release, and operators do not know: %q", group, f.Texts())
								}
							default:
								f.mustNotAnswer(group, since, "the next release has succeeded")
							}
						}
						f.mustServe()
					}
					r.mustHold(t)
				})
			}
		}
	}
}

// TestStoppedDuringTheWait holds that a release that was stopped in its
// termination wait, without a roll-back, leaves a group that serves and is kept
// in service: no status will ever say that it succeeded.
func TestStoppedDuringTheWait(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
		t.Run(fmt.Sprintf("named %q", naming), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour)})
			r := watch(f)
			id := f.releaseTo(region.StageWait, region.Deployment{Named: naming})
			f.Advance(2 * time.Minute)
			f.Stop(id)
			f.Advance(15 * time.Minute)
			f.Scale(f.green(id), 8)
			f.Advance(15 * time.Minute)
			f.mustRegisterAll(f.green(id), "the release was stopped after the reroute, and its group cannot grow")
			r.mustHold(t)
		})
	}
}

// TestStoppedInTheWaitLeavesBlueOut holds that a release that is stopped in its
// termination wait, without a roll-back, does not put the old version back.
func TestStoppedInTheWaitLeavesBlueOut(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
		for _, spacing := range []time.Duration{0, time.Minute} {
			for _, releases := range []int{0, 1} {
				t.Run(fmt.Sprintf("named %q, spacing %v, after %d releases", naming, spacing, releases), func(t *testing.T) {
					t.Parallel()
					f := begin(t, waiting(2*time.Hour))
					f.releaseTimes(releases)
					blue := f.GroupOf(f.svc)
					id := f.releaseTo(region.StageWait, region.Deployment{Named: naming, Spacing: spacing})
					since := f.Now()
					f.Advance(5 * time.Minute)
					f.Stop(id)
					f.Advance(30 * time.Minute)
					f.mustNotAnswer(blue, since, "the release was stopped after its reroute, and the old version is before users again")
					f.mustRegisterAll(f.green(id), "the release was stopped after its reroute")
				})
			}
		}
	}
}

// TestStoppedAfterAllWereReplaced holds that a release that is stopped in its wait
// leaves users somebody to be served by, although all its instances were replaced.
func TestStoppedAfterAllWereReplaced(t *testing.T) {
	t.Parallel()
	for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
		for _, releases := range []int{0, 1} {
			t.Run(fmt.Sprintf("named %q, after %d releases", naming, releases), func(t *testing.T) {
				t.Parallel()
				f := begin(t, waiting(3*time.Hour))
				f.releaseTimes(releases)
				id := f.releaseTo(region.StageWait, region.Deployment{Named: naming})
				f.Advance(5 * time.Minute)
				green := f.green(id)
				first := f.InService(green)
				f.Scale(green, 8)
				f.Advance(10 * time.Minute)
				for _, i := range first { // one after the other, as a refresh does
					f.Kill(i)
					f.Advance(8 * time.Minute)
				}
				f.mustRegisterAll(green, "all instances were replaced in the wait")
				before := f.users.Total().Failed
				f.Stop(id)
				f.Advance(30 * time.Minute)
				if failed := f.users.Total().Failed - before; failed > 0 {
					t.Errorf("the release was stopped in its wait, and %d requests have failed since: what was bridged was taken from users who have nobody else\nnotified %q", failed, f.Subjects())
				}
				f.Scale(green, 6)
				f.Scale(green, 8)
				f.Advance(12 * time.Minute)
				f.mustRegisterAll(green, "the release was stopped in its wait")
			})
		}
	}
}
