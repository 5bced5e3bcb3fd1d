package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"deployhooks/infra/environment/spec"
)

// hostile are values that some key may be given, as YAML.
func hostile() []string {
	return []string{
		"null", "~", `""`, `" "`, "x", "-", "0", "-1", "007", "0x10", "1_000", "1e3", ".inf", ".nan", "9223372036854775808", "1.5", "True", "TRUE", "yes", "off",
		"2026-01-01", "!!binary aGk=", "!!int x", "!!bool maybe", "!other 5", "[]", "[[]]", "[null]", "[1]", "{}", "{a: b}", "{? [a] : b}", "{<<: {name: x}}", "*anchor", "[*anchor]", "{*anchor : x}",
		`"\0"`, `"\u202e"`, "\"a\\nb\"", "arn:aws:x", "arn:aws:sns:eu-west-1", "a.b.c", "*", "a/../b", "ü", strings.Repeat("x", 300), strings.Repeat("[", 300) + strings.Repeat("]", 300),
	}
}

// replaceEach calls with for every value of a document, which with may change until then.
func replaceEach(n *yaml.Node, with func(value *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		was := *c
		with(c)
		*c = was
		replaceEach(c, with)
	}
}

// Whatever a key holds, there is an environment or there are faults: no panic, no other
// error, and no fault that fills the screen.
func TestNoValueBreaksTheReader(t *testing.T) {
	text, err := os.ReadFile(everything)
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "it.yaml")
	read := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := spec.Read(file)
		var all spec.Faults
		if err != nil && !errors.As(err, &all) {
			t.Errorf("%v, for\n%.2000s", err, text)
		}
		for _, f := range all {
			if len(f.Text) > 1100 {
				t.Errorf("a fault of %d characters: %.200s", len(f.Error()), f.Error())
			}
		}
	}
	values, next := hostile(), 0
	replaceEach(&document, func(at *yaml.Node) {
		*at = yaml.Node{Kind: yaml.ScalarNode, Value: "PLACE"}
		out, err := yaml.Marshal(&document)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // each value for several keys, and each key with several values
			text := strings.Replace(string(out), "PLACE", values[next%len(values)], 1)
			read([]byte(strings.Replace(text, "name: staging", "name: &anchor staging", 1)))
			next++
		}
	})
	for _, whole := range []string{
		"", "\n", "---", "--- ~", "5", "[]", "{}", "\t", "a:\tb", "name:\n\tx", "a: b: c", "\xff\xfe", "\xef\xbb\xbfname: x", "\xff\xfen\x00a\x00", "\x00", "%YAML 9.9\n---\na: b",
		"&a [*a]", "name: &a {x: *a}", "hooks: &a {x: *a}", "? {a: b}\n: c", "? *x\n: y", "{}\n---\n{}", "...", "!!map {}", "!!set {a}", strings.Repeat("- ", 20000), strings.Repeat("{a: ", 20000),
		strings.Repeat("k: v\n", 5000), "hooks:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n  f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n  g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
		"name: " + strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20) + ": 1",
	} {
		read([]byte(whole))
	}
}
