package drain

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
)

func TestConfigFromTheEnvironment(t *testing.T) {
	least := Config{QueueURL: "https://queue", Table: "drains", Hooks: "deployhooks-*", CommandTimeout: 5 * time.Minute, OnRebalance: TellPeople, OnMaintenance: TellPeople}
	with := func(change func(*Config)) Config {
		c := least
		change(&c)
		return c
	}
	for story, c := range map[string]struct {
		set   map[string]string
		want  Config
		fault string // part of the error; empty for none
	}{
		"the least there can be": {want: least},
		"everything": {
			set: map[string]string{
				"HOOKS": "drain-?", "DEADLINE": "20m", "TARGET_GROUPS": "web,arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/side/0002",
				"COMMAND": "systemctl stop shop", "COMMAND_TIMEOUT": "90s", "ON_REBALANCE": "drain", "ON_MAINTENANCE": "drain",
			},
			want: with(func(c *Config) {
				c.Hooks, c.Deadline, c.TargetGroups = "drain-?", 20*time.Minute, []string{"web", sideARN}
				c.Command, c.CommandTimeout, c.OnRebalance, c.OnMaintenance = "systemctl stop shop", 90*time.Second, DrainToo, DrainToo
			}),
		},
		"what the stack leaves empty":    {set: map[string]string{"DEADLINE": "0m", "TARGET_GROUPS": "", "COMMAND": "", "DOCUMENT": ""}, want: least},
		"a response that does not exist": {set: map[string]string{"ON_REBALANCE": "panic"}, fault: `give "notice" or "drain"`},
		"a pattern that is broken":       {set: map[string]string{"HOOKS": "deployhooks-["}, fault: "use * for any characters"},
		"a deadline without a unit":      {set: map[string]string{"DEADLINE": "20"}, fault: "unit"},
		"no queue":                       {set: map[string]string{"QUEUE_URL": ""}, fault: "QUEUE_URL"},
	} {
		t.Run(story, func(t *testing.T) {
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

// TestShutdown holds which command goes before which.
func TestShutdown(t *testing.T) {
	both := Config{Command: "stop", Document: "Stop-Shop"}
	for story, c := range map[string]struct {
		cfg  Config
		tags map[string]string
		want shutdown
	}{
		"none":                                {},
		"shell lines":                         {cfg: Config{Command: "stop"}, want: shutdown{shellDocument, "stop"}},
		"a document goes before shell lines":  {cfg: both, want: shutdown{Document: "Stop-Shop"}},
		"the group's tag goes before both":    {cfg: both, tags: map[string]string{CommandTag: "halt"}, want: shutdown{shellDocument, "halt"}},
		"the group's tag may name a document": {cfg: both, tags: map[string]string{CommandTag: "document:Halt-Shop"}, want: shutdown{Document: "Halt-Shop"}},
	} {
		if got := c.cfg.shutdown(c.tags); got != c.want {
			t.Errorf("%s: %+v, want %+v", story, got, c.want)
		}
	}
}
