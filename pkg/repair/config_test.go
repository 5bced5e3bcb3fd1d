package repair

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
)

func TestConfigFromTheEnvironment(t *testing.T) {
	required := map[string]string{"QUEUE_URL": "https://queue", "TABLE": "records"}
	for name, c := range map[string]struct {
		set  map[string]string
		want string // part of the error; empty for none
	}{
		"the least there can be": {},
		"everything": {set: map[string]string{"APPLICATIONS": `["shop","a,b"]`, "DEPLOYMENT_GROUPS": "web-*", "TAG": "team=shop", "MODE": "plan",
			"ATTACH_DURING_TERMINATION_WAIT": "true", "INSTANCES_WITHOUT_REVISION": "standby", "BLUE_GROUP_THAT_STAYS": "detach", "ACCOUNT": "123456789012"}},
		"empty means all":               {set: map[string]string{"APPLICATIONS": "", "DEPLOYMENT_GROUPS": "", "TAG": ""}},
		"a mode that does not exist":    {set: map[string]string{"MODE": "try"}, want: `give one of ["apply" "plan"]`},
		"a choice that does not exist":  {set: map[string]string{"INSTANCES_WITHOUT_REVISION": "kill"}, want: "standby"},
		"a blue group's choice":         {set: map[string]string{"BLUE_GROUP_THAT_STAYS": "delete"}, want: "detach"},
		"applications that are no JSON": {set: map[string]string{"APPLICATIONS": "shop,bank"}, want: "JSON array"},
		"a pattern that is broken":      {set: map[string]string{"DEPLOYMENT_GROUPS": "web-["}, want: "use * for any characters"},
		"a tag without a value":         {set: map[string]string{"TAG": "team"}, want: "give it as key=value"},
		"no table":                      {set: map[string]string{"TABLE": ""}, want: "TABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{}
			for _, vars := range []map[string]string{required, c.set} {
				for k, v := range vars {
					environment[k] = v
				}
			}
			cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: environment})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
			if name == "everything" && (len(cfg.Applications) != 2 || cfg.InstancesWithoutRevision != PutOnStandby || cfg.BlueGroupThatStays != Detach || !cfg.AttachDuringTerminationWait || cfg.Account == "") {
				t.Errorf("the environment is not heeded: %+v", cfg)
			}
		})
	}
}

func TestScopeCovers(t *testing.T) {
	for name, c := range map[string]struct {
		scope Scope
		key   Key
		want  bool
	}{
		"everything":                    {Scope{}, Key{"shop", "web"}, true},
		"one application":               {Scope{Applications: Names{"shop"}}, Key{"shop", "web"}, true},
		"another application":           {Scope{Applications: Names{"shop"}}, Key{"bank", "web"}, false},
		"a pattern that matches":        {Scope{DeploymentGroups: "web-*"}, Key{"shop", "web-eu"}, true},
		"a pattern that does not match": {Scope{DeploymentGroups: "web-*"}, Key{"shop", "api"}, false},
		"a star reaches over slashes":   {Scope{DeploymentGroups: "web*"}, Key{"shop", "web/eu/1"}, true},
	} {
		if got := c.scope.covers(c.key); got != c.want {
			t.Errorf("%s: covers %s is %t", name, c.key, got)
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

// TestQuote holds that a name in a command is one word, whatever it holds.
func TestQuote(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for _, name := range []string{"web", "", `x'; touch /tmp/y; '`, `x"$(id)"`, "x`id`", `back\slash`, "100%d", "a\nb", "a'b\tc\nd%s\\n", "wéb\n", "end\n\n"} {
		out, err := exec.Command(shell, "-c", "printf '<%s>' "+quote(name)).Output()
		if err != nil || string(out) != "<"+name+">" {
			t.Errorf("%q is quoted as %s, which is %q: %v", name, quote(name), out, err)
		}
	}
}
