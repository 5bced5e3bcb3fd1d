package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
)

// defaults are what a stack gets that nobody has configured.
func defaults() config.Hooks {
	return config.Hooks{
		Architecture:      config.ARM64,
		SweepEveryMinutes: 5,
		Mode:              config.Apply,
		LogLevel:          "INFO",
		LogRetentionDays:  30,
		ParameterPrefix:   "/deployhooks",
		EventBus:          "default",
		Drain:             config.Drain{Hooks: "deployhooks-*", CommandTimeoutMinutes: 5, OnRebalance: config.TellPeople, OnMaintenance: config.TellPeople},
	}
}

func TestParse(t *testing.T) {
	const (
		role  = "arn:aws:iam::123456789012:role/service/hooks"
		topic = "arn:aws:sns:eu-west-1:123456789012:alarms"

		targets  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0123456789abcdef"
		document = "arn:aws:ssm:eu-west-1:123456789012:document/stop-app"
	)
	tests := map[string]struct {
		context map[string]any
		want    func(*config.Hooks)
	}{
		"nothing configured": {nil, func(*config.Hooks) {}},
		"keys of others are left alone": {
			map[string]any{"availability-zones:account=1": []any{"a"}, "@aws-cdk/core:x": true},
			func(*config.Hooks) {},
		},
		"a null, or a list of nothing in cdk.json, means the default": {
			map[string]any{"deployhooks:mode": nil, "deployhooks:sweepEveryMinutes": nil, "deployhooks:applications": []any{}},
			func(*config.Hooks) {},
		},
		"everything, as cdk.json has it": {
			map[string]any{
				"deployhooks:architecture":      "x86_64",
				"deployhooks:sweepEveryMinutes": 15.0,
				"deployhooks:applications":      []any{"shop", "búsqueda", "team/search_2"},
				"deployhooks:deploymentGroups":  "*-production",
				"deployhooks:tag":               "deploy:hooks=on=1",
				"deployhooks:mode":              "plan",
				"deployhooks:notifyEmails":      []any{"ops@example.com"},
				"deployhooks:logLevel":          "DEBUG",
				"deployhooks:logRetentionDays":  7.0,
				"deployhooks:parameterPrefix":   "/platform/groups",
				"deployhooks:alarmTopicArn":     topic,
				"deployhooks:hookRoleArns":      []any{role},
				"deployhooks:eventBus":          "platform",

				"deployhooks:drainHooks":                 "bye-*",
				"deployhooks:drainDeadlineMinutes":       20.0,
				"deployhooks:drainTargetGroups":          []any{"admin", targets},
				"deployhooks:drainCommand":               "systemctl stop app\nsync",
				"deployhooks:drainTagDocuments":          []any{"AWS-RunShellScript", document},
				"deployhooks:drainCommandTimeoutMinutes": 2.0,
				"deployhooks:onRebalance":                "drain",
				"deployhooks:onMaintenance":              "drain",
			},
			func(h *config.Hooks) {
				*h = config.Hooks{
					Architecture:      config.X86_64,
					SweepEveryMinutes: 15,
					Applications:      []string{"shop", "búsqueda", "team/search_2"},
					DeploymentGroups:  "*-production",
					Tag:               config.Tag{Key: "deploy:hooks", Value: "on=1"},
					Mode:              config.Plan,
					NotifyEmails:      []string{"ops@example.com"},
					LogLevel:          "DEBUG",
					LogRetentionDays:  7,
					ParameterPrefix:   "/platform/groups",
					AlarmTopicARN:     topic,
					HookRoleARNs:      []string{role},
					EventBus:          "platform",
					Drain: config.Drain{
						Hooks: "bye-*", DeadlineMinutes: 20, TargetGroups: []string{"admin", targets}, Command: "systemctl stop app\nsync",
						TagDocuments: []string{"AWS-RunShellScript", document}, CommandTimeoutMinutes: 2, OnRebalance: config.DrainToo, OnMaintenance: config.DrainToo,
					},
				}
			},
		},
		"the command line, which has only strings": {
			map[string]any{
				"deployhooks:sweepEveryMinutes": "1",
				"deployhooks:applications":      " shop, search ,",
				"deployhooks:logRetentionDays":  "3653",
			},
			func(h *config.Hooks) {
				h.SweepEveryMinutes = 1
				h.Applications = []string{"shop", "search"}
				h.LogRetentionDays = 3653
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tt.want(&want)
			got, err := config.Parse(tt.context)
			if err != nil {
				t.Fatalf("a good configuration is refused: %v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the stack is not what was configured (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		key   string
		value any
		// want are pieces of the message, besides the key and the value.
		want []string
	}{
		"a mode there is not":                          {"mode", "dry-run", []string{"apply or plan"}},
		"a mode in capitals":                           {"mode", "PLAN", []string{"apply or plan"}},
		"a mode that is no word":                       {"mode", true, []string{"not a string"}},
		"Go's word for an architecture":                {"architecture", "amd64", []string{"arm64 or x86_64"}},
		"no sweep at all":                              {"sweepEveryMinutes", 0.0, []string{"1 to 1440"}},
		"a sweep every other day":                      {"sweepEveryMinutes", "2880", []string{"1 to 1440"}},
		"half a minute":                                {"sweepEveryMinutes", 0.5, []string{"not a whole number"}},
		"a duration":                                   {"sweepEveryMinutes", "5m", []string{"not a whole number"}},
		"applications as an object":                    {"applications", map[string]any{"shop": true}, []string{"neither a list nor a string"}},
		"an application that is a number":              {"applications", []any{"shop", 7.0}, []string{"7 is not a string"}},
		"an application given twice":                   {"applications", "shop,shop", []string{`"shop" is given twice`}},
		"a pattern where names are wanted":             {"applications", "shop-*", []string{`"shop-*"`, "not a possible name"}},
		"a name with a comma in a list":                {"applications", []any{"shop,search"}, []string{"not a possible name"}},
		"a name that CodeDeploy cannot have":           {"applications", strings.Repeat("é", 101), []string{"longer than 100"}},
		"a pattern that never ends":                    {"deploymentGroups", "[a-", []string{"not a glob pattern"}},
		"a tag without a value":                        {"tag", "production", []string{"key=value"}},
		"a tag without a key":                          {"tag", "=on", []string{"a key of the wrong length"}},
		"a tag with a long value":                      {"tag", "a=" + strings.Repeat("x", 257), []string{"too long"}},
		"a tag that IAM would take for a variable":     {"tag", "team=${aws:username}", []string{"a character that tags cannot hold"}},
		"a tag that CodeDeploy cannot copy":            {"tag", "aws:cloudformation:stack-name=web", []string{"AWS's own"}},
		"an address with a name":                       {"notifyEmails", "Ops <ops@example.com>", []string{"not an e-mail address"}},
		"an address without a host":                    {"notifyEmails", "ops", []string{`"ops"`, "not an e-mail address"}},
		"a level that slog has and Lambda has not":     {"logLevel", "WARNING", []string{"DEBUG, INFO, WARN or ERROR"}},
		"a retention between two":                      {"logRetentionDays", 31.0, []string{"30, 60"}},
		"a relative parameter path":                    {"parameterPrefix", "deployhooks", []string{"begins with /"}},
		"a parameter path with a slash at its end":     {"parameterPrefix", "/deployhooks/", []string{"does not end with /"}},
		"a parameter path that is AWS's":               {"parameterPrefix", "/AWS/groups", []string{"neither /aws nor /ssm"}},
		"a parameter path too deep":                    {"parameterPrefix", strings.Repeat("/a", 11), []string{"at most 10 levels"}},
		"a topic's name instead of its ARN":            {"alarmTopicArn", "alarms", []string{"not the ARN of a standard SNS topic"}},
		"a FIFO topic, which alarms cannot go to":      {"alarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms.fifo", []string{"standard SNS topic"}},
		"a role that would pass on any role":           {"hookRoleArns", "arn:aws:iam::123456789012:role/*", []string{"not the ARN of an IAM role"}},
		"an event bus by ARN":                          {"eventBus", "arn:aws:events:eu-west-1:123456789012:event-bus/x", []string{"not the name of an event bus"}},
		"no drain at all":                              {"drainDeadlineMinutes", 0.0, []string{"1 to 2880"}},
		"a deadline that no lifecycle action reaches":  {"drainDeadlineMinutes", "2881", []string{"1 to 2880"}},
		"a pattern of hooks that never ends":           {"drainHooks", "[a-", []string{"not a glob pattern"}},
		"a load balancer for a target group":           {"drainTargetGroups", "app/web/0123456789abcdef", []string{"neither the name nor the ARN of a target group"}},
		"a command of spaces":                          {"drainCommand", "  ", []string{"empty"}},
		"a program for a command":                      {"drainCommand", strings.Repeat("x", 1001), []string{"too long", "drainDocument"}},
		"any document of an account":                   {"drainDocument", "arn:aws:ssm:eu-west-1:123456789012:document/*", []string{"SSM document"}},
		"any document by tag":                          {"drainTagDocuments", "*", []string{"SSM document"}},
		"a command as long as a lifecycle action":      {"drainCommandTimeoutMinutes", 121.0, []string{"1 to 120"}},
		"a response there is not":                      {"onRebalance", "replace", []string{"notice or drain"}},
		"applications from a variable that is not set": {"applications", "", []string{"empty"}},
		"applications from two such variables":         {"applications", ", ", []string{"empty"}},
		"a list of nothing but nothing":                {"applications", []any{""}, []string{"empty"}},
		"a pattern from a variable that is not set":    {"deploymentGroups", "", []string{"empty"}},
		"a mode from a variable that is not set":       {"mode", "", []string{"empty", "apply or plan"}},
		"a key with a typing mistake":                  {"sweepEveryMinute", 5.0, []string{"unknown", "deployhooks:sweepEveryMinutes"}},
		"a key in the wrong case":                      {"Mode", "plan", []string{"unknown", "deployhooks:mode"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse(map[string]any{"deployhooks:" + tt.key: tt.value})
			if err == nil {
				t.Fatalf("%s=%v is taken, and fails in the deployment or, worse, after it", tt.key, tt.value)
			}
			for _, piece := range append(tt.want, "deployhooks:"+tt.key) {
				if !strings.Contains(err.Error(), piece) {
					t.Errorf("the message leaves out %q, which a person needs to mend it: %v", piece, err)
				}
			}
			if s, ok := tt.value.(string); ok && !strings.Contains(err.Error(), s) {
				t.Errorf("the message does not say what was given: %v", err)
			}
		})
	}
}

func TestParseRefusesTwoCommands(t *testing.T) {
	_, err := config.Parse(map[string]any{"deployhooks:drainCommand": "true", "deployhooks:drainDocument": "stop-app"})
	if err == nil || !strings.Contains(err.Error(), "deployhooks:drainCommand") || !strings.Contains(err.Error(), "deployhooks:drainDocument") {
		t.Errorf("one of two commands is left out without a word: %v", err)
	}
}

func TestParseNamesEveryFaultAtOnce(t *testing.T) {
	_, err := config.Parse(map[string]any{
		"deployhooks:mode":             "off",
		"deployhooks:logRetentionDays": 2.0,
		"deployhooks":                  map[string]any{"mode": "plan"},
		"deployhooks.mode":             "plan",
	})
	if err == nil {
		t.Fatal("four faults, and the configuration is taken")
	}
	for _, key := range []string{"deployhooks:mode:", "deployhooks:logRetentionDays:", "context key deployhooks:", "context key deployhooks.mode:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named, so that mending takes a round for each fault:\n%v", key, err)
		}
	}
}

// A key of ours without its prefix does nothing, and what it was meant to
// prevent happens.
func TestParseRefusesKeysWithoutThePrefix(t *testing.T) {
	for _, s := range config.Settings() {
		for _, key := range []string{s.Key, strings.ToUpper(s.Key), strings.ToLower(s.Key), "DeployHooks:" + s.Key, "deployhook:" + s.Key} {
			_, err := config.Parse(map[string]any{key: "plan"})
			if err == nil {
				t.Errorf("-c %s=plan is taken and left in the air: with the mode, the function changes what it was only to look at", key)
				continue
			}
			for _, piece := range []string{"context key " + key + ":", config.Prefix + s.Key} {
				if !strings.Contains(err.Error(), piece) {
					t.Errorf("-c %s=plan: the message leaves out %q: %v", key, piece, err)
				}
			}
		}
	}
}

// Every value is refused when it is empty, whatever the key.
func TestParseRefusesEmptyValues(t *testing.T) {
	for _, s := range config.Settings() {
		if _, err := config.Parse(map[string]any{config.Prefix + s.Key: ""}); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("an empty %s, as an unset variable of the shell leaves it, is answered with %v", s.Key, err)
		}
	}
}

// Every key is documented, and documented defaults are the real ones.
func TestSettings(t *testing.T) {
	context := map[string]any{}
	for _, s := range config.Settings() {
		if s.Key == "" || s.Allowed == "" || s.Purpose == "" {
			t.Errorf("setting %+v leaves people guessing", s)
		}
		if s.Default != "" {
			context[config.Prefix+s.Key] = s.Default
		}
	}
	got, err := config.Parse(context)
	if err != nil {
		t.Fatalf("the documented defaults are refused: %v", err)
	}
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("the documented defaults are not those in force (-want +got):\n%s", diff)
	}
}
