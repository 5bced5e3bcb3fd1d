package example

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
)

// complete is a spec with every field that holds a text.
const complete = `{
	"schemaVersion": 1, "name": "acme", "title": "Acme", "locale": "en", "protected": false,
	"contacts": {
		"owner": {"name": "Ana", "email": "ana@example.com"},
		"technical": {"name": "Bo", "email": "bo@example.com"}, "billing": {"name": "Cy", "email": "cy@example.com"}
	},
	"palette": {"primary": "#003366", "onPrimary": "#ffffff", "background": "#ffffff", "text": "#000000", "link": "#003366"},
	"mail": {"senderName": "Acme", "senderLocalPart": "hello", "replyTo": "office@example.com"},
	"analytics": {"google": "G-1A2BCD345E"},
	"social": {
		"facebook": "https://example.com/f", "instagram": "https://example.com/i", "linkedin": "https://example.com/l",
		"x": "https://example.com/x", "youtube": "https://example.com/y"
	},
	"footer": {"address": "High Street 1", "imprint": "https://example.com/imprint", "privacy": "https://example.com/privacy"},
	"timeZone": "Etc/UTC", "booking": true, "calendar": false, "support": "help@example.com"
}`

// payloads are syntax of everything that a spec's texts get into, and what is not what it seems.
func payloads() []string {
	return []string{
		`'; DROP DATABASE acme; --`, `" OR "1"="1`, `$$ LANGUAGE plpgsql; $$`, `\'; SELECT pg_sleep(9)`, `E'\\x41'`, "%s%n", `"; \! id`,
		"a: b", "- item", "{a: b}", "[a, b]", "!!python/object:os.system", "*anchor", "&anchor", "<<: *x", "yes", "null", "~", "0x10", "1e3", "2026-01-01", "# comment", ": ", "|", ">", "a: |\n  b", "---", "...",
		"$(reboot)", "`reboot`", "; reboot", "| sh", "&& reboot", "> /etc/passwd", "${PATH}", "$HOME", "~root", "*", "\\", `\n`, "a\nb", "'", `"`, `\"`, "''", `""`,
		"${spec.name}", "${steps.database.secret}", "$${spec.name}", "${", "}", "{{ .values.name }}", "{{", "}}", "{{/* x */}}", "{% raw %}", "#{x}", "<%= x %>", "[[ x ]]",
		`{"a": 1}`, `","admin":true,"x":"`, `\u0022`, "<script>alert(1)</script>", "&lt;", "<!--", "]]>", "--></style>", `url("x")`, "@import", "/*", "*/",
		"server_name x; } server {", "a;", "$host", "include /etc/passwd;", "\r\nBcc: x@example.com", "a\tb", "../../etc/passwd", "/etc/passwd", "C:\\", "file:///etc/passwd", "CON", ".", "..",
		"\x00", "\x1b[2J", "\u202eabc", "\u200b", "\ufeff", "\u2028", "аcme", "ａｃｍｅ", "acme\u0301", "ſ", "İ", "ß", "👩‍⚕️", "日本語", "عربى", "\U0010ffff",
		"", " ", " a ", "-", "--", "-x", "x-", "xn--acme", "www", "127.0.0.1", "[::1]", "localhost", "example.com@evil.example", "a@b@c.example", "https://example.com\\@evil.example", "javascript:alert(1)",
		strings.Repeat("a", 33), strings.Repeat("ab ", 200), strings.Repeat("🙂", 101),
		"AKIAIOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	}
}

// TestHostileSpecs draws 1,000 specs from a seed, each wrong or hostile in one field. Each is refused
// with faults of that field and no other; or else what the steps get is exactly the text that was
// given, quoted for nobody and interpreted by nobody.
func TestHostileSpecs(t *testing.T) {
	b := load(t)
	schema, err := spec.New(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 7))
		raw, path := mutate(t, r)
		faults := schema.Validate(raw)
		if len(faults) == 0 {
			accepted++
			if why := given(b, raw); why != nil {
				t.Errorf("seed %d, %s: %v\n%.2000s", seed, path, why, raw)
			}
			continue
		}
		refused++
		for _, f := range faults {
			if !strings.HasPrefix(f.Path, path) || f.Fault == "" || len(f.Path)+len(f.Fault) > 1000 {
				t.Errorf("seed %d: %s is wrong, and the fault is %q\n%.2000s", seed, path, f, raw)
			}
		}
	}
	t.Logf("%d refused, %d accepted", refused, accepted)
	if refused < 300 || accepted < 300 {
		t.Errorf("%d refused and %d accepted: one half of the test is hardly run", refused, accepted)
	}
}

// mutate makes one field of a spec hostile, and returns where the faults have to be.
func mutate(t *testing.T, r *rand.Rand) (raw []byte, path string) {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(complete), &s); err != nil {
		t.Fatal(err)
	}
	fields := leaves("", s)
	if r.IntN(3) > 0 { // most are of a form that few texts have; these take almost any
		fields = []string{"title", "contacts.owner.name", "contacts.billing.name", "mail.senderName", "footer.address"}
	}
	field := fields[r.IntN(len(fields))]
	path = "spec." + field
	pick := func(texts []string) string { return texts[r.IntN(len(texts))] }
	text := pick(payloads())
	switch r.IntN(4) {
	case 0:
		text = "Acme" + text
	case 1:
		text += pick(payloads())
	}
	switch r.IntN(12) {
	case 0:
		set(s, field, []any{7, 1.5, true, nil, []any{text}, map[string]any{text: text}}[r.IntN(6)])
		if strings.HasPrefix(field, "palette") { // the rule on contrast then takes the default
			path = "spec.palette"
		}
	case 1:
		set(s, field, strings.Repeat(text+"x", 1+r.IntN(5000)))
		path = "spec"
	case 2:
		s[text] = text // a field that there is not
		path = "spec"
	case 3:
		deep := text
		set(s, field, json.RawMessage(strings.Repeat(`{"a":`, 1000)+string(encode(t, deep))+strings.Repeat("}", 1000)))
	case 4:
		raw := encode(t, s)
		return raw[:r.IntN(len(raw)-1)], "spec"
	case 5:
		raw := encode(t, s)
		raw[r.IntN(len(raw))] = byte(r.IntN(256)) // it can stay the same, or become another field
		return raw, "spec"
	default:
		set(s, field, text)
		if strings.HasPrefix(field, "palette") {
			path = "spec.palette"
		}
	}
	return encode(t, s), path
}

// leaves are the paths of the fields that are no objects.
func leaves(prefix string, v map[string]any) []string {
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if object, ok := v[name].(map[string]any); ok {
			paths = append(paths, leaves(prefix+name+".", object)...)
		} else {
			paths = append(paths, prefix+name)
		}
	}
	return paths
}

func set(s map[string]any, path string, value any) {
	first, rest, nested := strings.Cut(path, ".")
	if nested {
		set(s[first].(map[string]any), rest, value)
		return
	}
	s[first] = value
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// given reports whether every step of a tenant gets the texts of its spec as they are.
func given(b *blueprint.Blueprint, raw []byte) error {
	if _, err := b.Hosts(raw); err != nil {
		return err
	}
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	outputs := map[string]step.Outputs{}
	for _, environment := range []string{"production", "staging"} {
		outputs["database-"+environment] = step.Outputs{"secret": "arn:aws:x"}
		outputs["storage-"+environment] = step.Outputs{"bucket": "b", "prefix": "p/"}
		outputs["config-"+environment] = step.Outputs{"address": "s3://x"}
	}
	outputs["mail"] = step.Outputs{"sender": "x@y.example", "identity": "y", "dkim1": "1", "dkim2": "2", "dkim3": "3"}
	for _, st := range b.Steps {
		rendered, err := b.Render(st, raw, outputs)
		if err != nil {
			return err
		}
		var parameters, got any
		if err := json.Unmarshal(st.Parameters, &parameters); err != nil {
			return err
		}
		if err := json.Unmarshal(rendered, &got); err != nil {
			return err
		}
		if err := same(parameters, got, s); err != nil {
			return fmt.Errorf("%s: %w", st.Name, err)
		}
	}
	return nil
}

// same compares parameters of a blueprint with rendered ones, by the simplest possible means: each
// reference to a text of the spec is replaced in turn.
func same(parameters, rendered any, s map[string]any) error {
	switch p := parameters.(type) {
	case map[string]any:
		for name, item := range p {
			object, _ := rendered.(map[string]any)
			if err := same(item, object[name], s); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	case []any:
		for i, item := range p {
			list, _ := rendered.([]any)
			if len(list) != len(p) {
				return fmt.Errorf("%v is rendered as %v", p, rendered)
			}
			if err := same(item, list[i], s); err != nil {
				return err
			}
		}
		return nil
	case string:
		if strings.Contains(p, "${steps.") {
			return nil
		}
		want := ""
		for i, part := range strings.Split(p, "${") {
			if i == 0 {
				want = part
				continue
			}
			reference, literal, _ := strings.Cut(part, "}")
			want += fmt.Sprint(get(s, strings.TrimPrefix(strings.TrimPrefix(reference, "text."), "spec."))) + literal
		}
		if got := fmt.Sprint(rendered); got != want {
			return fmt.Errorf("%q is rendered as %q and not %q", p, got, want)
		}
		return nil
	}
	if !reflect.DeepEqual(parameters, rendered) {
		return fmt.Errorf("%v is rendered as %v", parameters, rendered)
	}
	return nil
}

// get is the value of a field.
func get(s map[string]any, path string) any {
	first, rest, nested := strings.Cut(path, ".")
	if nested {
		object, _ := s[first].(map[string]any)
		return get(object, rest)
	}
	return s[first]
}

// FuzzValidate holds that no input breaks the check, and that what passes it can be rendered.
func FuzzValidate(f *testing.F) {
	f.Add([]byte(complete))
	for _, p := range payloads() {
		if text, err := json.Marshal(p); err == nil {
			f.Add(bytes.Replace([]byte(complete), []byte(`"Acme"`), text, 1))
		}
	}
	b := load(f)
	schema, err := spec.New(b.Spec)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(schema.Validate(raw)) > 0 {
			return
		}
		if _, err := b.Hosts(raw); err != nil {
			t.Errorf("accepted, without hosts: %v", err)
		}
		for _, s := range b.Steps {
			if s.Kind == "manual" {
				if _, err := b.Render(s, raw, nil); err != nil {
					t.Errorf("accepted, and cannot be rendered: %v", err)
				}
			}
		}
	})
}
