package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/stack"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
)

func TestLogsEnd(t *testing.T) {
	t.Parallel()
	for days, template := range map[float64]template{30: plain, 7: configured} {
		groups := template.of("AWS::Logs::LogGroup")
		if functions := template.of("AWS::Lambda::Function"); len(groups) != len(functions) {
			t.Errorf("%d log groups for %d functions: the others are kept for ever", len(groups), len(functions))
		}
		for id, group := range groups {
			if group.Properties["RetentionInDays"] != days {
				t.Errorf("%s is kept for %v days, want %v", id, group.Properties["RetentionInDays"], days)
			}
		}
		for id, function := range template.of("AWS::Lambda::Function") {
			if at(function.Properties, "LoggingConfig", "LogGroup") == nil {
				t.Errorf("%s logs to a group that Lambda makes, which is kept for ever", id)
			}
			if at(function.Properties, "LoggingConfig", "LogFormat") != "JSON" {
				t.Errorf("%s: structured lines arrive as text", id)
			}
		}
	}
}

func TestAlarmsReachSomebody(t *testing.T) {
	t.Parallel()
	var watched []string
	for _, function := range []string{"Drain", "Repair"} {
		for _, metric := range []string{"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "Errors", "Invocations", "Throttles"} {
			watched = append(watched, function+" "+metric)
		}
	}
	for topic, template := range map[string]template{
		"<Notices>": plain,
		"arn:aws:sns:eu-west-1:123456789012:alarms": configured,
	} {
		var metrics []string
		for id, alarm := range template.of("AWS::CloudWatch::Alarm") {
			function := "Repair"
			if strings.Contains(words(alarm.Properties["Dimensions"]), "<Drain") {
				function = "Drain"
			}
			metrics = append(metrics, function+" "+alarm.Properties["MetricName"].(string))
			if got := words(alarm.Properties["AlarmActions"]); got != topic {
				t.Errorf("%s goes to %q, want %s", id, got, topic)
			}
			if alarm.Properties["AlarmDescription"] == nil {
				t.Errorf("%s does not say what to do", id)
			}
			period, times := alarm.Properties["Period"].(float64), alarm.Properties["EvaluationPeriods"].(float64)
			// CloudWatch user guide, "Evaluating an alarm": at most a day of
			// periods shorter than an hour, at most a week of others.
			if limit := map[bool]float64{true: 86400, false: 7 * 86400}[period < 3600]; period*times > limit {
				t.Errorf("%s looks back %v s, more than CloudWatch allows", id, period*times)
			}
		}
		slices.Sort(metrics)
		if diff := cmp.Diff(watched, metrics); diff != "" {
			t.Errorf("something may break in silence (-want +got):\n%s", diff)
		}
	}
}

func TestTableOutlivesTheStack(t *testing.T) {
	t.Parallel()
	table := plain.only("AWS::DynamoDB::Table", "Baselines")
	if table.DeletionPolicy != "Retain" {
		t.Error("cdk destroy throws the baselines away")
	}
	for property, want := range map[string]string{
		"KeySchema":                        "AttributeName=application KeyType=HASH, AttributeName=deploymentGroup KeyType=RANGE",
		"AttributeDefinitions":             "AttributeName=application AttributeType=S, AttributeName=deploymentGroup AttributeType=S",
		"BillingMode":                      "PAY_PER_REQUEST",
		"PointInTimeRecoverySpecification": "PointInTimeRecoveryEnabled=true",
		"SSESpecification":                 "SSEEnabled=true",
	} {
		if got := words(table.Properties[property]); got != want {
			t.Errorf("the table's %s is %q, want %q", property, got, want)
		}
	}
	var retained []string
	for id, r := range plain.Resources {
		if strings.HasPrefix(r.DeletionPolicy, "Retain") {
			retained = append(retained, name(id))
		}
	}
	// The drains' table is not among them: nobody can act on it any more.
	if diff := cmp.Diff([]string{"Baselines"}, retained); diff != "" {
		t.Errorf("cdk destroy leaves more behind than is meant (-want +got):\n%s", diff)
	}
}

func TestDrainsAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	table := plain.only("AWS::DynamoDB::Table", "Drains")
	if table.DeletionPolicy != "Delete" {
		t.Error("cdk destroy leaves a table behind that nobody can use")
	}
	for property, want := range map[string]string{
		"KeySchema":               "AttributeName=instance KeyType=HASH",
		"AttributeDefinitions":    "AttributeName=instance AttributeType=S",
		"BillingMode":             "PAY_PER_REQUEST",
		"SSESpecification":        "SSEEnabled=true",
		"TimeToLiveSpecification": "AttributeName=expires Enabled=true",
	} {
		if got := words(table.Properties[property]); got != want {
			t.Errorf("the table's %s is %q, want %q", property, got, want)
		}
	}
}

// repairConfig is the environment that functions/repair reads.
type repairConfig struct {
	repair.Config
	Notices notice.Config
}

// drainConfig is the environment that functions/drain reads.
type drainConfig struct {
	drain.Config
	Notices notice.Config
}

// The stack sets every variable that a function reads, and the function takes
// every value that the stack can set.
func TestRepairGetsItsConfiguration(t *testing.T) {
	t.Parallel()
	common := repairConfig{
		Config:  repair.Config{QueueURL: "<RepairQueue>", Table: "<Baselines>", ParameterPrefix: "/deployhooks", Mode: repair.ModeApply},
		Notices: notice.Config{TopicARN: "<Notices>", EventBus: "default"},
	}
	inPlanMode, everything := common, common
	inPlanMode.Mode = repair.ModePlan
	everything.ParameterPrefix, everything.Notices.EventBus = "/platform/groups", "platform"
	everything.Scope = repair.Scope{
		Applications: []string{"shop", "team/search"}, DeploymentGroups: "*-production", Tag: repair.Tag{Key: "hooks", Value: "on"},
	}
	testEnvironment(t, "Repair", plain, common)
	testEnvironment(t, "Repair", configured, everything)
	testEnvironment(t, "Repair", planning, inPlanMode)
}

func TestDrainGetsItsConfiguration(t *testing.T) {
	t.Parallel()
	common := drainConfig{
		Config: drain.Config{
			QueueURL: "<DrainQueue>", Table: "<Drains>", Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute, OnRebalance: drain.TellPeople, OnMaintenance: drain.TellPeople,
		},
		Notices: notice.Config{TopicARN: "<Notices>", EventBus: "default"},
	}
	everything := common
	everything.Notices.EventBus = "platform"
	everything.Hooks, everything.Deadline, everything.TargetGroups = "bye-*", 20*time.Minute, []string{"admin", "internal"}
	everything.Command, everything.CommandTimeout, everything.OnRebalance, everything.OnMaintenance = "systemctl stop app", 2*time.Minute, drain.DrainToo, drain.DrainToo
	testEnvironment(t, "Drain", plain, common)
	testEnvironment(t, "Drain", configured, everything)
}

// testEnvironment holds a function's environment to what it reads, and to what
// it shall read there.
func testEnvironment[Config any](t *testing.T, function string, in template, want Config) {
	t.Helper()
	params, err := env.GetFieldParams(new(Config))
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, p := range params {
		read = append(read, p.Key)
	}
	slices.Sort(read)
	variables := map[string]string{}
	for name, value := range at(in.only("AWS::Lambda::Function", function).Properties, "Environment", "Variables").(map[string]any) {
		variables[name] = words(value)
	}
	if diff := cmp.Diff(read, slices.Sorted(maps.Keys(variables))); diff != "" {
		t.Errorf("the stack sets other variables than the function reads (-read +set):\n%s", diff)
	}
	got, err := env.ParseAsWithOptions[Config](env.Options{Environment: variables})
	if err != nil {
		t.Fatalf("the function does not start: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the function does something else than configured (-want +got):\n%s", diff)
	}
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	for want, template := range map[string]template{"arm64": plain, "x86_64": intel} {
		for id, function := range template.of("AWS::Lambda::Function") {
			if got := words(function.Properties["Architectures"]); got != want {
				t.Errorf("%s runs on %s, want %s", id, got, want)
			}
			if got := function.Properties["Runtime"]; got != "provided.al2023" {
				t.Errorf("%s runs in %v", id, got)
			}
		}
	}
	if cmp.Equal(at(plain.only("AWS::Lambda::Function", "Repair").Properties, "Code"), at(intel.only("AWS::Lambda::Function", "Repair").Properties, "Code")) {
		t.Error("both architectures get the same program")
	}
}

func TestProgramsThatCannotRunAreRefused(t *testing.T) {
	t.Parallel()
	for build, want := range map[string]string{
		"missing": "is missing: run `make build` first",
		"foreign": "is built for EM_X86_64 and not for arm64: run `make build` first",
		"broken":  "is not a Linux program",
	} {
		if said := refusals[build]; !strings.Contains(said, want) {
			t.Errorf("program %s: the stack says %q, want %q; it fails at the first event otherwise", build, said, want)
		}
	}
	if said, refused := refusals["good"]; refused {
		t.Errorf("a good program is refused: %s", said)
	}
}

func TestStackGoesAnywhere(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, id := range slices.Sorted(maps.Keys(plain.Resources)) {
		text.WriteString(words(plain.Resources[id].Properties))
	}
	for _, fixed := range []string{"eu-west-1", "us-east-1", "123456789012"} {
		if strings.Contains(text.String(), fixed) {
			t.Errorf("the template holds %s: it cannot be deployed elsewhere", fixed)
		}
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	want := []string{
		config.TriggerTopicOutput, config.NoticeTopicOutput, config.RepairFunctionOutput, config.RepairQueueOutput,
		config.RepairDeadLetterOutput, config.TableOutput, config.DashboardOutput, config.ModeOutput,
	}
	drain := []string{config.DrainFunctionOutput, config.DrainQueueOutput, config.DrainDeadLetterOutput, config.DrainTableOutput}
	for story, tt := range map[string]struct {
		template template
		want     []string
	}{
		"apply": {plain, slices.Concat(want, drain)},
		"plan":  {planning, slices.Clone(want)},
	} {
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(tt.template.Outputs))); diff != "" {
			t.Errorf("%s: what people and scripts look up is not there (-want +got):\n%s", story, diff)
		}
	}
}

// Whoever deploys reads in the outputs whether the function may act.
func TestModeIsShown(t *testing.T) {
	t.Parallel()
	for want, template := range map[string]template{"apply": plain, "plan": planning} {
		if got := words(template.Outputs[config.ModeOutput].Value); got != want {
			t.Errorf("the outputs call the mode %q and it is %s", got, want)
		}
	}
}

// Somebody who only wants to see what would be done has no function that does
// something: whatever concerns the drains is left out.
func TestNobodyDrainsInPlanMode(t *testing.T) {
	t.Parallel()
	for id, r := range planning.Resources {
		if strings.HasPrefix(id, "Drain") {
			t.Errorf("in plan mode there is %s, a %s", id, r.Type)
		}
	}
}

func TestPeopleAreSubscribed(t *testing.T) {
	t.Parallel()
	var addresses []string
	for _, s := range configured.of("AWS::SNS::Subscription") {
		if s.Properties["Protocol"] == "email" {
			addresses = append(addresses, words(s.Properties["Endpoint"])+" to "+words(s.Properties["TopicArn"]))
		}
	}
	if diff := cmp.Diff([]string{"ops@example.com to <Notices>"}, addresses); diff != "" {
		t.Errorf("nobody reads the notices (-want +got):\n%s", diff)
	}
}

func TestDashboardShowsTheFunctionsOwnMetrics(t *testing.T) {
	t.Parallel()
	if stack.MetricNamespace != notice.Namespace {
		t.Errorf("the dashboard looks for metrics in %s, and they are in %s", stack.MetricNamespace, notice.Namespace)
	}
	body := words(plain.only("AWS::CloudWatch::Dashboard", "Dashboard").Properties["DashboardBody"])
	for _, function := range []string{"repair", "drain"} {
		if !strings.Contains(body, "{"+notice.Namespace+`,Function,Outcome} Function=\"`+function+`\"`) {
			t.Errorf("the dashboard does not show what %s did: %s", function, body)
		}
	}
}
