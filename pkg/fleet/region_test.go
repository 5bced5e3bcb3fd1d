package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/test/region"
)

// shop is a region whose lists have pages of one entry, with a service of three
// instances and two target groups.
func shop(t *testing.T) (*region.Region, string) {
	t.Helper()
	r := region.New(region.Options{PageSize: 1})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web", "web-internal"}, Instances: 3})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "worker", TargetGroups: []string{"worker"}, Instances: 1})
	return r, r.GroupOf(svc)
}

func TestAutoScalingGroupsOfARegion(t *testing.T) {
	r, name := shop(t)
	groups, err := fleet.AutoScalingGroups(t.Context(), r.AutoScaling(), name, "none", name)
	if err != nil || len(groups) != 1 {
		t.Fatalf("found %v, %v", groups, err)
	}
	g := groups[name]
	if g.Name != name || !strings.Contains(g.ARN, name) || g.Desired != 3 || len(g.Instances) != 3 || len(g.Sources) != 2 || g.Created.IsZero() || g.Deleting || g.HasWarmPool {
		t.Errorf("the group reads %+v", g)
	}
	if i, ok := g.Instance(g.Instances[1].ID); !ok || !i.InService() || i.Unhealthy {
		t.Errorf("an instance in service reads %+v, %t", i, ok)
	}
	r.ForgetCalls()
	if _, err := fleet.AutoScalingGroups(t.Context(), r.AutoScaling(), slices.Repeat([]string{name}, 60)...); err != nil || len(r.Calls()) != 1 {
		t.Errorf("one group is described with %d calls, %v", len(r.Calls()), err)
	}
	if got, err := fleet.AutoScalingGroups(t.Context(), r.AutoScaling()); err != nil || len(got) != 0 {
		t.Errorf("without names, it finds %v, %v: every group of the account is worked on", got, err)
	}
}

func TestAutoScalingGroupsAfter(t *testing.T) {
	r, _ := shop(t)
	var names []string
	token, pages := "", 0
	for {
		groups, next, err := fleet.AutoScalingGroupsAfter(t.Context(), r.AutoScaling(), token)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, g := range groups {
			names = append(names, g.Name)
		}
		if token = next; token == "" {
			break
		}
	}
	slices.Sort(names)
	if pages != 2 || len(slices.Compact(names)) != 2 {
		t.Errorf("%d pages hold %v: a sweep that continues skips a group", pages, names)
	}
}

func TestTrafficSourcesOfARegion(t *testing.T) {
	r, name := shop(t)
	states, err := fleet.TrafficSources(t.Context(), r.AutoScaling(), name)
	if err != nil || len(states) != 2 {
		t.Fatalf("found %v, %v", states, err)
	}
	for _, tg := range []string{"web", "web-internal"} {
		if state := states[fleet.TrafficSource{Type: fleet.ELBV2, ID: r.TargetGroupARN(tg)}]; !fleet.Attached(state) {
			t.Errorf("%s is attached, and reads %q", tg, state)
		}
	}
	if states, err := fleet.TrafficSources(t.Context(), r.AutoScaling(), "none"); states != nil || err != nil {
		t.Errorf("a group that does not exist has %v, %v: it fails its deployment group for ever", states, err)
	}
}

func TestLifecycleHooksOfARegion(t *testing.T) {
	r, name := shop(t)
	for _, hook := range []string{"second", "first"} {
		if _, err := r.AutoScaling().PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: &name, LifecycleHookName: aws.String(hook), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
			HeartbeatTimeout: aws.Int32(300), DefaultResult: aws.String("CONTINUE"), NotificationMetadata: aws.String("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	hooks, err := fleet.LifecycleHooks(t.Context(), r.AutoScaling(), name)
	hooks = slices.DeleteFunc(hooks, func(h fleet.LifecycleHook) bool { return strings.HasPrefix(h.Name, fleet.ManagedHook) })
	want := fleet.LifecycleHook{Name: "first", Transition: "autoscaling:EC2_INSTANCE_TERMINATING", Timeout: 300, Global: 30000, DefaultResult: "CONTINUE", Metadata: "x"}
	if err != nil || len(hooks) != 2 || hooks[0] != want || hooks[1].Name != "second" {
		t.Errorf("found %+v, %v", hooks, err)
	}
	if hooks, err := fleet.LifecycleHooks(t.Context(), r.AutoScaling(), "none"); hooks != nil || err != nil {
		t.Errorf("a group that does not exist has %v, %v", hooks, err)
	}
}

func TestMembersOfARegion(t *testing.T) {
	r, name := shop(t)
	ids := append(r.InService(name), "i-0000000000000none", "i-0000000000000none")
	members, err := fleet.Members(t.Context(), r.AutoScaling(), ids...)
	if err != nil || len(members) != 3 {
		t.Fatalf("found %v, %v", members, err)
	}
	for id, m := range members {
		if m.ID != id || m.AutoScalingGroup != name || !m.InService() {
			t.Errorf("%s reads %+v", id, m)
		}
	}
	if members, err := fleet.Members(t.Context(), r.AutoScaling()); err != nil || len(members) != 0 {
		t.Errorf("without instances, it finds %v, %v: every instance of the account is worked on", members, err)
	}
}

func TestWarmPoolOfARegion(t *testing.T) {
	r, name := shop(t)
	if pool, err := fleet.WarmPool(t.Context(), r.AutoScaling(), name); err != nil || len(pool) != 0 {
		t.Errorf("a group without a warm pool has %v, %v", pool, err)
	}
	if pool, err := fleet.WarmPool(t.Context(), r.AutoScaling(), "none"); err != nil || len(pool) != 0 {
		t.Errorf("a group that does not exist has %v, %v", pool, err)
	}
	if _, err := r.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: &name, InstanceReusePolicy: &autoscalingtypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(true)},
	}); err != nil {
		t.Fatal(err)
	}
	r.Scale(name, 1)
	r.Advance(10 * time.Minute)
	pool, err := fleet.WarmPool(t.Context(), r.AutoScaling(), name)
	if err != nil || len(pool) != 2 || pool[0].State != "Warmed:Stopped" {
		t.Errorf("two instances are in the warm pool, and it reads %+v, %v", pool, err)
	}
	if groups, err := fleet.AutoScalingGroups(t.Context(), r.AutoScaling(), name); err != nil || !groups[name].HasWarmPool || len(groups[name].Instances) != 1 {
		t.Errorf("the group reads %+v, %v", groups[name], err)
	}
}

func TestTargetsOfARegion(t *testing.T) {
	r, name := shop(t)
	web := r.TargetGroupARN("web")
	targets, exists, err := fleet.Targets(t.Context(), r.ELBV2(), web)
	if err != nil || !exists || len(targets) != 3 {
		t.Fatalf("found %v, %t, %v", targets, exists, err)
	}
	for _, target := range targets {
		if !slices.Contains(r.InService(name), target.Instance) || target.Port != 80 || target.State != fleet.TargetHealthy || !target.Registered() {
			t.Errorf("a healthy target reads %+v", target)
		}
	}
	if delay, err := fleet.DeregistrationDelay(t.Context(), r.ELBV2(), web); err != nil || delay <= 0 || delay > fleet.MaxDeregistrationDelay {
		t.Errorf("its deregistration delay reads %s, %v", delay, err)
	}
	gone := strings.Replace(web, "/web/", "/none/", 1)
	if targets, exists, err := fleet.Targets(t.Context(), r.ELBV2(), gone); targets != nil || exists || err != nil {
		t.Errorf("a target group that does not exist has %v, %t, %v: it holds an instance for ever", targets, exists, err)
	}
	if _, err := fleet.DeregistrationDelay(t.Context(), r.ELBV2(), gone); !fault.Is(err, fault.NotFound) {
		t.Errorf("the delay of a target group that does not exist is an error that says %v", err)
	}
}

// counting counts the calls that describe target groups.
type counting struct {
	region.ELBV2
	calls int
}

func (c *counting) DescribeTargetGroups(ctx context.Context, in *elbv2.DescribeTargetGroupsInput, o ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error) {
	c.calls++
	return c.ELBV2.DescribeTargetGroups(ctx, in, o...)
}

// TestMissingTargetGroup holds that one missing name costs a few calls, and that the
// others are found.
func TestMissingTargetGroup(t *testing.T) {
	r := region.New(region.Options{})
	var names, arns []string
	for n := range 99 {
		name := fmt.Sprintf("tg-%02d", n)
		out, err := r.ELBV2().CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{
			Name: &name, Port: aws.Int32(80), Protocol: elbv2types.ProtocolEnumHttp, VpcId: aws.String("vpc-0"), TargetType: elbv2types.TargetTypeEnumInstance,
		})
		if err != nil {
			t.Fatal(err)
		}
		names, arns = append(names, name), append(arns, *out.TargetGroups[0].TargetGroupArn)
	}
	noARN := strings.Replace(arns[0], "tg-00", "tg-aa", 1)
	api := &counting{ELBV2: r.ELBV2()}
	for name, c := range map[string]struct {
		asked   []string
		found   int
		missing []string
		calls   int
	}{
		"none is missing":            {names, 99, nil, 1},
		"nothing is asked for":       {nil, 0, nil, 0},
		"one name of a hundred":      {append([]string{"tg-5x"}, names...), 99, []string{"tg-5x"}, 15},
		"one ARN of a hundred":       {append([]string{noARN}, arns...), 99, []string{noARN}, 15},
		"names and ARNs, some twice": {append(append([]string{"web,worker"}, names[:3]...), arns[1], arns[1], names[1], "a-typo"), 4, []string{"a-typo", "web,worker"}, 11},
		"all are missing":            {[]string{"a", "b"}, 0, []string{"a", "b"}, 3},
		"more than fit one call":     {append(slices.Clone(names), "x1", "x2", "x3"), 99, []string{"x1", "x2", "x3"}, 30},
	} {
		api.calls = 0
		asked := slices.Clone(c.asked)
		found, missing, err := fleet.TargetGroups(t.Context(), api, asked...)
		if err != nil || len(found) != c.found || !slices.Equal(missing, c.missing) {
			t.Errorf("%s: %d are found, %v are missing, %v: requests are cut because of a typo elsewhere", name, len(found), missing, err)
		}
		if api.calls > c.calls {
			t.Errorf("%s: takes %d calls, more than %d: a typo throttles the account", name, api.calls, c.calls)
		}
		if !slices.Equal(asked, c.asked) {
			t.Errorf("%s: the caller's list is altered", name)
		}
	}
	all, err := fleet.EveryTargetGroup(t.Context(), api)
	if err != nil || len(all) != 99 {
		t.Errorf("%d of all target groups are found, %v", len(all), err)
	}
}

func TestTargetGroupsInPages(t *testing.T) {
	r, _ := shop(t)
	found, missing, err := fleet.TargetGroups(t.Context(), r.ELBV2(), "web", "worker", "web-internal", r.TargetGroupARN("web"))
	if err != nil || len(found) != 4 || missing != nil {
		t.Fatalf("found %+v, missing %v, %v", found, missing, err)
	}
	want := fleet.TargetGroup{ARN: r.TargetGroupARN("web"), Name: "web", TargetType: fleet.InstanceTargets, Protocol: "HTTP", InUse: true}
	if !slices.Contains(found, want) || found[0].Network() {
		t.Errorf("target groups read %+v, want %+v among them", found, want)
	}
	if all, err := fleet.EveryTargetGroup(t.Context(), r.ELBV2()); err != nil || len(all) != 3 {
		t.Errorf("all target groups read %+v, %v", all, err)
	}
}

// TestFailures holds that a reader says what it could not read, and takes no failure
// for an answer.
func TestFailures(t *testing.T) {
	r, name := shop(t)
	asg, elb := r.AutoScaling(), r.ELBV2()
	for operation, read := range map[string]func() error{
		"DescribeAutoScalingGroups": func() error { return second(fleet.AutoScalingGroups(t.Context(), asg, name, "b", "c", "d", "e")) },
		"DescribeAutoScalingGroups+": func() error {
			_, _, err := fleet.AutoScalingGroupsAfter(t.Context(), asg, "")
			return err
		},
		"DescribeTrafficSources":       func() error { return second(fleet.TrafficSources(t.Context(), asg, name)) },
		"DescribeLifecycleHooks":       func() error { return second(fleet.LifecycleHooks(t.Context(), asg, name)) },
		"DescribeAutoScalingInstances": func() error { return second(fleet.Members(t.Context(), asg, "i-1")) },
		"DescribeWarmPool":             func() error { return second(fleet.WarmPool(t.Context(), asg, name)) },
		"DescribeTargetGroups":         func() error { _, _, err := fleet.TargetGroups(t.Context(), elb, "web"); return err },
		"DescribeTargetGroups+":        func() error { return second(fleet.EveryTargetGroup(t.Context(), elb)) },
		"DescribeTargetHealth":         func() error { _, _, err := fleet.Targets(t.Context(), elb, r.TargetGroupARN("web")); return err },
		"DescribeTargetGroupAttributes": func() error {
			return second(fleet.DeregistrationDelay(t.Context(), elb, r.TargetGroupARN("web")))
		},
	} {
		call := strings.TrimRight(operation, "+")
		r.SetFaults(region.On(call, 1, region.Fault{Before: region.AccessDenied("")}))
		if err := read(); !fault.Is(err, fault.Denied) || !strings.HasPrefix(err.Error(), "describe ") && !strings.HasPrefix(err.Error(), "find ") {
			t.Errorf("%s is denied, and its reader says %v", call, err)
		}
	}
}

// TestInvalidListOfEveryTargetGroup holds that a refused list is no empty one.
func TestInvalidListOfEveryTargetGroup(t *testing.T) {
	r, _ := shop(t)
	r.SetFaults(region.On("DescribeTargetGroups", 1, region.Fault{Before: &smithy.GenericAPIError{Code: "ValidationError"}}))
	if all, err := fleet.EveryTargetGroup(t.Context(), r.ELBV2()); !fault.Is(err, fault.Invalid) {
		t.Errorf("it reads %v, %v: target groups that hold the instance are not found", all, err)
	}
}

func second[T any](_ T, err error) error { return err }
