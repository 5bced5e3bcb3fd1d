// Package repair gives the Auto Scaling group of a CodeDeploy blue/green
// deployment its load balancing back.
//
// A deployment with COPY_AUTO_SCALING_GROUP replaces the blue group by a copy,
// the green one, that is attached to no target group: scale-in then kills
// instances that still take traffic, scale-out adds instances that never get
// any, and failed instances are not replaced. The function in functions/repair
// calls this package on every notification of CodeDeploy and on a schedule.
//
// All of it is one loop over a deployment group: observe what AWS says now
// (observe.go), hold back while a change would do harm (guard.go), plan what is
// missing (plan.go), apply it (apply.go), and look again until it is in service
// (handler.go). Events only say where to look. The last good picture of a
// deployment group's Auto Scaling group, its [Baseline], is kept in a table
// (table.go), so that what the deployment group does not name comes back too.
package repair

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Key names a CodeDeploy deployment group.
type Key struct {
	Application     string `json:"application"`
	DeploymentGroup string `json:"deploymentGroup"`
}

func (k Key) String() string { return k.Application + "/" + k.DeploymentGroup }

// Source is a traffic source of an Auto Scaling group, in the terms of
// AttachTrafficSources.
type Source struct {
	// Type is "elbv2" (a target group), "elb" (a Classic Load Balancer) or
	// "vpc-lattice" (a VPC Lattice target group).
	Type string `json:"type"`
	// ID is the target group's ARN, or the Classic Load Balancer's name.
	ID string `json:"id"`
}

// The types of traffic sources.
const (
	ELBV2      = "elbv2"
	ClassicELB = "elb"
	VPCLattice = "vpc-lattice"
)

// Name is the short name of the source: the name in a target group's ARN
// (arn:aws:elasticloadbalancing:…:targetgroup/<name>/<id>), else the ID itself.
func (s Source) Name() string {
	if s.Type == ELBV2 {
		if parts := strings.Split(s.ID, "/"); len(parts) == 3 {
			return parts[1]
		}
	}
	return s.ID
}

func (s Source) String() string {
	switch s.Type {
	case ELBV2:
		return "target group " + s.Name()
	case ClassicELB:
		return "Classic Load Balancer " + s.ID
	default:
		return "VPC Lattice target group " + s.ID
	}
}

func compareSources(a, b Source) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

// Hook is a lifecycle hook, with everything that PutLifecycleHook takes.
type Hook struct {
	Name       string `json:"name"`
	Transition string `json:"transition"`
	// Timeout is the heartbeat timeout in seconds, 30 to 7200.
	Timeout       int32  `json:"timeout"`
	DefaultResult string `json:"defaultResult"`
	Metadata      string `json:"metadata,omitempty"`
	TargetARN     string `json:"targetArn,omitempty"`
	RoleARN       string `json:"roleArn,omitempty"`
}

// Baseline is the last good picture of the Auto Scaling group of a deployment
// group: one with all the load balancing that the deployment group asks for.
type Baseline struct {
	Group   string    `json:"group"`
	Taken   time.Time `json:"taken"`
	Sources []Source  `json:"sources"`
	Hooks   []Hook    `json:"hooks,omitempty"`
	// Lost are hooks of an earlier group that could not be put back.
	Lost []Hook `json:"lost,omitempty"`
}

func (b *Baseline) equal(c *Baseline) bool {
	if b == nil || c == nil {
		return b == c
	}
	return b.Group == c.Group && slices.Equal(b.Sources, c.Sources) && slices.Equal(b.Hooks, c.Hooks) && slices.Equal(b.Lost, c.Lost)
}

// Record is what is remembered of a deployment group between invocations. Lost,
// it costs what only the baseline knew, and a notice told twice.
type Record struct {
	// Version counts the writes; 0 is a record that was never written.
	Version  int       `json:"-"`
	Baseline *Baseline `json:"baseline,omitempty"`
	// Pending lists changes that were sent to AWS and are not yet seen to
	// work.
	Pending []Change `json:"pending,omitempty"`
	// Since is when the first of Pending was sent.
	Since time.Time `json:"since,omitzero"`
	// Settle means that instances may have launched while AddToLoadBalancer
	// was suspended, and are still to be registered.
	Settle bool `json:"settle,omitempty"`
	// Failed is a failed or stopped deployment whose remains were not looked
	// at yet, because another deployment was in progress.
	Failed string `json:"failed,omitempty"`
	// Published is the group whose name stands in the SSM parameter.
	Published string `json:"published,omitempty"`
	// Deployment is the last deployment that was dealt with.
	Deployment string `json:"deployment,omitempty"`
	// Told are the outcomes that people were told of since the group was last
	// in order.
	Told []Told `json:"told,omitempty"`
	// Untold is an outcome that was about to be told, and may not have been.
	Untold Untold `json:"untold,omitzero"`
}

// Untold is an outcome that was tried to be told.
type Untold struct {
	Told
	Tries int       `json:"tries"`
	Tried time.Time `json:"tried"` // the last time
}

// Told identifies an outcome, so that nobody is told the same twice.
type Told struct {
	Group   string  `json:"autoScalingGroup,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Matter is what the outcome is about, without figures that change.
	Matter string `json:"matter,omitempty"`
}

// Outcome is how the work on a deployment group ended.
type Outcome string

const (
	// Repaired means that changes were made and are seen to work.
	Repaired Outcome = "repaired"
	// Unchanged means that everything was as it should be.
	Unchanged Outcome = "unchanged"
	// Applied means that changes were sent, and that a later look will tell
	// whether they work.
	Applied Outcome = "applied"
	// Planned means that changes are due and that this was a dry run.
	Planned Outcome = "planned"
	// Waiting means that a change is due and would do harm, or fail, now.
	Waiting Outcome = "waiting"
	// Refused means that a person has to do something first.
	Refused Outcome = "refused"
	// Ignored means that the deployment group is not this function's business.
	Ignored Outcome = "ignored"
)

// Result is what came of the work on one deployment group. It is what a direct
// invocation returns, and the detail of the EventBridge event.
type Result struct {
	Key
	// Group is the Auto Scaling group that the deployment group names now.
	Group      string  `json:"autoScalingGroup,omitempty"`
	Deployment string  `json:"deployment,omitempty"`
	Outcome    Outcome `json:"outcome"`
	Reason     string  `json:"reason,omitempty"`
	Remedy     string  `json:"remedy,omitempty"`
	// Changes are the changes made, or, in a dry run, due.
	Changes []Change `json:"changes"`
	// LeftBehind is the replacement group that a failed deployment left
	// running.
	LeftBehind *LeftBehind `json:"leftBehind,omitempty"`
}

// LeftBehind is a green group that a failed or stopped deployment left.
type LeftBehind struct {
	Group      string `json:"autoScalingGroup"`
	Deployment string `json:"deployment"`
	Instances  int    `json:"instances"`
}
