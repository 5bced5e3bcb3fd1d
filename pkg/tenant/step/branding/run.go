// Package branding is the step that publishes a tenant's palette, so that branding is
// a matter of run time and not of a build.
package branding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/palette"
	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct{ bucket bucket.Bucket }

// New returns the kind, for the tenants' bucket.
func New(b bucket.Bucket) *Kind { return &Kind{b} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check compares the published files with the palette.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	files, _, err := files(in)
	if err != nil {
		return "", err
	}
	return k.bucket.State(ctx, files, in.Before["css"], in.Before["json"])
}

// Apply publishes the palette.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	files, outputs, err := files(in)
	if err != nil {
		return nil, err
	}
	return outputs, k.bucket.Converge(ctx, files, in.Before["css"], in.Before["json"])
}

// Undo deletes the files.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	files, _, err := files(in)
	if err != nil {
		return err
	}
	return k.bucket.Undo(ctx, files, in.Before["css"], in.Before["json"])
}

// files are the objects by key.
func files(in step.Input) (map[string][]byte, step.Outputs, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, nil, err
	}
	prefix, err := bucket.Prefix(in, p.Prefix)
	if err != nil {
		return nil, nil, err
	}
	if err := faults(p.Palette); err != nil {
		return nil, nil, step.Refuse(err, "Correct the palette in the spec.")
	}
	colours := map[string]string{}
	for role, colour := range p.Palette {
		colours[role] = strings.ToLower(colour)
	}
	text, err := json.MarshalIndent(colours, "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("encode the palette of %s: %w", in.Tenant, err)
	}
	out := step.Outputs{"css": prefix + "branding.css", "json": prefix + "branding.json"}
	return map[string][]byte{out["css"]: css(colours), out["json"]: append(text, '\n')}, out, nil
}

// css has each colour as --brand-<role>. Roles and colours were checked, so nothing needs quoting.
func css(colours map[string]string) []byte {
	var b strings.Builder
	b.WriteString(":root {\n")
	for _, role := range slices.Sorted(maps.Keys(colours)) {
		fmt.Fprintf(&b, "  --brand-%s: %s;\n", role, colours[role])
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

var (
	roleForm   = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,39}$`)
	colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
)

// faults are all faults of a palette: malformed roles and colours, and text that cannot be read. The
// spec's rules refuse most with the request; a blueprint may put colours of its own into a palette.
func faults(colours map[string]string) error {
	var faults []error
	for _, role := range slices.Sorted(maps.Keys(colours)) {
		if !roleForm.MatchString(role) {
			faults = append(faults, fmt.Errorf("role %q: want letters, digits and hyphens, beginning with a letter", role))
		}
		if !colourForm.MatchString(colours[role]) {
			faults = append(faults, fmt.Errorf("colour of %s: want # and six hexadecimal digits", role))
		}
	}
	contrast := palette.Check(colours)
	for _, role := range slices.Sorted(maps.Keys(contrast)) {
		faults = append(faults, fmt.Errorf("%s: %s", role, contrast[role]))
	}
	return errors.Join(faults...)
}
