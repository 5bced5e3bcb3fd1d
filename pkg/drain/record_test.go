package drain

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/smithy-go"
)

// TestMerge holds what becomes of triggers about instances that are known.
func TestMerge(t *testing.T) {
	lifecycle := func(hook, token string) Trigger {
		return Trigger{Instance: "i-1", Group: "shop", Cause: CauseLifecycle, Actions: []Action{{Hook: hook, Token: token}}}
	}
	first, again, other := lifecycle("h", "t-1"), lifecycle("h", "t-2"), lifecycle("g", "t-3")
	swept := Trigger{Instance: "i-1", Group: "shop", Cause: CauseSweep, Actions: []Action{{Hook: "h"}}}
	spot, advised := Trigger{Instance: "i-1", Group: "shop", Cause: CauseSpot}, Trigger{Instance: "i-1", Group: "shop", Cause: CauseRebalance}
	ends := Trigger{Instance: "i-1", Cause: CauseStateChange}
	for name, c := range map[string]struct {
		triggers []Trigger // the drain ends before the last one, its command run
		outcome  Outcome
		taken    bool
		ran      bool
		actions  int
		dead     bool
		harm     string
	}{
		"a duplicate that comes late":              {triggers: []Trigger{first, first}, harm: "a drained instance is drained again"},
		"a sweep finds another owner's wait":       {triggers: []Trigger{first, swept}, harm: "each sweep drains an instance again"},
		"the event comes after the sweep":          {triggers: []Trigger{swept, first}, harm: "a drained instance is drained again"},
		"EC2 ends what was drained":                {triggers: []Trigger{first, ends}, harm: "each instance that terminates is drained again"},
		"back from the warm pool, interrupted":     {triggers: []Trigger{first, spot}, taken: true, ran: true, harm: "an interrupted instance is not drained"},
		"a Spot warning that comes twice":          {triggers: []Trigger{spot, spot}, harm: "an instance is drained again"},
		"recommended to end, and interrupted":      {triggers: []Trigger{advised, spot}, taken: true, ran: true, harm: "an interrupted instance is not drained"},
		"a recommendation that comes late":         {triggers: []Trigger{advised, advised}, harm: "an instance is drained again"},
		"a Spot instance's hook comes later":       {triggers: []Trigger{spot, first}, taken: true, ran: true, actions: 1, dead: true, harm: "an instance that has ended waits for its hook's timeout"},
		"another of our hooks":                     {triggers: []Trigger{first, other}, taken: true, ran: true, actions: 1, harm: "the second hook times out"},
		"back from the warm pool, it ends again":   {triggers: []Trigger{first, again}, taken: true, actions: 1, harm: "the command is left out the second time"},
		"swept, believed gone":                     {triggers: []Trigger{first, swept}, outcome: Gone, taken: true, ran: true, actions: 1, harm: "an instance waits for its hook's timeout"},
		"swept, believed timed out":                {triggers: []Trigger{first, swept}, outcome: TimedOut, taken: true, ran: true, actions: 1, harm: "an instance waits for its hook's timeout"},
		"swept, just returned to its warm pool":    {triggers: []Trigger{first, swept}, outcome: ReturnedToWarmPool, harm: "each sweep drains an instance again"},
		"an operator drains what was drained once": {triggers: []Trigger{first, {Instance: "i-1", Cause: CauseOperator}}, taken: true, ran: true, harm: "an operator's request is ignored"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Drain{Instance: "i-1"}
			last := len(c.triggers) - 1
			for _, trigger := range c.triggers[:last] {
				d, _ = d.merge(trigger, noon)
			}
			if d = d.ended(Drained, noon.Add(spotNotice)); c.outcome != "" {
				d.Outcome = c.outcome
			}
			d.Command = Command{Key: "k", Over: true}
			now := noon.Add(3 * time.Minute)
			d, taken := d.merge(c.triggers[last], now)
			if taken != c.taken || taken && (d.Command.Over != c.ran || len(d.Actions) != c.actions || !d.open() || d.dead(now) != c.dead) {
				t.Errorf("taken: %t, want %t; continues as %+v: %s", taken, c.taken, d, c.harm)
			}
		})
	}
}

// TestInterruptionHurriesADrain holds that EC2's warning shortens a drain that had
// time, and that an instance which was stopped and started long ago counts as alive.
func TestInterruptionHurriesADrain(t *testing.T) {
	d, _ := Drain{Instance: "i-1"}.merge(Trigger{Cause: CauseRebalance}, noon.Add(-time.Hour))
	d, taken := d.merge(Trigger{Cause: CauseSpot}, noon)
	if !taken || !d.terminating() || !d.deadline(Settings{}).Equal(noon.Add(spotNotice)) {
		t.Errorf("continues as %+v", d)
	}
	later := noon.Add(3 * time.Hour)
	d, _ = d.ended(Drained, noon.Add(time.Minute)).merge(Trigger{Cause: CauseLifecycle, Actions: []Action{{Hook: "h", Began: later}}}, later)
	if d.dead(later) || len(d.Actions) != 1 {
		t.Errorf("an instance that runs again is not drained: %+v", d)
	}
}

// TestRecord holds what is remembered of a step by what came of its calls.
func TestRecord(t *testing.T) {
	refused := &smithy.OperationError{ServiceID: "Auto Scaling", OperationName: "CompleteLifecycleAction", Err: &smithy.GenericAPIError{Code: "AccessDenied"}}
	ready := func() *scenario { return waiting(targets(webARN)) }
	for name, c := range map[string]struct {
		scenario  *scenario
		did       did
		outcome   Outcome
		heartbeat bool
		tried     bool
		notifies  int
		harm      string
	}{
		"completed":                       {scenario: ready(), did: did{actions: []answer{{completed: true}}}, outcome: Drained, harm: "a drain goes on for ever"},
		"completed by somebody else":      {scenario: ready(), did: did{actions: []answer{{absent: true}}}, outcome: Drained, harm: "a drain goes on for ever"},
		"the action had timed out":        {scenario: waiting(targets(webARN), began(time.Hour)), did: did{actions: []answer{{absent: true}}}, outcome: TimedOut, notifies: 1, harm: "operators do not learn of the timeout"},
		"not called":                      {scenario: ready(), harm: "an instance is believed released that waits"},
		"not completed":                   {scenario: ready(), did: did{actions: []answer{{err: errors.New("timeout")}}}, tried: true, harm: "an instance is believed released that waits"},
		"not allowed to":                  {scenario: ready(), did: did{actions: []answer{{err: refused}}}, notifies: 1, harm: "operators do not learn of the permission that is missing"},
		"the heartbeat was accepted":      {scenario: waiting(heartbeat(4 * time.Minute)), did: did{actions: []answer{{heartbeat: true}}}, heartbeat: true, harm: "heartbeats are sent at each tick"},
		"the heartbeat was refused":       {scenario: waiting(heartbeat(4 * time.Minute)), did: did{actions: []answer{{err: errors.New("503")}}}, harm: "a heartbeat counts that Auto Scaling refused, and the hook times out untold"},
		"the command's end is notified":   {scenario: waiting(command(Command{Key: "k", ID: "c", Over: true, Status: succeeded})), did: did{actions: []answer{{completed: true}}}, outcome: Drained, notifies: 1, harm: "operators do not learn what the command said"},
		"the deadline's end is notified":  {scenario: waiting(age(22 * time.Minute)), did: did{actions: []answer{{completed: true}}}, outcome: DeadlinePassed, notifies: 1, harm: "operators do not learn that requests were cut off"},
		"the warm pool's end is quiet":    {scenario: waiting(targets(webARN), change(func(d *Drain) { d.Returns = ReturnedToWarmPool })), did: did{actions: []answer{{completed: true}}}, outcome: ReturnedToWarmPool, harm: "operators hear of what is in order"},
		"one of two actions is completed": {scenario: waiting(targets(webARN), change(func(d *Drain) { d.Actions = append(d.Actions, Action{Hook: "h2"}) })), did: did{actions: []answer{{completed: true}, {err: errors.New("503")}}}, harm: "the second hook times out"},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.scenario.plan().record(&c.did, &c.scenario.o)
			if d.Outcome != c.outcome || d.open() != (c.outcome == "") || len(d.Ledger.Outbox) != c.notifies {
				t.Errorf("recorded %+v: %s", d, c.harm)
			}
			if d.open() && (d.Actions[0].Heartbeat.Equal(noon) != c.heartbeat || d.Actions[0].Tried.IsZero() == c.tried) {
				t.Errorf("recorded %+v: %s", d.Actions, c.harm)
			}
		})
	}
}

// TestDeregistrationsAreCounted holds that a target which is registered again is notified
// from one that was deregistered once.
func TestDeregistrationsAreCounted(t *testing.T) {
	s := waiting(targets(webARN, "healthy"), left(time.Minute, 1))
	d := s.plan().record(&did{left: []string{webARN}}, &s.o)
	if got := d.Balancers[webARN]; got.Times != 2 || !got.At.Equal(noon) {
		t.Errorf("recorded %+v", got)
	}
	if s.d.Balancers[webARN].Times != 1 {
		t.Error("recording changed what was observed")
	}
}

// TestBudget holds that what accrues is granted once, and what is not wanted stays.
func TestBudget(t *testing.T) {
	granted, left := Budget{}.grant(Config{}, time.Hour, Budget{AutoScaling: 10, Balancing: 1000, Deregister: 0})
	if granted != (Budget{AutoScaling: 10, Balancing: balancingBurst, Deregister: least.Deregister}) || left != (Budget{AutoScaling: 70, Deregister: deregisterBurst}) {
		t.Errorf("granted %+v, left %+v", granted, left)
	}
	granted, left = left.grant(Config{ReleasesPerSecond: 2}, time.Second, everything)
	if granted.AutoScaling != 20 || left != (Budget{}) {
		t.Errorf("granted %+v, left %+v: the burst is ten seconds of the configured rate", granted, left)
	}
	if granted, _ = (Budget{}).grant(Config{}, -time.Hour, everything); granted != least {
		t.Errorf("granted %+v with a clock that went back", granted)
	}
}

// TestWhoseTurnItIs holds the order in which budgets are shared out.
func TestWhoseTurnItIs(t *testing.T) {
	plan := func(b Budget, all ...*scenario) (steps []Step) {
		o, drains := all[0].o, []Drain{}
		for _, s := range all {
			for id, found := range s.o.Targets {
				o.Targets[id] = found
			}
			drains = append(drains, s.d)
		}
		o.Left = b
		return Plan(all[0].cfg, drains, &o)
	}
	dueSoon, dueNow, ready := waiting(heartbeat(3*time.Minute)), waiting(heartbeat(4*time.Minute)), waiting(change(func(d *Drain) { d.Skip = true }), heartbeat(time.Second))
	steps := plan(Budget{AutoScaling: 2}, ready, dueSoon, dueNow)
	if steps[0].Release || !steps[1].Heartbeat || !steps[2].Heartbeat {
		t.Errorf("with two calls: %t, %t, %t: a hook times out while another instance is released", steps[0].Release, steps[1].Heartbeat, steps[2].Heartbeat)
	}
	if steps = plan(Budget{AutoScaling: 1}, dueSoon, dueNow); steps[0].Heartbeat || !steps[1].Heartbeat {
		t.Error("the heartbeat goes to the one that times out later")
	}
	old := waiting(targets(webARN, "healthy"), left(time.Minute, 1))
	fresh := waiting(func(s *scenario) { delete(s.d.Balancers, webARN); delete(s.o.Targets, webARN); s.d.Group = "" }, targets(sideARN, "healthy"))
	if steps = plan(Budget{AutoScaling: 9, Balancing: 9, Deregister: 1}, old, fresh); len(steps[0].Deregister) != 0 || len(steps[1].Deregister) != 1 {
		t.Errorf("deregistered are %v and %v: a new drain waits for one that was deregistered before", steps[0].Deregister, steps[1].Deregister)
	}
	spot := waiting(targets(webARN, "healthy"), left(time.Minute, 1), func(s *scenario) { s.d.EC2EndsAt = noon.Add(time.Minute) })
	if steps = plan(Budget{AutoScaling: 9, Balancing: 1, Deregister: 9}, fresh, spot); len(steps[0].Deregister) != 0 || len(steps[1].Deregister) != 1 {
		t.Errorf("deregistered are %v and %v: an interrupted instance waits", steps[0].Deregister, steps[1].Deregister)
	}
}
