// Package dns is the step that creates a tenant's DNS records, at Cloudflare or Route 53.
// What a service has to do for it is a [Zone].
package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"deployhooks/pkg/tenant/step"
)

// Zone is one zone of a DNS service.
type Zone interface {
	// Find returns the record of a name and type; nil for none.
	Find(ctx context.Context, name, kind string) (*Record, error)
	// Create makes a record with its owner. The error is [ErrExists] if a record
	// stands in its way.
	Create(context.Context, Record) error
	// Replace changes a record that was found.
	Replace(ctx context.Context, found, wanted Record) error
	// Delete removes a record that was found, and its owner. It may be gone already.
	Delete(ctx context.Context, found Record) error
}

// ErrExists is the error of [Zone.Create] for a record that stands in the way.
var ErrExists = errors.New("a record of this name exists")

// Kind is the kind of step.
type Kind struct{ clients Clients }

// New returns the kind.
func New(c Clients) *Kind { return &Kind{c} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check compares the records with the wanted ones.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	zone, wanted, err := k.begin(ctx, in)
	if err != nil {
		return "", err
	}
	there, drifted := 0, false
	for _, w := range wanted {
		found, err := find(ctx, zone, w)
		if err != nil {
			return "", err
		}
		if found != nil {
			there++
			drifted = drifted || !same(*found, w)
		}
	}
	switch {
	case there == 0 && len(former(in, wanted)) == 0:
		return step.Absent, nil
	case drifted || there < len(wanted) || len(former(in, wanted)) > 0:
		return step.Drifted, nil
	}
	return step.Present, nil
}

// Apply creates and corrects the records, and deletes those that are wanted no more.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	zone, wanted, err := k.begin(ctx, in)
	if err != nil {
		return nil, err
	}
	var faults []error
	var lines []string
	for _, w := range wanted {
		faults = append(faults, converge(ctx, zone, w))
		lines = append(lines, w.String())
	}
	for _, r := range former(in, wanted) {
		faults = append(faults, remove(ctx, zone, r))
	}
	return step.Outputs{"records": strings.Join(lines, "\n")}, errors.Join(faults...)
}

// Undo deletes the records.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	zone, wanted, err := k.begin(ctx, in)
	if err != nil {
		return err
	}
	var faults []error
	for _, r := range append(wanted, former(in, wanted)...) {
		faults = append(faults, remove(ctx, zone, r))
	}
	return errors.Join(faults...)
}

func (k *Kind) begin(ctx context.Context, in step.Input) (Zone, []Record, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := p.records(owner(in))
	if err == nil && len(wanted) < len(p.Records) {
		err = errors.New("a reference is left in a record")
	}
	if err != nil {
		return nil, nil, step.Refuse(err, "Correct the records in the blueprint, or what they refer to.")
	}
	zone, err := k.clients.zone(ctx, p)
	return zone, wanted, err
}

// owner marks the records of a step, in 94 characters at most. Cloudflare keeps 100 of a comment in
// its free plan ("Record attributes", Cloudflare DNS documentation).
func owner(in step.Input) string { return "deployhooks " + in.Tenant + " " + in.Step }

// former are the records of the last Apply that are wanted no more.
func former(in step.Input, wanted []Record) []Record {
	var found []Record
	for text := range strings.Lines(in.Before["records"]) {
		r, err := parse(text)
		if err != nil || slices.ContainsFunc(wanted, func(w Record) bool { return w.Name == r.Name && w.Type == r.Type }) {
			continue
		}
		r.Owner = owner(in)
		found = append(found, r)
	}
	return found
}

func same(a, b Record) bool { return a.Value == b.Value && a.TTL == b.TTL }

// find returns the record that is there; that of somebody else is a conflict.
func find(ctx context.Context, zone Zone, w Record) (*Record, error) {
	found, err := zone.Find(ctx, w.Name, w.Type)
	if err != nil {
		return nil, fmt.Errorf("find record %s %s: %w", w.Name, w.Type, err)
	}
	if found != nil && found.Owner != w.Owner {
		return nil, conflict(w)
	}
	return found, nil
}

func conflict(w Record) error {
	return &step.Error{
		Class:  step.Conflict,
		Err:    fmt.Errorf("record %s %s: somebody else's record has this name", w.Name, w.Type),
		Remedy: "Delete that record if nothing uses it, or give the tenant another host name; then retry.",
	}
}

func converge(ctx context.Context, zone Zone, w Record) error {
	found, err := find(ctx, zone, w)
	switch {
	case err != nil:
		return err
	case found == nil:
		return create(ctx, zone, w)
	case same(*found, w):
		return nil
	}
	if err := zone.Replace(ctx, *found, w); err != nil {
		return fmt.Errorf("replace record %s %s: %w", w.Name, w.Type, err)
	}
	return nil
}

// create makes a record. One that is there all the same may be our own: the answer to an earlier
// call was lost.
func create(ctx context.Context, zone Zone, w Record) error {
	err := zone.Create(ctx, w)
	if errors.Is(err, ErrExists) {
		found, err := find(ctx, zone, w)
		if err == nil && (found == nil || !same(*found, w)) {
			err = conflict(w)
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("create record %s %s: %w", w.Name, w.Type, err)
	}
	return nil
}

// remove deletes a record of ours. Somebody else's stays.
func remove(ctx context.Context, zone Zone, w Record) error {
	found, err := zone.Find(ctx, w.Name, w.Type)
	if err == nil && found != nil && found.Owner == w.Owner {
		err = zone.Delete(ctx, *found)
	}
	if err != nil {
		return fmt.Errorf("delete record %s %s: %w", w.Name, w.Type, err)
	}
	return nil
}
