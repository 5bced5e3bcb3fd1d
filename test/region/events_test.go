package region_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/region"
)

type busEvent struct {
	Source     string
	DetailType string `json:"detail-type"`
	Detail     struct{ DeploymentID, State string }
}

// ofCodeDeploy is a rule: EC2 sends an event for every instance that ends, too.
func ofCodeDeploy(d region.Delivery) bool { return d.Source == "aws.codedeploy" }

func decodeBusEvent(t *testing.T, payload []byte) busEvent {
	t.Helper()
	var e busEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Errorf("%v in %s", err, payload)
	}
	return e
}

func describeHooks(r *region.Region, name string) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return r.AutoScaling().DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &name})
}

// TestShapesOfEvents compares every message of a failed release and its
// rollback, on both ways, with testdata. Run with UPDATE=1 to renew it.
func TestShapesOfEvents(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, RollBack: true, Trigger: "deployments"})
	bus, raw, wrapped := r.Queue("bus"), r.Queue("raw").WithoutEvents(), r.Queue("wrapped").WithoutEvents()
	r.Topic("deployments").Subscribe(raw, true)
	r.Topic("deployments").Subscribe(wrapped, false)
	// In the reroute, because only there a failure is rolled back.
	r.RunDeployment(svc, region.Deployment{FailAt: region.StageReroute})
	r.Advance(10 * time.Minute)
	for _, q := range []struct {
		name  string
		queue *region.Queue
	}{{"eventbridge", bus}, {"trigger", raw}, {"trigger-wrapped", wrapped}} {
		var lines []string
		for _, m := range q.queue.Messages() {
			lines = append(lines, m.Body)
		}
		got := strings.Join(lines, "\n") + "\n"
		file := filepath.Join("testdata", q.name+".jsonl")
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the messages are not those of %s:\n%s", q.name, file, got)
		}
	}
}

func TestTriggerSubjects(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Trigger: "deployments"})
	id := r.RunDeployment(svc, region.Deployment{})
	var subjects []string
	for _, p := range r.Topic("deployments").Published() {
		subjects = append(subjects, p.Subject)
	}
	want := []string{"CREATED: AWS CodeDeploy " + id + " in eu-west-1 to shop", "SUCCEEDED: AWS CodeDeploy " + id + " in eu-west-1 to shop"}
	if !slices.Equal(subjects, want) {
		t.Errorf("subjects %v, want %v", subjects, want)
	}
	if !regexp.MustCompile(`^d-[A-Z0-9]{9}$`).MatchString(id) {
		t.Errorf("%s does not look like a deployment's ID", id)
	}
}

// TestDeliveryFaults: lost, duplicated, late and reordered messages.
func TestDeliveryFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		hook func(region.Delivery) []time.Duration
		want []string
	}{
		{"as it should be", nil, []string{"START", "SUCCESS"}},
		{"all lost", func(region.Delivery) []time.Duration { return region.Lost() }, nil},
		{"duplicated five times", func(d region.Delivery) []time.Duration {
			if d.State == "SUCCESS" {
				return region.Duplicated(5)
			}
			return region.Delivered()
		}, []string{"START", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"}},
		{"reversed", func(d region.Delivery) []time.Duration {
			if d.State == "START" {
				return region.Late(time.Hour)
			}
			return region.Delivered()
		}, []string{"SUCCESS", "START"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			q := r.Queue("repair").Match(ofCodeDeploy)
			r.SetDelivery(tc.hook)
			r.RunDeployment(svc, region.Deployment{})
			r.Advance(2 * time.Hour)
			var got []string
			for _, m := range q.Messages() {
				got = append(got, decodeBusEvent(t, []byte(m.Body)).Detail.State)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("the queue holds %v, want %v", got, tc.want)
			}
		})
	}
}
