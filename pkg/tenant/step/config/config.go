// Package config is the step that renders a tenant's configuration files and keeps them where its
// instance reads them.
package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct{ bucket bucket.Bucket }

// New returns the kind, for the tenants' bucket.
func New(b bucket.Bucket) *Kind { return &Kind{b} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// ValidateFiles reports what is wrong with the templates, and values that they read and that
// are missing.
func (p Parameters) ValidateFiles(files fs.FS) error {
	templates, err := load(files, p.Templates)
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range templates {
		for _, name := range t.reads {
			if _, known := p.Values[name]; !known {
				faults = append(faults, fmt.Errorf("template %s reads .values.%s, which is not among the step's values", t.name, name))
			}
		}
	}
	return errors.Join(faults...)
}

// render renders all files of a folder, by their names.
func render(files fs.FS, folder string, values map[string]string) (map[string][]byte, error) {
	templates, err := load(files, folder)
	if err != nil {
		return nil, err
	}
	rendered := map[string][]byte{}
	var faults []error
	for _, t := range templates {
		body, err := t.render(values)
		faults = append(faults, err)
		rendered[t.name] = body
	}
	return rendered, errors.Join(faults...)
}

// Check compares the files that are kept with the rendered ones.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	_, files, err := files(in)
	if err != nil {
		return "", err
	}
	return k.bucket.State(ctx, files, before(in)...)
}

// Apply writes the files, and deletes those that the blueprint has no more.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	prefix, files, err := files(in)
	if err != nil {
		return nil, err
	}
	if err := k.bucket.Converge(ctx, files, before(in)...); err != nil {
		return nil, err
	}
	return step.Outputs{
		"address": "s3://" + k.bucket.Name + "/" + prefix,
		"files":   strings.Join(slices.Sorted(maps.Keys(files)), "\n"),
	}, nil
}

// Undo deletes the files. It needs no values: those of other steps may be gone.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return err
	}
	prefix, err := bucket.Prefix(in, p.Prefix)
	if err != nil {
		return err
	}
	templates, err := load(in.Files, p.Templates)
	if err != nil {
		return step.Refuse(err, "Correct the templates in the blueprint.")
	}
	files := map[string][]byte{}
	for _, t := range templates {
		files[prefix+t.name] = nil
	}
	return k.bucket.Undo(ctx, files, before(in)...)
}

// before are the keys of the last Apply, one a line: a file's name may have spaces.
func before(in step.Input) []string { return strings.Split(in.Before["files"], "\n") }

// files are the wanted files by key.
func files(in step.Input) (prefix string, wanted map[string][]byte, err error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return "", nil, err
	}
	if prefix, err = bucket.Prefix(in, p.Prefix); err != nil {
		return "", nil, err
	}
	rendered, err := render(in.Files, p.Templates, p.Values)
	if err != nil {
		return "", nil, step.Refuse(err, "Correct the templates in the blueprint, or the values that they read.")
	}
	wanted = map[string][]byte{}
	for name, body := range rendered {
		wanted[prefix+name] = body
	}
	return prefix, wanted, nil
}
