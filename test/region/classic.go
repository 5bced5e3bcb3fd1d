package region

import (
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A Classic Load Balancer holds its instances in a target group of its own
// that nobody else sees: they are checked, drained and sent requests to in the
// same way. What differs is asked of targetGroup.classic.

// ClassicLoadBalancer is what a test asks for in AddClassicLoadBalancer.
type ClassicLoadBalancer struct {
	Name string
	// Draining is the time-out of connection draining; 300 s unless set,
	// negative for none. Without it connections are closed at once.
	Draining time.Duration
}

// AddClassicLoadBalancer makes a Classic Load Balancer.
func (r *Region) AddClassicLoadBalancer(b ClassicLoadBalancer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addClassic(b)
}

func (r *Region) addClassic(b ClassicLoadBalancer) *balancer {
	delay := defaultDeregistrationDelay
	if b.Draining != 0 {
		delay = max(b.Draining, 0)
	}
	made := &balancer{name: b.Name, classic: true, created: r.clock.now}
	made.pool = &targetGroup{
		name: b.Name, kind: typeInstance, port: 80, delay: delay, classic: true, balancers: []string{b.Name},
		config: elb.TargetGroup{
			Protocol: elb.ProtocolEnumHttp, HealthCheckPort: aws.String("80"), HealthCheckIntervalSeconds: aws.Int32(10), HealthCheckTimeoutSeconds: aws.Int32(defaultHealthTimeout),
			HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(defaultUnhealthyThreshold),
		},
	}
	r.balancers[b.Name] = made
	return made
}

// ClassicHealth is the state of each instance of a Classic Load Balancer,
// InService or OutOfService, and draining for one that is being deregistered.
func (r *Region) ClassicHealth(name string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := map[string]string{}
	if b := r.balancers[name]; b != nil && b.classic {
		for _, t := range b.pool.targets {
			states[t.key.id] = *classicState(t).State
			if t.isDraining() {
				states[t.key.id] = "draining"
			}
		}
	}
	return states
}

// pools are all target groups and what the Classic Load Balancers hold, in the
// same order in every run.
func (r *Region) pools() []*targetGroup {
	all := sorted(r.targets)
	for _, b := range sorted(r.balancers) {
		if b.classic {
			all = append(all, b.pool)
		}
	}
	return all
}

// poolOf is where a traffic source holds its instances: nil for one that no
// longer exists or is not simulated.
func (r *Region) poolOf(s *source) *targetGroup {
	switch s.kind {
	case sourceELBV2:
		return r.targets[s.id]
	case sourceELB:
		if b := r.balancers[s.id]; b != nil && b.classic {
			return b.pool
		}
	}
	return nil
}

func (r *Region) classicNamed(name *string) (*balancer, error) {
	b := r.balancers[aws.ToString(name)]
	if b == nil || !b.classic {
		return nil, &classictypes.AccessPointNotFoundException{Message: aws.String("There is no ACTIVE Load Balancer named '" + aws.ToString(name) + "'")}
	}
	return b, nil
}

func (r *Region) describeClassic(in *classic.DescribeLoadBalancersInput) (*classic.DescribeLoadBalancersOutput, error) {
	for _, name := range in.LoadBalancerNames {
		if _, err := r.classicNamed(&name); err != nil {
			return nil, err
		}
	}
	if n := deref(in.PageSize); n < 0 || n > 400 {
		return nil, invalid("PageSize must be between 1 and 400, not %d", n)
	}
	var found []classictypes.LoadBalancerDescription
	for _, b := range sorted(r.balancers) {
		if b.classic && (len(in.LoadBalancerNames) == 0 || slices.Contains(in.LoadBalancerNames, b.name)) {
			found = append(found, b.describeClassic())
		}
	}
	// "The maximum number of results to return with this call (a number from 1
	// to 400). The default is 400" (API reference).
	found, next, err := page(r, found, in.Marker, deref(in.PageSize), 400, invalid("the marker is not valid"))
	if err != nil {
		return nil, err
	}
	return &classic.DescribeLoadBalancersOutput{LoadBalancerDescriptions: found, NextMarker: next}, nil
}

func (b *balancer) describeClassic() classictypes.LoadBalancerDescription {
	c := b.pool.config
	port := strconv.Itoa(int(b.pool.port))
	return classictypes.LoadBalancerDescription{
		LoadBalancerName: aws.String(b.name), DNSName: aws.String(b.name + "-1234567890." + Name + ".elb.amazonaws.com"),
		CreatedTime: aws.Time(b.created), Scheme: aws.String("internet-facing"), VPCId: aws.String(vpc),
		AvailabilityZones: []string{Name + "a", Name + "b"}, Instances: b.registered(),
		HealthCheck: &classictypes.HealthCheck{
			Target: aws.String("HTTP:" + port + "/"), Interval: c.HealthCheckIntervalSeconds, Timeout: c.HealthCheckTimeoutSeconds,
			HealthyThreshold: c.HealthyThresholdCount, UnhealthyThreshold: c.UnhealthyThresholdCount,
		},
		ListenerDescriptions: []classictypes.ListenerDescription{{Listener: &classictypes.Listener{
			Protocol: aws.String("HTTP"), InstanceProtocol: aws.String("HTTP"), LoadBalancerPort: b.pool.port, InstancePort: aws.Int32(b.pool.port),
		}}},
	}
}

// registered are the instances but those that are being deregistered (assumed).
func (b *balancer) registered() []classictypes.Instance {
	var all []classictypes.Instance
	for _, t := range b.pool.targets {
		if !t.isDraining() {
			all = append(all, classictypes.Instance{InstanceId: aws.String(t.key.id)})
		}
	}
	return all
}

func (r *Region) describeClassicAttributes(in *classic.DescribeLoadBalancerAttributesInput) (*classic.DescribeLoadBalancerAttributesOutput, error) {
	b, err := r.classicNamed(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	draining := &classictypes.ConnectionDraining{Enabled: b.pool.delay > 0}
	if draining.Enabled {
		draining.Timeout = aws.Int32(int32(b.pool.delay / time.Second))
	}
	return &classic.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: &classictypes.LoadBalancerAttributes{
		ConnectionDraining:     draining,
		ConnectionSettings:     &classictypes.ConnectionSettings{IdleTimeout: aws.Int32(60)},
		CrossZoneLoadBalancing: &classictypes.CrossZoneLoadBalancing{Enabled: true},
		AccessLog:              &classictypes.AccessLog{},
	}}, nil
}

const notRegistered = "Instance is not currently registered with the LoadBalancer"

// describeInstanceHealth reports of a named instance that is not registered that
// it is not ("Configure connection draining for your Classic Load Balancer").
func (r *Region) describeInstanceHealth(in *classic.DescribeInstanceHealthInput) (*classic.DescribeInstanceHealthOutput, error) {
	b, err := r.classicNamed(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeInstanceHealthOutput{}
	if len(in.Instances) == 0 {
		for _, t := range b.pool.targets {
			out.InstanceStates = append(out.InstanceStates, classicState(t))
		}
	}
	for _, wanted := range in.Instances {
		id := aws.ToString(wanted.InstanceId)
		t := b.pool.target(targetKey{id, b.pool.port})
		switch {
		case t != nil:
			out.InstanceStates = append(out.InstanceStates, classicState(t))
		case r.instances[id] == nil:
			return nil, noClassicInstance(id)
		default:
			out.InstanceStates = append(out.InstanceStates, instanceState(id, "OutOfService", "Instance", notRegistered))
		}
	}
	return out, nil
}

func noClassicInstance(id string) error {
	return &classictypes.InvalidEndPointException{Message: aws.String("Could not find EC2 instance " + id + ".")}
}

func instanceState(id, state, reason, description string) classictypes.InstanceState {
	return classictypes.InstanceState{InstanceId: aws.String(id), State: aws.String(state), ReasonCode: aws.String(reason), Description: aws.String(description)}
}

// classicState is a target in the words of the older API: while it drains "the
// load balancer reports the state of a de-registering instance as InService:
// Instance deregistration currently in progress" ("Configure connection
// draining for your Classic Load Balancer"); the other descriptions are those
// of "Troubleshoot a Classic Load Balancer: Instance registration" and health
// checks.
func classicState(t *target) classictypes.InstanceState {
	switch t.state {
	case elb.TargetHealthStateEnumHealthy:
		return instanceState(t.key.id, "InService", "N/A", "N/A")
	case elb.TargetHealthStateEnumDraining:
		return instanceState(t.key.id, "InService", "N/A", "Instance deregistration currently in progress.")
	case elb.TargetHealthStateEnumInitial:
		return instanceState(t.key.id, "OutOfService", "ELB", "Instance registration is still in progress.")
	case elb.TargetHealthStateEnumUnused:
		return instanceState(t.key.id, "OutOfService", "Instance", "Instance is in "+string(t.instance.ec2)+" state.")
	}
	return instanceState(t.key.id, "OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
}

func (r *Region) registerClassic(in *classic.RegisterInstancesWithLoadBalancerInput) (*classic.RegisterInstancesWithLoadBalancerOutput, error) {
	b, err := r.classicNamed(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	for _, i := range in.Instances {
		if r.instances[aws.ToString(i.InstanceId)] == nil {
			return nil, noClassicInstance(aws.ToString(i.InstanceId))
		}
	}
	for _, i := range in.Instances {
		r.register(b.pool, *i.InstanceId, b.pool.port)
	}
	return &classic.RegisterInstancesWithLoadBalancerOutput{Instances: b.registered()}, nil
}

// deregisterClassic: "If the instance is not registered with the load
// balancer, the call to deregister the instance succeeds" (API reference).
func (r *Region) deregisterClassic(in *classic.DeregisterInstancesFromLoadBalancerInput) (*classic.DeregisterInstancesFromLoadBalancerOutput, error) {
	b, err := r.classicNamed(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	for _, i := range in.Instances {
		r.deregister(b.pool, targetKey{aws.ToString(i.InstanceId), b.pool.port})
	}
	return &classic.DeregisterInstancesFromLoadBalancerOutput{Instances: b.registered()}, nil
}
