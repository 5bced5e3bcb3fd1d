package drain

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	webARN  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0001"
	sideARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/side/0002"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// story is a drain and what AWS says of it.
type story struct {
	cfg Config
	d   Drain
	o   Observed
}

// waiting is the story that all others vary: instance i-1 of group shop has
// waited for a minute and has requests in flight by way of web, under a hook of
// five minutes.
func waiting(vary ...func(*story)) *story {
	s := &story{
		cfg: Config{CommandTimeout: 5 * time.Minute},
		d: Drain{
			Instance: "i-1", Version: 1, Group: "shop", Cause: Lifecycle, Since: noon.Add(-time.Minute), Beat: noon.Add(-time.Minute),
			Actions: []Action{{Hook: "deployhooks-drain", Token: "t-1", Timeout: 300, Global: 30000}},
			Known:   true, Targets: []string{webARN}, Delay: 120,
		},
		o: Observed{
			Now:    noon,
			Groups: map[string]*Group{"shop": {Name: "shop", Tags: map[string]string{}, Instances: map[string]string{"i-1": terminatingWait}}},
			TargetGroups: map[string]TargetGroup{
				webARN: {"i-1": {{webARN, 80, "draining"}}, "i-2": {{webARN, 80, "healthy"}}},
			},
			Commands: map[string]map[string]Result{},
		},
	}
	for _, v := range vary {
		v(s)
	}
	return s
}

func targets(arn string, states ...string) func(*story) {
	return func(s *story) {
		group := TargetGroup{"i-2": {{arn, 80, "healthy"}}}
		for n, state := range states {
			group["i-1"] = append(group["i-1"], Target{arn, int32(80 + n), state})
		}
		s.o.TargetGroups[arn] = group
		if !slices.Contains(s.d.Targets, arn) {
			s.d.Targets = append(s.d.Targets, arn)
		}
	}
}

func state(lifecycle string) func(*story) {
	return func(s *story) { s.o.Groups["shop"].Instances["i-1"] = lifecycle }
}

func age(d time.Duration) func(*story) {
	return func(s *story) { s.d.Since, s.d.Beat = noon.Add(-d), noon.Add(-time.Second) }
}

func began(ago time.Duration) func(*story) {
	return func(s *story) { s.d.Actions[0].Began = noon.Add(-ago) }
}

func beaten(ago time.Duration) func(*story) {
	return func(s *story) { s.d.Beat = noon.Add(-ago) }
}

func drain(change func(*Drain)) func(*story) { return func(s *story) { change(&s.d) } }

func config(change func(*Config)) func(*story) { return func(s *story) { change(&s.cfg) } }

var withCommand = config(func(c *Config) { c.Command = "stop" })

func command(c Command) func(*story) {
	return func(s *story) { withCommand(s); targets(webARN)(s); s.d.Command = c }
}

func TestPlan(t *testing.T) {
	asked := Command{Key: "k", Asked: noon.Add(-30 * time.Second)}
	sent := Command{Key: "k", Asked: noon.Add(-30 * time.Second), ID: "c-1"}
	answer := func(r Result) func(*story) {
		return func(s *story) { s.o.Commands["c-1"] = map[string]Result{"i-1": r} }
	}
	for name, c := range map[string]struct {
		story      *story
		do         Do
		outcome    Outcome
		deregister int
		beat       bool
		waitsFor   string // a part
		harm       string
	}{
		"requests in flight": {story: waiting(), do: Wait, waitsFor: "web:80",
			harm: "requests in flight are cut off"},
		"still registered, with two ports": {story: waiting(targets(webARN, "healthy", "unhealthy")), do: Wait, deregister: 2, waitsFor: "web:80, web:81",
			harm: "an instance that dies goes on getting requests"},
		"starting up": {story: waiting(targets(webARN, "initial")), do: Wait, deregister: 1,
			harm: "an instance that dies begins to get requests"},
		"in two target groups, drained from one": {story: waiting(targets(webARN), targets(sideARN, "draining")), do: Wait, waitsFor: "side:80",
			harm: "requests by way of the other target group are cut off"},
		"drained": {story: waiting(targets(webARN)), do: Release, outcome: Drained,
			harm: "an instance is held for nothing"},
		"registered, but the target group is in no use": {story: waiting(targets(webARN, "unused")), do: Release, outcome: Drained,
			harm: "an instance is held for nothing"},
		"the target group is gone": {story: waiting(func(s *story) { s.o.TargetGroups[webARN] = TargetGroup{} }), do: Release, outcome: Drained,
			harm: "an instance is held for a target group that is gone"},
		"the target group cannot be asked about": {story: waiting(func(s *story) { delete(s.o.TargetGroups, webARN) }), do: Wait, waitsFor: "an answer on targets in web",
			harm: "what is not known is taken for drained"},
		"nothing is known yet": {story: waiting(targets(webARN), drain(func(d *Drain) { d.Known, d.Targets = false, nil })), do: Wait, waitsFor: "which target groups",
			harm: "what is not known is taken for drained"},
		"never in a target group": {story: waiting(drain(func(d *Drain) { d.Targets = nil })), do: Release, outcome: Drained,
			harm: "an instance is held for nothing"},

		"the instance is gone": {story: waiting(func(s *story) { delete(s.o.Groups["shop"].Instances, "i-1") }), do: Forget, outcome: Gone,
			harm: "a drain goes on for ever"},
		"the group is gone": {story: waiting(func(s *story) { s.o.Groups["shop"] = nil }), do: Forget, outcome: Gone,
			harm: "a drain goes on for ever"},
		"the group cannot be asked about": {story: waiting(func(s *story) { delete(s.o.Groups, "shop") }), do: Wait,
			harm: "an instance is taken for gone while its requests are in flight"},
		"somebody else has completed the action": {story: waiting(state("Terminating:Proceed")), do: Forget, outcome: Gone,
			harm: "a drain goes on for ever"},
		"no heartbeat came through": {story: waiting(state("Terminating:Proceed"), beaten(6*time.Minute)), do: Forget, outcome: TimedOut,
			harm: "nobody hears that requests were cut off"},
		"nobody may say how the instance stands, long after its action must have ended": {story: waiting(func(s *story) {
			delete(s.o.Groups, "shop")
			s.o.Now = noon.Add(5 * time.Hour)
		}), do: Forget, outcome: TimedOut,
			harm: "a drain goes on for ever"},
		"the event was faster than the state": {story: waiting(state("Terminating")), do: Wait,
			harm: "the event is dropped and the instance waits for the sweep"},
		"the event was faster than Auto Scaling's own answer": {story: waiting(state("InService"), began(20*time.Second)), do: Wait,
			harm: "the event is dropped and the instance waits for the sweep"},
		"the instance is back in service": {story: waiting(state("InService"), began(time.Minute)), do: Forget, outcome: Gone,
			harm: "a drain goes on for ever"},
		"back to the warm pool": {story: waiting(withCommand, drain(func(d *Drain) { d.ToWarmPool = true })), do: Release, outcome: Returned,
			harm: "an instance that will be used again is shut down, or held"},
		"an operator skips it": {story: waiting(drain(func(d *Drain) { d.Skip = true })), do: Release, outcome: Skipped,
			harm: "an operator's order is not obeyed"},

		"an operator's drain, in service": {story: waiting(state("InService"), drain(func(d *Drain) { d.Cause, d.Actions = Operator, nil }), targets(webARN, "healthy")), do: Wait, deregister: 1,
			harm: "a drain by hand does nothing"},
		"recommended to go, it is not shut down": {story: waiting(withCommand, state("InService"), drain(func(d *Drain) { d.Cause, d.Actions = Rebalance, nil }), targets(webARN)), do: Forget, outcome: Drained,
			harm: "an instance that runs on is shut down"},
		"announced to go, it is not shut down": {story: waiting(withCommand, state("InService"), drain(func(d *Drain) { d.Cause, d.Actions = Announced, nil }), targets(webARN)), do: Forget, outcome: Drained,
			harm: "an instance that runs on is shut down"},
		"recommended to go, and now it goes": {story: waiting(withCommand, drain(func(d *Drain) { d.Cause = Rebalance }), targets(webARN)), do: Send, waitsFor: "to be sent",
			harm: "the shutdown command is not run"},
		"a Spot instance is drained": {story: waiting(state("InService"), drain(func(d *Drain) { d.Cause, d.Actions = Spot, nil }), targets(webARN)), do: Forget, outcome: Drained,
			harm: "a drain goes on for ever"},
		"a Spot instance's two minutes are over": {story: waiting(state("InService"), drain(func(d *Drain) { d.Cause, d.Actions, d.Interrupted = Spot, nil, noon }), age(2*time.Minute)), do: Forget, outcome: Late, waitsFor: "web:80",
			harm: "nobody hears that requests were cut off"},
		"an interrupted Spot instance is terminated by its group": {story: waiting(drain(func(d *Drain) { d.Cause = Spot }), targets(webARN)), do: Release, outcome: Drained,
			harm: "the hook holds it to the end"},

		"shortly before the deadline": {story: waiting(age(21 * time.Minute)), do: Wait,
			harm: "requests that could have finished are cut off"},
		"the deadline": {story: waiting(age(22 * time.Minute)), do: Release, outcome: Late, waitsFor: "web:80",
			harm: "an instance is held without end"},
		"a deadline of one's own": {story: waiting(age(3*time.Minute), config(func(c *Config) { c.Deadline = 3 * time.Minute })), do: Release, outcome: Late,
			harm: "the configured deadline is not held"},
		"the action's time is nearly up": {story: waiting(age(49*time.Minute), drain(func(d *Drain) { d.Delay, d.Actions[0].Global = 3600, 3000 })), do: Release, outcome: Late,
			harm: "the action times out, without a word to anybody"},
		"the event came late, and the action's time is nearly up": {story: waiting(age(time.Minute), began(49*time.Minute), drain(func(d *Drain) { d.Delay, d.Actions[0].Global = 3600, 3000 })), do: Release, outcome: Late,
			harm: "the action times out untold"},
		"found by the sweep, it may have waited for a whole timeout": {story: waiting(age(44*time.Minute), drain(func(d *Drain) { d.Cause, d.Delay, d.Actions[0].Global = Swept, 3600, 3000 })), do: Release, outcome: Late,
			harm: "the action times out untold"},
		"the deadline, and nothing could be asked": {story: waiting(age(22*time.Minute), func(s *story) { s.o.Groups, s.o.TargetGroups = nil, nil }), do: Release, outcome: Late,
			harm: "an instance is held without end"},

		"a heartbeat is due": {story: waiting(beaten(3 * time.Minute)), do: Wait, beat: true,
			harm: "the hook times out with requests in flight"},
		"none is due yet": {story: waiting(beaten(2 * time.Minute)), do: Wait,
			harm: "heartbeats that nobody needs use up the account's rate"},
		"a hook of half a minute": {story: waiting(beaten(11*time.Second), drain(func(d *Drain) { d.Actions[0].Timeout = 30 })), do: Wait, beat: true,
			harm: "the hook times out with requests in flight"},
		"two hooks, the shorter one counts": {story: waiting(beaten(30*time.Second), drain(func(d *Drain) { d.Actions = append(d.Actions, Action{Hook: "deployhooks-2", Timeout: 60}) })), do: Wait, beat: true,
			harm: "the shorter hook times out"},
		"a hook whose timeout is not known": {story: waiting(beaten(15*time.Second), drain(func(d *Drain) { d.Actions[0].Timeout = 0 })), do: Wait, beat: true,
			harm: "the hook times out with requests in flight"},
		"long past the deadline, and nobody may complete it": {story: waiting(age(25*time.Minute), beaten(4*time.Minute)), do: Release, outcome: Late,
			harm: "heartbeats keep an instance that should go"},

		"drained, with a command": {story: waiting(withCommand, targets(webARN)), do: Send, waitsFor: "to be sent",
			harm: "the shutdown command is left out"},
		"not drained, with a command": {story: waiting(withCommand), do: Wait,
			harm: "the application is shut down under its requests"},
		"by tag": {story: waiting(targets(webARN), func(s *story) { s.o.Groups["shop"].Tags[CommandTag] = "stop" }), do: Send,
			harm: "the shutdown command is left out"},
		"the command runs": {story: waiting(command(sent), answer(Result{Status: "InProgress"})), do: Wait, waitsFor: "c-1",
			harm: "the instance dies under its shutdown command"},
		"the command has run": {story: waiting(command(sent), answer(Result{Status: "Success", Over: true})), do: Release, outcome: Drained,
			harm: "an instance is held for nothing"},
		"the command has failed": {story: waiting(command(sent), answer(Result{Status: "Failed", Over: true})), do: Release, outcome: CommandFailed,
			harm: "nobody hears that the shutdown failed"},
		"the command never answers": {story: waiting(age(5*time.Minute), command(Command{Key: "k", ID: "c-1", Asked: noon.Add(-5 * time.Minute)})), do: Release, outcome: CommandFailed,
			harm: "an instance is held by an agent that is gone"},
		"it may have been sent": {story: waiting(command(asked)), do: Wait, waitsFor: "word of whether",
			harm: "the command is sent twice"},
		"it was sent, SSM says": {story: waiting(command(asked), func(s *story) { s.o.Sent = map[string]map[string]string{"k": {"i-1": "c-1"}} }), do: Wait, waitsFor: "c-1",
			harm: "the command is sent twice"},
		"SSM is not sure to list it yet": {story: waiting(command(asked), func(s *story) { s.o.Sent = map[string]map[string]string{} }), do: Wait,
			harm: "the command is sent twice"},
		"it was never sent, SSM says": {story: waiting(command(Command{Key: "k", Asked: noon.Add(-3 * time.Minute)}), func(s *story) { s.o.Sent = map[string]map[string]string{} }), do: Send,
			harm: "the command is never sent"},
		"SSM could not be asked whether it was sent": {story: waiting(command(Command{Key: "k", Asked: noon.Add(-3 * time.Minute)})), do: Wait,
			harm: "the command is sent twice"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.story.cfg, c.story.d, &c.story.o)
			if got.Do != c.do || got.Outcome != c.outcome || len(got.Deregister) != c.deregister || got.Beat != c.beat || !strings.Contains(got.WaitsFor, c.waitsFor) {
				t.Errorf("planned %+v, want %+v: %s", got, c, c.harm)
			}
		})
	}
}

// TestNextLook shows that looks meet, and that none is further away than a
// drained instance may wait.
func TestNextLook(t *testing.T) {
	for _, hurry := range []bool{true, false} {
		met := map[time.Time]bool{}
		for ms := range 10_000 {
			now := noon.Add(time.Duration(ms) * time.Millisecond)
			next := nextLook(now, hurry)
			if wait := next.Sub(now); wait < time.Second || wait > often+time.Second {
				t.Fatalf("at %s the next look is %s away", now, wait)
			}
			met[next] = true
		}
		if len(met) > 3 {
			t.Errorf("looks asked for within ten seconds happen at %d instants: %v", len(met), slices.Collect(maps.Keys(met)))
		}
	}
}

// TestTake shows what becomes of asks about instances that are known.
func TestTake(t *testing.T) {
	first := ask{Instance: "i-1", Group: "shop", Cause: Lifecycle, Actions: []Action{{Hook: "h", Token: "t-1"}}}
	again := ask{Instance: "i-1", Group: "shop", Cause: Lifecycle, Actions: []Action{{Hook: "h", Token: "t-2"}}}
	other := ask{Instance: "i-1", Group: "shop", Cause: Lifecycle, Actions: []Action{{Hook: "g", Token: "t-3"}}}
	swept := ask{Instance: "i-1", Group: "shop", Cause: Swept, Actions: []Action{{Hook: "h"}}}
	spot := ask{Instance: "i-1", Group: "shop", Cause: Spot}
	advised := ask{Instance: "i-1", Group: "shop", Cause: Rebalance}
	for name, c := range map[string]struct {
		asks    []ask // the drain ends before the last one, its command run
		taken   bool
		ran     bool
		actions int
	}{
		"a duplicate that comes late":               {asks: []ask{first, first}},
		"a sweep finds the other owner's wait":      {asks: []ask{first, swept}},
		"the event comes after the sweep":           {asks: []ask{swept, first}},
		"back from the warm pool, interrupted":      {asks: []ask{first, spot}, taken: true, ran: true},
		"a Spot warning that comes twice":           {asks: []ask{spot, spot}},
		"what was recommended to go is interrupted": {asks: []ask{advised, spot}, taken: true, ran: true},
		"a recommendation that comes late":          {asks: []ask{advised, advised}},
		"a Spot instance is terminated later on":    {asks: []ask{spot, first}, taken: true, ran: true, actions: 1},
		"another of our hooks":                      {asks: []ask{first, other}, taken: true, ran: true, actions: 1},
		"back from the warm pool it goes again":     {asks: []ask{first, again}, taken: true, actions: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Drain{Instance: "i-1"}
			last := len(c.asks) - 1
			for _, a := range c.asks[:last] {
				d.take(a, noon)
			}
			d.Version, d.Ended, d.Command = 1, noon, Command{Key: "k", Over: true}
			taken := d.take(c.asks[last], noon.Add(time.Minute))
			if taken != c.taken {
				t.Errorf("taken up: %t, want %t", taken, c.taken)
			}
			if taken && (d.Command.Over != c.ran || len(d.Actions) != c.actions || !d.Ended.IsZero()) {
				t.Errorf("goes on as %+v", d)
			}
		})
	}
}

// TestRecommendationThenInterruption holds that a Spot interruption hurries a
// drain that had time.
func TestRecommendationThenInterruption(t *testing.T) {
	d := &Drain{Instance: "i-1"}
	d.take(ask{Instance: "i-1", Cause: Rebalance}, noon.Add(-time.Hour))
	d.Version = 1
	if !d.take(ask{Instance: "i-1", Cause: Spot}, noon) || !d.goes() || !d.deadline(Config{}).Equal(noon.Add(spotNotice)) {
		t.Errorf("goes on as %+v", d)
	}
}

// TestSweepTakesUpWhatWasBelievedOver holds that an instance that waits, by what
// the sweep sees, is taken up although a drain of it has ended, unless that one
// completed the action: then it waits for somebody else.
func TestSweepTakesUpWhatWasBelievedOver(t *testing.T) {
	for outcome, want := range map[Outcome]bool{Gone: true, Returned: true, TimedOut: true, Drained: false, CommandFailed: false, Late: false, Skipped: false} {
		action := Action{Hook: "deployhooks-drain", Token: "t-1"}
		d := &Drain{Instance: "i-1", Version: 3, Group: "shop", Cause: Lifecycle, Since: noon.Add(-time.Hour), Ended: noon.Add(-30 * time.Minute), Outcome: outcome,
			Actions: []Action{action}, Command: Command{Key: "k", Over: true}}
		taken := d.take(ask{Instance: "i-1", Group: "shop", Cause: Swept, Actions: []Action{{Hook: "deployhooks-drain"}}}, noon)
		if taken != want {
			t.Errorf("%s: taken up is %t", outcome, taken)
		}
		if taken && (!d.open() || len(d.Actions) != 1 || d.Cause != Swept || !d.Command.Over) { // the command must not run again
			t.Errorf("%s: taken up as %+v", outcome, d)
		}
	}
}
