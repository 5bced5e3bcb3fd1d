// Package drain takes an instance out of service before it goes, so that no
// request is lost: out of every target group it is registered in, then the
// shutdown command if there is one, then the lifecycle action is completed. The
// function in functions/drain calls it for lifecycle actions, Spot
// interruptions and operators, for its own ticks, and on a schedule.
//
// All open drains share one look: what AWS says now is asked once for all of
// them (observe.go), each one's next step is planned apart (plan.go), and the
// steps are carried out together (apply.go). While drains are open, a look begins
// by sending the next tick, a message with a delay (tick.go), so that a function
// that dies in the middle is followed by another; nothing sleeps.
//
// A drain's state is one item of a table (table.go), not the message's: a
// message delivered twice then starts nothing twice, and whatever looks next
// (a tick, an event, the sweep) takes up what any other look has left.
package drain

import (
	"slices"
	"time"
)

// Drain is what is remembered of an instance that is on its way out. There is
// one for an instance, whatever brought it: a Spot instance that is interrupted
// and then terminated by its group drains once.
type Drain struct {
	Instance string `json:"-"`
	// Version counts the writes; 0 is a drain that was never written.
	Version int `json:"-"`
	// Group is the Auto Scaling group, empty for an instance in none.
	Group string    `json:"autoScalingGroup,omitempty"`
	Cause Cause     `json:"cause"`
	Since time.Time `json:"since"`
	// Actions are the lifecycle actions to complete in the end; none for an
	// instance that no hook holds.
	Actions []Action `json:"actions,omitempty"`
	// Beat is when the actions' timeouts last began anew.
	Beat time.Time `json:"beat"`
	// Known says that Targets, Delay and the actions' timeouts were found out.
	Known bool `json:"known,omitempty"`
	// Targets are the ARNs of the target groups to leave.
	Targets []string `json:"targetGroups,omitempty"`
	// Delay is the longest deregistration delay of Targets, in seconds.
	Delay int `json:"delay,omitempty"`
	// Command is how far the shutdown command has come.
	Command Command `json:"command,omitzero"`
	// ToWarmPool says that the instance does not die: there is nothing to wait
	// for, and nothing to shut down.
	ToWarmPool bool `json:"toWarmPool,omitempty"`
	// Skip says that an operator wants the instance let go as it is.
	Skip bool `json:"skip,omitempty"`
	// Interrupted is when EC2 takes the Spot instance back, zero unless it said so.
	Interrupted time.Time `json:"interrupted,omitzero"`
	// Ours says that somebody has given the group into our hands, by a hook or a
	// tag.
	Ours bool `json:"ours,omitempty"`
	// Told are the matters that people were told of, and Untold counts the times
	// that they could not be told of the end.
	Told   []string `json:"told,omitempty"`
	Untold int      `json:"untold,omitempty"`
	// Ended is when the drain was over, zero for an open one.
	Ended time.Time `json:"ended,omitzero"`
	// Outcome is how it ended.
	Outcome Outcome `json:"outcome,omitempty"`

	// changed says that the drain is to be written, and trouble what went wrong
	// for it in this look.
	changed bool
	// lost says that another look is at the drain.
	lost bool
	// dropped says that the drain's item is to be deleted.
	dropped bool
	trouble error
}

// Cause is what started a drain.
type Cause string

// The causes of a drain.
const (
	Lifecycle Cause = "lifecycle"   // a lifecycle action's event
	Spot      Cause = "spot"        // a Spot interruption warning
	Rebalance Cause = "rebalance"   // a rebalance recommendation, where the configuration says so
	Announced Cause = "maintenance" // announced by AWS Health, likewise
	Operator  Cause = "operator"    // a person
	Swept     Cause = "sweep"       // found waiting, carried by nobody
)

// Action is a lifecycle action that waits for this function to complete it.
type Action struct {
	Hook string `json:"hook"`
	// Token tells the action from an earlier one of the same hook; empty where
	// no event told it.
	Token string `json:"token,omitempty"`
	// Began is when the instance began to wait, zero where no event told it.
	Began time.Time `json:"began,omitzero"`
	// Timeout and Global are the hook's heartbeat timeout and the longest that
	// the action may take with heartbeats, in seconds; 0 while not known.
	Timeout int `json:"timeout,omitempty"`
	Global  int `json:"global,omitempty"`
}

// Command is the state of the shutdown command.
type Command struct {
	// Key marks the command in its Comment. It is written before the command
	// is sent: set without an ID, the command may have been sent or not.
	Key string `json:"key,omitempty"`
	// Asked is when Key was written.
	Asked time.Time `json:"asked,omitzero"`
	// ID is SSM's.
	ID string `json:"id,omitempty"`
	// Over says that no more is to be expected of the command, Status how it
	// ended, in SSM's words or ours, and Output the beginning of what it wrote.
	Over   bool   `json:"over,omitempty"`
	Status string `json:"status,omitempty"`
	Output string `json:"output,omitempty"`
}

func (d Drain) open() bool { return d.Version > 0 && d.Ended.IsZero() }

// remembered is what is kept of a drain that has ended: enough to know what
// comes late, and what an operator may ask. All of these are read at each look.
func (d Drain) remembered() Drain {
	for i := range d.Actions {
		d.Actions[i] = Action{Hook: d.Actions[i].Hook, Token: d.Actions[i].Token}
	}
	return Drain{
		Instance: d.Instance, Version: d.Version, Group: d.Group, Cause: d.Cause, Since: d.Since, Actions: d.Actions,
		Command: Command{Key: d.Command.Key, ID: d.Command.ID, Over: d.Command.Over, Status: d.Command.Status},
		Told:    d.Told, Interrupted: d.Interrupted, Ended: d.Ended, Outcome: d.Outcome,
		changed: d.changed, lost: d.lost, trouble: d.trouble,
	}
}

// holds tells whether the drain knows of the action already.
func (d Drain) holds(a Action) bool {
	return slices.ContainsFunc(d.Actions, func(b Action) bool {
		return a.Hook == b.Hook && (a.Token == b.Token || a.Token == "" || b.Token == "")
	})
}

// timeout is the shortest heartbeat timeout of the actions, 0 without any. One
// that is not known is taken for the shortest that AWS has.
func (d Drain) timeout() time.Duration {
	var shortest time.Duration
	for _, a := range d.Actions {
		t := minHeartbeat
		if a.Timeout > 0 {
			t = time.Duration(a.Timeout) * time.Second
		}
		if shortest == 0 || t < shortest {
			shortest = t
		}
	}
	return shortest
}

// timesOut is when the first of the actions ends by itself.
func (d Drain) timesOut() time.Time { return d.Beat.Add(d.timeout()) }

// Limits of EC2 and Auto Scaling.
const (
	// minHeartbeat is the shortest heartbeat timeout of a hook (PutLifecycleHook,
	// Amazon EC2 Auto Scaling API Reference).
	minHeartbeat = 30 * time.Second
	// maxHeartbeat is the longest (same page).
	maxHeartbeat = 7200 * time.Second
	// spotNotice is what is left of a Spot instance's life at its warning ("Spot
	// Instance interruption notices", Amazon EC2 User Guide).
	spotNotice = 2 * time.Minute
	// maxDelay is the longest deregistration delay ("Edit target group
	// attributes", Elastic Load Balancing).
	maxDelay = time.Hour
)

// deadline is when the instance is let go whatever is still in flight: after
// the deregistration delay and the command's time, with patience for a service
// that does not answer. It is earlier where the configuration, the end of the
// action or the end of a Spot instance say so.
func (d Drain) deadline(cfg Config) time.Time {
	delay := maxDelay
	if d.Known {
		delay = time.Duration(d.Delay) * time.Second
	}
	left := delay + cfg.CommandTimeout + patience
	if cfg.Deadline > 0 {
		left = min(left, cfg.Deadline)
	}
	end := d.Since.Add(left)
	if !d.Interrupted.IsZero() && d.Interrupted.Before(end) {
		end = d.Interrupted
	}
	for _, a := range d.Actions {
		if last := a.last(d.Since); a.Global > 0 && last.Before(end) {
			end = last
		}
	}
	return end
}

// last is the last instant at which the action is sure to be there, with some
// time to complete it. An action that nobody has heard of before it was seen can
// have waited for one timeout at most: no heartbeat came for it.
func (a Action) last(seen time.Time) time.Time {
	began := a.Began
	if began.IsZero() {
		began = seen.Add(-time.Duration(a.Timeout) * time.Second)
	}
	return began.Add(time.Duration(a.Global)*time.Second - spare)
}

const (
	// spare is what the end of an action leaves for late looks and retries.
	spare = 2 * time.Minute
	// patience is how long an instance is held because a service does not say
	// whether requests are in flight.
	patience = 15 * time.Minute
)
