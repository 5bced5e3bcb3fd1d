// Package repair plays the repair function in the simulated region: good days,
// bad days, and random schedules of them.
package repair

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
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

// world is a region with the function in it, as the stack in infra sets it up.
type world struct {
	*region.Region
	t        testing.TB
	svc      region.Service
	users    *region.Stream
	queue    *region.Queue
	triggers *region.Topic
	notices  *region.Topic
	fn       *repair.Repairer
	deployed []string // IDs
	// invocations counts how often Lambda ran the function.
	invocations int
}

// visibility is short, so that what is tried again is tried again soon.
const visibility = time.Minute

type setting struct {
	region  region.Options
	service region.Service
	config  repair.Config
	noSweep bool
}

// shop is the service of most stories.
func shop() region.Service {
	return region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4}
}

func newWorld(t testing.TB, s setting) *world {
	t.Helper()
	r := region.New(s.region)
	w := &world{Region: r, t: t, notices: r.Topic("notices"), triggers: r.Topic("triggers"), queue: r.Queue("repair")}
	w.queue.Configure(region.QueueSettings{VisibilityTimeout: visibility, MaxReceive: 5})
	w.triggers.Subscribe(w.queue, false)
	r.AddTable("records", "application", "deploymentGroup")
	w.fn = w.function(s.config)
	w.queue.Serve(w.invoke)
	if s.service.Application == "" {
		s.service = shop()
	}
	w.svc = r.AddService(s.service)
	if s.service.Platform == "" && len(s.service.TargetGroups) > 0 {
		w.users = r.StartTraffic(region.Traffic{TargetGroup: s.service.TargetGroups[0]})
	}
	if !s.noSweep {
		w.sweepEvery(5 * time.Minute)
	}
	return w
}

// function is one execution environment of the function.
func (w *world) function(cfg repair.Config) *repair.Repairer {
	r := w.Region
	cfg.QueueURL, cfg.Table, cfg.ParameterPrefix = w.queue.URL(), "records", "/deployhooks"
	if cfg.Mode == "" {
		cfg.Mode = repair.ModeApply
	}
	publisher := notice.New(notice.Config{TopicARN: w.notices.ARN(), EventBus: "default"}, "repair", r.SNS(), r.EventBridge(), io.Discard, r.Now)
	return repair.New(cfg, repair.Clients{
		Deployments: r.CodeDeploy(), Groups: r.AutoScaling(), Balancers: r.ELBV2(),
		Parameters: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB(),
	}, publisher, logger(), r.Now)
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
	w.invocations++
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
func (w *world) ask(request string, answer any) {
	w.t.Helper()
	out, err := w.fn.Invoke(w.t.Context(), []byte(request))
	if err != nil {
		w.t.Fatalf("%s: %v", request, err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		w.t.Fatalf("%s answered %s: %v", request, out, err)
	}
}

// sweepEvery is the schedule.
func (w *world) sweepEvery(d time.Duration) {
	w.After(d, func() {
		w.queue.Send(`{"action":"sweep"}`)
		w.sweepEvery(d)
	})
}

// settle lets enough time pass for looks, redeliveries and sweeps.
func (w *world) settle() { w.Advance(40 * time.Minute) }

// release runs a deployment to its end, whatever that is.
func (w *world) release(how region.Deployment) string {
	return w.RunDeployment(w.svc, how)
}

// told are the subjects of the notices.
func (w *world) told() []string {
	var subjects []string
	for _, p := range w.notices.Published() {
		subjects = append(subjects, p.Subject)
	}
	return subjects
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

// mustServe fails unless the service's current group has all of its sources
// attached, and nobody saw an instance before its time.
func (w *world) mustServe(sources ...string) {
	w.t.Helper()
	if len(sources) == 0 {
		for _, name := range w.svc.TargetGroups {
			sources = append(sources, w.TargetGroupARN(name))
		}
	}
	green := w.GroupOf(w.svc)
	for _, s := range sources {
		if !contains(w.Attached(green), s) {
			w.t.Errorf("%s is not attached to %s: scale-in cuts requests off, scale-out serves nobody\nattached: %v\nnotices: %v", green, s, w.Attached(green), w.told())
		}
	}
	w.mustNotBeEarly()
	if dead := w.queue.DeadLetters(); len(dead) > 0 {
		w.t.Errorf("%d messages were given up, the first: %s", len(dead), dead[0].Body)
	}
}

func (w *world) mustNotBeEarly() {
	w.t.Helper()
	if w.users != nil {
		if early := w.users.Total().Early; early > 0 {
			w.t.Errorf("%d requests reached a replacement group before its deployment's reroute", early)
		}
	}
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// mustUpdateTargetGroups sets the target groups that the deployment group
// names.
func (w *world) mustUpdateTargetGroups(names []string) {
	w.t.Helper()
	var list []codedeploytypes.TargetGroupInfo
	for _, name := range names {
		list = append(list, codedeploytypes.TargetGroupInfo{Name: aws.String(name)})
	}
	_, err := w.CodeDeploy().UpdateDeploymentGroup(w.t.Context(), &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &w.svc.Application, CurrentDeploymentGroupName: &w.svc.DeploymentGroup,
		LoadBalancerInfo: &codedeploytypes.LoadBalancerInfo{TargetGroupInfoList: list},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
