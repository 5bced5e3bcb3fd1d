package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The golden files show at a glance, and in a review, what a change of the
// infrastructure program means on AWS. `go test ./test/infra -update` renews them.
func TestGoldenSummaries(t *testing.T) {
	t.Parallel()
	for file, template := range map[string]template{
		"hooks.txt": plain, "hooks-configured.txt": configured, "central.txt": central,
		"training.txt": environment("training", ""), "production.txt": environment("production", ""), "staging.txt": environment("staging", ""),
	} {
		testGolden(t, filepath.Join("testdata", file), summary(template))
	}
}

// The simulated region enforces these policies on the calls of each function, so
// that a scenario fails when a statement is missing. Names in ${} are those of
// the template: parameters of AWS, and resources.
func TestGoldenPolicies(t *testing.T) {
	t.Parallel()
	for function, role := range map[string]string{"repair": "RepairRole", "drain": "DrainRole"} {
		for file, template := range map[string]template{function: plain, function + "-configured": configured} {
			testGolden(t, filepath.Join("..", "harness", "policies", file+".json"), template.policy(t, role))
		}
	}
}

// testGolden compares a text with a file, or renews the file.
func testGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the stack has changed; if that is meant, run `go test ./test/infra -update` (-%s +now):\n%s", path, diff)
	}
}

// policy is the policy document of a role, as IAM has it.
func (t template) policy(test *testing.T, rolePrefix string) string {
	test.Helper()
	var all []any
	for id, policy := range t.of("AWS::IAM::Policy") {
		if strings.HasPrefix(id, rolePrefix) {
			all = append(all, asList(at(policy.Properties["PolicyDocument"], "Statement"))...)
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{"Version": "2012-10-17", "Statement": resolved(all)}); err != nil {
		test.Fatal(err)
	}
	return assetHash.ReplaceAllString(b.String(), "<hash>")
}

// resolved is a value with its references as Fn::Sub writes them.
func resolved(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = resolved(element)
		}
		return list
	case map[string]any:
		if v["Ref"] != nil || v["Fn::GetAtt"] != nil || v["Fn::Join"] != nil {
			text := reference.ReplaceAllString(words(v), "$${$1}")
			return pseudo.ReplaceAllString(text, "$${AWS::$1}")
		}
		fields := map[string]any{}
		for key, element := range v {
			fields[key] = resolved(element)
		}
		return fields
	}
	return v
}

// The references in words' form, and those of them that are AWS's.
var (
	reference = regexp.MustCompile(`<([^>]*)>`)
	pseudo    = regexp.MustCompile(`\$\{(AccountId|Partition|Region)\}`)
)

// summary is a template for people: a line per property, policies by statement,
// without what only machines read.
func summary(t template) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[id]
		fmt.Fprintf(&b, "%s  %s\n", name(id), r.Type)
		if strings.HasPrefix(r.DeletionPolicy, "Retain") {
			fmt.Fprintf(&b, "    retained\n")
		}
		for _, property := range slices.Sorted(maps.Keys(r.Properties)) {
			value := r.Properties[property]
			switch property {
			case "PolicyDocument", "AssumeRolePolicyDocument":
				for _, s := range statements(value) {
					fmt.Fprintf(&b, "    %s\n", s)
				}
			case "Environment":
				for _, variable := range slices.Sorted(maps.Keys(at(value, "Variables").(map[string]any))) {
					fmt.Fprintf(&b, "    Environment %s=%s\n", variable, words(at(value, "Variables", variable)))
				}
			case "Code", "DashboardBody", "DefinitionString": // a hash, what is read on the screen, and what package workflow has
			default:
				fmt.Fprintf(&b, "    %s: %s\n", property, words(value))
			}
		}
	}
	for _, output := range slices.Sorted(maps.Keys(t.Outputs)) {
		fmt.Fprintf(&b, "output %s = %s\n", output, words(t.Outputs[output].Value))
	}
	return blueprintVersion.ReplaceAllString(assetHash.ReplaceAllString(b.String(), "<hash>"), "$1<version>")
}

// assetHash is the name of an uploaded file.
var assetHash = regexp.MustCompile(`[0-9a-f]{64}`)

// blueprintVersion is that of the shipped blueprint, which has tests of its own.
var blueprintVersion = regexp.MustCompile(`(BLUEPRINT=|BlueprintVersion = )[0-9a-f]{12}`)

// String is the statement in one line.
func (s statement) String() string {
	line := s.Effect
	if s.Principal != "" {
		line += " " + s.Principal
	}
	line += " " + strings.Join(s.Actions, ", ")
	if len(s.Resources) > 0 {
		line += " on " + strings.Join(s.Resources, ", ")
	}
	if s.Condition != "" {
		line += " if " + s.Condition
	}
	return line
}
