package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

func named(pattern, what string) string { return fmt.Sprintf(pattern, what) }

// stormFigures are what came of a storm.
type stormFigures struct {
	calls, heartbeats float64  // an instance
	p99               float64  // seconds
	throttled         float64  // percent of all calls
	left              int      // not completed: their hook timed out
	cut               int      // requests that could have finished
	commands          int      // that ran
	twice             int      // instances on which the command ran again
	notified          []string // of something that went wrong
}

// mustHold fails if anything is lost, or if a budget is not kept.
func (f stormFigures) mustHold(t *testing.T, calls, wait float64) {
	t.Helper()
	t.Logf("%+v", f)
	if f.left > 0 || f.cut > 0 || f.twice > 0 || len(f.notified) > 0 {
		t.Errorf("%d instances timed out, %d requests were cut off that could have finished, %d commands ran twice, operators were notified of %q", f.left, f.cut, f.twice, f.notified)
	}
	if f.throttled > 0 {
		t.Errorf("%.1f %% of the calls were beyond the rates", f.throttled)
	}
	if f.calls > calls {
		t.Errorf("%.3f calls an instance, beyond the budget of %.2f", f.calls, calls)
	}
	if f.p99 > wait {
		t.Errorf("one in a hundred drained instances waited %.1f s and more for its release, beyond the %.0f s that it may", f.p99, wait)
	}
}

// build makes the region with its fleet, and returns the name of the last group.
func (s storm) build(t *testing.T) (r *region.Region, group string) {
	t.Helper()
	r = region.New(region.Options{Throttling: true, DrainedAtOnce: true})
	for n := range max(s.groups, 1) {
		// The group is not attached, as CodeDeploy leaves it: nobody else drains.
		name := fmt.Sprintf("shop%d", n)
		group = r.AddService(region.Service{
			Application: name, DeploymentGroup: "web", Instances: s.instances, Min: 1, HealthCheck: "EC2",
			Tags: map[string]string{"deployhooks:drain-target-groups": name},
		}).Group
		r.AddTargetGroup(region.TargetGroup{Name: name, Delay: stormDelay})
		for _, i := range r.InService(group) {
			r.Register(name, i, 80)
		}
		_, err := r.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: &group, LifecycleHookName: aws.String(stormHook), HeartbeatTimeout: &s.heartbeat,
			LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r, group
}

// targetGroupOf is the target group of an Auto Scaling group in a storm.
func targetGroupOf(r *region.Region, group string) (arn string) {
	return r.TargetGroupARN(strings.TrimSuffix(group, "-web"))
}

// settle lets the fleet become healthy and fill with requests.
func (s storm) settle(r *region.Region) (users []*region.Stream) {
	r.Advance(time.Minute)
	for n := range max(s.groups, 1) {
		if len(s.mix) > 0 {
			users = append(users, r.StartTraffic(region.Traffic{TargetGroup: fmt.Sprintf("shop%d", n), PerSecond: cmp.Or(s.perSecond, 15), Mix: s.mix}))
		}
	}
	r.Advance(6 * time.Minute)
	r.ForgetCalls()
	return users
}

// play has all instances leave at once, and drain serve their events.
func (s storm) play(t *testing.T, drain func(testing.TB, *region.Region)) stormFigures {
	t.Helper()
	r, _ := s.build(t)
	takes := map[string]time.Duration{}
	r.OnCommand(func(c region.CommandRun) region.CommandResult {
		takes[c.Instance] = time.Duration(20+len(takes)*7%41) * time.Second
		return region.CommandResult{Takes: takes[c.Instance]}
	})
	drain(t, r)
	users := s.settle(r)
	for n := range max(s.groups, 1) {
		r.Scale(fmt.Sprintf("shop%d-web", n), 0)
	}
	r.Advance(time.Second)
	if !r.RunUntil(func() bool { return r.ActiveActions() == 0 }, 2*time.Hour) {
		t.Fatal("the storm does not end")
	}
	r.Advance(2 * time.Minute)
	f := s.figures(r, takes)
	for _, stream := range users {
		f.cut += stream.Total().CutEarly
	}
	return f
}

// figures reads a storm's figures; takes is how long each instance's command took,
// which is no waiting.
func (s storm) figures(r *region.Region, takes map[string]time.Duration) (f stormFigures) {
	calls := r.Calls()
	for _, c := range calls {
		if c.Operation == "RecordLifecycleActionHeartbeat" {
			f.heartbeats++
		} else {
			f.calls++
		}
		if throttled(c.Err) {
			f.throttled++
		}
	}
	instances := float64(s.instances * max(s.groups, 1))
	f.calls, f.heartbeats, f.throttled = f.calls/instances, f.heartbeats/instances, 100*f.throttled/float64(len(calls))
	var waits []float64
	for _, a := range r.LifecycleActions() {
		if a.Ending != region.Completed {
			f.left++
		}
		since := a.Began
		if a.Drained.After(since) {
			since = a.Drained
		}
		waits = append(waits, (a.Ended.Sub(since) - takes[a.Instance]).Seconds())
	}
	slices.Sort(waits)
	f.p99 = waits[len(waits)*99/100]
	f.commands = len(takes)
	f.twice = len(r.CommandRuns()) - len(takes)
	for _, e := range r.Events("default") {
		if !strings.Contains(e.Detail, `"drained"`) {
			f.notified = append(f.notified, e.Detail)
		}
	}
	return f
}

func throttled(err error) bool { return err != nil && strings.Contains(err.Error(), "Rate exceeded") }

// drainTogether is the function behind a queue and a schedule, as they are
// deployed.
func (s storm) drainTogether(t testing.TB, r *region.Region) { s.drainCounting(t, r) }

// drainCounting is the same, and counts the items that are read of its table.
func (s storm) drainCounting(t testing.TB, r *region.Region) *atomic.Int64 {
	r.AddTable("drains", "instance")
	r.AddIndex("drains", region.Index{Name: store.OpenIndex, Keys: []string{"open"}})
	queue := r.Queue("drain").Configure(hooks.Drain.Settings())
	environment := map[string]string{"QUEUE_URL": queue.URL(), "TABLE": "drains"}
	if s.command {
		environment["COMMAND"] = "systemctl stop shop"
	}
	cfg, err := env.ParseAsWithOptions[drain.Config](env.Options{Environment: environment})
	if err != nil {
		t.Fatal(err)
	}
	reads := new(atomic.Int64)
	fn := drain.New(cfg,
		drain.Clients{
			Groups: retryingGroups{r.AutoScaling(), s.retries}, Balancers: retryingBalancers{r.ELBV2(), s.retries}, Classic: r.ELB(),
			Deployments: r.CodeDeploy(), Commands: r.SSM(), Queue: r.SQS(), Database: counting{r.DynamoDB(), reads},
		},
		notice.New(notice.Config{TopicARN: r.Topic("notices").ARN(), EventBus: "default"}, "drain", r.SNS(), r.EventBridge(), io.Discard, r.Now),
		slog.New(slog.DiscardHandler), r.Now)
	queue.Serve(func(payload []byte) ([]byte, error) { return fn.Invoke(t.Context(), payload) })
	var sweep func()
	sweep = func() {
		queue.Send(`{"continue":{"sweep":{}}}`)
		r.After(time.Minute, sweep)
	}
	// Not at the full minute, when it would share the reconcile of a tick.
	r.After(37*time.Second, sweep)
	return reads
}

// counting counts the items that DynamoDB reads.
type counting struct {
	region.DynamoDB
	items *atomic.Int64
}

func (c counting) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.DynamoDB.Query(ctx, in, opts...)
	if err == nil {
		c.items.Add(int64(len(out.Items)))
	}
	return out, err
}

func (c counting) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := c.DynamoDB.BatchGetItem(ctx, in, opts...)
	if err == nil {
		for _, items := range out.Responses {
			c.items.Add(int64(len(items)))
		}
	}
	return out, err
}
