package infra

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"deployhooks/events"
)

// matches says whether an EventBridge pattern of exact values matches an
// event: every field of the pattern is there, and has one of the values. It
// fails the test on any other kind of pattern instead of guessing.
func matches(t *testing.T, pattern, event any) bool {
	t.Helper()
	fields, ok := pattern.(map[string]any)
	if !ok {
		t.Fatalf("pattern %v: this matcher knows exact values only", pattern)
	}
	for key, want := range fields {
		got := at(event, key)
		values, exact := want.([]any)
		if !exact {
			if !matches(t, want, got) {
				return false
			}
			continue
		}
		for _, value := range values {
			if _, word := value.(string); !word {
				t.Fatalf("pattern %v: this matcher knows exact strings only", pattern)
			}
		}
		if !slices.Contains(values, got) {
			return false
		}
	}
	return true
}

// The payloads of the events directory tell which events the rule lets in:
// states of deployments and nothing else.
func TestRuleTakesTheStatesOfDeployments(t *testing.T) {
	t.Parallel()
	var taken int
	for _, payload := range events.Names() {
		if !strings.Contains(payload, "-eventbridge-") || strings.Contains(payload, "-sqs-") || strings.Contains(payload, "-sns-") {
			continue // not an event on a bus
		}
		b, err := events.Read(payload)
		if err != nil {
			t.Fatal(err)
		}
		var event map[string]any
		if err := json.Unmarshal(b, &event); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		want := strings.HasPrefix(payload, "codedeploy-") && !strings.Contains(payload, "-instance-")
		if want {
			taken++
		}
		for story, template := range map[string]template{"nothing configured": plain, "application configured": configured} {
			pattern := template.only("AWS::Events::Rule", "RepairDeploymentStates").Properties["EventPattern"]
			if got := matches(t, pattern, event); got != want {
				t.Errorf("%s: event %s passes the rule: %v, want %v", story, payload, got, want)
			}
		}
	}
	if taken < 5 {
		t.Errorf("only %d of CodeDeploy's five states are among the recorded events", taken)
	}
}

func TestRuleLeavesOtherApplicationsOut(t *testing.T) {
	t.Parallel()
	event := map[string]any{
		"source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
		"detail": map[string]any{"application": "billing", "state": "SUCCESS"},
	}
	for story, tt := range map[string]struct {
		template template
		want     bool
	}{
		"all applications": {plain, true},
		"two applications": {configured, false},
	} {
		pattern := tt.template.only("AWS::Events::Rule", "RepairDeploymentStates").Properties["EventPattern"]
		if got := matches(t, pattern, event); got != tt.want {
			t.Errorf("%s in scope: an event of another passes: %v", story, got)
		}
	}
}

// An event that cannot be delivered is kept, by each way in.
func TestUndeliverableEventsAreKept(t *testing.T) {
	t.Parallel()
	rule := plain.only("AWS::Events::Rule", "RepairDeploymentStates").Properties
	for _, target := range asList(rule["Targets"]) {
		if words(at(target, "DeadLetterConfig", "Arn")) != "<RepairDeadLetters.Arn>" {
			t.Error("EventBridge drops what it cannot deliver within a day")
		}
	}
	subscription := plain.only("AWS::SNS::Subscription", "RepairQueue").Properties
	if words(at(subscription, "RedrivePolicy", "deadLetterTargetArn")) != "<RepairDeadLetters.Arn>" {
		t.Error("SNS drops what it cannot deliver")
	}
	if subscription["RawMessageDelivery"] == true {
		t.Error("raw delivery: a notification that is no JSON arrives without a word on where it is from")
	}
}
