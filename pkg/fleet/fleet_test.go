package fleet_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// answers are Auto Scaling and Elastic Load Balancing with one answer each.
type answers struct {
	group      autoscalingtypes.AutoScalingGroup
	source     autoscalingtypes.TrafficSourceState
	hook       autoscalingtypes.LifecycleHook
	instance   autoscalingtypes.AutoScalingInstanceDetails
	warm       autoscalingtypes.Instance
	target     elbv2types.TargetHealthDescription
	attributes []elbv2types.TargetGroupAttribute
}

func (a answers) DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []autoscalingtypes.AutoScalingGroup{a.group}}, nil
}

func (a answers) DescribeTrafficSources(context.Context, *autoscaling.DescribeTrafficSourcesInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeTrafficSourcesOutput, error) {
	return &autoscaling.DescribeTrafficSourcesOutput{TrafficSources: []autoscalingtypes.TrafficSourceState{a.source}}, nil
}

func (a answers) DescribeLifecycleHooks(context.Context, *autoscaling.DescribeLifecycleHooksInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []autoscalingtypes.LifecycleHook{a.hook}}, nil
}

func (a answers) DescribeAutoScalingInstances(context.Context, *autoscaling.DescribeAutoScalingInstancesInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: []autoscalingtypes.AutoScalingInstanceDetails{a.instance}}, nil
}

func (a answers) DescribeWarmPool(context.Context, *autoscaling.DescribeWarmPoolInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeWarmPoolOutput, error) {
	return &autoscaling.DescribeWarmPoolOutput{Instances: []autoscalingtypes.Instance{a.warm}}, nil
}

func (a answers) DescribeTargetGroups(context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error) {
	return &elbv2.DescribeTargetGroupsOutput{TargetGroups: []elbv2types.TargetGroup{{}}}, nil
}

func (a answers) DescribeTargetHealth(context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error) {
	return &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbv2types.TargetHealthDescription{a.target}}, nil
}

func (a answers) DescribeTargetGroupAttributes(context.Context, *elbv2.DescribeTargetGroupAttributesInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupAttributesOutput, error) {
	return &elbv2.DescribeTargetGroupAttributesOutput{Attributes: a.attributes}, nil
}

// TestAnswersThatLeaveOutFields holds that no reader panics: the fields of answers
// are pointers, and services leave out what does not apply.
func TestAnswersThatLeaveOutFields(t *testing.T) {
	empty := answers{group: autoscalingtypes.AutoScalingGroup{
		Instances: make([]autoscalingtypes.Instance, 1), SuspendedProcesses: make([]autoscalingtypes.SuspendedProcess, 1), Tags: make([]autoscalingtypes.TagDescription, 1),
		TrafficSources: make([]autoscalingtypes.TrafficSourceIdentifier, 1),
	}, attributes: make([]elbv2types.TargetGroupAttribute, 1)}
	ctx := t.Context()
	groups, err1 := fleet.AutoScalingGroups(ctx, empty, "web")
	sources, err2 := fleet.TrafficSources(ctx, empty, "web")
	hooks, err3 := fleet.LifecycleHooks(ctx, empty, "web")
	members, err4 := fleet.Members(ctx, empty, "i-1")
	pool, err5 := fleet.WarmPool(ctx, empty, "web")
	targetGroups, _, err6 := fleet.TargetGroups(ctx, empty, "web")
	targets, exists, err7 := fleet.Targets(ctx, empty, "arn")
	delay, err8 := fleet.DeregistrationDelay(ctx, empty, "arn")
	for _, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8} {
		if err != nil {
			t.Error(err)
		}
	}
	if len(groups) != 1 || len(sources) != 1 || len(hooks) != 1 || len(members) != 1 || len(pool) != 1 || len(targetGroups) != 1 || len(targets) != 1 || !exists || delay != 0 {
		t.Error("an answer that leaves out fields is not read")
	}
}

func TestAutoScalingGroup(t *testing.T) {
	const (
		web     = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
		api     = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/0123456789abcdef"
		lattice = "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"
	)
	source := func(kind, id string) autoscalingtypes.TrafficSourceIdentifier {
		s := autoscalingtypes.TrafficSourceIdentifier{Identifier: &id}
		if kind != "" {
			s.Type = &kind
		}
		return s
	}
	in := answers{group: autoscalingtypes.AutoScalingGroup{
		AutoScalingGroupName: aws.String("web"), AutoScalingGroupARN: aws.String("arn"), Status: aws.String("Delete in progress"), HealthCheckType: aws.String("EC2,ELB"),
		// The same target group in two lists, another without its type, and one each that is in one list only.
		TrafficSources:        []autoscalingtypes.TrafficSourceIdentifier{source("elbv2", web), source("", api), source("", lattice), source("", "classic")},
		TargetGroupARNs:       []string{web, api},
		LoadBalancerNames:     []string{"classic", "another"},
		SuspendedProcesses:    []autoscalingtypes.SuspendedProcess{{ProcessName: aws.String("Terminate")}, {ProcessName: aws.String("AddToLoadBalancer")}},
		Tags:                  []autoscalingtypes.TagDescription{{Key: aws.String("team"), Value: aws.String("")}},
		WarmPoolConfiguration: &autoscalingtypes.WarmPoolConfiguration{},
		DesiredCapacity:       aws.Int32(2),
		Instances:             []autoscalingtypes.Instance{{InstanceId: aws.String("i-1"), LifecycleState: "Terminating:Wait", ProtectedFromScaleIn: aws.Bool(true), HealthStatus: aws.String("Unhealthy")}},
	}}
	groups, err := fleet.AutoScalingGroups(t.Context(), in, "web")
	if err != nil {
		t.Fatal(err)
	}
	g := groups["web"]
	want := &fleet.AutoScalingGroup{
		Name: "web", ARN: "arn", Desired: 2, Deleting: true, ELBChecked: true, HasWarmPool: true,
		Suspended: []string{"AddToLoadBalancer", "Terminate"},
		Instances: []fleet.Instance{{ID: "i-1", State: fleet.TerminatingWait, Protected: true, Unhealthy: true}},
		Tags:      map[string]string{"team": ""},
		Sources:   []fleet.TrafficSource{{Type: "elb", ID: "another"}, {Type: "elb", ID: "classic"}, {Type: "elbv2", ID: api}, {Type: "elbv2", ID: web}, {Type: "vpc-lattice", ID: lattice}},
	}
	if diff := gocmp.Diff(want, g, cmpopts.IgnoreFields(fleet.AutoScalingGroup{}, "Described")); diff != "" {
		t.Errorf("a source counts twice or not at all (-want +got):\n%s", diff)
	}
	if aws.ToString(g.Described.HealthCheckType) != "EC2,ELB" {
		t.Errorf("what has no field of its own is lost: %+v", g.Described)
	}
	if !g.IsSuspended("Terminate") || g.IsSuspended("Launch") {
		t.Error("a suspended process is not found")
	}
	if _, ok := g.Instance("i-2"); ok {
		t.Error("another's instance is found")
	}
	if !g.HasTag("team", "") || g.HasTag("team", "x") || g.HasTag("owner", "") {
		t.Error("a group without a tag is in scope of the tag's empty value")
	}
}

func TestTrafficSource(t *testing.T) {
	for _, c := range []struct {
		source     fleet.TrafficSource
		name, text string
	}{
		{fleet.TrafficSource{Type: fleet.ELBV2, ID: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"}, "web", "target group web"},
		{fleet.TrafficSource{Type: fleet.ClassicELB, ID: "classic"}, "classic", "Classic Load Balancer classic"},
		{fleet.TrafficSource{Type: fleet.VPCLattice, ID: "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"},
			"arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0", "VPC Lattice target group arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"},
	} {
		if c.source.Name() != c.name || c.source.String() != c.text {
			t.Errorf("%+v reads %q, %q", c.source, c.source.Name(), c.source)
		}
	}
	for text, want := range map[string]string{"a/b/c": "a/b/c", "web": "web", "": "", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/01": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/01"} {
		if got := fleet.TargetGroupName(text); got != want {
			t.Errorf("%q names the target group %q", text, got)
		}
	}
	for state, want := range map[string]bool{fleet.SourceAdding: true, fleet.SourceAdded: true, fleet.SourceInService: true, fleet.SourceRemoving: false, fleet.SourceRemoved: false, "": false} {
		if fleet.Attached(state) != want {
			t.Errorf("a source in state %q is attached: %t", state, !want)
		}
	}
	sources := []fleet.TrafficSource{{Type: "elbv2", ID: "b"}, {Type: "elb", ID: "c"}, {Type: "elbv2", ID: "a"}}
	slices.SortFunc(sources, fleet.CompareTrafficSources)
	if sources[0].ID+sources[1].ID+sources[2].ID != "cab" {
		t.Errorf("sorted, they are %v", sources)
	}
}

// TestTarget holds which targets a load balancer may send requests to, and which are
// done ("Target health status" and "Reason codes", Elastic Load Balancing).
func TestTarget(t *testing.T) {
	for _, c := range []struct {
		state, reason                string
		registered, draining, unused bool
	}{
		{state: fleet.TargetInitial, reason: "Elb.RegistrationInProgress", registered: true},
		{state: fleet.TargetHealthy, registered: true},
		{state: fleet.TargetUnhealthy, reason: "Target.Timeout", registered: true},
		{state: fleet.TargetUnhealthyDraining, registered: true},
		{state: fleet.TargetUnavailable, reason: "Target.HealthCheckDisabled", registered: true},
		{state: fleet.TargetDraining, reason: "Target.DeregistrationInProgress", draining: true},
		{state: fleet.TargetUnused, reason: "Target.NotRegistered", unused: true},
		{state: fleet.TargetUnused, reason: "Target.NotInUse", registered: true, unused: true},
		{state: fleet.TargetUnused, reason: "Target.InvalidState", registered: true, unused: true},
	} {
		target := fleet.Target{State: c.state, Reason: c.reason}
		if target.Unregistered() != (c.reason == "Target.NotRegistered") || target.Registered() != c.registered || target.Draining() != c.draining || target.Unused() != c.unused {
			t.Errorf("%s (%s): registered %t, draining %t, unused %t: requests are cut, or an instance is held for none", c.state, c.reason, target.Registered(), target.Draining(), target.Unused())
		}
	}
	for protocol, want := range map[string]bool{"HTTP": false, "HTTPS": false, "GENEVE": false, "": false, "TCP": true, "TLS": true, "UDP": true, "TCP_UDP": true, "QUIC": true, "TCP_QUIC": true} {
		if (fleet.TargetGroup{Protocol: protocol}).Network() != want {
			t.Errorf("%q is of a Network Load Balancer: %t: new connections are cut, or each drain waits two minutes", protocol, !want)
		}
	}
}

func TestDeregistrationDelay(t *testing.T) {
	attribute := func(key, value string) elbv2types.TargetGroupAttribute {
		return elbv2types.TargetGroupAttribute{Key: &key, Value: &value}
	}
	const key = "deregistration_delay.timeout_seconds"
	for value, want := range map[string]time.Duration{"0": 0, "300": 5 * time.Minute, "3600": fleet.MaxDeregistrationDelay} {
		got, err := fleet.DeregistrationDelay(t.Context(), answers{attributes: []elbv2types.TargetGroupAttribute{attribute("stickiness.enabled", "true"), attribute(key, value)}}, "arn")
		if err != nil || got != want {
			t.Errorf("%s s reads %s, %v", value, got, err)
		}
	}
	if got, err := fleet.DeregistrationDelay(t.Context(), answers{}, "arn"); err != nil || got != 0 {
		t.Errorf("a target group without a delay has %s, %v", got, err)
	}
	if _, err := fleet.DeregistrationDelay(t.Context(), answers{attributes: []elbv2types.TargetGroupAttribute{attribute(key, "soon")}}, "arn"); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("a delay that is no number says %v: the instance is released at once", err)
	}
}
