package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// built is where buildHooks builds the functions, for the first test that asks.
var (
	built      string
	buildHooks = sync.OnceValue(func() error { return hooks.Build(context.Background(), built) })
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "hooks"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	return m.Run()
}

// servedWithHooks serves a sample with the built functions in it, whose time
// passes only on request. said is what is printed on the terminal.
func servedWithHooks(t *testing.T) (s *sample, said *strings.Builder) {
	t.Helper()
	if err := buildHooks(); err != nil {
		t.Fatal(err)
	}
	build := t.TempDir() // of its own, for the logs are beside the programs
	for _, f := range []hooks.Function{hooks.Repair, hooks.Drain} {
		if err := os.Mkdir(filepath.Join(build, f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(built, f.Name, "bootstrap"), filepath.Join(build, f.Name, "bootstrap")); err != nil {
			t.Fatal(err)
		}
	}
	s, said = servedWith(t, options{perSecond: 10, hooks: true, build: build}), &strings.Builder{}
	stop, err := s.startHooks(t.Context(), said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, said
}

// TestTheHooksRepairByThemselves is what the guide promises with --hooks: a
// release, some time, and the copy is attached.
func TestTheHooksRepairByThemselves(t *testing.T) {
	t.Parallel()
	s, said := servedWithHooks(t)
	s.get(t, "POST", "deploy", nil)
	s.get(t, "POST", "advance?seconds=900", nil)
	var after state
	s.get(t, "GET", "state", &after)
	if len(after.AutoScalingGroups) != 1 || len(after.AutoScalingGroups[0].TrafficSources) != 1 || after.AutoScalingGroups[0].TrafficSources[0].State != "InService" {
		t.Errorf("a quarter of an hour after a release the copy is not attached: %+v", after.AutoScalingGroups)
	}
	var sent struct {
		Notices []struct{ Subject string }
	}
	s.get(t, "GET", "notices", &sent)
	// Until the release ends the copy is protected from scale-in, of which they hear first.
	if len(sent.Notices) != 2 || !strings.Contains(sent.Notices[0].Subject, "until the release ends: shop/web") || !strings.Contains(sent.Notices[1].Subject, "repaired: shop/web") {
		t.Errorf("operators are not notified of the repair: %+v", sent)
	}
	s.region.RecommendRebalance(s.region.InService(s.region.GroupOf(s.service))[0])
	s.get(t, "POST", "advance?seconds=60", nil)
	for _, want := range []string{`(?m)^[0-9:]{8}  repair: .* repaired: shop/web$`, `(?m)^[0-9:]{8}  drain: Interruption or maintenance announced: i-`} {
		if !regexp.MustCompile(want).MatchString(said.String()) {
			t.Errorf("whoever watches the terminal does not see who did what: no %s in\n%s", want, said)
		}
	}
}

// TestTheHooksDrainByThemselves: an instance that is scaled in is held until
// nothing is in flight to it, also from a target group that its Auto Scaling
// group does not know of; all that others do goes over the wire.
func TestTheHooksDrainByThemselves(t *testing.T) {
	t.Parallel()
	s, _ := servedWithHooks(t)
	ctx, groups, balancers := t.Context(), autoscaling.NewFromConfig(s.config()), elbv2.NewFromConfig(s.config())
	if _, err := groups.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String("shop-web"), LifecycleHookName: aws.String(drainHook), HeartbeatTimeout: aws.Int32(900),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"),
	}); err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=300", nil) // until requests are in flight
	if _, err := groups.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("shop-web"), DesiredCapacity: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=60", nil)
	out, err := groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"shop-web"}})
	if err != nil {
		t.Fatal(err)
	}
	instances := out.AutoScalingGroups[0].Instances
	i := slices.IndexFunc(instances, func(i autoscalingtypes.Instance) bool {
		return i.LifecycleState == autoscalingtypes.LifecycleStateTerminatingWait
	})
	if i < 0 {
		t.Fatalf("nobody waits for drain: %+v", instances)
	}
	health, err := balancers.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{
		TargetGroupArn: aws.String(s.region.TargetGroupARN(partners)),
		Targets:        []elbv2types.TargetDescription{{Id: instances[i].InstanceId, Port: aws.Int32(partnersPort)}},
	})
	if err != nil || health.TargetHealthDescriptions[0].TargetHealth.State != elbv2types.TargetHealthStateEnumDraining {
		t.Errorf("the instance that goes is not draining in %s, so its requests will be cut off: %+v, %v", partners, health, err)
	}

	s.get(t, "POST", "advance?seconds=600", nil)
	actions := s.region.LifecycleActions()
	if len(actions) != 1 || actions[0].Instance != *instances[i].InstanceId || actions[0].Ending != region.Completed {
		t.Errorf("drain does not complete the lifecycle action, which ends at its timeout if at all: %+v", actions)
	}
	var after state
	s.get(t, "GET", "state", &after)
	if len(after.AutoScalingGroups[0].Instances) != 3 {
		t.Errorf("the drained instance is still there: %+v", after.AutoScalingGroups[0])
	}
	if after.Requests.Failed > 0 {
		t.Errorf("%d of %d requests failed although drain was there", after.Requests.Failed, after.Requests.Total)
	}
}
