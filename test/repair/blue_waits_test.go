package repair

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"deployhooks/test/region"
)

// TestRolledBackAfterBlueWasReplaced holds that users are served when a release is rolled
// back and the blue group has replaced some, or all, of its instances in the wait:
// CodeDeploy registers the original ones only.
func TestRolledBackAfterBlueWasReplaced(t *testing.T) {
	t.Parallel()
	for _, replaced := range []int{1, 4} {
		for _, named := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
			t.Run(fmt.Sprintf("%d of 4, named %q", replaced, named), func(t *testing.T) {
				t.Parallel()
				svc := waiting(3 * time.Hour)
				svc.RollBack = true
				f := begin(t, svc)
				blue := f.GroupOf(f.svc)
				id := f.releaseTo(region.StageWait, region.Deployment{Named: named})
				f.Advance(6 * time.Minute)
				f.mustBeSuspended(blue)
				for _, i := range f.InService(blue)[:replaced] {
					f.Kill(i)
					f.Advance(5 * time.Minute)
				}
				f.mustNotAnswer(blue, f.Now().Add(-5*time.Minute), "the traffic was rerouted")
				before := f.users.Total().Failed
				f.rollBack(id)
				f.Advance(6 * time.Minute)
				if failed := f.users.Total().Failed - before; failed > 0 {
					t.Errorf("%d requests failed in the rollback", failed)
				}
				f.mustNotBeSuspended(blue)
				f.mustRegisterAll(blue, "the release was rolled back")
				f.Scale(blue, 6)
				f.Advance(6 * time.Minute)
				f.mustRegisterAll(blue, "the group has grown after the rollback")
				f.mustServe()
			})
		}
	}
}

// TestBlueIsLetGo holds that no process stays suspended, however a release ends.
func TestBlueIsLetGo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rollBack bool
		end      func(f *fixture, id string)
	}{
		"stopped":                  {false, func(f *fixture, id string) { f.Stop(id) }},
		"rolled back":              {true, func(f *fixture, id string) { f.rollBack(id) }},
		"rolled back, events lost": {true, func(f *fixture, id string) { f.loseEvents(); f.rollBack(id) }},
		"tagged to be left alone":  {false, func(f *fixture, _ string) { f.tag(f.svc.Group, "deployhooks:repair", "off") }},
		"rolled back, and released again": {true, func(f *fixture, id string) {
			f.rollBack(id)
			f.releaseTo(region.StageInstall, region.Deployment{HangAt: region.StageInstall})
		}},
		"stopped, and released again": {false, func(f *fixture, id string) {
			f.Stop(id)
			f.Advance(time.Second)
			f.releaseTo(region.StageInstall, region.Deployment{HangAt: region.StageInstall})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := waiting(3 * time.Hour)
			svc.RollBack = c.rollBack
			f := begin(t, svc)
			blue := f.GroupOf(f.svc)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(6 * time.Minute)
			f.mustBeSuspended(blue)
			c.end(f, id)
			f.Advance(12 * time.Minute)
			f.mustNotBeSuspended(blue)
		})
	}
}

// TestKilledWhileBlueIsKeptOut holds that a function that is killed between any two calls
// neither leaves the process suspended after a rollback, nor fights the rollback.
func TestKilledWhileBlueIsKeptOut(t *testing.T) {
	t.Parallel()
	for calls := range 30 {
		svc := waiting(3 * time.Hour)
		svc.RollBack = true
		f := begin(t, svc)
		blue := f.GroupOf(f.svc)
		id := f.releaseTo(region.StageWait, region.Deployment{})
		f.SetFaults(region.KilledAfter(calls + 1))
		f.Advance(time.Duration(calls%8) * time.Minute)
		f.rollBack(id)
		f.Advance(6 * time.Minute)
		f.SetFaults(nil)
		f.Advance(20 * time.Minute)
		f.mustNotBeSuspended(blue)
		f.mustRegisterAll(blue, fmt.Sprintf("the function was killed after every %d calls", calls+1))
		if failed := f.users.Total().Failed; failed > 0 {
			t.Errorf("%d requests failed: the function was killed after every %d calls", failed, calls+1)
		}
	}
}

// TestOriginalsRegisteredByHand holds that an operator may go back to the old version by
// registering its instances again.
func TestOriginalsRegisteredByHand(t *testing.T) {
	t.Parallel()
	f := begin(t, waiting(3*time.Hour))
	blue := f.GroupOf(f.svc)
	f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(6 * time.Minute)
	f.mustBeSuspended(blue)
	for _, i := range f.InService(blue) {
		f.Register("web", i, 80)
	}
	f.Advance(30 * time.Minute)
	f.mustRegisterAll(blue, "an operator has registered the original instances again")
}

// TestForgottenWhileBlueIsKeptOut holds that operators learn of a process that stays
// suspended because the record was lost.
func TestForgottenWhileBlueIsKeptOut(t *testing.T) {
	t.Parallel()
	svc := waiting(3 * time.Hour)
	svc.RollBack = true
	f := begin(t, svc)
	blue := f.GroupOf(f.svc)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(6 * time.Minute)
	f.mustBeSuspended(blue)
	f.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &statusResult{})
	f.rollBack(id)
	f.Advance(25 * time.Minute)
	if f.mentions(blue, "resume-processes") == 0 {
		t.Errorf("%s serves, what it launches serves nobody, and operators do not know: %q", blue, f.Texts())
	}
}

func (f *fixture) suspended(group string) bool {
	g, _ := f.Group(group)
	for _, p := range g.SuspendedProcesses {
		if aws.ToString(p.ProcessName) == "AddToLoadBalancer" {
			return true
		}
	}
	return false
}

func (f *fixture) mustBeSuspended(group string) {
	f.t.Helper()
	if !f.suspended(group) {
		f.t.Fatalf("%s would register what it launches: this shows nothing", group)
	}
}

func (f *fixture) mustNotBeSuspended(group string) {
	f.t.Helper()
	if f.suspended(group) {
		f.t.Errorf("AddToLoadBalancer of %s stays suspended: what it launches serves nobody", group)
	}
}
