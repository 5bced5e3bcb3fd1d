package infra

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
)

const (
	documentPrefix = "arn:aws:ssm:eu-west-1:123456789012:document/"
	shellDocument  = "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript"
)

// Whoever may tag an Auto Scaling group, or put text into the configuration, gets
// no further than the documents that are configured. Shell commands are the
// document AWS-RunShellScript.
func TestRoleRunsTheConfiguredDocumentsOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		command, document, tags string
		want                    []string // the resources of SendCommand
	}{
		{"", "", "", nil},
		{"sync", "", "", []string{shellDocument}},
		{"", "stop-app", "", []string{documentPrefix + "stop-app"}},
		{"", "", "AWS-RunShellScript", []string{shellDocument}},
		{"", "", "stop-app", []string{documentPrefix + "stop-app"}},
		{"", "", "stop-app,AWS-RunShellScript", []string{shellDocument, documentPrefix + "stop-app"}},
		{"sync", "", "AWS-RunShellScript", []string{shellDocument}},
		{"sync", "", "stop-app", []string{shellDocument, documentPrefix + "stop-app"}},
		{"sync", "", "stop-app,AWS-RunShellScript", []string{shellDocument, documentPrefix + "stop-app"}},
		{"", "stop-app", "AWS-RunShellScript", []string{shellDocument, documentPrefix + "stop-app"}},
		{"", "stop-app", "stop-app", []string{documentPrefix + "stop-app"}},
		{"", "stop-app", "say-goodbye", []string{documentPrefix + "say-goodbye", documentPrefix + "stop-app"}},
		{"", "stop-app", "say-goodbye,AWS-RunShellScript", []string{shellDocument, documentPrefix + "say-goodbye", documentPrefix + "stop-app"}},
		{"", "arn:aws:ssm:eu-west-1:210987654321:document/theirs", "", []string{"arn:aws:ssm:eu-west-1:210987654321:document/theirs"}},
	} {
		for _, mode := range []string{"apply", "plan"} {
			settings := map[string]any{"deployhooks:drainMode": mode}
			for key, value := range map[string]string{"drainCommand": tt.command, "drainDocument": tt.document, "drainTagDocuments": tt.tags} {
				if value != "" {
					settings[config.Prefix+key] = value
				}
			}
			cfg, err := config.Parse(settings)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if mode == "plan" {
				want = nil
			}
			testCommands(t, cfg, want)
			environment := cfg.DrainEnvironment()
			if got := environment["TAG_DOCUMENTS"]; got != tt.tags {
				t.Errorf("%v: the function gets the allow-list %q, want %q: it would run what a tag chooses, or nothing", settings, got, tt.tags)
			}
			if environment["COMMAND"] != tt.command || environment["DOCUMENT"] != tt.document {
				t.Errorf("%v: the function gets another command: %v", settings, environment)
			}
		}
	}
}

// testCommands compares what the role may send to which instances.
func testCommands(t *testing.T, cfg config.Hooks, documents []string) {
	t.Helper()
	location := permissions.Location{Partition: "aws", Region: "eu-west-1", Account: "123456789012"}
	var got []permissions.Statement
	for _, s := range permissions.Drain(cfg, location) {
		if slices.ContainsFunc(s.Actions, func(a string) bool { return strings.HasPrefix(a, "ssm:Send") || strings.Contains(a, "*") }) {
			got = append(got, s)
		}
	}
	var want []permissions.Statement
	if documents != nil {
		send := []string{"ssm:SendCommand"}
		want = []permissions.Statement{
			{SID: "RunShutdownCommand", Actions: send, Resources: documents},
			{SID: "RunItOnScaledInstances", Actions: send, Resources: []string{"arn:aws:ec2:eu-west-1:123456789012:instance/*"},
				Condition: map[string]map[string]string{"StringLike": {"ssm:resourceTag/aws:autoscaling:groupName": "*"}}},
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%+v: a command runs that nobody allowed, or one that is configured does not (-want +got):\n%s", cfg.Drain, diff)
	}
}

// The statements reach the template as they are.
func TestTemplateConfinesCommands(t *testing.T) {
	t.Parallel()
	testStatements(t, configured, "DrainRole", map[string]statement{
		"RunShutdownCommand": {
			Actions: []string{"ssm:SendCommand"},
			Resources: []string{
				"arn:<Partition>:ssm:<Region>::document/AWS-RunShellScript",
				"arn:<Partition>:ssm:<Region>:<AccountId>:document/stop-app",
			},
		},
		"RunItOnScaledInstances": {
			Actions:   []string{"ssm:SendCommand"},
			Resources: []string{"arn:<Partition>:ec2:<Region>:<AccountId>:instance/*"},
			Condition: "StringLike=ssm:resourceTag/aws:autoscaling:groupName=*",
		},
	})
}
