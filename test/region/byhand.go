package region

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// What tests do and read besides the API. None of it passes the gate.

// Scale sets a group's desired capacity, and its min and max if they are in
// the way.
func (r *Region) Scale(group string, desired int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[group]
	if g == nil {
		return
	}
	n := int32(desired)
	g.config.DesiredCapacity = aws.Int32(n)
	g.config.MinSize = aws.Int32(min(deref(g.config.MinSize), n))
	g.config.MaxSize = aws.Int32(max(deref(g.config.MaxSize), n))
	r.after(0, func() { r.reconcile(g) })
}

// Crash has the application on an instance cease to answer, and Recover has
// it answer again.
func (r *Region) Crash(instance string) { r.setCrashed(instance, true) }

// Recover ends what [Region.Crash] began.
func (r *Region) Recover(instance string) { r.setCrashed(instance, false) }

func (r *Region) setCrashed(id string, crashed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[id]; i != nil {
		i.crashed = crashed
		if crashed {
			r.dropInFlight(i)
		}
		r.answersMayHaveChanged(i)
	}
}

// Kill has an instance die, as when its host fails.
func (r *Region) Kill(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil {
		r.die(i)
	}
}

// Terminate terminates an instance in EC2, as in its console. Its group runs
// the terminate hooks when it finds out.
func (r *Region) Terminate(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil {
		r.ec2Ends(i, r.dropInFlight)
	}
}

// StopInstance stops an instance in EC2, as in its console. Its group takes it
// for unhealthy when it finds out, and replaces it.
func (r *Region) StopInstance(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	if i == nil || i.ec2 != running {
		return
	}
	i.dead = true
	r.dropInFlight(i)
	r.setEC2(i, stopping)
	r.answersMayHaveChanged(i)
	r.after(r.timings.Shutdown, func() {
		if i.ec2 == stopping {
			r.setEC2(i, stopped)
			r.targetsGone(i)
		}
	})
}

// ReplaceRootVolume replaces an instance's root volume, as an instance refresh
// of that strategy does: the instance is deregistered, its terminate hooks run
// with the action ReplaceRootVolume, and it comes back ("Replace root volumes
// during instance refresh"). That its application restarts is assumed, as long
// as a boot takes.
func (r *Region) ReplaceRootVolume(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil && i.lifecycle == asg.LifecycleStateInService {
		r.replaceRoot(i)
	}
}

// DeleteGroup force-deletes an Auto Scaling group.
func (r *Region) DeleteGroup(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[name]; g != nil {
		r.deleteGroup(g)
	}
}

// DeleteTargetGroup deletes a target group with its listeners.
func (r *Region) DeleteTargetGroup(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tg := r.targetGroupNamed(name); tg != nil {
		for _, t := range slices.Clone(tg.targets) {
			r.drained(t)
			r.forget(t)
		}
		tg.deleted = true
		delete(r.targets, tg.arn)
	}
}

// SetDeregistrationDelay changes a target group's deregistration delay.
func (r *Region) SetDeregistrationDelay(targetGroup string, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tg := r.targetGroupNamed(targetGroup); tg != nil {
		tg.delay = delay
	}
}

// Register registers an instance with a target group, by hand; by its address
// where the target group is of type ip.
func (r *Region) Register(targetGroup, instance string, port int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	switch tg := r.targetGroupNamed(targetGroup); {
	case tg == nil || i == nil:
	case tg.kind == typeIP:
		r.register(tg, i.address, port)
	default:
		r.register(tg, instance, port)
	}
}

// Address is an instance's private IP address, by which target groups of type
// ip know it.
func (r *Region) Address(instance string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[instance]; i != nil {
		return i.address
	}
	return ""
}

// DeleteDeploymentGroup deletes a service's deployment group.
func (r *Region) DeleteDeploymentGroup(s Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if app := r.apps[s.Application]; app != nil {
		if g := app.groups[s.DeploymentGroup]; g != nil {
			r.setAutoScalingGroups(g, nil)
			g.deleted = true
			delete(app.groups, g.name)
		}
	}
}

// SetInstanceRefresh begins or ends an instance refresh of a group. All that
// it does is to be in the way of attaching.
func (r *Region) SetInstanceRefresh(group string, refreshing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[group]; g != nil {
		g.refreshing = refreshing
	}
}

// TargetGroup is what a test asks for in AddTargetGroup.
type TargetGroup struct {
	Name string
	Type elb.TargetTypeEnum // instance unless set
	Port int32              // 80 unless set
	// Protocol is HTTP unless set; TCP and the like make it a target group of a
	// Network Load Balancer.
	Protocol elb.ProtocolEnum
	VPC      string // that of the services unless set
	// Unused leaves it without a load balancer.
	Unused bool
	// Delay is the deregistration delay; 300 s unless set, negative for none.
	Delay time.Duration
}

// AddTargetGroup makes a target group, behind a load balancer of its own
// unless it is to be unused, and returns its ARN.
func (r *Region) AddTargetGroup(t TargetGroup) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	config := elb.TargetGroup{TargetGroupName: aws.String(t.Name), TargetType: t.Type}
	if t.Type != elb.TargetTypeEnumLambda {
		if t.Port == 0 {
			t.Port = 80
		}
		config.Port, config.Protocol, config.VpcId = aws.Int32(t.Port), cmp.Or(t.Protocol, elb.ProtocolEnumHttp), aws.String(cmp.Or(t.VPC, vpc))
		config.HealthCheckIntervalSeconds, config.HealthyThresholdCount = aws.Int32(10), aws.Int32(2)
	}
	tg := r.newTargetGroup(config)
	if t.Delay != 0 {
		tg.delay = max(t.Delay, 0)
	}
	if !t.Unused {
		kind := "alb-"
		if tg.network() {
			kind = "nlb-"
		}
		r.balance(tg, kind+t.Name)
	}
	return tg.arn
}

// TargetGroupARN is the ARN of a target group, "" if there is none.
func (r *Region) TargetGroupARN(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tg := r.targetGroupNamed(name); tg != nil {
		return tg.arn
	}
	return ""
}
