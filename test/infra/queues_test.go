package infra

import (
	"strings"
	"testing"
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
func TestWaysIntoTheQueueAreOpenForTheirSourceOnly(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{"RepairQueue", "RepairDeadLetters"} {
		sources := map[string]string{}
		for id := range plain.of("AWS::SQS::Queue") {
			if name(id) != queue {
				continue
			}
			for _, s := range plain.policyOf("AWS::SQS::QueuePolicy", "Queues", id) {
				if s.Effect == "Allow" {
					sources[s.Principal] = s.Condition
				}
			}
		}
		for principal, want := range map[string]string{
			"Service=events.amazonaws.com": "ArnEquals=aws:SourceArn=<RepairDeploymentStates.Arn>",
			"Service=sns.amazonaws.com":    "ArnEquals=aws:SourceArn=<Triggers>",
		} {
			if sources[principal] != want {
				t.Errorf("%s: %s delivers under condition %q, want %q", queue, principal, sources[principal], want)
			}
		}
		if len(sources) != 2 {
			t.Errorf("%s takes messages from %v", queue, sources)
		}
	}
}

func TestFunctionReadsItsQueueWithinBounds(t *testing.T) {
	t.Parallel()
	function := plain.only("AWS::Lambda::Function", "Repair").Properties
	mapping := plain.only("AWS::Lambda::EventSourceMapping", "Repair").Properties
	queue := plain.only("AWS::SQS::Queue", "RepairQueue").Properties

	if words(mapping["FunctionResponseTypes"]) != "ReportBatchItemFailures" {
		t.Error("one bad message makes the nine good ones of its batch come again")
	}
	if size := mapping["BatchSize"].(float64); size > 10 {
		t.Errorf("batches of %v need a batching window", size)
	}
	if n, ok := at(mapping, "ScalingConfig", "MaximumConcurrency").(float64); !ok || n < 2 || n > 10 {
		t.Errorf("concurrency %v: below 2 Lambda refuses, and many at once use up Auto Scaling's request tokens", n)
	}
	if queue["VisibilityTimeout"].(float64) < 6*function["Timeout"].(float64) {
		t.Error("a slow batch is handed out again while it is being worked on")
	}
	if function["RecursiveLoop"] != "Allow" {
		t.Error("Lambda ends a long wait after 16 rounds, taking it for a runaway loop")
	}
	if function["ReservedConcurrentExecutions"] != nil {
		t.Error("reserved concurrency cannot be deployed in a young account")
	}
}

func TestSweepIsSentToTheQueue(t *testing.T) {
	t.Parallel()
	for want, template := range map[string]template{"rate(5 minutes)": plain, "rate(15 minutes)": configured} {
		schedule := template.only("AWS::Scheduler::Schedule", "RepairSweep").Properties
		if got := schedule["ScheduleExpression"]; got != want {
			t.Errorf("the sweep comes at %v, want %s", got, want)
		}
		if got := at(schedule, "Target", "Input"); got != `{"action":"sweep"}` {
			t.Errorf("the schedule orders %v", got)
		}
		if got := words(at(schedule, "Target", "Arn")); !strings.HasPrefix(got, "<RepairQueue.") {
			t.Errorf("the schedule sends to %v", got)
		}
		if schedule["State"] != "ENABLED" {
			t.Error("the schedule sleeps: lost events are never made good")
		}
	}
}
