package region

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table is a DynamoDB table.
type table struct {
	name    string
	keys    []keyAttribute // HASH, and RANGE if there is one
	items   map[string]item
	indexes map[string]*index
}

// keyAttribute is an attribute of a key and its type: S, N or B.
type keyAttribute struct{ name, kind string }

// Index is a global secondary index. It is sparse: an item without the index's
// key attributes is not in it.
type Index struct {
	Name string
	// Keys are the partition key and, if given, the sort key, as for AddTable.
	Keys []string
	// KeysOnly projects the keys of the index and of the table only; all
	// attributes otherwise.
	KeysOnly bool
	// Lag is how long a write takes to show in the index. Reads of indexes are
	// only ever eventually consistent ("Using Global Secondary Indexes").
	Lag time.Duration
}

type index struct {
	Index
	keys  []keyAttribute
	items map[string]item // by the table's key
}

// AddTable creates a table with a partition key and, if given, a sort key.
// Keys are strings; "version:N" is a number and "hash:B" a binary. Nothing in
// it expires: DynamoDB deletes expired items "within a few days", so nobody may
// rely on it ("Time to Live").
func (r *Region) AddTable(name string, keys ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables[name] = &table{name: name, keys: keyAttributes(keys), items: map[string]item{}, indexes: map[string]*index{}}
}

// AddIndex adds a global secondary index to a table that exists, filled with
// its items.
func (r *Region) AddIndex(tableName string, i Index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.table(&tableName)
	must(err)
	x := &index{Index: i, keys: keyAttributes(i.Keys), items: map[string]item{}}
	t.indexes[i.Name] = x
	for id, it := range t.items {
		x.show(t, id, it)
	}
}

func keyAttributes(keys []string) []keyAttribute {
	if len(keys) == 0 || len(keys) > 2 {
		panic(fmt.Sprintf("region: a key of %d attributes", len(keys)))
	}
	var all []keyAttribute
	for _, key := range keys {
		name, kind, _ := strings.Cut(key, ":")
		all = append(all, keyAttribute{name, cmp.Or(kind, "S")})
	}
	return all
}

func (r *Region) table(name *string) (*table, error) {
	t := r.tables[aws.ToString(name)]
	if t == nil {
		return nil, &ddb.ResourceNotFoundException{Message: aws.String("Requested resource not found: Table: " + aws.ToString(name) + " not found")}
	}
	return t, nil
}

// store writes an item, nil for none, and lets the indexes know.
func (r *Region) store(t *table, id string, it item) {
	if it == nil {
		delete(t.items, id)
	} else {
		t.items[id] = it
	}
	for _, x := range sorted(t.indexes) {
		if x.Lag == 0 {
			x.show(t, id, it)
			continue
		}
		r.after(x.Lag, func() { x.show(t, id, it) })
	}
}

// show has the index show an item as it was written.
func (x *index) show(t *table, id string, it item) {
	for _, key := range x.keys {
		if it[key.name] == nil {
			delete(x.items, id)
			return
		}
	}
	if x.KeysOnly {
		it = only(it, names(t.keys, x.keys))
	}
	x.items[id] = it
}

func names(keys ...[]keyAttribute) []string {
	var all []string
	for _, key := range slices.Concat(keys...) {
		all = append(all, key.name)
	}
	return all
}

// id is the identity of an item within its table.
func (t *table) id(of item) string {
	var id strings.Builder
	for _, key := range t.keys {
		text := keyText(of[key.name])
		fmt.Fprintf(&id, "%d:%s", len(text), text)
	}
	return id.String()
}

// keyText is a key's value, numbers in one form.
func keyText(v ddb.AttributeValue) string {
	if n, ok := v.(*ddb.AttributeValueMemberN); ok {
		if r, err := number(n.Value); err == nil {
			return numberText(r)
		}
	}
	text, _ := bytesOf(v)
	return text
}

// idOfKey is the identity that a key names, which must be exactly a key.
func (t *table) idOfKey(key item) (string, error) {
	bad := validation("The provided key element does not match the schema")
	if len(key) != len(t.keys) {
		return "", bad
	}
	for _, k := range t.keys {
		if kindOf(key[k.name]) != k.kind {
			return "", bad
		}
		if _, err := stored(key[k.name], 1); err != nil {
			return "", err
		}
	}
	return t.id(key), t.goodKeys(key)
}

// goodItem checks the keys of a whole item, those of the indexes included.
func (t *table) goodItem(it item) error {
	for _, k := range t.keys {
		switch kind := kindOf(it[k.name]); kind {
		case k.kind:
		case "":
			return validation("One or more parameter values were invalid: Missing the key %s in the item", k.name)
		default:
			return validation("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", k.name, k.kind, kind)
		}
	}
	if err := t.goodKeys(it); err != nil {
		return err
	}
	for _, x := range sorted(t.indexes) {
		for n, k := range x.keys {
			v := it[k.name]
			switch kind := kindOf(v); {
			case v == nil:
			case kind != k.kind:
				return validation("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.name, k.kind, kind, x.Name)
			case keyText(v) == "":
				return validation("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s", x.Name, k.name)
			default:
				if err := goodKeySize(n, v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// goodKeys checks the values of a table's key: not empty and not too long.
func (t *table) goodKeys(of item) error {
	for n, k := range t.keys {
		if keyText(of[k.name]) == "" {
			return validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", k.name)
		}
		if err := goodKeySize(n, of[k.name]); err != nil {
			return err
		}
	}
	return nil
}

// goodKeySize: "2048 bytes" for a partition key and "1024 bytes" for a sort key
// ("Quotas"; the messages are observed).
func goodKeySize(n int, v ddb.AttributeValue) error {
	size := len(keyText(v))
	switch {
	case n == 0 && size > maxPartitionBytes:
		return validation("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxPartitionBytes)
	case n == 1 && size > maxSortBytes:
		return validation("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxSortBytes)
	}
	return nil
}

// inOrder are items by their sort key where they have one, then by the table's
// key, so that pages are the same in every run.
func inOrder(items map[string]item, sort string, backwards bool) []string {
	ids := slices.Sorted(maps.Keys(items))
	slices.SortStableFunc(ids, func(a, b string) int {
		n, _ := order(items[a][sort], items[b][sort])
		return n
	})
	if backwards {
		slices.Reverse(ids)
	}
	return ids
}
