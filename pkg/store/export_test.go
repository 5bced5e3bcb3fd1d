package store

// Reopen is the same memory to a function that knows another schema version.
func (m *Memory[T]) Reopen(schema int) *Memory[T] {
	return &Memory[T]{schema: schema, items: m.items}
}
