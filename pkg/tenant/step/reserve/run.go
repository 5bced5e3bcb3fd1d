package reserve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct{ registry *registry.Registry }

// New returns the kind.
func New(r *registry.Registry) *Kind { return &Kind{r} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check counts the names that the tenant has.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	names, former, err := names(in)
	if err != nil {
		return "", err
	}
	n := 0
	err = k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) error {
		owners, err := tx.Owners(names...)
		n = 0
		for _, owner := range owners {
			if owner == in.Tenant {
				n++
			}
		}
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("read the names of %s: %w", in.Tenant, err)
	case n == 0:
		return step.Absent, nil
	case n < len(names) || len(former) > 0:
		return step.Drifted, nil
	}
	return step.Present, nil
}

// Apply claims the names, and releases those that the step claimed before.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	names, former, err := names(in)
	if err != nil {
		return nil, err
	}
	err = k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) error {
		if err := tx.Claim(names...); err != nil {
			return err
		}
		return tx.Release(former...)
	})
	if errors.Is(err, registry.ErrTaken) {
		return nil, &step.Error{Class: step.Conflict, Err: fmt.Errorf("claim names for %s: %w", in.Tenant, err), Remedy: "Give the tenant another name, or remove the other tenant."}
	}
	if err != nil {
		return nil, fmt.Errorf("claim names for %s: %w", in.Tenant, err)
	}
	return step.Outputs{"names": strings.Join(names, "\n")}, nil
}

// Undo releases the names.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	names, former, err := names(in)
	if err != nil {
		return err
	}
	err = k.registry.Update(ctx, in.Tenant, func(tx *registry.Tx) error { return tx.Release(append(names, former...)...) })
	if err != nil {
		return fmt.Errorf("release names of %s: %w", in.Tenant, err)
	}
	return nil
}

// names are the wanted ones in one spelling, and those that the last Apply claimed and that are
// wanted no more.
func names(in step.Input) (wanted, former []string, err error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range p.Names {
		wanted = append(wanted, strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), ".")))
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	odd := func(name string) bool { return name == "" || strings.ContainsFunc(name, unicode.IsSpace) }
	if len(wanted) == 0 || slices.ContainsFunc(wanted, odd) {
		return nil, nil, step.Refuse(fmt.Errorf("step %s has no name to claim, or one that is empty or has spaces", in.Step), "Correct the names in the blueprint, or what they refer to.")
	}
	for _, name := range strings.Fields(in.Before["names"]) {
		if !slices.Contains(wanted, name) {
			former = append(former, name)
		}
	}
	return wanted, former, nil
}
