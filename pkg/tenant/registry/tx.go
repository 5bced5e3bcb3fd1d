package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Keys of the records.
const (
	partitionTenants = "tenants" // the name of each tenant, to list them
	partitionAudit   = "audit#"
	partitionName    = "name#"

	sortTenant    = "tenant"
	sortOperation = "operation"
	sortStep      = "step"
	sortTask      = "task"
)

func partition(tenant string) string { return "tenant#" + tenant }

// Record is a record of one tenant: [Tenant], [Operation], [Step] or [ManualTask].
type Record interface{ key() store.Key }

func (t Tenant) key() store.Key { return store.Key{Partition: partition(t.Name), Sort: sortTenant} }

func (o Operation) key() store.Key { return operationKey(o.Tenant, o.ID) }

func (s Step) key() store.Key { return stepKey(s.Tenant, s.Name) }

func (m ManualTask) key() store.Key { return taskKey(m.Tenant, m.Step) }

func operationKey(tenant, id string) store.Key {
	return store.Key{Partition: partition(tenant), Sort: sortOperation + "#" + id}
}

func stepKey(tenant, name string) store.Key {
	return store.Key{Partition: partition(tenant), Sort: sortStep + "#" + name}
}

func taskKey(tenant, step string) store.Key {
	return store.Key{Partition: partition(tenant), Sort: sortTask + "#" + step}
}

func nameKey(name string) store.Key { return store.Key{Partition: partitionName + name, Sort: "name"} }

// Tx is one run of a transaction on the records of one tenant; see [Registry.Update]. It is used by
// one goroutine. What it reads is read once.
type Tx struct {
	ctx      context.Context
	registry *Registry
	tenant   string
	now      time.Time
	read     map[store.Key]item
	writes   []item
	audited  int
}

// Then runs another transaction as [Registry.Update] does, after this one is committed. It
// begins with what this one has read and written: only if somebody has written a record
// since that it writes, it reads anew.
func (tx *Tx) Then(ctx context.Context, fn func(*Tx) error) error {
	known := maps.Clone(tx.read)
	for _, w := range tx.writes {
		known[w.Key] = item{Key: w.Key, Version: w.Version + 1, Value: w.Value}
	}
	return tx.registry.update(ctx, tx.tenant, known, fn)
}

// Now is when this run began.
func (tx *Tx) Now() time.Time { return tx.now }

// Load reads the tenant, an operation and steps in one call, so that the methods that return
// them make none.
func (tx *Tx) Load(operation string, steps ...string) error {
	keys := []store.Key{tx.tenantKey(), operationKey(tx.tenant, operation)}
	for _, s := range steps {
		keys = append(keys, stepKey(tx.tenant, s))
	}
	return tx.load(keys...)
}

// LoadNames reads the tenant, operations and who has claimed names in one call.
func (tx *Tx) LoadNames(operations, names []string) error {
	keys := []store.Key{tx.tenantKey()}
	for _, id := range operations {
		keys = append(keys, operationKey(tx.tenant, id))
	}
	for _, n := range names {
		keys = append(keys, nameKey(n))
	}
	return tx.load(keys...)
}

// Tenant is the tenant; it has no name if there is none.
func (tx *Tx) Tenant() (Tenant, error) { return one[Tenant](tx, tx.tenantKey()) }

// Operation is an operation of the tenant; it has no ID if there is none.
func (tx *Tx) Operation(id string) (Operation, error) {
	return one[Operation](tx, operationKey(tx.tenant, id))
}

// Operations are operations of the tenant, in the order of the IDs, read in one call.
func (tx *Tx) Operations(ids ...string) ([]Operation, error) {
	keys := make([]store.Key, len(ids))
	all := make([]Operation, len(ids))
	for i, id := range ids {
		keys[i] = operationKey(tx.tenant, id)
	}
	if err := tx.load(keys...); err != nil {
		return nil, err
	}
	for i, k := range keys {
		if err := decode(tx.read[k], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Steps are steps of the tenant by name, read in one call. One that was never run has
// its names and no state.
func (tx *Tx) Steps(names ...string) (map[string]Step, error) {
	keys := make([]store.Key, len(names))
	for i, n := range names {
		keys[i] = stepKey(tx.tenant, n)
	}
	if err := tx.load(keys...); err != nil {
		return nil, err
	}
	all := make(map[string]Step, len(names))
	for i, n := range names {
		s := Step{Tenant: tx.tenant, Name: n}
		if err := decode(tx.read[keys[i]], &s); err != nil {
			return nil, err
		}
		all[n] = s
	}
	return all, nil
}

// Task is the manual task of a step; it has no step if there is none.
func (tx *Tx) Task(step string) (ManualTask, error) {
	return one[ManualTask](tx, taskKey(tx.tenant, step))
}

// rejectedFor is how long a rejected operation is kept.
const rejectedFor = 90 * 24 * time.Hour

// Put adds records of the tenant to what is written. Of a record that is put twice, the
// last is written. The error is of a read, or of a record of another tenant.
func (tx *Tx) Put(records ...Record) error {
	for _, record := range records {
		key := record.key()
		if key.Partition != partition(tx.tenant) {
			return fault.Own(fmt.Errorf("put %s in a transaction of tenant %s", key, tx.tenant))
		}
		i := item{Key: key}
		switch record := record.(type) {
		case Operation:
			i.Open = !record.Over() || len(record.Ledger.Outbox) > 0
			if record.State == Rejected {
				i.Expires = record.Created.Add(rejectedFor)
			}
		case Tenant:
			if err := tx.list(record.Name); err != nil {
				return err
			}
		}
		if err := tx.put(i, record); err != nil {
			return err
		}
	}
	return nil
}

// list adds a new tenant to the list of all. Its item never changes.
func (tx *Tx) list(name string) error {
	if err := tx.load(tx.tenantKey()); err != nil {
		return err
	}
	key := store.Key{Partition: partitionTenants, Sort: name}
	if tx.read[tx.tenantKey()].Version > 0 {
		return nil
	}
	tx.read[key] = item{Key: key} // who has made the tenant meanwhile has made the item too
	return tx.put(item{Key: key}, struct{}{})
}

// Audit adds an audit event to what is written: by whom, and what happened in a short sentence.
func (tx *Tx) Audit(operation, by, what string) error {
	tx.audited++
	key := store.Key{
		Partition: partitionAudit + tx.tenant,
		// Two transactions may be of the same instant: the last part keeps them apart.
		Sort: fmt.Sprintf("%s#%02d#%s", tx.now.UTC().Format("2006-01-02T15:04:05.000000000Z"), tx.audited, rand.Text()[:8]),
	}
	tx.read[key] = item{Key: key} // it is nobody else's
	return tx.put(item{Key: key}, AuditEvent{Tenant: tx.tenant, Operation: operation, At: tx.now, By: by, What: what})
}

// put adds a record to what is written; this transaction reads it as it was put.
func (tx *Tx) put(i item, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fault.Own(fmt.Errorf("encode %s: %w", i.Key, err))
	}
	i.Value = text
	return tx.write(i)
}

// write adds a write of an item at the version that was read; one that was not read is
// read for it.
func (tx *Tx) write(i item) error {
	if err := tx.load(i.Key); err != nil {
		return err
	}
	i.Version = tx.read[i.Key].Version
	tx.read[i.Key] = item{Key: i.Key, Version: i.Version, Value: i.Value}
	tx.writes = append(slices.DeleteFunc(tx.writes, func(w item) bool { return w.Key == i.Key }), i)
	return nil
}

// one reads one record.
func one[T any](tx *Tx, key store.Key) (v T, err error) {
	if err := tx.load(key); err != nil {
		return v, err
	}
	return v, decode(tx.read[key], &v)
}

// load reads items that are not read yet.
func (tx *Tx) load(keys ...store.Key) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { _, known := tx.read[k]; return known })
	if len(keys) == 0 {
		return nil
	}
	items, err := tx.registry.store.Get(tx.ctx, keys...)
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", tx.tenant, err)
	}
	for _, k := range keys {
		i := items[k]
		i.Key = k
		tx.read[k] = i
	}
	return nil
}

func (tx *Tx) tenantKey() store.Key { return Tenant{Name: tx.tenant}.key() }
