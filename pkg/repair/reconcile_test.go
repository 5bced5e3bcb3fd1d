package repair_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// fixture is the function in a simulated region.
type fixture struct {
	*region.Region
	t        testing.TB
	svc      region.Service
	queue    *region.Queue
	notices  *region.Topic
	repairer *repair.Repairer
}

func newFixture(t testing.TB, svc region.Service, configure ...func(*repair.Config)) *fixture {
	t.Helper()
	return newFixtureIn(t, region.Options{PageSize: 2}, svc, configure...)
}

func newFixtureIn(t testing.TB, options region.Options, svc region.Service, configure ...func(*repair.Config)) *fixture {
	t.Helper()
	r := region.New(options)
	f := &fixture{Region: r, t: t, queue: r.Queue("repair"), notices: r.Topic("notices")}
	r.AddTable("records", "application", "deploymentGroup")
	cfg := repair.Config{QueueURL: f.queue.URL(), Table: "records", ParameterPrefix: "/deployhooks", Mode: repair.ModeApply}
	for _, c := range configure {
		c(&cfg)
	}
	f.repairer = repair.New(cfg, repair.Clients{
		Deployments: r.CodeDeploy(), Groups: r.AutoScaling(), Balancers: r.ELBV2(), Parameters: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB(),
	}, notice.New(notice.Config{TopicARN: f.notices.ARN(), EventBus: "default"}, "repair", r.SNS(), r.EventBridge(), io.Discard, r.Now),
		slog.New(slog.DiscardHandler), r.Now)
	f.queue.Configure(region.QueueSettings{VisibilityTimeout: time.Minute, MaxReceive: 5})
	f.queue.Serve(func(payload []byte) ([]byte, error) { return f.repairer.Invoke(context.Background(), payload) })
	svc.Application, svc.DeploymentGroup, svc.Instances = "shop", "web", 4
	if svc.TargetGroups == nil {
		svc.TargetGroups = []string{"web"}
	}
	f.svc = r.AddService(svc)
	return f
}

func (f *fixture) sweep() { f.queue.Send(`{"continue":{"sweep":{}}}`); f.Advance(time.Minute) }

// ask is an operator's request.
func (f *fixture) ask(request string, answer any) {
	f.t.Helper()
	out, err := f.repairer.Invoke(context.Background(), []byte(request))
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		f.t.Fatalf("%s: %v\n%s", request, err, out)
	}
}

func (f *fixture) subjects() (all []string) {
	for _, p := range f.notices.Published() {
		all = append(all, p.Subject)
	}
	return all
}

func (f *fixture) texts() string {
	var all []string
	for _, p := range f.notices.Published() {
		all = append(all, p.Message)
	}
	return strings.Join(all, "\n")
}

func (f *fixture) made(operation string) (n int) {
	for _, c := range f.Calls() {
		if c.Operation == operation && c.Err == nil {
			n++
		}
	}
	return n
}

func (f *fixture) registered(group string) (n int) {
	health := f.Health("web")
	for _, id := range f.InService(group) {
		if state, ok := health[id]; ok && state != "draining" {
			n++
		}
	}
	return n
}

// waits runs a release up to its termination wait.
func (f *fixture) waits(how region.Deployment) (id, green string) {
	f.t.Helper()
	id = f.Deploy(f.svc, how)
	if !f.RunUntil(func() bool { return f.StageOf(id) == region.StageWait }, time.Hour) {
		f.t.Fatal("the release does not come to its termination wait")
	}
	_, green = f.Groups(id)
	return id, green
}

func TestReleaseIsRepaired(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{ClassicLoadBalancers: []string{"old"}, Hooks: []autoscalingtypes.LifecycleHook{{
		LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), GlobalTimeout: aws.Int32(30000),
	}}})
	blue := f.GroupOf(f.svc)
	if _, err := f.AutoScaling().EnableMetricsCollection(t.Context(), &autoscaling.EnableMetricsCollectionInput{
		AutoScalingGroupName: &blue, Granularity: aws.String("1Minute"), Metrics: []string{"GroupDesiredCapacity"},
	}); err != nil {
		t.Fatal(err)
	}
	f.RunDeployment(f.svc, region.Deployment{})
	f.Advance(15 * time.Minute)
	green := f.GroupOf(f.svc)
	if got := f.Attached(green); len(got) != 2 {
		t.Errorf("%v is attached: scale-in cuts requests off, scale-out serves nobody", got)
	}
	group, _ := f.Group(green)
	if len(group.EnabledMetrics) != 1 || f.made("PutLifecycleHook") != 1 {
		t.Errorf("%d metrics are collected, %d hooks were put back: alarms are blind, draining has stopped", len(group.EnabledMetrics), f.made("PutLifecycleHook"))
	}
	if got := f.Parameter("/deployhooks/shop/web/auto-scaling-group"); got != green {
		t.Errorf("the published name is %q: dashboards show a group that is gone", got)
	}
	if got := f.subjects(); len(got) != 1 || !strings.Contains(got[0], "repaired: shop/web") {
		t.Errorf("one repair is notified as %q", got)
	}
	if n := f.queue.Len(); n > 0 {
		t.Errorf("%d messages are left in the queue of a group in order: it is reconciled for ever", n)
	}
	f.ForgetCalls()
	f.ask(`{"action":"plan","application":"shop","deploymentGroup":"web"}`, &repair.Result{})
	if n := f.made("ListDeploymentTargets"); n > 0 {
		t.Errorf("a group in order costs %d questions about who has the revision", n)
	}
}

func TestTerminationWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		attach   bool
		rollback bool
		how      region.Deployment
	}{
		{"bridged until the release ends", false, false, region.Deployment{}},
		{"bridged although CodeDeploy does not say that it waits", false, false, region.Deployment{WaitFlagUnset: true, Named: region.NamedAtEnd}},
		{"bridged and rolled back", false, true, region.Deployment{}},
		{"attached, because so configured", true, false, region.Deployment{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, region.Service{TerminationWait: time.Hour, RollBack: true}, func(cfg *repair.Config) { cfg.AttachDuringTerminationWait = c.attach })
			id, green := f.waits(c.how)
			f.Advance(3 * time.Minute)
			f.Scale(green, 7)
			f.Advance(10 * time.Minute)
			if n := f.registered(green); n != 7 {
				t.Errorf("%d of 7 instances of the group that serves are registered: a scale-out serves nobody for an hour", n)
			}
			if attached := len(f.Attached(green)) > 0; attached != c.attach {
				t.Errorf("attached: %t, against AWS's advice or the configuration", attached)
			}
			if c.rollback {
				f.Stop(id)
			}
			f.Advance(90 * time.Minute)
			switch n := f.registered(green); {
			case c.rollback && n > 0:
				t.Errorf("%d instances of the group that was rolled back are registered: users get the version that failed", n)
			case !c.rollback && (len(f.Attached(green)) != 1 || n != 7):
				t.Errorf("%v is attached after the release, and %d instances are registered", f.Attached(green), n)
			}
			if !c.attach && !strings.Contains(f.texts(), "register") {
				t.Errorf("operators do not know of the bridge: %q", f.subjects())
			}
		})
	}
}

func TestInstancesWithoutTheRevision(t *testing.T) {
	t.Parallel()
	for choice, operation := range map[repair.WithoutRevision]string{repair.NotifyOnly: "", repair.PutOnStandby: "EnterStandby", repair.Replace: "SetInstanceHealth"} {
		t.Run(string(choice), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, region.Service{ReadyWait: time.Hour, BareAnswers: true}, func(cfg *repair.Config) { cfg.InstancesWithoutRevision = choice })
			id := f.Deploy(f.svc, region.Deployment{})
			f.RunUntil(func() bool { return f.StageOf(id) == region.StageReady }, time.Hour)
			_, green := f.Groups(id)
			f.Scale(green, 6)
			f.Advance(3 * time.Minute)
			f.Continue(id)
			f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
			f.Advance(15 * time.Minute)
			if len(f.Attached(green)) != 1 {
				t.Error("the group waits for instances that CodeDeploy will never deploy to")
			}
			if !strings.Contains(f.texts(), "has not deployed to") {
				t.Errorf("users may reach instances without the revision, and operators do not know: %q", f.subjects())
			}
			if operation != "" && f.made(operation) == 0 {
				t.Errorf("%s was not called: users reach instances without the revision", operation)
			}
		})
	}
}

func TestRecordThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{})
	f.sweep()
	f.put(t, 99, 7, "{}")
	f.RunDeployment(f.svc, region.Deployment{})
	f.Advance(15 * time.Minute)
	if len(f.Attached(f.GroupOf(f.svc))) != 1 {
		t.Error("a record that cannot be read keeps the group detached")
	}
	var status repair.Status
	if f.ask(`{"action":"status","application":"shop","deploymentGroup":"web"}`, &status); !strings.Contains(status.RecordError, "schema version 99") {
		t.Errorf("the status does not say why the record cannot be read: %+v", status)
	}
	if n := len(slices.DeleteFunc(f.subjects(), func(s string) bool { return !strings.Contains(s, "action required") })); n != 1 {
		t.Errorf("operators know of the record %d times: %q", n, f.subjects())
	}
	status = repair.Status{}
	if f.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &status); status.RecordError != "" {
		t.Errorf("forget leaves the record as it is: %s", status.RecordError)
	}
}

// TestRecordWrittenBySomebodyElse holds that a reconcile whose record somebody else
// writes meanwhile overwrites nothing, begins once more, and then is delivered again.
func TestRecordWrittenBySomebodyElse(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 2} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, region.Service{})
			written := 0
			f.OnCall(func(c region.Call) {
				if c.Operation != "DescribeAutoScalingGroups" || written == times {
					return
				}
				written++
				f.put(t, 1, 100*written, `{"published":"somebody"}`)
			})
			_, err := f.repairer.Invoke(t.Context(), []byte(`{"action":"repair","application":"shop","deploymentGroup":"web"}`))
			if written != times || (err != nil) != (times == 2) {
				t.Errorf("written %d times by somebody else, and the reconcile came to %v", written, err)
			}
		})
	}
}

// put writes the record as somebody else does.
func (f *fixture) put(t *testing.T, schema, version int, value string) {
	t.Helper()
	item := map[string]dynamodbtypes.AttributeValue{
		"application": &dynamodbtypes.AttributeValueMemberS{Value: "shop"}, "deploymentGroup": &dynamodbtypes.AttributeValueMemberS{Value: "web"},
		"version": &dynamodbtypes.AttributeValueMemberN{Value: fmt.Sprint(version)}, "schema": &dynamodbtypes.AttributeValueMemberN{Value: fmt.Sprint(schema)},
		"value": &dynamodbtypes.AttributeValueMemberS{Value: value},
	}
	if _, err := f.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("records"), Item: item}); err != nil {
		t.Error(err)
	}
}

func TestFailureThatLasts(t *testing.T) {
	t.Parallel()
	for operation, fault := range map[string]region.Fault{
		"AttachTrafficSources":      {Before: region.AccessDenied("autoscaling:AttachTrafficSources")},
		"DescribeAutoScalingGroups": {Before: region.Unavailable()},
		"GetDeploymentGroup":        {Before: region.AccessDenied("codedeploy:GetDeploymentGroup")},
		"PutParameter":              {Before: region.AccessDenied("ssm:PutParameter")},
		"ListApplications":          {Before: region.Unavailable()},
		"ListDeploymentGroups":      {Before: region.AccessDenied("codedeploy:ListDeploymentGroups")},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, region.Service{})
			f.SetFaults(region.On(operation, 0, fault))
			f.RunDeployment(f.svc, region.Deployment{})
			for range 4 {
				f.sweep()
				f.Advance(4 * time.Minute)
			}
			if !strings.Contains(f.texts(), operation) || len(f.subjects()) > 3 {
				t.Errorf("a failure that lasts is notified as %q", f.subjects())
			}
			if dead := f.queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages were moved to the dead-letter queue although operators know", len(dead))
			}
			f.SetFaults(nil)
			f.sweep()
			f.Advance(10 * time.Minute)
			if len(f.Attached(f.GroupOf(f.svc))) != 1 {
				t.Error("the trouble has passed, and the group is not attached")
			}
		})
	}
}

// TestContinuationAfterAFailure holds that a reconcile in which something fails leaves
// one continuation for the time that its record names, and not two.
func TestContinuationAfterAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{})
	f.SetFaults(region.On("PutParameter", 1, region.Fault{Before: region.Unavailable()}))
	var result repair.Result
	f.ask(`{"action":"repair","application":"shop","deploymentGroup":"web"}`, &result)
	if f.Advance(5 * time.Minute); f.made("PutParameter") != 1 {
		t.Errorf("published %d times: nothing comes after a failure until the sweep", f.made("PutParameter"))
	}
	failed := false
	f.SetFaults(func(c region.Call) region.Fault {
		if failed = failed || c.Operation == "AttachTrafficSources"; c.Operation == "AttachTrafficSources" {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	f.Deploy(f.svc, region.Deployment{})
	f.RunUntil(func() bool { return failed }, time.Hour)
	due := map[string]int{}
	for _, m := range f.queue.Messages() {
		due[m.Body]++
		if due[m.Body] > 1 {
			t.Errorf("each failure is reconciled twice: %s", m.Body)
		}
	}
	if !failed || len(due) == 0 {
		t.Errorf("failed: %t; %d continuations", failed, len(due))
	}
}

func TestOperatorsRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{})
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	f.RunDeployment(f.svc, region.Deployment{})
	var plans []repair.Result
	if f.ask(`{"action":"plan"}`, &plans); len(plans) != 1 || plans[0].Outcome != repair.Planned || len(f.Attached(f.GroupOf(f.svc))) > 0 {
		t.Errorf("the plans are %+v", plans)
	}
	var result repair.Result
	f.ask(`{"action":"repair","application":"shop","deploymentGroup":"web"}`, &result)
	f.Advance(5 * time.Minute)
	if len(f.Attached(f.GroupOf(f.svc))) != 1 || result.Outcome != repair.Applied {
		t.Errorf("an operator's request comes to %+v", result)
	}
	var swept repair.Swept
	f.ForgetCalls()
	if f.ask(`{"action":"sweep"}`, &swept); swept.InOrder != 1 || len(swept.HandedOver) > 0 || len(f.Calls()) > 10 || f.made("PutItem") > 0 {
		t.Errorf("a sweep over a group in order makes %d calls and finds %+v", len(f.Calls()), swept)
	}
	for _, bad := range []string{`{"action":"unknown"}`, `{"action":"plan","application":"shop"}`, `{"action":"repair"}`, `{"action":"sweep","application":"shop","deploymentGroup":"web"}`, `{"continue":{"sweep":{}}}`, `{"action":"repair","application":"shop","deploymentGroup":"web","due":"2026-01-01T00:00:00Z"}`} {
		if _, err := f.repairer.Invoke(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%s is answered as if it made sense", bad)
		}
	}
}

func TestPlanMode(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{}, func(cfg *repair.Config) { cfg.Mode = repair.ModePlan })
	f.RunDeployment(f.svc, region.Deployment{})
	f.Advance(15 * time.Minute)
	if attached := f.Attached(f.GroupOf(f.svc)); len(attached) > 0 || !strings.Contains(f.texts(), "What is due") {
		t.Errorf("in plan mode %v was attached, and operators were notified of %q", attached, f.subjects())
	}
}

// TestBlueGroupThatStays holds that an earlier group is detached when it is
// configured to, and not before the new one is attached.
func TestBlueGroupThatStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{KeepBlue: true}, func(cfg *repair.Config) { cfg.BlueGroupThatStays = repair.Detach })
	blue := f.GroupOf(f.svc)
	f.RunDeployment(f.svc, region.Deployment{})
	f.Advance(15 * time.Minute)
	if len(f.Attached(blue)) > 0 || len(f.Attached(f.GroupOf(f.svc))) != 1 {
		t.Errorf("%s is attached to %v: an instance that it launches brings the old version back", blue, f.Attached(blue))
	}
}

// TestEventsOfOneDeploymentGroup holds that many events observe once, and that the
// events of deployments by Auto Scaling cost next to nothing.
func TestEventsOfOneDeploymentGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{})
	f.RunDeployment(f.svc, region.Deployment{})
	f.Advance(10 * time.Minute)
	var records []string
	for n := range 10 {
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","eventSource":"aws:sqs","body":%q}`, n, success(f, "d-1")))
	}
	f.ForgetCalls()
	if _, err := f.repairer.Invoke(t.Context(), fmt.Appendf(nil, `{"Records":[%s]}`, strings.Join(records, ","))); err != nil {
		t.Fatal(err)
	}
	if n := f.made("GetDeploymentGroup"); n != 1 {
		t.Errorf("ten events of one deployment group are %d reconciles", n)
	}
	f.ForgetCalls()
	f.Scale(f.GroupOf(f.svc), 8)
	f.Advance(10 * time.Minute)
	if n := f.made("DescribeTargetHealth"); n > 2 {
		t.Errorf("four launches are %d reconciles", n)
	}
}

// TestAllMessagesOfAGroupComeAgain holds that none of them is taken off the queue while
// the function cannot read its own record.
func TestAllMessagesOfAGroupComeAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, region.Service{})
	f.SetFaults(func(c region.Call) region.Fault {
		if c.Service == "DynamoDB" {
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	about := event.Deployment{Application: "shop", DeploymentGroup: "web", ID: "d-1", State: event.Succeeded}
	for i, err := range f.repairer.Handle(t.Context(), []event.Message{{Event: about}, {Event: about}}) {
		if err == nil {
			t.Errorf("message %d of two is done: what it says is lost", i+1)
		}
	}
}

func success(f *fixture, id string) string {
	return fmt.Sprintf(`{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"application":%q,"deploymentGroup":%q,"deploymentId":%q,"state":"SUCCESS"}}`, f.svc.Application, f.svc.DeploymentGroup, id)
}

// TestSweepContinues holds that a sweep hands over while it reads, stops in time and
// goes on where it stopped.
func TestSweepContinues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, region.Service{})
		f.queue.Serve(nil)
		for n := range 50 {
			f.AddService(region.Service{Application: fmt.Sprintf("app-%02d", n), DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 1})
		}
		f.OnCall(func(region.Call) { time.Sleep(500 * time.Millisecond) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var swept repair.Swept
		out, err := f.repairer.Invoke(ctx, []byte(`{"action":"sweep"}`))
		if err != nil || json.Unmarshal(out, &swept) != nil || ctx.Err() != nil {
			t.Fatal(err, string(out))
		}
		if swept.ContinuesAfter == "" || len(swept.HandedOver) == 0 || len(swept.HandedOver) > 50 {
			t.Fatalf("a sweep that has no time for all finds %+v", swept)
		}
		var next string
		for _, m := range f.queue.Messages() {
			if strings.Contains(m.Body, `"sweep"`) {
				next = m.Body
			}
		}
		f.OnCall(nil)
		before := f.queue.Len()
		if _, err := f.repairer.Invoke(t.Context(), fmt.Appendf(nil, `{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":%q}]}`, next)); err != nil {
			t.Fatal(err)
		}
		if rest := f.queue.Len() - before; rest+len(swept.HandedOver) != 51 {
			t.Errorf("%d and then %d of 51 deployment groups were handed over after %s", len(swept.HandedOver), rest, next)
		}
	})
}

// TestDepth counts the calls after one another that attach a released group: each
// takes a second of the bubble's time.
func TestDepth(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"with a baseline": 3, "without": 4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixtureIn(t, region.Options{}, region.Service{})
				f.queue.Serve(nil)
				if limit == 3 {
					f.ask(`{"action":"repair","application":"shop","deploymentGroup":"web"}`, &repair.Result{})
				}
				id := f.RunDeployment(f.svc, region.Deployment{})
				f.OnCall(func(region.Call) { time.Sleep(time.Second) })
				began := time.Now()
				if _, err := f.repairer.Invoke(t.Context(), []byte(success(f, id))); err != nil {
					t.Fatal(err)
				}
				if depth := int(time.Since(began) / time.Second); depth > limit {
					t.Errorf("%d calls wait for one another, and %d may", depth, limit)
				}
				f.OnCall(nil)
				if len(f.Attached(f.GroupOf(f.svc))) != 1 {
					t.Error("the group is not attached: this shows nothing")
				}
			})
		})
	}
}
