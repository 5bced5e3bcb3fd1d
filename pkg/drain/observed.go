package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fleet"
)

// Observation is what AWS says now about the drains of one reconcile. What could
// not be read is missing; Failed says why.
type Observation struct {
	Now time.Time
	// Groups are the Auto Scaling groups by name, perhaps as an earlier reconcile
	// saw them; nil for one that does not exist.
	Groups map[string]*fleet.AutoScalingGroup
	// Fresh are those of them that were read just now.
	Fresh map[string]bool
	// Hooks are the lifecycle hooks by group.
	Hooks map[string][]fleet.LifecycleHook
	// Wanted are the load balancers that the instances of a group have to leave, by
	// group; "" is for instances in none.
	Wanted map[string]Wanted
	// Balancers are the load balancers by ID, perhaps as an earlier reconcile saw
	// them.
	Balancers map[string]Balancer
	// Targets are the registrations by load balancer and instance.
	Targets map[string]map[string][]fleet.Target
	// Found are the further load balancers that hold an instance, by instance.
	Found map[string][]string
	// Searched are the instances for which Found is complete.
	Searched map[string]bool
	// Commands are the commands' results by command ID and instance.
	Commands map[string]map[string]Result
	// Sent are the drain commands that SSM lists, by instance, of this installation
	// or another; nil where they could not be listed.
	Sent map[string][]SentCommand
	// Failed are the questions that got no answer.
	Failed map[Question]error
	// Left is what is left of the budget, and Deferred means that there was none for a
	// question.
	Left     Budget
	Deferred bool
}

// Question identifies what was asked of AWS.
type Question struct{ About, Name string }

// What questions are about.
const (
	aboutGroup    = "Auto Scaling group"
	aboutHooks    = "lifecycle hooks of"
	aboutWanted   = "load balancers of"
	aboutTargets  = "targets of"
	aboutBalancer = "attributes of"
	aboutCommand  = "shutdown command"
	aboutSent     = "commands sent"
	aboutSearch   = "target groups that hold the instance"
)

// Wanted are the load balancers that instances of a group have to leave.
type Wanted struct {
	Balancers []string // IDs
	Attached  []string // those that the group itself deregisters from
	// Rejected are the names that cannot be followed, each with the reason.
	Rejected []string
	// Complete means that asking again brings no more: what is missing is denied.
	Complete bool
}

// Balancer is a target group or Classic Load Balancer.
type Balancer struct {
	// ID is the target group's ARN, or [classicID] of the name.
	ID string
	// Network means that connections may come after the deregistration.
	Network bool
	// Delay is the deregistration delay or the connection draining timeout.
	Delay      time.Duration
	DelayKnown bool
}

// Target is one registration of an instance.
type Target struct {
	Balancer string
	fleet.Target
}

func (t Target) String() string {
	if t.Port == 0 {
		return balancerName(t.Balancer)
	}
	return fmt.Sprintf("%s:%d", balancerName(t.Balancer), t.Port)
}

// Result is how a command stands on one instance.
type Result struct {
	Status string // as in ListCommandInvocations
	Over   bool
	Output string
}

// SentCommand is a command that SSM lists.
type SentCommand struct {
	ID, Key string
	Asked   time.Time
}

// classicPrefix begins the IDs of Classic Load Balancers, whose names are no ARNs.
const classicPrefix = "classic:"

func classicID(name string) string { return classicPrefix + name }

func isClassic(id string) bool { return strings.HasPrefix(id, classicPrefix) }

func balancerName(id string) string {
	return fleet.TargetGroupName(strings.TrimPrefix(id, classicPrefix))
}

// tags are those of the drain's group.
func (o *Observation) tags(d Drain) map[string]string {
	if g := o.Groups[d.Group]; g != nil {
		return g.Tags
	}
	return nil
}

// instance is the drain's, as its group showed it just now.
func (o *Observation) instance(d Drain) (fleet.Instance, bool) {
	if g := o.Groups[d.Group]; g != nil && o.Fresh[d.Group] {
		return g.Instance(d.Instance)
	}
	return fleet.Instance{}, false
}

// routed reports whether the load balancer may send the target requests.
func routed(t fleet.Target) bool { return !t.Draining() && !t.Unused() }

// waiting reports whether the instance may still wait for its actions to be
// completed. Where that is not known it may. One that returns to its warm pool or
// ends there may be in any state, or in no list: only the completion shows.
func (o *Observation) waiting(d Drain) bool {
	if d.Group == "" || !o.Fresh[d.Group] || d.Returns != "" || d.FromWarmPool {
		return true
	}
	i, in := o.instance(d)
	switch {
	case !in: // it may have been detached, and EC2 ends it all the same
		return len(d.Actions) == 0 && o.Now.Before(d.EC2EndsAt)
	case len(d.Actions) == 0 || waits(i.State):
		return true
	}
	return i.InService() && slices.ContainsFunc(d.Actions, func(a Action) bool { return o.Now.Before(a.Began.Add(stateLag)) })
}

// stateLag is how long an event may be ahead of what DescribeAutoScalingGroups
// says, which is eventually consistent; AWS gives no figure.
const stateLag = 30 * time.Second

// waits reports by its lifecycle state whether an instance may wait for a terminate
// hook. Terminating comes before Terminating:Wait, and an event may be faster than
// the state.
func waits(state string) bool {
	return state == fleet.Terminating || state == fleet.TerminatingWait || returnsFrom(state) != "" || state == fleet.WarmedTerminatingWait
}

// returnsFrom is what becomes of an instance that waits in this state, if it will
// serve again.
func returnsFrom(state string) Outcome {
	switch state {
	case fleet.WarmedPendingWait:
		return ReturnedToWarmPool
	case fleet.ReplacingRootWait:
		return RootVolumeReplaced
	}
	return ""
}
