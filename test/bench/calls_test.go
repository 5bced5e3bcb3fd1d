package bench

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/peers"
	"deployhooks/test/region"
)

// The budgets of a repair's calls, one after another on the critical path, the
// store included.
const (
	depthWithBaseline    = 3
	depthWithoutBaseline = 4
)

// TestCallsOfARepair counts the calls of the invocation that attaches a
// released group, and how many of them wait for one another, and holds them to
// their budgets.
func TestCallsOfARepair(t *testing.T) {
	peer := measure(t, false, attachLikeAPeer)
	with := measure(t, true, attachByRepair)
	without := measure(t, false, attachByRepair)
	if with.depth > depthWithBaseline || without.depth > depthWithoutBaseline {
		t.Errorf("a repair is %d calls deep with a baseline and %d without, beyond the budget of %d and %d",
			with.depth, without.depth, depthWithBaseline, depthWithoutBaseline)
	}
	report(
		figure{"repair.depth", float64(with.depth), "calls", depthWithBaseline, float64(peer.depth)},
		figure{"repair.depthWithoutBaseline", float64(without.depth), "calls", depthWithoutBaseline, float64(peer.depth)},
		figure{"repair.calls", float64(with.calls), "calls", 0, float64(peer.calls)},
		figure{"repair.callsWithoutBaseline", float64(without.calls), "calls", 0, float64(peer.calls)},
	)
}

type counts struct{ calls, depth int }

// measure plays a release up to SUCCESS, lets attach do its work while each
// call takes one second of a bubble's time, and reads the depth off the clock.
func measure(t *testing.T, baseline bool, attach func(*region.Region, *repair.Repairer, string) error) (c counts) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
		fn := function(r)
		if baseline {
			if _, err := fn.Invoke(t.Context(), []byte(`{"action":"repair","application":"shop","deploymentGroup":"web"}`)); err != nil {
				t.Fatal(err)
			}
		}
		id := r.RunDeployment(svc, region.Deployment{})
		r.ForgetCalls()
		r.OnCall(func(region.Call) { time.Sleep(time.Second) })
		began := time.Now()
		if err := attach(r, fn, id); err != nil {
			t.Fatal(err)
		}
		c = counts{len(r.Calls()), int(time.Since(began) / time.Second)}
		r.OnCall(nil)
		if len(r.Attached(r.GroupOf(svc))) != 1 {
			t.Fatal("the group is not attached: the figures are of something else")
		}
	})
	return c
}

func function(r *region.Region) *repair.Repairer {
	repairs.Install(r, repairs.Settings{SweepEvery: -1}).Queue.WithoutEvents().Serve(nil)
	return repairs.New(r, repairs.Settings{})
}

func attachByRepair(_ *region.Region, fn *repair.Repairer, id string) error {
	_, err := fn.Invoke(context.Background(), success(id))
	return err
}

func success(id string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"application":"shop","deploymentGroup":"web","deploymentId":%q,"state":"SUCCESS"}}`, id)
}

// attachLikeAPeer makes the calls of one that others publish, each waiting for the one
// before. It keeps nothing, checks nothing, and attaches one target group.
func attachLikeAPeer(r *region.Region, _ *repair.Repairer, id string) error {
	return peers.AttachLikeLinkGreen(context.Background(), r, id)
}
