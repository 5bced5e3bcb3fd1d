// Package drain plays the drain function in the simulated region: good days,
// bad days, storms, and random schedules of all three.
package drain

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// world is a region with the function in it, as the stack in infra sets it up:
// an Auto Scaling group with the hook, attached to the target group web, whose
// instances are in the target group side as well, of which the group does not
// know. So Auto Scaling itself saves the requests to web, and only the function
// those to side.
type world struct {
	*region.Region
	t       testing.TB
	group   string
	queue   *region.Queue
	notices *region.Topic
	fn      *drain.Drainer
	web     *region.Stream
	side    *region.Stream
	delay   time.Duration // deregistration delay of side
	bad     time.Duration // for how long the weather has been bad
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
	w := &world{Region: r, t: t, delay: s.delay, notices: r.Topic("notices"), queue: r.Queue("drain")}
	w.queue.Configure(hooks.Drain.Settings())
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
	w.fn = w.function(s.config)
	w.queue.Serve(w.invoke)
	r.Advance(time.Minute) // until all are healthy
	w.web = r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: s.perSecond, Mix: s.mix})
	w.side = r.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: s.perSecond, Mix: s.mix})
	r.Advance(time.Minute)
	r.ForgetCalls()
	if !s.noSweep {
		w.sweepEvery(time.Duration(deployed.DrainSweepMinutes()) * time.Minute)
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
	cfg.QueueURL, cfg.Table = w.queue.URL(), "drains"
	if cfg.Hooks == "" {
		cfg.Hooks = "deployhooks-*"
	}
	if cfg.CommandTimeout == 0 {
		cfg.CommandTimeout = 5 * time.Minute
	}
	publisher := notice.New(notice.Config{TopicARN: w.notices.ARN(), EventBus: "default"}, "drain", r.SNS(), r.EventBridge(), io.Discard, r.Now)
	clients := drain.Clients{
		Groups: r.AutoScaling(), Balancers: r.ELBV2(), Deployments: r.CodeDeploy(), Commands: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB(),
	}
	change(&clients)
	return drain.New(cfg, clients, publisher, logger(), r.Now)
}

// logger is silent unless DEPLOYHOOKS_LOG asks for it.
func logger() *slog.Logger {
	if os.Getenv("DEPLOYHOOKS_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// invoke runs the function as Lambda does: if a call of it was the last thing
// that the process ever did, whatever it answers never arrives.
func (w *world) invoke(payload []byte) ([]byte, error) {
	seen := len(w.Calls())
	answer, err := w.fn.Invoke(context.Background(), payload)
	for _, c := range w.Calls()[seen:] {
		if errors.Is(c.Err, region.ErrKilled) {
			return nil, region.ErrKilled
		}
	}
	return answer, err
}

// killAfter ends the function's process after the n-th call, and has another
// take its place when the next message comes. It tells whether that happened.
func (w *world) killAfter(n int) (killed *bool) {
	killed = new(bool)
	kill := region.KilledAfter(n)
	w.SetFaults(func(c region.Call) region.Fault {
		f := kill(c)
		*killed = *killed || f.After != nil
		return f
	})
	w.queue.Serve(func(payload []byte) ([]byte, error) {
		answer, err := w.invoke(payload)
		if err != nil {
			w.SetFaults(nil)
		}
		return answer, err
	})
	return killed
}

// ask is a direct invocation.
func (w *world) ask(request string) []drain.Status {
	w.t.Helper()
	out, err := w.fn.Invoke(w.t.Context(), []byte(request))
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
		w.queue.Send(`{"action":"sweep"}`)
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
	if dead := w.queue.DeadLetters(); len(dead) > 0 {
		w.t.Errorf("%d messages were given up, the first: %s", len(dead), dead[0].Body)
	}
	if open := w.ask(`{"action":"status"}`); len(open) > 0 {
		w.t.Errorf("%d drains are still open, the first: %+v", len(open), open[0])
	}
	for _, m := range w.queue.Messages() {
		if strings.Contains(m.Body, "tick") {
			w.t.Errorf("ticks go on after the last drain: %s", m.Body)
		}
	}
}

// told are the subjects of the notices.
func (w *world) told() []string {
	var subjects []string
	for _, p := range w.notices.Published() {
		subjects = append(subjects, p.Subject)
	}
	return subjects
}

// notes are the texts of the notices.
func (w *world) notes() []string {
	var texts []string
	for _, p := range w.notices.Published() {
		texts = append(texts, p.Message)
	}
	return texts
}

func (w *world) lastNotice() string {
	published := w.notices.Published()
	if len(published) == 0 {
		return ""
	}
	return published[len(published)-1].Message
}

func count(all []string, part string) (n int) {
	for _, s := range all {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// calls counts calls of an operation that took effect.
func (w *world) calls(operation string) (n int) {
	for _, c := range w.Calls() {
		if c.Operation == operation && c.Err == nil {
			n++
		}
	}
	return n
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
