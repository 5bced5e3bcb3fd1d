package infra

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The golden files show at a glance, and in a review, what a change of the
// infrastructure program means on AWS. `go test ./test/infra -update` writes
// them anew.
func TestGoldenSummaries(t *testing.T) {
	t.Parallel()
	for file, template := range map[string]template{"hooks.txt": plain, "hooks-configured.txt": configured} {
		path := filepath.Join("testdata", file)
		got := summary(template)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("the stack has changed; if that is meant, run `go test ./test/infra -update` (-%s +now):\n%s", file, diff)
		}
	}
}

// summary is a template for people: a line per property, policies by
// statement, without the parts that only the machine reads.
func summary(t template) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[id]
		fmt.Fprintf(&b, "%s  %s\n", name(id), r.Type)
		if r.DeletionPolicy == "Retain" {
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
			case "Code", "DashboardBody": // a hash, and what a person looks at on the screen
			default:
				fmt.Fprintf(&b, "    %s: %s\n", property, words(value))
			}
		}
	}
	for _, output := range slices.Sorted(maps.Keys(t.Outputs)) {
		fmt.Fprintf(&b, "output %s = %s\n", output, words(t.Outputs[output].Value))
	}
	return b.String()
}

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
