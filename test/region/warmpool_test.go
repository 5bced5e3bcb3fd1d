package region_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

func TestAWarmPoolTakesInstancesBack(t *testing.T) {
	r := region.New(region.Options{PoolDescribed: true})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	putWarmPool(t, r, svc.Group)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	a := scaleIn(t, r, svc.Group)
	if a.Destination != "WarmPool" {
		t.Fatalf("the event's destination is %s", a.Destination)
	}
	if err := complete(r, a, "CONTINUE", true); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	if got := stateOf(t, r, a.Instance); got != "Warmed:Stopped" {
		t.Fatalf("back in the warm pool the instance is %q", got)
	}
	out, err := r.AutoScaling().DescribeWarmPool(ctx, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(svc.Group)})
	if err != nil || len(out.Instances) != 1 {
		t.Errorf("the pool holds %v, %v", out.Instances, err)
	}
	if g, _ := r.Group(svc.Group); len(g.Instances) != 3 {
		t.Errorf("the group still shows %d instances", len(g.Instances))
	}
	r.Scale(svc.Group, 4)
	r.Advance(3 * time.Minute)
	if got := stateOf(t, r, a.Instance); got != "InService" || r.Health("web")[a.Instance] != "healthy" {
		t.Errorf("the scale-out left the warm instance %q and %q", got, r.Health("web")[a.Instance])
	}
	if a := scaleIn(t, r, svc.Group); complete(r, a, "CONTINUE", false) == nil {
		r.Advance(time.Minute)
		r.Terminate(a.Instance) // a stopped instance: nothing happens
		r.InterruptSpot(a.Instance)
		r.Advance(3 * time.Minute)
		if got := stateOf(t, r, a.Instance); got != "Warmed:Stopped" {
			t.Errorf("the instance in the pool is %q", got)
		}
	}
	if failed := users.Total().Failed; failed != 0 {
		t.Errorf("%d requests failed", failed)
	}
	r.DeleteGroup(svc.Group)
	r.Advance(time.Minute)
	if got := stateOf(t, r, a.Instance); got != "" {
		t.Errorf("with its group deleted the instance is %q", got)
	}
}

// TestReturnToTheWarmPoolWaits: nobody here has observed in which state, so it
// may be any.
func TestReturnToTheWarmPoolWaits(t *testing.T) {
	for _, tc := range []struct {
		name             string
		options          region.Options
		pool, group, all string // the states that the three calls tell
	}{
		{"as the user guide has it", region.Options{}, "Warmed:Pending:Wait", "", ""},
		{"described with the others", region.Options{PoolDescribed: true}, "Warmed:Pending:Wait", "", "Warmed:Pending:Wait"},
		{"as it dies in the pool", region.Options{ReturnWaits: asg.LifecycleStateWarmedTerminatingWait}, "Warmed:Terminating:Wait", "", ""},
		{"as it dies in the group", region.Options{ReturnWaits: asg.LifecycleStateTerminatingWait}, "", "Terminating:Wait", "Terminating:Wait"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(tc.options)
			svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
			putWarmPool(t, r, svc.Group)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			q := r.Queue("events").Match(func(d region.Delivery) bool { return d.Source == "aws.autoscaling" })
			a := scaleIn(t, r, svc.Group)
			r.Advance(2 * time.Second)
			if m := q.Messages(); len(m) != 1 || !strings.Contains(m[0].Body, `"Origin":"AutoScalingGroup","Destination":"WarmPool"}`) {
				t.Errorf("the event is %v", m)
			}
			out, err := r.AutoScaling().DescribeWarmPool(ctx, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(svc.Group)})
			if err != nil {
				t.Fatal(err)
			}
			var pool, inGroup string
			for _, i := range out.Instances {
				pool = string(i.LifecycleState)
			}
			g, _ := r.Group(svc.Group)
			for _, i := range g.Instances {
				if *i.InstanceId == a.Instance {
					inGroup = string(i.LifecycleState)
				}
			}
			if all := stateOf(t, r, a.Instance); pool != tc.pool || inGroup != tc.group || all != tc.all {
				t.Errorf("it is %q in the pool, %q in its group, and %q among all instances", pool, inGroup, all)
			}
			r.Scale(svc.Group, 4) // while it waits it cannot be started
			r.Advance(3 * time.Minute)
			if n := len(r.InService(svc.Group)); n != 4 {
				t.Errorf("a scale-out while it waits leaves %d in service", n)
			}
			if err := complete(r, a, "CONTINUE", false); err != nil {
				t.Fatal(err)
			}
			r.Advance(time.Minute)
			out, err = r.AutoScaling().DescribeWarmPool(ctx, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(svc.Group)})
			if err != nil || len(out.Instances) != 1 || out.Instances[0].LifecycleState != asg.LifecycleStateWarmedStopped {
				t.Errorf("completed, the pool holds %v, %v", out, err)
			}
			if failed := users.Total().Failed; failed != 0 {
				t.Errorf("%d requests failed", failed)
			}
		})
	}
}

func TestAbandonedInstanceDoesNotReturn(t *testing.T) {
	r := region.New(region.Options{PoolDescribed: true})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	putWarmPool(t, r, svc.Group)
	a := scaleIn(t, r, svc.Group)
	if err := complete(r, a, "ABANDON", true); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	out, err := r.AutoScaling().DescribeWarmPool(ctx, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(svc.Group)})
	if err != nil || len(out.Instances) != 0 || stateOf(t, r, a.Instance) != "" {
		t.Errorf("the pool holds %v, %v, the instance is %q", out, err, stateOf(t, r, a.Instance))
	}
}

func TestHookDeletedWhileAnInstanceReturns(t *testing.T) {
	r := region.New(region.Options{PoolDescribed: true})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	putWarmPool(t, r, svc.Group)
	a := scaleIn(t, r, svc.Group)
	if err := second(r.AutoScaling().DeleteLifecycleHook(ctx, &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String(svc.Group), LifecycleHookName: aws.String("drain")})); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	if got := stateOf(t, r, a.Instance); got != "Warmed:Stopped" {
		t.Errorf("its hook deleted, the instance is %q", got)
	}
}

func putWarmPool(t *testing.T, r *region.Region, group string) {
	t.Helper()
	_, err := r.AutoScaling().PutWarmPool(ctx, &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: aws.String(group), InstanceReusePolicy: &asg.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}
