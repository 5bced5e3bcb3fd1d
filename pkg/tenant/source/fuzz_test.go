package source

import (
	"errors"
	"reflect"
	"regexp"
	"testing"

	"deployhooks/pkg/tenant/blueprint"
)

// lineBreak is what ends a line for the parser: more than YAML 1.2 says.
var lineBreak = regexp.MustCompile("[\n\r\u0085\u2028\u2029]")

// FuzzLoad holds that no text breaks the compilation: it ends with faults that say something, in lines
// that there are, or with a blueprint that a function can read.
func FuzzLoad(f *testing.F) {
	f.Add(valid)
	f.Add("name: x\nsteps:\n  - {name: a, kind: reserve, needs: [b]}\n  - {name: b, kind: reserve, needs: [a]}\n")
	f.Add("spec: {properties: {a: {type: object, properties: {b: {type: array, items: {type: string}}}}}}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Load(files(text), kinds())
		var faults Faults
		if errors.As(err, &faults) {
			for _, fault := range faults {
				if fault.Text == "" || fault.Line < 0 || fault.Line > len(lineBreak.FindAllString(text, -1))+2 {
					t.Errorf("fault %q of line %d", fault.Text, fault.Line)
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("not as faults: %v", err)
		}
		encoded, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if decoded, err := blueprint.Decode(encoded); err != nil || !reflect.DeepEqual(decoded, b) {
			t.Errorf("compiled to %+v and decoded as %+v (%v)", b, decoded, err)
		}
	})
}
