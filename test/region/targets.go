package region

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// targetKey identifies a target within its target group: an instance may be
// registered several times, with different ports.
type targetKey struct {
	id   string
	port int32
}

// target is a registered target, or one that is draining.
type target struct {
	key        targetKey
	group      *targetGroup
	instance   *instance // nil for what is none
	state      elb.TargetHealthStateEnum
	reason     elb.TargetHealthReasonEnum
	registered time.Time
	// probing is the health that the target is on its way to, and due the
	// probe that completes it; a change of mind makes a new generation.
	probing    elb.TargetHealthStateEnum
	generation int
	leaves     time.Time // when its deregistration delay is over; zero while it is registered
	shown      bool      // as draining until then, drained or not
	drained    bool      // nothing is in flight any more, or the delay is over
	gone       bool      // no longer shown
}

func (t *target) isHealthy() bool   { return t.state == elb.TargetHealthStateEnumHealthy }
func (t *target) isUnhealthy() bool { return t.state == elb.TargetHealthStateEnumUnhealthy }
func (t *target) isDraining() bool {
	return !t.gone && t.state == elb.TargetHealthStateEnumDraining
}

func (t *target) set(state elb.TargetHealthStateEnum, reason elb.TargetHealthReasonEnum) {
	t.state, t.reason = state, reason
	t.group.routesOld = true
}

var reasons = map[elb.TargetHealthReasonEnum]string{
	elb.TargetHealthReasonEnumRegistrationInProgress:   "Target registration is in progress",
	elb.TargetHealthReasonEnumInitialHealthChecking:    "Initial health checks in progress",
	elb.TargetHealthReasonEnumFailedHealthChecks:       "Health checks failed",
	elb.TargetHealthReasonEnumTimeout:                  "Request timed out",
	elb.TargetHealthReasonEnumNotRegistered:            "Target is not registered to the target group",
	elb.TargetHealthReasonEnumNotInUse:                 "Target group is not configured to receive traffic from the load balancer",
	elb.TargetHealthReasonEnumDeregistrationInProgress: "Target deregistration is in progress",
	elb.TargetHealthReasonEnumInvalidState:             "Target is in the terminated state",
	elb.TargetHealthReasonEnumHealthCheckDisabled:      "Health checks are disabled for the target group",
}

func health(state elb.TargetHealthStateEnum, reason elb.TargetHealthReasonEnum) *elb.TargetHealth {
	h := &elb.TargetHealth{State: state, Reason: reason}
	if text := reasons[reason]; text != "" {
		h.Description = aws.String(text)
	}
	return h
}

func (r *Region) registerTargets(in *elasticloadbalancingv2.RegisterTargetsInput) (*elasticloadbalancingv2.RegisterTargetsOutput, error) {
	tg, err := r.targetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Targets {
		id := aws.ToString(t.Id)
		if t.AvailabilityZone != nil || t.QuicServerId != nil {
			return nil, failure("NotImplemented", "the simulated region knows the ID and the port of a target only")
		}
		if _, err := netip.ParseAddr(id); tg.kind == typeIP && err != nil {
			return nil, invalid("The IP address '%s' is not a valid IPv4 address", id)
		}
		if tg.kind != typeInstance {
			continue
		}
		i := r.instances[id]
		if i == nil {
			return nil, &elb.InvalidTargetException{Message: aws.String("The following targets are not in the target group VPC: '" + id + "'")}
		}
		// "If the target is an EC2 instance, it must be in the running state
		// when you register it" (API reference).
		if i.ec2 != running {
			return nil, &elb.InvalidTargetException{Message: aws.String("The following targets are not in a running state and cannot be registered: '" + id + "'")}
		}
	}
	for _, t := range in.Targets {
		r.register(tg, aws.ToString(t.Id), deref(or(t.Port, &tg.port)))
	}
	return &elasticloadbalancingv2.RegisterTargetsOutput{}, nil
}

// register registers a target, or ends its draining. A target that is
// registered already stays as it is.
func (r *Region) register(tg *targetGroup, id string, port int32) {
	key := targetKey{id, port}
	if t := tg.target(key); t != nil {
		if !t.isDraining() {
			return
		}
		t.gone, t.drained = true, true
	}
	tg.lingering = slices.DeleteFunc(tg.lingering, func(t *target) bool { return t.key == key })
	t := &target{key: key, group: tg, instance: r.behind(tg, id), registered: r.clock.now}
	tg.put(t)
	if t.instance == nil {
		t.set(elb.TargetHealthStateEnumHealthy, "")
		return
	}
	r.beginTarget(tg, t)
}

// behind is the instance that a target stands for, nil if there is none.
func (r *Region) behind(tg *targetGroup, id string) *instance {
	if tg.kind == typeIP {
		return r.addresses[id]
	}
	return r.instances[id]
}

func (r *Region) deregisterTargets(in *elasticloadbalancingv2.DeregisterTargetsInput) (*elasticloadbalancingv2.DeregisterTargetsOutput, error) {
	tg, err := r.targetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Targets {
		// Without a port the target group's own is meant: a target that is
		// registered with another one stays ("you must specify both the target
		// ID and the port", API reference). An absent target is no error.
		r.deregister(tg, targetKey{aws.ToString(t.Id), deref(or(t.Port, &tg.port))})
	}
	return &elasticloadbalancingv2.DeregisterTargetsOutput{}, nil
}

// deregister begins to drain a target and returns it, or nil if there is none
// or it is not in use. Requests in flight may end within the deregistration
// delay; with none in flight deregistration is complete at once, and only
// displayed as draining until the delay ends ("Edit target group attributes for
// your Application Load Balancer", Deregistration delay). For a Network Load
// Balancer it is complete when the delay ends.
func (r *Region) deregister(tg *targetGroup, key targetKey) *target {
	t := tg.target(key)
	if t == nil {
		return nil
	}
	if t.isDraining() {
		return t
	}
	if t.state == elb.TargetHealthStateEnumUnused {
		r.forget(t)
		return nil
	}
	t.generation++
	t.leaves = r.clock.now.Add(tg.delay)
	t.set(elb.TargetHealthStateEnumDraining, elb.TargetHealthReasonEnumDeregistrationInProgress)
	takes := min(tg.delay, r.lastInFlight(t))
	if tg.network() {
		takes = tg.delay
		r.linger(t)
	}
	r.after(takes, func() { r.drained(t) })
	if takes < tg.delay && !tg.classic && !r.options.DrainedAtOnce {
		t.shown = true
		r.after(tg.delay, func() { r.forget(t) })
	}
	return t
}

// linger has a Network Load Balancer send new connections to a target for a
// while after its deregistration.
func (r *Region) linger(t *target) {
	if r.timings.Propagate < 0 {
		return
	}
	t.group.lingering = append(t.group.lingering, t)
	r.after(r.timings.Propagate, func() {
		t.group.lingering = slices.DeleteFunc(t.group.lingering, func(other *target) bool { return other == t })
		t.group.routesOld = true
	})
}

// drained ends a deregistration: what is still in flight is cut off. Of a
// Network Load Balancer it goes on, unless connections are to be terminated.
func (r *Region) drained(t *target) {
	t.drained = true
	if !t.group.network() || t.group.terminates {
		r.cutOff(t)
	}
	if !t.shown {
		r.forget(t)
	}
}

// forget no longer shows a target: it is unused, Target.NotRegistered.
func (r *Region) forget(t *target) {
	if t.isDraining() && t.instance != nil {
		t.instance.drained = r.clock.now
	}
	t.gone = true
	t.group.remove(t)
}

// targetsOf are an instance's targets everywhere.
func (r *Region) targetsOf(i *instance) []*target {
	var found []*target
	for _, tg := range r.pools() {
		found = append(found, tg.targetsOf(i)...)
	}
	return found
}

func (tg *targetGroup) targetsOf(i *instance) []*target {
	id := i.id
	if tg.kind == typeIP {
		id = i.address
	}
	first, _ := tg.find(targetKey{id, -1})
	last := first
	for last < len(tg.targets) && tg.targets[last].key.id == id {
		last++
	}
	return slices.Clone(tg.targets[first:last])
}

// targetsGone is what target groups show of a terminated instance. Of an IP
// address they know only that it does not answer.
func (r *Region) targetsGone(i *instance) {
	for _, t := range r.targetsOf(i) {
		if !t.isDraining() && t.group.kind != typeIP {
			t.generation++
			t.set(elb.TargetHealthStateEnumUnused, elb.TargetHealthReasonEnumInvalidState)
		}
	}
}

// forgetTargets deregisters a terminated instance for its target groups.
func (r *Region) forgetTargets(i *instance) {
	for _, t := range r.targetsOf(i) {
		if !t.isDraining() && t.group.kind != typeIP {
			r.forget(t)
		}
	}
}

// targetsBack begins the health checks of a restarted instance anew where it
// was registered when it stopped.
func (r *Region) targetsBack(i *instance) {
	for _, t := range r.targetsOf(i) {
		if t.reason == elb.TargetHealthReasonEnumInvalidState {
			r.beginTarget(t.group, t)
		}
	}
}

func (r *Region) describeTargetHealth(in *elasticloadbalancingv2.DescribeTargetHealthInput) (*elasticloadbalancingv2.DescribeTargetHealthOutput, error) {
	tg, err := r.targetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	var found []elb.TargetHealthDescription
	if len(in.Targets) == 0 {
		for _, t := range tg.targets {
			found = append(found, tg.describeTarget(t.key, health(t.state, t.reason)))
		}
	}
	for _, wanted := range in.Targets {
		key := targetKey{aws.ToString(wanted.Id), deref(or(wanted.Port, &tg.port))}
		h := health(elb.TargetHealthStateEnumUnused, elb.TargetHealthReasonEnumNotRegistered)
		if t := tg.target(key); t != nil {
			h = health(t.state, t.reason)
		}
		found = append(found, tg.describeTarget(key, h))
	}
	return &elasticloadbalancingv2.DescribeTargetHealthOutput{TargetHealthDescriptions: found}, nil
}

func (tg *targetGroup) describeTarget(key targetKey, h *elb.TargetHealth) elb.TargetHealthDescription {
	port := aws.ToString(tg.config.HealthCheckPort)
	if port == "traffic-port" {
		port = strconv.Itoa(int(key.port))
	}
	return elb.TargetHealthDescription{
		Target:          &elb.TargetDescription{Id: aws.String(key.id), Port: aws.Int32(key.port)},
		HealthCheckPort: aws.String(port),
		TargetHealth:    h,
	}
}
