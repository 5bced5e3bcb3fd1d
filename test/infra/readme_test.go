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
// next heading. `go test ./test/infra -update` writes it anew.
const (
	tableBegins = "<!-- configuration: kept true by a test in test/infra -->\n"
	tableEnds   = "\n### "
)

func TestREADMETellsEveryKey(t *testing.T) {
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
	b.WriteString("| context key | default | what it does | allowed |\n| --- | --- | --- | --- |\n")
	for _, s := range config.Settings() {
		standard := ""
		if s.Default != "" {
			standard = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", config.Prefix, s.Key, standard, s.Purpose, strings.ReplaceAll(s.Allowed, "*", `\*`))
	}
	return b.String()
}
