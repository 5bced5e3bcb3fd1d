package drain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// ask is a wish that an instance be drained.
type ask struct {
	Instance   string
	Group      string // empty where the ask does not say
	Cause      Cause
	Actions    []Action
	Began      time.Time // of Actions, zero where the ask does not say
	ToWarmPool bool
	Skip       bool
	message    string // that brought it
}

// started are the drains that the asks come to: new ones, known ones that go on
// with what is new about them, and none for asks that come late.
func (r *Drainer) started(asks []ask, known map[string]Drain) map[string]*Drain {
	drains := map[string]*Drain{}
	for _, a := range asks {
		d := drains[a.Instance]
		if d == nil {
			was := known[a.Instance]
			d = &was
			d.Instance = a.Instance
		}
		if d.take(a, r.now()) {
			drains[a.Instance] = d
		}
	}
	return drains
}

// take brings an ask into a drain that is new, open or ended, and tells whether
// there is anything to do about it.
func (d *Drain) take(a ask, now time.Time) bool {
	fresh := slices.DeleteFunc(slices.Clone(a.Actions), func(action Action) bool {
		return d.holds(action) && (d.Ended.IsZero() || !a.Began.After(d.Ended))
	})
	if a.Cause == Swept && d.letGoUncompleted() || a.Cause == Operator && !d.Ended.IsZero() {
		fresh = a.Actions // they see it wait, whatever was believed before
	}
	switch {
	case d.Version == 0 && d.Since.IsZero():
		d.begin(a, now)
	case d.Ended.IsZero():
		d.Skip = d.Skip || a.Skip
		d.changed = d.changed || a.Skip
		if a.Cause == Spot && d.Interrupted.IsZero() {
			d.Interrupted, d.changed = now.Add(spotNotice), true
		}
		if a.Cause == Operator && !d.goes() {
			d.Cause, d.changed = Operator, true
		}
	case len(fresh) == 0 && a.Cause != Operator && (a.Cause != Spot || !d.Interrupted.IsZero()):
		return false // it is over, and this came late
	case a.Cause == Lifecycle && slices.ContainsFunc(fresh, d.again):
		// Back from the warm pool, the instance goes another time.
		*d = Drain{Instance: d.Instance, Version: d.Version}
		d.begin(a, now)
	default:
		// The command has run already.
		*d = Drain{Instance: d.Instance, Version: d.Version, Command: d.Command}
		d.begin(a, now)
	}
	if len(fresh) > 0 {
		for _, action := range fresh {
			action.Began = a.Began
			d.Actions = append(d.Actions, action)
		}
		// Where nobody knows how long it has waited, a heartbeat is due.
		d.Known, d.changed, d.Beat = false, true, a.Began
		d.ToWarmPool = a.ToWarmPool
	}
	if d.Group == "" {
		d.Group = a.Group
	}
	return true
}

// letGoUncompleted tells whether the drain ended without completing an action of
// an instance that was to die: gone by an answer that was old, back to its warm
// pool, or timed out. Such an instance may wait again.
func (d *Drain) letGoUncompleted() bool {
	return !d.Ended.IsZero() && slices.Contains([]Outcome{Gone, Returned, TimedOut}, d.Outcome)
}

func (d *Drain) begin(a ask, now time.Time) {
	d.Group, d.Cause, d.Since, d.Skip, d.changed = a.Group, a.Cause, now, a.Skip, true
	if a.Cause == Spot {
		d.Interrupted = now.Add(spotNotice)
	}
}

// again tells whether an action is another one of a hook that the drain has
// completed an action of before.
func (d *Drain) again(a Action) bool {
	return slices.ContainsFunc(d.Actions, func(b Action) bool { return a.Hook == b.Hook })
}

// describeInstancesLimit is how many instances DescribeAutoScalingInstances
// takes (Amazon EC2 Auto Scaling API Reference).
const describeInstancesLimit = 50

// place finds out for asks that do not say it which group the instance is in
// and, where it already waits for our hooks, which they are. An instance in no
// group keeps none.
func (r *Drainer) place(ctx context.Context, asks []ask) error {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	var ids []string
	for _, a := range asks {
		if a.Group == "" {
			ids = append(ids, a.Instance)
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(slices.Compact(ids), describeInstancesLimit) {
		out, err := r.clients.Groups.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: chunk})
		if err != nil {
			return fmt.Errorf("find the Auto Scaling groups of %d instances: %w", len(chunk), err)
		}
		for _, found := range out.AutoScalingInstances {
			var held []Action
			if aws.ToString(found.LifecycleState) == terminatingWait {
				if held, err = r.ourHooks(ctx, aws.ToString(found.AutoScalingGroupName)); err != nil {
					return err
				}
			}
			for i := range asks {
				if a := &asks[i]; a.Group == "" && a.Instance == aws.ToString(found.InstanceId) {
					a.Group, a.Actions = aws.ToString(found.AutoScalingGroupName), held
				}
			}
		}
	}
	return nil
}
