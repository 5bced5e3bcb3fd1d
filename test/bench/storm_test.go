package bench

import (
	"cmp"
	"io"
	"log/slog"
	"slices"
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

// The budgets of a storm: so many instances of one target group leave at once,
// under the request rates that the region knows.
const (
	stormSize        = 1000
	callsPerInstance = 1.5  // heartbeats apart, the store included
	withCommand      = 3.0  // where each instance runs a command: to reserve, send, follow and tell of it
	waitP99          = 15.0 // seconds that a drained instance waits for its release
	stormHook        = "deployhooks-drain"
	stormDelay       = 300 * time.Second
)

// storm says how the fleet leaves.
type storm struct {
	heartbeat int32           // the hook's timeout, in seconds
	mix       []time.Duration // how long requests take; none for an idle fleet
	perSecond int             // requests; 15 unless set
	command   bool            // each instance has a shutdown command to run
}

// steady are requests of ten seconds to nearly the deregistration delay, so that
// instances drain one after another.
var steady = func() (mix []time.Duration) {
	for d := 10 * time.Second; d < stormDelay-10*time.Second; d += 7 * time.Second {
		mix = append(mix, d)
	}
	return mix
}()

// TestStorm counts the calls of a storm and how long drained instances wait,
// beside a loop per instance in another region like it.
func TestStorm(t *testing.T) {
	s := storm{heartbeat: 600, mix: steady}
	ours := s.play(t, s.drainTogether)
	peer := s.play(t, drainInLoops)
	ours.mustHold(t, callsPerInstance, waitP99)
	t.Logf("a loop each: %+v", peer)
	report(
		figure{"drain.callsPerInstance", ours.calls, otherCalls, callsPerInstance, peer.calls},
		figure{"drain.heartbeatsPerInstance", ours.heartbeats, "heartbeats", 0, peer.heartbeats},
		figure{"drain.waitP99", ours.p99, "s", waitP99, peer.p99},
		figure{"drain.throttled", float64(ours.throttled), "calls", 0, float64(peer.throttled)},
	)
}

// TestStormWithCommand has each instance run a command of 20 to 60 s when it is
// drained, with the timeout that the README asks for then.
func TestStormWithCommand(t *testing.T) {
	s := storm{heartbeat: 1200, mix: steady, command: true}
	f := s.play(t, s.drainTogether)
	f.mustHold(t, withCommand, waitP99)
	if f.commands == 0 {
		t.Error("no command ran: nothing is shown")
	}
	report(
		figure{"drain.command.callsPerInstance", f.calls, otherCalls, withCommand, 0},
		figure{"drain.command.waitP99", f.p99, "s", waitP99, 0},
	)
}

// TestStormWithShortHook has a hook that would time out before anybody has
// drained, so that every instance needs a heartbeat. How short may it be?
//
// All calls to Auto Scaling share a bucket, of 100 calls and 10 more a second
// as the region has it. So nobody could send a thousand heartbeats within less
// than 90 s: with a timeout of 60 s, 300 instances would be lost whatever is
// done. Drain takes 80 calls and 8 more a second, and begins when half of the
// timeout is over. Of that half, one look, 10 s, may be lost. So it gets to 4
// instances for each second of the timeout: a thousand need 250 s. Up to ten
// more may pass before the first look at who is due.
func TestStormWithShortHook(t *testing.T) {
	s := storm{heartbeat: 270, mix: []time.Duration{stormDelay - 15*time.Second}, perSecond: 50}
	f := s.play(t, s.drainTogether)
	wait := paced(2*stormSize) + waitP99 // a heartbeat and a release each
	f.mustHold(t, callsPerInstance, wait)
	if f.heartbeats < 1 {
		t.Errorf("%.2f heartbeats per instance: not all needed one", f.heartbeats)
	}
	report(
		figure{"drain.shortHook.callsPerInstance", f.calls, otherCalls, callsPerInstance, 0},
		figure{"drain.shortHook.heartbeatsPerInstance", f.heartbeats, "heartbeats", 0, 0},
		figure{"drain.shortHook.waitP99", f.p99, "s", wait, 0},
	)
}

// TestIdleStorm has nothing in flight, so that all instances may go at once:
// the worst burst of releases. The rates alone have the last one wait for
// minutes.
func TestIdleStorm(t *testing.T) {
	s := storm{heartbeat: 600}
	f := s.play(t, s.drainTogether)
	wait := paced(stormSize) + waitP99
	f.mustHold(t, callsPerInstance, wait)
	report(
		figure{"drain.idle.callsPerInstance", f.calls, otherCalls, callsPerInstance, 0},
		figure{"drain.idle.waitP99", f.p99, "s", wait, 0},
	)
}

// paced is how long so many calls to Auto Scaling take, in seconds, at the share
// of its rates that drain takes.
func paced(calls float64) float64 { return (calls - 80) / 8 }

// otherCalls is the unit of all calls but heartbeats, of which the hook decides
// how many there are.
const otherCalls = "calls, heartbeats apart"

type stormFigures struct {
	calls, heartbeats float64 // per instance
	p99               float64 // seconds
	throttled         int
	left              int      // not completed: their hook timed out
	cut               int      // requests that could have finished
	commands          int      // that ran
	twice             int      // instances on which the command ran again
	told              []string // what went wrong, as people are told
}

// mustHold fails if anything is lost, or if a budget is not kept.
func (f stormFigures) mustHold(t *testing.T, calls, wait float64) {
	t.Helper()
	t.Logf("%+v", f)
	if f.left > 0 || f.cut > 0 || f.twice > 0 || len(f.told) > 0 {
		t.Errorf("%d instances were not let go, %d requests cut off that could have finished, %d commands run twice, told %q", f.left, f.cut, f.twice, f.told)
	}
	if f.throttled > 0 {
		t.Errorf("%d calls beyond the rates", f.throttled)
	}
	if f.calls > calls {
		t.Errorf("%.3f calls per instance, beyond the budget of %.1f", f.calls, calls)
	}
	if f.p99 > wait {
		t.Errorf("one in a hundred drained instances waited %.1f s and more for its release, beyond the %.0f s that it may", f.p99, wait)
	}
}

// play has all instances of a group leave at once, and drain serve their events.
func (s storm) play(t *testing.T, drain func(testing.TB, *region.Region)) stormFigures {
	t.Helper()
	r := region.New(region.Options{Throttling: true})
	group := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", Instances: stormSize, Min: 1, HealthCheck: "EC2",
		Tags: map[string]string{"deployhooks:drain-target-groups": "web"},
	}).Group
	// The group is not attached, as CodeDeploy leaves it: nobody else drains.
	r.AddTargetGroup(region.TargetGroup{Name: "web", Delay: stormDelay})
	for _, i := range r.InService(group) {
		r.Register("web", i, 80)
	}
	_, err := r.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &group, LifecycleHookName: aws.String(stormHook), HeartbeatTimeout: &s.heartbeat,
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	takes := map[string]time.Duration{}
	r.OnCommand(func(c region.CommandRun) region.CommandResult {
		takes[c.Instance] = time.Duration(20+len(takes)*7%41) * time.Second
		return region.CommandResult{Takes: takes[c.Instance]}
	})
	drain(t, r)
	r.Advance(time.Minute)
	cut := func() int { return 0 }
	if len(s.mix) > 0 {
		users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: cmp.Or(s.perSecond, 15), Mix: s.mix})
		cut = func() int { return users.Total().CutEarly }
	}
	r.Advance(6 * time.Minute)
	r.ForgetCalls()
	r.Scale(group, 0)
	r.Advance(time.Second)
	if !r.RunUntil(func() bool { return r.ActiveActions() == 0 }, time.Hour) {
		t.Fatal("the storm does not end")
	}
	r.Advance(2 * time.Minute)
	f := figuresOf(r, takes)
	f.cut = cut()
	return f
}

// figuresOf reads a storm's figures; takes is how long each instance's command
// took, which is no waiting.
func figuresOf(r *region.Region, takes map[string]time.Duration) (f stormFigures) {
	for _, c := range r.Calls() {
		if c.Operation == "RecordLifecycleActionHeartbeat" {
			f.heartbeats++
		} else {
			f.calls++
		}
		if c.Err != nil && strings.Contains(c.Err.Error(), "Throttling") {
			f.throttled++
		}
	}
	f.calls, f.heartbeats = f.calls/stormSize, f.heartbeats/stormSize
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
	for _, n := range r.Topic("notices").Published() {
		if !strings.HasPrefix(n.Subject, "Drained and shut down") {
			f.told = append(f.told, n.Subject)
		}
	}
	return f
}

// drainTogether is the function behind a queue and a schedule, as they are
// deployed.
func (s storm) drainTogether(t testing.TB, r *region.Region) {
	deployed, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddTable("drains", "instance")
	queue := r.Queue("drain").Configure(hooks.Drain.Settings())
	cfg := drain.Config{QueueURL: queue.URL(), Table: "drains", Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute}
	if s.command {
		cfg.Command = "systemctl stop shop"
	}
	fn := drain.New(cfg,
		drain.Clients{Groups: r.AutoScaling(), Balancers: r.ELBV2(), Deployments: r.CodeDeploy(), Commands: r.SSM(), Queue: r.SQS(), Database: r.DynamoDB()},
		notice.New(notice.Config{TopicARN: r.Topic("notices").ARN(), EventBus: "default"}, "drain", r.SNS(), r.EventBridge(), io.Discard, r.Now),
		slog.New(slog.DiscardHandler), r.Now)
	queue.Serve(func(payload []byte) ([]byte, error) { return fn.Invoke(t.Context(), payload) })
	var sweep func()
	sweep = func() {
		queue.Send(`{"action":"sweep"}`)
		r.After(time.Duration(deployed.Drain.SweepMinutes)*time.Minute, sweep)
	}
	// Not at the full minute, when it would share the look of a tick.
	r.After(37*time.Second, sweep)
}
