package repair

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// TestBridgeWhoseRecordWasLost holds that a bridge is taken back although the record
// of it could not be written when it was built.
func TestBridgeWhoseRecordWasLost(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed: %v", killed), func(t *testing.T) {
			t.Parallel()
			svc := waiting(6 * time.Hour)
			svc.RollBack = true
			f := begin(t, svc)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(5 * time.Minute)
			green := f.green(id)
			f.Scale(green, 8)
			after := func(c region.Call) region.Fault { // the table throttles writes
				switch c.Input.(type) {
				case *dynamodb.PutItemInput, *dynamodb.TransactWriteItemsInput, *dynamodb.BatchWriteItemInput, *dynamodb.UpdateItemInput:
					return region.Fault{Before: region.Throttled()}
				}
				return region.Fault{}
			}
			if killed {
				dead := false
				after = func(c region.Call) region.Fault {
					if dead {
						return region.Fault{Before: region.Killed()}
					}
					if c.Operation == "RegisterTargets" {
						dead = true
						return region.Fault{After: region.Killed()}
					}
					return region.Fault{}
				}
			}
			f.SetFaults(after)
			if killed {
				f.RunUntil(func() bool { return f.Made("RegisterTargets") > 0 || len(f.unregistered(green, "web")) == 0 }, 10*time.Minute)
				f.Advance(time.Second)
			} else {
				f.Advance(time.Hour)
			}
			f.SetFaults(nil)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(green, "the record could not be written")
			f.rollBack(id)
			f.Advance(20 * time.Minute)
			if attached := f.Attached(green); len(attached) > 0 {
				t.Errorf("the function attached %s, which was rolled back, to %v", green, attached)
			}
			f.mustHoldNone("web", green, "bridged, which the record does not hold, and rolled back: users get the version that failed beside the good one")
		})
	}
}

// TestAttachmentInTheWaitThatDeregisters holds that what AWS warns of is noticed and
// repaired, where the configuration asks for the attachment.
func TestAttachmentInTheWaitThatDeregisters(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(6 * time.Hour), rate: 1, region: region.Options{AttachDeregisters: true},
		config: configured(func(c *repair.Config) { c.AttachDuringTerminationWait = true })})
	f.Advance(6 * time.Minute)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(15 * time.Minute)
	if len(f.Attached(f.green(id))) == 0 {
		t.Fatal("not attached: this shows nothing")
	}
	f.mustRegisterAll(f.green(id), "AWS deregistered all instances, as it warns, and nobody registers them again before the wait ends")
	before := f.users.Total().Failed
	f.Advance(time.Hour)
	if failed := f.users.Total().Failed - before; failed > 0 {
		t.Errorf("%d requests failed in the hour after that; notified %q", failed, f.Subjects())
	}
}

// TestReleaseThatEndsBadlyAfterTheReroute holds that whatever ends a release after its
// reroute, the group that serves goes on serving alone.
func TestReleaseThatEndsBadlyAfterTheReroute(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]region.Deployment{
		"dies in the wait":      {DieAt: region.StageWait},
		"fails in the wait":     {FailAt: region.StageWait},
		"dies at termination":   {DieAt: region.StageTerminate},
		"fails at termination":  {FailAt: region.StageTerminate},
		"hangs, and is stopped": {HangAt: region.StageWait},
	} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
			for _, releases := range []int{0, 1} {
				t.Run(fmt.Sprintf("%s, named %q, after %d releases", name, naming, releases), func(t *testing.T) {
					t.Parallel()
					f := begin(t, waiting(time.Hour))
					f.releaseTimes(releases)
					blue := f.GroupOf(f.svc)
					how.Named = naming
					id := f.deploy(how)
					f.until(region.StageWait, id)
					since := f.Now()
					f.Advance(2 * time.Minute)
					green := f.green(id)
					f.Scale(green, 8)
					f.Advance(2 * time.Hour)
					if !f.Ended(id) {
						f.Stop(id)
					}
					f.Advance(20 * time.Minute)
					f.Scale(green, 6)
					f.Advance(5 * time.Minute)
					f.Scale(green, 8)
					f.Advance(12 * time.Minute)
					f.mustRegisterAll(green, "the release ended badly after its reroute")
					if _, exists := f.Group(blue); exists {
						f.mustNotAnswer(blue, since, "the release ended badly after its reroute")
					}
				})
			}
		}
	}
}

// TestReleasesBackToBackUnheard holds that two releases of which nothing is heard are
// repaired, whatever order CodeDeploy does things in.
func TestReleasesBackToBackUnheard(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd} {
			t.Run(fmt.Sprintf("SUCCESS before the wait: %v, named %q", first, naming), func(t *testing.T) {
				t.Parallel()
				f := begin(t, waiting(20*time.Minute))
				r := watch(f)
				f.loseEvents("SUCCESS")
				for range 3 {
					id := f.release(region.Deployment{SucceedFirst: first, Named: naming})
					f.RunUntil(func() bool { return f.StageOf(id) == region.StageTerminate }, time.Hour)
					f.Scale(f.green(id), 6)
				}
				f.settle()
				f.mustServe()
				f.mustRegisterAll(f.GroupOf(f.svc), "releases back to back")
				r.mustHold(t)
			})
		}
	}
}

// TestTableDownForAnHour holds that the function comes back to a group although its
// table did not answer for an hour in the wait.
func TestTableDownForAnHour(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(6*time.Hour))
			id := f.releaseTo(region.StageReroute, region.Deployment{WaitFlagUnset: unset})
			f.SetFaults(func(c region.Call) region.Fault {
				if c.Service == dynamodb.ServiceID {
					return region.Fault{Before: region.Throttled()}
				}
				return region.Fault{}
			})
			f.until(region.StageWait, id)
			green := f.green(id)
			f.Scale(green, 8)
			f.Advance(10 * time.Minute)
			f.replaceAll(green, 5*time.Minute)
			f.SetFaults(nil)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(green, "the table is back")
		})
	}
}
