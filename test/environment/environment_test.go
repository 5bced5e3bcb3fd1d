// Package environment plays a whole environment in the simulated region: a service over
// several Availability Zones behind a load balancer, released by CodeDeploy, with the
// deployment hooks as they are deployed. It shows which losses users notice.
package environment

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cdtypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/harness"
	"deployhooks/test/harness/drains"
	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// configuration is what an environment file says of a service, as far as it matters for
// what survives.
type configuration struct {
	zones     []string
	instances int
	delay     time.Duration // deregistration delay
	wait      time.Duration // before the blue group is terminated
	// withoutHooks is an environment with neither function.
	withoutHooks bool
	// eventsLost has no event reach the functions: their schedules are all they have.
	eventsLost bool
}

// production and training are the environments that the project ships: infra/environment has
// their files, and a test compares them.
func production() configuration {
	return configuration{zones: []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}, instances: 3, delay: time.Minute, wait: time.Hour}
}

func training() configuration {
	c := production()
	c.zones, c.instances = c.zones[:1], 1
	return c
}

// environment is an environment that runs.
type environment struct {
	*region.Region
	t      testing.TB
	config configuration
	svc    region.Service
	users  *region.Stream
	losses []loss
	// release is the last deployment that a scenario has started, "" without one.
	release string
}

// start is an environment up and running, the hooks' schedules included.
func start(t testing.TB, c configuration) *environment {
	t.Helper()
	// Auto Scaling takes its time to notice a dead instance: a status check a minute.
	e := &environment{Region: region.New(region.Options{RebalancesZones: true, Timings: region.Timings{Replace: time.Minute}}), t: t, config: c}
	svc := region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Zones: c.zones,
		Instances: c.instances, Min: c.instances, TerminationWait: c.wait, RollBack: true,
	}
	var functions []*harness.Harness
	if !c.withoutHooks {
		svc.Trigger = repairs.Triggers
		svc.Hooks = append(svc.Hooks, drains.Hook(c.delay))
		functions = append(functions, repairs.Install(e.Region, repairs.Settings{}), drains.Install(e.Region))
	}
	e.svc = e.AddService(svc)
	e.SetDeregistrationDelay("web", c.delay)
	if c.eventsLost {
		e.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	}
	e.Advance(6 * time.Minute) // until the functions have swept
	e.users = e.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 3, Mix: []time.Duration{200 * time.Millisecond, 2 * time.Second, 20 * time.Second}})
	e.Advance(time.Minute)
	for _, f := range functions {
		if dead := f.Queue.DeadLetters(); len(dead) > 0 {
			t.Fatalf("the functions cannot handle %s", dead[0].Body)
		}
	}
	return e
}

// deploy starts the release of a scenario.
func (e *environment) deploy() { e.release = e.Deploy(e.svc, region.Deployment{}) }

// state is what there is to see of the environment: what changes it is a step.
func (e *environment) state() string {
	var b strings.Builder
	fmt.Fprintln(&b, e.StageOf(e.release), e.Status(e.release), e.GroupOf(e.svc), e.ActiveActions(), e.Running())
	health := e.Health("web")
	for _, i := range e.Running() {
		fmt.Fprintln(&b, i, health[i])
	}
	blue, green := e.Groups(e.release)
	for _, g := range []string{e.svc.Group, blue, green} {
		fmt.Fprintln(&b, e.InService(g), e.Attached(g))
	}
	return b.String()
}

// steps are the times since begin at which something in the environment has changed
// within a span, and each quarter of an hour between.
func (c configuration) steps(t testing.TB, begin func(*environment), span time.Duration) (steps []time.Duration) {
	t.Helper()
	e := start(t, c)
	begin(e)
	last := ""
	for at := time.Duration(0); at <= span; at += time.Second {
		if now := e.state(); now != last || at%(15*time.Minute) == 0 {
			steps, last = append(steps, at), now
		}
		e.Advance(time.Second)
	}
	if c.eventsLost { // what is lost matters at every step alike: half of them show it
		n := 0
		steps = slices.DeleteFunc(steps, func(time.Duration) bool { n++; return n%2 == 0 })
	}
	return steps
}

// loss is what has died, and when.
type loss struct {
	at        time.Time
	instances []string
	zone      string // "" for instances only
}

func (l loss) String() string {
	if l.zone != "" {
		return "zone " + l.zone
	}
	return "instance " + strings.Join(l.instances, ", ")
}

// lose has an instance die.
func (e *environment) lose(instance string) {
	e.losses = append(e.losses, loss{at: e.Now(), instances: []string{instance}})
	e.Kill(instance)
}

// loseZone has a zone fail, and come back after a while.
func (e *environment) loseZone(zone string) {
	l := loss{at: e.Now(), zone: zone}
	for _, i := range e.Running() {
		if e.ZoneOf(i) == zone {
			l.instances = append(l.instances, i)
		}
	}
	e.losses = append(e.losses, l)
	e.FailZone(zone)
	e.After(zoneBack, func() { e.RestoreZone(zone) })
}

// recovery is longer than all takes that makes up for a loss: CodeDeploy's launch hook, if
// an instance dies while it waits for it, and another launch. A zone comes back after
// zoneBack. sweeps is longer than two rounds of the functions' schedules.
const (
	recovery = 15 * time.Minute
	zoneBack = 20 * time.Minute
	sweeps   = 12 * time.Minute
)

// keptOut is how long the blue group may have what it launched registered after the
// reroute: what repair needs to see that the traffic was moved, a minute in which that
// stands, and draining.
const keptOut = 6 * time.Minute

// settle lets the environment recover, the release end, and the functions sweep. What is
// left of the termination wait then is skipped, as an operator may, because nothing
// happens in it.
func (e *environment) settle() {
	e.RunUntil(func() bool { return e.release == "" || e.Ended(e.release) || e.StageOf(e.release) == region.StageWait }, 3*time.Hour)
	if e.StageOf(e.release) == region.StageWait {
		e.Advance(keptOut)
	}
	if n := len(e.losses); n > 0 {
		recovered := e.losses[n-1].at.Add(recovery)
		if e.losses[n-1].zone != "" {
			recovered = recovered.Add(zoneBack)
		}
		e.Advance(max(0, recovered.Sub(e.Now())))
	}
	if e.release != "" {
		_, _ = e.CodeDeploy().ContinueDeployment(e.t.Context(), &codedeploy.ContinueDeploymentInput{ // an error if it does not wait
			DeploymentId: &e.release, DeploymentWaitType: cdtypes.DeploymentWaitTypeTerminationWait,
		})
		e.RunUntil(func() bool { return e.Ended(e.release) }, 3*time.Hour)
		if rollback := e.RollbackOf(e.release); rollback != "" {
			e.RunUntil(func() bool { return e.Ended(rollback) }, 3*time.Hour)
		}
	}
	e.Advance(sweeps)
}

// released reports whether the last release, if any, has succeeded, was rolled back, or
// was stopped before it moved any traffic.
func (e *environment) released() bool {
	switch rollback := e.RollbackOf(e.release); {
	case rollback != "":
		return e.Deployed(rollback)
	case e.Ended(e.release) && !e.Deployed(e.release):
		stage := e.StageOf(e.release)
		return stage != region.StageReroute && stage != region.StageWait && stage != region.StageTerminate
	default:
		return e.release == "" || e.Deployed(e.release)
	}
}

// desired is the desired capacity of the group that serves.
func (e *environment) desired() int {
	group, _ := e.Group(e.GroupOf(e.svc))
	return int(aws.ToInt32(group.DesiredCapacity))
}

// faults says what is wrong with the environment in the end, empty for nothing: capacity
// that has not come back, a release that neither succeeded nor was rolled back, a group
// that the load balancer does not know.
func (e *environment) faults() (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !e.released() {
		fault("the release is %s in stage %q, and was not rolled back", e.Status(e.release), e.StageOf(e.release))
	}
	group := e.GroupOf(e.svc)
	inService := e.InService(group)
	if want := e.desired(); len(inService) != want || want < min(2, e.config.instances) {
		fault("%d instances are in service, want %d", len(inService), want)
	}
	health := e.Health("web")
	for _, i := range inService {
		if health[i] != "healthy" {
			fault("%s is in service and %q in the target group", i, health[i])
		}
	}
	if !slices.Contains(e.Attached(group), e.TargetGroupARN("web")) && !e.config.withoutHooks {
		fault("%s is not attached", group)
	}
	if n := e.ActiveActions(); n > 0 {
		fault("%d instances still wait for a lifecycle hook", n)
	}
	return faults
}
