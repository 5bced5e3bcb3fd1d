package repair

import (
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
)

func TestConfigFromTheEnvironment(t *testing.T) {
	required := map[string]string{"QUEUE_URL": "https://queue", "TABLE": "records"}
	for story, c := range map[string]struct {
		set  map[string]string
		want string // part of the error; empty for none
	}{
		"the least there can be":     {},
		"everything":                 {set: map[string]string{"APPLICATIONS": "shop,bank", "DEPLOYMENT_GROUPS": "web-*", "TAG": "team=shop", "MODE": "plan"}},
		"empty means all":            {set: map[string]string{"APPLICATIONS": "", "DEPLOYMENT_GROUPS": "", "TAG": ""}},
		"a mode that does not exist": {set: map[string]string{"MODE": "try"}, want: `give "apply" or "plan"`},
		"a pattern that is broken":   {set: map[string]string{"DEPLOYMENT_GROUPS": "web-["}, want: "use * for any characters"},
		"a tag without a value":      {set: map[string]string{"TAG": "team"}, want: "give it as key=value"},
		"no table":                   {set: map[string]string{"TABLE": ""}, want: "TABLE"},
	} {
		t.Run(story, func(t *testing.T) {
			environment := map[string]string{}
			for _, vars := range []map[string]string{required, c.set} {
				for k, v := range vars {
					environment[k] = v
				}
			}
			_, err := env.ParseAsWithOptions[Config](env.Options{Environment: environment})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
}

func TestScopeCovers(t *testing.T) {
	for story, c := range map[string]struct {
		scope Scope
		key   Key
		want  bool
	}{
		"everything":                    {Scope{}, Key{"shop", "web"}, true},
		"one application":               {Scope{Applications: []string{"shop"}}, Key{"shop", "web"}, true},
		"another application":           {Scope{Applications: []string{"shop"}}, Key{"bank", "web"}, false},
		"a pattern that matches":        {Scope{DeploymentGroups: "web-*"}, Key{"shop", "web-eu"}, true},
		"a pattern that does not match": {Scope{DeploymentGroups: "web-*"}, Key{"shop", "api"}, false},
		"a star reaches over slashes":   {Scope{DeploymentGroups: "web*"}, Key{"shop", "web/eu/1"}, true},
	} {
		if got := c.scope.covers(c.key); got != c.want {
			t.Errorf("%s: covers %s is %t", story, c.key, got)
		}
	}
}

func TestParameterName(t *testing.T) {
	for key, want := range map[Key]string{
		{"shop", "web_eu-1.b"}: "/hooks/shop/web_eu-1.b/auto-scaling-group",
		{"shop", "web/eu"}:     "/hooks/shop/web-eu-a88adf66/auto-scaling-group",
		{"shop", "wéb"}:        "/hooks/shop/w-b-67048b14/auto-scaling-group",
	} {
		if got := ParameterName("/hooks/", key); got != want {
			t.Errorf("%s is published as %s, want %s", key, got, want)
		}
	}
}
