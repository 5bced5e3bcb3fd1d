package drain_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/test/region"
)

// fleet is a region with an Auto Scaling group of three instances, in the target
// group web that it is attached to and in side, which its tag names, and with the
// function behind its queue. The scenarios at length are in test/drain.
type fleet struct {
	*region.Region
	t       *testing.T
	group   string
	queue   *region.Queue
	topic   *region.Topic
	drainer *drain.Drainer
	metrics bytes.Buffer
	logs    bytes.Buffer
	// settings are the function's, beside those that all need.
	settings map[string]string
}

func newFleet(t *testing.T, o region.Options, settings, tags map[string]string) *fleet {
	t.Helper()
	r := region.New(o)
	f := &fleet{Region: r, t: t, queue: r.Queue("drain"), topic: r.Topic("notices")}
	r.AddTable("drains", "instance")
	r.AddIndex("drains", region.Index{Name: store.OpenIndex, Keys: []string{"open"}})
	all := map[string]string{drain.TargetGroupsTag: "side"}
	maps.Copy(all, tags)
	f.group = r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 3, Tags: all, HealthCheck: "EC2"}).Group
	r.SetDeregistrationDelay("web", 30*time.Second)
	r.AddTargetGroup(region.TargetGroup{Name: "side", Delay: 30 * time.Second})
	for _, i := range r.InService(f.group) {
		r.Register("side", i, 80)
		r.Register("side", i, 8080)
	}
	_, err := r.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &f.group, LifecycleHookName: aws.String("deployhooks-drain"), HeartbeatTimeout: aws.Int32(300),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.settings = settings
	f.drainer = f.environment()
	f.queue.Serve(func(payload []byte) ([]byte, error) { return f.drainer.Invoke(t.Context(), payload) })
	r.Advance(2 * time.Minute)
	r.ForgetCalls()
	return f
}

// environment is an execution environment of the function, which remembers nothing yet.
func (f *fleet) environment() *drain.Drainer {
	f.t.Helper()
	environment := map[string]string{"QUEUE_URL": f.queue.URL(), "TABLE": "drains", "ACCOUNT": region.Account, "AWS_REGION": region.Name}
	maps.Copy(environment, f.settings)
	cfg, err := env.ParseAsWithOptions[drain.Config](env.Options{Environment: environment})
	if err != nil {
		f.t.Fatal(err)
	}
	publisher := notice.New(notice.Config{TopicARN: f.topic.ARN(), EventBus: "default"}, "drain", f.SNS(), f.EventBridge(), &f.metrics, f.Now)
	return drain.New(cfg, drain.Clients{
		Groups: f.AutoScaling(), Balancers: f.ELBV2(), Classic: f.ELB(), Deployments: f.CodeDeploy(), Commands: f.SSM(), Queue: f.SQS(), Database: f.DynamoDB(),
	}, publisher, slog.New(slog.NewTextHandler(&f.logs, nil)), f.Now)
}

// ask is an operator's request.
func (f *fleet) ask(request string) []drain.Status {
	f.t.Helper()
	out, err := f.drainer.Invoke(f.t.Context(), []byte(request))
	if err != nil {
		f.t.Fatalf("%s: %v", request, err)
	}
	var answer []drain.Status
	if err := json.Unmarshal(out, &answer); err != nil {
		f.t.Fatalf("%s answered %s: %v", request, out, err)
	}
	return answer
}

func (f *fleet) sweep() { f.queue.Send(`{"continue":{"sweep":{}}}`) }

func (f *fleet) warn(instance string) {
	f.queue.Send(`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":"` + instance + `"}}`)
}

// texts are all notifications.
func (f *fleet) texts() string {
	var all []string
	for _, p := range f.topic.Published() {
		all = append(all, p.Subject+"\n"+p.Message)
	}
	return strings.Join(all, "\n")
}

// outcomes are the ends of drains that the metrics count.
func (f *fleet) outcomes() (all []string) {
	for line := range strings.Lines(f.metrics.String()) {
		var m struct{ Outcome string }
		if json.Unmarshal([]byte(line), &m) == nil && m.Outcome != string(drain.ActionRequired) && m.Outcome != string(drain.Announced) {
			all = append(all, m.Outcome)
		}
	}
	return all
}

func (f *fleet) made(operation string) (n int) {
	for _, c := range f.Calls() {
		if c.Operation == operation && c.Err == nil {
			n++
		}
	}
	return n
}

// mustEnd fails unless every action was completed, every drain ended as wanted, and
// nothing is left to do.
func (f *fleet) mustEnd(harm string, outcomes ...string) {
	f.t.Helper()
	for _, a := range f.LifecycleActions() {
		if a.Ending != region.Completed {
			f.t.Errorf("the action of %s ended as %q after %s: %s", a.Instance, a.Ending, a.Ended.Sub(a.Began), harm)
		}
	}
	if got := f.outcomes(); !slices.Equal(got, outcomes) {
		f.t.Errorf("ended as %q, want %q: %s; notified: %s", got, outcomes, harm, f.texts())
	}
	if open := f.ask(`{"action":"status"}`); len(open) > 0 {
		f.t.Errorf("open still: %+v: %s", open, harm)
	}
	if dead := f.queue.DeadLetters(); len(dead) > 0 {
		f.t.Errorf("moved to the dead-letter queue: %s: %s", dead[0].Body, harm)
	}
}

func TestScaleIn(t *testing.T) {
	for name, o := range map[string]region.Options{"current display": {}, "older display": {DrainedAtOnce: true}, "pages of one": {PageSize: 1}} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, o, map[string]string{"COMMAND": "stop"}, nil)
			f.Scale(f.group, 1)
			f.Advance(5 * time.Minute)
			f.mustEnd("an instance is not drained", "drained", "drained")
			if len(f.CommandRuns()) != 2 || !strings.Contains(f.texts(), "Drained and shut down: 2 instances of shop-web") {
				t.Errorf("%d commands ran; notified: %s", len(f.CommandRuns()), f.texts())
			}
		})
	}
}

// TestCommandIsFollowedSoon holds that what a reconcile begins is seen to before the
// next of the ticks that come while an instance only waits.
func TestCommandIsFollowedSoon(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"COMMAND": "stop"}, nil)
	f.Scale(f.group, 2)
	f.RunUntil(func() bool { return f.made("SendCommand") > 0 }, 10*time.Minute)
	if f.Advance(6 * time.Second); f.made("CompleteLifecycleAction") != 1 {
		t.Error("the command has run, and the instance waits for a tick that is ten seconds later")
	}
}

func TestMissedEvents(t *testing.T) {
	f := newFleet(t, region.Options{}, nil, nil)
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	f.Scale(f.group, 1)
	f.Advance(2 * time.Minute)
	f.sweep()
	f.Advance(2 * time.Minute)
	f.mustEnd("an instance whose event was lost waits for its timeout", "drained", "drained")
}

// TestAnotherEnvironment holds that an environment which knows the open drains sees
// those that another has opened since.
func TestAnotherEnvironment(t *testing.T) {
	f := newFleet(t, region.Options{}, nil, nil)
	first, second := f.drainer, f.environment()
	f.Scale(f.group, 2)
	f.RunUntil(func() bool { return f.ActiveActions() > 0 }, 2*time.Minute)
	f.Advance(10 * time.Second)
	f.drainer = second
	f.Scale(f.group, 1)
	f.RunUntil(func() bool { return len(f.LifecycleActions()) > 1 }, 2*time.Minute)
	f.Advance(2 * time.Second)
	f.drainer = first
	f.Advance(75 * time.Second)
	f.mustEnd("nobody reconciles a drain that another environment opened", "drained", "drained")
}

func TestSpotWhateverFails(t *testing.T) {
	for _, operation := range []string{"DescribeAutoScalingInstances", "DescribeAutoScalingGroups", "DescribeLifecycleHooks", "DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeTargetHealth", "BatchGetItem", "PutItem", "Query", "TransactWriteItems", "SendMessage"} {
		t.Run(operation, func(t *testing.T) {
			f := newFleet(t, region.Options{}, map[string]string{"TARGET_GROUPS": "side"}, nil)
			i := f.InService(f.group)[0]
			f.SetFaults(region.On(operation, 0, region.Fault{Before: region.Unavailable()}))
			f.warn(i)
			f.Advance(10 * time.Second)
			if f.made("DeregisterTargets") == 0 {
				t.Errorf("%s fails, and the interrupted instance is in its target groups after ten seconds", operation)
			}
		})
	}
}

func TestWarmPool(t *testing.T) {
	for _, waits := range []asgtypes.LifecycleState{asgtypes.LifecycleStateWarmedPendingWait, asgtypes.LifecycleStateWarmedTerminatingWait, asgtypes.LifecycleStateTerminatingWait} {
		t.Run(string(waits), func(t *testing.T) {
			f := newFleet(t, region.Options{ReturnWaits: waits}, map[string]string{"COMMAND": "stop"}, nil)
			_, err := f.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
				AutoScalingGroupName: &f.group, InstanceReusePolicy: &asgtypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(true)},
			})
			if err != nil {
				t.Fatal(err)
			}
			f.Scale(f.group, 2)
			f.Advance(4 * time.Minute)
			f.mustEnd("an instance that returns waits for its hook's timeout", "returned-to-warm-pool")
			if len(f.CommandRuns()) > 0 {
				t.Error("an instance that serves again was shut down")
			}
		})
	}
}

func TestPlanMode(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"MODE": "plan"}, nil)
	f.Scale(f.group, 1)
	f.Advance(2 * time.Minute)
	f.mustEnd("plan mode keeps an instance", "planned", "planned")
	if f.made("DeregisterTargets") > 0 || !strings.Contains(f.texts(), "deregister from side:80") {
		t.Errorf("%d deregistrations; notified: %s", f.made("DeregisterTargets"), f.texts())
	}
}

// TestFailedCalls holds that operators see in the log what fails while nothing ends,
// and that what they are notified of is counted.
func TestFailedCalls(t *testing.T) {
	f := newFleet(t, region.Options{}, nil, nil)
	f.SetFaults(func(c region.Call) region.Fault {
		switch c.Operation {
		case "DescribeTargetHealth":
			return region.Fault{Before: region.Unavailable()}
		case "DescribeLifecycleHooks":
			return region.Fault{Before: region.AccessDenied("")}
		}
		return region.Fault{}
	})
	f.RecommendRebalance(f.InService(f.group)[0])
	f.Scale(f.group, 2)
	f.Advance(3 * time.Minute)
	if n, lines := f.made("SendMessage"), strings.Count(f.logs.String(), `level=WARN msg="calls failed" api=elasticloadbalancing:DescribeTargetHealth code=ServiceUnavailable count=`); lines < 5 || lines > n {
		t.Errorf("%d lines of failed calls in %d reconciles: %s", lines, n, f.logs.String())
	}
	for _, outcome := range []string{"announced", "action-required"} {
		if n := strings.Count(f.metrics.String(), `"Outcome":"`+outcome+`"`); n != 1 {
			t.Errorf("%q is counted %d times: notified: %s", outcome, n, f.texts())
		}
	}
}

func TestOperators(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"COMMAND": "stop"}, nil)
	i := f.InService(f.group)[0]
	plan := f.ask(`{"action":"plan","instance":"` + i + `"}`)
	if len(plan) != 1 || plan[0].Next != "deregister" || !slices.Contains(plan[0].Deregister, "side:8080") || !strings.Contains(plan[0].Shutdown, "stop") || f.made("DeregisterTargets") > 0 {
		t.Errorf("planned %+v", plan)
	}
	status := f.ask(`{"action":"drain","instance":"` + i + `"}`)
	if len(status) != 1 || status[0].Cause != drain.CauseOperator || !strings.Contains(status[0].WaitsFor, "side") {
		t.Errorf("an operator's drain shows as %+v", status)
	}
	items, err := f.DynamoDB().Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("drains")})
	if err != nil {
		t.Fatal(err)
	}
	if stored := slices.ContainsFunc(items.Items, func(i map[string]types.AttributeValue) bool {
		value, ok := i["value"].(*types.AttributeValueMemberS)
		return ok && strings.Contains(value.Value, `"times":1`)
	}); !stored {
		t.Error("a deregistration is not remembered: a Network Load Balancer's wait would not begin")
	}
	f.Advance(3 * time.Minute)
	f.Scale(f.group, 2)
	f.RunUntil(func() bool { return f.ActiveActions() > 0 }, time.Minute)
	f.ask(`{"action":"skip","instance":"` + f.LifecycleActions()[0].Instance + `"}`)
	f.ask(`{"action":"sweep"}`)
	f.Advance(time.Minute)
	for _, wrong := range []string{`{"action":"tick"}`, `{"action":"drain"}`, `{"action":"drain","instance":"clock"}`, `{"action":"status","slot":1}`, `{"continue":{"tick":{"slot":1}}}`} {
		if _, err := f.drainer.Invoke(t.Context(), []byte(wrong)); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
	f.mustEnd("an operator's request is ignored", "drained", "skipped")
}

func TestAnnouncements(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"ON_MAINTENANCE": "drain", "ON_STATE_CHANGE": "drain"}, map[string]string{drain.RebalanceTag: "drian"})
	running := f.InService(f.group)
	f.RecommendRebalance(running[0])
	f.Maintenance(running[1])
	f.queue.Send(`{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{"instance-id":"` + running[2] + `","state":"stopping"}}`)
	f.queue.Send(`{"continue":{"tick":{"slot":9999999999}}}`)
	f.Advance(3 * time.Minute)
	for _, want := range []string{"elevated risk", "RETIREMENT", drain.RebalanceTag} {
		if !strings.Contains(f.texts(), want) {
			t.Errorf("operators do not learn of %s: %s", want, f.texts())
		}
	}
	if got := f.outcomes(); !slices.Contains(got, "drained") || !slices.Contains(got, "gone") {
		t.Errorf("ended as %q", got)
	}
}

func TestDamagedItem(t *testing.T) {
	f := newFleet(t, region.Options{}, nil, nil)
	for instance, attributes := range map[string]map[string]types.AttributeValue{
		"i-0damaged": {"value": &types.AttributeValueMemberS{Value: "{"}, "version": &types.AttributeValueMemberN{Value: "1"}, "open": &types.AttributeValueMemberS{Value: "open"}},
		f.InService(f.group)[0]: {"value": &types.AttributeValueMemberS{Value: "{"}, "version": &types.AttributeValueMemberN{Value: "1"},
			"schema": &types.AttributeValueMemberN{Value: "99"}, "open": &types.AttributeValueMemberS{Value: "open"}},
	} {
		attributes["instance"] = &types.AttributeValueMemberS{Value: instance}
		if _, err := f.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: attributes}); err != nil {
			t.Fatal(err)
		}
	}
	f.Scale(f.group, 0)
	f.Advance(3 * time.Minute)
	f.mustEnd("a damaged item keeps an instance", "drained", "drained", "drained")
	if !strings.Contains(f.texts(), "i-0damaged") {
		t.Errorf("operators do not learn of the damaged item: %s", f.texts())
	}
}

func TestTargetGroupsThatNobodyNamed(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"FIND_TARGET_GROUPS": "true"}, map[string]string{drain.TargetGroupsTag: "sied,web"})
	f.Scale(f.group, 1)
	f.Advance(4 * time.Minute)
	f.mustEnd("the search keeps an instance", "drained", "drained")
	if f.made("DeregisterTargets") == 0 {
		t.Error("the target group that holds the instances was not found")
	}
	if n := strings.Count(f.texts(), "Draining: action required"); n < 1 || n > 2 || !strings.Contains(f.texts(), "sied,web") {
		t.Errorf("the wrong name is notified %d times: %s", n, f.texts())
	}
}

func TestNotificationsThatFail(t *testing.T) {
	f := newFleet(t, region.Options{}, map[string]string{"COMMAND": "stop"}, nil)
	f.OnCommand(func(region.CommandRun) region.CommandResult {
		return region.CommandResult{Failed: 1, Output: "no\x1b[2J"}
	})
	f.SetFaults(region.On("Publish", 0, region.Fault{Before: region.Unavailable()}))
	f.Scale(f.group, 2)
	f.Advance(3 * time.Minute)
	for _, a := range f.LifecycleActions() {
		if a.Ending != region.Completed {
			t.Errorf("%s waits for a notification", a.Instance)
		}
	}
	f.SetFaults(nil)
	f.Advance(time.Hour) // after a few tries, once an hour
	f.sweep()
	f.Advance(2 * time.Minute)
	f.mustEnd("a notification is lost", "command-failed")
	if len(f.topic.Published()) != 1 || strings.Contains(f.texts(), "\x1b") {
		t.Errorf("notified: %s", f.texts())
	}
}

func TestClassicLoadBalancer(t *testing.T) {
	f := newFleet(t, region.Options{}, nil, map[string]string{drain.TargetGroupsTag: ""})
	f.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "old", Draining: time.Minute})
	if _, err := f.AutoScaling().AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: &f.group, TrafficSources: []asgtypes.TrafficSourceIdentifier{{Identifier: aws.String("old"), Type: aws.String("elb")}},
	}); err != nil {
		t.Fatal(err)
	}
	f.Advance(2 * time.Minute)
	i := f.InService(f.group)[0]
	f.ask(`{"action":"drain","instance":"` + i + `"}`)
	f.Advance(3 * time.Minute)
	if n := f.made("DeregisterInstancesFromLoadBalancer"); n != 1 || f.ClassicHealth("old")[i] != "" {
		t.Errorf("deregistered %d times from a Classic Load Balancer, where it is %v", n, f.ClassicHealth("old"))
	}
	f.mustEnd("an instance is kept by a Classic Load Balancer", "drained")
}
