// Package fleet reads what a deployment hook needs to know of a fleet: Auto
// Scaling groups, their lifecycle hooks and traffic sources, target groups and
// the health of their targets. It holds one set of types and one reader for each
// question, for all domains. It changes nothing.
//
// Readers follow every page of a list. A thing that does not exist is missing
// from the answer and is no error, unless a reader says otherwise.
package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// AutoScalingGroup is an Auto Scaling group as DescribeAutoScalingGroups shows
// it.
type AutoScalingGroup struct {
	Name string
	// ARN holds an ID of its own: a group deleted and created anew under its old
	// name has another ARN.
	ARN     string
	Created time.Time
	Desired int
	// Deleting means that the group is being deleted.
	Deleting bool
	// ELBChecked means that the group replaces instances that a load balancer
	// reports as unhealthy, once the traffic source is InService ("Health checks
	// for instances in an Auto Scaling group", Amazon EC2 Auto Scaling User Guide).
	ELBChecked bool
	// Suspended are the names of its suspended processes, sorted.
	Suspended []string
	// Instances leaves out those in the group's warm pool: see [WarmPool].
	Instances []Instance
	Tags      map[string]string
	// Sources are the attached traffic sources, sorted, in whichever of the
	// answer's three lists each stands. Their states take [TrafficSources].
	Sources []TrafficSource
	// HasWarmPool means that the group has a warm pool, or is removing one.
	HasWarmPool bool
	// Described is the whole description, for what only one reader needs.
	Described autoscalingtypes.AutoScalingGroup
}

// IsSuspended reports whether a process is suspended.
func (g *AutoScalingGroup) IsSuspended(process string) bool {
	return slices.Contains(g.Suspended, process)
}

// Instance finds an instance of the group by its ID.
func (g *AutoScalingGroup) Instance(id string) (Instance, bool) {
	i := slices.IndexFunc(g.Instances, func(i Instance) bool { return i.ID == id })
	if i < 0 {
		return Instance{}, false
	}
	return g.Instances[i], true
}

// HasTag reports whether the group has the tag with exactly this value.
func (g *AutoScalingGroup) HasTag(key, value string) bool {
	got, ok := g.Tags[key]
	return ok && got == value
}

// Instance is an instance of an Auto Scaling group.
type Instance struct {
	ID string
	// State is the lifecycle state, such as InService or Terminating:Wait
	// ("Amazon EC2 Auto Scaling instance lifecycle").
	State string
	// Protected means that a scale-in does not choose the instance.
	Protected bool
	// Unhealthy means that the group has found the instance unhealthy and replaces
	// it; it may have ended already ("Health checks for instances in an Auto Scaling
	// group", Amazon EC2 Auto Scaling User Guide).
	Unhealthy bool
}

// newInstance is an instance as the answers of Auto Scaling show it.
func newInstance(id *string, state string, protected *bool, health string) Instance {
	return Instance{ID: aws.ToString(id), State: state, Protected: aws.ToBool(protected), Unhealthy: strings.EqualFold(health, "Unhealthy")}
}

// Lifecycle states that the domains decide by ("Amazon EC2 Auto Scaling instance
// lifecycle" and "Lifecycle state transitions for instances in a warm pool",
// Amazon EC2 Auto Scaling User Guide).
const (
	InService             = "InService"
	Standby               = "Standby"
	Terminating           = "Terminating"
	TerminatingWait       = "Terminating:Wait"
	WarmedPendingWait     = "Warmed:Pending:Wait"
	WarmedTerminatingWait = "Warmed:Terminating:Wait"
	ReplacingRootWait     = "ReplacingRootVolume:Wait"
)

// InService reports whether the instance counts as capacity of its group.
func (i Instance) InService() bool { return i.State == InService }

// TrafficSource is a traffic source of an Auto Scaling group, in the terms of
// AttachTrafficSources.
type TrafficSource struct {
	// Type is [ELBV2], [ClassicELB] or [VPCLattice].
	Type string `json:"type"`
	// ID is the target group's ARN, or the Classic Load Balancer's name.
	ID string `json:"id"`
}

// The types of traffic sources (AttachTrafficSources, Amazon EC2 Auto Scaling API
// Reference).
const (
	ELBV2      = "elbv2"       // a target group of Elastic Load Balancing
	ClassicELB = "elb"         // a Classic Load Balancer
	VPCLattice = "vpc-lattice" // a target group of VPC Lattice
)

// newTrafficSource is a traffic source as the answers of Auto Scaling show it. They
// may leave out the type where the ID says it (TrafficSourceIdentifier, Amazon EC2
// Auto Scaling API Reference).
func newTrafficSource(kind, id *string) TrafficSource {
	s := TrafficSource{aws.ToString(kind), aws.ToString(id)}
	switch {
	case s.Type != "":
	case strings.Contains(s.ID, ":elasticloadbalancing:"):
		s.Type = ELBV2
	case strings.Contains(s.ID, ":vpc-lattice:"):
		s.Type = VPCLattice
	default:
		s.Type = ClassicELB
	}
	return s
}

// Name is the target group's name for [ELBV2], else the ID.
func (s TrafficSource) Name() string {
	if s.Type == ELBV2 {
		return TargetGroupName(s.ID)
	}
	return s.ID
}

func (s TrafficSource) String() string {
	switch s.Type {
	case ELBV2:
		return "target group " + s.Name()
	case ClassicELB:
		return "Classic Load Balancer " + s.ID
	default:
		return "VPC Lattice target group " + s.ID
	}
}

// CompareTrafficSources orders traffic sources by type and ID.
func CompareTrafficSources(a, b TrafficSource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

// States of a traffic source (DescribeTrafficSources, Amazon EC2 Auto Scaling API
// Reference). A source reaches InService only on a group that uses its health
// checks, when at least one instance is healthy.
const (
	SourceAdding    = "Adding"
	SourceAdded     = "Added"
	SourceInService = "InService"
	SourceRemoving  = "Removing"
	SourceRemoved   = "Removed"
)

// Attached reports whether a traffic source in this state is attached, or is
// about to be.
func Attached(state string) bool {
	return state == SourceAdding || state == SourceAdded || state == SourceInService
}

// LifecycleHook is a lifecycle hook with everything that PutLifecycleHook takes.
type LifecycleHook struct {
	Name       string `json:"name"`
	Transition string `json:"transition"`
	// Timeout is the heartbeat timeout in seconds, 30 to 7200, and Global the
	// longest that an action may take with heartbeats: the lesser of 172800 and
	// 100 times the timeout (PutLifecycleHook, Amazon EC2 Auto Scaling API
	// Reference).
	Timeout       int32  `json:"timeout"`
	Global        int32  `json:"-"`
	DefaultResult string `json:"defaultResult"`
	Metadata      string `json:"metadata,omitempty"`
	TargetARN     string `json:"targetArn,omitempty"`
	RoleARN       string `json:"roleArn,omitempty"`
}

// ManagedHook begins the names of the lifecycle hooks that CodeDeploy puts and
// removes itself (observed).
const ManagedHook = "CodeDeploy-managed-"

// ProvisioningTag holds, on an Auto Scaling group that CodeDeploy made, the ID of
// the deployment that made it (observed).
const ProvisioningTag = "CodeDeployProvisioningDeploymentId"

// TargetGroup is a target group of Elastic Load Balancing.
type TargetGroup struct {
	ARN  string
	Name string
	// TargetType is instance, ip, lambda or alb; Auto Scaling works with instance
	// only.
	TargetType string
	// Protocol is HTTP or HTTPS behind an Application Load Balancer; TCP, TLS, UDP
	// or TCP_UDP behind a Network Load Balancer; GENEVE behind a Gateway one.
	Protocol string
	// InUse means that a load balancer sends it requests.
	InUse bool
}

// Network reports whether the target group is one of a Network Load Balancer.
func (t TargetGroup) Network() bool {
	return slices.Contains([]string{"TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"}, t.Protocol)
}

// InstanceTargets is the target type that Auto Scaling works with.
const InstanceTargets = "instance"

// Target is one registration in a target group. An instance has one for each of
// its ports.
type Target struct {
	Instance string
	Port     int32
	// State and Reason are those of DescribeTargetHealth.
	State, Reason string
}

// States of a target (TargetHealth, Elastic Load Balancing API Reference).
const (
	TargetInitial           = "initial"
	TargetHealthy           = "healthy"
	TargetUnhealthy         = "unhealthy"
	TargetUnhealthyDraining = "unhealthy.draining"
	TargetUnused            = "unused"
	TargetDraining          = "draining"
	TargetUnavailable       = "unavailable"
)

// Draining reports whether the target is deregistered and may still have requests
// in flight. An Application Load Balancer shows a target as draining until the
// deregistration delay has elapsed, requests or not ("Edit target group
// attributes for your Application Load Balancer").
func (t Target) Draining() bool { return t.State == TargetDraining }

// Unused reports whether the target gets no requests and has none: it is not
// registered, its target group is behind no load balancer, or it is stopped.
func (t Target) Unused() bool { return t.State == TargetUnused }

// Registered reports whether the load balancer may send the target requests, now
// or when it is healthy.
func (t Target) Registered() bool { return !t.Draining() && !t.Unregistered() }

// Unregistered reports whether the target is listed although it is not registered
// any more, nor draining.
func (t Target) Unregistered() bool { return t.Reason == "Target.NotRegistered" }

// TargetGroupName is the name in a target group's ARN,
// arn:aws:elasticloadbalancing:…:targetgroup/<name>/<id>, or the text itself where
// it is no such ARN.
func TargetGroupName(arn string) string {
	_, path, _ := strings.Cut(arn, ":targetgroup/")
	if name, _, ok := strings.Cut(path, "/"); ok {
		return name
	}
	return arn
}
