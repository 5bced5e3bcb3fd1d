package drain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"deployhooks/pkg/event"
)

// continuation is what the function or the schedule sends to its queue.
type continuation struct {
	Tick  *tick      `json:"tick,omitempty"`
	Sweep *sweepWork `json:"sweep,omitempty"`
}

// request is what an operator asks for.
//
//	{"action": "status"}                      the drains that are open; or of one "instance"
//	{"action": "plan"}                        what would be done now, without acting; likewise
//	{"action": "drain", "instance": "i-…"}    drain an instance now
//	{"action": "skip",  "instance": "i-…"}    complete an instance without draining
//	{"action": "sweep"}                       find waiting instances whose events were missed
type request struct {
	Action   string `json:"action"`
	Instance string `json:"instance,omitempty"`
}

// messages is what the messages of one invocation come to.
type messages struct {
	triggers  []Trigger
	tick      time.Time  // the latest, zero without one
	reconcile []int      // the messages that lead to a reconcile
	sweep     *sweepWork // where a sweep begins or continues, nil without one
	sweeps    []int
	announce  []announcement
}

// announcement is something that AWS announces about an instance.
type announcement struct {
	instance, text string
	message        int
}

// maxAhead is how far a tick may be ahead: more than the longest interval between
// ticks, and than clocks differ.
const maxAhead = 2 * time.Minute

// Handle implements [invoke.Domain]: one reconcile for all messages of a batch, first
// of what they name, which may be urgent, and then of what a sweep finds.
func (r *Drainer) Handle(ctx context.Context, batch []event.Message) []error {
	errs := make([]error, len(batch))
	var m messages
	for i, message := range batch {
		errs[i] = r.add(ctx, &m, i, message)
	}
	r.announce(ctx, m.announce, errs)
	if len(m.reconcile)+len(m.sweeps) == 0 {
		return errs
	}
	// Each trigger may be of a group with a few target groups of its own. What else
	// has accrued is left to the tick that follows.
	n, forSweep := len(m.triggers), sweepCalls*min(1, len(m.sweeps))
	claimed := r.claim(ctx, m.tick, Budget{AutoScaling: min(2*n, wantLimit) + forSweep, Balancing: 6 * n, Deregister: 2 * n}, m.sweep)
	claimed.budget.AutoScaling = max(0, claimed.budget.AutoScaling-forSweep)
	if claimed.mine || n > 0 {
		err := r.Reconcile(ctx, Input{All: claimed.mine, Triggers: m.triggers, Budget: claimed.budget, Clock: claimed.clock})
		for _, i := range m.reconcile {
			errs[i] = cmp.Or(errs[i], err)
		}
	}
	if m.sweep != nil && !claimed.sweeping {
		err := r.handleSweep(ctx, *m.sweep, claimed)
		for _, i := range m.sweeps {
			errs[i] = err
		}
	}
	return errs
}

// wantLimit is how many calls to Auto Scaling events use at most, and sweepCalls how
// many a sweep does before it continues later.
const (
	wantLimit  = 20
	sweepCalls = 5
)

// handleSweep reconciles what a sweep finds, and all open drains where a tick is
// overdue. Else it leaves those to the tick: two reconciles at once would do
// everything twice.
func (r *Drainer) handleSweep(ctx context.Context, from sweepWork, claimed claim) error {
	found, open, next, err := r.sweep(ctx, from, claimed.clock, sweepCalls)
	if err != nil {
		r.log.ErrorContext(ctx, "sweep incomplete", "error", err)
		r.notifyDenied(ctx, err)
	}
	all := open > 0 && claimed.overdue && !claimed.mine
	var failed error
	if len(found) > 0 || all {
		failed = r.Reconcile(ctx, Input{All: all, Triggers: found, Budget: least, Clock: claimed.clock})
	}
	if next != (sweepWork{}) {
		return r.queue.Continue(ctx, continuation{Sweep: &next}, tickSoon) // the next sweep reconciles what has failed
	}
	return failed
}

// add adds what a message asks for.
func (r *Drainer) add(ctx context.Context, m *messages, i int, message event.Message) error {
	switch e := message.Event.(type) {
	case event.LifecycleAction:
		if e.Transition == event.Terminating && r.cfg.Hooks.Match(e.Hook) {
			return m.trigger(i, lifecycleTrigger(e))
		}
	case event.SpotInterruption:
		if r.cfg.OnSpotInterruption != Off {
			return m.trigger(i, Trigger{Instance: e.Instance, Cause: CauseSpot, At: e.Time})
		}
	case event.StateChange:
		if r.cfg.OnStateChange == Respond && (e.State == "stopping" || e.State == "shutting-down") {
			return m.trigger(i, Trigger{Instance: e.Instance, Cause: CauseStateChange})
		}
	case event.RebalanceRecommendation: // the group may say what to do
		return m.trigger(i, Trigger{Instance: e.Instance, Cause: CauseRebalance})
	case event.Maintenance:
		var failed error
		for _, id := range e.Instances {
			m.announce = append(m.announce, announcement{id, cmp.Or(e.Code, "EC2 maintenance") + ": " + e.Text, i})
			if r.cfg.OnMaintenance == Respond && !e.Over {
				failed = errors.Join(failed, m.trigger(i, Trigger{Instance: id, Cause: CauseMaintenance}))
			}
		}
		return failed
	case event.Continuation:
		return r.addContinuation(ctx, m, i, e)
	}
	r.log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%T", message.Event))
	return nil
}

// trigger adds a trigger. Nothing but an instance may have a record of its name.
func (m *messages) trigger(i int, t Trigger) error {
	if !instanceID.MatchString(t.Instance) {
		return fmt.Errorf("%q is not the ID of an instance", t.Instance)
	}
	m.triggers, m.reconcile = append(m.triggers, t), append(m.reconcile, i)
	return nil
}

func lifecycleTrigger(e event.LifecycleAction) Trigger {
	t := Trigger{Instance: e.Instance, Group: e.AutoScalingGroup, Cause: CauseLifecycle, Actions: []Action{{Hook: e.Hook, Token: e.Token, Began: e.Began}}}
	switch {
	case e.Action == event.ReplaceRootVolume:
		t.Returns = RootVolumeReplaced
	case e.Destination == event.WarmPool:
		t.Returns = ReturnedToWarmPool
	case e.Origin == event.WarmPool:
		t.FromWarmPool = true
	}
	return t
}

func (r *Drainer) addContinuation(ctx context.Context, m *messages, i int, e event.Continuation) error {
	var c continuation
	if err := e.Decode(&c); err != nil {
		return err
	}
	switch {
	case c.Tick != nil:
		slot := time.Unix(c.Tick.Slot, 0)
		if slot.After(r.now().Add(maxAhead)) {
			r.log.WarnContext(ctx, "tick from the future ignored", "slot", slot)
			return nil
		}
		m.reconcile = append(m.reconcile, i)
		if slot.After(m.tick) {
			m.tick = slot
		}
		for _, d := range c.Tick.Unsaved {
			d.Actions = slices.DeleteFunc(d.Actions, func(a Action) bool { return !r.cfg.Hooks.Match(a.Hook) })
			if err := m.trigger(i, d.trigger()); err != nil {
				return err
			}
		}
	case c.Sweep != nil:
		m.sweeps = append(m.sweeps, i)
		if m.sweep == nil || *c.Sweep != (sweepWork{}) {
			m.sweep = c.Sweep
		}
	default:
		return errors.New(`a continuation needs "tick" or "sweep"`)
	}
	return nil
}

// instanceID is the form of an instance's ID ("Resource IDs", Amazon EC2 User
// Guide).
var instanceID = regexp.MustCompile(`^i-[0-9a-f]+$`)

// Answer implements [invoke.Domain].
func (r *Drainer) Answer(ctx context.Context, e event.Request) (any, error) {
	var req request
	if err := e.Decode(&req); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains([]string{"status", "plan", "drain", "skip", "sweep"}, req.Action):
		return nil, fmt.Errorf(`action %q is not known: give "status", "plan", "drain", "skip" or "sweep"`, req.Action)
	case (req.Action == "drain" || req.Action == "skip" || req.Instance != "") && !instanceID.MatchString(req.Instance):
		return nil, fmt.Errorf(`action %q needs an "instance", such as "i-0123456789abcdef0", not %q`, req.Action, req.Instance)
	}
	budget := Budget{AutoScaling: 20, Balancing: 20, Deregister: 10}
	if req.Action == "status" || req.Action == "plan" {
		return r.status(ctx, req.Instance, req.Action == "plan", budget)
	}
	claimed := r.claim(ctx, time.Time{}, Budget{AutoScaling: 20, Balancing: 10, Deregister: 4}, nil)
	var err error
	if req.Action == "sweep" {
		err = r.handleSweep(ctx, sweepWork{}, claimed)
	} else {
		err = r.Reconcile(ctx, Input{Budget: claimed.budget, Triggers: []Trigger{{Instance: req.Instance, Cause: CauseOperator, Skip: req.Action == "skip"}}})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.Action, err)
	}
	return r.status(ctx, req.Instance, false, least)
}
