package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"deployhooks/pkg/nearest"
)

// readable decodes the spec, and reports whether there is something to check.
func (v *validation) readable(raw json.RawMessage) bool {
	switch {
	case len(raw) > MaxBytes:
		v.fault("spec", "has %d bytes: at most %d are allowed; keep files elsewhere and link to them", len(raw), MaxBytes)
		return false
	case !utf8.Valid(raw):
		v.fault("spec", "is not UTF-8: encode it as JSON is")
		return false
	}
	if err := walk(raw, v.fault); err != nil {
		v.fault("spec", "is no JSON: %v", err)
		return false
	}
	if len(v.faults) > 0 { // too deep, or not what it seems
		return false
	}
	spec, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		v.fault("spec", "is no JSON: something follows it")
		return false
	}
	v.spec = spec
	return true
}

// level is an object or a list that is being read.
type level struct {
	names map[string]bool // of an object; nil for a list
	name  string          // the field that is being read
	key   bool            // a name is next
}

// walk reads a text token by token, and reports what decoders would pass over or suffer from: depth,
// numbers of any size, and fields that are given twice, of which one decoder takes the first and
// another the last.
func walk(raw []byte, fault func(path, format string, arguments ...any)) error {
	var levels []level
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(levels) == 0 && d.InputOffset() > 0 {
			return nil
		} else if err != nil {
			return syntax(err)
		}
		top := len(levels) - 1
		name, isText := token.(string)
		switch {
		case isText && top >= 0 && levels[top].key:
			l := &levels[top]
			l.key, l.name = false, name
			if l.names[name] {
				fault(pathOf(levels), "is given twice: leave one out")
			}
			l.names[name] = true
			continue
		case token == json.Delim('{') || token == json.Delim('['):
			if len(levels) == MaxDepth {
				fault(pathOf(levels), "is nested deeper than %d levels", MaxDepth)
				return nil
			}
			next := level{}
			if token == json.Delim('{') {
				next = level{names: map[string]bool{}, key: true}
			}
			levels = append(levels, next)
			continue
		case token == json.Delim('}') || token == json.Delim(']'):
			levels = levels[:top]
			top--
		}
		if n, ok := token.(json.Number); ok && (len(n) > 18 || strings.ContainsAny(string(n), "eE")) {
			fault(pathOf(levels), "is no number that can be kept: write at most 18 digits, without an exponent")
		}
		if top >= 0 {
			levels[top].key = levels[top].names != nil
		}
	}
}

// pathOf is where a decoder is.
func pathOf(levels []level) string {
	path := "spec"
	for _, l := range levels {
		if l.names == nil {
			path += "[]"
		} else if !l.key {
			path = join(path, l.name)
		}
	}
	return path
}

// syntax is a syntax error without the text around it, which could be a secret.
func syntax(err error) error {
	var e *json.SyntaxError
	if errors.As(err, &e) {
		return fmt.Errorf("something is wrong at byte %d", e.Offset)
	}
	return errors.New("it ends too early")
}

// conform checks the spec against its schema.
func (v *validation) conform() {
	var invalid *jsonschema.ValidationError
	if errors.As(v.schema.Validate(v.spec), &invalid) {
		v.invalid(invalid)
	}
}

// invalid reports what the validator found, cause by cause.
func (v *validation) invalid(e *jsonschema.ValidationError) {
	path := v.path(e.InstanceLocation)
	field := v.at(e.InstanceLocation...)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			v.fault(join(path, name), "is missing: %s", describe(v.at(append(slices.Clone(e.InstanceLocation), name)...)))
		}
	case *kind.AdditionalProperties:
		properties, _ := field["properties"].(map[string]any)
		known := slices.Sorted(maps.Keys(properties))
		for _, name := range k.Properties {
			if meant := nearest.Of(name, known); meant != "" {
				v.fault(join(path, name), "there is no such field: write %s", meant)
			} else {
				v.fault(join(path, name), "there is no such field: known are %s", strings.Join(known, ", "))
			}
		}
	case *kind.Type:
		v.fault(path, "is of type %s and has to be %s: %s", k.Got, strings.Join(k.Want, " or "), describe(field))
	case *kind.Enum:
		allowed, _ := json.Marshal(k.Want)
		v.fault(path, "has to be one of %s", allowed)
	case *kind.Const:
		allowed, _ := json.Marshal(k.Want)
		v.fault(path, "has to be %s", allowed)
	case *kind.Pattern:
		v.fault(path, "does not match %s: %s", k.Want, describe(field))
	case *kind.Format:
		v.fault(path, "is no %s: %v", k.Want, k.Err)
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				v.invalid(cause)
			}
			return
		}
		// What is left are numbers and lengths: nothing of the spec's text.
		v.fault(path, "%s: %s", e.ErrorKind.LocalizedString(message.NewPrinter(language.English)), describe(field))
	}
}

// describe is what a field is for.
func describe(field map[string]any) string {
	if d, ok := field["description"].(string); ok {
		return d
	}
	return "see the schema"
}

// path is a location as people write it: spec.contacts.owner, spec.languages[0].
func (v *validation) path(location []string) string {
	path, value := "spec", v.spec
	for _, token := range location {
		switch parent := value.(type) {
		case []any:
			path += "[" + token + "]"
			if i, err := strconv.Atoi(token); err == nil && i < len(parent) {
				value = parent[i]
			}
		case map[string]any:
			path = join(path, token)
			value = parent[token]
		}
	}
	return path
}

var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,39}$`)

// join adds a field's name to a path; one that is not plain is quoted and cut.
func join(path, name string) string {
	if plain.MatchString(name) {
		return path + "." + name
	}
	return path + fmt.Sprintf("[%+.40q]", name)
}
