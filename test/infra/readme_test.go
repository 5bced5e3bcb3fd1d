package infra

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/repair"
)

// The tables of what people can write, of context keys and of environment files, are in the
// README between a marker and the next heading. `go test ./test/infra -update` renews them.
func TestREADMEListsEveryKey(t *testing.T) {
	t.Parallel()
	testTable(t, "configuration", settingsTable())
	testTable(t, "environment file", environmentTable())
}

func testTable(t *testing.T, of, want string) {
	t.Helper()
	begins, ends := "<!-- "+of+": kept true by a test in test/infra -->\n", "\n#"
	path := filepath.Join("..", "..", "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begins)
	table, after, ended := strings.Cut(rest, ends)
	if !found || !ended {
		t.Fatalf("%s has no table of the %s: put %q where it belongs, before a heading", path, of, begins)
	}
	want = "\n" + want
	if *update {
		if err := os.WriteFile(path, []byte(before+begins+want+ends+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("people write what is not there, or do not learn what is; run `go test ./test/infra -update` (-code +README):\n%s", diff)
	}
}

// environmentTable is the environment file in Markdown.
func environmentTable() string {
	var b strings.Builder
	markdown := strings.NewReplacer("*", `\*`, "<", `\<`)
	b.WriteString("| key | default | what it is | allowed |\n| --- | --- | --- | --- |\n")
	for _, k := range spec.Keys() {
		standard := ""
		switch k.Default {
		case "":
		case "required":
			standard = "required"
		default:
			standard = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, standard, markdown.Replace(k.Purpose), markdown.Replace(k.Allowed))
	}
	return b.String()
}

// settingsTable is the configuration in Markdown.
func settingsTable() string {
	var b strings.Builder
	markdown := strings.NewReplacer("*", `\*`, "<", `\<`)
	b.WriteString("| context key | default | what it does | allowed |\n| --- | --- | --- | --- |\n")
	for _, s := range config.Settings() {
		standard := ""
		if s.Default != "" {
			standard = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", config.Prefix, s.Key, standard, markdown.Replace(s.Purpose), markdown.Replace(s.Allowed))
	}
	return b.String()
}

// The README shows the hook in three more languages; all must be the one that
// the construct makes.
func TestREADMEShowsTheHookThatTheConstructMakes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "<!-- hook: kept true by a test in test/infra -->\n")
	if !found {
		t.Fatal("the README does not show the hook")
	}
	blocks := strings.SplitN(rest, "```", 8) // text and code in turn
	if len(blocks) < 7 {
		t.Fatal("the README shows the hook in fewer than three languages")
	}
	hook := fleets["defaults"].Template.only("AWS::AutoScaling::LifecycleHook", "Drain").Properties
	for language, block := range map[string]string{"yaml": blocks[1], "hcl": blocks[3], "": blocks[5]} {
		if !strings.HasPrefix(block, language+"\n") {
			t.Errorf("the README's block %q is not in the language %q", block, language)
		}
		for _, property := range []string{"LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult"} {
			if want := words(hook[property]); !strings.Contains(block, want) {
				t.Errorf("the README's hook has another %s than %s, which fits:\n%s", property, want, block)
			}
		}
	}
}

// The README's table of permissions names every action that a role may get, and no
// other.
func TestREADMENamesEveryPermission(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(readme(t), "### Permissions\n")
	section, _, ends := strings.Cut(rest, "\n### ")
	if !found || !ends {
		t.Fatal("the README has no section on permissions")
	}
	documented := documentedActions(section)
	for scenario, template := range map[string]template{"plain": plain, "configured": configured, "replacing": replacing} {
		for _, role := range []string{"RepairRole", "DrainRole"} {
			for _, action := range allowed(template.permissions(role)) {
				if !slices.Contains(documented, action) {
					t.Errorf("%s: %s may %s, and the README does not say so", scenario, role, action)
				}
			}
		}
	}
}

// documentedActions are the IAM actions that a table in Markdown names. A service that is
// named once holds for the rest of the cell.
func documentedActions(section string) (documented []string) {
	for _, row := range strings.Split(section, "\n") {
		for _, cell := range strings.Split(row, "|") {
			service := ""
			for i, code := range strings.Split(cell, "`") {
				if i%2 == 0 {
					continue
				}
				if prefix, _, full := strings.Cut(code, ":"); full {
					service = prefix
				} else {
					code = service + ":" + code
				}
				documented = append(documented, code)
			}
		}
	}
	return documented
}

// The README documents every outcome that machines may read.
func TestREADMENamesEveryOutcome(t *testing.T) {
	t.Parallel()
	text := readme(t)
	for domain, file := range map[string]string{"repair": "repair.go", "drain": "drain.go"} {
		source, err := os.ReadFile(filepath.Join("..", "..", "pkg", domain, file))
		if err != nil {
			t.Fatal(err)
		}
		outcomes := regexp.MustCompile(`Outcome = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
		if len(outcomes) < 8 {
			t.Fatalf("%s has %d outcomes: the pattern does not find them", file, len(outcomes))
		}
		_, rest, found := strings.Cut(text, "| `outcome` of "+domain+" | |\n")
		table, _, _ := strings.Cut(rest, "\n\n")
		for _, outcome := range outcomes {
			if !found || !strings.Contains(table, "`"+outcome[1]+"`") {
				t.Errorf("the README does not document the outcome %s of %s", outcome[1], domain)
			}
		}
	}
}

// The README's examples of events are what the functions put on the bus: every field
// exists, and none that is always there is left out.
func TestREADMEShowsTheEventsThatTheFunctionsWrite(t *testing.T) {
	t.Parallel()
	text := readme(t)
	for domain, detail := range map[string]any{"repair": &repair.Result{}, "drain": &drain.Report{}} {
		_, rest, found := strings.Cut(text, "<!-- "+domain+" event: kept true by a test in test/infra -->\n\n```json\n")
		example, _, ends := strings.Cut(rest, "```")
		if !found || !ends {
			t.Errorf("the README has no example of an event of %s", domain)
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(example))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(detail); err != nil {
			t.Errorf("people match fields that %s does not write: %v", domain, err)
			continue
		}
		written, err := json.Marshal(detail)
		if err != nil {
			t.Fatal(err)
		}
		var shown, want any
		if err := errors.Join(json.Unmarshal([]byte(example), &shown), json.Unmarshal(written, &want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, shown); diff != "" {
			t.Errorf("the README's event of %s is not what it writes (-code +README):\n%s", domain, diff)
		}
		values := identifiers(t, domain, `(?:Phase|Outcome) = "([a-z-]+)"`)
		for _, field := range []string{"phase", "outcome"} {
			if value, ok := shown.(map[string]any)[field].(string); ok && !slices.Contains(values, value) {
				t.Errorf("people match the %s %q, which %s never writes", field, value, domain)
			}
		}
	}
	for domain, pattern := range map[string]string{"repair": `Phase = "([a-z-]+)"`, "drain": `Cause = "([a-z-]+)"`} {
		for _, value := range identifiers(t, domain, pattern) {
			if !strings.Contains(text, "`"+value+"`") {
				t.Errorf("the README does not document the value %s in events of %s", value, domain)
			}
		}
	}
}

// identifiers are the values of constants in a domain's source.
func identifiers(t *testing.T, domain, pattern string) (values []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "pkg", domain, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
			values = append(values, match[1])
		}
	}
	if len(values) == 0 {
		t.Fatalf("nothing in %s matches %s", domain, pattern)
	}
	return values
}

// Files that the README names exist.
func TestREADMENamesFilesThatExist(t *testing.T) {
	t.Parallel()
	for _, match := range regexp.MustCompile("`((?:pkg|test|infra|events|functions)/[^` ]+)`").FindAllStringSubmatch(readme(t), -1) {
		if _, err := os.Stat(filepath.Join("..", "..", match[1])); err != nil {
			t.Errorf("the README names a file that does not exist: %v", err)
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
