package store

import (
	"context"
	"sync"
)

// Memory is a store in the process, for tests and local runs. Values go through
// JSON, as they do in a table.
type Memory[T any] struct {
	schema int

	mu    sync.Mutex
	items map[Key]stored
}

type stored struct {
	item   Item[struct{}] // all but the value
	text   string
	schema int
}

// NewMemory makes an empty store for values of a schema version.
func NewMemory[T any](schema int) *Memory[T] {
	return &Memory[T]{schema: schema, items: map[Key]stored{}}
}

// Get implements [Store].
func (m *Memory[T]) Get(_ context.Context, keys ...Key) (map[Key]Item[T], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[Key]Item[T], len(keys))
	for _, k := range keys {
		found[k] = m.read(k)
	}
	return found, nil
}

// Open implements [Store].
func (m *Memory[T]) Open(context.Context) ([]Item[T], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var open []Item[T]
	for k, s := range m.items {
		if s.item.Open {
			open = append(open, m.read(k))
		}
	}
	return open, nil
}

func (m *Memory[T]) read(k Key) Item[T] {
	s, ok := m.items[k]
	if !ok {
		return Item[T]{Key: k}
	}
	value, err := decode[T](k, m.schema, s.schema, s.text)
	return Item[T]{Key: k, Version: s.item.Version, Open: s.item.Open, Expires: s.item.Expires, Value: value, Unreadable: err}
}

// Put implements [Store].
func (m *Memory[T]) Put(_ context.Context, items ...Item[T]) (conflicts []Key, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(items)
}

// put writes items one by one. The caller holds mu.
func (m *Memory[T]) put(items []Item[T]) (conflicts []Key, err error) {
	for _, i := range items {
		text, err := encode(i.Key, i.Value)
		switch {
		case err != nil:
			return conflicts, err
		case m.items[i.Key].item.Version != i.Version:
			conflicts = append(conflicts, i.Key)
		case i.Delete:
			delete(m.items, i.Key)
		default:
			m.items[i.Key] = stored{Item[struct{}]{Version: i.Version + 1, Open: i.Open, Expires: i.Expires}, text, m.schema}
		}
	}
	return conflicts, nil
}
