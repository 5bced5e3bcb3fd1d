package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// group is an Auto Scaling group.
type group struct {
	// config is what callers have set, in the shape in which it is described.
	// Instances, traffic sources, processes and tags have fields of their own.
	config     asg.AutoScalingGroup
	name       string
	tags       map[string]asg.Tag
	suspended  map[string]time.Time // processes, and since when
	sources    []*source
	hooks      map[string]asg.LifecycleHook
	policies   map[string]asg.ScalingPolicy // nil for none
	instances  []*instance
	warm       []*instance // in the warm pool
	refreshes  []*refresh
	activities []*activity
	launches   int              // ever
	deployer   *deploymentGroup // whose launch hook is on the group
	// rebalancing is the instance that is launched to even out the zones, until
	// it is in service and another one can go.
	rebalancing  *instance
	launchFailed bool // and is tried again later
	deleting     bool
	deleted      bool
	vpc          string // "" where nobody has said
	// refreshing is an instance refresh under way, or one that
	// [Region.SetInstanceRefresh] pretends.
	refreshing bool

	// imageRevision is what an instance runs as soon as it has booted: ""
	// where CodeDeploy has to install it first.
	imageRevision string
	// early says that a deployment has not yet rerouted traffic to the group:
	// whoever sends users there before does it early.
	early bool
	// bareAnswers says that an instance without a revision passes health
	// checks all the same, with whatever is in its image.
	bareAnswers bool
}

// The documented defaults of CreateAutoScalingGroup.
const (
	defaultCooldown    = 300
	defaultHealthCheck = "EC2"
)

func (r *Region) newGroup(config asg.AutoScalingGroup) *group {
	name := aws.ToString(config.AutoScalingGroupName)
	config.AutoScalingGroupARN = aws.String(arn("autoscaling", "autoScalingGroup:"+r.ids.uuid("group")+":autoScalingGroupName/"+name))
	config.CreatedTime = aws.Time(r.clock.now)
	if config.DefaultCooldown == nil {
		config.DefaultCooldown = aws.Int32(defaultCooldown)
	}
	if config.HealthCheckType == nil {
		config.HealthCheckType = aws.String(defaultHealthCheck)
	}
	if config.HealthCheckGracePeriod == nil {
		config.HealthCheckGracePeriod = aws.Int32(0)
	}
	if len(config.TerminationPolicies) == 0 {
		config.TerminationPolicies = []string{"Default"}
	}
	if config.DesiredCapacity == nil {
		config.DesiredCapacity = config.MinSize
	}
	g := &group{
		config:        config,
		name:          name,
		tags:          map[string]asg.Tag{},
		suspended:     map[string]time.Time{},
		hooks:         map[string]asg.LifecycleHook{},
		imageRevision: "image",
	}
	r.groups[name] = g
	return g
}

func (g *group) zones() []string {
	if len(g.config.AvailabilityZones) > 0 {
		return g.config.AvailabilityZones
	}
	return []string{Name + "a", Name + "b"}
}

func (g *group) desired() int         { return int(deref(g.config.DesiredCapacity)) }
func (g *group) grace() time.Duration { return seconds(g.config.HealthCheckGracePeriod) }

// checksELB reports whether target health decides over an instance's life.
func (g *group) checksELB() bool { return slices.Contains(g.healthChecks(), "ELB") }

// group finds a group that can still be changed.
func (r *Region) group(name *string) (*group, error) {
	g := r.groups[aws.ToString(name)]
	if g == nil {
		return nil, invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", aws.ToString(name))
	}
	return g, nil
}

// describe is the group as DescribeAutoScalingGroups shows it.
func (g *group) describe() asg.AutoScalingGroup {
	d := g.config
	d.AvailabilityZones = slices.Clone(g.zones())
	d.TerminationPolicies = slices.Clone(d.TerminationPolicies)
	for _, i := range g.instances {
		d.Instances = append(d.Instances, g.describeInstance(i))
	}
	if d.WarmPoolConfiguration != nil {
		d.WarmPoolSize = aws.Int32(int32(len(g.warm)))
	}
	for _, s := range g.sources {
		if !s.attached() {
			continue
		}
		d.TrafficSources = append(d.TrafficSources, asg.TrafficSourceIdentifier{Identifier: aws.String(s.id), Type: aws.String(s.kind)})
		switch s.kind {
		case sourceELBV2:
			d.TargetGroupARNs = append(d.TargetGroupARNs, s.id)
		case sourceELB:
			d.LoadBalancerNames = append(d.LoadBalancerNames, s.id)
		}
	}
	for _, p := range processes {
		if since, suspended := g.suspended[p]; suspended {
			d.SuspendedProcesses = append(d.SuspendedProcesses, asg.SuspendedProcess{
				ProcessName:      aws.String(p),
				SuspensionReason: aws.String("User suspended at " + since.Format(time.RFC3339)),
			})
		}
	}
	for _, t := range sorted(g.tags) {
		d.Tags = append(d.Tags, asg.TagDescription{
			Key: t.Key, Value: t.Value, PropagateAtLaunch: aws.Bool(deref(t.PropagateAtLaunch)),
			ResourceId: aws.String(g.name), ResourceType: aws.String(groupResource),
		})
	}
	if g.deleting {
		d.Status = aws.String("Delete in progress")
	}
	return d
}

func (g *group) describeInstance(i *instance) asg.Instance {
	return asg.Instance{
		InstanceId:              aws.String(i.id),
		AvailabilityZone:        aws.String(i.zone),
		HealthStatus:            aws.String(healthStatus(i)),
		LifecycleState:          i.lifecycle,
		ProtectedFromScaleIn:    aws.Bool(i.protected),
		InstanceType:            aws.String("t3.small"),
		LaunchConfigurationName: g.config.LaunchConfigurationName,
		LaunchTemplate:          g.config.LaunchTemplate,
	}
}

func healthStatus(i *instance) string {
	if i.unhealthy {
		return "Unhealthy"
	}
	return "Healthy"
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func seconds(p *int32) time.Duration { return time.Duration(deref(p)) * time.Second }
