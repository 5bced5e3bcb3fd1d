package bench

import (
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/test/region"
)

// The budgets of a storm: so many instances of one target group leave at once,
// under the request rates that the region knows.
const (
	stormSize         = 1000
	callsPerInstance  = 1.5  // heartbeats apart, the store included
	waitP99           = 15.0 // seconds that a drained instance waits for its release
	stormHook         = "deployhooks-drain"
	stormHeartbeat    = 600 // seconds
	stormDeregistered = 300 * time.Second
)

// TestStorm counts the calls of a storm and how long drained instances wait,
// beside a loop per instance in another region like it.
func TestStorm(t *testing.T) {
	ours := measureStorm(t, drainTogether)
	peer := measureStorm(t, drainInLoops)
	if ours.perInstance > callsPerInstance {
		t.Errorf("%.3f calls per instance, beyond the budget of %.1f", ours.perInstance, callsPerInstance)
	}
	if ours.p99 > waitP99 {
		t.Errorf("one in a hundred drained instances waited %.1f s and more for its release, beyond the budget of %.0f s", ours.p99, waitP99)
	}
	if ours.left > 0 || ours.cut > 0 {
		t.Errorf("%d instances were not let go, %d requests cut off that could have finished", ours.left, ours.cut)
	}
	t.Logf("calls per instance %.3f (a loop each %.2f), wait p99 %.1f s (%.1f s), throttled %d (%d), not let go %d (%d), cut off %d (%d)",
		ours.perInstance, peer.perInstance, ours.p99, peer.p99, ours.throttled, peer.throttled, ours.left, peer.left, ours.cut, peer.cut)
	report(
		figure{"drain.callsPerInstance", ours.perInstance, "calls", callsPerInstance, peer.perInstance},
		figure{"drain.waitP99", ours.p99, "s", waitP99, peer.p99},
		figure{"drain.throttled", float64(ours.throttled), "calls", 0, float64(peer.throttled)},
	)
}

type stormFigures struct {
	perInstance float64
	p99         float64 // seconds
	throttled   int
	left        int // not completed: their hook timed out
	cut         int // requests that could have finished
}

// measureStorm has all instances of a group leave at once, with requests of
// ten seconds to nearly five minutes in flight, and drain serve their events.
func measureStorm(t *testing.T, drain func(testing.TB, *region.Region)) stormFigures {
	t.Helper()
	r := region.New(region.Options{Throttling: true})
	group := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", Instances: stormSize, Min: 1, HealthCheck: "EC2",
		Tags: map[string]string{"deployhooks:drain-target-groups": "web"},
	}).Group
	// The group is not attached, as CodeDeploy leaves it: nobody else drains.
	r.AddTargetGroup(region.TargetGroup{Name: "web", Delay: stormDeregistered})
	for _, i := range r.InService(group) {
		r.Register("web", i, 80)
	}
	_, err := r.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &group, LifecycleHookName: aws.String(stormHook), HeartbeatTimeout: aws.Int32(stormHeartbeat),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	drain(t, r)
	r.Advance(time.Minute)
	var mix []time.Duration
	for d := 10 * time.Second; d < stormDeregistered-10*time.Second; d += 7 * time.Second {
		mix = append(mix, d)
	}
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 15, Mix: mix})
	r.Advance(6 * time.Minute)
	r.ForgetCalls()
	r.Scale(group, 0)
	r.Advance(time.Second)
	if !r.RunUntil(func() bool { return r.ActiveActions() == 0 }, time.Hour) {
		t.Fatal("the storm does not end")
	}
	users.Stop()
	r.Advance(2 * time.Minute)
	return figuresOf(r, users)
}

func figuresOf(r *region.Region, users *region.Stream) (f stormFigures) {
	calls := 0
	for _, c := range r.Calls() {
		if c.Operation != "RecordLifecycleActionHeartbeat" {
			calls++
		}
		if c.Err != nil && strings.Contains(c.Err.Error(), "Throttling") {
			f.throttled++
		}
	}
	f.perInstance = float64(calls) / stormSize
	var waits []float64
	for _, a := range r.LifecycleActions() {
		if a.Ending != region.Completed {
			f.left++
		}
		since := a.Began
		if a.Drained.After(since) {
			since = a.Drained
		}
		waits = append(waits, a.Ended.Sub(since).Seconds())
	}
	slices.Sort(waits)
	f.p99 = waits[len(waits)*99/100]
	f.cut = users.Total().CutEarly
	return f
}

// drainTogether is the function, fed in batches of a hundred messages.
func drainTogether(t testing.TB, r *region.Region) {
	r.AddTable("drains", "instance")
	queue := r.Queue("drain").Configure(region.QueueSettings{VisibilityTimeout: 2 * time.Minute, BatchSize: 100})
	fn := drain.New(
		drain.Config{QueueURL: queue.URL(), Table: "drains", Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute},
		drain.Clients{Groups: r.AutoScaling(), Balancers: r.ELBV2(), Deployments: r.CodeDeploy(), Commands: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB()},
		notice.New(notice.Config{TopicARN: r.Topic("notices").ARN(), EventBus: "default"}, "drain", r.SNS(), r.EventBridge(), io.Discard, r.Now),
		slog.New(slog.DiscardHandler), r.Now)
	queue.Serve(func(payload []byte) ([]byte, error) { return fn.Invoke(t.Context(), payload) })
}

// drainInLoops is a loop for each instance, as in the drainers that others
// publish: deregister, ask about this one target every fifteen seconds, record
// a heartbeat every minute, complete by the token. A call that fails is made
// again at the next turn.
func drainInLoops(t testing.TB, r *region.Region) {
	const turn, turnsPerHeartbeat = 15 * time.Second, 4
	ctx, arn := t.Context(), r.TargetGroupARN("web")
	r.Queue("loops").Configure(region.QueueSettings{BatchSize: 10}).Serve(func(payload []byte) ([]byte, error) {
		for _, e := range terminations(t, payload) {
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
