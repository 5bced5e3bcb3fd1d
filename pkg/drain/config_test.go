package drain

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/invoke"
)

func TestConfigFromTheEnvironment(t *testing.T) {
	least := Config{QueueURL: "https://queue", Table: "drains", Mode: Apply, Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute,
		OnSpotInterruption: Respond, OnStateChange: Off, OnRebalance: Notify, OnMaintenance: Notify,
		NetworkTargetWait: 2 * time.Minute, ReleasesPerSecond: 8, SweepInterval: time.Minute}
	with := func(change func(*Config)) Config {
		c := least
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		set   map[string]string
		want  Config
		fault string // part of the error; empty for none
	}{
		"the least there can be": {want: least},
		"everything": {
			set: map[string]string{
				"MODE": "plan", "HOOKS": "drain-?", "TAG": "team=a=b", "DEADLINE": "20m", "TARGET_GROUPS": "web,side", "FIND_TARGET_GROUPS": "true",
				"COMMAND": "systemctl stop shop", "TAG_DOCUMENTS": "stop-app,AWS-RunShellScript", "COMMAND_TIMEOUT": "90s", "ON_SPOT_INTERRUPTION": "off", "ON_STATE_CHANGE": "drain",
				"ON_REBALANCE": "drain", "ON_MAINTENANCE": "drain", "NETWORK_TARGET_WAIT": "0s", "RELEASES_PER_SECOND": "20", "ACCOUNT": "123456789012",
			},
			want: with(func(c *Config) {
				c.Mode, c.Hooks, c.Tag, c.Deadline, c.TargetGroups, c.FindTargetGroups = PlanOnly, "drain-?", Tag{"team", "a=b"}, 20*time.Minute, []string{"web", "side"}, true
				c.Command, c.TagDocuments, c.CommandTimeout = "systemctl stop shop", []string{"stop-app", shellDocument}, 90*time.Second
				c.OnSpotInterruption, c.OnStateChange, c.OnRebalance, c.OnMaintenance = Off, Respond, Respond, Respond
				c.NetworkTargetWait, c.ReleasesPerSecond, c.Home = 0, 20, invoke.Home{Account: "123456789012"}
			}),
		},
		"what the stack leaves empty":    {set: map[string]string{"DEADLINE": "0m", "TARGET_GROUPS": "", "COMMAND": "", "DOCUMENT": "", "TAG": ""}, want: least},
		"a response that does not exist": {set: map[string]string{"ON_REBALANCE": "panic"}, fault: `"panic" is not one of`},
		"a mode that does not exist":     {set: map[string]string{"MODE": "Plan"}, fault: `"Plan" is not one of`},
		"a tag without a value":          {set: map[string]string{"TAG": "team"}, fault: "give key=value"},
		"a pattern that is broken":       {set: map[string]string{"HOOKS": "deployhooks-["}, fault: "use * for any characters"},
		"a deadline without a unit":      {set: map[string]string{"DEADLINE": "20"}, fault: "unit"},
		"no queue":                       {set: map[string]string{"QUEUE_URL": ""}, fault: "QUEUE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{"QUEUE_URL": "https://queue", "TABLE": "drains"}
			for k, v := range c.set {
				environment[k] = v
			}
			got, err := env.ParseAsWithOptions[Config](env.Options{Environment: environment})
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Fatalf("failed with %v, want …%s…", err, c.fault)
			}
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestShutdown holds which command takes precedence, and what a tag may choose.
func TestShutdown(t *testing.T) {
	both := Config{Command: "stop", Document: "Stop-Shop", TagDocuments: []string{"Halt-Shop", ""}}
	shell := Config{Command: "stop", TagDocuments: []string{shellDocument}}
	for name, c := range map[string]struct {
		cfg    Config
		tag    string
		want   Shutdown
		faults int
	}{
		"none":                                 {},
		"shell commands":                       {cfg: Config{Command: "stop"}, want: Shutdown{shellDocument, "stop"}},
		"a document before shell commands":     {cfg: both, want: Shutdown{Document: "Stop-Shop"}},
		"the group's tag before both":          {cfg: shell, tag: "halt", want: Shutdown{shellDocument, "halt"}},
		"a document by tag":                    {cfg: both, tag: "document:Halt-Shop", want: Shutdown{Document: "Halt-Shop"}},
		"a document that is not allowed":       {cfg: both, tag: "document:Other", want: Shutdown{Document: "Stop-Shop"}, faults: 1},
		"shell commands that are not allowed":  {cfg: both, tag: "halt", want: Shutdown{Document: "Stop-Shop"}, faults: 1},
		"nothing configured, nothing allowed":  {tag: "curl x | sh", faults: 1},
		"no document at all":                   {cfg: both, tag: "document:", want: Shutdown{Document: "Stop-Shop"}, faults: 1},
		"the shell document without any lines": {cfg: shell, tag: "document:" + shellDocument, want: Shutdown{Document: shellDocument}},
	} {
		tags := map[string]string{}
		if c.tag != "" {
			tags[CommandTag] = c.tag
		}
		if got := c.cfg.settings(tags); got.Shutdown != c.want || len(got.Faults) != c.faults {
			t.Errorf("%s: %+v, want %+v and %d faults: who may tag a group decides what runs on its instances", name, got, c.want, c.faults)
		}
	}
}

func TestTagsOfAGroup(t *testing.T) {
	cfg := Config{Deadline: time.Hour, CommandTimeout: time.Minute, OnRebalance: Notify}
	for name, c := range map[string]struct {
		key, value string
		deadline   time.Duration
		faults     int
	}{
		"none":                {deadline: time.Hour},
		"a deadline":          {key: DeadlineTag, value: "7", deadline: 7 * time.Minute},
		"the longest":         {key: DeadlineTag, value: "2880", deadline: 48 * time.Hour},
		"longer than actions": {key: DeadlineTag, value: "2881", deadline: time.Hour, faults: 1},
		"none at all":         {key: DeadlineTag, value: "0", deadline: time.Hour, faults: 1},
		"with a unit":         {key: DeadlineTag, value: "7m", deadline: time.Hour, faults: 1},
		"a command timeout":   {key: CommandTimeoutTag, value: "x", deadline: time.Hour, faults: 1},
		"a response":          {key: RebalanceTag, value: "off", deadline: time.Hour, faults: 1},
	} {
		if got := cfg.settings(map[string]string{c.key: c.value}); got.Deadline != c.deadline || len(got.Faults) != c.faults || got.CommandTimeout != time.Minute {
			t.Errorf("%s: %+v, want %s and %d faults", name, got, c.deadline, c.faults)
		}
	}
}

func TestScope(t *testing.T) {
	group := func(tags map[string]string) *fleet.AutoScalingGroup { return &fleet.AutoScalingGroup{Tags: tags} }
	cfg := Config{Tag: Tag{"team", "web"}}
	if cfg.inScope(group(map[string]string{"team": "jobs"})) || cfg.inScope(group(nil)) || !cfg.inScope(group(map[string]string{"team": "web"})) || !cfg.inScope(nil) || !(Config{}).inScope(group(nil)) {
		t.Error("another team's instances are drained, or ours are not")
	}
	if optedOut(nil) || optedOut(group(map[string]string{OptOutTag: "on"})) || !optedOut(group(map[string]string{OptOutTag: "off"})) {
		t.Error("a group that opted out is drained, or another is not")
	}
}
