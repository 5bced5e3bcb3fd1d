package infra

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/events"
	"deployhooks/pkg/invoke"
)

// accepted are the rules, by their IDs, that take each event that the events
// directory has on a bus. A variant may lack a rule (see
// TestRulesAreThoseThatTheSettingsAskFor), or have it once for each installation.
func accepted() map[string][]string {
	const deployments, lifecycle = "RepairDeploymentStates", "DrainLifecycleActions"
	const states, executions = "DrainStateChanges", "IntakeExecutions"
	return map[string][]string{
		"autoscaling-eventbridge-launch":                        nil,
		"autoscaling-eventbridge-launch-successful":             nil,
		"autoscaling-eventbridge-launch-to-warm-pool":           nil,
		"autoscaling-eventbridge-terminate":                     {lifecycle},
		"autoscaling-eventbridge-terminate-from-warm-pool":      {lifecycle},
		"autoscaling-eventbridge-terminate-replace-root-volume": {lifecycle},
		"autoscaling-eventbridge-terminate-to-warm-pool":        {lifecycle},
		"autoscaling-eventbridge-terminate-without-origin":      {lifecycle},
		"codedeploy-eventbridge-failure":                        {deployments},
		"codedeploy-eventbridge-instance-failure":               nil,
		"codedeploy-eventbridge-instance-success":               nil,
		"codedeploy-eventbridge-ready":                          {deployments},
		"codedeploy-eventbridge-start":                          {deployments},
		"codedeploy-eventbridge-stop":                           {deployments},
		"codedeploy-eventbridge-success":                        {deployments},
		"deployhooks-eventbridge-outcome":                       {"ForwardRule", "Notify"},
		"ec2-eventbridge-instance-shutting-down":                {states},
		"ec2-eventbridge-instance-stopping":                     {states},
		"ec2-eventbridge-rebalance-recommendation":              {"DrainRebalances"},
		"ec2-eventbridge-spot-interruption":                     {"DrainSpotWarnings"},
		"events-eventbridge-scheduled":                          nil,
		"health-eventbridge-scheduled-change":                   {"DrainMaintenance"},
		"stepfunctions-eventbridge-aborted":                     {executions},
		"stepfunctions-eventbridge-succeeded":                   {executions},
	}
}

// recorded are the events directory's events on a bus, by name.
func recorded(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, payload := range events.Names() {
		if !strings.Contains(payload, "-eventbridge-") || strings.Contains(payload, "-sqs-") || strings.Contains(payload, "-sns-") {
			continue
		}
		b, err := events.Read(payload)
		if err != nil {
			t.Fatal(err)
		}
		found[payload] = b
	}
	return found
}

// Every recorded event reaches exactly the rules that it should, in every variant.
func TestEventsReachTheirRulesAndNoOther(t *testing.T) {
	t.Parallel()
	want, all := accepted(), recorded(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(want))); diff != "" {
		t.Errorf("say which rules take each recorded event (-recorded +said):\n%s", diff)
	}
	for variant, template := range variants() {
		idle := map[string]bool{}
		for id := range template.of("AWS::Events::Rule") {
			idle[name(id)] = true
		}
		for payload, event := range all {
			var rules []string
			for id := range template.of("AWS::Events::Rule") {
				if slices.ContainsFunc(want[payload], func(rule string) bool { return strings.HasSuffix(name(id), rule) }) {
					rules = append(rules, name(id))
				}
			}
			slices.Sort(rules)
			got := template.takers(t, event)
			if diff := cmp.Diff(rules, got); diff != "" {
				t.Errorf("%s: %s is missed, or wakes a function that has nothing to do (-want +got):\n%s", variant, payload, diff)
			}
			for _, rule := range got {
				delete(idle, rule)
			}
		}
		for rule := range idle {
			t.Errorf("%s: %s takes none of the recorded events: record one that it is for", variant, rule)
		}
	}
}

// SNS has no filter policy anywhere: every message of a topic reaches the queue
// behind it, recorded ones among them, and the function says what it cannot read.
func TestEveryMessageOfATopicReachesItsQueue(t *testing.T) {
	t.Parallel()
	queueOf := map[string]string{"Triggers": "RepairQueue", "Requests": "IntakeQueue", "DeploymentGroupsTopic": "DeploymentGroupsRequestsQueue"}
	for variant, template := range variants() {
		found := 0
		for id, s := range template.of("AWS::SNS::Subscription") {
			if s.Properties["FilterPolicy"] != nil || s.Properties["FilterPolicyScope"] != nil {
				t.Errorf("%s: %s filters, and no test says which messages pass", variant, id)
			}
			if s.Properties["Protocol"] != "sqs" {
				continue
			}
			found++
			topic, queue := words(s.Properties["TopicArn"]), words(s.Properties["Endpoint"])
			ok := false
			for from, to := range queueOf {
				installation, here := strings.CutSuffix(strings.Trim(topic, "<>"), from)
				ok = ok || here && queue == "<"+installation+to+".Arn>"
			}
			if !ok {
				t.Errorf("%s: %s goes to %s, which no function expects", variant, topic, queue)
			}
		}
		if found == 0 && variant != "central" { // it has no function, and so no queue but for dead letters
			t.Errorf("%s: no topic reaches a queue", variant)
		}
	}
}

// What a schedule puts into a queue is what the events directory has for it.
func TestSchedulesSendTheRecordedSweep(t *testing.T) {
	t.Parallel()
	b, err := events.Read("deployhooks-sqs-continue-sweep")
	if err != nil {
		t.Fatal(err)
	}
	var payload struct{ Records []struct{ Body string } }
	if err := json.Unmarshal(b, &payload); err != nil {
		t.Fatal(err)
	}
	if payload.Records[0].Body != invoke.Sweep {
		t.Errorf("the recorded sweep is %q, and functions know %q", payload.Records[0].Body, invoke.Sweep)
	}
	for variant, template := range variants() {
		for id, schedule := range template.of("AWS::Scheduler::Schedule") {
			if strings.Contains(words(at(schedule.Properties, "Target", "Arn")), "Machine") {
				continue // the state machine of backups, whose input package backup reads
			}
			if got := at(schedule.Properties, "Target", "Input"); got != payload.Records[0].Body {
				t.Errorf("%s: %s sends %v, which its function does not know", variant, id, got)
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

// taken reports whether a rule takes an event.
func taken(t *testing.T, in template, rule string, event map[string]any) bool {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(in.takers(t, b), rule)
}

// A start, or an instance that is gone, needs no drain.
func TestOnlyEndingsAreStateChanges(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{"pending": false, "running": false, "stopping": true, "stopped": false, "shutting-down": true, "terminated": false} {
		event := map[string]any{
			"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
			"detail": map[string]any{"instance-id": "i-0a1", "state": state},
		}
		if got := taken(t, configured, "DrainStateChanges", event); got != want {
			t.Errorf("an instance is %s: the event passes: %v, want %v", state, got, want)
		}
	}
}

// AWS Health announces much more than what concerns single instances.
func TestOnlyScheduledChangesOfInstancesAreMaintenance(t *testing.T) {
	t.Parallel()
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
		if got := taken(t, plain, "DrainMaintenance", event); got != tt.want {
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
		if got := taken(t, tt.template, "RepairDeploymentStates", event); got != tt.want {
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
