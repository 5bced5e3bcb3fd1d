package drain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/fleet"
)

const (
	webARN  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0001"
	sideARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/side/0002"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// scenario is a drain and what AWS says of it.
type scenario struct {
	cfg Config
	d   Drain
	o   Observation
}

// waiting is the scenario that all others vary: instance i-1 of group shop has waited
// for a minute and has requests in flight by way of web, under a hook of five minutes.
func waiting(vary ...func(*scenario)) *scenario {
	s := &scenario{
		cfg: Config{SweepInterval: time.Minute, CommandTimeout: 5 * time.Minute, NetworkTargetWait: 2 * time.Minute},
		d: Drain{
			Instance: "i-1", Group: "shop", Cause: CauseLifecycle, Since: noon.Add(-time.Minute), BalancersKnown: true, DelaySince: noon.Add(-time.Hour * 48), Delay: 120,
			Actions:   []Action{{Hook: "deployhooks-drain", Token: "t-1", Began: noon.Add(-time.Minute), Timeout: 300, Global: 30000}},
			Balancers: map[string]Left{webARN: {}},
		},
		o: Observation{
			Now:       noon,
			Groups:    map[string]*fleet.AutoScalingGroup{"shop": {Name: "shop", Tags: map[string]string{}, Instances: []fleet.Instance{{ID: "i-1", State: fleet.TerminatingWait}}}},
			Fresh:     map[string]bool{"shop": true},
			Hooks:     map[string][]fleet.LifecycleHook{"shop": {{Name: "deployhooks-drain", Timeout: 300, Global: 30000}}},
			Wanted:    map[string]Wanted{"shop": {Balancers: []string{webARN}, Complete: true}},
			Balancers: map[string]Balancer{webARN: {ID: webARN, Delay: 2 * time.Minute, DelayKnown: true}},
			Targets:   map[string]map[string][]fleet.Target{},
			Commands:  map[string]map[string]Result{}, Sent: map[string][]SentCommand{}, Failed: map[Question]error{}, Left: everything,
		},
	}
	targets(webARN, "draining")(s)
	for _, v := range vary {
		v(s)
	}
	return s
}

func (s *scenario) plan() Step { return Plan(s.cfg, []Drain{s.d}, &s.o)[0] }

func targets(id string, states ...string) func(*scenario) {
	return func(s *scenario) {
		group := map[string][]fleet.Target{"i-2": {{Instance: "i-2", Port: 80, State: "healthy"}}}
		for n, state := range states {
			group["i-1"] = append(group["i-1"], fleet.Target{Instance: "i-1", Port: int32(80 + n), State: state})
		}
		s.o.Targets[id] = group
		left := s.d.Balancers[id] // the zero value where the drain does not name it yet
		s.d.Balancers[id] = left
		if _, known := s.o.Balancers[id]; !known {
			s.o.Balancers[id] = Balancer{ID: id, Delay: 2 * time.Minute, DelayKnown: true}
		}
	}
}

func state(lifecycle string) func(*scenario) {
	return func(s *scenario) { s.o.Groups["shop"].Instances[0].State = lifecycle }
}

func unlisted(s *scenario) { s.o.Groups["shop"].Instances = nil }

func groupUnread(s *scenario) { s.o.Fresh = nil }

// age is how long the drain has gone on, its last heartbeat a second ago.
func age(d time.Duration) func(*scenario) {
	return func(s *scenario) { s.d.Since, s.d.Actions[0].Heartbeat = noon.Add(-d), noon.Add(-time.Second) }
}

func began(ago time.Duration) func(*scenario) {
	return func(s *scenario) { s.d.Actions[0].Began = noon.Add(-ago) }
}

func heartbeat(ago time.Duration) func(*scenario) {
	return func(s *scenario) { s.d.Actions[0].Heartbeat = noon.Add(-ago) }
}

func timeouts(timeout, global int32) func(*scenario) {
	return func(s *scenario) {
		s.o.Hooks["shop"] = []fleet.LifecycleHook{{Name: "deployhooks-drain", Timeout: timeout, Global: global}}
	}
}

func change(f func(*Drain)) func(*scenario) { return func(s *scenario) { f(&s.d) } }

func config(f func(*Config)) func(*scenario) { return func(s *scenario) { f(&s.cfg) } }

func tag(key, value string) func(*scenario) {
	return func(s *scenario) { s.o.Groups["shop"].Tags[key] = value }
}

var withCommand = config(func(c *Config) { c.Command = "stop" })

func noHook(cause Cause) func(*scenario) {
	return change(func(d *Drain) { d.Cause, d.Actions = cause, nil })
}

// interrupted has EC2 end the instance after a time.
func interrupted(in time.Duration) func(*scenario) {
	return func(s *scenario) { noHook(CauseSpot)(s); state("InService")(s); s.d.EC2EndsAt = noon.Add(in) }
}

func command(c Command) func(*scenario) {
	return func(s *scenario) { withCommand(s); targets(webARN)(s); s.d.Command = c }
}

func network(delay time.Duration, attached bool) func(*scenario) {
	return func(s *scenario) {
		s.o.Balancers[webARN] = Balancer{ID: webARN, Network: true, Delay: delay, DelayKnown: true}
		if attached {
			s.o.Wanted["shop"] = Wanted{Balancers: []string{webARN}, Attached: []string{webARN}, Complete: true}
		}
	}
}

func left(at time.Duration, times int) func(*scenario) {
	return change(func(d *Drain) { d.Balancers[webARN] = Left{At: noon.Add(-at), Times: times} })
}

func unread(id string, err error) func(*scenario) {
	return func(s *scenario) { delete(s.o.Targets, id); s.o.Failed[Question{aboutTargets, id}] = err }
}

var denied = &smithy.OperationError{ServiceID: "SSM", OperationName: "ListCommands", Err: &smithy.GenericAPIError{Code: "AccessDenied"}}

func TestPlan(t *testing.T) {
	asked := Command{Key: "k", Asked: noon.Add(-30 * time.Second)}
	sent := Command{Key: "k", Asked: noon.Add(-30 * time.Second), ID: "c-1"}
	answer := func(r Result) func(*scenario) {
		return func(s *scenario) { s.o.Commands["c-1"] = map[string]Result{"i-1": r} }
	}
	lists := func(ago time.Duration) func(*scenario) {
		return func(s *scenario) { s.o.Sent = map[string][]SentCommand{"i-1": {{"c-9", "k-9", noon.Add(-ago)}}} }
	}
	unlistedCommands := func(s *scenario) { s.o.Sent = nil }
	unhealthy := func(s *scenario) {
		s.o.Groups["shop"].Instances[0].Unhealthy = true
	}
	for name, c := range map[string]struct {
		scenario   *scenario
		release    bool
		end        Outcome
		send       bool
		deregister int
		heartbeat  bool
		drop       bool
		waitsFor   string // a part
		notifies   string // a part of a matter
		harm       string
	}{
		"requests in flight":                   {scenario: waiting(), waitsFor: "web:80", harm: "requests in flight are cut off"},
		"still registered, with two ports":     {scenario: waiting(targets(webARN, "healthy", "unhealthy")), deregister: 2, waitsFor: "web:80, web:81", harm: "an instance that terminates goes on getting requests"},
		"starting up":                          {scenario: waiting(targets(webARN, "initial")), deregister: 1, harm: "an instance that terminates begins to get requests"},
		"unhealthy, and its connections close": {scenario: waiting(targets(webARN, "unhealthy.draining")), deregister: 1, harm: "an instance that terminates stays registered"},
		"in two target groups, drained from one": {scenario: waiting(targets(webARN), targets(sideARN, "draining")), waitsFor: "side:80",
			harm: "requests by way of the other target group are cut off"},
		"drained":                             {scenario: waiting(targets(webARN)), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"the target group is in no use":       {scenario: waiting(targets(webARN, "unused")), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"targets cannot be read":              {scenario: waiting(unread(webARN, errors.New("503"))), waitsFor: "an answer on targets in web", harm: "what is not known is taken for drained"},
		"drained before, and not asked again": {scenario: waiting(change(func(d *Drain) { d.Balancers[webARN] = Left{Drained: true} }), unread(webARN, nil)), release: true, end: Drained, harm: "an instance waits for its turn to be asked about"},
		"registered again after it drained":   {scenario: waiting(targets(webARN, "healthy"), change(func(d *Drain) { d.Balancers[webARN] = Left{Drained: true} })), deregister: 1, harm: "what was registered again gets requests to its end"},
		"registered again and again":          {scenario: waiting(targets(webARN, "healthy"), left(time.Minute, 3)), deregister: 1, notifies: "registered again", harm: "two systems fight and operators do not learn of it"},
		"nothing is known yet": {scenario: waiting(targets(webARN), change(func(d *Drain) { d.BalancersKnown = false }), func(s *scenario) { s.o.Wanted = nil }), waitsFor: "which target groups",
			harm: "what is not known is taken for drained"},
		"never in a target group": {scenario: waiting(func(s *scenario) { s.d.Balancers, s.o.Wanted["shop"] = nil, Wanted{Complete: true} }), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"named wrongly": {scenario: waiting(func(s *scenario) {
			s.o.Wanted["shop"] = Wanted{Balancers: []string{webARN}, Rejected: []string{`target group "wbe": it does not exist`}, Complete: true}
		}), waitsFor: "web:80", notifies: "wbe", harm: "a typo cuts requests and operators do not learn of it"},
		"searched, and not found yet": {scenario: waiting(targets(webARN), config(func(c *Config) { c.FindTargetGroups = true }), change(func(d *Drain) { d.BalancersKnown = false })), waitsFor: "which target groups",
			harm: "a target group that nobody named loses requests"},

		"a network target that is listed no more":                       {scenario: waiting(network(0, false), targets(webARN), left(119*time.Second, 1)), waitsFor: "may still send connections", harm: "connections that the load balancer still sends fail"},
		"a network target after its wait":                               {scenario: waiting(network(0, false), targets(webARN), left(2*time.Minute, 1)), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"a network target that its group deregistered, without a delay": {scenario: waiting(network(0, true), targets(webARN)), waitsFor: "may still send connections", harm: "connections that the load balancer still sends fail"},
		"a network target that its group deregistered, with a delay":    {scenario: waiting(network(2*time.Minute, true), targets(webARN)), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"a network target of a group whose hook has not run":            {scenario: waiting(noHook(CauseOperator), state("InService"), network(2*time.Minute, true), targets(webARN)), waitsFor: "may still send connections", harm: "connections that the load balancer still sends fail"},
		"a network target seen leaving":                                 {scenario: waiting(network(0, false), targets(webARN)), waitsFor: "may still send connections", harm: "connections that the load balancer still sends fail"},

		"the instance is gone":                 {scenario: waiting(unlisted), end: Gone, harm: "a drain goes on for ever"},
		"the group is gone":                    {scenario: waiting(func(s *scenario) { s.o.Groups["shop"] = nil }), end: Gone, harm: "a drain goes on for ever"},
		"the group cannot be read":             {scenario: waiting(groupUnread), waitsFor: "web:80", harm: "an instance is taken for gone while its requests are in flight"},
		"somebody else completed the action":   {scenario: waiting(state("Terminating:Proceed")), end: Gone, harm: "a drain goes on for ever"},
		"no heartbeat was accepted":            {scenario: waiting(state("Terminating:Proceed"), began(5*time.Minute)), end: TimedOut, harm: "operators do not learn that requests were cut off"},
		"down from the event to the timeout":   {scenario: waiting(unlisted, began(time.Hour), change(func(d *Drain) { d.Since = noon })), end: TimedOut, harm: "operators do not learn that requests were cut off"},
		"a completion that may have succeeded": {scenario: waiting(unlisted, began(time.Hour), change(func(d *Drain) { d.Actions[0].Tried = noon.Add(-time.Minute) })), end: Gone, harm: "operators look for a timeout that never was"},
		"one of two actions timed out": {scenario: waiting(change(func(d *Drain) {
			d.Actions = append(d.Actions, Action{Hook: "deployhooks-2", Timeout: 30, Began: noon.Add(-time.Minute), Absent: noon.Add(-20 * time.Second)})
		})), waitsFor: "web:80", notifies: "timed-out", harm: "operators do not learn of the first"},
		"nobody may say how the instance stands, long after": {scenario: waiting(groupUnread, func(s *scenario) { s.o.Now = noon.Add(5 * time.Hour) }), end: TimedOut, harm: "a drain goes on for ever"},
		"the event was faster than the state":                {scenario: waiting(state("Terminating")), waitsFor: "web", harm: "the event is dropped and the instance waits for the sweep"},
		"the event was faster than Auto Scaling's answer":    {scenario: waiting(state("InService"), began(20*time.Second)), waitsFor: "web", harm: "the event is dropped and the instance waits for the sweep"},
		"the instance is back in service":                    {scenario: waiting(state("InService"), began(time.Minute)), end: Gone, harm: "a drain goes on for ever"},
		"an operator skips it":                               {scenario: waiting(change(func(d *Drain) { d.Skip = true })), release: true, end: Skipped, harm: "an operator's request is ignored"},

		"to the warm pool, draining":            {scenario: waiting(unlisted, withCommand, change(func(d *Drain) { d.Returns = ReturnedToWarmPool })), waitsFor: "web:80", harm: "requests in flight are cut off when it returns"},
		"to the warm pool, drained":             {scenario: waiting(unlisted, targets(webARN), withCommand, change(func(d *Drain) { d.Returns = ReturnedToWarmPool })), release: true, end: ReturnedToWarmPool, harm: "an instance that will serve again is shut down, or kept"},
		"to the warm pool, and it timed out":    {scenario: waiting(began(time.Hour), change(func(d *Drain) { d.Returns, d.Actions[0].Absent = ReturnedToWarmPool, noon })), end: TimedOut, harm: "operators do not learn that its requests were cut off"},
		"out of the warm pool":                  {scenario: waiting(unlisted, targets(webARN), withCommand, change(func(d *Drain) { d.FromWarmPool = true })), release: true, end: Drained, harm: "a command is waited for that a stopped instance never runs"},
		"another root volume":                   {scenario: waiting(state(fleet.ReplacingRootWait), targets(webARN), withCommand, change(func(d *Drain) { d.Returns = RootVolumeReplaced })), release: true, end: RootVolumeReplaced, harm: "an instance that comes back is shut down"},
		"to the warm pool, past its deadline":   {scenario: waiting(age(22*time.Minute), change(func(d *Drain) { d.Returns = ReturnedToWarmPool })), release: true, end: DeadlinePassed, harm: "operators do not learn that requests were cut off"},
		"another installation's tag":            {scenario: waiting(config(func(c *Config) { c.Tag = Tag{"team", "web"} }), change(func(d *Drain) { d.BalancersKnown = false })), drop: true, harm: "two installations drain one instance"},
		"our tag taken away, draining":          {scenario: waiting(config(func(c *Config) { c.Tag = Tag{"team", "web"} }), targets(webARN)), release: true, end: Drained, harm: "the instance waits for its hook's timeout"},
		"our tag":                               {scenario: waiting(config(func(c *Config) { c.Tag = Tag{"team", "web"} }), tag("team", "web")), waitsFor: "web", harm: "an instance in scope is not drained"},
		"opted out":                             {scenario: waiting(tag(OptOutTag, "off")), release: true, end: Skipped, harm: "the instance waits for its hook's timeout"},
		"opted out, interrupted":                {scenario: waiting(interrupted(time.Minute), tag(OptOutTag, "off")), drop: true, harm: "a group that opted out is drained"},
		"opted out, and an operator asks":       {scenario: waiting(noHook(CauseOperator), state("InService"), targets(webARN, "healthy"), tag(OptOutTag, "off")), deregister: 1, waitsFor: "web", harm: "an operator's request is ignored"},
		"plan mode":                             {scenario: waiting(config(func(c *Config) { c.Mode = PlanOnly }), withCommand, targets(webARN, "healthy")), release: true, end: Planned, waitsFor: "deregister from web:80", harm: "a plan acts, or keeps the instance"},
		"plan mode, still reading":              {scenario: waiting(config(func(c *Config) { c.Mode = PlanOnly }), change(func(d *Drain) { d.BalancersKnown, d.Since = false, noon }), func(s *scenario) { s.o.Wanted = nil }), waitsFor: "which", harm: "the plan is empty"},
		"a rebalance that is only notified":     {scenario: waiting(noHook(CauseRebalance), state("InService")), end: Announced, harm: "an instance is drained that nobody asked to drain"},
		"a rebalance, and the group's tag says": {scenario: waiting(noHook(CauseRebalance), state("InService"), tag(RebalanceTag, "drain"), targets(webARN, "healthy")), deregister: 1, waitsFor: "web", harm: "the group's tag is ignored"},
		"a rebalance, and the tag has a typo":   {scenario: waiting(noHook(CauseRebalance), state("InService"), tag(RebalanceTag, "drian")), end: Announced, notifies: RebalanceTag, harm: "operators do not learn of the typo"},

		"an operator's drain, in service":         {scenario: waiting(state("InService"), noHook(CauseOperator), targets(webARN, "healthy")), deregister: 1, waitsFor: "web", harm: "an operator's drain does nothing"},
		"recommended to end, it is not shut down": {scenario: waiting(withCommand, config(func(c *Config) { c.OnRebalance = Respond }), state("InService"), noHook(CauseRebalance), targets(webARN)), end: Drained, harm: "an instance that runs on is shut down"},
		"announced to end, it is not shut down":   {scenario: waiting(withCommand, state("InService"), noHook(CauseMaintenance), targets(webARN)), end: Drained, harm: "an instance that runs on is shut down"},
		"recommended to end, and now it does":     {scenario: waiting(withCommand, change(func(d *Drain) { d.Cause = CauseRebalance }), targets(webARN)), send: true, waitsFor: "to be sent", harm: "the shutdown command is not run"},
		"found waiting without its event":         {scenario: waiting(noHook(CauseOperator)), waitsFor: "web", heartbeat: true, harm: "the hook that nobody mentioned times out"},

		"a Spot instance is drained":                    {scenario: waiting(interrupted(time.Minute), targets(webARN)), end: Drained, harm: "a drain goes on for ever"},
		"a Spot instance's two minutes are over":        {scenario: waiting(interrupted(0)), end: DeadlinePassed, waitsFor: "web:80", harm: "operators do not learn that requests were cut off"},
		"a Spot instance whose targets cannot be read":  {scenario: waiting(interrupted(2*time.Minute), unread(webARN, errors.New("503"))), deregister: 1, waitsFor: "web", harm: "EC2 ends an instance that still gets requests"},
		"a Spot instance, shown as draining":            {scenario: waiting(interrupted(61*time.Second), withCommand, left(time.Minute, 1)), waitsFor: "web:80", harm: "requests in flight are cut off by the command"},
		"a Spot instance, shown as draining to the end": {scenario: waiting(interrupted(time.Minute), withCommand, left(time.Minute, 1)), send: true, waitsFor: "to be sent", harm: "the command never runs: the display outlives the instance"},
		"a Spot instance still registered at the end":   {scenario: waiting(interrupted(time.Minute), withCommand, targets(webARN, "healthy")), deregister: 1, waitsFor: "web", harm: "the application is shut down under new requests"},
		"a Spot instance, the command has run":          {scenario: waiting(interrupted(30*time.Second), command(sent), answer(Result{Status: "Success", Over: true}), targets(webARN, "draining")), waitsFor: "web:80", harm: "an end is notified while requests are in flight"},
		"a Spot instance of a group without our hooks":  {scenario: waiting(interrupted(time.Minute), withCommand, targets(webARN), func(s *scenario) { s.o.Hooks["shop"] = nil }), end: Drained, harm: "a command runs on a stranger's instance"},
		"a Spot instance whose hooks cannot be read":    {scenario: waiting(interrupted(time.Minute), withCommand, targets(webARN), func(s *scenario) { s.o.Hooks = nil }), waitsFor: "the group's hooks", harm: "the command is left out for a question that failed"},
		"ended by EC2, its hook comes later":            {scenario: waiting(withCommand, targets(webARN), change(func(d *Drain) { d.EC2EndsAt = noon.Add(-2 * time.Minute) })), release: true, end: Gone, harm: "its replacement waits, and its end is notified twice"},
		"ended by EC2, and its hook timed out":          {scenario: waiting(unlisted, began(time.Hour), change(func(d *Drain) { d.EC2EndsAt = noon.Add(-2 * time.Minute) })), end: TimedOut, harm: "operators do not learn that the hook ran out"},
		"ended by EC2, and still shown as draining":     {scenario: waiting(change(func(d *Drain) { d.EC2EndsAt = noon.Add(-2 * time.Minute) })), release: true, end: Gone, harm: "its replacement waits for requests that are gone"},
		"ended by EC2, and still registered":            {scenario: waiting(targets(webARN, "healthy"), change(func(d *Drain) { d.EC2EndsAt = noon.Add(-time.Minute) })), deregister: 1, waitsFor: "web", harm: "an instance that has ended goes on getting requests"},
		"interrupted while its hook keeps it":           {scenario: waiting(change(func(d *Drain) { d.EC2EndsAt = noon.Add(90 * time.Second) })), waitsFor: "web", harm: "requests are cut off before their time"},
		"interrupted and terminated by its group":       {scenario: waiting(change(func(d *Drain) { d.Cause = CauseSpot }), targets(webARN)), release: true, end: Drained, harm: "the hook keeps it to the end"},
		"unhealthy, and the agent does not know it":     {scenario: waiting(command(Command{Key: "k", Over: true, Status: "InvalidInstanceId"}), unhealthy), release: true, end: Gone, harm: "operators are sent to an agent on an instance that has ended"},
		"unhealthy, and it does not take the command":   {scenario: waiting(command(sent), answer(Result{Status: "Pending"}), unhealthy), release: true, end: Gone, harm: "its replacement waits for a command that nobody runs"},
		"unhealthy, and the command runs":               {scenario: waiting(command(sent), answer(Result{Status: "InProgress"}), unhealthy), waitsFor: "c-1", harm: "the instance ends under its shutdown command"},
		"healthy, and the agent does not know it":       {scenario: waiting(command(Command{Key: "k", Over: true, Status: "InvalidInstanceId"})), release: true, end: CommandFailed, harm: "operators do not learn that commands never run"},
		"shortly before the deadline":                   {scenario: waiting(age(21*time.Minute + 59*time.Second)), waitsFor: "web", harm: "requests that could have finished are cut off"},
		"the deadline":                                  {scenario: waiting(age(22 * time.Minute)), release: true, end: DeadlinePassed, waitsFor: "web:80", harm: "an instance is kept without end"},
		"a delay learned after an outage":               {scenario: waiting(age(30*time.Minute), targets(webARN, "healthy"), change(func(d *Drain) { d.DelaySince = time.Time{} })), deregister: 1, waitsFor: "web:80", harm: "the instance is released the moment that it could leave"},
		"left after an outage":                          {scenario: waiting(age(30*time.Minute), change(func(d *Drain) { d.Balancers[webARN] = Left{At: noon.Add(-time.Minute), Times: 1} })), waitsFor: "web:80", harm: "the instance is released the moment that it has left"},
		"left again and again":                          {scenario: waiting(age(30*time.Minute), change(func(d *Drain) { d.Balancers[webARN] = Left{At: noon.Add(-time.Minute), Times: 4} })), release: true, end: DeadlinePassed, harm: "an instance is kept without end"},
		"a configured deadline":                         {scenario: waiting(age(3*time.Minute), config(func(c *Config) { c.Deadline = 3 * time.Minute })), release: true, end: DeadlinePassed, harm: "the configured deadline is not kept"},
		"a group's deadline":                            {scenario: waiting(age(3*time.Minute), tag(DeadlineTag, "3")), release: true, end: DeadlinePassed, harm: "the group's deadline is not kept"},
		"a group's deadline that cannot be read":        {scenario: waiting(age(3*time.Minute), tag(DeadlineTag, "3m")), waitsFor: "web", notifies: DeadlineTag, harm: "operators do not learn that the deadline is ignored"},
		"the action's time is nearly up":                {scenario: waiting(age(49*time.Minute), began(49*time.Minute), timeouts(300, 3000), change(func(d *Drain) { d.Delay = 3600 })), release: true, end: DeadlinePassed, harm: "the action times out"},
		"a late event, and the action's time nearly up": {scenario: waiting(age(time.Minute), began(49*time.Minute), timeouts(300, 3000), change(func(d *Drain) { d.Delay = 3600 })), release: true, end: DeadlinePassed, harm: "the action times out"},
		"swept, it may have waited for a whole timeout": {scenario: waiting(age(44*time.Minute), timeouts(300, 3000), change(func(d *Drain) { d.Cause, d.Delay, d.Actions[0].Began = CauseSweep, 3600, time.Time{} })), release: true, end: DeadlinePassed, harm: "the action times out"},
		"the deadline, and nothing could be read":       {scenario: waiting(age(22*time.Minute), func(s *scenario) { s.o.Fresh, s.o.Targets = nil, nil }), release: true, end: DeadlinePassed, harm: "an instance is kept without end"},
		"a delay that is not known":                     {scenario: waiting(age(59*time.Minute), func(s *scenario) { s.d.DelaySince, s.o.Balancers[webARN] = time.Time{}, Balancer{ID: webARN} }), waitsFor: "web", harm: "requests are cut off for a question that failed"},
		"a heartbeat is due":                            {scenario: waiting(heartbeat(75 * time.Second)), waitsFor: "web", heartbeat: true, harm: "the hook times out in an outage of half its timeout that a sweep ends"},
		"none is due yet":                               {scenario: waiting(heartbeat(74 * time.Second)), waitsFor: "web", harm: "heartbeats that nobody needs use up the account's rate"},
		"a hook of half a minute":                       {scenario: waiting(heartbeat(10*time.Second), timeouts(30, 3000)), waitsFor: "web", heartbeat: true, harm: "the hook times out with requests in flight"},
		"two hooks, the shorter one counts": {scenario: waiting(heartbeat(time.Second), change(func(d *Drain) {
			d.Actions = append(d.Actions, Action{Hook: "deployhooks-2", Timeout: 60, Heartbeat: noon.Add(-30 * time.Second)})
		})), waitsFor: "web", heartbeat: true, harm: "the shorter hook times out"},
		"a hook that was never there": {scenario: waiting(heartbeat(time.Second), change(func(d *Drain) {
			d.Actions = append(d.Actions, Action{Hook: "deployhooks-2", Timeout: 60, Absent: noon})
		})), waitsFor: "web", harm: "an action that is not there is called at each tick"},
		"a hook whose timeout is not known":              {scenario: waiting(heartbeat(15*time.Second), func(s *scenario) { s.o.Hooks, s.d.Actions[0].Timeout = nil, 0 }), waitsFor: "web", heartbeat: true, harm: "the hook times out with requests in flight"},
		"long past the deadline, nobody may complete it": {scenario: waiting(age(25*time.Minute), heartbeat(4*time.Minute)), release: true, end: DeadlinePassed, harm: "heartbeats keep an instance that should end"},

		"drained, with a command":              {scenario: waiting(withCommand, targets(webARN)), send: true, waitsFor: "to be sent", harm: "the shutdown command is left out"},
		"not drained, with a command":          {scenario: waiting(withCommand), waitsFor: "web", harm: "the application is shut down under its requests"},
		"a command by tag":                     {scenario: waiting(targets(webARN), tag(CommandTag, "stop"), config(func(c *Config) { c.TagDocuments = []string{shellDocument} })), send: true, harm: "the shutdown command is left out"},
		"a command by tag that may not choose": {scenario: waiting(targets(webARN), tag(CommandTag, "stop")), release: true, end: Drained, notifies: CommandTag, harm: "who may tag a group runs commands on its instances"},
		"commands cannot be listed":            {scenario: waiting(withCommand, targets(webARN), unlistedCommands), waitsFor: "whether a shutdown command was sent", harm: "two installations run the command twice"},
		"commands may not be listed": {scenario: waiting(withCommand, targets(webARN), unlistedCommands, func(s *scenario) { s.o.Failed[Question{aboutSent, ""}] = denied }), send: true, notifies: "ssm:ListCommands",
			harm: "the shutdown command is left out for a permission that it could do without"},
		"another installation has sent it":        {scenario: waiting(withCommand, targets(webARN), lists(20*time.Second)), waitsFor: "c-9", harm: "two installations run the command twice"},
		"a command of an earlier drain":           {scenario: waiting(withCommand, targets(webARN), lists(time.Hour)), send: true, harm: "the shutdown command is left out the second time"},
		"the command runs":                        {scenario: waiting(command(sent), answer(Result{Status: "InProgress"})), waitsFor: "c-1", harm: "the instance ends under its shutdown command"},
		"the command has run":                     {scenario: waiting(command(sent), answer(Result{Status: "Success", Over: true})), release: true, end: Drained, harm: "an instance is kept for nothing"},
		"the command has failed":                  {scenario: waiting(command(sent), answer(Result{Status: "Failed", Over: true})), release: true, end: CommandFailed, harm: "operators do not learn that the shutdown failed"},
		"the command has run, and then vanished":  {scenario: waiting(command(sent), answer(Result{Status: "Success", Over: true}), unlisted), end: Drained, harm: "operators do not learn what the command said"},
		"the command has failed, and it vanished": {scenario: waiting(command(sent), answer(Result{Status: "Failed", Over: true}), unlisted), end: CommandFailed, harm: "operators do not learn what the command said"},
		"the command never answers":               {scenario: waiting(age(5*time.Minute), command(Command{Key: "k", ID: "c-1", Asked: noon.Add(-5 * time.Minute)})), release: true, end: CommandFailed, harm: "an instance is kept by an agent that is gone"},
		"a group's command timeout":               {scenario: waiting(age(5*time.Minute), command(Command{Key: "k", ID: "c-1", Asked: noon.Add(-5 * time.Minute)}), tag(CommandTimeoutTag, "6")), waitsFor: "c-1", harm: "the group's timeout is not kept"},
		"it may have been sent":                   {scenario: waiting(command(asked)), waitsFor: "whether the shutdown command was sent", harm: "the command is sent twice"},
		"it was sent, SSM says":                   {scenario: waiting(command(asked), lists(30*time.Second)), waitsFor: "c-9", harm: "the command is sent twice"},
		"it was never sent, SSM says":             {scenario: waiting(command(Command{Key: "k", Asked: noon.Add(-3 * time.Minute)})), send: true, harm: "the command is never sent"},
		"not sure to be listed yet":               {scenario: waiting(command(Command{Key: "k", Asked: noon.Add(-2 * time.Minute)})), waitsFor: "whether", harm: "the command is sent twice"},
		"never known to have been sent":           {scenario: waiting(command(Command{Key: "k", Asked: noon.Add(-6 * time.Minute)}), unlistedCommands), release: true, end: CommandFailed, harm: "the command is sent twice, or the instance is kept without end"},

		"no budget for the release":   {scenario: waiting(targets(webARN), func(s *scenario) { s.o.Left.AutoScaling = 0 }), waitsFor: "its turn", harm: "calls are throttled, other callers' too"},
		"no budget to deregister":     {scenario: waiting(targets(webARN, "healthy"), func(s *scenario) { s.o.Left.Deregister = 0 }), waitsFor: "web", harm: "calls are throttled, other callers' too"},
		"no budget for the heartbeat": {scenario: waiting(heartbeat(3*time.Minute), func(s *scenario) { s.o.Left.AutoScaling = 0 }), waitsFor: "web", harm: "calls are throttled, other callers' too"},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.scenario.plan()
			matters := ""
			for _, e := range got.Next.Ledger.Outbox {
				matters += e.Matter + " "
			}
			if got.Release != c.release || got.End != c.end || (got.Send != Shutdown{}) != c.send || len(got.Deregister) != c.deregister || got.Heartbeat != c.heartbeat && !got.Release ||
				got.Drop != c.drop || !strings.Contains(got.inFlight(), c.waitsFor) || c.waitsFor != "" && got.inFlight() == "" {
				t.Errorf("planned %+v\nwaiting for %q: %s", got, got.inFlight(), c.harm)
			}
			if !strings.Contains(matters, c.notifies) || c.notifies == "" && matters != "" {
				t.Errorf("notifies of %q, want %q: %s", matters, c.notifies, c.harm)
			}
		})
	}
}
