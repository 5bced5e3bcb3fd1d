package bench

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/region"
)

// drainInLoops is a loop for each instance, as in the drainers that others
// publish: deregister, ask about this one target every fifteen seconds, record
// a heartbeat every minute, complete by the token. A call that fails is made
// again at the next turn.
func drainInLoops(t testing.TB, r *region.Region) {
	const turn, turnsPerHeartbeat = 15 * time.Second, 4
	ctx := t.Context()
	r.Queue("loops").Configure(region.QueueSettings{BatchSize: 10}).Serve(func(payload []byte) ([]byte, error) {
		for _, e := range terminations(t, payload) {
			arn := targetGroupOf(r, e.Group)
			target := []elbtypes.TargetDescription{{Id: &e.Instance}}
			deregistered, turns := false, 0
			var loop func()
			loop = func() {
				turns++
				if turns%turnsPerHeartbeat == 0 {
					_, _ = r.AutoScaling().RecordLifecycleActionHeartbeat(ctx, &autoscaling.RecordLifecycleActionHeartbeatInput{
						AutoScalingGroupName: &e.Group, LifecycleHookName: &e.Hook, LifecycleActionToken: &e.Token,
					})
				}
				if !deregistered {
					_, err := r.ELBV2().DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &arn, Targets: target})
					deregistered = err == nil
				}
				if deregistered && drained(t, r, arn, target) {
					_, err := r.AutoScaling().CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
						AutoScalingGroupName: &e.Group, LifecycleHookName: &e.Hook, LifecycleActionToken: &e.Token, LifecycleActionResult: aws.String("CONTINUE"),
					})
					if err == nil || strings.Contains(err.Error(), "No active") {
						return
					}
				}
				if turns < 4*60 { // an hour
					r.After(turn, loop)
				}
			}
			loop()
		}
		return nil, nil
	})
}

func drained(t testing.TB, r *region.Region, arn string, target []elbtypes.TargetDescription) bool {
	out, err := r.ELBV2().DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &arn, Targets: target})
	return err == nil && out.TargetHealthDescriptions[0].TargetHealth.State == elbtypes.TargetHealthStateEnumUnused
}

type termination struct {
	Token    string `json:"LifecycleActionToken"`
	Group    string `json:"AutoScalingGroupName"`
	Hook     string `json:"LifecycleHookName"`
	Instance string `json:"EC2InstanceId"`
}

// terminations are the lifecycle actions in a batch of the queue.
func terminations(t testing.TB, payload []byte) (all []termination) {
	var batch struct{ Records []struct{ Body string } }
	if err := json.Unmarshal(payload, &batch); err != nil {
		t.Fatal(err)
	}
	for _, record := range batch.Records {
		var event struct{ Detail termination }
		if json.Unmarshal([]byte(record.Body), &event) == nil && event.Detail.Hook == stormHook {
			all = append(all, event.Detail)
		}
	}
	return all
}
