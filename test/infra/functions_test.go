package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/library"
	"deployhooks/pkg/tenant/step"
)

// environment are a function's variables.
func (t template) environment(function string) map[string]string {
	variables := map[string]string{}
	for name, value := range at(t.only("AWS::Lambda::Function", function).Properties, "Environment", "Variables").(map[string]any) {
		variables[name] = words(value)
	}
	return variables
}

// The functions get every setting, in the form that they read.
func TestFunctionsGetTheirConfiguration(t *testing.T) {
	t.Parallel()
	for scenario, tt := range map[string]struct {
		template template
		function string
		want     map[string]string
	}{
		"repair, nothing configured": {plain, "Repair", map[string]string{
			"QUEUE_URL": "<RepairQueue>", "TABLE": "<Baselines>", "TOPIC_ARN": "<Notices>", "ALARM_TOPIC_ARN": "", "ACCOUNT": "<AccountId>",
			"EVENT_BUS": "default", "ACCEPT_EVENTS_FROM": "", "LOG_LEVEL": "INFO", "MODE": "apply",
			"APPLICATIONS": "[]", "DEPLOYMENT_GROUPS": "", "TAG": "", "PARAMETER_PREFIX": "/deployhooks",
			"ATTACH_DURING_TERMINATION_WAIT": "false", "INSTANCES_WITHOUT_REVISION": "notify", "BLUE_GROUP_THAT_STAYS": "notify",
		}},
		"repair, everything configured": {configured, "Repair", map[string]string{
			"QUEUE_URL": "<RepairQueue>", "TABLE": "deployhooks-baselines", "TOPIC_ARN": "<Notices>", "ALARM_TOPIC_ARN": alarmTopic, "ACCOUNT": "<AccountId>",
			"EVENT_BUS": "platform", "ACCEPT_EVENTS_FROM": "210987654321/eu-west-1", "LOG_LEVEL": "WARN", "MODE": "apply",
			"APPLICATIONS": `["shop","team/search","north, south"]`, "DEPLOYMENT_GROUPS": "*-production", "TAG": "hooks=on", "PARAMETER_PREFIX": "/platform/groups",
			"ATTACH_DURING_TERMINATION_WAIT": "true", "INSTANCES_WITHOUT_REVISION": "standby", "BLUE_GROUP_THAT_STAYS": "detach",
		}},
		"drain, nothing configured": {plain, "Drain", map[string]string{
			"QUEUE_URL": "<DrainQueue>", "TABLE": "<Drains>", "TOPIC_ARN": "<Notices>", "ALARM_TOPIC_ARN": "", "ACCOUNT": "<AccountId>",
			"EVENT_BUS": "default", "ACCEPT_EVENTS_FROM": "", "LOG_LEVEL": "INFO", "MODE": "apply",
			"SWEEP_INTERVAL": "1m", "HOOKS": "deployhooks-*", "TAG": "", "DEADLINE": "0m",
			"TARGET_GROUPS": "", "FIND_TARGET_GROUPS": "false", "NETWORK_TARGET_WAIT": "120s", "RELEASES_PER_SECOND": "8",
			"COMMAND": "", "DOCUMENT": "", "TAG_DOCUMENTS": "", "COMMAND_TIMEOUT": "5m",
			"ON_SPOT_INTERRUPTION": "drain", "ON_STATE_CHANGE": "off", "ON_REBALANCE": "notify", "ON_MAINTENANCE": "notify",
		}},
		"drain, everything configured": {configured, "Drain", map[string]string{
			"QUEUE_URL": "<DrainQueue>", "TABLE": "<Drains>", "TOPIC_ARN": "<Notices>", "ALARM_TOPIC_ARN": alarmTopic, "ACCOUNT": "<AccountId>",
			"EVENT_BUS": "platform", "ACCEPT_EVENTS_FROM": "210987654321/eu-west-1", "LOG_LEVEL": "WARN", "MODE": "apply",
			"SWEEP_INTERVAL": "2m", "HOOKS": "bye-*", "TAG": "drain=on", "DEADLINE": "20m",
			"TARGET_GROUPS": "admin,internal", "FIND_TARGET_GROUPS": "true", "NETWORK_TARGET_WAIT": "60s", "RELEASES_PER_SECOND": "20",
			"COMMAND": "systemctl stop app", "DOCUMENT": "", "TAG_DOCUMENTS": "AWS-RunShellScript,stop-app", "COMMAND_TIMEOUT": "2m",
			"ON_SPOT_INTERRUPTION": "off", "ON_STATE_CHANGE": "drain", "ON_REBALANCE": "drain", "ON_MAINTENANCE": "drain",
		}},
	} {
		if diff := cmp.Diff(tt.want, tt.template.environment(tt.function)); diff != "" {
			t.Errorf("%s: the function does something else than configured (-want +got):\n%s", scenario, diff)
		}
	}
	for function, want := range map[string]string{"Repair": "plan", "Drain": "plan"} {
		if got := planning.environment(function)["MODE"]; got != want {
			t.Errorf("%s runs in mode %s, want %s", function, got, want)
		}
	}
	if got := replacing.environment("Drain")["DOCUMENT"]; got != "stop-app" {
		t.Errorf("drain runs the document %q, want stop-app", got)
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

// intakeConfig is the environment that functions/intake reads.
type intakeConfig struct {
	intake.Config
	Library library.Config
	Notices notice.Config
}

// stepConfig is the environment that functions/step reads.
type stepConfig struct {
	Class         step.Class `env:"CLASS,required,notEmpty"`
	Table         string     `env:"TABLE,required,notEmpty"`
	ManualMachine string     `env:"MANUAL_MACHINE"`
	BucketARN     string     `env:"BUCKET_ARN,required,notEmpty"`
	Library       library.Config
}

// controlConfig is the same of the class control, which sends reminders.
type controlConfig struct {
	Step    stepConfig
	Notices notice.Config
}

func TestFunctionsReadWhatTheStackSets(t *testing.T) {
	t.Parallel()
	hooks := []template{plain, configured, planning, replacing}
	testEnvironment[repairConfig](t, "Repair", hooks)
	testEnvironment[drainConfig](t, "Drain", hooks)
	tenants := []template{tenancy, tenancyNet}
	testEnvironment[intakeConfig](t, "Intake", tenants, "QUEUE_URL")
	deployed := []string{"BLUEPRINT", "BLUEPRINT_BUCKET", "BLUEPRINT_KEY"} // intake adds it to the library
	testEnvironment[controlConfig](t, "Control", tenants, deployed...)
	for _, worker := range []string{"Network", "Database", "Storage", "Mail"} {
		testEnvironment[stepConfig](t, worker, tenants, append(deployed, "MANUAL_MACHINE")...)
	}
}

// testEnvironment compares the variables that a function reads with those that
// the stack sets, and has the function parse them. Some variables need not be set, or
// are set for functions that read no queue of their own.
func testEnvironment[Config any](t *testing.T, function string, templates []template, besides ...string) {
	t.Helper()
	params, err := env.GetFieldParams(new(Config))
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, p := range params {
		read = append(read, p.Key)
	}
	read = append(read, "LOG_LEVEL")        // boot.Logger reads it, not the function's configuration
	besides = append(besides, "AWS_REGION") // Lambda sets it
	read = without(set(read), besides)
	for _, template := range templates {
		variables := template.environment(function)
		if diff := cmp.Diff(read, without(slices.Sorted(maps.Keys(variables)), besides)); diff != "" {
			t.Errorf("the stack sets other variables of %s than the function reads (-read +set):\n%s", function, diff)
		}
		if _, err := env.ParseAsWithOptions[Config](env.Options{Environment: variables}); err != nil {
			t.Errorf("%s does not start: %v", function, err)
		}
	}
}

func TestFunctionsRunOnTheConfiguredArchitecture(t *testing.T) {
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

func TestLogsExpireAndAreStructured(t *testing.T) {
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
			if group.DeletionPolicy != "Delete" {
				t.Errorf("%s outlives the stack", id)
			}
		}
		for id, function := range template.of("AWS::Lambda::Function") {
			want := "<" + strings.TrimSuffix(name(id), "Function") + "Logs>"
			if got := words(at(function.Properties, "LoggingConfig", "LogGroup")); got != want {
				t.Errorf("%s logs to %s, want %s: what Lambda makes by itself is kept for ever", id, got, want)
			}
			if at(function.Properties, "LoggingConfig", "LogFormat") != "JSON" {
				t.Errorf("%s: structured lines arrive as text", id)
			}
		}
	}
}

// A metric line has no level, and counts as INFO: a filter of Lambda's above that
// would drop it, and the dashboard with it.
func TestMetricsSurviveEveryLogLevel(t *testing.T) {
	t.Parallel()
	for level, tt := range map[string]struct {
		template template
		filter   string
	}{"INFO": {plain, "INFO"}, "WARN": {configured, "INFO"}, "DEBUG": {replacing, "DEBUG"}} {
		for id, function := range tt.template.of("AWS::Lambda::Function") {
			if got := at(function.Properties, "LoggingConfig", "ApplicationLogLevel"); got != tt.filter {
				t.Errorf("logLevel %s: Lambda drops what %s writes below %v, want %s", level, id, got, tt.filter)
			}
			if got := tt.template.environment(strings.TrimSuffix(name(id), "Function"))["LOG_LEVEL"]; got != level {
				t.Errorf("logLevel %s: %s logs from %s on", level, id, got)
			}
		}
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
		config.TriggerTopicOutput, config.NoticeTopicOutput, config.SubscribersOutput, config.DashboardOutput,
		config.RepairFunctionOutput, config.RepairQueueOutput, config.RepairDeadLetterOutput, config.TableOutput, config.RepairModeOutput,
		config.DrainFunctionOutput, config.DrainQueueOutput, config.DrainDeadLetterOutput, config.DrainTableOutput, config.DrainModeOutput,
	}
	slices.Sort(want)
	for scenario, template := range map[string]template{"plain": plain, "planning": planning, "configured": configured} {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(template.Outputs))); diff != "" {
			t.Errorf("%s: what people and scripts read is not there (-want +got):\n%s", scenario, diff)
		}
	}
}

// Whoever deploys reads in the outputs whether the functions may act.
func TestModesAreShown(t *testing.T) {
	t.Parallel()
	for want, template := range map[string]template{"apply": plain, "plan": planning} {
		for _, output := range []string{config.RepairModeOutput, config.DrainModeOutput} {
			if got := words(template.Outputs[output].Value); got != want {
				t.Errorf("the output %s is %q and the mode is %s", output, got, want)
			}
		}
	}
}
