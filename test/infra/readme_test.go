package infra

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
)

// The table of configuration keys in the README is between this marker and the
// next heading. `go test ./test/infra -update` renews it.
const (
	tableBegins = "<!-- configuration: kept true by a test in test/infra -->\n"
	tableEnds   = "\n### "
)

func TestREADMEListsEveryKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !found || !ends {
		t.Fatalf("%s has no configuration table: put %q where it belongs, before a heading", path, tableBegins)
	}
	want := "\n" + settingsTable()
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("people configure what is not there, or do not learn what is; run `go test ./test/infra -update` (-code +README):\n%s", diff)
	}
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
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", config.Prefix, s.Key, standard, s.Purpose, markdown.Replace(s.Allowed))
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
