package region

import (
	"slices"

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
	defer func() {
		if s.state == inService {
			r.suspectAll(s.group)
		}
	}()
	switch s.kind {
	case sourceELBV2, sourceELB:
		if s.group.checksELB() && r.anyHealthy(s) {
			s.state = inService
		}
	case sourceLattice:
		if slices.Contains(s.group.healthChecks(), "VPC_LATTICE") {
			s.state = inService
		}
	}
}

func (r *Region) anyHealthy(s *source) bool {
	tg := r.poolOf(s)
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
	if tg := r.poolOf(s); tg != nil {
		r.register(tg, i.id, tg.port)
	}
}

// deregisterFrom takes an instance out of one source and returns the targets
// that are draining now.
func (r *Region) deregisterFrom(s *source, i *instance) []*target {
	tg := r.poolOf(s)
	if tg == nil {
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

func (r *Region) detachLoadBalancers(in *autoscaling.DetachLoadBalancersInput) (*autoscaling.DetachLoadBalancersOutput, error) {
	_, err := r.detachTrafficSources(&autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: in.AutoScalingGroupName, TrafficSources: identifiers(sourceELB, in.LoadBalancerNames),
	})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachLoadBalancersOutput{}, nil
}

func (r *Region) detachLoadBalancerTargetGroups(in *autoscaling.DetachLoadBalancerTargetGroupsInput) (*autoscaling.DetachLoadBalancerTargetGroupsOutput, error) {
	_, err := r.detachTrafficSources(&autoscaling.DetachTrafficSourcesInput{
		AutoScalingGroupName: in.AutoScalingGroupName, TrafficSources: identifiers(sourceELBV2, in.TargetGroupARNs),
	})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachLoadBalancerTargetGroupsOutput{}, nil
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

// describeLoadBalancerTargetGroups lists target groups only: "The
// default value is 100 and the maximum value is 100" (API reference).
func (r *Region) describeLoadBalancerTargetGroups(in *autoscaling.DescribeLoadBalancerTargetGroupsInput) (*autoscaling.DescribeLoadBalancerTargetGroupsOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if n := deref(in.MaxRecords); n > 100 {
		return nil, invalid("maxRecords must not be greater than 100, was %d", n)
	}
	var states []asg.LoadBalancerTargetGroupState
	for _, s := range g.sources {
		if s.kind == sourceELBV2 {
			states = append(states, asg.LoadBalancerTargetGroupState{LoadBalancerTargetGroupARN: aws.String(s.id), State: aws.String(string(s.state))})
		}
	}
	states, next, err := page(r, states, in.NextToken, deref(in.MaxRecords), 100, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeLoadBalancerTargetGroupsOutput{LoadBalancerTargetGroups: states, NextToken: next}, nil
}

// describeLoadBalancers lists Classic Load Balancers only.
func (r *Region) describeLoadBalancers(in *autoscaling.DescribeLoadBalancersInput) (*autoscaling.DescribeLoadBalancersOutput, error) {
	g, err := r.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if n := deref(in.MaxRecords); n > 100 {
		return nil, invalid("maxRecords must not be greater than 100, was %d", n)
	}
	var states []asg.LoadBalancerState
	for _, s := range g.sources {
		if s.kind == sourceELB {
			states = append(states, asg.LoadBalancerState{LoadBalancerName: aws.String(s.id), State: aws.String(string(s.state))})
		}
	}
	states, next, err := page(r, states, in.NextToken, deref(in.MaxRecords), 100, badToken())
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeLoadBalancersOutput{LoadBalancers: states, NextToken: next}, nil
}

func badToken() error {
	return &asg.InvalidNextToken{Message: aws.String("The NextToken value is not valid.")}
}
