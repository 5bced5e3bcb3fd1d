package infra

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/assembly"
	stack "deployhooks/infra/central"
	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/pkg/notice"
)

// newCentral makes a central stack as the infra program does.
func newCentral(app awscdk.App) awscdk.Stack {
	return awscdk.Stack_Of(stack.NewStack(app, jsii.String(config.CentralName), &constructs.CentralProps{
		Senders: jsii.Strings("111122223333", "444455556666", "o-a1b2c3d4e5"), NotifyEmails: jsii.Strings("ops@example.com"),
	}).Construct)
}

// Whoever may put anything else on the bus could have people notified of what no function did.
func TestCentralBusTakesOutcomesOfTheSendersOnly(t *testing.T) {
	t.Parallel()
	var got []string
	for _, policy := range central.of("AWS::Events::EventBusPolicy") {
		got = append(got, statements(map[string]any{"Statement": policy.Properties["Statement"]})[0].String())
	}
	slices.Sort(got)
	want := []string{
		"Allow * events:PutEvents on <Bus.Arn> if ForAllValues:StringLike=events:source=deployhooks.* Null=events:source=false StringEquals=aws:PrincipalOrgID=o-a1b2c3d4e5",
		"Allow AWS=arn:<Partition>:iam::111122223333:root, arn:<Partition>:iam::444455556666:root events:PutEvents on <Bus.Arn> if ForAllValues:StringLike=events:source=deployhooks.* Null=events:source=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("others may send, or the senders may not (-want +got):\n%s", diff)
	}
}

// Both ends take the same events: what is forwarded reaches people.
func TestOutcomesReachTheCentralTopic(t *testing.T) {
	t.Parallel()
	forward := configured.only("AWS::Events::Rule", "ForwardRule").Properties
	notify := central.only("AWS::Events::Rule", "Notify").Properties
	if diff := cmp.Diff(forward["EventPattern"], notify["EventPattern"]); diff != "" {
		t.Errorf("some of what is forwarded reaches nobody (-forwarded +notified):\n%s", diff)
	}
	pattern := words(forward["EventPattern"])
	if want := "detail-type=" + notice.DetailType + " source=prefix=" + notice.Namespace + "."; pattern != want {
		t.Errorf("the rules take %s, want %s", pattern, want)
	}
	if words(forward["EventBusName"]) != "platform" || words(notify["EventBusName"]) != "<Bus>" {
		t.Errorf("the rules are on %s and %s, where no outcomes are", words(forward["EventBusName"]), words(notify["EventBusName"]))
	}
	for what, rule := range map[string]struct {
		properties          map[string]any
		target, deadLetters string
	}{
		"forwarded": {forward, "arn:aws:events:eu-west-1:210987654321:event-bus/deployhookscentral", "<ForwardDeadLetters.Arn>"},
		"notified":  {notify, "<Topic>", "<DeadLetters.Arn>"},
	} {
		target := asList(rule.properties["Targets"])[0]
		if words(at(target, "Arn")) != rule.target || words(at(target, "DeadLetterConfig", "Arn")) != rule.deadLetters {
			t.Errorf("outcomes are %s to %s, and what fails to %s", what, words(at(target, "Arn")), words(at(target, "DeadLetterConfig", "Arn")))
		}
	}
}

// The role puts events on the central bus and does nothing else, for rules of this account.
func TestForwardingHasItsOwnRole(t *testing.T) {
	t.Parallel()
	got := configured.permissions("ForwardRole")
	if len(got) != 1 || got[0].String() != "Allow events:PutEvents on arn:aws:events:eu-west-1:210987654321:event-bus/deployhookscentral" {
		t.Errorf("the role may do %v", got)
	}
	trust := statements(configured.only("AWS::IAM::Role", "ForwardRole").Properties["AssumeRolePolicyDocument"])
	if len(trust) != 1 || trust[0].Principal != "Service=events.amazonaws.com" || trust[0].Condition != "StringEquals=aws:SourceAccount=<AccountId>" {
		t.Errorf("the role is assumed by %v", trust)
	}
	if rules := plain.of("AWS::Events::Rule"); len(rules) == 0 || slices.ContainsFunc(slices.Collect(maps.Keys(rules)), func(id string) bool { return strings.HasPrefix(id, "Forward") }) {
		t.Error("outcomes leave the account although nobody configured it")
	}
}

// People read the message; it must say who did what, where and when.
func TestCentralNotificationSaysWhoDidWhatWhere(t *testing.T) {
	t.Parallel()
	transformer := at(asList(central.only("AWS::Events::Rule", "Notify").Properties["Targets"])[0], "InputTransformer")
	got := at(transformer, "InputTemplate").(string)
	paths, _ := at(transformer, "InputPathsMap").(map[string]any)
	for variable, path := range paths {
		got = strings.ReplaceAll(got, "<"+variable+">", path.(string))
	}
	want := `"$.source in account $.account ($.region), $.time: $.detail.outcome"` + "\n" + `"$.detail.reason"` + "\n" + `"Everything that is known: $.detail"`
	if got != want {
		t.Errorf("people read\n%s\nwant\n%s", got, want)
	}
}

func TestCentralTopicIsEncryptedAndShutToOthers(t *testing.T) {
	t.Parallel()
	if got := words(central.only("AWS::SNS::Topic", "Topic").Properties["KmsMasterKeyId"]); got != "<Key.Arn>" {
		t.Errorf("the topic is encrypted with %q", got)
	}
	var key []string
	for _, s := range statements(central.only("AWS::KMS::Key", "Key").Properties["KeyPolicy"]) {
		key = append(key, strings.TrimSuffix(s.Principal+" "+strings.Join(s.Actions, " ")+" if "+s.Condition, " if "))
	}
	slices.Sort(key)
	wantKey := []string{
		"AWS=arn:<Partition>:iam::<AccountId>:root kms:*",
		"Service=cloudwatch.amazonaws.com kms:Decrypt kms:GenerateDataKey* if StringEquals=aws:SourceAccount=<AccountId>", "Service=events.amazonaws.com kms:Decrypt kms:GenerateDataKey*",
	}
	if diff := cmp.Diff(wantKey, key); diff != "" {
		t.Errorf("who publishes cannot encrypt, or others can decrypt (-want +got):\n%s", diff)
	}
	var topic []string
	for id := range central.of("AWS::SNS::Topic") {
		policy := central.policyOf("AWS::SNS::TopicPolicy", "Topics", id)
		if !refusesPlainHTTP(policy) {
			t.Error("the topic can be published to without TLS")
		}
		for _, s := range policy {
			if s.Effect == "Allow" {
				topic = append(topic, s.Principal+" if "+s.Condition)
			}
		}
	}
	slices.Sort(topic)
	wantTopic := []string{"Service=cloudwatch.amazonaws.com if StringEquals=aws:SourceAccount=<AccountId>", "Service=events.amazonaws.com if ArnEquals=aws:SourceArn=<Notify.Arn>"}
	if diff := cmp.Diff(wantTopic, topic); diff != "" {
		t.Errorf("others may notify people, or the rule may not (-want +got):\n%s", diff)
	}
}

func TestLostOutcomesRaiseAnAlarm(t *testing.T) {
	t.Parallel()
	for what, alarm := range map[string]resource{"notified": central.only("AWS::CloudWatch::Alarm", "DeadLetterAlarm"), "forwarded": configured.only("AWS::CloudWatch::Alarm", "ForwardDeadLetterAlarm")} {
		if len(asList(alarm.Properties["AlarmActions"])) != 1 || !strings.Contains(words(alarm.Properties["Metrics"]), "DeadLetters.QueueName>") {
			t.Errorf("outcomes that are not %s go unnoticed", what)
		}
	}
}

// The central stack has no functions: nothing is built, and no hooks are deployed with it.
func TestCentralIsDeployedAlone(t *testing.T) {
	t.Parallel()
	folder, out := t.TempDir(), t.TempDir()
	run(t, folder, out, map[string]string{asInfra: "build", "CDK_CONTEXT_JSON": `{"deployhooks:central": "o-a1b2c3d4e5", "deployhooks:repairMode": "plan"}`}, os.Args[0])
	stacks, err := assembly.Read(os.DirFS(out))
	if err != nil {
		t.Fatal(err)
	}
	if len(stacks) != 1 || stacks[0].Name != config.CentralName {
		t.Errorf("%d stacks are deployed, want %s alone", len(stacks), config.CentralName)
	}
	if _, err := os.Stat(filepath.Join(folder, "build")); err == nil {
		t.Error("functions are built that nobody deploys")
	}
}
