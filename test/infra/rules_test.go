package infra

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/events"
)

// matches reports whether an EventBridge pattern of exact values matches an
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

// The payloads of the events directory say which events each rule takes: those
// that its function handles, and nothing else.
func TestRulesTakeTheirEvents(t *testing.T) {
	t.Parallel()
	for rule, tt := range map[string]struct {
		templates []template
		takes     func(payload string) bool
		least     int // how many of the recorded events it takes
	}{
		"RepairDeploymentStates": {[]template{plain, configured, planning}, func(p string) bool { return strings.HasPrefix(p, "codedeploy-") && !strings.Contains(p, "-instance-") }, 5},
		"DrainLifecycleActions":  {[]template{plain, configured, planning}, func(p string) bool { return strings.HasPrefix(p, "autoscaling-eventbridge-terminate") }, 3},
		"DrainSpotWarnings":      {[]template{plain, planning}, func(p string) bool { return p == "ec2-eventbridge-spot-interruption" }, 1},
		"DrainRebalances":        {[]template{plain, configured, planning}, func(p string) bool { return p == "ec2-eventbridge-rebalance-recommendation" }, 1},
		"DrainMaintenance":       {[]template{plain, configured, planning}, func(p string) bool { return strings.HasPrefix(p, "health-eventbridge-") }, 1},
	} {
		for i, template := range tt.templates {
			pattern := template.only("AWS::Events::Rule", rule).Properties["EventPattern"]
			var taken int
			for payload, event := range recorded(t) {
				got, want := matches(t, pattern, event), tt.takes(payload)
				if got != want {
					t.Errorf("template %d: event %s passes rule %s: %v, want %v", i, payload, rule, got, want)
				}
				if got {
					taken++
				}
			}
			if taken < tt.least {
				t.Errorf("template %d: rule %s takes only %d of the recorded events, want %d at least", i, rule, taken, tt.least)
			}
		}
	}
}

// Every rule is on, on the default bus, where AWS's own events come.
func TestRulesAreThoseThatTheSettingsAskFor(t *testing.T) {
	t.Parallel()
	always := []string{"DrainLifecycleActions", "DrainMaintenance", "DrainRebalances"}
	for scenario, tt := range map[string]struct {
		template template
		want     []string
	}{
		"Spot warnings drain":                          {plain, append(always, "DrainSpotWarnings", "RepairDeploymentStates")},
		"state changes drain and Spot warnings do not": {configured, append(always, "DrainStateChanges", "RepairDeploymentStates")},
	} {
		var got []string
		for id, rule := range tt.template.of("AWS::Events::Rule") {
			if strings.HasPrefix(id, "Forward") { // it takes outcomes, from the bus that they are on
				continue
			}
			got = append(got, name(id))
			if rule.Properties["State"] != "ENABLED" || rule.Properties["EventBusName"] != nil {
				t.Errorf("%s is off, or on a bus without AWS's events", id)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: an event does nothing, or does what is off (-want +got):\n%s", scenario, diff)
		}
	}
}

// A start, or an instance that is gone, needs no drain.
func TestOnlyEndingsAreStateChanges(t *testing.T) {
	t.Parallel()
	pattern := configured.only("AWS::Events::Rule", "DrainStateChanges").Properties["EventPattern"]
	for state, want := range map[string]bool{"pending": false, "running": false, "stopping": true, "stopped": false, "shutting-down": true, "terminated": false} {
		event := map[string]any{
			"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
			"detail": map[string]any{"instance-id": "i-0a1", "state": state},
		}
		if got := matches(t, pattern, event); got != want {
			t.Errorf("an instance is %s: the event passes: %v, want %v", state, got, want)
		}
	}
}

// AWS Health announces much more than what concerns single instances.
func TestOnlyScheduledChangesOfInstancesAreMaintenance(t *testing.T) {
	t.Parallel()
	pattern := plain.only("AWS::Events::Rule", "DrainMaintenance").Properties["EventPattern"]
	for scenario, tt := range map[string]struct {
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
			t.Errorf("%s: the event passes: %v, want %v", scenario, got, tt.want)
		}
	}
}

func TestRuleLeavesOtherApplicationsOut(t *testing.T) {
	t.Parallel()
	event := map[string]any{
		"source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
		"detail": map[string]any{"application": "billing", "state": "SUCCESS"},
	}
	for scenario, tt := range map[string]struct {
		template template
		want     bool
	}{
		"all applications": {plain, true},
		"two applications": {configured, false},
	} {
		pattern := tt.template.only("AWS::Events::Rule", "RepairDeploymentStates").Properties["EventPattern"]
		if got := matches(t, pattern, event); got != tt.want {
			t.Errorf("%s in scope: an event of another passes: %v", scenario, got)
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
			if got := words(at(target, "Arn")); got != strings.Replace(want, "DeadLetters", "Queue", 1) {
				t.Errorf("%s sends to %s", id, got)
			}
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
		t.Error("raw delivery: a notification that is no JSON arrives without its topic")
	}
}
