package drain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// Classic Load Balancers are asked in the terms of target groups: an instance that
// is registered is a target, one whose deregistration is in progress a draining one.

// classicTargets are the instances registered with a Classic Load Balancer; none
// where it does not exist.
func (r *Drainer) classicTargets(ctx context.Context, id string) (targets []fleet.Target, err error) {
	name := strings.TrimPrefix(id, classicPrefix)
	out, err := r.clients.Classic.DescribeInstanceHealth(ctx, &classic.DescribeInstanceHealthInput{LoadBalancerName: &name})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("describe instance health of Classic Load Balancer %s: %w", name, err)
	}
	for _, s := range out.InstanceStates {
		targets = append(targets, fleet.Target{Instance: aws.ToString(s.InstanceId), State: classicState(s)})
	}
	return targets, nil
}

// classicState is an instance's state as a target's, by the descriptions that
// InstanceState documents (Elastic Load Balancing API Reference, 2012-06-01).
// "If connection draining is enabled", a deregistering instance is InService with
// the first of them ("Configure connection draining for your Classic Load
// Balancer").
func classicState(s classictypes.InstanceState) string {
	switch said := aws.ToString(s.Description); {
	case strings.Contains(said, "deregistration currently in progress"):
		return fleet.TargetDraining
	case strings.Contains(said, "not currently registered"):
		return fleet.TargetUnused
	case aws.ToString(s.State) == "InService":
		return fleet.TargetHealthy
	}
	return fleet.TargetUnhealthy
}

// classicDelay is a Classic Load Balancer's connection draining timeout, 1 to 3600
// s; 0 where connection draining is off.
func (r *Drainer) classicDelay(ctx context.Context, id string) (time.Duration, error) {
	name := strings.TrimPrefix(id, classicPrefix)
	out, err := r.clients.Classic.DescribeLoadBalancerAttributes(ctx, &classic.DescribeLoadBalancerAttributesInput{LoadBalancerName: &name})
	if err != nil {
		return 0, fmt.Errorf("describe attributes of Classic Load Balancer %s: %w", name, err)
	}
	if a := out.LoadBalancerAttributes; a != nil && a.ConnectionDraining != nil && a.ConnectionDraining.Enabled {
		return time.Duration(aws.ToInt32(a.ConnectionDraining.Timeout)) * time.Second, nil
	}
	return 0, nil
}

// leaveClassic deregisters instances from a Classic Load Balancer.
func (r *Drainer) leaveClassic(ctx context.Context, id string, targets []Target) error {
	name := strings.TrimPrefix(id, classicPrefix)
	in := &classic.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &name}
	for _, t := range targets {
		in.Instances = append(in.Instances, classictypes.Instance{InstanceId: &t.Instance})
	}
	_, err := r.clients.Classic.DeregisterInstancesFromLoadBalancer(ctx, in)
	return err
}
