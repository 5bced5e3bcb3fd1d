package drain

import (
	"sync"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/store"
)

// memory is what an execution environment keeps between reconciles: what changes
// rarely, and what it has notified of. It may be lost at any time.
type memory struct {
	clock       cache[store.Item[Clock]]
	open        cache[openAt]
	groups      cache[*fleet.AutoScalingGroup]
	hooks       cache[[]fleet.LifecycleHook]
	deployments cache[[]string]
	names       cache[resolution]
	balancers   cache[Balancer]
	targets     cache[map[string][]fleet.Target]
	every       cache[[]string]
	notified    cache[bool]
}

// openAt are all open items at a version of the clock.
type openAt struct {
	clock int
	items []store.Item[Drain]
}

// cache keeps values by name, with when they were read.
type cache[T any] struct {
	mu     sync.Mutex // protects values
	values map[string]dated[T]
}

type dated[T any] struct {
	value T
	at    time.Time
}

// cacheLimit bounds a cache: an environment may live for hours, and fleets change.
const cacheLimit = 20_000

// get is a value that was read after an instant.
func (c *cache[T]) get(name string, after time.Time) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.values[name]
	return v.value, ok && v.at.After(after)
}

func (c *cache[T]) put(name string, value T, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil || len(c.values) >= cacheLimit {
		c.values = map[string]dated[T]{}
	}
	c.values[name] = dated[T]{value, at}
}

func (c *cache[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.values)
}

// where are the names of the values that a condition holds for.
func (c *cache[T]) where(holds func(T) bool) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, v := range c.values {
		if holds(v.value) {
			names = append(names, name)
		}
	}
	return names
}

// at is when a value was read, zero for never.
func (c *cache[T]) at(name string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values[name].at
}
