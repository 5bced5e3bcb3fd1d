package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template/parse"
)

// A template is parsed by text/template's parser, and run here: text/template itself calls
// methods by name, so that the linker can leave out none of any type, which adds two
// megabytes to a function's zip. Here every value is quoted as well: no template can forget it.

// template is one parsed file.
type template struct {
	name  string
	quote quoting
	root  *parse.ListNode
	reads []string // the names of all values, in both branches of a condition
}

// functions are those that a template can call, besides the quoting that is always done.
var functions = map[string]quoting{"bool": plainBool, "integer": plainInteger}

// load parses every file of a folder, by its name in it. All faults are reported at once.
func load(files fs.FS, folder string) ([]template, error) {
	sub, err := fs.Sub(files, path.Clean(folder))
	if err != nil {
		return nil, err
	}
	var found []template
	var faults []error
	err = fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sub, name)
		if err != nil {
			return err
		}
		t, err := parseTemplate(name, string(text))
		faults, found = append(faults, err), append(found, t)
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("it has no files")
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("templates %s: %w", folder, err))
	}
	return found, errors.Join(faults...)
}

func parseTemplate(name, text string) (template, error) {
	t := template{name: name, quote: quotings[path.Ext(name)]}
	if t.quote == nil {
		return t, fmt.Errorf("template %s: its ending names no format that values can be quoted for: want .yml, .yaml, .json, .conf or .sh", name)
	}
	names := map[string]any{}
	for f := range functions {
		names[f] = true
	}
	tree, err := parse.New(name).Parse(text, "", "", map[string]*parse.Tree{}, names)
	if err != nil {
		return t, err
	}
	t.root = tree.Root
	err = t.check(tree.Root)
	return t, err
}

// check notes the values that a list of nodes reads, and reports what is not supported here.
func (t *template) check(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	var faults []error
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			name, _, err := t.reference(n.Pipe)
			t.reads, faults = append(t.reads, name), append(faults, err)
		case *parse.IfNode:
			name, quote, err := t.reference(n.Pipe)
			t.reads = append(t.reads, name)
			if err == nil && quote != nil {
				err = fmt.Errorf("template %s:%d: want {{ if .values.name }}", t.name, n.Line)
			}
			faults = append(faults, err, t.check(n.List), t.check(n.ElseList))
		default:
			faults = append(faults, fmt.Errorf("template %s: %s is not supported", t.name, node))
		}
	}
	return errors.Join(faults...)
}

// reference is the value that a pipeline names, and the function it calls with it; nil for none.
func (t template) reference(pipe *parse.PipeNode) (name string, quote quoting, err error) {
	if len(pipe.Cmds) == 1 && len(pipe.Decl) == 0 {
		args := pipe.Cmds[0].Args
		if f, ok := args[0].(*parse.IdentifierNode); ok && len(args) == 2 {
			quote, args = functions[f.Ident], args[1:]
		}
		if field, ok := args[0].(*parse.FieldNode); ok && len(args) == 1 && len(field.Ident) == 2 && field.Ident[0] == "values" {
			return field.Ident[1], quote, nil
		}
	}
	return "", nil, fmt.Errorf("template %s:%d: {{ %s }} is not supported: want {{ .values.name }}", t.name, pipe.Line, pipe)
}

// render fills a template in. Faults name the value, and never repeat it.
func (t template) render(values map[string]string) ([]byte, error) {
	var b strings.Builder
	err := t.write(&b, t.root, values)
	return []byte(b.String()), err
}

func (t template) write(b *strings.Builder, list *parse.ListNode, values map[string]string) error {
	if list == nil {
		return nil
	}
	var faults []error
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			b.Write(n.Text)
		case *parse.ActionNode:
			faults = append(faults, t.writeValue(b, n.Pipe, values))
		case *parse.IfNode:
			name, _, err := t.reference(n.Pipe)
			branch := n.List
			// What a bool of the spec is as a text counts as false as well.
			if v := values[name]; v == "" || v == "false" {
				branch = n.ElseList
			}
			faults = append(faults, err, t.write(b, branch, values))
		}
	}
	return errors.Join(faults...)
}

func (t template) writeValue(b *strings.Builder, pipe *parse.PipeNode, values map[string]string) error {
	name, quote, err := t.reference(pipe)
	if err != nil {
		return err
	}
	value, known := values[name]
	if !known {
		return fmt.Errorf("template %s:%d: there is no value %s in the step's values", t.name, pipe.Line, name)
	}
	if quote == nil {
		quote = t.quote
	}
	text, err := quote(value)
	if err != nil {
		return fmt.Errorf("template %s:%d: value %s %w", t.name, pipe.Line, name, err)
	}
	b.WriteString(text)
	return nil
}
