package blueprint

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"deployhooks/pkg/tenant/step"
)

// anyText is text of all kinds, quoting characters and references among them.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "$", "$$", "${", "$${", "}", "${spec.name}", "{{.x}}", `"`, `\`, "'", "\n", "<&>", "\u2028", "é", "'; DROP TABLE x; --", "$(reboot)"}),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"$", "{", "}", "a", "${spec.name}"})).Draw(t, "parts"), "")
		}),
	)
}

// written is a text as somebody writes it in a blueprint to mean exactly that text.
func written(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// TestRenderedIsWhatWasGiven draws parameters out of literals and references and specs with any
// text in them, and holds that each parameter is exactly the literals and values put together, and
// that what has no reference stays as it is.
func TestRenderedIsWhatWasGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := map[string]string{"name": anyText().Draw(t, "name"), "title": anyText().Draw(t, "title")}
		outputs := map[string]step.Outputs{"database-staging": {"secret": anyText().Draw(t, "output")}}
		parameters, want := map[string]any{}, map[string]any{}
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z]{1,3}`), rapid.ID).Draw(t, "names") {
			text, meant := drawText(t, fields, outputs)
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				parameters[name], want[name] = []any{text, 1.5}, []any{meant, 1.5}
			case 1:
				parameters[name], want[name] = map[string]any{"x": text, "y": nil}, map[string]any{"x": meant, "y": nil}
			case 2:
				parameters[name], want[name] = true, true
			default:
				parameters[name], want[name] = text, meant
			}
		}
		encoded, err := json.Marshal(parameters)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := product().Render(Step{Name: "s", Parameters: encoded}, spec, outputs)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		var got map[string]any
		if err := json.Unmarshal(rendered, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s with %s is rendered as %s (%v) and not %q", encoded, spec, rendered, err, want)
		}
	})
}

// drawText returns a text of a blueprint, and what it means.
func drawText(t *rapid.T, fields map[string]string, outputs map[string]step.Outputs) (text, meant string) {
	for range rapid.IntRange(0, 4).Draw(t, "parts") {
		switch rapid.IntRange(0, 3).Draw(t, "part") {
		case 0:
			text, meant = text+"${spec.name}", meant+fields["name"]
		case 1:
			text, meant = text+"${spec.title}", meant+fields["title"]
		case 2:
			text, meant = text+"${steps.database-staging.secret}", meant+outputs["database-staging"]["secret"]
		default:
			// A literal that ends with $ would quote the reference after it.
			literal := strings.TrimRight(strings.ToValidUTF8(anyText().Draw(t, "literal"), ""), "$")
			text, meant = text+written(literal), meant+literal
		}
	}
	return text, meant
}

// TestDecodeEncode holds that a function works with what was compiled.
func TestDecodeEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &Blueprint{
			Name: anyText().Draw(t, "name"), Spec: json.RawMessage(`{}`), Environments: map[string]Environment{},
			Files: map[string][]byte{},
		}
		for _, name := range rapid.SliceOf(rapid.StringMatching(`[a-z]{1,3}`)).Draw(t, "names") {
			parameters, err := json.Marshal(map[string]string{"a": anyText().Draw(t, "parameter")})
			if err != nil {
				t.Fatal(err)
			}
			b.Steps = append(b.Steps, Step{Name: name, Parameters: parameters, Retain: rapid.Bool().Draw(t, "retain"), Files: []string{name}})
			b.Files[name] = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "file")...)
			b.Environments[name] = Environment{Host: anyText().Draw(t, "host"), Settings: map[string]string{"a": anyText().Draw(t, "setting")}}
		}
		b.Version = b.Hash()
		text, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(text); err != nil || !reflect.DeepEqual(got, b) {
			t.Fatalf("%+v was encoded and is decoded as %+v (%v)", b, got, err)
		}
	})
}
