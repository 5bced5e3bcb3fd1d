package region

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Limits of AttachTrafficSources and of a group (API reference; "Quotas for
// Auto Scaling resources and groups").
const (
	sourcesPerCall  = 10
	sourcesPerGroup = 50
)

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
	g, wanted, err := r.sourcesOf(in.AutoScalingGroupName, identifiers(sourceELBV2, in.TargetGroupARNs))
	if err != nil {
		return nil, err
	}
	if err := r.attach(g, wanted); err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancerTargetGroupsOutput{}, nil
}

func (r *Region) attachLoadBalancers(in *autoscaling.AttachLoadBalancersInput) (*autoscaling.AttachLoadBalancersOutput, error) {
	g, wanted, err := r.sourcesOf(in.AutoScalingGroupName, identifiers(sourceELB, in.LoadBalancerNames))
	if err != nil {
		return nil, err
	}
	if err := r.attach(g, wanted); err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancersOutput{}, nil
}

func identifiers(kind string, names []string) []asg.TrafficSourceIdentifier {
	var ids []asg.TrafficSourceIdentifier
	for _, name := range names {
		ids = append(ids, asg.TrafficSourceIdentifier{Identifier: aws.String(name), Type: aws.String(kind)})
	}
	return ids
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
		added := r.addSource(g, s.kind, s.id)
		if r.options.AttachDeregisters && r.releasing(g) {
			r.after(r.timings.Attach, func() {
				for _, i := range g.instances {
					r.deregisterFrom(added, i)
				}
			})
		}
	}
	return nil
}

// releasing reports whether a group is part of a deployment in progress.
func (r *Region) releasing(g *group) bool {
	for _, d := range r.deployments {
		if !d.over() && !d.partial() && (d.blue == g.name || d.green == g.name) {
			return true
		}
	}
	return false
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
