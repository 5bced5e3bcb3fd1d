// Package drain plays the drain function in the simulated region: it sees only
// what the function is given (configuration, events, requests) and what it does
// (calls, notifications, answers).
package drain

import (
	"io"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/test/harness"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// scenario is a region with the function in it, as the stack in infra sets it up:
// an Auto Scaling group with the hook, attached to the target group web, whose
// instances are in the target group side as well, of which the group does not
// know. So Auto Scaling itself saves the requests to web, and only the function
// those to side.
type scenario struct {
	*harness.Harness
	t         testing.TB
	group     string // the Auto Scaling group
	web, side *region.Stream
	delay     time.Duration // deregistration delay of side
	faulty    time.Duration // how long calls have been failing, see pass
	env       settings
}

// setup is how a scenario differs from the ordinary one.
type setup struct {
	region    region.Options
	instances int           // 4 unless set
	delay     time.Duration // deregistration delay of side, 120 s unless set
	heartbeat int32         // timeout of the hook in seconds, 300 unless set
	// mix is how long requests take, some of them 40 s unless set.
	mix       []time.Duration
	tags      map[string]string // of the Auto Scaling group, beside the one that names side
	env       settings
	perSecond int // requests to each target group; 5 unless set
	noSweep   bool
	noHook    bool
}

// settings are environment variables of the function.
type settings map[string]string

// The hook of the stack, the time between its sweeps unless configured, and AWS's
// default deregistration delay.
const (
	hook          = "deployhooks-drain"
	sweepInterval = time.Minute
	defaultDelay  = 5 * time.Minute
)

// Tags on an Auto Scaling group, as README documents them.
const (
	targetGroupsTag    = "deployhooks:drain-target-groups"
	commandTag         = "deployhooks:drain-command"
	deadlineTag        = "deployhooks:drain-deadline-minutes"
	commandTimeoutTag  = "deployhooks:drain-command-timeout-minutes"
	rebalanceTag       = "deployhooks:on-rebalance"
	optOutTag          = "deployhooks:drain"
	shellDocument      = "AWS-RunShellScript"
	terminatingActions = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// command has drained instances run a shell command.
func command(shell string) settings { return settings{"COMMAND": shell} }

// newScenario starts a scenario in which all instances are healthy and serve.
func newScenario(t testing.TB, o setup) *scenario {
	t.Helper()
	o.orDefault()
	r := region.New(o.region)
	s := &scenario{Harness: &harness.Harness{Region: r, Notices: r.Topic("notices"), Queue: r.Queue("drain")}, t: t, delay: o.delay, env: o.env}
	s.Queue.Configure(hooks.Drain.Settings())
	addTable(r, "drains")
	s.group = r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: o.instances, Tags: o.tags, HealthCheck: "EC2",
	}).Group
	r.SetDeregistrationDelay("web", min(o.delay, defaultDelay))
	r.AddTargetGroup(region.TargetGroup{Name: "side", Delay: o.delay})
	for _, i := range s.InService(s.group) {
		r.Register("side", i, 80)
		r.Register("side", i, 8080)
	}
	if !o.noHook {
		s.putHook(hook, o.heartbeat)
	}
	s.Function = s.function(nil)
	s.Queue.Serve(s.Invoke)
	r.Advance(time.Minute) // until all are healthy
	s.web = r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: o.perSecond, Mix: o.mix})
	s.side = r.StartTraffic(region.Traffic{TargetGroup: "side", PerSecond: o.perSecond, Mix: o.mix})
	r.Advance(time.Minute)
	r.ForgetCalls()
	if !o.noSweep {
		s.sweepEvery(sweepInterval)
	}
	return s
}

func (o *setup) orDefault() {
	if o.instances == 0 {
		o.instances = 4
	}
	if o.delay == 0 {
		o.delay = 2 * time.Minute
	}
	if o.heartbeat == 0 {
		o.heartbeat = 300
	}
	if o.perSecond == 0 {
		o.perSecond = 5
	}
	if o.mix == nil {
		o.mix = []time.Duration{100 * time.Millisecond, 2 * time.Second, 40 * time.Second}
	}
	tags := map[string]string{targetGroupsTag: "side"}
	maps.Copy(tags, o.tags)
	o.tags = tags
}

// addTable adds a table of drains as the stack makes it.
func addTable(r *region.Region, name string) {
	r.AddTable(name, "instance")
	r.AddIndex(name, region.Index{Name: store.OpenIndex, Keys: []string{"open"}})
}

// environment are the function's environment variables: those of the stack, the
// scenario's, and others beside them.
func (s *scenario) environment(others settings) settings {
	environment := settings{
		"QUEUE_URL": s.Queue.URL(), "TABLE": "drains", "TOPIC_ARN": s.Notices.ARN(), "ACCOUNT": region.Account, "AWS_REGION": region.Name,
		"SWEEP_INTERVAL": sweepInterval.String(),
	}
	maps.Copy(environment, s.env)
	maps.Copy(environment, others)
	return environment
}

// function is an execution environment of the function, with the scenario's
// settings and others beside them.
func (s *scenario) function(others settings) *drain.Drainer {
	return s.functionAs(s.role(s.environment(others)), others)
}

// functionAs is one whose calls are allowed by a role of the caller's.
func (s *scenario) functionAs(role *region.Principal, others settings) *drain.Drainer {
	return s.functionThat(role, nil, others, func(*drain.Clients) {})
}

// functionWith is one that AWS answers in another way.
func (s *scenario) functionWith(change func(*drain.Clients)) *drain.Drainer {
	return s.functionThat(s.role(s.environment(nil)), nil, nil, change)
}

// functionThat is one that may also notify in another way.
func (s *scenario) functionThat(role *region.Principal, topics notice.Topics, others settings, change func(*drain.Clients)) *drain.Drainer {
	s.t.Helper()
	environment := s.environment(others)
	cfg, err := env.ParseAsWithOptions[drain.Config](env.Options{Environment: environment})
	if err != nil {
		s.t.Fatalf("the function does not start with %v: %v", environment, err)
	}
	if topics == nil {
		topics = role.SNS()
	}
	publisher := notice.New(notice.Config{TopicARN: s.Notices.ARN(), EventBus: "default"}, "drain", topics, role.EventBridge(), io.Discard, s.Now)
	clients := drain.Clients{
		Groups: role.AutoScaling(), Balancers: role.ELBV2(), Classic: role.ELB(), Deployments: role.CodeDeploy(),
		Commands: role.SSM(), Queue: role.SQS(), Database: role.DynamoDB(),
	}
	change(&clients)
	return drain.New(cfg, clients, publisher, harness.Logger(), s.Now)
}

// putHook puts a terminate hook on the Auto Scaling group.
func (s *scenario) putHook(name string, heartbeat int32) {
	s.t.Helper()
	_, err := s.AutoScaling().PutLifecycleHook(s.t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &s.group, LifecycleHookName: &name, HeartbeatTimeout: &heartbeat,
		LifecycleTransition: aws.String(terminatingActions), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// addGroup adds another Auto Scaling group with the hook, in no target group, and
// makes it the scenario's.
func (s *scenario) addGroup(name string, instances int) {
	s.t.Helper()
	s.group = s.AddService(region.Service{Application: name, DeploymentGroup: "worker", Instances: instances, HealthCheck: "EC2"}).Group
	s.putHook(hook, 300)
}

// sweepEvery is the schedule.
func (s *scenario) sweepEvery(d time.Duration) {
	s.After(d, func() {
		s.Queue.Send(sweepMessage)
		s.sweepEvery(d)
	})
}

// sweepMessage is what the schedule sends.
const sweepMessage = `{"continue":{"sweep":{}}}`

// scaleIn takes n instances out of the Auto Scaling group.
func (s *scenario) scaleIn(n int) { s.Scale(s.group, len(s.InService(s.group))-n) }

// untilHeld lets time pass until n instances wait for the function.
func (s *scenario) untilHeld(n int) {
	s.t.Helper()
	last := -1
	held := func() bool { // a list of all actions at each step takes long in a large fleet
		active := s.ActiveActions()
		changed := active != last
		last = active
		return changed && len(s.actions()) >= n
	}
	if !s.RunUntil(held, 10*time.Minute) {
		s.t.Fatalf("%d instances came to wait for the hook, want %d: nothing is shown", len(s.actions()), n)
	}
}

// untilReleased lets time pass until no instance waits any more.
func (s *scenario) untilReleased() {
	s.t.Helper()
	s.RunUntil(func() bool { return len(s.actions()) > 0 }, 10*time.Minute)
	if !s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 4*time.Hour) {
		s.t.Errorf("after four hours %d instances still wait: they cost money and hold up their groups", s.ActiveActions())
	}
	s.Advance(2 * time.Minute)
}

// longest is how long a drain without a command takes at most: until the target
// groups no longer show the instance, and the next reconcile.
func (s *scenario) longest() time.Duration { return s.delay + 20*time.Second }
