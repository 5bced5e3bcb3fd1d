// Command kept lists what of a cloud assembly's stacks outlives them, so that who destroys
// them knows what stays, and goes on to cost. `make destroy` runs it: kept cdk.out.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kept <cloud assembly, such as cdk.out>")
		os.Exit(2)
	}
	if err := list(os.DirFS(os.Args[1]), os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "list what %s keeps: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// assembly is what is read of a cloud assembly's manifest.json.
type assembly struct {
	Artifacts map[string]struct {
		Type       string `json:"type"`
		Properties struct {
			TemplateFile string `json:"templateFile"`
		} `json:"properties"`
	} `json:"artifacts"`
}

// template is what is read of a template.
type template struct {
	Resources map[string]struct {
		Type           string
		DeletionPolicy string
		Metadata       map[string]any
	}
}

// list writes, for each stack, the resources that CloudFormation retains, or keeps a
// snapshot of, when the stack is deleted.
func list(assemblyFolder fs.FS, out io.Writer) error {
	var a assembly
	if err := read(assemblyFolder, "manifest.json", &a); err != nil {
		return err
	}
	for _, stack := range slices.Sorted(maps.Keys(a.Artifacts)) {
		artifact := a.Artifacts[stack]
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		var t template
		if err := read(assemblyFolder, artifact.Properties.TemplateFile, &t); err != nil {
			return err
		}
		kept := keptOf(t)
		if len(kept) == 0 {
			kept = []string{"nothing"}
		}
		fmt.Fprintf(out, "A destroy of %s keeps:\n  %s\n", stack, strings.Join(kept, "\n  "))
	}
	return nil
}

// keptOf are the resources that outlive a stack, sorted.
func keptOf(t template) (kept []string) {
	for id, r := range t.Resources {
		name := id
		if path, ok := r.Metadata["aws:cdk:path"].(string); ok {
			name = strings.TrimSuffix(path, "/Resource")
		}
		switch r.DeletionPolicy {
		case "Retain":
			kept = append(kept, fmt.Sprintf("%s (%s)", name, r.Type))
		case "Snapshot":
			kept = append(kept, fmt.Sprintf("a last snapshot of %s (%s)", name, r.Type))
		}
	}
	slices.Sort(kept)
	return kept
}

func read(from fs.FS, file string, into any) error {
	b, err := fs.ReadFile(from, file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}
