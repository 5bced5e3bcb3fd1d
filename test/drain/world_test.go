// Package drain plays the drain function in the simulated region: good days,
// bad days, storms, and random schedules of all three.
package drain

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/test/harness"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// world is a region with the function in it, as the stack in infra sets it up:
// an Auto Scaling group with the hook, attached to the target group web, whose
// instances are in the target group side as well, of which the group does not
// know. So Auto Scaling itself saves the requests to web, and only the function
// those to side.
type world struct {
	*harness.Harness
	t     testing.TB
	group string
	web   *region.Stream
	side  *region.Stream
	delay time.Duration // deregistration delay of side
	bad   time.Duration // for how long the weather has been bad
}

const hook = "deployhooks-drain"

type setting struct {
	region    region.Options
	instances int           // 4 unless set
	delay     time.Duration // deregistration delay of side, 120 s unless set
	heartbeat int32         // timeout of the hook in seconds, 300 unless set
	mix       []time.Duration
	tags      map[string]string
	config    drain.Config
	perSecond int
	noSweep   bool
	noHook    bool
}

func newWorld(t testing.TB, s setting) *world {
	t.Helper()
	if s.instances == 0 {
		s.instances = 4
	}
	if s.delay == 0 {
		s.delay = 2 * time.Minute
	}
	if s.heartbeat == 0 {
		s.heartbeat = 300
	}
	if s.mix == nil {
		s.mix = []time.Duration{100 * time.Millisecond, 2 * time.Second, 40 * time.Second}
	}
	tags := map[string]string{drain.TargetGroupsTag: "side"}
	for key, value := range s.tags {
		tags[key] = value
	}
	deployed, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := region.New(s.region)
	w := &world{Harness: &harness.Harness{Region: r, Notices: r.Topic("notices"), Queue: r.Queue("drain")}, t: t, delay: s.delay}
	w.Queue.Configure(hooks.Drain.Settings())
	r.AddTable("drains", "instance")
	w.group = r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: s.instances, Tags: tags, HealthCheck: "EC2",
	}).Group
	r.AddTargetGroup(region.TargetGroup{Name: "side", Delay: s.delay})
	for _, i := range w.InService(w.group) {
		r.Register("side", i, 80)
		r.Register("side", i, 8080)
	}
	if !s.noHook {
		w.putHook(hook, s.heartbeat)
	}
	w.Function = w.function(s.config)
	w.Queue.Serve(w.Invoke)
	r.Advance(time.Minute) // until all are healthy
	w.web = r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: s.perSecond, Mix: s.mix})
	w.side = r.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: s.perSecond, Mix: s.mix})
	r.Advance(time.Minute)
	r.ForgetCalls()
	if !s.noSweep {
		w.sweepEvery(time.Duration(deployed.Drain.SweepMinutes) * time.Minute)
	}
	return w
}

func (w *world) putHook(name string, heartbeat int32) {
	w.t.Helper()
	_, err := w.AutoScaling().PutLifecycleHook(w.t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &w.group, LifecycleHookName: &name, HeartbeatTimeout: &heartbeat,
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// function is one execution environment of the function.
func (w *world) function(cfg drain.Config) *drain.Drainer {
	return w.functionWith(cfg, func(*drain.Clients) {})
}

// functionWith is one that AWS answers in another way.
func (w *world) functionWith(cfg drain.Config, change func(*drain.Clients)) *drain.Drainer {
	r := w.Region
	cfg.QueueURL, cfg.Table = w.Queue.URL(), "drains"
	if cfg.Hooks == "" {
		cfg.Hooks = "deployhooks-*"
	}
	if cfg.CommandTimeout == 0 {
		cfg.CommandTimeout = 5 * time.Minute
	}
	publisher := notice.New(notice.Config{TopicARN: w.Notices.ARN(), EventBus: "default"}, "drain", r.SNS(), r.EventBridge(), io.Discard, r.Now)
	clients := drain.Clients{
		Groups: r.AutoScaling(), Balancers: r.ELBV2(), Deployments: r.CodeDeploy(), Commands: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB(),
	}
	change(&clients)
	return drain.New(cfg, clients, publisher, harness.Logger(), r.Now)
}

// ask is a direct invocation.
func (w *world) ask(request string) []drain.Status {
	w.t.Helper()
	out, err := w.Function.Invoke(w.t.Context(), []byte(request))
	if err != nil {
		w.t.Fatalf("%s: %v", request, err)
	}
	var answer []drain.Status
	if err := json.Unmarshal(out, &answer); err != nil {
		w.t.Fatalf("%s answered %s: %v", request, out, err)
	}
	return answer
}

// sweepEvery is the schedule.
func (w *world) sweepEvery(d time.Duration) {
	w.After(d, func() {
		w.Queue.Send(`{"action":"sweep"}`)
		w.sweepEvery(d)
	})
}

// scaleIn takes n instances out of the group.
func (w *world) scaleIn(n int) { w.Scale(w.group, len(w.InService(w.group))-n) }

// terminations are the lifecycle actions of the function's hooks.
func (w *world) terminations() (ours []region.LifecycleAction) {
	for _, a := range w.LifecycleActions() {
		if strings.HasPrefix(a.Hook, "deployhooks-") {
			ours = append(ours, a)
		}
	}
	return ours
}

// settle lets everything end.
func (w *world) settle() {
	w.t.Helper()
	w.RunUntil(func() bool { return len(w.terminations()) > 0 }, 10*time.Minute)
	if !w.RunUntil(func() bool { return w.ActiveActions() == 0 }, 4*time.Hour) {
		w.t.Errorf("after four hours %d lifecycle actions still wait", w.ActiveActions())
	}
	w.Advance(2 * time.Minute)
}

// mustComplete fails unless the function has completed n actions.
func (w *world) mustComplete(n int) {
	w.t.Helper()
	all := w.terminations()
	if len(all) != n {
		w.t.Errorf("%d lifecycle actions, want %d", len(all), n)
	}
	for _, a := range all {
		if a.Ending != region.Completed || a.Result != "CONTINUE" {
			w.t.Errorf("%s of %s ended as %q with %q after %s: nobody let the instance go", a.Hook, a.Instance, a.Ending, a.Result, a.Ended.Sub(a.Began))
		}
	}
}

// mustLoseNothing fails if a request was cut off that could have finished.
func (w *world) mustLoseNothing() {
	w.t.Helper()
	for _, s := range []*region.Stream{w.web, w.side} {
		if total := s.Total(); total.CutEarly > 0 {
			w.t.Errorf("%d requests to %s of %d were cut off that could have finished within the deregistration delay", total.CutEarly, s.TargetGroup(), total.Requests)
		}
	}
}

// mustBeQuiet fails if messages were given up, or drains are still looked at.
func (w *world) mustBeQuiet() {
	w.t.Helper()
	if dead := w.Queue.DeadLetters(); len(dead) > 0 {
		w.t.Errorf("%d messages were given up, the first: %s", len(dead), dead[0].Body)
	}
	if open := w.ask(`{"action":"status"}`); len(open) > 0 {
		w.t.Errorf("%d drains are still open, the first: %+v", len(open), open[0])
	}
	for _, m := range w.Queue.Messages() {
		if strings.Contains(m.Body, "tick") {
			w.t.Errorf("ticks go on after the last drain: %s", m.Body)
		}
	}
}

// runs counts the commands that reached each instance.
func (w *world) runs() map[string]int {
	n := map[string]int{}
	for _, run := range w.CommandRuns() {
		n[run.Instance]++
	}
	return n
}

func (w *world) mustRunOnce(instances int) {
	w.t.Helper()
	runs := w.runs()
	if len(runs) != instances {
		w.t.Errorf("the shutdown command ran on %d instances, not on %d", len(runs), instances)
	}
	for instance, n := range runs {
		if n != 1 {
			w.t.Errorf("the shutdown command ran %d times on %s", n, instance)
		}
	}
}

// completes is the instance that a call lets go, empty for any other call.
func completes(c region.Call) string {
	if in, ok := c.Input.(*autoscaling.CompleteLifecycleActionInput); ok {
		return aws.ToString(in.InstanceId)
	}
	return ""
}
