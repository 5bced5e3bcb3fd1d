// Package assembly reads what a synthesis has written: the stacks of a cloud assembly and
// their templates. The commands around a deployment use it, so that each knows of every
// stack and setting without a configuration of its own.
package assembly

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Stack is one stack of a cloud assembly.
type Stack struct {
	Name string
	// Account and Region are where it is deployed; empty means those of the credentials.
	Account, Region string
	Resources       map[string]Resource // by logical ID
}

// Resource is one resource of a template.
type Resource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
	Metadata       map[string]any
}

// Read reads the stacks of a cloud assembly, such as cdk.out, by their names. What an
// earlier synthesis left in the folder is none of them.
func Read(folder fs.FS) ([]Stack, error) {
	var manifest struct {
		Artifacts map[string]struct {
			Type        string `json:"type"`
			Environment string `json:"environment"` // aws://<account>/<region>
			Properties  struct {
				TemplateFile string `json:"templateFile"`
				StackName    string `json:"stackName"`
			} `json:"properties"`
		} `json:"artifacts"`
	}
	if err := read(folder, "manifest.json", &manifest); err != nil {
		return nil, err
	}
	var stacks []Stack
	for _, name := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		artifact := manifest.Artifacts[name]
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		stack := Stack{Name: name}
		account, region, _ := strings.Cut(strings.TrimPrefix(artifact.Environment, "aws://"), "/")
		if account != "unknown-account" {
			stack.Account = account
		}
		if region != "unknown-region" {
			stack.Region = region
		}
		if artifact.Properties.StackName != "" {
			stack.Name = artifact.Properties.StackName
		}
		if err := read(folder, artifact.Properties.TemplateFile, &stack); err != nil {
			return nil, err
		}
		stacks = append(stacks, stack)
	}
	return stacks, nil
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
