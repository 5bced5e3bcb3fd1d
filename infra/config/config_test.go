package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
)

// defaults are what a stack gets that nobody has configured.
func defaults() config.Hooks {
	return config.Hooks{
		Repair: config.Repair{
			Mode: config.Apply, SweepMinutes: 5, ParameterPrefix: "/deployhooks",
			InstancesWithoutRevision: config.NotifyOfInstances, BlueGroupThatStays: config.NotifyOfBlueGroup,
		},
		Drain: config.Drain{
			Mode: config.Apply, SweepMinutes: 1, ShortestHookSeconds: 300, Hooks: "deployhooks-*",
			NetworkTargetWaitSeconds: 120, ReleasesPerSecond: 8, CommandTimeoutMinutes: 5,
			OnSpotInterruption: config.DrainInstance, OnStateChange: config.Off, OnRebalance: config.Notify, OnMaintenance: config.Notify,
		},
		Tenants:  config.Tenants{RemovalDelayHours: 24},
		EventBus: "default", LogLevel: "INFO", LogRetentionDays: 30, Architecture: config.ARM64,
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
		"keys of others that resemble ours from afar": {
			map[string]any{"deployRoleArn": "x", "deployment:mode": "x", "myapp:mode": "x", "myapp:tag": "x"},
			func(*config.Hooks) {},
		},
		"a null, or an empty list in cdk.json, means the default": {
			map[string]any{"deployhooks:repairMode": nil, "deployhooks:repairSweepMinutes": nil, "deployhooks:applications": []any{}},
			func(*config.Hooks) {},
		},
		"everything, as cdk.json has it": {
			map[string]any{
				"deployhooks:repairMode":                  "plan",
				"deployhooks:repairSweepMinutes":          15.0,
				"deployhooks:applications":                []any{"shop", "búsqueda", "team/search_2", "north, south"},
				"deployhooks:deploymentGroups":            "*-production",
				"deployhooks:repairTag":                   "deploy:hooks=on=1",
				"deployhooks:attachDuringTerminationWait": true,
				"deployhooks:instancesWithoutRevision":    "standby",
				"deployhooks:blueGroupThatStays":          "detach",
				"deployhooks:hookRoleArns":                []any{role},
				"deployhooks:parameterPrefix":             "/platform/groups",
				"deployhooks:baselineTable":               "deployhooks-baselines",

				"deployhooks:drainMode":                  "plan",
				"deployhooks:drainSweepMinutes":          2.0,
				"deployhooks:drainShortestHookSeconds":   600.0,
				"deployhooks:drainHooks":                 "bye-*",
				"deployhooks:drainTag":                   "drain=on",
				"deployhooks:drainDeadlineMinutes":       20.0,
				"deployhooks:drainTargetGroups":          []any{"admin", targets},
				"deployhooks:drainFindTargetGroups":      true,
				"deployhooks:networkTargetWaitSeconds":   60.0,
				"deployhooks:drainReleasesPerSecond":     20.0,
				"deployhooks:drainCommand":               "systemctl stop app\nsync",
				"deployhooks:drainTagDocuments":          []any{"AWS-RunShellScript", document},
				"deployhooks:drainCommandTimeoutMinutes": 2.0,
				"deployhooks:onSpotInterruption":         "off",
				"deployhooks:onStateChange":              "drain",
				"deployhooks:onRebalance":                "drain",
				"deployhooks:onMaintenance":              "drain",

				"deployhooks:notifyEmails":     []any{"ops@example.com"},
				"deployhooks:alarmTopicArn":    topic,
				"deployhooks:eventBus":         "platform",
				"deployhooks:acceptEventsFrom": []any{"210987654321/us-gov-east-1"},
				"deployhooks:centralEventBus":  "arn:aws-us-gov:events:us-gov-east-1:210987654321:event-bus/central",
				"deployhooks:assetBucket":      "acme-deployhooks",
				"deployhooks:logLevel":         "DEBUG",
				"deployhooks:logRetentionDays": 7.0,
				"deployhooks:architecture":     "x86_64",
			},
			func(h *config.Hooks) {
				*h = config.Hooks{
					Tenants: config.Tenants{RemovalDelayHours: 24},
					Repair: config.Repair{
						Mode: config.Plan, SweepMinutes: 15,
						Applications: []string{"shop", "búsqueda", "team/search_2", "north, south"}, DeploymentGroups: "*-production",
						Tag: config.Tag{Key: "deploy:hooks", Value: "on=1"}, AttachDuringTerminationWait: true,
						InstancesWithoutRevision: config.StandbyInstances, BlueGroupThatStays: config.DetachBlueGroup,
						HookRoleARNs: []string{role}, ParameterPrefix: "/platform/groups", BaselineTable: "deployhooks-baselines",
					},
					Drain: config.Drain{
						Mode: config.Plan, SweepMinutes: 2, ShortestHookSeconds: 600, Hooks: "bye-*", Tag: config.Tag{Key: "drain", Value: "on"},
						DeadlineMinutes: 20, TargetGroups: []string{"admin", targets}, FindTargetGroups: true, NetworkTargetWaitSeconds: 60,
						ReleasesPerSecond: 20, Command: "systemctl stop app\nsync", TagDocuments: []string{"AWS-RunShellScript", document}, CommandTimeoutMinutes: 2,
						OnSpotInterruption: config.Off, OnStateChange: config.DrainInstance, OnRebalance: config.DrainInstance, OnMaintenance: config.DrainInstance,
					},
					NotifyEmails: []string{"ops@example.com"}, AlarmTopicARN: topic, EventBus: "platform", AcceptEventsFrom: []string{"210987654321/us-gov-east-1"},
					CentralEventBus: "arn:aws-us-gov:events:us-gov-east-1:210987654321:event-bus/central", AssetBucket: "acme-deployhooks",
					LogLevel: "DEBUG", LogRetentionDays: 7, Architecture: config.X86_64,
				}
			},
		},
		"the command line, which has only strings": {
			map[string]any{
				"deployhooks:repairSweepMinutes":    "1",
				"deployhooks:applications":          "shop,search",
				"deployhooks:drainFindTargetGroups": "true",
				"deployhooks:logRetentionDays":      "3653",
			},
			func(h *config.Hooks) {
				h.Repair.SweepMinutes = 1
				h.Repair.Applications = []string{"shop", "search"}
				h.Drain.FindTargetGroups = true
				h.LogRetentionDays = 3653
			},
		},
		"a shell test, which is no list": {
			map[string]any{"deployhooks:drainCommand": "[ -e /etc/app ] && systemctl stop app"},
			func(h *config.Hooks) { h.Drain.Command = "[ -e /etc/app ] && systemctl stop app" },
		},
		"a pattern that begins with a class of characters": {
			map[string]any{"deployhooks:deploymentGroups": "[ab]*"},
			func(h *config.Hooks) { h.Repair.DeploymentGroups = "[ab]*" },
		},
		"a sweep that comes just twice in the shortest hook": {
			map[string]any{"deployhooks:drainSweepMinutes": 2.0, "deployhooks:drainShortestHookSeconds": 240.0},
			func(h *config.Hooks) { h.Drain.SweepMinutes, h.Drain.ShortestHookSeconds = 2, 240 },
		},
		"the central stack for an account and an organization": {
			map[string]any{"deployhooks:central": []any{"210987654321", "o-a1b2c3d4e5"}},
			func(h *config.Hooks) { h.Central = []string{"210987654321", "o-a1b2c3d4e5"} },
		},
		"a short deadline where no command runs": {
			map[string]any{"deployhooks:drainDeadlineMinutes": 2.0},
			func(h *config.Hooks) { h.Drain.DeadlineMinutes = 2 },
		},
		"a deadline as long as the command": {
			map[string]any{"deployhooks:drainDeadlineMinutes": 5.0, "deployhooks:drainCommand": "sync"},
			func(h *config.Hooks) { h.Drain.DeadlineMinutes, h.Drain.Command = 5, "sync" },
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
		"a mode there is not":                        {"repairMode", "dry-run", []string{"apply or plan"}},
		"a mode in capitals":                         {"drainMode", "PLAN", []string{"apply or plan"}},
		"a mode that is no word":                     {"repairMode", true, []string{"not a string"}},
		"Go's word for an architecture":              {"architecture", "amd64", []string{"arm64 or x86_64"}},
		"no sweep at all":                            {"repairSweepMinutes", 0.0, []string{"1 to 1440"}},
		"a sweep every other day":                    {"repairSweepMinutes", "2880", []string{"1 to 1440"}},
		"a sweep of drain every other hour":          {"drainSweepMinutes", 61.0, []string{"1 to 60"}},
		"half a minute":                              {"repairSweepMinutes", 0.5, []string{"not a whole number"}},
		"a duration":                                 {"drainSweepMinutes", "5m", []string{"not a whole number"}},
		"a hook shorter than Auto Scaling has":       {"drainShortestHookSeconds", 29.0, []string{"30 to 7200"}},
		"a word for a yes":                           {"attachDuringTerminationWait", "yes", []string{"true or false"}},
		"a number for a yes":                         {"drainFindTargetGroups", 1.0, []string{"true or false"}},
		"a response to instances that there is not":  {"instancesWithoutRevision", "terminate", []string{"notify, standby or replace"}},
		"a response to a blue group that is not":     {"blueGroupThatStays", "delete", []string{"notify or detach"}},
		"applications as an object":                  {"applications", map[string]any{"shop": true}, []string{"neither a list nor a string"}},
		"an application that is a number":            {"applications", []any{"shop", 7.0}, []string{"7 is not a string"}},
		"an application given twice":                 {"applications", "shop,shop", []string{`"shop" is given twice`}},
		"a list as JSON in a string":                 {"applications", `["shop","search"]`, []string{"JSON inside a string", "separated by commas"}},
		"a pattern where names are wanted":           {"applications", "shop-*", []string{`"shop-*"`, "not a possible name"}},
		"a name that ends its line":                  {"applications", []any{"sh\nop"}, []string{"not a possible name"}},
		"a name that CodeDeploy cannot have":         {"applications", strings.Repeat("é", 101), []string{"longer than 100"}},
		"a space after a comma":                      {"applications", "shop, search", []string{`" search"`, "spaces"}},
		"a space in front of a name in a list":       {"applications", []any{" shop"}, []string{`" shop"`, "spaces"}},
		"a comma too many":                           {"applications", "shop,", []string{"empty", "comma"}},
		"a space after a mode":                       {"repairMode", "plan ", []string{"spaces"}},
		"a pattern that never ends":                  {"deploymentGroups", "[a-", []string{"not a glob pattern"}},
		"a tag without a value":                      {"repairTag", "production", []string{"key=value"}},
		"a tag without a key":                        {"drainTag", "=on", []string{"a key of the wrong length"}},
		"a tag with a long value":                    {"repairTag", "a=" + strings.Repeat("x", 257), []string{"too long"}},
		"a tag that IAM would take for a variable":   {"repairTag", "team=${aws:username}", []string{"a character that tags cannot hold"}},
		"a tag that CodeDeploy cannot copy":          {"drainTag", "aws:cloudformation:stack-name=web", []string{"AWS's own"}},
		"an address with a name":                     {"notifyEmails", "Ops <ops@example.com>", []string{"not an e-mail address"}},
		"an address without a host":                  {"notifyEmails", "ops", []string{`"ops"`, "not an e-mail address"}},
		"a level that slog has and Lambda has not":   {"logLevel", "WARNING", []string{"DEBUG, INFO, WARN or ERROR"}},
		"a retention between two":                    {"logRetentionDays", 31.0, []string{"30, 60"}},
		"a relative parameter path":                  {"parameterPrefix", "deployhooks", []string{"begins with /"}},
		"a parameter path with a slash at its end":   {"parameterPrefix", "/deployhooks/", []string{"does not end with /"}},
		"a parameter path that is AWS's":             {"parameterPrefix", "/AWS/groups", []string{"neither /aws nor /ssm"}},
		"a parameter path too deep":                  {"parameterPrefix", strings.Repeat("/a", 11), []string{"at most 10 levels"}},
		"a path that leaves no room for names":       {"parameterPrefix", "/" + strings.Repeat("a", 500), []string{"500 characters"}},
		"a table by ARN":                             {"baselineTable", "arn:aws:dynamodb:eu-west-1:123456789012:table/x", []string{"table name"}},
		"a topic's name instead of its ARN":          {"alarmTopicArn", "alarms", []string{"not the ARN of a standard SNS topic"}},
		"a FIFO topic, which alarms cannot go to":    {"alarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms.fifo", []string{"standard SNS topic"}},
		"a role that would pass on any role":         {"hookRoleArns", "arn:aws:iam::123456789012:role/*", []string{"not the ARN of an IAM role"}},
		"an event bus by ARN":                        {"eventBus", "arn:aws:events:eu-west-1:123456789012:event-bus/x", []string{"not the name of an event bus"}},
		"a partner's event bus":                      {"eventBus", "aws.partner/example.com/x", []string{"not the name of an event bus"}},
		"events of an account without a region":      {"acceptEventsFrom", "123456789012", []string{"<account>/<region>"}},
		"an account that is too short":               {"central", "12345", []string{"neither the ID of an account"}},
		"everybody may send to the central stack":    {"central", "*", []string{"neither the ID of an account"}},
		"an organizational unit":                     {"central", "ou-ab12-cdefghij", []string{"such as o-a1b2c3d4e5"}},
		"the name of a central bus":                  {"centralEventBus", "deployhookscentral", []string{"not the ARN of an event bus"}},
		"a bucket with capitals":                     {"assetBucket", "Acme", []string{"3 to 40"}},
		"a bucket too long for its region":           {"assetBucket", strings.Repeat("a", 41), []string{"3 to 40"}},
		"events of every region":                     {"acceptEventsFrom", "123456789012/*", []string{"<account>/<region>"}},
		"no drain at all":                            {"drainDeadlineMinutes", 0.0, []string{"1 to 2880"}},
		"a deadline that no lifecycle action can be": {"drainDeadlineMinutes", "2881", []string{"1 to 2880"}},
		"a pattern of hooks that never ends":         {"drainHooks", "[a-", []string{"not a glob pattern"}},
		"a load balancer for a target group":         {"drainTargetGroups", "app/web/0123456789abcdef", []string{"neither the name nor the ARN of a target group"}},
		"a target group's name with a comma":         {"drainTargetGroups", []any{"web,admin"}, []string{"neither the name nor the ARN of a target group"}},
		"a wait of two hours":                        {"networkTargetWaitSeconds", 7200.0, []string{"0 to 3600"}},
		"no releases at all":                         {"drainReleasesPerSecond", 0.0, []string{"1 to 100"}},
		"a command of spaces":                        {"drainCommand", "  ", []string{"empty"}},
		"a program for a command":                    {"drainCommand", strings.Repeat("x", 1001), []string{"too long", "drainDocument"}},
		"any document of an account":                 {"drainDocument", "arn:aws:ssm:eu-west-1:123456789012:document/*", []string{"SSM document"}},
		"any document by tag":                        {"drainTagDocuments", "*", []string{"SSM document"}},
		"a command as long as a lifecycle action":    {"drainCommandTimeoutMinutes", 121.0, []string{"1 to 120"}},
		"a rebalance response that there is not":     {"onRebalance", "replace", []string{"notify or drain"}},
		"the word of an older version":               {"onMaintenance", "notice", []string{"notify or drain"}},
		"a mere notification of Spot interruptions":  {"onSpotInterruption", "notify", []string{"drain or off"}},
		"a mere notification of state changes":       {"onStateChange", "notify", []string{"drain or off"}},
		"applications from an unset variable":        {"applications", "", []string{"empty"}},
		"applications from two such variables":       {"applications", ",", []string{"empty"}},
		"a list of nothing but nothing":              {"applications", []any{""}, []string{"empty"}},
		"a pattern from an unset variable":           {"deploymentGroups", "", []string{"empty"}},
		"a mode from an unset variable":              {"repairMode", "", []string{"empty", "apply or plan"}},
		"a key with a typing mistake":                {"repairSweepMinute", 5.0, []string{"unknown", "write deployhooks:repairSweepMinutes"}},
		"a key in the wrong case":                    {"RepairMode", "plan", []string{"unknown", "write deployhooks:repairMode"}},
		"a key that there is not":                    {"colour", "blue", []string{"unknown", "known keys are: deployhooks:repairMode, "}},
		"the mode before there were two":             {"mode", "plan", []string{"renamed", "write deployhooks:repairMode and deployhooks:drainMode"}},
		"the sweep before there were two":            {"sweepEveryMinutes", 5.0, []string{"renamed", "write deployhooks:repairSweepMinutes and deployhooks:drainSweepMinutes"}},
		"the tag before there were two":              {"tag", "hooks=on", []string{"renamed", "write deployhooks:repairTag"}},
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
					t.Errorf("the message leaves out %q, which operators need to fix it: %v", piece, err)
				}
			}
			if held, _ := json.Marshal(tt.value); !strings.Contains(err.Error(), string(held)) {
				t.Errorf("the message does not say what the key holds: %v", err)
			}
		})
	}
}

// What does not fit together would be found in production: an instance that
// nobody drains, or a deployment that CloudFormation rolls back.
func TestParseRefusesConflicts(t *testing.T) {
	names := func(n, length int) (all []any) {
		for i := range n {
			all = append(all, fmt.Sprintf("%0*d", length, i))
		}
		return all
	}
	documents := names(60, 20)
	for name, tt := range map[string]struct {
		context map[string]any
		want    []string
	}{
		"two commands": {
			map[string]any{"drainCommand": "true", "drainDocument": "stop-app"},
			[]string{"deployhooks:drainCommand", "deployhooks:drainDocument", `"stop-app"`, "give one of them"},
		},
		"an environment, and the central stack instead": {
			map[string]any{"central": "111122223333", "environment": "production"}, []string{"deployhooks:central (111122223333)", `deployhooks:environment ("production")`},
		},
		"tenants, and the central stack instead": {
			map[string]any{"central": "111122223333", "blueprint": "acme"}, []string{"deployhooks:central (111122223333)", `deployhooks:blueprint ("acme")`},
		},
		"a bucket for programs that there are not": {
			map[string]any{"central": "111122223333", "assetBucket": "acme"}, []string{"deployhooks:central (111122223333)", `deployhooks:assetBucket ("acme")`, "no programs"},
		},
		"an environment for many accounts": {
			map[string]any{"environment": "production", "assetBucket": "acme"}, []string{`deployhooks:environment ("production")`, `deployhooks:assetBucket ("acme")`, "one account and region"},
		},
		"a sweep rarer than hooks last": {
			map[string]any{"drainSweepMinutes": 3.0},
			[]string{"deployhooks:drainSweepMinutes (3)", "deployhooks:drainShortestHookSeconds (300)", "360 s or more"},
		},
		"hooks too short for any sweep": {
			map[string]any{"drainShortestHookSeconds": "119"},
			[]string{"deployhooks:drainSweepMinutes (1)", "deployhooks:drainShortestHookSeconds (119)", "120 s or more"},
		},
		"a deadline before the command's end": {
			map[string]any{"drainDeadlineMinutes": 4.0, "drainCommand": "sync"},
			[]string{"deployhooks:drainDeadlineMinutes (4)", "deployhooks:drainCommandTimeoutMinutes (5)"},
		},
		"a deadline before the document's end": {
			map[string]any{"drainDeadlineMinutes": 4.0, "drainDocument": "stop-app"}, []string{"drainDeadlineMinutes (4)"},
		},
		"a deadline before the end of what a tag chooses": {
			map[string]any{"drainDeadlineMinutes": 4.0, "drainTagDocuments": "stop-app"}, []string{"drainDeadlineMinutes (4)"},
		},
		"more names than an event pattern takes": {
			map[string]any{"applications": names(20, 98)}, []string{"deployhooks:applications", "event pattern", "2048"},
		},
		"more names than a function's environment takes": {
			map[string]any{"applications": names(31, 98)}, []string{"environment of repair", "4096"},
		},
		"more names than an IAM statement takes": {
			map[string]any{"applications": names(60, 4)}, []string{"deployhooks:applications", "60 names", "IAM statement"},
		},
		"more target groups than an environment takes": {
			map[string]any{"drainTargetGroups": names(100, 31)}, []string{"environment of drain", "4096"},
		},
		"more documents than an IAM statement takes": {
			map[string]any{"drainTagDocuments": documents}, []string{"deployhooks:drainTagDocuments", "IAM statement"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			context := map[string]any{}
			for key, value := range tt.context {
				context[config.Prefix+key] = value
			}
			_, err := config.Parse(context)
			if err == nil {
				t.Fatal("it is taken, and fails in the deployment or, worse, after it")
			}
			for _, piece := range tt.want {
				if !strings.Contains(err.Error(), piece) {
					t.Errorf("the message leaves out %q, which operators need to fix it: %v", piece, err)
				}
			}
		})
	}
}

func TestParseNamesEveryFaultAtOnce(t *testing.T) {
	_, err := config.Parse(map[string]any{
		"deployhooks:repairMode":       "off",
		"deployhooks:logRetentionDays": 2.0,
		"deployhooks":                  map[string]any{"repairMode": "plan"},
		"deployhooks.repairMode":       "plan",
	})
	if err == nil {
		t.Fatal("four faults, and the configuration is taken")
	}
	for _, key := range []string{"key deployhooks:repairMode:", "key deployhooks:logRetentionDays:", `key "deployhooks":`, `key "deployhooks.repairMode":`} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named, so that fixing takes a round for each fault:\n%v", key, err)
		}
	}
}

// A key of ours that is misspelt, or without its prefix, does nothing, and what
// it was meant to prevent happens.
func TestParseRefusesKeysThatLookLikeOurs(t *testing.T) {
	for _, s := range config.Settings() {
		for _, key := range []string{
			s.Key, strings.ToUpper(s.Key), strings.ToLower(s.Key), " " + s.Key,
			"DeployHooks:" + s.Key, "Deployhooks:" + s.Key, "deployhook:" + s.Key, "deployhoks:" + s.Key, "depolyhooks:" + s.Key,
			"deploy-hooks:" + s.Key, "deploy_hooks:" + s.Key, "deployhooks." + s.Key, "deployhooks/" + s.Key, "deployhooks::" + s.Key,
			" deployhooks:" + s.Key, "deployhooks:" + s.Key + " ", "deployhooks: " + s.Key, "-deployhooks:" + s.Key,
		} {
			_, err := config.Parse(map[string]any{key: "plan"})
			if err == nil {
				t.Errorf("-c %q=plan is taken and has no effect: with a mode, the function changes what it was only to report", key)
				continue
			}
			for _, piece := range []string{fmt.Sprintf("context key %q:", key), `"plan"`, "write " + config.Prefix + s.Key} {
				if !strings.Contains(err.Error(), piece) {
					t.Errorf("-c %q=plan: the message leaves out %q: %v", key, piece, err)
				}
			}
		}
	}
}

// What an application passes to the construct is all meant for it.
func TestParseOwnRefusesEveryOtherKey(t *testing.T) {
	for _, key := range []string{"myapp:mode", "@aws-cdk/core:x", "repairMode"} {
		if _, err := config.ParseOwn(map[string]any{key: "plan"}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is given to the construct, has no effect, and the answer is %v", key, err)
		}
	}
	got, err := config.ParseOwn(map[string]any{"deployhooks:repairMode": "plan"})
	if err != nil || got.Repair.Mode != config.Plan {
		t.Errorf("a good setting is not taken: %+v, %v", got, err)
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

// The functions read these forms; a name with a comma must not become two.
func TestEnvironmentKeepsNamesWhole(t *testing.T) {
	h, err := config.Parse(map[string]any{"deployhooks:applications": []any{"north, south", `a"b`}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal([]byte(h.RepairEnvironment()["APPLICATIONS"]), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"north, south", `a"b`}, got); diff != "" {
		t.Errorf("other applications are in scope than configured (-want +got):\n%s", diff)
	}
}

// Every key is documented, and documented defaults are the real ones.
func TestSettings(t *testing.T) {
	context := map[string]any{}
	for _, s := range config.Settings() {
		if s.Key == "" || s.Allowed == "" || s.Purpose == "" {
			t.Errorf("setting %+v is not documented", s)
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
