package region_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

func startRefresh(t *testing.T, r *region.Region, group string, minHealthy int32) {
	t.Helper()
	_, err := r.AutoScaling().StartInstanceRefresh(context.Background(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String(group), Preferences: &asg.RefreshPreferences{MinHealthyPercentage: aws.Int32(minHealthy), InstanceWarmup: aws.Int32(30)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func refreshOf(t *testing.T, r *region.Region, group string) asg.InstanceRefresh {
	t.Helper()
	out, err := r.AutoScaling().DescribeInstanceRefreshes(context.Background(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(group)})
	if err != nil {
		t.Fatal(err)
	}
	return out.InstanceRefreshes[0]
}

func TestInstanceRefreshReplacesEveryInstanceThroughTheHooks(t *testing.T) {
	for _, tc := range []struct {
		name       string
		minHealthy int32
		least      int // instances in service at any time
	}{
		{"half at a time", 50, 2},
		{"one at a time, where ninety percent of four leave no room", 90, 3},
		{"all at once", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := hooked(r, hook("drain", terminating, 60, "CONTINUE"))
			old := r.InService(svc.Group)
			startRefresh(t, r, svc.Group, tc.minHealthy)
			least := len(old)
			done := r.RunUntil(func() bool {
				least = min(least, len(r.InService(svc.Group)))
				return refreshOf(t, r, svc.Group).Status == asg.InstanceRefreshStatusSuccessful
			}, time.Hour)
			if !done {
				t.Fatalf("the refresh is %v", refreshOf(t, r, svc.Group))
			}
			r.Advance(2 * time.Minute)
			for _, id := range r.InService(svc.Group) {
				if slices.Contains(old, id) {
					t.Errorf("%s was not replaced", id)
				}
			}
			if n := len(r.LifecycleActions()); n != len(old) || least != tc.least {
				t.Errorf("%d hooks ran for %d instances, and %d served at worst, want %d", n, len(old), least, tc.least)
			}
		})
	}
}

func TestInstanceRefreshCanBeCancelled(t *testing.T) {
	ctx := context.Background()
	r := region.New(region.Options{})
	svc := hooked(r, hook("drain", terminating, 60, "CONTINUE"))
	old := r.InService(svc.Group)
	startRefresh(t, r, svc.Group, 75)
	r.Advance(10 * time.Second)
	_, err := r.AutoScaling().StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String(svc.Group)})
	var busy *asg.InstanceRefreshInProgressFault
	if !errors.As(err, &busy) {
		t.Errorf("a second refresh at once is answered with %v", err)
	}
	cancel := func() error {
		_, err := r.AutoScaling().CancelInstanceRefresh(ctx, &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String(svc.Group)})
		return err
	}
	if err := cancel(); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	kept := 0
	for _, id := range r.InService(svc.Group) {
		if slices.Contains(old, id) {
			kept++
		}
	}
	if kept != 3 || len(r.InService(svc.Group)) != 4 {
		t.Errorf("cancelled after the first instance, %d old ones are left and %d serve", kept, len(r.InService(svc.Group)))
	}
	var none *asg.ActiveInstanceRefreshNotFoundFault
	if err := cancel(); !errors.As(err, &none) {
		t.Errorf("cancelling nothing is answered with %v", err)
	}
}
