package infra

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"debug/elf"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	cdk "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/constructs"
	"deployhooks/infra/environment/spec"
)

const boundary = "arn:aws:iam::123456789012:policy/boundary"

// newEncrypted is a stack that uses what platform teams ask for.
func newEncrypted(build string) awscdk.Stack {
	stack := awscdk.NewStack(newApp(""), jsii.String("platform"), nil)
	constructs.NewDeploymentHooks(stack, jsii.String("Hooks"), &constructs.DeploymentHooksProps{
		Programs:            &build,
		EnvironmentName:     jsii.String("staging"),
		Tags:                &map[string]*string{"team": jsii.String("platform")},
		EncryptionKey:       awskms.NewKey(stack, jsii.String("Key"), nil),
		PermissionsBoundary: awsiam.ManagedPolicy_FromManagedPolicyArn(stack, jsii.String("Boundary"), jsii.String(boundary)),
	})
	return stack
}

// newTwice is a stack with two installations.
func newTwice(build string) awscdk.Stack {
	stack := awscdk.NewStack(newApp(""), jsii.String("platform"), nil)
	constructs.NewDeploymentHooks(stack, jsii.String("One"), &constructs.DeploymentHooksProps{
		Programs:    &build,
		NoticeTopic: awssns.NewTopic(stack, jsii.String("Chat"), nil),
		AlarmTopic:  awssns.NewTopic(stack, jsii.String("Pager"), nil),
	})
	constructs.NewDeploymentHooks(stack, jsii.String("Two"), &constructs.DeploymentHooksProps{
		Programs:      &build,
		Configuration: &map[string]any{"deployhooks:repairMode": "plan", "deployhooks:drainHooks": "two-*"},
	})
	return stack
}

// annotations are what the synthesis says of a stack, of one kind.
func annotations(stack awscdk.Stack, kind string) []string {
	var all []string
	for _, c := range *stack.Node().FindAll(cdk.ConstructOrder_PREORDER) {
		for _, entry := range *c.Node().Metadata() {
			if *entry.Type == kind {
				all = append(all, fmt.Sprint(entry.Data))
			}
		}
	}
	return all
}

// refuse collects the panics of constructors with properties that cannot work,
// and of one with good ones.
func refuse(dir, good string) (map[string]string, error) {
	foreign, broken := filepath.Join(dir, "foreign"), filepath.Join(dir, "broken")
	if err := writeProgram(filepath.Join(foreign, "arm64", "repair"), elf.EM_X86_64); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(broken, "arm64", "repair"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(broken, "arm64", "repair", "bootstrap"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		return nil, err
	}
	missing := filepath.Join(dir, "nothing")
	refusals := map[string]string{}
	attempt := func(scenario string, f func(stack awscdk.Stack)) {
		defer func() {
			if panicked := recover(); panicked != nil {
				refusals[scenario] = fmt.Sprint(panicked)
			}
		}()
		f(awscdk.NewStack(newApp(""), jsii.String("platform"), &awscdk.StackProps{Env: &awscdk.Environment{Region: jsii.String("eu-west-1")}}))
	}
	for scenario, props := range map[string]constructs.DeploymentHooksProps{
		"good":                      {Programs: &good},
		"program missing":           {Programs: &missing},
		"program foreign":           {Programs: &foreign},
		"program broken":            {Programs: &broken},
		"two faults in one setting": {Programs: &good, Configuration: &map[string]any{"deployhooks:mode": "plan", "deployhooks:logLevel": "loud"}},
		"a topic of another region": {Programs: &good, Configuration: &map[string]any{"deployhooks:alarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms"}},
		"a topic of this region":    {Programs: &good, Configuration: &map[string]any{"deployhooks:alarmTopicArn": alarmTopic}},
	} {
		attempt(scenario, func(stack awscdk.Stack) { constructs.NewDeploymentHooks(stack, jsii.String("Hooks"), &props) })
	}
	attempt("two alarm topics", func(stack awscdk.Stack) {
		constructs.NewDeploymentHooks(stack, jsii.String("Hooks"), &constructs.DeploymentHooksProps{
			Programs: &good, AlarmTopic: awssns.NewTopic(stack, jsii.String("Pager"), nil),
			Configuration: &map[string]any{"deployhooks:alarmTopicArn": alarmTopic},
		})
	})
	code := filepath.Join(good, "arm64", "repair")
	seconds := func(n float64) awscdk.Duration { return awscdk.Duration_Seconds(&n) }
	faulty := filepath.Join(dir, "faulty")
	if err := os.MkdirAll(faulty, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(faulty, "blueprint.yaml"), []byte("name: x\nsteps:\n- name: a\n  kind: nothing\n- name: b\n  needs: [c]\n"), 0o644); err != nil {
		return nil, err
	}
	for name, folder := range map[string]string{"missing folder": filepath.Join(dir, "nowhere"), "faults": faulty, "no topic": exampleFolder} {
		attempt("Tenants "+name, func(stack awscdk.Stack) {
			props := &constructs.TenantsProps{Programs: &good, Configuration: &map[string]any{"deployhooks:blueprint": folder}}
			if name != "no topic" {
				props.NoticeTopic = awssns.NewTopic(stack, jsii.String("Notices"), nil)
			}
			constructs.NewTenants(stack, jsii.String("Tenants"), props)
		})
	}
	type function = constructs.LambdaFunctionProps
	queued := func(props constructs.QueuedFunctionProps) constructs.QueuedFunctionProps {
		props.Code = &code
		return props
	}
	for property, props := range map[string]constructs.QueuedFunctionProps{
		"Code":              {},
		"Architecture":      {LambdaFunctionProps: function{Code: &code, Architecture: awslambda.Architecture_X86_64()}},
		"Timeout":           {LambdaFunctionProps: function{Code: &code, Timeout: seconds(901)}},
		"MemorySize":        {LambdaFunctionProps: function{Code: &code, MemorySize: jsii.Number(64)}},
		"LogLevel":          {LambdaFunctionProps: function{Code: &code, LogLevel: jsii.String("loud")}},
		"Environment":       {LambdaFunctionProps: function{Code: &code, Environment: &map[string]*string{"QUEUE_URL": jsii.String("mine")}}},
		"BatchSize":         queued(constructs.QueuedFunctionProps{BatchSize: jsii.Number(10001), BatchingWindow: seconds(1)}),
		"BatchingWindow":    queued(constructs.QueuedFunctionProps{BatchSize: jsii.Number(11)}),
		"MaxConcurrency":    queued(constructs.QueuedFunctionProps{MaxConcurrency: jsii.Number(1)}),
		"MaxReceiveCount":   queued(constructs.QueuedFunctionProps{MaxReceiveCount: jsii.Number(0)}),
		"VisibilityTimeout": queued(constructs.QueuedFunctionProps{VisibilityTimeout: seconds(59)}),
		"Sweep":             queued(constructs.QueuedFunctionProps{Sweep: seconds(90)}),
		"StaleAfter":        queued(constructs.QueuedFunctionProps{StaleAfter: seconds(1)}),
	} {
		attempt("QueuedFunction "+property, func(stack awscdk.Stack) { constructs.NewQueuedFunction(stack, jsii.String("Function"), &props) })
	}
	attempt("BlueGreenService", func(stack awscdk.Stack) {
		constructs.NewBlueGreenService(stack, jsii.String("Service"), &constructs.BlueGreenServiceProps{
			Name: jsii.String("-shop"), Hosts: &[]*string{}, Priority: jsii.Number(0), Port: jsii.Number(0), VolumeGiB: jsii.Number(4), DeregistrationDelay: seconds(3601),
		})
	})
	attempt("Environment", func(stack awscdk.Stack) { constructs.NewEnvironment(stack, jsii.String("Environment"), nil) })
	attempt("Environment elsewhere", func(stack awscdk.Stack) {
		constructs.NewEnvironment(stack, jsii.String("Environment"), &constructs.EnvironmentProps{
			Programs: &good, Spec: &spec.Environment{Name: "shop", Region: "us-east-1"}, Configuration: &map[string]any{"deployhooks:logLevel": "loud"},
		})
	})
	complete := queued(constructs.QueuedFunctionProps{})
	attempt("QueuedFunction good", func(stack awscdk.Stack) { constructs.NewQueuedFunction(stack, jsii.String("Function"), &complete) })
	return refusals, nil
}

func TestProgramsThatCannotRunAreRefused(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		"missing": "is missing: build it with `make build ARCH=arm64`",
		"foreign": "is built for EM_X86_64 and not for arm64: build it with",
		"broken":  "is not a Linux program",
	} {
		if said := refusals["program "+program]; !strings.Contains(said, want) {
			t.Errorf("program %s: the synthesis says %q, want %q; it fails at the first event otherwise", program, said, want)
		}
	}
}

func TestConstructorsNameThePropertyThatCannotWork(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"two faults in one setting":        {"DeploymentHooks platform/Hooks: Configuration: ", "deployhooks:mode", "deployhooks:repairMode", "deployhooks:logLevel"},
		"a topic of another region":        {"Configuration: ", "us-east-1", "eu-west-1"},
		"two alarm topics":                 {"AlarmTopic: ", alarmTopic},
		"QueuedFunction Code":              {"QueuedFunction platform/Function: Code: required"},
		"QueuedFunction Architecture":      {"Code: ", "x86_64"},
		"QueuedFunction Timeout":           {"Timeout: 901 s", "1 to 900"},
		"QueuedFunction MemorySize":        {"MemorySize: 64 MB", "128"},
		"QueuedFunction BatchSize":         {"BatchSize: 10001", "10000"},
		"QueuedFunction BatchingWindow":    {"BatchingWindow: ", "BatchSize of 11"},
		"QueuedFunction MaxConcurrency":    {"MaxConcurrency: 1", "2 to 1000"},
		"QueuedFunction MaxReceiveCount":   {"MaxReceiveCount: 0"},
		"QueuedFunction VisibilityTimeout": {"VisibilityTimeout: 59 s", "60 s"},
		"QueuedFunction Sweep":             {"Sweep: 1.5 minutes"},
		"QueuedFunction StaleAfter":        {"StaleAfter: 1 s"},
		"QueuedFunction LogLevel":          {`LogLevel: "loud"`},
		"QueuedFunction Environment":       {"Environment: QUEUE_URL"},
		"BlueGreenService": {
			"BlueGreenService platform/Service: Vpc: required", "Listener: required", "LoadBalancer: required", "Provider: required", "Revisions: required",
			"InstanceType: required", "MinInstances: required", "MaxInstances: required", `Name: "-shop"`, "Hosts: 0 of them", "Priority: 0", "Port: 0",
			"VolumeGiB: 4 GiB", "DeregistrationDelay: 3601 s",
		},
		"Environment":           {"Environment platform/Environment: Spec: required"},
		"Environment elsewhere": {"Spec: its region is us-east-1, and the stack needs the same and has eu-west-1", "Configuration: context key deployhooks:logLevel"},
	} {
		for _, piece := range want {
			if !strings.Contains(refusals[scenario], piece) {
				t.Errorf("%s: the synthesis says %q, want %q; it fails in the deployment otherwise", scenario, refusals[scenario], piece)
			}
		}
	}
	for _, scenario := range []string{"good", "a topic of this region", "QueuedFunction good"} {
		if said, refused := refusals[scenario]; refused {
			t.Errorf("%s: refused: %s", scenario, said)
		}
	}
}

// A second installation must not take the first one's table, events or names.
func TestTwoInstallationsFitOneStack(t *testing.T) {
	t.Parallel()
	var tables, modes []string
	for id, r := range twice.of("AWS::DynamoDB::Table") {
		if strings.Contains(id, "Baselines") {
			tables = append(tables, words(r.Properties["TableName"]))
		}
	}
	slices.Sort(tables)
	if len(tables) != 2 || !strings.HasPrefix(tables[0], "platform-One-") || !strings.HasPrefix(tables[1], "platform-Two-") {
		t.Errorf("both keep their baselines in one table, or names do not say whose they are: %v", tables)
	}
	for _, function := range []string{"OneRepair", "TwoRepair", "OneDrain", "TwoDrain"} {
		modes = append(modes, twice.environment(function)["MODE"])
	}
	if diff := cmp.Diff([]string{"apply", "plan", "apply", "apply"}, modes); diff != "" {
		t.Errorf("one installation has the other's configuration (-want +got):\n%s", diff)
	}
}

func TestGivenTopicsAreUsed(t *testing.T) {
	t.Parallel()
	for function, want := range map[string][2]string{"OneRepair": {"<Chat>", "<Pager>"}, "OneDrain": {"<Chat>", "<Pager>"}, "TwoRepair": {"<TwoNotices>", ""}} {
		environment := twice.environment(function)
		if got := [2]string{environment["TOPIC_ARN"], environment["ALARM_TOPIC_ARN"]}; got != want {
			t.Errorf("%s notifies %v, want %v", function, got, want)
		}
	}
	for id, alarm := range twice.of("AWS::CloudWatch::Alarm") {
		want := "<TwoNotices>"
		if strings.HasPrefix(id, "One") {
			want = "<Pager>"
		}
		if got := words(alarm.Properties["AlarmActions"]); got != want {
			t.Errorf("%s goes to %s, want %s", id, got, want)
		}
	}
	for id, policy := range twice.of("AWS::SNS::TopicPolicy") {
		if topics := words(policy.Properties["Topics"]); topics == "<Chat>" || topics == "<Pager>" {
			t.Errorf("%s replaces the policy of a topic that is not ours, and shuts out who publishes there", id)
		}
	}
}

func TestEveryRoleHasThePermissionsBoundary(t *testing.T) {
	t.Parallel()
	roles := encrypted.of("AWS::IAM::Role")
	if len(roles) < 4 {
		t.Errorf("%d roles, and both functions and schedules need one", len(roles))
	}
	for id, role := range roles {
		if role.Properties["PermissionsBoundary"] != boundary {
			t.Errorf("%s has no boundary: an account that requires one refuses the deployment", id)
		}
	}
}

func TestTagsAndTheEnvironmentsNameAreShown(t *testing.T) {
	t.Parallel()
	for id, r := range encrypted.Resources {
		if r.Type == "AWS::Lambda::Function" || r.Type == "AWS::SQS::Queue" || r.Type == "AWS::DynamoDB::Table" {
			if !strings.Contains(words(r.Properties["Tags"]), "Key=team Value=platform") {
				t.Errorf("%s does not have the tags", id)
			}
		}
		for _, property := range map[string][]string{"AWS::Lambda::Function": {"Description"}, "AWS::SNS::Topic": {"DisplayName"}}[r.Type] {
			if got := words(r.Properties[property]); !strings.HasPrefix(got, "staging: ") {
				t.Errorf("%s: the %s is %q, which does not say which installation it is", id, property, got)
			}
		}
	}
}

// With a key, nothing is left under another one, and who must use it may.
func TestTheGivenKeyEncryptsEverything(t *testing.T) {
	t.Parallel()
	for kind, property := range map[string][]string{
		"AWS::SQS::Queue":       {"KmsMasterKeyId"},
		"AWS::SNS::Topic":       {"KmsMasterKeyId"},
		"AWS::Logs::LogGroup":   {"KmsKeyId"},
		"AWS::Lambda::Function": {"KmsKeyArn"},
		"AWS::DynamoDB::Table":  {"SSESpecification", "KMSMasterKeyId"},
	} {
		for id, r := range encrypted.of(kind) {
			if got := words(at(r.Properties, property...)); got != "<Key.Arn>" {
				t.Errorf("%s is encrypted with %v", id, got)
			}
		}
	}
	var users []string
	for _, s := range statements(encrypted.only("AWS::KMS::Key", "Key").Properties["KeyPolicy"]) {
		if service, ok := strings.CutPrefix(s.Principal, "Service="); ok {
			users = append(users, service)
		}
	}
	slices.Sort(users)
	want := []string{"cloudwatch.amazonaws.com", "codedeploy.amazonaws.com", "events.amazonaws.com", "logs.<Region>.amazonaws.com", "sns.amazonaws.com"}
	if diff := cmp.Diff(want, slices.Compact(users)); diff != "" {
		t.Errorf("a service cannot deliver, or one too many may use the key (-want +got):\n%s", diff)
	}
	for _, role := range []string{"HooksRepairRole", "HooksDrainRole"} {
		if !slices.Contains(allowed(encrypted.permissions(role)), "kms:Decrypt") {
			t.Errorf("%s cannot read its own queue", role)
		}
	}
}
