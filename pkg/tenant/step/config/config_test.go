package config

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	yamlv3 "go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// hostile are values that mean something to a format.
var hostile = []string{
	"", "no", "~", "1.0", "null", "a: b", "- x", "# x", "{{ .values.x }}", "${HOME}", "$(id)", "`id`", "'; DROP TABLE x; --", `"`, `\`, `\"`, "'", "a'b\"c", "x; }", "} server {",
	"line\nbreak", "tab\t", "\u2028", "\u0085", "\ufeff", "<script>", "&anchor", "*alias", "!tag", "Grüße 日本 😀", "x\x7fy", "%s%n", "\r\n", "a\x00b",
}

// TestQuoting holds that each format reads exactly the value, or that it is refused.
func TestQuoting(t *testing.T) {
	for format, read := range map[string]func(t testing.TB, text string) string{
		".yml": func(t testing.TB, text string) string {
			var doc map[string]any
			if err := yamlv3.Unmarshal([]byte("before: 1\nvalue: "+text+"\nafter: 2\n"), &doc); err != nil || doc["after"] != 2 || len(doc) != 3 {
				t.Fatalf("%s: %v: a value breaks the file", text, err)
			}
			s, ok := doc["value"].(string)
			if !ok {
				t.Fatalf("%s is read as %T", text, doc["value"])
			}
			return s
		},
		".json": func(t testing.TB, text string) string {
			var doc map[string]string
			if err := json.Unmarshal([]byte(`{"value": `+text+`}`), &doc); err != nil || len(doc) != 1 {
				t.Fatalf("%s: %v", text, err)
			}
			return doc["value"]
		},
		".sh": func(t testing.TB, text string) string {
			out, err := exec.Command("/bin/sh", "-c", "printf '%s.' "+text).Output()
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return strings.TrimSuffix(string(out), ".")
		},
		".conf": nginxToken,
	} {
		t.Run(format, func(t *testing.T) {
			exact := func(t testing.TB, value string) {
				text, err := quotings[format](value)
				if err != nil {
					return // refused, as TestRefusedValues has it
				}
				if got := read(t, text); got != value {
					t.Fatalf("value %q is written as %s and read as %q: it does something else than it says", value, text, got)
				}
			}
			for _, value := range hostile {
				exact(t, value)
			}
			if format != ".sh" { // a process for each
				rapid.Check(t, func(r *rapid.T) { exact(t, rapid.String().Draw(r, "value")) })
			}
		})
	}
}

// nginxToken reads one token as nginx does (ngx_conf_read_token): quotes at its beginning, a backslash
// before a quote or a backslash, variables, and what ends a token.
func nginxToken(t testing.TB, text string) string {
	var out strings.Builder
	quoted := strings.HasPrefix(text, `"`)
	rest := strings.TrimPrefix(text, `"`)
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '$':
			t.Fatalf("%s has a variable", text)
		case quoted && c == '\\' && i+1 < len(rest) && strings.ContainsRune(`"\`, rune(rest[i+1])):
			i++
			out.WriteByte(rest[i])
		case quoted && c == '"':
			if i != len(rest)-1 {
				t.Fatalf("%s ends early", text)
			}
			return out.String()
		case !quoted && strings.ContainsRune(" \t\r\n;{}\"'\\#", rune(c)):
			t.Fatalf("%s is more than one token", text)
		default:
			out.WriteByte(c)
		}
	}
	if quoted {
		t.Fatalf("%s does not end", text)
	}
	return out.String()
}

func TestRefusedValues(t *testing.T) {
	for ending, values := range map[string][]string{
		".conf": {"$host", "a\nb", "a\x00b"}, ".sh": {"a\x00b"}, ".yml": {"\xff"}, ".json": {"\xff"},
	} {
		for _, value := range values {
			if text, err := quotings[ending](value); err == nil {
				t.Errorf("%s: %q is written as %q, which says something else", ending, value, text)
			} else if strings.Contains(err.Error(), value) {
				t.Errorf("%s: the error repeats the value", ending)
			}
		}
	}
}

func TestTemplates(t *testing.T) {
	values := map[string]string{"title": "yes", "booking": "true", "off": "false", "none": "", "port": "8080"}
	for _, c := range []struct{ name, file, text, want, fault string }{
		{"a value", "a.yml", "title: {{ .values.title }}", `title: "yes"`, ""},
		{"a bool and an integer", "a.yml", "{{ bool .values.booking }} {{ integer .values.port }}", "true 8080", ""},
		{"a condition", "a.yml", "{{ if .values.booking }}on{{ else }}off{{ end }}{{ if .values.off }}x{{ end }}{{ if .values.none }}y{{ end }}", "on", ""},
		{"a value that is missing", "a.yml", "x\n{{ .values.titel }}", "", "a.yml:2: there is no value titel"},
		{"a missing value in a branch that is not taken", "a.yml", "{{ if .values.off }}{{ .values.titel }}{{ end }}", "", ""},
		{"no bool", "a.yml", "{{ bool .values.title }}", "", "value title is neither true nor false"},
		{"no integer", "a.yml", "{{ integer .values.title }}", "", "value title is no integer"},
		{"an unknown format", "a.txt", "{{ .values.title }}", "", "names no format"},
		{"a syntax error", "a.yml", "{{ .values.title", "", "unclosed action"},
		{"something else of the template language", "a.yml", "{{ range .values }}{{ end }}", "", "is not supported"},
		{"the whole of the values", "a.yml", "{{ .values }}", "", "want {{ .values.name }}"},
		{"a call", "a.yml", "{{ printf .values.title }}", "", `function "printf" not defined`},
		{"a comment", "a.yml", "a{{/* x */}}b", "ab", ""},
	} {
		out, err := render(fstest.MapFS{"t/" + c.file: {Data: []byte(c.text)}}, "t/", values)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want a fault with %q: the blueprint is deployed with it", c.name, err, c.fault)
			}
		} else if err != nil || string(out[c.file]) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, out[c.file], err, c.want)
		}
	}
}

func TestValidateFiles(t *testing.T) {
	files := fstest.MapFS{"t/a.conf": {Data: []byte("{{ .values.host }} {{ .values.title }}")}}
	p := Parameters{Templates: "t", Values: map[string]string{"host": "${environment.host}"}}
	if err := p.ValidateFiles(files); err == nil || !strings.Contains(err.Error(), "reads .values.title") {
		t.Errorf("%v: a template with a missing value is deployed", err)
	}
	p.Values["title"] = "${spec.title}"
	if err := p.ValidateFiles(files); err != nil {
		t.Errorf("%v: a right blueprint is refused", err)
	}
	if err := (Parameters{Templates: "none"}).ValidateFiles(files); err == nil {
		t.Error("a folder that is missing is deployed")
	}
}
