package region_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

func TestAWarmPoolTakesInstancesBack(t *testing.T) {
	ctx := context.Background()
	r := region.New(region.Options{})
	svc := hooked(r, hook("drain", terminating, 600, "CONTINUE"))
	_, err := r.AutoScaling().PutWarmPool(ctx, &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: aws.String(svc.Group), InstanceReusePolicy: &asg.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
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
