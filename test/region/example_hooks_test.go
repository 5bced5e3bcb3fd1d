package region_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

// A scale-in waits for its terminate hook until somebody completes the action.
func Example_lifecycleHooks() {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 2,
	})
	_, err := r.AutoScaling().PutLifecycleHook(context.Background(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(svc.Group), LifecycleHookName: aws.String("drain"),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), HeartbeatTimeout: aws.Int32(300),
	})
	if err != nil {
		fmt.Println(err)
	}
	r.Scale(svc.Group, 1)
	r.Advance(time.Minute)
	for _, a := range r.LifecycleActions() {
		fmt.Println(a.Hook, "keeps one instance; ended:", a.Ending != region.Active)
		_, err = r.AutoScaling().CompleteLifecycleAction(context.Background(), &autoscaling.CompleteLifecycleActionInput{
			AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook),
			LifecycleActionToken: aws.String(a.Token), LifecycleActionResult: aws.String("CONTINUE"),
		})
		fmt.Println("completed:", err == nil)
	}
	r.Advance(time.Minute)
	fmt.Println("ended:", r.LifecycleActions()[0].Ending)
	// Output:
	// drain keeps one instance; ended: false
	// completed: true
	// ended: completed
}
