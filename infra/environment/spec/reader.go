package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/nearest"
)

// reader reads one file.
type reader struct {
	file   string
	lines  map[string]int  // where each key is, by its path
	bad    map[string]bool // the paths that have a fault
	faults Faults
}

// longest is how long a fault is: what a key holds may fill the screen.
const longest = 1000

// fault reports what is wrong at a path.
func (r *reader) fault(line int, path, format string, args ...any) {
	r.bad[path] = true
	text := fmt.Sprintf(format, args...)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	if path != "" {
		text = path + ": " + text
	}
	r.faults = append(r.faults, Fault{File: r.file, Line: line, Text: text})
}

// required stands in place of a default for a key that has to be given.
const required = "required"

// A field is one key, with what it holds.
type field struct {
	key, initial string // initial is the default as YAML; empty for none
	purpose      string
	value
}

// value is a kind of value: what is allowed, in words, and how it is read to where it
// belongs.
type value struct {
	allowed string
	read    func(r *reader, n *yaml.Node, path string)
	below   []field // for documentation
}

// and adds to the words.
func (v value) and(words string) value {
	v.allowed += words
	return v
}

// object is a mapping with known keys.
func object(known ...field) value {
	return value{"a mapping", func(r *reader, n *yaml.Node, path string) {
		given := r.mapping(n, path, known)
		for _, f := range known {
			of := join(path, f.key)
			value := given[f.key]
			switch {
			case value != nil:
			case f.initial == required:
				r.fault(n.Line, of, "required, and missing: %s; allowed: %s", f.purpose, f.allowed)
			case f.initial != "":
				value = initial(f.initial, n.Line)
			}
			if value != nil {
				f.read(r, value, of)
			}
		}
	}, known}
}

// initial is a default as if it had been given.
func initial(text string, line int) *yaml.Node {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		panic(err) // it is a constant of this package
	}
	document.Content[0].Line = line
	return document.Content[0]
}

// mapping is what a mapping holds, by key; a null is as good as nothing. Keys that are not
// known are faults.
func (r *reader) mapping(n *yaml.Node, path string, known []field) map[string]*yaml.Node {
	var names []string
	for _, f := range known {
		names = append(names, f.key)
	}
	given := map[string]*yaml.Node{}
	r.each(n, path, "a mapping with the keys "+strings.Join(names, ", "), func(key string, line int, value *yaml.Node) {
		if !slices.Contains(names, key) {
			instead := "known are " + strings.Join(names, ", ")
			if meant := nearest.Of(key, names); meant != "" {
				instead = "write " + meant
			}
			r.fault(line, join(path, key), "unknown, so it would have no effect (it holds %s): %s", shown(value), instead)
			return
		}
		if value.ShortTag() != "!!null" {
			given[key] = value
		}
	})
	return given
}

// each visits the keys of a mapping, and notes where they are.
func (r *reader) each(n *yaml.Node, path, allowed string, visit func(key string, line int, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, path, errors.New("not a mapping"), allowed)
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		of := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fault(key.Line, path, "has the key %s: not a name", shown(key))
		case value.Kind == yaml.AliasNode:
			r.fault(key.Line, of, "a YAML alias (%s), which would hide where a value comes from: write the value", shown(value))
		case seen[key.Value] > 0:
			r.fault(key.Line, of, "duplicate key, first in line %d: remove one", seen[key.Value])
		default:
			seen[key.Value], r.lines[of] = key.Line, key.Line
			visit(key.Value, key.Line, value)
		}
	}
}

// wrong reports a value that is not allowed.
func (r *reader) wrong(n *yaml.Node, path string, err error, allowed string) {
	r.fault(n.Line, path, "got %s: %v; allowed: %s", shown(n), err, allowed)
}

// shown is a value as it was given, in one line.
func shown(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return "*" + n.Value
	}
	if n.Kind == yaml.ScalarNode {
		if n.ShortTag() == "!!str" {
			return strconv.Quote(n.Value)
		}
		return n.Value
	}
	flow := *n
	flow.Style, flow.HeadComment, flow.LineComment, flow.FootComment = yaml.FlowStyle, "", "", ""
	text, err := yaml.Marshal(&flow)
	if err != nil {
		return "something else"
	}
	return strings.TrimSpace(regexp.MustCompile(`\s+`).ReplaceAllString(string(text), " "))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// text is a string that passes a check.
func text(to *string, allowed string, check func(string) error) value {
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		err := errors.New("not a string")
		switch {
		case n.Kind != yaml.ScalarNode:
		case n.ShortTag() == "!!str":
			*to, err = n.Value, check(n.Value)
		case check(n.Value) == nil:
			err = fmt.Errorf("not a string: write %q, in quotes", n.Value)
		}
		if err != nil {
			r.wrong(n, path, err, allowed)
		}
	}}
}

// pattern is a string of a form.
func pattern(to *string, allowed, form, fault string) value {
	return text(to, allowed, matches(form, fault))
}

func matches(form, fault string) func(string) error {
	compiled := regexp.MustCompile(form)
	return func(s string) error {
		if !compiled.MatchString(s) {
			return errors.New(fault)
		}
		return nil
	}
}

// whole is a whole number that passes a check.
func whole[T int | int64](to *T, allowed string, check func(T) error) value {
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		number, err := strconv.ParseInt(n.Value, 10, 64)
		switch {
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || strconv.FormatInt(number, 10) != n.Value: // 010 is 8 to YAML
			err = errors.New("not a whole number")
			if n.ShortTag() == "!!str" && strconv.FormatInt(number, 10) == n.Value {
				err = errors.New("not a whole number: write it without quotes")
			}
		default:
			*to = T(number)
			err = check(T(number))
		}
		if err != nil {
			r.wrong(n, path, err, allowed)
		}
	}}
}

func between[T int | int64](to *T, least, most T) value {
	return whole(to, fmt.Sprintf("a whole number from %d to %d", least, most), func(n T) error {
		if n < least || n > most {
			return errors.New("out of range")
		}
		return nil
	})
}

func boolean(to *bool) value {
	const allowed = "true or false"
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		*to = n.Value == "true"
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Value != "true" && n.Value != "false" { // YAML has True as well
			r.wrong(n, path, errors.New("neither true nor false"), allowed)
		}
	}}
}

// texts is a list of strings, each of which passes a check and is there once.
func texts(to *[]string, allowed string, least, most int, check func(string) error) value {
	allowed = fmt.Sprintf("a list of %d to %d %s", least, most, allowed)
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(n, path, errors.New("not a list"), allowed)
			return
		}
		for i, item := range n.Content {
			err := errors.New("not a string")
			if item.Kind == yaml.ScalarNode && item.ShortTag() == "!!str" {
				err = check(item.Value)
			}
			if slices.Contains(*to, item.Value) {
				err = errors.New("given twice")
			}
			if err != nil {
				r.bad[path] = true
				r.wrong(item, fmt.Sprintf("%s[%d]", path, i), err, allowed)
				continue
			}
			*to = append(*to, item.Value)
		}
		if !r.bad[path] && (len(*to) < least || len(*to) > most) {
			r.wrong(n, path, errors.New("wrong number of elements"), allowed)
		}
	}}
}
