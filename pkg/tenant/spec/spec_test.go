package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/registry"
)

// schema is that of a blueprint with some fields of its own.
func schema(t testing.TB) *Compiled {
	t.Helper()
	s, err := Schema(map[string]any{
		"languages": map[string]any{"type": "array", "items": map[string]any{"type": "string", "maxLength": 5}, "maxItems": 3, "uniqueItems": true},
		"seats":     map[string]any{"type": "integer", "minimum": 1, "description": "how many can log in"},
		"site":      map[string]any{"type": "string", "format": "hostname"},
		"plan":      map[string]any{"type": "string", "enum": []any{"small", "large"}},
		"labels":    map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string", "maxLength": 10}, "maxProperties": 3},
	}, []string{"seats"})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return ready
}

// full is a spec that is right.
const full = `{
	"schemaVersion": 1, "name": "acme", "title": "Acme & Söhne – \"Praxis\"", "locale": "pt-BR", "protected": true,
	"contacts": {"owner": {"name": "Ana O'Neil", "email": "ana+acme@example.com"}},
	"palette": {"primary": "#003366", "onPrimary": "#FFFFFF"},
	"mail": {"senderName": "Acme", "senderLocalPart": "hello", "replyTo": "office@acme.example"},
	"analytics": {"google": "G-1A2BCD345E"},
	"social": {"youtube": "https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw"},
	"footer": {"address": "Acme\nHigh Street 1", "imprint": "https://acme.example/imprint?lang=pt#top"},
	"languages": ["pt", "en"], "seats": 12, "site": "www.acme.example", "plan": "small", "labels": {"cost": "4711"}
}`

func TestValid(t *testing.T) {
	s := schema(t)
	for _, text := range []string{full, `{"schemaVersion":1,"name":"abc","title":"東京クリニック","contacts":{"owner":{"name":"x","email":"x@y.example"}},"seats":1}`} {
		if faults := s.Validate(json.RawMessage(text)); len(faults) != 0 {
			t.Errorf("refused: %v", faults)
		}
	}
}

// TestFaults replaces one part of a valid spec each.
func TestFaults(t *testing.T) {
	s := schema(t)
	name := func(n string) [2]string { return [2]string{`"name": "acme"`, fmt.Sprintf(`"name": %q`, n)} }
	address := func(text string) [2]string { return [2]string{`Acme\nHigh Street 1`, text} }
	for _, c := range []struct {
		name        string
		replace     [2]string
		path, fault string
	}{
		{"missing field", [2]string{`"seats": 12, `, ``}, "spec.seats", "is missing: how many can log in"},
		{"missing nested field", [2]string{`"email": "ana+acme@example.com"`, `"emial": "a@b.example"`}, "spec.contacts.owner.email", "is missing: an address"},
		{"unknown field", [2]string{`"locale"`, `"local"`}, "spec.local", "there is no such field: write locale"},
		{"unknown nested field", [2]string{`"primary"`, `"main"`}, "spec.palette.main", "known are background, link, onPrimary, primary, text"},
		{"field given twice", [2]string{`"name": "acme"`, `"name": "acme", "name": "other"`}, "spec.name", "is given twice"},
		{"field given twice by an escape", [2]string{`"name": "acme"`, `"name": "acme", "n\u0061me": "other"`}, "spec.name", "is given twice"},
		{"wrong type", [2]string{`"seats": 12`, `"seats": "12"`}, "spec.seats", "is of type string and has to be integer"},
		{"null", [2]string{`"title": "Acme & Söhne – \"Praxis\""`, `"title": null`}, "spec.title", "is of type null"},
		{"wrong type in a list", [2]string{`["pt", "en"]`, `["pt", 7]`}, "spec.languages[1]", "is of type number and has to be string"},
		{"too many", [2]string{`["pt", "en"]`, `["a", "b", "c", "d"]`}, "spec.languages", "maxItems: got 4, want 3"},
		{"twice in a list", [2]string{`["pt", "en"]`, `["pt", "pt"]`}, "spec.languages", "items at 0 and 1 are equal"},
		{"too many digits", [2]string{`"seats": 12`, `"seats": 1234567890123456789`}, "spec.seats", "is no number that can be kept"},
		{"too small", [2]string{`"seats": 12`, `"seats": 0`}, "spec.seats", "minimum: got 0, want 1: how many can log in"},
		{"not one of", [2]string{`"plan": "small"`, `"plan": "tiny"`}, "spec.plan", `has to be one of ["small","large"]`},
		{"too long in a map", [2]string{`"cost": "4711"`, `"cost": "47114711471"`}, "spec.labels.cost", "maxLength: got 11, want 10"},
		{"other version", [2]string{`"schemaVersion": 1`, `"schemaVersion": 2`}, "spec.schemaVersion", "has to be 1"},
		{"two lines", [2]string{`"senderName": "Acme"`, `"senderName": "Acme\nBcc: x@y.example"`}, "spec.mail.senderName", "on one line"},

		{"name too short", name("ab"), "spec.name", "minLength: got 2, want 3"},
		{"name too long", name(strings.Repeat("a", 33)), "spec.name", "maxLength: got 33, want 32"},
		{"name with capitals", name("Acme"), "spec.name", "a letter first"},
		{"name with two hyphens", name("xn--acme"), "spec.name", "single hyphens"},
		{"name with a hyphen last", name("acme-"), "spec.name", "single hyphens"},
		{"name with a line end", name("acme\n"), "spec.name", "does not match"},
		{"name with a homoglyph", name("аcme"), "spec.name", "a letter first"},
		{"reserved name", name("www"), "spec.name", "www is reserved"},
		{"PostgreSQL's name", name("pg-acme"), "spec.name", "PostgreSQL's own"},

		{"host with a homoglyph", [2]string{"www.acme.example", "www.аcme.example"}, "spec.site", "U+0430 at position 1"},
		{"host in Punycode", [2]string{"www.acme.example", "www.xn--cme-8cd.example"}, "spec.site", "is reserved, xn-- for other scripts"},
		{"host of one label", [2]string{"www.acme.example", "localhost"}, "spec.site", "two labels or more"},
		{"address for a host", [2]string{"www.acme.example", "169.254.169.254"}, "spec.site", "does not end with a number"},
		{"host with a dot last", [2]string{"www.acme.example", "www.acme.example."}, "spec.site", "a DNS label is empty"},

		{"e-mail without a host", [2]string{"office@acme.example", "office"}, "spec.mail.replyTo", "write name@example.com"},
		{"two e-mail addresses", [2]string{"office@acme.example", "a@b.example, c@d.example"}, "spec.mail.replyTo", "is no email"},
		{"e-mail with a name", [2]string{"office@acme.example", "Office <office@acme.example>"}, "spec.mail.replyTo", "is no email"},
		{"e-mail with a homoglyph", [2]string{"office@acme.example", "office@асme.example"}, "spec.mail.replyTo", "U+0430"},

		{"page without TLS", [2]string{"https://acme.example/imprint", "http://acme.example/imprint"}, "spec.footer.imprint", "write https://"},
		{"script for a page", [2]string{"https://acme.example/imprint", "javascript:alert(1)//"}, "spec.footer.imprint", "write https://"},
		{"page that seems to be another", [2]string{"https://acme.example/imprint", "https://acme.example@evil.example/"}, "spec.footer.imprint", "leave out what is before the @"},
		{"page with a homoglyph", [2]string{"https://acme.example/imprint", "https://аcme.example/"}, "spec.footer.imprint", "is no uri"},
		{"page with a port", [2]string{"https://acme.example/imprint", "https://acme.example:22/"}, "spec.footer.imprint", "leave out the port"},
		{"page of this machine", [2]string{"https://acme.example/imprint", "https://localhost/"}, "spec.footer.imprint", "two labels or more"},
		{"page in Punycode", [2]string{"https://acme.example/imprint", "https://xn--cme-8cd.example/"}, "spec.footer.imprint", "is reserved"},
		{"page with a quote", [2]string{"https://acme.example/imprint", "https://acme.example/'><script>"}, "spec.footer.imprint", "escape what is not plain"},

		{"palette that cannot be read", [2]string{`"primary": "#003366"`, `"primary": "#99ccff"`}, "spec.palette.onPrimary", "at least 4.5:1 is needed"},
		{"palette against a default", [2]string{`"primary": "#003366"`, `"text": "#eeeeee"`}, "spec.palette.text", "#eeeeee on background #ffffff has a contrast of 1.16:1"},

		{"control character", address(`a\u0000b`), "spec.footer.address", "holds the character U+0000, a control character"},
		{"escape sequence of terminals", address(`\u001b[31m`), "spec.footer.address", "U+001B"},
		{"text that reads backwards", address(`\u202eevil`), "spec.footer.address", "U+202E"},
		{"invisible text", address(`a\u200bb`), "spec.footer.address", "U+200B"},
		{"half a character", address(`\ud800`), "spec.footer.address", "U+FFFD"},

		{"private key", address(`-----BEGIN RSA PRIVATE KEY-----`), "spec.footer.address", "looks like a private key: put it into Secrets Manager"},
		{"AWS key", address("AKIAIOSFODNN7EXAMPLE"), "spec.footer.address", "looks like an AWS access key"},
		{"AWS secret key", address("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "spec.footer.address", "looks like a key or token"},
		{"GitHub token", address("ghp_" + strings.Repeat("a1B2", 9)), "spec.footer.address", "looks like a GitHub token"},
		{"JSON Web Token", address("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"), "spec.footer.address", "looks like a JSON Web Token"},
		{"URL with a password", address("smtp://acme:hunter2@mail.example"), "spec.footer.address", "looks like a URL with a password"},
		{"key for a name", [2]string{`"cost": "4711"`, `"AKIAIOSFODNN7EXAMPLE": "x"`}, "spec.labels", "has a field whose name looks like a secret"},
		{"password by name", [2]string{`"cost": "4711"`, `"smtpPassword": "hunter2"`}, "spec.labels.smtpPassword", "looks like a secret, by its name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(full, c.replace[0], c.replace[1], 1)
			if text == full {
				t.Fatalf("the spec has no %s", c.replace[0])
			}
			faults := s.Validate(json.RawMessage(text))
			if !slices.ContainsFunc(faults, func(f registry.Fault) bool { return f.Path == c.path && strings.Contains(f.Fault, c.fault) }) {
				t.Errorf("the faults are %q, without %s: %s", faults, c.path, c.fault)
			}
		})
	}
}

// TestUnreadable holds what is reported of something that is no spec at all.
func TestUnreadable(t *testing.T) {
	s := schema(t)
	for name, c := range map[string]struct{ text, fault string }{
		"nothing":          {"", "is no JSON: it ends too early"},
		"half an object":   {`{"name": "acme"`, "is no JSON: it ends too early"},
		"two objects":      {full + "{}", "is no JSON: something follows it"},
		"no JSON":          {"name: acme", "is no JSON: something is wrong at byte"},
		"a list":           {"[]", "is of type array and has to be object"},
		"a text":           {`"acme"`, "is of type string and has to be object"},
		"other encoding":   {"{\"name\": \"\xff\xfe\"}", "is not UTF-8"},
		"huge":             {`{"title": "` + strings.Repeat("x", MaxBytes) + `"}`, "at most 65536 are allowed"},
		"deep list":        {strings.Repeat("[", 60000), "is nested deeper than 16 levels"},
		"deep object":      {strings.Repeat(`{"a":`, 10000), "is nested deeper than 16 levels"},
		"a number too big": {strings.Replace(full, `"seats": 12`, `"seats": 1e999`, 1), "is no number that can be kept"},
	} {
		faults := s.Validate(json.RawMessage(c.text))
		if len(faults) == 0 || !slices.ContainsFunc(faults, func(f registry.Fault) bool { return strings.Contains(f.Fault, c.fault) }) {
			t.Errorf("%s: %v, without: %s", name, faults, c.fault)
		}
	}
}

// TestAllFaultsAtOnce holds that nobody has to send a spec once for each mistake, and that an
// answer stays short.
func TestAllFaultsAtOnce(t *testing.T) {
	s := schema(t)
	faults := s.Validate(json.RawMessage(`{"schemaVersion": 1, "name": "www", "titel": "x", "contacts": {}, "seats": 0, "palette": {"primary": "red", "text": "#ffffff"}}`))
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	want := []string{"spec.contacts.owner", "spec.name", "spec.palette.primary", "spec.palette.text", "spec.seats", "spec.titel", "spec.title"}
	if !slices.Equal(paths, want) {
		t.Errorf("faults at %v and not at %v", paths, want)
	}
	many := map[string]int{}
	for i := range 1000 {
		many[fmt.Sprint("field", i)] = i
	}
	text, _ := json.Marshal(many)
	if faults := s.Validate(text); len(faults) != MaxFaults+1 || !strings.HasPrefix(faults[MaxFaults].Fault, "and ") {
		t.Errorf("1,000 unknown fields are reported as %d faults", len(faults))
	}
}

// TestFaultsRepeatNoValues holds that a secret which is refused is not spread by the fault.
func TestFaultsRepeatNoValues(t *testing.T) {
	s := schema(t)
	const secret = "hunter2hunter2"
	for field, text := range map[string]string{
		"pt-BR": secret, "acme": secret, "ana+acme@example.com": secret, "#003366": secret,
		"G-1A2BCD345E": secret, "https://acme.example/imprint?lang=pt#top": secret, "small": secret, "4711": secret,
		"www.acme.example": secret + "_.example", "hello": secret + "!", "office@acme.example": "a@" + secret + "_",
	} {
		changed := strings.Replace(full, `"`+field+`"`, `"`+text+`"`, 1)
		if faults := s.Validate(json.RawMessage(changed)); strings.Contains(fmt.Sprint(faults), secret) {
			t.Errorf("instead of %s: %v", field, faults)
		} else if len(faults) == 0 && field != "acme" {
			t.Errorf("accepted instead of %s", field)
		}
	}
}

func TestSecret(t *testing.T) {
	for _, c := range []struct {
		name, text string
		secret     bool
	}{
		{"password", "hunter2", true},
		{"smtp_password", "hunter2", true},
		{"apiKey", "x", true},
		{"accessTokens", "x", true},
		{"password", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x-AbCdEf", false},
		{"secret", "${steps.database.secret}", false},
		{"password", "", false},
		{"tokens_per_minute", "60", false},
		{"secretary", "Ana", false},
		{"text", "a very long sentence that has no digits and no end", false},
		{"text", "550e8400-e29b-41d4-a716-446655440000", false},
		{"text", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", false},
		{"text", "${steps.database-production.secret}", false},
		{"text", "Ab1Cd2Ef3Gh4Ij5KAb1Cd2Ef3Gh4Ij5K", false}, // 16 characters twice: 4 bits each
		{"text", "Ab1Cd2Ef3Gh4Ij5KAb1Cd2Ef3Gh4Ij5L", true},
		{"text", "0123456789abcdef0123456789abcdef01234", true},
		{"text", "cfut_" + strings.Repeat("a", 48), true},
		{"text", "sk_live_abcdefghijklmnop", true},
		{"url", "https://user:password@example.com", true},
		{"url", "https://example.com:443/@user", false},
	} {
		if got := Secret(c.name, c.text); (got != "") != c.secret {
			t.Errorf("%s %q looks like %q", c.name, c.text, got)
		}
	}
}

func TestSchemaRefusesCommonFields(t *testing.T) {
	if _, err := Schema(map[string]any{"title": map[string]any{"type": "string"}}, nil); err == nil {
		t.Error("a blueprint can change what a title is")
	}
	if _, err := Schema(nil, []string{"seats"}); err == nil {
		t.Error("a field is required that there is not")
	}
	if len(Common()) != 11 {
		t.Errorf("common fields: %v", Common())
	}
}

// TestCompileLoadsNothing holds that a schema cannot have the machine read other files.
func TestCompileLoadsNothing(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(json.RawMessage(`{"$ref":"file://` + other + `"}`)); err == nil {
		t.Error("another file is read")
	}
}
