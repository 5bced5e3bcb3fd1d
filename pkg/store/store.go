// Package store keeps what a function remembers between invocations: one
// versioned item per key, with optimistic locking. [DynamoDB] keeps it in a table,
// [Memory] in the process; one contract holds for both (store_test.go). The
// domains decide what a value is.
package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"deployhooks/pkg/fault"
)

// Store keeps items with values of type T. Its methods may be called from several
// goroutines. Their errors are marked with fault.Own.
type Store[T any] interface {
	// Get reads items, strongly consistent. A key that was never written has an
	// item of version 0.
	Get(ctx context.Context, keys ...Key) (map[Key]Item[T], error)
	// Open lists the items that were written with Open set, in no order, at a cost
	// in proportion to their number. The list is eventually consistent: an item
	// may be missing, or be old, for a moment; then a write of it conflicts.
	Open(ctx context.Context) ([]Item[T], error)
	// Put writes items of different keys, or deletes those with Delete set, each only
	// if nobody has written or deleted it since it was read. It returns the keys of
	// those that somebody has: they are not written. The others are, unless there is
	// an error; then some may be. A written item's version is one higher.
	Put(ctx context.Context, items ...Item[T]) (conflicts []Key, err error)
}

// Key identifies an item. Sort is empty in a store without sort keys.
type Key struct{ Partition, Sort string }

func (k Key) String() string {
	if k.Sort == "" {
		return k.Partition
	}
	return k.Partition + "/" + k.Sort
}

// Item is one value and what the store knows of it.
type Item[T any] struct {
	Key Key
	// Version counts the writes; 0 is an item that was never written, or is deleted.
	Version int
	// Open has [Store.Open] list the item.
	Open bool
	// Expires is when the item may be deleted, some days later at most; zero is
	// never ("Using time to live (TTL) in DynamoDB").
	Expires time.Time
	// Delete has [Store.Put] delete the item.
	Delete bool
	Value  T
	// Unreadable says why Value could not be read: it is damaged, or a newer
	// version of the function has written it. The item can be overwritten.
	Unreadable error
}

// encode and decode are the two ways between a value and its JSON. A value written
// under a newer schema is not guessed at.
func encode[T any](key Key, value T) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fault.Own(fmt.Errorf("encode item %s: %w", key, err))
	}
	return string(text), nil
}

func decode[T any](key Key, schema, wrote int, text string) (value T, err error) {
	if wrote > schema {
		return value, fmt.Errorf("item %s has schema version %d, and this function knows %d at most: a newer version of the function wrote it; deploy that version again, or forget the item", key, wrote, schema)
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		var none T
		return none, fmt.Errorf("item %s is damaged: %w", key, err)
	}
	return value, nil
}
