package region

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Service is an application behind load balancers, on an Auto Scaling group,
// released by CodeDeploy blue/green.
type Service struct {
	Application     string
	DeploymentGroup string
	// TargetGroups are made where they do not exist, each with port 80 behind
	// a load balancer of its own, and attached to the group.
	TargetGroups []string
	// Instances is the group's desired capacity; 2 unless set. Min is half of
	// it at least 1, Max twice it, unless set.
	Instances, Min, Max int
	// Group is the Auto Scaling group's name; "<application>-<deployment
	// group>" unless set.
	Group string
	// Zones are the Availability Zones of the group and of the load balancers' nodes, such
	// as eu-west-1a. Unless set, the group has two and nodes never fail.
	Zones []string
	// HealthCheck is the group's health-check type; "ELB" unless set. The
	// grace period is Grace, 60 s unless set.
	HealthCheck string
	Grace       time.Duration
	// ClassicLoadBalancers, by name, made where they do not exist, and LatticeTargetGroups, by ARN, are
	// attached to the group as well.
	ClassicLoadBalancers []string
	LatticeTargetGroups  []string
	Tags                 map[string]string // of the group
	// Hooks are put on the group, as PutLifecycleHook would.
	Hooks []asg.LifecycleHook

	// TerminationWait is how long blue lives on after a release; KeepBlue
	// keeps it for good.
	TerminationWait time.Duration // whole minutes
	KeepBlue        bool
	// ReadyWait makes deployments wait for ContinueDeployment that long.
	ReadyWait time.Duration // whole minutes
	// RollBack turns automatic rollback on, for failures and stops.
	RollBack bool
	// OutdatedInstances says what becomes of instances that are launched in the
	// middle of a deployment; they are updated unless set to IGNORE.
	OutdatedInstances cd.OutdatedInstancesStrategy
	// Trigger is the name of a topic that all deployment states are published
	// to; none unless set.
	Trigger string
	// TerminationHook has CodeDeploy keep a terminate hook of its own on the
	// group, and deploy to instances that terminate.
	TerminationHook bool
	// InPlace makes it a service that is released in place, on the same group.
	InPlace bool
	// Platform is the compute platform; Server unless set. Services on ECS and
	// Lambda have no Auto Scaling group.
	Platform cd.ComputePlatform
	// BareAnswers says that an instance to which no deployment came passes
	// health checks all the same, with what is in its image. By default
	// nothing answers on it.
	BareAnswers bool
}

// vpc is where services and target groups are unless set.
const vpc = "vpc-0a1b2c3d4e5f60718"

// AddService makes a service with everything that it needs, up and running
// and healthy. It returns the service with its defaults filled in. It panics
// if the region will not have it.
func (r *Region) AddService(s Service) Service {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.orDefault()
	lb := &cd.LoadBalancerInfo{}
	var sources []source
	for _, name := range s.TargetGroups {
		tg := r.targetGroupNamed(name)
		if tg == nil {
			tg = r.newTargetGroup(elb.TargetGroup{
				TargetGroupName: aws.String(name), Port: aws.Int32(80), Protocol: elb.ProtocolEnumHttp, VpcId: aws.String(vpc),
				HealthCheckIntervalSeconds: aws.Int32(10), HealthyThresholdCount: aws.Int32(2),
			})
		}
		r.balance(tg, "alb-"+name)
		tg.zones = s.Zones
		sources = append(sources, source{kind: sourceELBV2, id: tg.arn})
		lb.TargetGroupInfoList = append(lb.TargetGroupInfoList, cd.TargetGroupInfo{Name: aws.String(name)})
	}
	for _, name := range s.ClassicLoadBalancers {
		if b := r.balancers[name]; b == nil || !b.classic {
			r.addClassic(ClassicLoadBalancer{Name: name})
		}
		sources = append(sources, source{kind: sourceELB, id: name})
		lb.ElbInfoList = append(lb.ElbInfoList, cd.ELBInfo{Name: aws.String(name)})
	}
	for _, arn := range s.LatticeTargetGroups {
		sources = append(sources, source{kind: sourceLattice, id: arn})
	}
	var groups []string
	if s.Platform == cd.ComputePlatformServer {
		r.addServiceGroup(s, sources)
		groups = []string{s.Group}
	}
	r.addDeploymentGroup(s, lb, groups)
	return s
}

func (s *Service) orDefault() {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&s.Instances, 2)
	set(&s.Min, max(s.Instances/2, 1))
	set(&s.Max, 2*s.Instances)
	if s.Group == "" {
		s.Group = s.Application + "-" + s.DeploymentGroup
	}
	if s.HealthCheck == "" {
		s.HealthCheck = "ELB"
	}
	if s.Grace == 0 {
		s.Grace = time.Minute
	}
	if s.Platform == "" {
		s.Platform = cd.ComputePlatformServer
	}
}

// addServiceGroup makes the group, its instances in service and its traffic
// sources in service, as if all that had happened long ago.
func (r *Region) addServiceGroup(s Service, sources []source) {
	g := r.newGroup(asg.AutoScalingGroup{
		AutoScalingGroupName: aws.String(s.Group),
		MinSize:              aws.Int32(int32(s.Min)), MaxSize: aws.Int32(int32(s.Max)), DesiredCapacity: aws.Int32(int32(s.Instances)),
		HealthCheckType: aws.String(s.HealthCheck), HealthCheckGracePeriod: aws.Int32(int32(s.Grace / time.Second)),
		LaunchTemplate: &asg.LaunchTemplateSpecification{
			LaunchTemplateId: aws.String("lt-0" + r.ids.hex("launch template", 16)), Version: aws.String("$Latest"),
		},
		VPCZoneIdentifier: aws.String("subnet-0a,subnet-0b"), AvailabilityZones: slices.Clone(s.Zones),
	})
	g.vpc = vpc
	g.bareAnswers = s.BareAnswers
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		g.tags[key] = asg.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key]), PropagateAtLaunch: aws.Bool(true)}
	}
	for _, h := range s.Hooks {
		must(r.putHook(g, h))
	}
	for _, src := range sources {
		src.group, src.state = g, inService
		if !g.checksELB() {
			src.state = added
		}
		g.sources = append(g.sources, &src)
	}
	for range s.Instances {
		i := r.launch(g)
		i.ec2, i.lifecycle = running, asg.LifecycleStateInService
		i.inService = r.clock.now.Add(-g.grace())
		r.endActivity(i.launching, asg.ScalingActivityStatusCodeSuccessful, "")
		for _, src := range g.sources {
			r.registerWith(src, i)
			if tg := r.poolOf(src); tg != nil {
				tg.target(targetKey{i.id, tg.port}).makeHealthy()
			}
		}
	}
}

// makeHealthy is for targets that have been registered long ago.
func (t *target) makeHealthy() {
	t.generation++
	t.probing = ""
	t.set(elb.TargetHealthStateEnumHealthy, "")
}

// balance puts a load balancer in front of a target group.
func (r *Region) balance(tg *targetGroup, name string) {
	b := r.balancers[name]
	if b == nil {
		b = &balancer{name: name, arn: arn("elasticloadbalancing", "loadbalancer/app/"+name+"/"+r.ids.hex("load balancer", 16))}
		r.balancers[name] = b
	}
	if slices.Contains(tg.balancers, b.arn) {
		return
	}
	tg.balancers = append(tg.balancers, b.arn)
	for _, t := range tg.targets {
		if t.instance != nil && t.state == elb.TargetHealthStateEnumUnused {
			r.beginTarget(tg, t)
		}
	}
}

func (r *Region) addDeploymentGroup(s Service, lb *cd.LoadBalancerInfo, groups []string) {
	if r.apps[s.Application] == nil {
		_, err := r.createApplication(&codedeploy.CreateApplicationInput{ApplicationName: &s.Application, ComputePlatform: s.Platform})
		must(err)
	}
	in := &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &s.Application, DeploymentGroupName: &s.DeploymentGroup,
		ServiceRoleArn: aws.String("arn:aws:iam::" + Account + ":role/codedeploy"), AutoScalingGroups: groups,
		LoadBalancerInfo: lb, OutdatedInstancesStrategy: s.OutdatedInstances,
		TerminationHookEnabled: aws.Bool(s.TerminationHook),
		DeploymentStyle:        &cd.DeploymentStyle{DeploymentType: cd.DeploymentTypeBlueGreen, DeploymentOption: cd.DeploymentOptionWithTrafficControl},
	}
	switch {
	case s.InPlace:
		in.DeploymentStyle.DeploymentType = cd.DeploymentTypeInPlace
	case s.Platform == cd.ComputePlatformServer:
		in.BlueGreenDeploymentConfiguration = s.blueGreen()
	}
	if s.Platform == cd.ComputePlatformEcs {
		in.EcsServices = []cd.ECSService{{ClusterName: aws.String("main"), ServiceName: aws.String(s.DeploymentGroup)}}
	}
	if s.RollBack {
		in.AutoRollbackConfiguration = &cd.AutoRollbackConfiguration{
			Enabled: true, Events: []cd.AutoRollbackEvent{cd.AutoRollbackEventDeploymentFailure, cd.AutoRollbackEventDeploymentStopOnRequest},
		}
	}
	if s.Trigger != "" {
		in.TriggerConfigurations = []cd.TriggerConfig{{
			TriggerName: aws.String("deployhooks"), TriggerTargetArn: aws.String(r.topic(s.Trigger).arn),
			TriggerEvents: []cd.TriggerEventType{
				cd.TriggerEventTypeDeploymentStart, cd.TriggerEventTypeDeploymentReady, cd.TriggerEventTypeDeploymentSuccess,
				cd.TriggerEventTypeDeploymentFailure, cd.TriggerEventTypeDeploymentStop, cd.TriggerEventTypeDeploymentRollback,
			},
		}}
	}
	_, err := r.createDeploymentGroup(in)
	must(err)
	r.apps[s.Application].groups[s.DeploymentGroup].bareAnswers = s.BareAnswers
}

func (s *Service) blueGreen() *cd.BlueGreenDeploymentConfiguration {
	c := &cd.BlueGreenDeploymentConfiguration{
		GreenFleetProvisioningOption: &cd.GreenFleetProvisioningOption{Action: cd.GreenFleetProvisioningActionCopyAutoScalingGroup},
		DeploymentReadyOption:        &cd.DeploymentReadyOption{ActionOnTimeout: cd.DeploymentReadyActionContinueDeployment},
		TerminateBlueInstancesOnDeploymentSuccess: &cd.BlueInstanceTerminationOption{
			Action: cd.InstanceActionTerminate, TerminationWaitTimeInMinutes: int32(s.TerminationWait / time.Minute),
		},
	}
	if s.KeepBlue {
		c.TerminateBlueInstancesOnDeploymentSuccess = &cd.BlueInstanceTerminationOption{Action: cd.InstanceActionKeepAlive}
	}
	if s.ReadyWait > 0 {
		c.DeploymentReadyOption = &cd.DeploymentReadyOption{
			ActionOnTimeout: cd.DeploymentReadyActionStopDeployment, WaitTimeInMinutes: int32(s.ReadyWait / time.Minute),
		}
	}
	return c
}

// must turns a builder's mistake into a panic: it is a bug of the test.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("region: %v", err))
	}
}
