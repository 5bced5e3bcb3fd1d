// Package repair plays the repair function in the simulated region: good days,
// bad days, and random schedules of them.
package repair

import (
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

// world is a region with the function in it, as the stack in infra sets it up.
type world struct {
	*harness.Harness
	t        testing.TB
	svc      region.Service
	users    *region.Stream
	triggers *region.Topic
	deployed []string // IDs
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
	w := &world{Harness: &harness.Harness{Region: r, Notices: r.Topic("notices"), Queue: r.Queue("repair")}, t: t, triggers: r.Topic("triggers")}
	w.Queue.Configure(region.QueueSettings{VisibilityTimeout: visibility, MaxReceive: 5})
	w.triggers.Subscribe(w.Queue, false)
	r.AddTable("records", "application", "deploymentGroup")
	w.Function = w.function(s.config)
	w.Queue.Serve(w.Invoke)
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
	cfg.QueueURL, cfg.Table, cfg.ParameterPrefix = w.Queue.URL(), "records", "/deployhooks"
	if cfg.Mode == "" {
		cfg.Mode = repair.ModeApply
	}
	publisher := notice.New(notice.Config{TopicARN: w.Notices.ARN(), EventBus: "default"}, "repair", r.SNS(), r.EventBridge(), io.Discard, r.Now)
	return repair.New(cfg, repair.Clients{
		Deployments: r.CodeDeploy(), Groups: r.AutoScaling(), Balancers: r.ELBV2(),
		Parameters: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB(),
	}, publisher, harness.Logger(), r.Now)
}

// ask is a direct invocation.
func (w *world) ask(request string, answer any) {
	w.t.Helper()
	out, err := w.Function.Invoke(w.t.Context(), []byte(request))
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
		w.Queue.Send(`{"continue":{"sweep":{}}}`)
		w.sweepEvery(d)
	})
}

// settle lets enough time pass for looks, redeliveries and sweeps.
func (w *world) settle() { w.Advance(40 * time.Minute) }

// release runs a deployment to its end, whatever that is.
func (w *world) release(how region.Deployment) string {
	return w.RunDeployment(w.svc, how)
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
			w.t.Errorf("%s is not attached to %s: scale-in cuts requests off, scale-out serves nobody\nattached: %v\nnotices: %v", green, s, w.Attached(green), w.Subjects())
		}
	}
	w.mustNotBeEarly()
	if dead := w.Queue.DeadLetters(); len(dead) > 0 {
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
