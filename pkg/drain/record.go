package drain

import (
	"slices"
	"time"

	"deployhooks/pkg/notice"
)

// Drain is what is remembered of an instance that is drained. There is one for an
// instance, whatever started it: a Spot instance that is interrupted and then
// terminated by its group is drained once.
type Drain struct {
	Instance string `json:"instance"`
	// Group is the Auto Scaling group, empty for an instance in none.
	Group string    `json:"autoScalingGroup,omitempty"`
	Cause Cause     `json:"cause"`
	Since time.Time `json:"since"`
	// Actions are the lifecycle actions to complete in the end; none for an
	// instance that no hook keeps.
	Actions []Action `json:"actions,omitempty"`
	// Returns is [ReturnedToWarmPool] or [RootVolumeReplaced] for an instance that
	// will serve again, else empty.
	Returns Outcome `json:"returns,omitempty"`
	// FromWarmPool means that the instance ends in its warm pool.
	FromWarmPool bool `json:"fromWarmPool,omitempty"`
	// BalancersKnown means that the load balancers that the instance has to leave are known.
	BalancersKnown bool `json:"known,omitempty"`
	// Balancers are those, by the ID of a [Balancer].
	Balancers map[string]Left `json:"balancers,omitempty"`
	// Delay is how long leaving them may take, in seconds, and DelaySince from when on
	// that is known, zero while it is not.
	Delay      int       `json:"delay,omitempty"`
	DelaySince time.Time `json:"delaySince,omitzero"`
	Command    Command   `json:"command,omitzero"`
	// Skip means that the instance is completed without draining.
	Skip bool `json:"skip,omitempty"`
	// EC2EndsAt is when EC2 ends or has ended the instance, zero where nothing said
	// so.
	EC2EndsAt time.Time `json:"ec2EndsAt,omitzero"`
	// Managed means that the group has a hook or a tag of this function.
	Managed bool `json:"managed,omitempty"`
	// Ledger holds the notifications about the drain.
	Ledger notice.Ledger[Report] `json:"ledger,omitzero"`
	// Ended is when the drain ended, zero for an open one, and Outcome how.
	Ended   time.Time `json:"ended,omitzero"`
	Outcome Outcome   `json:"outcome,omitempty"`
}

// Left is how far an instance has left a target group or Classic Load Balancer.
type Left struct {
	// At is when this function last deregistered the instance, zero for never, and
	// Times how often.
	At    time.Time `json:"at,omitzero"`
	Times int       `json:"times,omitempty"`
	// Drained means that it was last seen without requests in flight.
	Drained bool `json:"drained,omitempty"`
}

// Action is a lifecycle action that waits for this function to complete it.
type Action struct {
	Hook string `json:"hook"`
	// Token tells the action from an earlier one of the same hook; empty where no
	// event said it.
	Token string `json:"token,omitempty"`
	// Began is when the instance began to wait, zero where no event said it.
	Began time.Time `json:"began,omitzero"`
	// Heartbeat is when Auto Scaling last accepted a heartbeat.
	Heartbeat time.Time `json:"heartbeat,omitzero"`
	// Timeout and Global are the hook's heartbeat timeout and the longest that the
	// action may take with heartbeats, in seconds; 0 while not known.
	Timeout int `json:"timeout,omitempty"`
	Global  int `json:"global,omitempty"`
	// Absent is when Auto Scaling said that there is no such action.
	Absent time.Time `json:"absent,omitzero"`
	// Tried is when a completion failed that may have had its effect.
	Tried time.Time `json:"tried,omitzero"`
}

// Command is the state of the shutdown command.
type Command struct {
	// Key marks the command in its comment. It is saved before the command is sent:
	// set without an ID, the command may have been sent or not.
	Key string `json:"key,omitempty"`
	// Asked is when Key was saved.
	Asked time.Time `json:"asked,omitzero"`
	// ID is SSM's.
	ID string `json:"id,omitempty"`
	// Over means that nothing more is expected of the command; Status is how it
	// ended, as SSM or this function says, and Output the beginning of its output.
	Over   bool   `json:"over,omitempty"`
	Status string `json:"status,omitempty"`
	Output string `json:"output,omitempty"`
}

func (d Drain) open() bool { return !d.Since.IsZero() && d.Ended.IsZero() }

// Trigger is a reason to drain an instance.
type Trigger struct {
	Instance string
	Group    string // empty where it is not known
	Cause    Cause
	Actions  []Action
	Returns  Outcome
	// FromWarmPool means that the instance ends in its warm pool.
	FromWarmPool bool
	Skip         bool
	At           time.Time // when it was announced, zero where it is not known
	record       *Drain    // of a drain that the table did not take
}

// merge brings a trigger into a drain that is new, open or ended, and reports
// whether there is anything to do about it.
func (d Drain) merge(t Trigger, now time.Time) (Drain, bool) {
	if t.record != nil && (d.Since.IsZero() || d.open() && d.endedBy(*t.record)) {
		return *t.record, true
	}
	fresh := slices.DeleteFunc(slices.Clone(t.Actions), func(a Action) bool {
		return d.has(a) && (d.Ended.IsZero() || !a.Began.After(d.Ended)) || d.open() && d.superseded(a)
	})
	if t.record == nil && (t.Cause == CauseSweep && d.mayWaitAgain(now) || t.Cause == CauseOperator && !d.Ended.IsZero()) {
		fresh = t.Actions // seen waiting now, whatever the record says
	}
	switch {
	case d.Since.IsZero():
		d = d.begin(t, now)
	case d.Ended.IsZero():
		d.Skip = d.Skip || t.Skip
		if end := t.ends(now); !end.IsZero() && (d.EC2EndsAt.IsZero() || end.Before(d.EC2EndsAt)) {
			d.EC2EndsAt = end
		}
		if t.Cause == CauseOperator && !d.terminating() {
			d.Cause = CauseOperator
		}
	case len(fresh) == 0 && (t.record != nil || t.Cause != CauseOperator && !d.announcedAnew(t, now) && !(t.Cause == CauseSweep && d.mayWaitAgain(now))):
		return d, false // it is over, and this came late
	case len(fresh) > 0 && t.Cause == CauseLifecycle && slices.ContainsFunc(fresh, d.again):
		// Back from the warm pool, the instance terminates another time.
		d = Drain{Instance: d.Instance, Ledger: d.Ledger.Keep(func(string) bool { return false })}.begin(t, now)
	default:
		// The command has run already.
		again := Drain{Instance: d.Instance, Command: d.Command, Ledger: d.Ledger, EC2EndsAt: d.EC2EndsAt}
		if now.Sub(d.Ended) > announcedTwice {
			again.Ledger = d.Ledger.Keep(func(string) bool { return false })
		}
		if now.Sub(d.Ended) > ec2EndIsPast {
			again.EC2EndsAt = time.Time{}
		}
		if !d.EC2EndsAt.IsZero() && !t.ends(now).IsZero() {
			again.Command = Command{} // EC2 has stopped and started it since
		}
		d = again.begin(t, now)
	}
	if len(fresh) > 0 {
		d.Actions = append(slices.Clone(d.Actions), fresh...)
		d.Returns, d.FromWarmPool = t.Returns, t.FromWarmPool
	}
	if d.Group == "" && t.Group != "" {
		d.Group, d.BalancersKnown = t.Group, false
	}
	return d, true
}

// trigger has a drain that the table did not take go on with what is in the table by
// now, and else by its own record.
func (d Drain) trigger() Trigger {
	return Trigger{Instance: d.Instance, Group: d.Group, Cause: d.Cause, Actions: d.Actions, Returns: d.Returns, FromWarmPool: d.FromWarmPool, Skip: d.Skip, At: d.Since, record: &d}
}

// since is when the drain began whose record a trigger brings, now for any other.
func (t Trigger) since(now time.Time) time.Time {
	if t.record != nil {
		return t.record.Since
	}
	return now
}

// endedBy reports whether a record is of the drain's end: it ended all that the drain
// is to complete.
func (d Drain) endedBy(record Drain) bool {
	return !record.Ended.IsZero() && !slices.ContainsFunc(d.Actions, func(a Action) bool { return !record.has(a) })
}

// announcedAnew reports whether the end of an instance is announced another time
// after a drain: the first time by EC2, or so late that it is no event delivered
// twice. EC2 may have stopped the instance, and started it again.
func (d Drain) announcedAnew(t Trigger, now time.Time) bool {
	switch t.Cause {
	case CauseSpot:
		if d.EC2EndsAt.IsZero() {
			return true
		}
	case CauseStateChange, CauseRebalance, CauseMaintenance:
	default:
		return false
	}
	return now.Sub(d.Ended) > announcedTwice && (t.At.IsZero() || t.At.After(d.Ended))
}

// announcedTwice is how long after a drain's end an announcement may come again that
// was delivered before.
const announcedTwice = 5 * time.Minute

// ec2EndIsPast is how long after its drain ended an instance that EC2 was to end
// counts as ended. One that is terminated later lives: it was stopped and started.
const ec2EndIsPast = time.Hour

// mayWaitAgain reports whether an instance whose drain has ended may wait for this
// function all the same: no action was completed then, or it serves again.
func (d Drain) mayWaitAgain(now time.Time) bool {
	switch d.Outcome {
	case Gone, TimedOut:
		return !d.Ended.IsZero()
	case ReturnedToWarmPool, RootVolumeReplaced:
		return now.Sub(d.Ended) > 2*time.Minute
	}
	return false
}

func (d Drain) begin(t Trigger, now time.Time) Drain {
	d.Group, d.Cause, d.Since, d.Skip = t.Group, t.Cause, now, t.Skip
	d.Returns, d.FromWarmPool = t.Returns, t.FromWarmPool
	if end := t.ends(now); !end.IsZero() {
		d.EC2EndsAt = end
	}
	return d
}

// eventDelay is how long an event may take that is not late. EC2 ends the instance no
// sooner than the two minutes after its time.
const eventDelay = 5 * time.Second

// ends is when EC2 ends the instance by what the trigger says, zero where it says
// nothing of that.
func (t Trigger) ends(now time.Time) time.Time {
	switch t.Cause {
	case CauseSpot:
		if said := t.At.Add(eventDelay); !t.At.IsZero() && said.Before(now) {
			return said.Add(spotNotice)
		}
		return now.Add(spotNotice)
	case CauseStateChange:
		return now
	}
	return time.Time{}
}

// has reports whether the drain knows of the action already.
func (d Drain) has(a Action) bool {
	return slices.ContainsFunc(d.Actions, func(b Action) bool {
		return a.Hook == b.Hook && (a.Token == b.Token || a.Token == "" || b.Token == "")
	})
}

// superseded reports whether the drain knows of a later action of the same hook: a
// hook keeps an instance once at a time, so this one is over.
func (d Drain) superseded(a Action) bool {
	return slices.ContainsFunc(d.Actions, func(b Action) bool {
		return a.Hook == b.Hook && !a.Began.IsZero() && b.Began.After(a.Began)
	})
}

// again reports whether an action is another one of a hook that the drain has
// completed an action of before.
func (d Drain) again(a Action) bool {
	return slices.ContainsFunc(d.Actions, func(b Action) bool { return a.Hook == b.Hook })
}

// terminating reports whether the instance is on its way out by now. One that is
// only recommended or announced to end may run for weeks, and is not shut down: its
// lifecycle action will come.
func (d Drain) terminating() bool {
	return len(d.Actions) > 0 || d.Cause == CauseOperator || !d.EC2EndsAt.IsZero()
}

// absent reports whether none of the actions is there any more.
func (d Drain) absent() bool {
	return len(d.Actions) > 0 && d.present() == 0
}

// kept is how long an ended drain is remembered, so that what comes late finds it:
// longer than any lifecycle action lasts (PutLifecycleHook, Amazon EC2 Auto Scaling
// API Reference: 48 hours).
const kept = 49 * time.Hour

// ended is the drain after its end: what tells late events from new ones, what an
// operator may ask for, and what is still to be sent.
func (d Drain) ended(outcome Outcome, now time.Time) Drain {
	d.Ended, d.Outcome = now, outcome
	d.Balancers, d.BalancersKnown, d.Delay, d.DelaySince, d.Command.Output = nil, false, 0, time.Time{}, ""
	d.Actions = slices.Clone(d.Actions)
	for i, a := range d.Actions {
		d.Actions[i] = Action{Hook: a.Hook, Token: a.Token}
	}
	return d
}
