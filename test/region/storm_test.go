package region_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// TestAThousandInstancesLeaveAtOnce is the largest day that a drainer is to
// hold up under: the region must live through it in a moment, or nobody will
// run that test.
func TestAThousandInstancesLeaveAtOnce(t *testing.T) {
	const fleet = 1000
	ctx := context.Background()
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: fleet + 10, Min: 1,
	})
	// Without its attachment the group deregisters nothing by itself.
	id := r.RunDeployment(svc, region.Deployment{})
	green := r.GroupOf(svc)
	_, err := r.AutoScaling().PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(green), LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String(terminating),
		HeartbeatTimeout: aws.Int32(600), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil || !r.Deployed(id) {
		t.Fatal(err, r.Status(id))
	}
	users := r.StartTraffic(region.Traffic{
		TargetGroup: "web", PerSecond: 100, Mix: []time.Duration{200 * time.Millisecond, 3 * time.Second, 40 * time.Second},
	})
	q := r.Queue("drain").Configure(region.QueueSettings{BatchSize: fleet, Window: 5 * time.Second}).Match(func(d region.Delivery) bool {
		return d.DetailType == "EC2 Instance-terminate Lifecycle Action"
	})
	tg := aws.String(r.TargetGroupARN("web"))
	var batches []int
	q.Serve(func(payload []byte) ([]byte, error) {
		var batch struct{ Records []struct{ Body string } }
		if err := json.Unmarshal(payload, &batch); err != nil {
			return nil, err
		}
		batches = append(batches, len(batch.Records))
		var targets []elb.TargetDescription
		for _, rec := range batch.Records {
			var e struct {
				Detail struct{ EC2InstanceId string }
			}
			if err := json.Unmarshal([]byte(rec.Body), &e); err != nil {
				return nil, err
			}
			targets = append(targets, elb.TargetDescription{Id: aws.String(e.Detail.EC2InstanceId)})
		}
		_, err := r.ELBV2().DeregisterTargets(ctx, &elasticloadbalancingv2.DeregisterTargetsInput{TargetGroupArn: tg, Targets: targets})
		return []byte(`{"batchItemFailures":[]}`), err
	})
	r.Advance(time.Minute)
	r.Scale(green, 10)
	release(t, r, tg)
	r.Advance(time.Minute)

	if waiting := r.ActiveActions(); waiting != 0 || len(r.InService(green)) != 10 {
		t.Errorf("%d instances still wait and %d serve", waiting, len(r.InService(green)))
	}
	if total := users.Total(); total.Failed != 0 || total.Requests == 0 {
		t.Errorf("%d of %d requests failed: every one could have finished within the deregistration delay", total.Failed, total.Requests)
	}
	if len(batches) > 2 {
		t.Errorf("the events came in batches of %v: a window of five seconds gathers all of them", batches)
	}
	if all := r.LifecycleActions(); len(all) != fleet || slices.ContainsFunc(all, func(a region.LifecycleAction) bool {
		return a.Ending != region.Completed || a.Drained.IsZero() || a.Ended.Sub(a.Drained) > 16*time.Second
	}) {
		t.Errorf("%d of %d instances left by their hook", len(all), fleet)
	}
}

// release completes the actions of all instances that have drained, every
// fifteen seconds.
func release(t *testing.T, r *region.Region, tg *string) {
	t.Helper()
	for range 24 { // the deregistration delay, for which targets are displayed, and what it took to get there
		r.Advance(15 * time.Second)
		out, err := r.ELBV2().DescribeTargetHealth(context.Background(), &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: tg})
		if err != nil {
			t.Fatal(err)
		}
		registered := map[string]bool{}
		for _, h := range out.TargetHealthDescriptions {
			registered[*h.Target.Id] = true
		}
		for _, a := range r.LifecycleActions() {
			if a.Ending == region.Active && !registered[a.Instance] {
				if err := complete(r, a, "CONTINUE", true); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
