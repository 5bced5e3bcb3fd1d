package source

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/spec"
)

// keywords are those of JSON Schema that a field can have. Others, $ref and conditions among them,
// would keep references from being checked; a misspelt one would check nothing.
func keywords() []string {
	return []string{
		"type", "title", "description", "default", "examples", "enum", "const", "pattern", "format", "minLength", "maxLength",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "items", "minItems", "maxItems", "uniqueItems",
		"properties", "required", "additionalProperties", "minProperties", "maxProperties",
	}
}

// specSection makes the schema of the spec: the common fields and the blueprint's.
func (l *loader) specSection(n *yaml.Node) {
	fields, required := map[string]any{}, []string{}
	if n != nil {
		section := func(*yaml.Node, string) {}
		l.fields(n, "spec", map[string]read{"properties": section, "required": section}, "properties")
		if p := child(n, "properties"); p != nil {
			fields = l.properties(p, "spec.properties", true)
		}
		required = l.required(n, "spec")
	}
	text, err := spec.Schema(fields, required)
	if err == nil {
		err = json.Unmarshal(text, &l.schema)
	}
	if err != nil && len(l.faults) == 0 {
		l.fault(n, "spec", "%v", err)
	}
	l.out.Spec = text
}

// properties reads the fields of an object; the topmost must not be common ones.
func (l *loader) properties(n *yaml.Node, path string, topmost bool) map[string]any {
	fields := map[string]any{}
	if n.Kind != yaml.MappingNode {
		l.fault(n, path, "has to be a mapping of fields, each with its schema")
		return fields
	}
	l.each(n, func(key, value *yaml.Node) {
		path := join(path, key.Value)
		switch {
		case !identifier.MatchString(key.Value):
			l.fault(key, path, "is no name of a field: use letters, digits and _")
		case topmost && slices.Contains(spec.Common(), key.Value):
			l.fault(key, path, "is a common field of every spec: choose another name")
		default:
			before := len(l.faults)
			fields[key.Value] = l.field(value, path)
			if topmost && len(l.faults) == before {
				l.compile(value, path, fields[key.Value])
			}
		}
	})
	return fields
}

// field reads the schema of one field.
func (l *loader) field(n *yaml.Node, path string) any {
	known := map[string]read{}
	for _, k := range keywords() {
		known[k] = func(*yaml.Node, string) {}
	}
	known["type"] = func(n *yaml.Node, path string) {
		types := []string{"string", "integer", "number", "boolean", "array", "object"}
		if t := l.text(n, path); t != "" && !slices.Contains(types, t) {
			l.fault(n, path, "%.40s is no type: %s", t, instead(t, types))
		}
	}
	known["format"] = func(n *yaml.Node, path string) {
		if f := l.text(n, path); f != "" && !slices.Contains(spec.Formats(), f) {
			l.fault(n, path, "format %.40s is not known: %s", f, instead(f, spec.Formats()))
		}
	}
	l.fields(n, path, known, "type")
	schema, ok := l.data(n, path).(map[string]any)
	if !ok {
		return nil
	}
	if p := child(n, "properties"); p != nil {
		schema["properties"] = l.properties(p, join(path, "properties"), false)
		l.required(n, path)
		if _, said := schema["additionalProperties"]; !said {
			schema["additionalProperties"] = false // a misspelt field is a fault, at every level
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if sub := child(n, name); sub != nil && sub.Kind == yaml.MappingNode {
			schema[name] = l.field(sub, join(path, name))
		}
	}
	return schema
}

// required reads which fields a mapping must have.
func (l *loader) required(n *yaml.Node, path string) []string {
	names := []string{}
	if r := child(n, "required"); r != nil {
		l.texts(r, join(path, "required"), func(item *yaml.Node, name string) {
			if p := child(n, "properties"); p == nil || child(p, name) == nil {
				l.fault(item, join(path, "required"), "%.40s is no field: add it to the properties or leave it out", name)
			}
			names = append(names, name)
		})
	}
	return names
}

// compile checks a field's schema by the rules of JSON Schema, and its default by the schema.
func (l *loader) compile(n *yaml.Node, path string, schema any) {
	text, err := json.Marshal(schema)
	if err != nil {
		l.fault(n, path, "%v", err)
		return
	}
	compiled, err := spec.Compile(text)
	var broken *jsonschema.SchemaValidationError
	if errors.As(err, &broken) && errors.As(broken.Err, new(*jsonschema.ValidationError)) {
		l.broken(n, path, broken.Err.(*jsonschema.ValidationError))
		return
	} else if err != nil {
		l.fault(n, path, "is no schema: %v", err)
		return
	}
	fallback, has := schema.(map[string]any)["default"]
	if !has {
		return
	}
	text, err = json.Marshal(fallback)
	if err == nil {
		fallback, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	}
	if err != nil || compiled.Validate(fallback) != nil {
		l.fault(child(n, "default"), join(path, "default"), "is not what the field's own schema allows: change one of them")
	}
}

// broken reports what is wrong with a schema, where it is.
func (l *loader) broken(n *yaml.Node, path string, e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		l.broken(n, path, cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	for _, token := range e.InstanceLocation {
		if next := child(n, token); next != nil {
			n, path = next, join(path, token)
		} else if i, err := strconv.Atoi(token); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
			n, path = n.Content[i], at(path, i)
		}
	}
	l.fault(n, path, "%s, by the rules of JSON Schema", e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// field is what is known of something that a reference refers to.
type field struct {
	kind     string // its JSON type; empty if there is no such thing
	items    string // the type of the items of a list
	optional bool   // a spec may leave it out, and it has no default
}

// specField finds the field of the spec that a reference refers to.
func (l *loader) specField(n *yaml.Node, path string, r blueprint.Reference) field {
	schema, f := l.schema, field{}
	for i, name := range r[1:] {
		properties, _ := schema["properties"].(map[string]any)
		next, ok := properties[name].(map[string]any)
		if !ok {
			if schema != nil { // without one, the spec has faults of its own
				l.fault(n, path, "%s: %s has no field %s: %s", r, strings.Join(r[:i+1], "."), name, instead(name, names(properties)))
			}
			return field{}
		}
		required, _ := schema["required"].([]any)
		_, fallback := next["default"]
		f.optional = (f.optional || !slices.Contains(required, any(name))) && !fallback
		schema = next
	}
	f.kind, _ = schema["type"].(string)
	for _, of := range []string{"items", "additionalProperties"} {
		if items, ok := schema[of].(map[string]any); ok {
			f.items, _ = items["type"].(string)
		}
	}
	return f
}
