package deploymentgroup

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// good are properties as CloudFormation writes them.
func good() map[string]any {
	return map[string]any{
		"ServiceToken": "arn", "ServiceTimeout": "3600", "ApplicationName": "shop", "DeploymentGroupName": "web", "ServiceRoleArn": "arn:aws:iam::123456789012:role/codedeploy",
		"AutoScalingGroup": "seed", "TargetGroups": []string{"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1a2b"},
		"LaunchTemplateId": "lt-0a1b2c3d4e5f60718", "LaunchTemplateVersion": "7", "MinSize": "2", "MaxSize": "4",
	}
}

func TestPropertiesAtFault(t *testing.T) {
	for property, c := range map[string]struct {
		value any
		want  string
	}{
		"ApplicationName":        {"a/b", `ApplicationName: "a/b"; give 1 to 100 characters without a slash`},
		"DeploymentGroupName":    {nil, "DeploymentGroupName: missing; give 1 to 100 characters without a slash"},
		"ServiceRoleArn":         {"codedeploy", `ServiceRoleArn: "codedeploy"; give the ARN of a role`},
		"AutoScalingGroup":       {"", `AutoScalingGroup: ""; give the name of an Auto Scaling group`},
		"TargetGroups":           {[]string{"web"}, `TargetGroups: "web"; give the ARN of a target group`},
		"LaunchTemplateId":       {"web", `LaunchTemplateId: "web"; give the ID of a launch template, such as lt-0a1b2c3d4e5f60718`},
		"LaunchTemplateVersion":  {"$Default", `LaunchTemplateVersion: "$Default"; give a version number, such as the LatestVersionNumber of the launch template`},
		"MinSize":                {"0", `MinSize: "0"; give a whole number from 1 to 10000`},
		"MaxSize":                {"1", "MinSize: 2 is more than MaxSize, 1"},
		"TargetCPUPercent":       {"101", `TargetCPUPercent: "101"; give a whole number from 1 to 100`},
		"TerminationWaitMinutes": {"1.5", `TerminationWaitMinutes: "1.5"; give a whole number from 0 to 2880`},
		"DeploymentConfig":       {map[string]any{}, "DeploymentConfig: {}; give the name of a deployment configuration"},
		"Alarms":                 {"5xx", `Alarms: "5xx"; give a list, each element the name of an alarm`},
		"TriggerTopic":           {"triggers", `TriggerTopic: "triggers"; give the ARN of an SNS topic`},
		"Tags":                   {map[string]string{"deployhooks:deployment-group:stack": "x"}, `Tags: "deployhooks:deployment-group:stack" begins with deployhooks:deployment-group or aws:, which are not for templates; give another key`},
		"Import":                 {"yes", `Import: "yes"; give true or false`},
		"Alarm":                  {"5xx", "Alarm: no such property; did you mean Alarms?"},
		"Colour":                 {strings.Repeat("x", 200), "Colour: no such property; leave it out"},
	} {
		p := good()
		if p[property] = c.value; c.value == nil {
			delete(p, property)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadProperties(text); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", property, err, c.want)
		}
	}
	for _, text := range []string{"", "null", "[]", `"x"`, "{}"} {
		if _, err := ReadProperties([]byte(text)); err == nil {
			t.Errorf("properties of %q are taken", text)
		}
	}
}

func TestPropertiesInEveryForm(t *testing.T) {
	text, _ := json.Marshal(good())
	want, err := ReadProperties(text)
	if err != nil || want.MinSize != 2 || want.TerminationWait != 60 || want.DeploymentConfig != "CodeDeployDefault.AllAtOnce" || want.TargetCPU != 0 || want.Import {
		t.Fatalf("read are %+v, %v", want, err)
	}
	other := good()
	maps.Copy(other, map[string]any{"MinSize": 2, "MaxSize": 4, "LaunchTemplateVersion": 7, "Import": false, "Alarms": nil, "Tags": nil}) // by hand
	text, _ = json.Marshal(other)
	if got, err := ReadProperties(text); err != nil || got.MinSize != want.MinSize || got.TemplateVersion != "7" || got.Import {
		t.Errorf("read are %+v, %v", got, err)
	}
}

func FuzzReadProperties(f *testing.F) {
	text, _ := json.Marshal(good())
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ReadProperties(text)
		if err != nil {
			return
		}
		if id, ok := parseID(p.ID.String()); !ok || id != p.ID || p.MinSize < 1 || p.MaxSize < p.MinSize || len(p.TargetGroups) == 0 {
			t.Errorf("properties that cannot be applied are taken: %+v", p)
		}
	})
}

func TestParseID(t *testing.T) {
	for physical, ok := range map[string]bool{"shop/web": true, "": false, "shop": false, "shop/": false, "/web": false, "a/b/c": false, "none-1": false} {
		if id, got := parseID(physical); got != ok || ok && id.String() != physical {
			t.Errorf("%q is %v, %t", physical, id, got)
		}
	}
	if got := removedTags([]byte(`{"Tags":{"a":"1","b":"2","deployhooks:deployment-group":"x"}}`), map[string]string{"a": "3"}); !slices.Equal(got, []string{"b"}) {
		t.Errorf("removed are %v", got)
	}
}
