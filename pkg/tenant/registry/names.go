package registry

import (
	"errors"
	"fmt"
	"slices"

	"deployhooks/pkg/store"
)

// ErrTaken means that another tenant has claimed a name.
var ErrTaken = errors.New("is taken")

// claim is the record of a claimed name.
type claim struct {
	Tenant string `json:"tenant"`
}

// Owners are the tenants that have claimed names, by the name; a free one is not among them.
func (tx *Tx) Owners(names ...string) (map[string]string, error) {
	keys := make([]store.Key, len(names))
	for i, n := range names {
		keys[i] = nameKey(n)
	}
	if err := tx.load(keys...); err != nil {
		return nil, err
	}
	owners := map[string]string{}
	for i, n := range names {
		var c claim
		if err := decode(tx.read[keys[i]], &c); err != nil {
			return nil, err
		}
		if c.Tenant != "" {
			owners[n] = c.Tenant
		}
	}
	return owners, nil
}

// Claim makes names the tenant's, such as host names: unique among all tenants, whatever
// they are names of. The error for those that are another's is [ErrTaken] and names them all.
func (tx *Tx) Claim(names ...string) error {
	owners, err := tx.Owners(names...)
	if err != nil {
		return err
	}
	var taken []error
	for _, n := range names {
		switch owners[n] {
		case "":
			if err := tx.put(item{Key: nameKey(n)}, claim{tx.tenant}); err != nil {
				return err
			}
		case tx.tenant:
		default:
			taken = append(taken, fmt.Errorf("%s %w", n, ErrTaken))
		}
	}
	return errors.Join(taken...)
}

// Release frees those names that are the tenant's. It keeps the tenant's hosts: they are free when
// the operation ends that leaves them, and not while a step is still to leave them.
func (tx *Tx) Release(names ...string) error {
	owners, err := tx.Owners(names...)
	if err != nil {
		return err
	}
	t, err := tx.Tenant()
	if err != nil {
		return err
	}
	for _, n := range names {
		if owners[n] != tx.tenant || slices.Contains(t.Hosts, n) {
			continue
		}
		if err := tx.write(item{Key: nameKey(n), Delete: true}); err != nil {
			return err
		}
		delete(owners, n) // it may be given twice
	}
	return nil
}
