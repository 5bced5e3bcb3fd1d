package region

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// The types of traffic sources.
const (
	sourceELB     = "elb"         // a Classic Load Balancer, by name
	sourceELBV2   = "elbv2"       // a target group, by ARN
	sourceLattice = "vpc-lattice" // a VPC Lattice target group, by ARN
)

// Limits of AttachTrafficSources and of a group (API reference; "Quotas for
// Auto Scaling resources and groups").
const (
	sourcesPerCall  = 10
	sourcesPerGroup = 50
)

// source is a traffic source that is attached to a group, or on its way in or
// out.
type source struct {
	group *group
	kind  string
	id    string
	state sourceState
}

// sourceState is a state of DescribeTrafficSources.
type sourceState string

const (
	adding    sourceState = "Adding"
	added     sourceState = "Added"
	inService sourceState = "InService"
	removing  sourceState = "Removing"
	removed   sourceState = "Removed"
)

func (s *source) attached() bool { return s.state != removing && s.state != removed }

func (r *Region) attachTrafficSources(in *autoscaling.AttachTrafficSourcesInput) (*autoscaling.AttachTrafficSourcesOutput, error) {
	g, wanted, err := r.sourcesOf(in.AutoScalingGroupName, in.TrafficSources)
	if err != nil {
		return nil, err
	}
	if err := r.attach(g, wanted); err != nil {
		return nil, err
	}
	return &autoscaling.AttachTrafficSourcesOutput{}, nil
}

func (r *Region) attachLoadBalancerTargetGroups(in *autoscaling.AttachLoadBalancerTargetGroupsInput) (*autoscaling.AttachLoadBalancerTargetGroupsOutput, error) {
	var ids []asg.TrafficSourceIdentifier
	for _, arn := range in.TargetGroupARNs {
		ids = append(ids, asg.TrafficSourceIdentifier{Identifier: aws.String(arn), Type: aws.String(sourceELBV2)})
	}
	g, wanted, err := r.sourcesOf(in.AutoScalingGroupName, ids)
	if err != nil {
		return nil, err
	}
	if err := r.attach(g, wanted); err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancerTargetGroupsOutput{}, nil
}

// sourcesOf checks what a call names. The type may be left out for target
// groups (API reference, TrafficSourceIdentifier).
func (r *Region) sourcesOf(name *string, ids []asg.TrafficSourceIdentifier) (*group, []source, error) {
	g, err := r.group(name)
	if err != nil {
		return nil, nil, err
	}
	if len(ids) == 0 || len(ids) > sourcesPerCall {
		return nil, nil, invalid("1 validation error detected: trafficSources must have between 1 and %d members, not %d", sourcesPerCall, len(ids))
	}
	var wanted []source
	for _, s := range ids {
		id, kind := aws.ToString(s.Identifier), aws.ToString(s.Type)
		if kind == "" {
			kind = sourceELBV2
			if strings.Contains(id, ":vpc-lattice:") {
				kind = sourceLattice
			}
		}
		switch kind {
		case sourceELB, sourceELBV2, sourceLattice:
		default:
			return nil, nil, invalid("%s is not a valid traffic source type", kind)
		}
		wanted = append(wanted, source{group: g, kind: kind, id: id})
	}
	return g, wanted, nil
}

// attach adds traffic sources to a group and registers its InService
// instances with them. It is additive and may be repeated (API reference).
func (r *Region) attach(g *group, wanted []source) error {
	if g.refreshing {
		return &asg.InstanceRefreshInProgressFault{Message: aws.String("An active instance refresh already exists for " + g.name)}
	}
	if g.deleting {
		return &asg.ResourceContentionFault{Message: aws.String("You already have a pending update to " + g.name)}
	}
	for _, s := range wanted {
		if err := r.attachable(s); err != nil {
			return err
		}
	}
	for _, s := range wanted {
		if r.findSource(g, s.kind, s.id) != nil {
			continue
		}
		if len(g.sources) == sourcesPerGroup {
			return &asg.LimitExceededFault{Message: aws.String("a group can have at most 50 target groups")}
		}
		r.addSource(g, s.kind, s.id)
	}
	return nil
}

// attachable says what is wrong with a traffic source. Target groups must be
// of type instance and in the group's VPC ("Attach an Elastic Load Balancing
// load balancer"; the messages are assumed); Classic Load Balancers must exist; VPC Lattice target groups are not simulated, so
// any ARN will do.
func (r *Region) attachable(s source) error {
	switch s.kind {
	case sourceELBV2:
		tg := r.targets[s.id]
		if tg == nil {
			return invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
		if tg.kind != typeInstance {
			return invalid("Provided Target Groups must be of target type instance: %s", s.id)
		}
		if s.group.vpc != "" && s.group.vpc != aws.ToString(tg.config.VpcId) {
			return invalid("Provided Target Groups must be in the VPC of the Auto Scaling group: %s", s.id)
		}
	case sourceELB:
		if b := r.balancers[s.id]; b == nil || !b.classic {
			return invalid("Provided Load Balancers may not be valid. Please ensure they exist and try again.")
		}
	}
	return nil
}

// findSource finds an attached source; one that is being removed may be
// attached anew.
func (r *Region) findSource(g *group, kind, id string) *source {
	for _, s := range g.sources {
		if s.kind == kind && s.id == id && s.attached() {
			return s
		}
	}
	return nil
}

// addSource attaches a source. While AddToLoadBalancer is suspended no
// instance is registered and the source stays Adding (assumed: the user guide
// says only that the process adds instances).
func (r *Region) addSource(g *group, kind, id string) *source {
	s := &source{group: g, kind: kind, id: id, state: adding}
	g.sources = append(g.sources, s)
	r.fillSource(s)
	return s
}

func (r *Region) fillSource(s *source) {
	g := s.group
	if s.state != adding || g.deleted {
		return
	}
	if g.isSuspended(processAddToLoadBalancer) {
		r.after(r.timings.Attach, func() { r.fillSource(s) })
		return
	}
	for _, i := range g.instances {
		if i.lifecycle == asg.LifecycleStateInService {
			r.registerWith(s, i)
			r.suspect(i) // it may be registered and unhealthy already
		}
	}
	r.after(r.timings.Attach, func() {
		if s.state == adding {
			s.state = added
			r.settleSource(s)
		}
	})
}

// settleSource moves a source from Added to InService: with ELB health checks
// once one instance has passed, with EC2 health checks never (API reference,
// LoadBalancerTargetGroupState: "If EC2 health checks are enabled instead,
// the target group remains in the Added state").
func (r *Region) settleSource(s *source) {
	if s.state != added {
		return
	}
	switch s.kind {
	case sourceELBV2:
		if s.group.checksELB() && r.anyHealthy(s) {
			s.state = inService
		}
	case sourceELB:
		if s.group.checksELB() {
			s.state = inService
		}
	case sourceLattice:
		if slices.Contains(s.group.healthChecks(), "VPC_LATTICE") {
			s.state = inService
		}
	}
}

func (r *Region) anyHealthy(s *source) bool {
	tg := r.targets[s.id]
	if tg == nil {
		return false
	}
	return slices.ContainsFunc(tg.targets, func(t *target) bool {
		return t.isHealthy() && t.instance != nil && t.instance.group == s.group
	})
}

// registerWith registers an instance with one source, on the target group's
// own port.
func (r *Region) registerWith(s *source, i *instance) {
	if tg := r.targets[s.id]; s.kind == sourceELBV2 && tg != nil {
		r.register(tg, i.id, tg.port)
	}
}

// deregisterFrom takes an instance out of one source and returns the targets
// that are draining now.
func (r *Region) deregisterFrom(s *source, i *instance) []*target {
	tg := r.targets[s.id]
	if s.kind != sourceELBV2 || tg == nil {
		return nil
	}
	if t := r.deregister(tg, targetKey{i.id, tg.port}); t != nil {
		return []*target{t}
	}
	return nil
}

func (r *Region) detachTrafficSources(in *autoscaling.DetachTrafficSourcesInput) (*autoscaling.DetachTrafficSourcesOutput, error) {
	g, wanted, err := r.sourcesOf(in.AutoScalingGroupName, in.TrafficSources)
	if err != nil {
		return nil, err
	}
	for _, w := range wanted {
		if s := r.findSource(g, w.kind, w.id); s != nil {
			r.detach(s)
		}
	}
	return &autoscaling.DetachTrafficSourcesOutput{}, nil
}

// detach deregisters the instances; the source is Removing while they drain,
// then Removed for a moment, then gone.
func (r *Region) detach(s *source) {
	s.state = removing
	var draining []*target
	for _, i := range s.group.instances {
		draining = append(draining, r.deregisterFrom(s, i)...)
	}
	r.whenDrained(draining, func() {
		s.state = removed
		r.after(r.timings.Attach, func() {
			s.group.sources = slices.DeleteFunc(s.group.sources, func(other *source) bool { return other == s })
		})
	})
}

func (r *Region) describeTrafficSources(in *autoscaling.DescribeTrafficSourcesInput) (*autoscaling.DescribeTrafficSourcesOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	// "The maximum value is 50" (API reference).
	if n := deref(in.MaxRecords); n > 50 {
		return nil, invalid("maxRecords must not be greater than 50, was %d", n)
	}
	var states []asg.TrafficSourceState
	for _, s := range g.sources {
		if t := aws.ToString(in.TrafficSourceType); t != "" && t != s.kind {
			continue
		}
		states = append(states, asg.TrafficSourceState{
			Identifier: aws.String(s.id), Type: aws.String(s.kind), State: aws.String(string(s.state)),
		})
	}
	states, next, err := page(r, states, in.NextToken, deref(in.MaxRecords), 50, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeTrafficSourcesOutput{TrafficSources: states, NextToken: next}, nil
}

func badToken() error {
	return &asg.InvalidNextToken{Message: aws.String("The NextToken value is not valid.")}
}
