package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// schema is the version of the stored records.
const schema = 1

// Store is what a registry is kept in.
type Store = store.Transactional[json.RawMessage]

// Layout is the layout of a registry's table.
func Layout(table string) store.Layout {
	return store.Layout{Table: table, Partition: "partition", Sort: "sort", Schema: schema}
}

// NewMemory makes an empty store in the process, for tests and local runs.
func NewMemory() *store.Memory[json.RawMessage] { return store.NewMemory[json.RawMessage](schema) }

// NewDynamoDB makes a store in a table. It makes no call.
func NewDynamoDB(db store.API, table string) *store.DynamoDB[json.RawMessage] {
	return store.NewDynamoDB[json.RawMessage](db, Layout(table))
}

// Registry reads and writes the records of all tenants.
type Registry struct {
	store Store
	now   func() time.Time
}

// New makes a registry. It makes no call.
func New(s Store, now func() time.Time) *Registry { return &Registry{s, now} }

// maxRounds bounds how often a transaction is run again: about as many as there are
// steps of one tenant, each of which can conflict with it once.
const maxRounds = 20

// ErrConflict means that others changed the records of a transaction in every one of its runs.
var ErrConflict = errors.New("others write the same records all the time")

// Update runs a function on a tenant's records and commits what it has put, all or
// nothing. If one of those records was written since it was read, the function is run again,
// at most 20 times; then the error is [ErrConflict]. It is also run again if its own write took
// effect and the answer was lost, so it must see from the records what is done already.
// Records that it only reads are not protected: a function that decides by a record writes it.
// If it returns an error, nothing is written, and Update returns the error as it is.
func (r *Registry) Update(ctx context.Context, tenant string, fn func(*Tx) error) error {
	return r.update(ctx, tenant, map[store.Key]item{}, fn)
}

// update is [Registry.Update] whose first run knows some records already.
func (r *Registry) update(ctx context.Context, tenant string, known map[store.Key]item, fn func(*Tx) error) error {
	for range maxRounds {
		tx := &Tx{ctx: ctx, registry: r, tenant: tenant, now: r.now(), read: known}
		known = map[store.Key]item{}
		if err := fn(tx); err != nil {
			return err
		}
		conflicts, err := r.store.PutAll(ctx, tx.writes...)
		if err != nil {
			return fmt.Errorf("write tenant %s: %w", tenant, err)
		}
		if len(conflicts) == 0 {
			return nil
		}
	}
	return fault.Own(fmt.Errorf("write tenant %s: %w", tenant, ErrConflict))
}

// View is everything of one tenant.
type View struct {
	// Tenant has no name if there is none.
	Tenant Tenant
	// Operations come the oldest first, Steps and Tasks by name.
	Operations []Operation
	Steps      []Step
	Tasks      []ManualTask
}

// Operation is the operation of an ID, without one if there is none.
func (v View) Operation(id string) Operation {
	for _, o := range v.Operations {
		if o.ID == id {
			return o
		}
	}
	return Operation{}
}

// View reads everything of a tenant.
func (r *Registry) View(ctx context.Context, tenant string) (View, error) {
	var v View
	items, err := r.store.List(ctx, partition(tenant))
	if err != nil {
		return v, fmt.Errorf("read tenant %s: %w", tenant, err)
	}
	var errs []error
	for _, i := range items {
		switch kind, _, _ := strings.Cut(i.Key.Sort, "#"); kind {
		case sortTenant:
			errs = append(errs, decode(i, &v.Tenant))
		case sortOperation:
			errs = append(errs, appendTo(i, &v.Operations))
		case sortStep:
			errs = append(errs, appendTo(i, &v.Steps))
		case sortTask:
			errs = append(errs, appendTo(i, &v.Tasks))
		}
	}
	slices.SortStableFunc(v.Operations, func(a, b Operation) int { return a.Created.Compare(b.Created) })
	return v, errors.Join(errs...)
}

// Tenants reads all tenants, by name, those that are removed included.
func (r *Registry) Tenants(ctx context.Context) ([]Tenant, error) {
	listed, err := r.store.List(ctx, partitionTenants)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	keys := make([]store.Key, len(listed))
	for i, l := range listed {
		keys[i] = Tenant{Name: l.Key.Sort}.key()
	}
	items, err := r.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	var all []Tenant
	var errs []error
	for _, k := range keys {
		if i := items[k]; i.Version > 0 {
			errs = append(errs, appendTo(i, &all))
		}
	}
	return all, errors.Join(errs...)
}

// Open lists the operations that are not ended or have notifications to send, the
// oldest first. The list is eventually consistent, as [store.Store.Open] is: an operation
// may be missing or old for a moment.
func (r *Registry) Open(ctx context.Context) ([]Operation, error) {
	items, err := r.store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("list open operations: %w", err)
	}
	var all []Operation
	var errs []error
	for _, i := range items {
		errs = append(errs, appendTo(i, &all))
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return all, errors.Join(errs...)
}

// History reads the newest audit events of a tenant, the newest first, at most as many as the limit.
func (r *Registry) History(ctx context.Context, tenant string, limit int) ([]AuditEvent, error) {
	items, err := r.store.Last(ctx, partitionAudit+tenant, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit events of %s: %w", tenant, err)
	}
	var all []AuditEvent
	var errs []error
	for _, i := range items {
		errs = append(errs, appendTo(i, &all))
	}
	return all, errors.Join(errs...)
}

type item = store.Item[json.RawMessage]

// decode reads a record into a value, which stays as it is for one that was never written.
func decode[T any](i item, into *T) error {
	switch {
	case i.Unreadable != nil:
		return fault.Own(i.Unreadable)
	case len(i.Value) == 0:
		return nil
	}
	if err := json.Unmarshal(i.Value, into); err != nil {
		return fault.Own(fmt.Errorf("item %s is damaged: %w", i.Key, err))
	}
	return nil
}

// appendTo adds a record that can be read.
func appendTo[T any](i item, all *[]T) error {
	var v T
	if err := decode(i, &v); err != nil {
		return err
	}
	*all = append(*all, v)
	return nil
}
