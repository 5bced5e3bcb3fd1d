package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"deployhooks/test/region"
)

// files are the recordings by name.
func files(t *testing.T, r *recorder) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(r.folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(b)
	}
	return found
}

func TestRecordsARelease(t *testing.T) {
	a := newAccount()
	a.trail = []string{`{"eventName":"CreateAutoScalingGroup","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/deploy/ada"},"sourceIPAddress":"10.1.2.3","requestParameters":{"autoScalingGroupName":"CodeDeploy_web_d-1","tags":[{"key":"k","value":"v"}]}}`}
	ctx, interrupt := context.WithCancel(t.Context())
	r, out := a.recorder(t, interrupt)
	if err := r.record(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := files(t, r)
	for _, want := range []string{
		"codedeploy-eventbridge-deployment-state-change-start-1.json", "codedeploy-eventbridge-deployment-state-change-success-1.json",
		"codedeploy-answer-get-deployment-1.json", "codedeploy-answer-get-deployment-group-1.json", "codedeploy-answer-batch-get-deployment-targets-1.json",
		"autoscaling-answer-describe-auto-scaling-groups-1.json", "autoscaling-answer-describe-lifecycle-hooks-1.json", "autoscaling-answer-describe-traffic-sources-1.json",
		"elasticloadbalancing-answer-describe-target-health-1.json", "cloudtrail-codedeploy-create-auto-scaling-group-1.json", "timeline.txt",
	} {
		if got[want] == "" {
			t.Errorf("%s is missing: the recording does not settle what it is for", want)
		}
	}
	var lost, green int
	for name, text := range got {
		if strings.HasPrefix(name, "autoscaling-answer-describe-traffic-sources") && strings.TrimSpace(text) == "[]" {
			lost++
		}
		if strings.HasPrefix(name, "autoscaling-answer-describe-auto-scaling-groups") && strings.Contains(text, `"CodeDeploy_web_`) {
			green++
		}
	}
	if lost == 0 || green < 2 {
		t.Errorf("the replacement group was recorded %d times, and its lost attachment %d times", green, lost)
	}
	if text := got["cloudtrail-codedeploy-describe-tags-1.json"]; text != "" {
		t.Errorf("what only reads, which is most of CloudTrail, hides what changes: %s", text)
	}
	testTimeline(t, got)
	testCleanedUp(t, a, out.String())
}

// What earlier releases did is none of this one's.
func TestEarlierReleasesAreNotRecorded(t *testing.T) {
	a := newAccount()
	earlier := a.region.Deploy(region.Service{Application: "shop", DeploymentGroup: "web"}, region.Deployment{})
	for !a.region.Deployed(earlier) {
		a.region.Advance(time.Minute)
	}
	a.region.Advance(time.Hour)
	ctx, interrupt := context.WithCancel(t.Context())
	r, out := a.recorder(t, interrupt)
	if err := r.record(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := files(t, r)
	if got["codedeploy-answer-get-deployment-1.json"] == "" {
		t.Errorf("the release is not recorded:\n%s", out)
	}
	for name, text := range got {
		if strings.HasPrefix(name, "codedeploy-answer-get-deployment-") && strings.Contains(text, `"DeploymentId": "`+earlier) && !strings.Contains(name, "-group-") {
			t.Errorf("%s is of an earlier release: %s", name, text)
		}
	}
	if strings.Contains(got["timeline.txt"], "GetDeployment "+earlier) {
		t.Errorf("the timeline has an earlier release:\n%s", got["timeline.txt"])
	}
}

// testTimeline holds that the timeline has every recording once, in order.
func testTimeline(t *testing.T, got map[string]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got["timeline.txt"]), "\n")
	at := regexp.MustCompile(`^\+\d\d:\d\d:\d\d  \S+\.json `)
	for name := range got {
		if count := strings.Count(got["timeline.txt"], " "+name+" "); strings.HasSuffix(name, ".json") && count != 1 {
			t.Errorf("the timeline has %s %d times", name, count)
		}
	}
	if !slices.IsSorted(lines) && !slices.IsSortedFunc(lines, func(a, b string) int { return strings.Compare(a[:9], b[:9]) }) {
		t.Errorf("the timeline is out of order:\n%s", got["timeline.txt"])
	}
	for _, line := range lines {
		if !at.MatchString(line) {
			t.Errorf("the timeline has %q", line)
		}
	}
}

func testCleanedUp(t *testing.T, a *account, said string) {
	t.Helper()
	if len(a.exists) > 0 {
		t.Errorf("%v stay in the account:\n%s", a.exists, said)
	}
}

func TestRecordingsAreRedacted(t *testing.T) {
	a := newAccount()
	a.trail = []string{`{"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/deploy/ada"},"sourceIPAddress":"10.1.2.3","requestParameters":{"userData":"x"}}`}
	ctx, interrupt := context.WithCancel(t.Context())
	r, out := a.recorder(t, interrupt)
	if err := r.record(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	account := regexp.MustCompile(`(^|\D)(\d{12})(\D|$)`)
	for name, text := range files(t, r) {
		for _, found := range account.FindAllStringSubmatch(text, -1) {
			if found[2] != "123456789012" && !strings.HasPrefix(found[2], "9000000000") {
				t.Errorf("%s names the account %s", name, found[2])
			}
		}
		for _, secret := range []string{"ada", "10.1.2.3", `"x"`} {
			if strings.HasPrefix(name, "cloudtrail-") && strings.Contains(text, secret) {
				t.Errorf("%s has %s:\n%s", name, secret, text)
			}
		}
	}
}

// Whatever fails, and whenever it is interrupted, nothing stays in the account.
func TestRecordingLeavesNothingBehind(t *testing.T) {
	for _, call := range []string{"PutRule", "CreateQueue", "PutTargets", "ReceiveMessage", "LookupEvents"} {
		t.Run(call+" fails", func(t *testing.T) {
			a := newAccount()
			a.fails = call
			ctx, interrupt := context.WithCancel(t.Context())
			r, out := a.recorder(t, interrupt)
			err := r.record(ctx)
			if (err == nil) != (call == "LookupEvents") {
				t.Errorf("it ends with %v", err)
			}
			testCleanedUp(t, a, out.String())
		})
	}
	t.Run("an interrupt at once", func(t *testing.T) {
		a := newAccount()
		ctx, interrupt := context.WithCancel(t.Context())
		r, out := a.recorder(t, interrupt)
		r.wait = func(ctx context.Context, _ time.Duration) error { interrupt(); return ctx.Err() }
		if err := r.record(ctx); err != nil {
			t.Error(err)
		}
		testCleanedUp(t, a, out.String())
	})
	t.Run("an interrupt while the queue is made", func(t *testing.T) {
		a := newAccount()
		ctx, interrupt := context.WithCancel(t.Context())
		r, out := a.recorder(t, interrupt)
		a.before = func(call string) {
			if call == "CreateQueue" {
				interrupt()
			}
		}
		if err := r.record(ctx); err != nil {
			t.Error(err)
		}
		testCleanedUp(t, a, out.String())
	})
	t.Run("the removal fails", func(t *testing.T) {
		a := newAccount()
		a.fails = "DeleteQueue"
		ctx, interrupt := context.WithCancel(t.Context())
		r, _ := a.recorder(t, interrupt)
		if err := r.record(ctx); err == nil || !strings.Contains(err.Error(), r.name+", which you have to remove now") {
			t.Errorf("nobody learns what is left: %v", err)
		}
		if a.exists["rule"] || len(files(t, r)) == 0 {
			t.Error("what failed at the end spoils the recording, or leaves the rule as well")
		}
	})
}

// A terminal that is closed ends the recording as Ctrl-C does, and not the process.
func TestAClosedTerminalEndsTheRecording(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), endings()...)
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}

// One event that nobody can read, or that names a file in its own way, and a target group
// that is gone, cost nothing of the rest.
func TestRecordingKeepsTheRest(t *testing.T) {
	a := newAccount()
	a.trail = []string{""}
	a.events = []string{`{"source":"deployhooks.repair","detail-type":"../x","detail":{"outcome":"../../Y"}}`}
	ctx, interrupt := context.WithCancel(t.Context())
	r, out := a.recorder(t, interrupt)
	wait := r.wait
	r.wait = func(ctx context.Context, d time.Duration) error {
		r.seen.targetGroups = append([]string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0"}, r.seen.targetGroups...)
		r.wait = wait
		return wait(ctx, d)
	}
	if err := r.record(ctx); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := files(t, r)
	for _, want := range []string{"repair-eventbridge-x-y-1.json", "elasticloadbalancing-answer-describe-target-health-1.json", "timeline.txt"} {
		if got[want] == "" {
			t.Errorf("%s is missing:\n%s", want, out)
		}
	}
	if count := strings.Count(out.String(), "targetgroup/gone"); count > 3 {
		t.Errorf("what fails is said %d times, and hides the rest", count)
	}
	if !strings.Contains(out.String(), "cloudtrail-codedeploy-create-auto-scaling-group at") {
		t.Errorf("nobody learns what was left out:\n%s", out)
	}
}

func TestRecordRefusesWhatCannotWork(t *testing.T) {
	for scenario, tt := range map[string]struct {
		args []string
		want string
	}{
		"no deployment group": {[]string{"--application", "shop"}, "give --application and --deployment-group"},
		"too often":           {[]string{"--application", "shop", "--deployment-group", "web", "--every", "10ms"}, "rate of calls"},
		"a folder with files": {[]string{"--application", "shop", "--deployment-group", "web", "--out", "."}, "exists"},
		"an unknown word":     {[]string{"web"}, `unexpected argument "web"`},
	} {
		var out strings.Builder
		if _, err := parse(tt.args, &out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", scenario, err, tt.want)
		}
	}
	a := newAccount()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, _ := a.recorder(t, interrupt)
	r.deploymentGroup = "webb"
	if err := r.record(ctx); err == nil || !strings.Contains(err.Error(), "webb") || len(a.calls) > 0 {
		t.Errorf("a deployment group that is missing is found out after %v: %v", a.calls, err)
	}
}

func TestAssumptionsAreThoseOfTheRegion(t *testing.T) {
	got, err := assumptions(fstest.MapFS{
		"test/region/a.go":      {Data: []byte("package region\n\n// probe is at once\n// (assumed).\nfunc probe() {}\n\nvar role = \"assumed-role\"\n\n// known is documented.\n")},
		"test/region/a_test.go": {Data: []byte("// (assumed)\n")},
	})
	if want := []string{"test/region/a.go:3: probe is at once (assumed)."}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	ours, err := assumptions(os.DirFS("../.."))
	if err != nil || len(ours) < 20 {
		t.Errorf("only %d assumptions are found in the region: %v", len(ours), err)
	}
}
