// Package repair plays scenarios of the repair function in the simulated region,
// through its handler only: what reaches it, what AWS is like afterwards, and
// what users, operators and other systems get to see.
package repair

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// fixture is a region with a service, its users, and the function.
type fixture struct {
	*harness.Harness
	t     testing.TB
	svc   region.Service
	users *region.Stream
	// deployed are the IDs of the deployments that a scenario has started.
	deployed []string
}

type setting struct {
	region  region.Options
	service region.Service
	config  repair.Config
	noSweep bool
	// rate is the requests a second; 2 unless set. Scenarios of days want few.
	rate  int
	queue region.QueueSettings
	// role is the function's role, that of the stack unless set.
	role func(*region.Region) *region.Principal
	// alarms has a topic of alarms beside that of notifications.
	alarms bool
}

// configured is the default configuration with a change.
func configured(change func(*repair.Config)) (c repair.Config) {
	change(&c)
	return c
}

// shop is the service of most scenarios.
func shop() region.Service {
	return region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4}
}

func newFixture(t testing.TB, s setting) *fixture {
	t.Helper()
	r := region.New(s.region)
	deployed := repairs.Settings{Config: s.config, Queue: s.queue, AlarmTopic: s.alarms}
	if s.noSweep {
		deployed.SweepEvery = -1
	}
	if s.role != nil {
		deployed.As = s.role(r)
	}
	f := &fixture{Harness: repairs.Install(r, deployed), t: t}
	if s.service.Application == "" {
		s.service = shop()
	}
	f.svc = r.AddService(s.service)
	if s.service.Platform == "" && len(s.service.TargetGroups) > 0 {
		f.users = r.StartTraffic(region.Traffic{TargetGroup: s.service.TargetGroups[0], PerSecond: cmp.Or(s.rate, 2)})
	}
	return f
}

// begin is a fixture with few users whose service the sweep has seen.
func begin(t testing.TB, svc region.Service) *fixture {
	t.Helper()
	f := newFixture(t, setting{service: svc, rate: 1})
	f.Advance(6 * time.Minute)
	return f
}

// ask is a direct invocation.
func (f *fixture) ask(request string, answer any) {
	f.t.Helper()
	out, err := f.Function.Invoke(f.t.Context(), []byte(request))
	if err != nil {
		f.t.Fatalf("%s: %v", request, err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		f.t.Fatalf("%s answered %s: %v", request, out, err)
	}
}

// result is what a scenario reads of an outcome, as an answer or as an event's
// detail. It spells the fields itself: they are the interface.
type result struct {
	Application      string            `json:"application"`
	DeploymentGroup  string            `json:"deploymentGroup"`
	AutoScalingGroup string            `json:"autoScalingGroup"`
	Outcome          string            `json:"outcome"`
	Changes          []json.RawMessage `json:"changes"`
}

// sweepResult and statusResult are what a scenario reads of the other answers.
type sweepResult struct {
	InScope    int               `json:"inScope"`
	InOrder    int               `json:"inOrder"`
	HandedOver []json.RawMessage `json:"handedOver"`
}

type statusResult struct {
	AutoScalingGroup string `json:"autoScalingGroup"`
	TrafficSources   []struct {
		State   string         `json:"state"`
		Targets map[string]int `json:"targets"`
	} `json:"trafficSources"`
	Baseline *struct {
		Group string `json:"group"`
	} `json:"baseline"`
}

// outcomes are the outcomes that other systems were notified of, in order.
func (f *fixture) outcomes() (outcomes []string) {
	f.t.Helper()
	for _, e := range f.Events("default") {
		if e.Source != "deployhooks.repair" {
			continue
		}
		var r result
		if err := json.Unmarshal([]byte(e.Detail), &r); err != nil || r.Outcome == "" {
			f.t.Errorf("an event that machines cannot read: %s: %v", e.Detail, err)
		}
		outcomes = append(outcomes, r.Outcome)
	}
	return outcomes
}

// notified counts the outcomes of that kind that were notified.
func (f *fixture) notified(outcome string) (n int) {
	f.t.Helper()
	for _, o := range f.outcomes() {
		if o == outcome {
			n++
		}
	}
	return n
}

// mentions counts the notifications that contain all of the words.
func (f *fixture) mentions(words ...string) (n int) {
	for _, p := range f.Notices.Published() {
		all := true
		for _, w := range words {
			all = all && strings.Contains(p.Subject+"\n"+p.Message, w)
		}
		if all {
			n++
		}
	}
	return n
}

// settle lets enough time pass for requeues, redeliveries and sweeps.
func (f *fixture) settle() { f.Advance(40 * time.Minute) }

// release runs a deployment to its end, whatever that is.
func (f *fixture) release(how region.Deployment) (id string) {
	id = f.deploy(how)
	f.RunUntil(func() bool { return f.Ended(id) }, 109*time.Hour) // "CodeDeploy quotas"
	return id
}

// releaseTimes runs as many releases to their ends.
func (f *fixture) releaseTimes(n int) {
	for range n {
		f.release(region.Deployment{})
		f.settle()
	}
}

// rollBack stops a deployment and lets time pass until it is rolled back.
func (f *fixture) rollBack(id string) {
	f.Stop(id)
	f.RunUntil(func() bool { r := f.RollbackOf(id); return r != "" && f.Ended(r) }, time.Hour)
}

// deploy starts a deployment.
func (f *fixture) deploy(how region.Deployment) (id string) {
	id = f.Deploy(f.svc, how)
	f.deployed = append(f.deployed, id)
	return id
}

// releaseTo starts a deployment and lets time pass until it is in a stage.
func (f *fixture) releaseTo(stage region.Stage, how region.Deployment) (id string) {
	f.t.Helper()
	id = f.deploy(how)
	f.until(stage, id)
	return id
}

// until lets time pass until a deployment is in a stage.
func (f *fixture) until(stage region.Stage, id string) {
	f.t.Helper()
	if !f.RunUntil(func() bool { return f.StageOf(id) == stage }, 72*time.Hour) {
		f.t.Fatalf("deployment %s is in stage %q and never was in %q: this scenario shows nothing", id, f.StageOf(id), stage)
	}
}

// green is the replacement group of a deployment.
func (f *fixture) green(id string) string {
	_, green := f.Groups(id)
	return green
}
