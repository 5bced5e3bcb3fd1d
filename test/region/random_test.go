package region_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"pgregory.net/rapid"

	"deployhooks/test/region"
)

// TestRandomOperations throws everything at a region in random order. Whatever
// happens, the books must balance, and when it is over every group must come
// to its desired capacity.
func TestRandomOperations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := region.New(region.Options{
			DrainedAtOnce:   rapid.Bool().Draw(rt, "drained at once"),
			RebalancesZones: rapid.Bool().Draw(rt, "rebalances zones"),
			PoolDescribed:   rapid.Bool().Draw(rt, "pool described"),
			ReturnWaits:     rapid.SampledFrom([]asg.LifecycleState{"", asg.LifecycleStateWarmedTerminatingWait, asg.LifecycleStateTerminatingWait}).Draw(rt, "return waits"),
		})
		svc := r.AddService(region.Service{
			Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web", "api"}, Instances: 3, Max: 8,
			RollBack:    rapid.Bool().Draw(rt, "roll back"),
			BareAnswers: rapid.Bool().Draw(rt, "bare instances answer"),
			HealthCheck: rapid.SampledFrom([]string{"ELB", "EC2"}).Draw(rt, "health check"),
			ReadyWait:   time.Duration(rapid.SampledFrom([]int{0, 10}).Draw(rt, "ready wait")) * time.Minute,
			KeepBlue:    rapid.Bool().Draw(rt, "keep blue"),

			TerminationWait:      time.Duration(rapid.SampledFrom([]int{0, 5, 60}).Draw(rt, "termination wait")) * time.Minute,
			TerminationHook:      rapid.Bool().Draw(rt, "CodeDeploy's terminate hook"),
			ClassicLoadBalancers: rapid.SampledFrom([][]string{nil, {"old"}}).Draw(rt, "Classic Load Balancers"),
			OutdatedInstances:    rapid.SampledFrom([]cd.OutdatedInstancesStrategy{"", cd.OutdatedInstancesStrategyIgnore}).Draw(rt, "outdated instances"),
			Hooks:                rapid.SampledFrom([][]asg.LifecycleHook{nil, {hook("drain", terminating, 300, "CONTINUE"), hook("logs", terminating, 60, "ABANDON"), hook("warm-up", launching, 30, "CONTINUE")}}).Draw(rt, "hooks"),
		})
		users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 2, Takes: 3 * time.Second})
		var ids []string
		groups := func() []string {
			all := []string{group}
			for _, id := range ids {
				if _, green := r.Groups(id); green != "" {
					all = append(all, green)
				}
			}
			return all
		}
		stages := []region.Stage{"", "", region.StageProvision, region.StageInstall, region.StageReady, region.StageReroute, region.StageWait}
		anInstance := func() string {
			all := r.InService(rapid.SampledFrom(groups()).Draw(rt, "group"))
			if len(all) == 0 {
				return ""
			}
			return rapid.SampledFrom(all).Draw(rt, "instance")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"advance": func(rt *rapid.T) { r.Advance(time.Duration(rapid.IntRange(1, 300).Draw(rt, "seconds")) * time.Second) },
			"scale": func(rt *rapid.T) {
				r.Scale(rapid.SampledFrom(groups()).Draw(rt, "group"), rapid.IntRange(0, 6).Draw(rt, "desired"))
			},
			"complete": func(rt *rapid.T) {
				if all := r.LifecycleActions(); len(all) > 0 {
					a := rapid.SampledFrom(all).Draw(rt, "action")
					err := complete(r, a, rapid.SampledFrom([]string{"CONTINUE", "ABANDON"}).Draw(rt, "result"), rapid.Bool().Draw(rt, "by token"))
					if a.Ending == region.Active && err != nil {
						rt.Fatalf("an active action cannot be completed: %v", err)
					}
				}
			},
			"interrupt": func(*rapid.T) { r.InterruptSpot(anInstance()) },
			"rebalance": func(*rapid.T) {
				r.SetCapacityRebalance(group, true)
				r.RecommendRebalance(anInstance())
			},
			"refresh": func(rt *rapid.T) {
				_, _ = r.AutoScaling().StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
					AutoScalingGroupName: aws.String(rapid.SampledFrom(groups()).Draw(rt, "group")),
				})
			},
			"warm pool": func(rt *rapid.T) {
				_, _ = r.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
					AutoScalingGroupName: aws.String(group),
					InstanceReusePolicy:  &asg.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(rapid.Bool().Draw(rt, "reuse"))},
				})
			},
			"crash":     func(*rapid.T) { r.Crash(anInstance()) },
			"recover":   func(*rapid.T) { r.Recover(anInstance()) },
			"kill":      func(*rapid.T) { r.Kill(anInstance()) },
			"terminate": func(*rapid.T) { r.Terminate(anInstance()) },
			"halt":      func(*rapid.T) { r.StopInstance(anInstance()) },
			"new root":  func(*rapid.T) { r.ReplaceRootVolume(anInstance()) },
			"standby": func(rt *rapid.T) {
				name := rapid.SampledFrom(groups()).Draw(rt, "group")
				if all := r.InService(name); len(all) > 0 {
					_, _ = r.AutoScaling().EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{
						AutoScalingGroupName: aws.String(name), InstanceIds: all[:1], ShouldDecrementDesiredCapacity: aws.Bool(rapid.Bool().Draw(rt, "decrement")),
					})
				}
			},
			"return": func(rt *rapid.T) { returnAll(t, r, rapid.SampledFrom(groups()).Draw(rt, "group")) },
			"detach": func(rt *rapid.T) {
				name := rapid.SampledFrom(groups()).Draw(rt, "group")
				if all := r.InService(name); len(all) > 0 {
					_, _ = r.AutoScaling().DetachInstances(t.Context(), &autoscaling.DetachInstancesInput{
						AutoScalingGroupName: aws.String(name), InstanceIds: all[:1], ShouldDecrementDesiredCapacity: aws.Bool(rapid.Bool().Draw(rt, "decrement")),
					})
				}
			},
			"deploy": func(rt *rapid.T) {
				how := region.Deployment{
					FailAt: rapid.SampledFrom(stages).Draw(rt, "fail at"), DieAt: rapid.SampledFrom(stages).Draw(rt, "die at"),
					LeaveSuspended: rapid.Bool().Draw(rt, "leave suspended"), AttachItself: rapid.Bool().Draw(rt, "attach itself"),
					SucceedFirst: rapid.Bool().Draw(rt, "succeed first"),
					Named:        rapid.SampledFrom([]region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd}).Draw(rt, "named"),
					Spacing:      time.Duration(rapid.SampledFrom([]int{0, 20}).Draw(rt, "spacing")) * time.Second,
				}
				if id, err := r.TryDeploy(svc, how); err == nil {
					ids = append(ids, id)
				}
			},
			"continue": func(rt *rapid.T) {
				if len(ids) > 0 {
					r.Continue(rapid.SampledFrom(ids).Draw(rt, "deployment"))
				}
			},
			"stop": func(rt *rapid.T) {
				if len(ids) > 0 {
					r.Stop(rapid.SampledFrom(ids).Draw(rt, "deployment"))
				}
			},
			"attach": func(rt *rapid.T) {
				_ = attach(r, rapid.SampledFrom(groups()).Draw(rt, "group"), "elbv2", r.TargetGroupARN("web"))
			},
			"suspend": func(rt *rapid.T) {
				name := rapid.SampledFrom(groups()).Draw(rt, "group")
				if _, ok := r.Group(name); ok {
					suspend(t, r, name, rapid.SampledFrom([]string{"Launch", "Terminate", "AddToLoadBalancer", "HealthCheck"}).Draw(rt, "process"))
				}
			},
			"": func(rt *rapid.T) { balance(rt, r, users) },
		})
		for _, name := range groups() {
			if _, ok := r.Group(name); ok {
				resume(t, r, name)
			}
		}
		for _, id := range ids {
			r.Stop(id)
		}
		users.Stop()
		r.Advance(6 * time.Hour)
		balance(rt, r, users)
		for _, name := range groups() {
			g, ok := r.Group(name)
			if !ok {
				continue
			}
			// A group that is attached without a revision replaces its
			// instances for ever; they count while they last.
			counted := slices.DeleteFunc(g.Instances, func(i asg.Instance) bool {
				return strings.HasPrefix(string(i.LifecycleState), "Terminating") || i.LifecycleState == asg.LifecycleStateStandby
			})
			if len(counted) != int(*g.DesiredCapacity) {
				rt.Errorf("%s rests at %d instances, not %d", name, len(counted), *g.DesiredCapacity)
			}
		}
		for _, a := range r.LifecycleActions() {
			if a.Ending == region.Active && a.Began.Before(r.Now().Add(-time.Hour)) {
				rt.Errorf("%s has waited for %s for %s", a.Instance, a.Hook, r.Now().Sub(a.Began))
			}
		}
		for _, id := range ids {
			if !r.Ended(id) {
				rt.Errorf("%s never ends: %s in %s", id, r.Status(id), r.StageOf(id))
			}
		}
	})
}

// returnAll returns what a group has in standby.
func returnAll(t *testing.T, r *region.Region, name string) {
	g, _ := r.Group(name)
	for _, i := range g.Instances {
		if i.LifecycleState == asg.LifecycleStateStandby {
			_, _ = r.AutoScaling().ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String(name), InstanceIds: []string{*i.InstanceId}})
		}
	}
}

// balance holds what is true at every instant.
func balance(t *rapid.T, r *region.Region, users *region.Stream) {
	total := users.Total()
	if total.CutEarly+total.CutLate > total.Failed {
		t.Fatalf("more requests were cut off than failed: %+v", total)
	}
	if total.Failed > total.Requests || total.Early > total.Unvalidated || total.Unvalidated > total.Requests {
		t.Fatalf("the tally does not add up: %+v", total)
	}
	known := []elb.TargetHealthStateEnum{"initial", "healthy", "unhealthy", "draining", "unused"}
	for i, state := range r.Health("web") {
		if !slices.Contains(known, state) {
			t.Fatalf("%s is in the state %q", i, state)
		}
	}
	if g, ok := r.Group(group); ok {
		for _, i := range g.Instances {
			if i.LifecycleState == asg.LifecycleStateTerminated {
				t.Fatalf("%s is terminated and still listed", *i.InstanceId)
			}
		}
	}
}
