package drain

import (
	"fmt"
	"slices"
	"time"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Observed is what AWS says now about all the drains of one look.
type Observed struct {
	Now time.Time
	// Groups are the Auto Scaling groups by name. One that was asked about and
	// does not exist is nil; one that could not be asked about is not there.
	Groups map[string]*Group
	// TargetGroups are the target groups by ARN. One that does not exist has
	// no targets; one that could not be asked about is not there.
	TargetGroups map[string]TargetGroup
	// Commands are the commands' results by command ID and instance.
	Commands map[string]map[string]Result
	// Sent are the commands of this function that SSM lists, for drains of
	// which it is not known whether theirs was sent: by key and instance, the
	// command's ID. It is nil where SSM could not be asked.
	Sent map[string]map[string]string
}

// Group is an Auto Scaling group.
type Group struct {
	Name         string
	Tags         map[string]string
	TargetGroups []string          // ARNs
	Instances    map[string]string // the lifecycle state by instance
}

// TargetGroup is who is registered in a target group, by instance. An instance
// is there once for each port.
type TargetGroup map[string][]Target

// Target is one registration of an instance in a target group.
type Target struct {
	TargetGroup string // ARN
	Port        int32
	State       string // as in DescribeTargetHealth
}

func (t Target) String() string { return fmt.Sprintf("%s:%d", targetGroupName(t.TargetGroup), t.Port) }

// routed tells whether the load balancer may send requests to the target.
func (t Target) routed() bool { return !t.draining() && !t.out() }

// draining tells whether only requests in flight keep the target.
func (t Target) draining() bool { return t.State == string(elbtypes.TargetHealthStateEnumDraining) }

// out tells whether the target gets no requests and has none: it is not
// registered, its target group is in no use, or the instance is stopped.
func (t Target) out() bool { return t.State == string(elbtypes.TargetHealthStateEnumUnused) }

// Result is how a command stands on one instance.
type Result struct {
	Status string // as in ListCommandInvocations
	Over   bool
	Output string
}

// targets are the registrations of the drain's instance that matter, and the
// target groups of which that is not known.
func (o *Observed) targets(d Drain) (routed, draining []Target, unknown []string) {
	for _, arn := range d.Targets {
		group, ok := o.TargetGroups[arn]
		if !ok {
			unknown = append(unknown, targetGroupName(arn))
		}
		for _, t := range group[d.Instance] {
			switch {
			case t.draining():
				draining = append(draining, t)
			case t.routed():
				routed = append(routed, t)
			}
		}
	}
	return routed, draining, unknown
}

// held tells whether the instance may still wait for somebody to complete its
// actions. Where that is not known it may.
func (o *Observed) held(d Drain) bool {
	group, known := o.Groups[d.Group]
	switch {
	case d.Group == "" || !known:
		return true
	case group == nil:
		return false
	}
	state, in := group.Instances[d.Instance]
	switch {
	case !in:
		return false
	case len(d.Actions) == 0:
		return true // in service, and drained all the same
	}
	return waits(state) || d.ToWarmPool || state == inService && slices.ContainsFunc(d.Actions, func(a Action) bool {
		return o.Now.Before(a.Began.Add(stateLag))
	})
}

// stateLag is how long an event may be ahead of what DescribeAutoScalingGroups
// says, which is eventually consistent; AWS gives no figure.
const stateLag = 30 * time.Second
