package spec

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/nearest"
)

// Folder is where environment files are, from the top of the module.
const Folder = "infra/environment"

const extension = ".yaml"

// tabs is an indentation that the YAML library's errors do not name.
var tabs = regexp.MustCompile(`(?m)^ *\t`)

// Fault is one thing wrong with an environment file.
type Fault struct {
	File string
	Line int // 0 for the file as a whole
	Text string
}

func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Faults is everything wrong with an environment file, in the order of its lines.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Read reads the environment of a name, which is a file in [Folder], or of a path that
// ends in .yaml. What is wrong with it is reported as [Faults], all at once; that includes
// what does not fit the other environments of its folder.
func Read(nameOrPath string) (*Environment, error) {
	file := nameOrPath
	if filepath.Ext(file) != extension {
		file = filepath.Join(Folder, nameOrPath+extension)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(nameOrPath, file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the environment %s: %w", nameOrPath, err)
	}
	r := &reader{file: file, lines: map[string]int{}, bad: map[string]bool{}}
	e := &Environment{}
	if root := r.parse(text); root != nil {
		object(fields(e)...).read(r, root, "")
		r.check(e, siblings(file))
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, r.faults
	}
	return e, nil
}

// missing says which environments there are.
func missing(name, file string) error {
	var names []string
	for _, other := range files(filepath.Dir(file)) {
		names = append(names, strings.TrimSuffix(filepath.Base(other), extension))
	}
	instead := "the folder has none"
	if len(names) > 0 {
		instead = "there are " + strings.Join(names, ", ")
	}
	if meant := nearest.Of(name, names); meant != "" {
		instead = "write " + meant
	}
	return fmt.Errorf("there is no environment %q, because there is no file %s: %s", name, file, instead)
}

// files are the environment files of a folder.
func files(folder string) []string {
	found, _ := fs.Glob(os.DirFS(folder), "*"+extension) // the pattern is a good one
	for i, name := range found {
		found[i] = filepath.Join(folder, name)
	}
	return found
}

// sibling is what another environment of the folder must not share.
type sibling struct {
	file     string
	Name     string
	Account  string
	Region   string
	Network  struct{ CIDR string }
	Services map[string]struct{ Hosts []string }
	Database *struct {
		MaxStorageGiB int `yaml:"maxStorageGiB"`
	}
}

// routes reports whether a host is one of its services'.
func (o sibling) routes(host string) bool {
	for _, s := range o.Services {
		if slices.Contains(s.Hosts, host) {
			return true
		}
	}
	return false
}

// siblings are the other environments of a file's folder. One that cannot be read has
// faults of its own, which its own synthesis reports.
func siblings(file string) []sibling {
	var others []sibling
	for _, other := range files(filepath.Dir(file)) {
		text, err := os.ReadFile(other)
		s := sibling{file: filepath.Base(other)}
		if s.file == filepath.Base(file) || err != nil {
			continue
		}
		var wrong *yaml.TypeError // of one key; the others are there
		if err := yaml.Unmarshal(text, &s); err != nil && !errors.As(err, &wrong) {
			continue
		}
		others = append(others, s)
	}
	return others
}

// parse reads the file as one YAML document, which is one mapping.
func (r *reader) parse(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var document, next yaml.Node
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		r.faults = append(r.faults, Fault{File: r.file, Text: "is empty: an environment has a name, a region, a network, a domain and services"})
	case err != nil:
		fault := "is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")
		if tabs.Match(text) {
			fault += "; a line begins with a tab, which YAML does not take: indent with spaces"
		}
		r.faults = append(r.faults, Fault{File: r.file, Text: fault})
	case !errors.Is(decoder.Decode(&next), io.EOF):
		r.faults = append(r.faults, Fault{File: r.file, Line: next.Line, Text: "has a second YAML document: write a file for each environment"})
	default:
		return document.Content[0]
	}
	return nil
}
