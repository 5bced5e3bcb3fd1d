package drain

import (
	"fmt"
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

// TestSweepOfManyWarmPools has the events of instances be lost that return to the
// warm pools of several groups: the sweep finds all of them, however many groups
// there are, and however long it takes beside its schedule.
func TestSweepOfManyWarmPools(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		groups, page int
		after        time.Duration
	}{
		{"of one page", 12, 0, 5 * time.Minute},
		{"longer than the interval", 120, 1, 12 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 7200, region: region.Options{PageSize: c.page, ReturnWaits: asgtypes.LifecycleStateWarmedPendingWait}})
			groups := []string{s.group}
			for n := range c.groups {
				s.addGroup(fmt.Sprintf("pool-%03d", n), 2)
				s.putHook(hook, 7200)
				groups = append(groups, s.group)
			}
			s.SetDelivery(lose)
			for k, g := range groups {
				s.group = g
				s.reuse(true)
				if k%12 == 0 || c.page == 0 {
					s.scaleIn(1)
				}
			}
			s.Advance(c.after)
			if n := s.ActiveActions(); n > 0 {
				t.Errorf("%d instances still wait to return to their pools, two hours and untold: those of the first groups alone are found", n)
			}
		})
	}
}

// TestSweepTakesItsShare counts the calls of sweeps over many groups.
func TestSweepTakesItsShare(t *testing.T) {
	t.Parallel()
	for _, pools := range []bool{false, true} {
		t.Run(fmt.Sprint("warm pools ", pools), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{region: region.Options{PageSize: 1}, perSecond: 1})
			for n := range 150 {
				s.addGroup(fmt.Sprintf("g-%03d", n), 1)
				if pools {
					s.reuse(true)
				}
			}
			s.Advance(2 * time.Minute)
			s.ForgetCalls()
			for range 50 { // a schedule that falls between the steps of a sweep
				s.Queue.Send(`{"continue":{"sweep":{}}}`)
				s.Advance(12 * time.Second)
			}
			n := 0
			for _, c := range s.Calls() {
				if c.Service == "Auto Scaling" {
					n++
				}
			}
			t.Logf("%d calls in ten minutes, %.1f a second; %d messages", n, float64(n)/600, s.Queue.Len())
			if n > 600*4 {
				t.Errorf("sweeps make %d calls to Auto Scaling in ten minutes: they overtake each other and take the rate of releases", n)
			}
		})
	}
}
