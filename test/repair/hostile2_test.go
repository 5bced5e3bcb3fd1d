package repair

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// replaceAll replaces the instances of a group one after the other, as a refresh does.
func (f *fixture) replaceAll(group string, between time.Duration) {
	for _, i := range f.InService(group) {
		f.Kill(i)
		f.Advance(between)
	}
}

// TestBridgeWhoseRecordWasLost holds that a bridge is taken back although the record
// of it could not be written when it was built.
func TestBridgeWhoseRecordWasLost(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed: %v", killed), func(t *testing.T) {
			t.Parallel()
			svc := waiting(6 * time.Hour)
			svc.RollBack = true
			f := newFixture(t, setting{service: svc, rate: 1})
			f.Advance(6 * time.Minute)
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
			f.Stop(id)
			f.RunUntil(func() bool { r := f.RollbackOf(id); return r != "" && f.Ended(r) }, time.Hour)
			f.Advance(20 * time.Minute)
			if attached := f.Attached(green); len(attached) > 0 {
				t.Errorf("the function attached %s, which was rolled back, to %v", green, attached)
			}
			for _, i := range f.InService(green) {
				if serves(f.Health("web")[i]) {
					t.Errorf("%s was bridged, which the record does not hold, and is still registered after the roll-back: users get the version that failed beside the good one", i)
				}
			}
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
					f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
					f.Advance(6 * time.Minute)
					for range releases {
						f.release(region.Deployment{})
						f.settle()
					}
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
					f := newFixture(t, setting{service: svc, rate: 1})
					f.Advance(6 * time.Minute)
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
					for range releases {
						f.release(region.Deployment{})
						f.settle()
					}
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

// TestRollBackOfTheSecondRelease is TestRollBackOutOfTheWait for a group that was
// released before, under stale reads too.
func TestRollBackOfTheSecondRelease(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{0, time.Minute} {
		for _, naming := range []region.Naming{region.NamedWithHook, region.NamedAtEnd} {
			t.Run(fmt.Sprintf("stale %v, named %q", stale, naming), func(t *testing.T) {
				t.Parallel()
				svc := waiting(2 * time.Hour)
				svc.RollBack = true
				f := newFixture(t, setting{service: svc, rate: 1, region: region.Options{StaleReads: stale}})
				f.Advance(6 * time.Minute)
				f.release(region.Deployment{})
				f.settle()
				blue := f.GroupOf(f.svc)
				id := f.releaseTo(region.StageWait, region.Deployment{Named: naming})
				green := f.green(id)
				f.Advance(2 * time.Minute)
				f.Scale(green, 8)
				f.Advance(12 * time.Minute)
				f.replaceAll(green, 4*time.Minute)
				before := f.users.Total().Failed
				f.Stop(id)
				f.RunUntil(func() bool { r := f.RollbackOf(id); return r != "" && f.Ended(r) }, time.Hour)
				f.Advance(6 * time.Minute)
				since := f.Now()
				f.Advance(15 * time.Minute)
				f.mustNotAnswer(green, since, "rolled back")
				f.mustRegisterAll(blue, "rolled back")
				if failed := f.users.Total().Failed - before; failed > 0 {
					t.Errorf("%d requests failed in the roll-back", failed)
				}
			})
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
				f := newFixture(t, setting{service: waiting(20 * time.Minute), rate: 1})
				f.Advance(6 * time.Minute)
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

// TestClocksThatDiffer holds that execution environments whose clocks differ bridge
// and attach all the same.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{5 * time.Second, 2 * time.Minute, -2 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
			r := watch(f)
			one := f.Function
			other := repairs.New(f.Region, repairs.Settings{Now: func() time.Time { return f.Now().Add(skew) }})
			n := 0
			f.Queue.Serve(func(payload []byte) ([]byte, error) {
				if n++; n%2 == 0 {
					f.Function = one
				} else {
					f.Function = other
				}
				return f.Invoke(payload)
			})
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(2 * time.Minute)
			f.Scale(f.green(id), 8)
			f.Advance(12 * time.Minute)
			f.mustRegisterAll(f.green(id), "clocks differ")
			f.Advance(time.Hour)
			f.settle()
			f.mustServe()
			r.mustHold(t)
			if f.Invocations > 400 {
				t.Errorf("%d invocations: continuations multiply", f.Invocations)
			}
		})
	}
}

// TestNoticesDownForADay holds that what could not be notified for a day neither keeps
// the group from its load balancer nor is forgotten.
func TestNoticesDownForADay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
	f.Advance(6 * time.Minute)
	f.SetFaults(func(c region.Call) region.Fault {
		if c.Operation == "Publish" {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(2 * time.Minute)
	f.Scale(f.green(id), 8)
	f.Advance(10 * time.Minute)
	f.mustRegisterAll(f.green(id), "SNS is down")
	f.Advance(24 * time.Hour)
	f.mustBeAttached()
	f.SetFaults(nil)
	f.Advance(time.Hour)
	if f.mentions(f.GroupOf(f.svc)) == 0 {
		t.Errorf("what was repaired while SNS was down is never notified: %q", f.Subjects())
	}
}

// TestTableDownForAnHour holds that the function comes back to a group although its
// table did not answer for an hour in the wait.
func TestTableDownForAnHour(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(6 * time.Hour), rate: 1})
			f.Advance(6 * time.Minute)
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

// TestBlueScaledOutInTheWait holds that operators learn that the old version is before
// users again, and that it hides nothing of green.
func TestBlueScaledOutInTheWait(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{service: waiting(6 * time.Hour), rate: 1})
			f.Advance(6 * time.Minute)
			blue := f.GroupOf(f.svc)
			id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
			f.Scale(blue, 8)
			f.Advance(2 * time.Minute)
			f.Scale(f.green(id), 8)
			f.Advance(20 * time.Minute)
			f.mustRegisterAll(f.green(id), "blue has grown in the wait")
			if f.mentions(blue, "old version") == 0 {
				t.Errorf("operators do not know that %s serves beside green: %q", blue, f.Texts())
			}
			f.Advance(7 * time.Hour)
			f.mustServe()
		})
	}
}

// TestOneSickOfAHundred holds that one unhealthy instance keeps a hundred neither
// unattached nor unregistered for long.
func TestOneSickOfAHundred(t *testing.T) {
	t.Parallel()
	for _, check := range []string{"ELB", "EC2"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			svc := waiting(30 * time.Minute)
			svc.HealthCheck, svc.Instances = check, 100
			f := newFixture(t, setting{service: svc, rate: 1})
			r := watch(f)
			f.Advance(6 * time.Minute)
			id := f.releaseTo(region.StageWait, region.Deployment{})
			f.Advance(5 * time.Minute)
			green := f.green(id)
			f.Crash(f.InService(green)[0])
			f.Advance(23 * time.Minute)
			f.Scale(green, 110)
			f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
			f.Advance(12 * time.Minute)
			f.mustServe()
			f.mustRegisterAll(green, "one of a hundred is unhealthy")
			r.mustHold(t)
		})
	}
}

// TestTwoServicesOnOneTargetGroup holds that deployment groups that share a target
// group do not disturb each other.
func TestTwoServicesOnOneTargetGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
	other := f.AddService(region.Service{Application: "api", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4, TerminationWait: time.Hour})
	f.Advance(6 * time.Minute)
	a := f.deploy(region.Deployment{})
	b := f.Deploy(other, region.Deployment{Spacing: 3 * time.Minute})
	f.until(region.StageWait, a)
	f.until(region.StageWait, b)
	_, green := f.Groups(b)
	f.Advance(2 * time.Minute)
	f.Scale(green, 8)
	f.Scale(f.green(a), 8)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(green, "two services share a target group")
	f.mustRegisterAll(f.green(a), "two services share a target group")
	f.Advance(time.Hour)
	f.settle()
	f.mustServe()
	if !contains(f.Attached(f.GroupOf(other)), f.TargetGroupARN("web")) {
		t.Error("the other service's group is not attached")
	}
}
