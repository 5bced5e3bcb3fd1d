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

// recorded are the events directory's events on a bus, by name.
func recorded(t *testing.T) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, payload := range events.Names() {
		if !strings.Contains(payload, "-eventbridge-") || strings.Contains(payload, "-sqs-") || strings.Contains(payload, "-sns-") {
			continue
		}
		b, err := events.Read(payload)
		if err != nil {
			t.Fatal(err)
		}
		var event map[string]any
		if err := json.Unmarshal(b, &event); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		found[payload] = event
	}
	return found
}

// The payloads of the events directory tell which events each rule lets in:
// what its function is there for, and nothing else.
func TestRulesTakeTheEventsTheyAreFor(t *testing.T) {
	t.Parallel()
	for rule, tt := range map[string]struct {
		takes func(payload string) bool
		least int // how many of the recorded events it takes
	}{
		"RepairDeploymentStates": {func(p string) bool { return strings.HasPrefix(p, "codedeploy-") && !strings.Contains(p, "-instance-") }, 5},
		"DrainLifecycleActions":  {func(p string) bool { return strings.HasPrefix(p, "autoscaling-eventbridge-terminate") }, 3},
		"DrainSpotWarnings":      {func(p string) bool { return strings.HasPrefix(p, "ec2-eventbridge-") }, 2},
		"DrainMaintenance":       {func(p string) bool { return strings.HasPrefix(p, "health-eventbridge-") }, 1},
	} {
		for story, template := range map[string]template{"nothing configured": plain, "everything configured": configured} {
			pattern := template.only("AWS::Events::Rule", rule).Properties["EventPattern"]
			var taken int
			for payload, event := range recorded(t) {
				got, want := matches(t, pattern, event), tt.takes(payload)
				if got != want {
					t.Errorf("%s: event %s passes rule %s: %v, want %v", story, payload, rule, got, want)
				}
				if got {
					taken++
				}
			}
			if taken < tt.least {
				t.Errorf("%s: rule %s takes only %d of the recorded events, want %d at least", story, rule, taken, tt.least)
			}
		}
	}
}

// Health tells of much more than what concerns instances that will go.
func TestOnlyScheduledChangesOfInstancesAreMaintenance(t *testing.T) {
	t.Parallel()
	pattern := plain.only("AWS::Events::Rule", "DrainMaintenance").Properties["EventPattern"]
	for story, tt := range map[string]struct {
		service, category string
		want              bool
	}{
		"an instance is retired":          {"EC2", "scheduledChange", true},
		"EC2 has trouble in the region":   {"EC2", "issue", false},
		"a database gets its maintenance": {"RDS", "scheduledChange", false},
	} {
		event := map[string]any{
			"source": "aws.health", "detail-type": "AWS Health Event",
			"detail": map[string]any{"service": tt.service, "eventTypeCategory": tt.category},
		}
		if got := matches(t, pattern, event); got != tt.want {
			t.Errorf("%s: the event passes: %v, want %v", story, got, tt.want)
		}
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
	for id, rule := range plain.of("AWS::Events::Rule") {
		want := "<RepairDeadLetters.Arn>"
		if strings.HasPrefix(id, "Drain") {
			want = "<DrainDeadLetters.Arn>"
		}
		for _, target := range asList(rule.Properties["Targets"]) {
			if words(at(target, "DeadLetterConfig", "Arn")) != want {
				t.Errorf("%s: EventBridge drops what it cannot deliver within a day", id)
			}
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
