package store_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
	"deployhooks/test/dynamo"
)

// record is what the contract stores.
type record struct {
	Text  string
	Count float64
	At    time.Time
}

type (
	item  = store.Item[record]
	items = store.Transactional[record]
)

const table = "items"

// sorted and plain are layouts with and without a sort key.
var (
	sorted = store.Layout{Table: table, Partition: "application", Sort: "deploymentGroup", Schema: 1}
	plain  = store.Layout{Table: table, Partition: "instance", Schema: 1}
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// TestContract holds for every store, each clause in an empty one. A clause opens
// the store as functions do that know a schema version.
func TestContract(t *testing.T) {
	for _, c := range []struct {
		clause string
		holds  func(t *testing.T, open func(schema int) items)
	}{
		{"an item is kept as it is", keepsItems},
		{"a lost update conflicts, and keeps no other item from being written", conflicts},
		{"a deleted item stays deleted", staysDeleted},
		{"more items than one call takes", takesMany},
		{"open items are listed", listsOpen},
		{"a value of a newer schema is not read", refusesNewerSchema},
		{"a value that cannot be encoded is not written", refusesValue},
		{"a transaction writes all or nothing", transacts},
		{"a partition is listed in order, and from its end", listsPartition},
	} {
		t.Run(c.clause, func(t *testing.T) {
			t.Run("memory", func(t *testing.T) {
				m := store.NewMemory[record](1)
				c.holds(t, func(schema int) items { return m.Reopen(schema) })
			})
			dynamo.Each(t, table, []string{sorted.Partition, sorted.Sort}, func(t *testing.T, db dynamo.DB) {
				c.holds(t, func(schema int) items {
					layout := sorted
					layout.Schema = schema
					return store.NewDynamoDB[record](db, layout)
				})
			})
		})
	}
}

func keepsItems(t *testing.T, open func(int) items) {
	s := open(1)
	one, two := key("shop ünd mehr", "web/eu_1"), key("shop ünd mehr", "web")
	if got := get(t, s); len(got) != 0 {
		t.Errorf("asked for nothing, it answers %v", got)
	}
	if got := get(t, s, one)[one]; !gocmp.Equal(got, item{Key: one}) {
		t.Errorf("an item that was never written reads %+v", got)
	}
	if lost := put(t, s); lost != nil {
		t.Errorf("nothing was written, and %v conflict", lost)
	}
	first := item{Key: one, Value: record{"ünd\n\"", 1.5, noon}, Open: true}
	second := item{Key: two, Expires: noon.Add(48 * time.Hour)}
	put(t, s, first)
	put(t, s, second)
	first.Version, second.Version = 1, 1
	holds(t, s, first, second)

	first.Value, first.Open, first.Expires, second.Expires = record{Text: "again"}, false, noon, time.Time{}
	put(t, s, first, second)
	first.Version, second.Version = 2, 2
	holds(t, s, first, second)
}

func conflicts(t *testing.T, open func(int) items) {
	s := open(1)
	theirs, known, fresh := item{Key: key("a", "1")}, item{Key: key("a", "2")}, item{Key: key("a", "3")}
	put(t, s, theirs, known)
	theirs.Version, known.Version = 1, 1
	put(t, s, theirs)
	theirs.Version = 2
	for _, version := range []int{0, 1, 3} { // new to its writer, stale, and of an item that was deleted and began anew
		mine := item{Key: theirs.Key, Version: version, Value: record{Text: "mine"}}
		if lost := put(t, s, fresh, mine, known); !slices.Equal(lost, []store.Key{mine.Key}) {
			t.Errorf("written at version %d, %v conflict: somebody's write is lost", version, lost)
		}
		fresh.Version++
		known.Version++
		if lost := put(t, s, mine); !slices.Equal(lost, []store.Key{mine.Key}) {
			t.Errorf("written alone at version %d, %v conflict: somebody's write is lost", version, lost)
		}
		mine.Delete = true
		if lost := put(t, s, mine); !slices.Equal(lost, []store.Key{mine.Key}) {
			t.Errorf("deleted at version %d, %v conflict: somebody's write is lost", version, lost)
		}
	}
	holds(t, s, theirs, known, fresh)
}

func staysDeleted(t *testing.T, open func(int) items) {
	s := open(1)
	forgotten, other := item{Key: key("a", "1"), Open: true}, item{Key: key("a", "2")}
	put(t, s, forgotten, other)
	forgotten.Version, other.Version = 1, 1
	gone := forgotten
	gone.Delete = true
	if lost := put(t, s, gone, other); lost != nil {
		t.Fatalf("%v conflict", lost)
	}
	other.Version = 2
	holds(t, s, item{Key: forgotten.Key}, other)
	if lost := put(t, s, forgotten); !slices.Equal(lost, []store.Key{forgotten.Key}) {
		t.Errorf("%v conflict: what an operator had forgotten is back", lost)
	}
	holds(t, s, item{Key: forgotten.Key}, other)
	if all := list(t, s); len(all) != 0 {
		t.Errorf("%v is open although it is deleted", all)
	}
	forgotten.Version = 0
	put(t, s, forgotten)
	forgotten.Version = 1
	holds(t, s, forgotten)
	never := item{Key: key("a", "3"), Delete: true}
	if lost := put(t, s, never); lost != nil {
		t.Errorf("%v conflict: what does not exist cannot be forgotten", lost)
	}
}

func takesMany(t *testing.T, open func(int) items) {
	s := open(1)
	var all []item
	var keys []store.Key
	for n := range 250 { // a transaction and a read take 100
		all = append(all, item{Key: key("many", fmt.Sprintf("%03d", n)), Value: record{Count: float64(n)}})
		keys = append(keys, all[n].Key, all[n].Key) // asked for twice
	}
	theirs := []store.Key{all[7].Key, all[107].Key, all[207].Key}
	for _, k := range theirs {
		put(t, s, item{Key: k})
	}
	if lost := put(t, s, all...); !slices.Equal(lost, theirs) {
		t.Errorf("one item of each hundred was another's, and %v conflict", lost)
	}
	got := get(t, s, keys...)
	if len(got) != len(all) {
		t.Fatalf("%d of %d items are read", len(got), len(all))
	}
	for _, i := range all {
		i.Version = 1
		if slices.Contains(theirs, i.Key) {
			i.Value = record{}
		}
		if !gocmp.Equal(got[i.Key], i) {
			t.Errorf("%s holds %+v, want %+v", i.Key, got[i.Key], i)
		}
	}
}

func listsOpen(t *testing.T, open func(int) items) {
	s := open(1)
	one, two, ended := item{Key: key("a", "1"), Open: true}, item{Key: key("b", "1"), Open: true, Expires: noon}, item{Key: key("a", "2")}
	put(t, s, one, two, ended)
	one.Version, two.Version = 1, 1
	if got := list(t, s); !gocmp.Equal(got, []item{one, two}) {
		t.Errorf("open are %+v", got)
	}
	two.Open = false
	put(t, s, two)
	if got := list(t, s); !gocmp.Equal(got, []item{one}) {
		t.Errorf("after one has ended, open are %+v: it is worked on for ever", got)
	}
}

func refusesNewerSchema(t *testing.T, open func(int) items) {
	before, after := open(1), open(2)
	k := key("a", "1")
	put(t, before, item{Key: k, Value: record{Text: "old"}})
	if got := get(t, after, k)[k]; got.Unreadable != nil || got.Value.Text != "old" {
		t.Errorf("a value of an older schema reads %+v", got)
	}
	put(t, after, item{Key: k, Version: 1, Open: true, Value: record{Text: "new"}})
	got := get(t, before, k)[k]
	if got.Unreadable == nil || got.Value != (record{}) || got.Version != 2 || !got.Open {
		t.Fatalf("a value of a newer schema reads %+v: it is guessed at, or cannot be overwritten", got)
	}
	if text := got.Unreadable.Error(); !strings.Contains(text, k.String()) || !strings.Contains(text, "schema version 2") {
		t.Errorf("an operator reads %q", text)
	}
	if all := list(t, before); len(all) != 1 || all[0].Unreadable == nil {
		t.Errorf("open are %+v", all)
	}
	if lost := put(t, before, item{Key: k, Version: got.Version}); lost != nil {
		t.Errorf("%v conflict: what cannot be read cannot be overwritten", lost)
	}
	if got := get(t, before, k)[k]; got.Unreadable != nil || got.Version != 3 {
		t.Errorf("overwritten, it reads %+v", got)
	}
}

func refusesValue(t *testing.T, open func(int) items) {
	s := open(1)
	bad := item{Key: key("a", "1"), Value: record{Count: math.NaN()}}
	for _, all := range [][]item{{bad}, {bad, {Key: key("a", "2")}}} {
		if _, err := s.Put(t.Context(), all...); !fault.IsOwn(err) || !strings.Contains(err.Error(), "a/1") {
			t.Errorf("writing %d items says %v", len(all), err)
		}
	}
	holds(t, s, item{Key: bad.Key})
}

func TestKey(t *testing.T) {
	if got := key("shop", "web").String() + " " + key("i-1", "").String(); got != "shop/web i-1" {
		t.Errorf("keys read %q", got)
	}
}

func key(partition, sort string) store.Key { return store.Key{Partition: partition, Sort: sort} }

func get(t *testing.T, s items, keys ...store.Key) map[store.Key]item {
	t.Helper()
	got, err := s.Get(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// put writes items and returns the keys of those that conflict, sorted.
func put(t *testing.T, s items, all ...item) []store.Key {
	t.Helper()
	lost, err := s.Put(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(lost, compare)
	return lost
}

// list is the open items, sorted.
func list(t *testing.T, s items) []item {
	t.Helper()
	all, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b item) int { return compare(a.Key, b.Key) })
	return all
}

func compare(a, b store.Key) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Sort, b.Sort))
}

// holds sees that a store holds the items.
func holds(t *testing.T, s items, want ...item) {
	t.Helper()
	for _, w := range want {
		if got := get(t, s, w.Key)[w.Key]; !gocmp.Equal(got, w) {
			t.Errorf("%s holds\n%+v, want\n%+v", w.Key, got, w)
		}
	}
}
