package drain

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"deployhooks/pkg/drain"
	"deployhooks/test/harness"
	"deployhooks/test/region"
)

func TestScaleIn(t *testing.T) {
	w := newWorld(t, setting{})
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustLoseNothing()
	w.mustBeQuiet()
	if told := w.Subjects(); len(told) > 0 {
		t.Errorf("an ordinary scale-in is told as %q", told)
	}
}

// TestScaleInWithoutTheFunction shows that the stories have something to lose.
func TestScaleInWithoutTheFunction(t *testing.T) {
	w := newWorld(t, setting{noHook: true})
	w.scaleIn(1)
	w.Advance(10 * time.Minute)
	if total := w.side.Total(); total.CutEarly == 0 {
		t.Errorf("without a drain nothing is lost either: %+v", total)
	}
}

func TestInstanceRefresh(t *testing.T) {
	w := newWorld(t, setting{})
	_, err := w.AutoScaling().StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: &w.group})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Hour)
	w.mustComplete(4)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestConfiguredTargetGroup shows that instances leave a target group that only
// the configuration names, by name or by ARN, and that a name that does not exist
// is passed over.
func TestConfiguredTargetGroup(t *testing.T) {
	w := newWorld(t, setting{tags: map[string]string{drain.TargetGroupsTag: ""}, config: drain.Config{TargetGroups: []string{"elsewhere", "side"}}})
	w.scaleIn(2)
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestADeploymentsTargetGroup shows that a group that CodeDeploy copied, and
// left without its target group, drains from it all the same.
func TestADeploymentsTargetGroup(t *testing.T) {
	w := newWorld(t, setting{})
	svc := region.Service{Application: "pay", DeploymentGroup: "blue", TargetGroups: []string{"pay"}, Instances: 3}
	svc = w.AddService(svc)
	w.RunDeployment(svc, region.Deployment{})
	green := w.GroupOf(svc)
	if len(w.Attached(green)) > 0 {
		t.Fatal("the copy is attached: nothing is shown")
	}
	w.Advance(time.Hour)
	w.group = green
	w.putHook(hook, 300)
	users := w.StartTraffic(region.Traffic{TargetGroup: "pay", Mix: []time.Duration{time.Second, 50 * time.Second}})
	w.Advance(2 * time.Minute)
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustBeQuiet()
	if cut := users.Total().CutEarly; cut > 0 {
		t.Errorf("%d requests to the deployment group's target group were cut off", cut)
	}
}

// TestNothingInFlight shows that an instance nobody talks to goes at once.
func TestNothingInFlight(t *testing.T) {
	w := newWorld(t, setting{})
	w.web.Stop()
	w.side.Stop()
	w.Advance(5 * time.Minute)
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	a := w.terminations()[0]
	if held := a.Ended.Sub(a.Began); held > 15*time.Second {
		t.Errorf("an idle instance was held %s", held)
	}
}

func TestNeverInATargetGroup(t *testing.T) {
	w := newWorld(t, setting{})
	svc := w.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2"})
	w.group = svc.Group
	w.putHook(hook, 300)
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustBeQuiet()
	a := w.terminations()[0]
	if held := a.Ended.Sub(a.Began); held > 5*time.Second {
		t.Errorf("an instance that was never in a target group was held %s", held)
	}
}

func TestReturnToTheWarmPool(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	_, err := w.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: &w.group, InstanceReusePolicy: &asgtypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustRunOnce(0)
	a := w.terminations()[0]
	if held := a.Ended.Sub(a.Began); held > 5*time.Second {
		t.Errorf("an instance that returns to the warm pool was held %s", held)
	}
	// It comes back, and goes another time.
	w.Scale(w.group, 4)
	w.Advance(10 * time.Minute)
	w.scaleIn(1)
	w.Advance(10 * time.Minute)
	w.mustComplete(2)
}

// TestOtherHooks shows that hooks of others are left to their owners.
func TestOtherHooks(t *testing.T) {
	w := newWorld(t, setting{})
	w.putHook("backup", 600)
	w.putHook("deployhooks-second", 300)
	w.scaleIn(1)
	w.Advance(9 * time.Minute)
	if n := w.ActiveActions(); n != 1 {
		t.Errorf("%d actions wait, want the one of the other owner", n)
	}
	w.settle()
	w.mustComplete(2)
	w.mustLoseNothing()
	w.mustBeQuiet()
}

// TestAnotherHookForHours has another owner hold the instance for hours after
// ours let it go: the sweep sees it wait, and must know that it has been drained.
// When it is gone nothing is left in the table.
func TestAnotherHookForHours(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	w.putHook("backup", 7200)
	w.scaleIn(1)
	w.Advance(100 * time.Minute)
	if n := w.ActiveActions(); n != 1 {
		t.Errorf("%d actions wait, want the one of the other owner", n)
	}
	w.Advance(3 * time.Hour)
	w.mustComplete(1)
	w.mustRunOnce(1)
	if told := w.Subjects(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
	out, err := w.DynamoDB().Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("drains")})
	if err != nil || len(out.Items) != 1 { // the clock's
		t.Errorf("%d items are left, %v", len(out.Items), err)
	}
}

func TestShutdownCommand(t *testing.T) {
	stories := map[string]struct {
		result  region.CommandResult
		tags    map[string]string
		config  drain.Config
		told    string
		in      string // the notice
		atMost  time.Duration
		invalid bool
	}{
		"by configuration":         {config: drain.Config{Command: "stop\nsync"}, result: region.CommandResult{Output: "bye"}, told: "Drained and shut down", in: "bye"},
		"by tag":                   {tags: map[string]string{drain.CommandTag: "stop"}, result: region.CommandResult{Output: "bye"}, told: "Drained and shut down", in: "bye"},
		"a document":               {tags: map[string]string{drain.CommandTag: "document:stop-app"}, told: "Drained and shut down"},
		"slow":                     {config: drain.Config{Command: "stop"}, result: region.CommandResult{Takes: 4 * time.Minute}, told: "Drained and shut down"},
		"failing":                  {config: drain.Config{Command: "stop"}, result: region.CommandResult{Failed: 3, Output: "no such service"}, told: "Shutdown command failed", in: "no such service"},
		"an agent that is lost":    {config: drain.Config{Command: "stop"}, result: region.CommandResult{Lost: true}, told: "Shutdown command failed", atMost: 8 * time.Minute},
		"an agent that falls mute": {config: drain.Config{Command: "stop"}, result: region.CommandResult{Silent: true}, told: "Shutdown command failed", atMost: 8 * time.Minute},
		"a document there is not":  {config: drain.Config{Document: "nope"}, told: "Shutdown command failed", in: "InvalidDocument", invalid: true},
	}
	for _, story := range slices.Sorted(maps.Keys(stories)) {
		t.Run(story, func(t *testing.T) {
			s := stories[story]
			w := newWorld(t, setting{config: s.config, tags: s.tags})
			w.AddDocument("stop-app")
			w.OnCommand(func(region.CommandRun) region.CommandResult { return s.result })
			w.scaleIn(2)
			w.settle()
			w.mustComplete(2)
			w.mustLoseNothing()
			w.mustBeQuiet()
			if s.invalid {
				w.mustRunOnce(0)
			} else {
				w.mustRunOnce(2)
			}
			told := w.Subjects()
			if harness.Count(told, s.told) == 0 {
				t.Errorf("told %q, want %q", told, s.told)
			}
			if texts := w.Texts(); harness.Count(texts, s.in) == 0 {
				t.Errorf("the notices keep %q back: %s", s.in, texts)
			}
			for _, a := range w.terminations() {
				if held := a.Ended.Sub(a.Began); s.atMost > 0 && held > s.atMost {
					t.Errorf("%s was held %s by a command that never answers", a.Instance, held)
				}
			}
		})
	}
}

func TestSpotInterruption(t *testing.T) {
	w := newWorld(t, setting{config: drain.Config{Command: "stop"}})
	i := w.InService(w.group)[0]
	w.InterruptSpot(i)
	w.Advance(90 * time.Second)
	if cut := w.side.Total().Failed; cut > 0 {
		t.Errorf("%d requests failed before the instance was even gone", cut)
	}
	if n := w.runs()[i]; n != 1 {
		t.Errorf("the shutdown command ran %d times before the Spot instance went", n)
	}
	w.Advance(10 * time.Minute)
	w.mustLoseNothing()
	w.mustBeQuiet()
	w.mustRunOnce(1)
}

func TestRebalanceRecommendation(t *testing.T) {
	for response, drains := range map[drain.Response]int{drain.TellPeople: 0, drain.DrainToo: 2} {
		w := newWorld(t, setting{config: drain.Config{OnRebalance: response}})
		i := w.InService(w.group)[0]
		w.RecommendRebalance(i)
		w.Advance(5 * time.Minute)
		if n := w.Made("DeregisterTargets"); (n > 0) != (drains > 0) {
			t.Errorf("with %q the instance was deregistered %d times", response, n)
		}
		if told := w.Subjects(); response == drain.TellPeople && harness.Count(told, i) != 1 {
			t.Errorf("the recommendation is told as %q", told)
		}
		w.mustBeQuiet()
	}
}

func TestMaintenance(t *testing.T) {
	for response, drains := range map[drain.Response]bool{drain.TellPeople: false, drain.DrainToo: true} {
		w := newWorld(t, setting{config: drain.Config{OnMaintenance: response}})
		i := w.InService(w.group)[0]
		w.Maintenance(i)
		w.Advance(5 * time.Minute)
		if told := w.Subjects(); harness.Count(told, i) != 1 || !strings.Contains(w.LastNotice(), "RETIREMENT") {
			t.Errorf("with %q a retirement is told as %q: %s", response, told, w.LastNotice())
		}
		if n := w.Made("DeregisterTargets"); (n > 0) != drains {
			t.Errorf("with %q the instance was deregistered %d times", response, n)
		}
		w.mustLoseNothing()
		w.mustBeQuiet()
	}
}

func TestOperators(t *testing.T) {
	w := newWorld(t, setting{mix: []time.Duration{time.Second, 100 * time.Second}, noSweep: true})
	i := w.InService(w.group)[0]
	w.ask(`{"action":"drain","instance":"` + i + `"}`)
	open := w.ask(`{"action":"status"}`)
	if len(open) != 1 || open[0].Instance != i || open[0].Cause != drain.Operator || !strings.Contains(open[0].WaitsFor, "side") {
		t.Errorf("a drain by hand shows as %+v", open)
	}
	w.Advance(5 * time.Minute)
	w.mustBeQuiet()

	w.scaleIn(1)
	w.RunUntil(func() bool { return len(w.terminations()) == 1 }, 5*time.Minute)
	w.Advance(10 * time.Second)
	a := w.terminations()[0]
	w.ask(`{"action":"skip","instance":"` + a.Instance + `"}`)
	if a := w.terminations()[0]; a.Ending != region.Completed {
		t.Errorf("skipped, and still waiting: %+v", a)
	}
	w.Advance(time.Minute)
	w.mustBeQuiet()
}
