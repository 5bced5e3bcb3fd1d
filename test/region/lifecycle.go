package region

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// The transitions at which lifecycle hooks fire.
const (
	onLaunching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	onTerminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// The results of a lifecycle action.
const (
	resultContinue = "CONTINUE"
	resultAbandon  = "ABANDON"
)

// Ending is how a lifecycle action came to its end.
type Ending string

// The endings of lifecycle actions.
const (
	Active        Ending = ""              // it has not ended
	Completed     Ending = "completed"     // by CompleteLifecycleAction
	TimedOutWait  Ending = "timed out"     // no heartbeat came in time: the default result
	GlobalTimeout Ending = "global time"   // heartbeats came, but the action's whole time is up
	Stopped       Ending = "stopped"       // another hook's ABANDON ended it
	HookDeleted   Ending = "hook deleted"  // with its hook
	InstanceGone  Ending = "instance gone" // its instance left in another way
)

// action is a lifecycle action: what one instance waits for on behalf of one
// hook.
type action struct {
	token      string
	hook       asg.LifecycleHook // as it was when the action began
	instance   *instance
	wait       *wait
	passage    passage
	began      time.Time
	due        time.Time // when the heartbeat timeout ends it
	last       time.Time // when the global timeout does
	heartbeats int
	ended      time.Time
	drained    time.Time // see LifecycleAction.Drained
	ending     Ending
	result     string
}

// passage is what an instance is going through when its hooks run.
type passage struct {
	transition, origin, destination string
	// action is set where the instance stays the same: ReplaceRootVolume.
	action string
	waits  asg.LifecycleState // the state in which it waits
}

// wait is an instance's stay in Pending:Wait, Terminating:Wait and the like. Its hooks
// run side by side; the instance proceeds when the last action has ended.
type wait struct {
	actions []*action
	left    int
	result  string
	then    func(result string)
}

// runHooks puts an instance into a wait state if its group has hooks for the
// transition, and calls then when their actions have all ended; without hooks
// it calls it at once. CodeDeploy's own launch hook is not among them: its
// deployment is simulated for itself.
func (r *Region) runHooks(i *instance, p passage, then func(result string)) {
	var hooks []asg.LifecycleHook
	for _, h := range sorted(i.group.hooks) {
		if *h.LifecycleTransition == p.transition && !strings.HasPrefix(*h.LifecycleHookName, hookPrefix) {
			hooks = append(hooks, h)
		}
	}
	if len(hooks) == 0 {
		then(resultContinue)
		return
	}
	i.lifecycle = p.waits
	w := &wait{left: len(hooks), result: resultContinue, then: then}
	i.waiting = w
	for _, h := range hooks {
		r.beginAction(w, i, h, p)
	}
}

func (r *Region) beginAction(w *wait, i *instance, h asg.LifecycleHook, p passage) {
	now := r.clock.now
	a := &action{
		token: r.ids.uuid("lifecycle action"), hook: h, instance: i, wait: w, passage: p,
		began: now, due: now.Add(seconds(h.HeartbeatTimeout)), last: now.Add(seconds(h.GlobalTimeout)),
	}
	w.actions = append(w.actions, a)
	r.actions[a.token] = a
	r.lifecycleActions = append(r.lifecycleActions, a)
	r.at(earlier(a.due, a.last), func() { r.expire(a) })
	r.emitAction(a)
	if strings.HasPrefix(*h.LifecycleHookName, terminationHookPrefix) {
		r.deployToTerminating(a)
	}
}

// expire ends an action whose time is up with its hook's default result. "By
// default, the instance remains in a wait state for one hour", the heartbeat
// timeout, and "the maximum amount of time that you can keep an instance in a
// wait state is 48 hours or 100 times the heartbeat timeout, whichever is
// smaller" (Auto Scaling user guide, "Lifecycle hooks", considerations).
func (r *Region) expire(a *action) {
	now, ending := r.clock.now, TimedOutWait
	switch {
	case a.ending != Active:
		return
	case !now.Before(a.last):
		ending = GlobalTimeout
	case now.Before(a.due): // there was a heartbeat
		r.at(earlier(a.due, a.last), func() { r.expire(a) })
		return
	}
	r.endAction(a, ending, *a.hook.DefaultResult)
}

// endAction ends one action of a wait, and the wait with the last one. "If an
// instance is terminating, both ABANDON and CONTINUE allow it to terminate.
// However, ABANDON stops any remaining actions, such as other lifecycle
// hooks, while CONTINUE allows any other lifecycle hooks to complete"; for
// one that is launching, ABANDON means that it is terminated ("Complete a
// lifecycle action in an Auto Scaling group"). Instance lifecycle policies,
// which may retain an instance then, are not simulated.
func (r *Region) endAction(a *action, ending Ending, result string) {
	w := a.wait
	r.close(a, ending, result)
	if result == resultAbandon {
		w.result = resultAbandon
		for _, other := range w.actions {
			if other.ending == Active {
				r.close(other, Stopped, resultAbandon)
			}
		}
	}
	if w.left > 0 || a.instance.waiting != w {
		return
	}
	r.after(0, func() {
		if a.instance.waiting == w {
			a.instance.waiting = nil
			w.then(w.result)
		}
	})
}

func (r *Region) close(a *action, ending Ending, result string) {
	a.ending, a.result, a.ended, a.drained = ending, result, r.clock.now, a.instance.drained
	a.wait.left--
	delete(r.actions, a.token)
}

// endWait ends the wait of an instance that leaves in another way: nobody can
// complete its actions any more (assumed).
func (r *Region) endWait(i *instance) {
	w := i.waiting
	if w == nil {
		return
	}
	i.waiting = nil
	for _, a := range w.actions {
		if a.ending == Active {
			r.close(a, InstanceGone, "")
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// LifecycleAction is a lifecycle action as tests see it.
type LifecycleAction struct {
	Token, Group, Hook, Instance string
	// Transition is autoscaling:EC2_INSTANCE_LAUNCHING or _TERMINATING.
	Transition string
	// Destination is where the instance goes: EC2, AutoScalingGroup or
	// WarmPool.
	Destination string
	Began       time.Time
	// Ended, Ending and Result are not set while the action is active.
	Ended  time.Time
	Ending Ending
	Result string // CONTINUE or ABANDON
	// Heartbeats is how many were recorded.
	Heartbeats int
	// Drained is when the last of the instance's targets ceased to be shown as
	// draining, zero if it had none: an instance that is kept longer waits for
	// nothing.
	Drained time.Time
}

// LifecycleActions are all lifecycle actions since the beginning, in the
// order in which they began.
func (r *Region) LifecycleActions() []LifecycleAction {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]LifecycleAction, 0, len(r.lifecycleActions))
	for _, a := range r.lifecycleActions {
		drained := a.drained
		if a.ending == Active {
			drained = a.instance.drained
		}
		all = append(all, LifecycleAction{
			Token: a.token, Group: a.instance.group.name, Hook: *a.hook.LifecycleHookName, Instance: a.instance.id,
			Transition: aws.ToString(a.hook.LifecycleTransition), Destination: a.passage.destination,
			Began: a.began, Ended: a.ended, Ending: a.ending, Result: a.result, Heartbeats: a.heartbeats, Drained: drained,
		})
	}
	return all
}

// ActiveActions is the number of lifecycle actions that have not ended: cheap
// enough to be asked after every event.
func (r *Region) ActiveActions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.actions)
}
