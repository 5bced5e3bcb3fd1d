// Package source compiles a blueprint: from the directory that a platform engineer edits,
// blueprint.yaml and the files it names, to what the functions work with. It runs at synthesis,
// in tests and in the demo, and reports everything that is wrong at once, each fault with its
// line and what would be right.
package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
)

// Main is the file of a blueprint that names all others.
const Main = "blueprint.yaml"

// The limits of what is read. A blueprint is trusted, but a mistake must not look like a hang.
const (
	maxMain  = 1 << 20
	maxDepth = 32
	maxSteps = 200
)

// Fault is one thing wrong with a blueprint.
type Fault struct {
	Line int // in blueprint.yaml; 0 for none
	Text string
}

func (f Fault) Error() string {
	if f.Line == 0 {
		return Main + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", Main, f.Line, f.Text)
}

// Faults is everything wrong with a blueprint, in the order of the lines.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Load compiles the blueprint of a directory. The kinds are those that a step can have. What
// is wrong is reported as [Faults].
func Load(fsys fs.FS, kinds map[string]step.Description) (*blueprint.Blueprint, error) {
	l := &loader{
		fsys: fsys, kinds: kinds, declared: map[string]*declaration{},
		out: &blueprint.Blueprint{Environments: map[string]blueprint.Environment{}, Files: map[string][]byte{}},
	}
	if root := l.parse(); root != nil {
		l.document(root)
	}
	if len(l.faults) > 0 {
		slices.SortStableFunc(l.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, l.faults
	}
	l.out.Version = l.out.Hash()
	if _, err := l.out.Encode(); err != nil {
		return nil, err
	}
	return l.out, nil
}

// loader is one compilation.
type loader struct {
	fsys   fs.FS
	kinds  map[string]step.Description
	out    *blueprint.Blueprint
	faults Faults

	schema       map[string]any // of the spec
	environments []string       // in their order
	steps        []*declaration
	declared     map[string]*declaration
	size         int // of the files
}

// fault reports one thing, once: a step of several environments is compiled for each.
func (l *loader) fault(n *yaml.Node, path, format string, arguments ...any) {
	f := Fault{Text: cmp.Or(path, "blueprint") + ": " + fmt.Sprintf(format, arguments...)}
	if n != nil {
		f.Line = n.Line
	}
	if !slices.Contains(l.faults, f) {
		l.faults = append(l.faults, f)
	}
}

// parse reads the main file as one YAML document.
func (l *loader) parse() *yaml.Node {
	text, err := l.read(Main, maxMain)
	if err != nil {
		l.faults = append(l.faults, Fault{Text: err.Error()})
		return nil
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, next yaml.Node
	if err := d.Decode(&doc); err != nil || len(doc.Content) != 1 {
		l.faults = append(l.faults, syntax(err))
		return nil
	}
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		l.faults = append(l.faults, Fault{Line: next.Line, Text: "has a second document: keep one"})
		return nil
	}
	before := len(l.faults)
	l.plain(doc.Content[0], "blueprint", 0)
	if len(l.faults) > before {
		return nil
	}
	return doc.Content[0]
}

// The parser puts the line into its message, and no type has it.
var syntaxLine = regexp.MustCompile(`line (\d+): (.*)`)

// syntax is what the parser reports.
func syntax(err error) Fault {
	if err == nil || errors.Is(err, io.EOF) {
		return Fault{Text: "is no YAML document: it has no content"}
	}
	f := Fault{Text: "is no YAML document: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Text = "is no YAML document: " + m[2]
		if strings.Contains(m[2], "cannot start any token") {
			f.Text += ": indent with spaces, not tabs, and quote a text that begins with @, ` or %"
		}
	}
	return f
}

// read returns a regular file that is not empty and not larger than a limit.
func (l *loader) read(name string, limit int) ([]byte, error) {
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("there is no file %s: add it to the blueprint's directory", name)
	}
	defer f.Close() // it is only read
	text, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("file %s cannot be read: %w", name, err)
	case len(text) == 0:
		return nil, fmt.Errorf("file %s is empty: write it or leave it out", name)
	case len(text) > limit:
		return nil, fmt.Errorf("file %s has more than %d bytes: keep it elsewhere", name, limit)
	}
	return text, nil
}
