package infra

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/invoke"
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

// refusesPlainHTTP reports whether a policy denies what comes without TLS.
func refusesPlainHTTP(all []statement) bool {
	for _, s := range all {
		if s.Effect == "Deny" && s.Condition == "Bool=aws:SecureTransport=false" && (s.Principal == "*" || s.Principal == "AWS=*") {
			return true
		}
	}
	return false
}

func TestQueuesAreEncryptedTLSOnlyAndHaveDeadLetters(t *testing.T) {
	t.Parallel()
	redrives := map[string]string{}
	for id, q := range plain.of("AWS::SQS::Queue") {
		if q.Properties["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", id)
		}
		if !refusesPlainHTTP(plain.policyOf("AWS::SQS::QueuePolicy", "Queues", id)) {
			t.Errorf("%s can be read and written without TLS", id)
		}
		redrives[name(id)] = words(orEmpty(q.Properties["RedrivePolicy"]))
		if strings.Contains(id, "DeadLetters") && q.Properties["MessageRetentionPeriod"] != 1209600.0 {
			t.Errorf("%s deletes messages within days, before operators can read them", id)
		}
	}
	want := map[string]string{
		"RepairQueue": "deadLetterTargetArn=<RepairDeadLetters.Arn> maxReceiveCount=5", "RepairDeadLetters": "",
		"DrainQueue": "deadLetterTargetArn=<DrainDeadLetters.Arn> maxReceiveCount=5", "DrainDeadLetters": "",
	}
	if diff := cmp.Diff(want, redrives); diff != "" {
		t.Errorf("what cannot be processed is delivered for days and then lost, or is moved to the dead letters while AWS throttles (-want +got):\n%s", diff)
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
			t.Errorf("nobody has justified who publishes to %s", id)
		}
		for _, s := range policy {
			if s.Effect == "Allow" && (s.Principal != "Service="+service || s.Condition != "StringEquals=aws:SourceAccount=<AccountId>" ||
				!slices.Equal(s.Actions, []string{"sns:Publish"}) || !slices.Equal(s.Resources, []string{"<" + name(id) + ">"})) {
				t.Errorf("%s: others may publish: %s", id, s)
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
		events + " if " + from + "<DrainLifecycleActions.Arn>", events + " if " + from + "<DrainMaintenance.Arn>",
		events + " if " + from + "<DrainRebalances.Arn>", events + " if " + from + "<DrainSpotWarnings.Arn>",
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
	for id, want := range map[string]struct {
		memory, batch, window, concurrency, visibility float64
		harm                                           string
	}{
		// AWS advises six times the timeout.
		"Repair": {256, 10, 0, 5, 360, "a slow batch is delivered again while it is processed"},
		// A second delivery does no harm there, so that a quick one is better; a fleet
		// that terminates at once shares what is read, and no drained instance waits
		// long for its batch.
		"Drain": {512, 1000, 1, 2, 90, "a thousand instances are read about one by one, or wait for their release"},
	} {
		function := plain.only("AWS::Lambda::Function", id).Properties
		mapping := plain.only("AWS::Lambda::EventSourceMapping", id).Properties
		queue := plain.only("AWS::SQS::Queue", id+"Queue").Properties
		window, _ := mapping["MaximumBatchingWindowInSeconds"].(float64)
		if mapping["BatchSize"] != want.batch || window != want.window || at(mapping, "ScalingConfig", "MaximumConcurrency") != want.concurrency ||
			queue["VisibilityTimeout"] != want.visibility || function["MemorySize"] != want.memory {
			t.Errorf("%s: batches of %v in %v s, %v at once, visible again after %v s, %v MB; want %v: %s", id, mapping["BatchSize"], window,
				at(mapping, "ScalingConfig", "MaximumConcurrency"), queue["VisibilityTimeout"], function["MemorySize"], want, want.harm)
		}
		if function["Timeout"] != 60.0 {
			t.Errorf("%s: an invocation may take %v s, want 60: a sweep under throttling is cut off, or a hung call blocks others", id, function["Timeout"])
		}
		if queue["VisibilityTimeout"].(float64) < function["Timeout"].(float64)+window {
			t.Errorf("%s: a batch is delivered again before its invocation can have ended", id)
		}
		if words(mapping["FunctionResponseTypes"]) != "ReportBatchItemFailures" {
			t.Errorf("%s: one bad message has the good ones of its batch delivered again", id)
		}
		if words(mapping["EventSourceArn"]) != "<"+id+"Queue.Arn>" || words(mapping["FunctionName"]) != "<"+id+"Function>" || mapping["Enabled"] == false {
			t.Errorf("%s: %s feeds %s: nobody reads the queue", id, words(mapping["EventSourceArn"]), words(mapping["FunctionName"]))
		}
		if function["RecursiveLoop"] != "Allow" {
			t.Errorf("%s: Lambda ends a long wait after 16 rounds, taking it for a runaway loop", id)
		}
		if function["ReservedConcurrentExecutions"] != nil {
			t.Errorf("%s: reserved concurrency cannot be deployed in a new account", id)
		}
	}
}

func TestSweepsAreSentToTheQueues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template      template
		repair, drain string
	}{{plain, "rate(5 minutes)", "rate(1 minute)"}, {configured, "rate(15 minutes)", "rate(2 minutes)"}, {planning, "rate(5 minutes)", "rate(1 minute)"}} {
		for id, want := range map[string]string{"Repair": c.repair, "Drain": c.drain} {
			template := c.template
			schedule := template.only("AWS::Scheduler::Schedule", id+"Sweep").Properties
			if got := schedule["ScheduleExpression"]; got != want {
				t.Errorf("%s: the sweep comes at %v, want %s", id, got, want)
			}
			if got := at(schedule, "Target", "Input"); got != invoke.Sweep {
				t.Errorf("%s: the schedule sends %v", id, got)
			}
			if got := words(at(schedule, "Target", "RoleArn")); got != "<"+id+"SweepRole.Arn>" {
				t.Errorf("%s: the schedule sends as %s", id, got)
			}
			send := template.permissions(id + "SweepRole")
			if len(send) != 1 || !slices.Equal(send[0].Resources, []string{"<" + id + "Queue.Arn>"}) || !slices.Contains(send[0].Actions, "sqs:SendMessage") {
				t.Errorf("%s: the schedule's role may do %v", id, send)
			}
			if got := words(at(schedule, "Target", "Arn")); !strings.HasPrefix(got, "<"+id+"Queue.") {
				t.Errorf("%s: the schedule sends to %v", id, got)
			}
			if schedule["State"] != "ENABLED" {
				t.Errorf("%s: the schedule is off: missed events are never reconciled", id)
			}
		}
	}
}
