package repair

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// answered is the requests of the last second that a group has answered.
func (f *fixture) answered(group string) int {
	seconds := f.users.Seconds()
	return seconds[len(seconds)-1].ByGroup[group]
}

// mustNotAnswer fails if a group has answered a request since an instant.
func (f *fixture) mustNotAnswer(group string, since time.Time, harm string) {
	f.t.Helper()
	n := 0
	for _, s := range f.users.Seconds() {
		if s.At.After(since) {
			n += s.ByGroup[group]
		}
	}
	if n > 0 {
		f.t.Errorf("%s: %d requests were answered by %s\nnotified: %q", harm, n, group, f.Subjects())
	}
}

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

// replaceAll replaces the instances of a group one after the other, as a refresh does.
func (f *fixture) replaceAll(group string, between time.Duration) {
	for _, i := range f.InService(group) {
		f.Kill(i)
		f.Advance(between)
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
				f.rollBack(id)
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
	f := begin(t, waiting(time.Hour))
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

// TestBlueScaledOutInTheWait holds that operators learn that the old version is before
// users again, and that it hides nothing of green.
func TestBlueScaledOutInTheWait(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait flag unset: %v", unset), func(t *testing.T) {
			t.Parallel()
			f := begin(t, waiting(6*time.Hour))
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
func (f *fixture) tag(group, key, value string) {
	f.t.Helper()
	if _, err := f.AutoScaling().CreateOrUpdateTags(f.t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []asgtypes.Tag{{
		ResourceId: &group, ResourceType: aws.String("auto-scaling-group"), Key: &key, Value: &value, PropagateAtLaunch: aws.Bool(false),
	}}}); err != nil {
		f.t.Fatal(err)
	}
}

// TestOptOutInTheWait holds that from the tag on nothing is done to a group, and that
// it is taken up again when the tag is gone.
func TestOptOutInTheWait(t *testing.T) {
	t.Parallel()
	f := begin(t, waiting(2*time.Hour))
	id := f.releaseTo(region.StageWait, region.Deployment{})
	f.Advance(3 * time.Minute)
	green := f.green(id)
	f.Scale(green, 6)
	f.Advance(10 * time.Minute)
	f.tag(green, repair.OptOut.Key, repair.OptOut.Value)
	f.ForgetCalls()
	f.Scale(green, 8)
	f.Advance(20 * time.Minute)
	for _, operation := range []string{"RegisterTargets", "DeregisterTargets", "AttachTrafficSources", "ResumeProcesses"} {
		if n := f.Made(operation); n > 0 {
			t.Errorf("%s was called %d times on a group that somebody works on by hand", operation, n)
		}
	}
	f.tag(green, repair.OptOut.Key, "on")
	f.Advance(15 * time.Minute)
	f.mustRegisterAll(green, "the tag is gone")
	f.Advance(2 * time.Hour)
	f.mustServe()
}

// TestAttachedByHandInTheWait holds that what an operator attaches, detaches or
// suspends by hand in the wait leaves the group serving and in order at its end.
func TestByHandInTheWait(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(f *fixture, green string){
		"attached": func(f *fixture, green string) { f.attach(green, f.TargetGroupARN("web")) },
		"attached and detached": func(f *fixture, green string) {
			f.attach(green, f.TargetGroupARN("web"))
			f.Advance(10 * time.Minute)
			f.detach(green, f.TargetGroupARN("web"))
		},
		"suspended and resumed": func(f *fixture, green string) {
			f.suspend(green, "AddToLoadBalancer")
			f.Advance(10 * time.Minute)
			f.resume(green)
		},
		"frozen and resumed": func(f *fixture, green string) { f.suspend(green); f.Advance(10 * time.Minute); f.resume(green) },
	} {
		for _, unset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wait flag unset: %v", name, unset), func(t *testing.T) {
				t.Parallel()
				f := begin(t, waiting(2*time.Hour))
				blue := f.GroupOf(f.svc)
				id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
				since := f.Now()
				f.Advance(3 * time.Minute)
				green := f.green(id)
				do(f, green)
				f.Advance(2 * time.Minute)
				f.Scale(green, 8)
				f.Advance(20 * time.Minute)
				f.mustRegisterAll(green, "in the wait")
				f.mustNotAnswer(blue, since, "in the wait")
				f.Advance(2 * time.Hour)
				f.settle()
				f.mustServe()
				f.mustRegisterAll(green, "after the wait")
			})
		}
	}
}

// TestRefreshInTheWait holds that an instance refresh neither hides the group nor is
// disturbed.
func TestRefreshInTheWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(2 * time.Hour), rate: 1})
	r := watch(f)
	f.Advance(6 * time.Minute)
	id := f.releaseTo(region.StageWait, region.Deployment{})
	green := f.green(id)
	f.Advance(3 * time.Minute)
	f.SetInstanceRefresh(green, true)
	f.replaceAll(green, 6*time.Minute)
	f.Advance(12 * time.Minute)
	f.mustRegisterAll(green, "an instance refresh has replaced all of them in the wait")
	f.Advance(2 * time.Hour)
	f.Scale(green, 8)
	f.Advance(15 * time.Minute)
	if f.mentions(green, "refresh") == 0 {
		t.Errorf("an instance refresh keeps the group from its load balancer after the release, and operators do not know: %q", f.Texts())
	}
	f.SetInstanceRefresh(green, false)
	f.settle()
	f.mustServe()
	f.mustRegisterAll(green, "the refresh has ended")
	_ = r
}

// TestSweepLostForAnHour holds that the continuations alone see a release through.
func TestSweepLostForAnHour(t *testing.T) {
	t.Parallel()
	for _, unset := range []bool{false, true} {
		f := newFixture(t, setting{service: waiting(time.Hour), rate: 1, noSweep: true})
		r := watch(f)
		id := f.releaseTo(region.StageWait, region.Deployment{WaitFlagUnset: unset})
		f.Advance(5 * time.Minute)
		f.Scale(f.green(id), 8)
		f.Advance(12 * time.Minute)
		f.mustRegisterAll(f.green(id), "no sweep has come for an hour")
		f.Advance(2 * time.Hour)
		f.mustServe()
		r.mustHold(t)
	}
}

// TestGroupNamedByHandInTheWait holds that an edit of the deployment group's Auto
// Scaling groups in the middle of a release puts nothing else before users.
func TestGroupNamedByHandInTheWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{service: waiting(2 * time.Hour), rate: 1})
	f.AddService(region.Service{Application: "bank", DeploymentGroup: "web", TargetGroups: []string{"bank"}, Group: "bank"})
	f.Advance(6 * time.Minute)
	f.releaseTo(region.StageWait, region.Deployment{})
	since := f.Now()
	f.nameGroup("bank")
	f.Advance(3 * time.Hour)
	f.mustNotAnswer("bank", since, "the deployment group was edited to name a foreign group")
}

// nameGroup has the deployment group name another Auto Scaling group.
func (f *fixture) nameGroup(group string) {
	f.t.Helper()
	if _, err := f.CodeDeploy().UpdateDeploymentGroup(f.t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &f.svc.Application, CurrentDeploymentGroupName: &f.svc.DeploymentGroup, AutoScalingGroups: []string{group},
	}); err != nil {
		f.t.Fatal(err)
	}
}
