package infra

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policyOf are the statements of the policies on a resource.
func (t template) policyOf(kind, listProperty, logicalID string) []statement {
	var all []statement
	for _, policy := range t.of(kind) {
		for _, target := range asList(policy.Properties[listProperty]) {
			if at(target, "Ref") == logicalID {
				all = append(all, statements(policy.Properties["PolicyDocument"])...)
			}
		}
	}
	return all
}

// refusesPlainHTTP says whether a policy denies what comes without TLS.
func refusesPlainHTTP(all []statement) bool {
	for _, s := range all {
		if s.Effect == "Deny" && s.Condition == "Bool=aws:SecureTransport=false" && (s.Principal == "*" || s.Principal == "AWS=*") {
			return true
		}
	}
	return false
}

func TestEveryQueueIsEncryptedAndTLSOnlyAndGivesUpInOrder(t *testing.T) {
	t.Parallel()
	deadLetters := map[any]bool{}
	for _, q := range plain.of("AWS::SQS::Queue") {
		if arn, ok := at(q.Properties, "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt").([]any); ok {
			deadLetters[arn[0]] = true
		}
	}
	for id, q := range plain.of("AWS::SQS::Queue") {
		if q.Properties["SqsManagedSseEnabled"] != true && q.Properties["KmsMasterKeyId"] == nil {
			t.Errorf("%s is not encrypted", id)
		}
		if !refusesPlainHTTP(plain.policyOf("AWS::SQS::QueuePolicy", "Queues", id)) {
			t.Errorf("%s can be read and written without TLS", id)
		}
		switch {
		case deadLetters[id]:
			if q.Properties["MessageRetentionPeriod"] != 1209600.0 {
				t.Errorf("%s forgets messages before anybody has come back from a holiday", id)
			}
		case q.Properties["RedrivePolicy"] == nil:
			t.Errorf("%s has no dead-letter queue: what cannot be handled comes again for days, and is then lost", id)
		case at(q.Properties, "RedrivePolicy", "maxReceiveCount").(float64) < 5:
			t.Errorf("%s gives messages up while AWS throttles", id)
		}
	}
}

func TestTopicsTakeTLSOnlyAndServicesOfThisAccount(t *testing.T) {
	t.Parallel()
	publisher := map[string]string{"Triggers": "codedeploy.amazonaws.com", "Notices": "cloudwatch.amazonaws.com"}
	for id := range plain.of("AWS::SNS::Topic") {
		policy := plain.policyOf("AWS::SNS::TopicPolicy", "Topics", id)
		if !refusesPlainHTTP(policy) {
			t.Errorf("%s can be published to without TLS", id)
		}
		service, known := publisher[name(id)]
		if !known {
			t.Errorf("nobody has thought about who publishes to %s", id)
		}
		for _, s := range policy {
			if s.Effect == "Allow" && (s.Principal != "Service="+service || s.Condition != "StringEquals=aws:SourceAccount=<AccountId>") {
				t.Errorf("%s: %s may publish under condition %q", id, s.Principal, s.Condition)
			}
		}
	}
}

// Whoever delivers into a queue may do so, from its source only.
func TestWaysIntoTheQueuesAreOpenForTheirSourcesOnly(t *testing.T) {
	t.Parallel()
	const events, sns, from = "Service=events.amazonaws.com", "Service=sns.amazonaws.com", "ArnEquals=aws:SourceArn="
	repair := []string{events + " if " + from + "<RepairDeploymentStates.Arn>", sns + " if " + from + "<Triggers>"}
	drain := []string{
		events + " if " + from + "<DrainLifecycleActions.Arn>", events + " if " + from + "<DrainMaintenance.Arn>", events + " if " + from + "<DrainSpotWarnings.Arn>",
	}
	for queue, want := range map[string][]string{"RepairQueue": repair, "RepairDeadLetters": repair, "DrainQueue": drain, "DrainDeadLetters": drain} {
		var got []string
		for id := range plain.of("AWS::SQS::Queue") {
			if name(id) != queue {
				continue
			}
			for _, s := range plain.policyOf("AWS::SQS::QueuePolicy", "Queues", id) {
				if s.Effect == "Allow" {
					got = append(got, s.Principal+" if "+s.Condition)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is shut to who delivers, or open to others (-want +got):\n%s", queue, diff)
		}
	}
}

func TestFunctionsReadTheirQueuesWithinBounds(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"Repair", "Drain"} {
		function := plain.only("AWS::Lambda::Function", id).Properties
		mapping := plain.only("AWS::Lambda::EventSourceMapping", id).Properties
		queue := plain.only("AWS::SQS::Queue", id+"Queue").Properties

		if words(mapping["FunctionResponseTypes"]) != "ReportBatchItemFailures" {
			t.Errorf("%s: one bad message makes the good ones of its batch come again", id)
		}
		window, _ := mapping["MaximumBatchingWindowInSeconds"].(float64)
		if size := mapping["BatchSize"].(float64); size > 10 && window < 1 {
			t.Errorf("%s: batches of %v need a batching window", id, size)
		}
		if n, ok := at(mapping, "ScalingConfig", "MaximumConcurrency").(float64); !ok || n < 2 || n > 10 {
			t.Errorf("%s: concurrency %v: below 2 Lambda refuses, and many at once use up Auto Scaling's request tokens", id, n)
		}
		// AWS advises six times the timeout; drain trades that for a quick
		// second delivery, which does it no harm.
		times := map[string]float64{"Repair": 6, "Drain": 1}[id]
		if queue["VisibilityTimeout"].(float64) < times*function["Timeout"].(float64)+window {
			t.Errorf("%s: a slow batch is handed out again while it is being worked on", id)
		}
		if function["RecursiveLoop"] != "Allow" {
			t.Errorf("%s: Lambda ends a long wait after 16 rounds, taking it for a runaway loop", id)
		}
		if function["ReservedConcurrentExecutions"] != nil {
			t.Errorf("%s: reserved concurrency cannot be deployed in a young account", id)
		}
	}
}

// A fleet that goes at once must share its questions, and must not wait long to
// do so.
func TestDrainsComeInLargeBatches(t *testing.T) {
	t.Parallel()
	mapping := plain.only("AWS::Lambda::EventSourceMapping", "Drain").Properties
	if size := mapping["BatchSize"].(float64); size < 100 {
		t.Errorf("a thousand instances come in batches of %v, and each batch asks all over again", size)
	}
	if window := mapping["MaximumBatchingWindowInSeconds"].(float64); window > 2 {
		t.Errorf("a drained instance waits %v s for a batch to fill, of the 15 s that it may", window)
	}
}

func TestSweepsAreSentToTheQueues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template      template
		repair, drain string
	}{{plain, "rate(5 minutes)", "rate(1 minute)"}, {configured, "rate(15 minutes)", "rate(3 minutes)"}} {
		for id, want := range map[string]string{"Repair": c.repair, "Drain": c.drain} {
			template := c.template
			schedule := template.only("AWS::Scheduler::Schedule", id+"Sweep").Properties
			if got := schedule["ScheduleExpression"]; got != want {
				t.Errorf("%s: the sweep comes at %v, want %s", id, got, want)
			}
			if got := at(schedule, "Target", "Input"); got != `{"action":"sweep"}` {
				t.Errorf("%s: the schedule orders %v", id, got)
			}
			if got := words(at(schedule, "Target", "Arn")); !strings.HasPrefix(got, "<"+id+"Queue.") {
				t.Errorf("%s: the schedule sends to %v", id, got)
			}
			if schedule["State"] != "ENABLED" {
				t.Errorf("%s: the schedule sleeps: lost events are never made good", id)
			}
		}
	}
}
