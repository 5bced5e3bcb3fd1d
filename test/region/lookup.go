package region

import (
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// What tests read without the API.

// GroupOf is the name of the Auto Scaling group that a service's deployment
// group names now, "" if there is none.
func (r *Region) GroupOf(s Service) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if app := r.apps[s.Application]; app != nil {
		if g := app.groups[s.DeploymentGroup]; g != nil && len(g.groups) > 0 {
			return g.groups[0]
		}
	}
	return ""
}

// Group is an Auto Scaling group as it is described, and whether it exists.
func (r *Region) Group(name string) (asg.AutoScalingGroup, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[name]; g != nil {
		return g.describe(), true
	}
	return asg.AutoScalingGroup{}, false
}

// InService are the IDs of a group's InService instances.
func (r *Region) InService(group string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	if g := r.groups[group]; g != nil {
		for _, i := range g.inService() {
			ids = append(ids, i.id)
		}
	}
	return ids
}

// Attached are the identifiers of a group's attached traffic sources: ARNs of
// target groups, names of Classic Load Balancers.
func (r *Region) Attached(group string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	if g := r.groups[group]; g != nil {
		for _, s := range g.sources {
			if s.attached() {
				ids = append(ids, s.id)
			}
		}
	}
	return ids
}

// Health is the state of each target of a target group, by instance ID or
// address; of
// several ports the highest counts.
func (r *Region) Health(targetGroup string) map[string]elb.TargetHealthStateEnum {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := map[string]elb.TargetHealthStateEnum{}
	if tg := r.targetGroupNamed(targetGroup); tg != nil {
		for _, t := range tg.targets {
			states[t.key.id] = t.state
		}
	}
	return states
}

// Revision is what CodeDeploy has installed on an instance, "" for none; equal
// for equal revisions.
func (r *Region) Revision(instance string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil {
		return i.revision
	}
	return ""
}
