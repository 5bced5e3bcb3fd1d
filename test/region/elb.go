package region

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
)

// ELB has the methods of the SDK's elasticloadbalancing.Client, for Classic
// Load Balancers.
type ELB struct{ r *Region }

// ELB is the region's Elastic Load Balancing for Classic Load Balancers.
func (r *Region) ELB() ELB { return ELB{r} }

func classicCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, elasticloadbalancing.ServiceID, operation, in, simulated, stale(r, elasticloadbalancing.ServiceID, operation, serve))
}

// DescribeLoadBalancers lists Classic Load Balancers by name, or all.
func (v ELB) DescribeLoadBalancers(ctx context.Context, in *elasticloadbalancing.DescribeLoadBalancersInput, _ ...func(*elasticloadbalancing.Options)) (*elasticloadbalancing.DescribeLoadBalancersOutput, error) {
	return classicCall(ctx, v.r, "DescribeLoadBalancers", in, "LoadBalancerNames Marker PageSize", v.r.describeClassic)
}

// DescribeLoadBalancerAttributes reads a load balancer's connection draining.
func (v ELB) DescribeLoadBalancerAttributes(ctx context.Context, in *elasticloadbalancing.DescribeLoadBalancerAttributesInput, _ ...func(*elasticloadbalancing.Options)) (*elasticloadbalancing.DescribeLoadBalancerAttributesOutput, error) {
	return classicCall(ctx, v.r, "DescribeLoadBalancerAttributes", in, "LoadBalancerName", v.r.describeClassicAttributes)
}

// DescribeInstanceHealth reads the health of all instances, or of those named.
func (v ELB) DescribeInstanceHealth(ctx context.Context, in *elasticloadbalancing.DescribeInstanceHealthInput, _ ...func(*elasticloadbalancing.Options)) (*elasticloadbalancing.DescribeInstanceHealthOutput, error) {
	return classicCall(ctx, v.r, "DescribeInstanceHealth", in, "LoadBalancerName Instances", v.r.describeInstanceHealth)
}

// RegisterInstancesWithLoadBalancer registers instances.
func (v ELB) RegisterInstancesWithLoadBalancer(ctx context.Context, in *elasticloadbalancing.RegisterInstancesWithLoadBalancerInput, _ ...func(*elasticloadbalancing.Options)) (*elasticloadbalancing.RegisterInstancesWithLoadBalancerOutput, error) {
	return classicCall(ctx, v.r, "RegisterInstancesWithLoadBalancer", in, "LoadBalancerName Instances", v.r.registerClassic)
}

// DeregisterInstancesFromLoadBalancer begins to drain instances.
func (v ELB) DeregisterInstancesFromLoadBalancer(ctx context.Context, in *elasticloadbalancing.DeregisterInstancesFromLoadBalancerInput, _ ...func(*elasticloadbalancing.Options)) (*elasticloadbalancing.DeregisterInstancesFromLoadBalancerOutput, error) {
	return classicCall(ctx, v.r, "DeregisterInstancesFromLoadBalancer", in, "LoadBalancerName Instances", v.r.deregisterClassic)
}
