package source

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/nearest"
	"deployhooks/pkg/tenant/blueprint"
)

// plain holds that a document is made of mappings, lists and values only. Anchors and aliases
// are refused as a whole: they would hide where something is written, and a few lines of them
// can stand for any size ("billion laughs").
func (l *loader) plain(n *yaml.Node, path string, depth int) {
	switch {
	case depth > maxDepth:
		l.fault(n, path, "is nested deeper than %d levels", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		l.fault(n, path, "anchors and aliases are not supported: write the text out, or use a setting of the environments")
		return
	case n.Style&yaml.TaggedStyle != 0:
		l.fault(n, path, "tags such as %.40s are not supported: leave it out", n.Tag)
		return
	case n.Kind != yaml.MappingNode:
		for _, item := range n.Content {
			l.plain(item, path, depth+1)
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		l.plain(n.Content[i+1], path, depth+1)
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || key.Anchor != "":
			l.fault(key, path, "a field's name has to be a text: write it in quotes")
		case seen[key.Value] > 0:
			l.fault(key, path, "field %.40s is written twice, the first time in line %d: leave one out", key.Value, seen[key.Value])
		default:
			seen[key.Value] = key.Line
		}
	}
}

// read is what becomes of the value of one field.
type read func(value *yaml.Node, path string)

// fields reads a mapping. Fields that it does not know, and required ones that it lacks, are faults.
func (l *loader) fields(n *yaml.Node, path string, known map[string]read, required ...string) {
	if n.Kind != yaml.MappingNode {
		l.fault(n, path, "has to be a mapping with the fields %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		return
	}
	l.each(n, func(key, value *yaml.Node) {
		if f, ok := known[key.Value]; ok {
			f(value, join(path, key.Value))
		} else {
			l.fault(key, path, "there is no field %.40s: %s", key.Value, instead(key.Value, slices.Sorted(maps.Keys(known))))
		}
	})
	for _, name := range required {
		if child(n, name) == nil {
			l.fault(n, path, "field %s is missing: add it", name)
		}
	}
}

// each visits the fields of a mapping.
func (l *loader) each(n *yaml.Node, visit func(key, value *yaml.Node)) {
	for i := 0; i < len(n.Content); i += 2 {
		visit(n.Content[i], n.Content[i+1])
	}
}

// child is the value of a field; nil if a mapping has no such field.
func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// instead is the remedy for a name that is not known.
func instead(name string, known []string) string {
	if meant := nearest.Of(name, known); meant != "" {
		return "write " + meant
	}
	if len(known) == 0 {
		return "there are none here"
	}
	return "known are " + strings.Join(known, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// text reads a value that is a text and not empty.
func (l *loader) text(n *yaml.Node, path string) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		l.fault(n, path, "has to be a text: %s", quoted(n))
	case n.Value == "":
		l.fault(n, path, "is empty: write a text or leave the field out")
	default:
		return n.Value
	}
	return ""
}

func quoted(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		return "write it in quotes"
	}
	return "write one line"
}

// texts reads a list of texts.
func (l *loader) texts(n *yaml.Node, path string, visit func(item *yaml.Node, text string)) {
	if n.Kind != yaml.SequenceNode {
		l.fault(n, path, "has to be a list: [%s]", "…")
		return
	}
	seen := map[string]bool{}
	for i, item := range n.Content {
		text := l.text(item, fmt.Sprintf("%s[%d]", path, i))
		if seen[text] && text != "" {
			l.fault(item, path, "names %s twice: leave one out", text)
		} else if text != "" {
			visit(item, text)
		}
		seen[text] = true
	}
}

// boolean reads true or false.
func (l *loader) boolean(n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		l.fault(n, path, "has to be true or false")
	}
	return strings.EqualFold(n.Value, "true")
}

// integer reads a decimal integer.
func (l *loader) integer(n *yaml.Node, path string) int64 {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil {
		l.fault(n, path, "has to be a whole number, in decimal digits")
	}
	return i
}

// label reads a name that becomes part of others: host names, databases, state machines.
func (l *loader) label(n *yaml.Node, path string, longest int) string {
	name := l.text(n, path)
	if name == "" {
		return ""
	}
	if err := blueprint.CheckLabel(name); err != nil {
		l.fault(n, path, "%v", err)
	} else if len(name) > longest {
		l.fault(n, path, "has %d characters: at most %d are allowed, as longer names are made of it", len(name), longest)
	}
	return name
}

// identifier is the form of names of settings and of fields of the spec, which references hold.
var identifier = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,39}$`)

// data is a node as JSON knows it.
func (l *loader) data(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		l.each(n, func(key, value *yaml.Node) { object[key.Value] = l.data(value, join(path, key.Value)) })
		return object
	case yaml.SequenceNode:
		list := []any{}
		for i, item := range n.Content {
			list = append(list, l.data(item, fmt.Sprintf("%s[%d]", path, i)))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!str":
		return n.Value
	case "!!int":
		return l.integer(n, path)
	case "!!bool":
		return l.boolean(n, path)
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || f-f != 0 { // infinite or not a number
			l.fault(n, path, "is no number of JSON")
			return 0
		}
		return f
	}
	l.fault(n, path, "has to be a text, a number or a boolean: write it in quotes if it is a text")
	return ""
}
