package source

import (
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/spec"
)

// files reads the files that the parameters of a step name, and lists their paths. A directory
// stands for everything in it but names that begin with a dot.
func (c *call) files(n *yaml.Node, path string) []string {
	var files []string
	for _, name := range c.declaration.kind.Files {
		for _, value := range texts(child(n, name)) {
			files = append(files, c.file(value, join(path, name))...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// texts are the values of a parameter: itself, or those of its list or mapping.
func texts(n *yaml.Node) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	case n.Kind == yaml.MappingNode:
		var values []*yaml.Node
		for i := 1; i < len(n.Content); i += 2 {
			values = append(values, n.Content[i])
		}
		return values
	}
	return []*yaml.Node{n}
}

// file reads one file or directory.
func (c *call) file(n *yaml.Node, path string) []string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		return nil // it has its fault as a parameter
	}
	if n = c.substitute(n, path); strings.Contains(n.Value, "${") {
		c.fault(n, path, "names a file of the blueprint, so it can refer to the environment only")
		return nil
	}
	if !fs.ValidPath(n.Value) || n.Value == Main || n.Value == "." {
		c.fault(n, path, "is no path below the blueprint's directory: write it as db/migrations, without ./, .. or a / at the end")
		return nil
	}
	var found []string
	err := fs.WalkDir(c.fsys, n.Value, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			found = append(found, name)
			c.keep(n, path, name)
		case !entry.IsDir():
			c.fault(n, path, "%s is neither a file nor a directory: links are not followed", name)
		}
		return nil
	})
	switch {
	case err != nil:
		c.fault(n, path, "there is no file %.100s: add it to the blueprint's directory", n.Value)
	case len(found) == 0:
		c.fault(n, path, "directory %.100s has no files: add some or leave the parameter out", n.Value)
	}
	return found
}

// keep reads one file into the blueprint.
func (c *call) keep(n *yaml.Node, path, name string) {
	if _, read := c.out.Files[name]; read {
		return
	}
	text, err := c.read(name, blueprint.MaxFile)
	if err != nil {
		c.fault(n, path, "%v", err)
		return
	}
	if c.size += len(text); c.size > blueprint.MaxFiles {
		c.fault(n, path, "with %s the files have more than %d bytes: keep them elsewhere", name, blueprint.MaxFiles)
		return
	}
	if what := spec.KnownSecret(string(text)); what != "" {
		c.fault(n, path, "file %s holds %s: put it into Secrets Manager", name, what)
	}
	c.out.Files[name] = text
}

// mark is on values of the shipped blueprint that are nobody's, such as its domain.
const mark = "# REPLACE"

// Marks are the lines of blueprint.yaml that are still marked in a copy of the shipped blueprint;
// none if the file cannot be read.
func Marks(fsys fs.FS) (lines []int) {
	text, _ := fs.ReadFile(fsys, Main) // [Load] reports the error
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, mark) {
			lines = append(lines, i+1)
		}
	}
	return lines
}
