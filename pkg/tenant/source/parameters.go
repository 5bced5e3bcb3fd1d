package source

import (
	"encoding/json"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
)

// parameters reads the parameters of a step by the struct of its kind, and the files they name.
func (l *loader) parameters(d *declaration, s blueprint.Step, all []blueprint.Step) (json.RawMessage, []string) {
	c := &call{loader: l, declaration: d, step: s, needs: map[string][]string{}}
	for _, other := range all {
		c.needs[other.Name] = other.Needs
	}
	path := join(d.path, "parameters")
	n := child(d.node, "parameters")
	if n == nil { // what is missing is reported at the step
		n = &yaml.Node{Kind: yaml.MappingNode, Line: d.node.Line}
	}
	if d.kind.Parameters == nil {
		l.fields(n, path, nil)
		return json.RawMessage("{}"), nil
	}
	before := len(l.faults)
	parameters := d.kind.Parameters()
	t := reflect.TypeOf(parameters).Elem()
	value := c.value(n, path, "", t, true)
	files := c.files(n, path)
	text, err := json.Marshal(value)
	if err != nil {
		l.fault(n, path, "%v", err)
	}
	if len(l.faults) > before {
		return text, files
	}
	// The kind's own rules, with references in place where a text can hold them.
	literal, err := json.Marshal(literals(value, t))
	if err == nil {
		err = json.Unmarshal(literal, parameters)
	}
	if rules, ok := parameters.(interface{ Validate() error }); ok && err == nil {
		err = rules.Validate()
	}
	if rules, ok := parameters.(interface{ ValidateFiles(fs.FS) error }); ok && err == nil {
		var kept fs.FS // what the step finds when it runs: no hidden files
		if kept, err = l.out.FS(); err == nil {
			err = rules.ValidateFiles(kept)
		}
	}
	if err != nil {
		l.fault(n, path, "%v", err)
	}
	return text, files
}

// call is the parameters of one step in one environment.
type call struct {
	*loader
	declaration *declaration
	step        blueprint.Step
	needs       map[string][]string
}

// value reads a parameter of a type; name is that of the parameter, for what looks like a secret.
func (c *call) value(n *yaml.Node, path, name string, t reflect.Type, required bool) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	n = c.substitute(n, path)
	segments := c.segments(n, path)
	if len(segments) == 1 && segments[0].Reference != nil {
		return c.whole(n, path, segments[0].Reference, t, required)
	}
	switch t.Kind() {
	case reflect.String:
		c.secret(n, path, name)
		for _, s := range segments {
			if f := c.refer(n, path, s.Reference); f.kind == "array" || f.kind == "object" {
				c.fault(n, path, "%s is of type %s: a text can hold texts, numbers and booleans", s.Reference, f.kind)
			}
		}
		return c.text(n, path)
	case reflect.Bool:
		return c.boolean(n, path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return c.integer(n, path)
	case reflect.Slice:
		return c.list(n, path, name, t)
	case reflect.Map:
		return c.mapping(n, path, t)
	case reflect.Struct:
		return c.object(n, path, t)
	}
	c.fault(n, path, "kind %s is broken: a parameter cannot be of type %s", c.declaration.kind.Name, t)
	return nil
}

func (c *call) list(n *yaml.Node, path, name string, t reflect.Type) any {
	if n.Kind != yaml.SequenceNode {
		c.fault(n, path, "has to be a list: [one, two]")
		return nil
	}
	list := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		list = append(list, c.value(item, at(path, i), name, t.Elem(), false))
	}
	return list
}

func (c *call) mapping(n *yaml.Node, path string, t reflect.Type) any {
	if n.Kind != yaml.MappingNode {
		c.fault(n, path, "has to be a mapping: {name: value}")
		return nil
	}
	mapping := map[string]any{}
	c.each(n, func(key, value *yaml.Node) {
		mapping[key.Value] = c.value(value, join(path, key.Value), key.Value, t.Elem(), false)
	})
	return mapping
}

// object reads the fields of a struct by their tags: json, and required.
func (c *call) object(n *yaml.Node, path string, t reflect.Type) any {
	object := map[string]any{}
	known := map[string]read{}
	var needed []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		required := f.Tag.Get("required") == "true"
		known[name] = func(n *yaml.Node, path string) { object[name] = c.value(n, path, name, f.Type, required) }
		if required {
			needed = append(needed, name)
		}
	}
	c.fields(n, path, known, needed...)
	return object
}

// whole checks a parameter that is one reference and nothing else. It gets the value as it is; a
// text gets the text of a number or boolean.
func (c *call) whole(n *yaml.Node, path string, r blueprint.Reference, t reflect.Type, required bool) any {
	f := c.refer(n, path, r)
	if f.kind == "" {
		return nil
	}
	if f.optional && required {
		c.fault(n, path, "%s can be left out of a spec, and this parameter is needed: make the field required or give it a default", r)
	}
	want, items := jsonType(t), ""
	if want == "array" || t.Kind() == reflect.Map {
		items = jsonType(t.Elem())
	}
	switch {
	case f.kind == want && f.items == items:
		return r.String()
	case want == "string" && f.kind != "array" && f.kind != "object":
		return append(blueprint.Reference{"text"}, r...).String()
	}
	c.fault(n, path, "%s is of type %s and the parameter of type %s", r, typeName(f.kind, f.items), typeName(want, items))
	return nil
}

// substitute replaces what is known now: references to the environment by its settings, and the
// names of steps by those of the same environment. So a kind sees its constants at synthesis, for
// its rules and its permissions.
func (c *call) substitute(n *yaml.Node, path string) *yaml.Node {
	segments := c.segments(n, path)
	if len(segments) == 0 {
		return n
	}
	var text strings.Builder
	for _, s := range segments {
		switch r := s.Reference; {
		case r == nil:
			text.WriteString(strings.ReplaceAll(s.Literal, "${", "$${"))
		case r[0] == "environment":
			text.WriteString(c.setting(n, path, r))
		case r[0] == "steps" && len(r) == 3 && c.declared[r[1]] != nil && slices.Contains(c.declared[r[1]].environments, c.step.Environment):
			text.WriteString(blueprint.Reference{"steps", expanded(r[1], c.step.Environment), r[2]}.String())
		default:
			text.WriteString(r.String())
		}
	}
	replaced := *n
	replaced.Value = text.String()
	return &replaced
}

// setting is what a reference to the step's environment stands for.
func (c *call) setting(n *yaml.Node, path string, r blueprint.Reference) string {
	e := c.out.Environments[c.step.Environment]
	settings := map[string]string{"name": c.step.Environment, "host": e.Host}
	maps.Copy(settings, e.Settings)
	text, known := settings[r[1]]
	if !known {
		text = "unknown" // and no empty text, which would be a fault more
	}
	switch {
	case c.step.Environment == "":
		c.fault(n, path, "%s: the step has no environment: give it environments: [%s]", r, strings.Join(c.environments, ", "))
	case len(r) != 2 || !known:
		c.fault(n, path, "%s: environment %s has no setting %s: %s", r, c.step.Environment, strings.Join(r[1:], "."), instead(r[1], names(settings)))
	}
	return text
}

// refer finds what a reference refers to.
func (c *call) refer(n *yaml.Node, path string, r blueprint.Reference) field {
	switch {
	case r == nil:
		return field{}
	case r[0] == "spec":
		return c.specField(n, path, r)
	}
	return c.output(n, path, r)
}

// output finds the output of a needed step that a reference refers to.
func (c *call) output(n *yaml.Node, path string, r blueprint.Reference) field {
	other := c.of(r[1])
	if len(r) != 3 || other == nil {
		c.fault(n, path, "%s: there is no such step: write ${steps.<step>.<output>}: %s", r, instead(r[1], names(c.declared)))
		return field{}
	}
	name := r[1]
	if name == other.name && len(other.environments) > 0 {
		c.fault(n, path, "%s: which environment's? write ${steps.%s.%s}", r, expanded(name, other.environments[0]), r[2])
		return field{}
	}
	var outputs []string
	for _, o := range other.kind.Outputs {
		outputs = append(outputs, o.Name)
	}
	switch {
	case other.kind.Name == "": // unknown
	case !slices.Contains(outputs, r[2]):
		c.fault(n, path, "%s: kind %s has no output %s: %s", r, other.kind.Name, r[2], instead(r[2], outputs))
	case way(c.needs, c.step.Name, name, map[string]bool{}) == nil:
		c.fault(n, path, "${steps.%s.%s}: the step does not need %s: add it to its needs", other.name, r[2], other.name)
	default:
		return field{kind: "string"}
	}
	return field{}
}
