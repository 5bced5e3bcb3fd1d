package tenant_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"deployhooks/pkg/store"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/region"
)

// calls is what every call of a worker passes, to the registry's store or to the cloud:
// there it fails or its process ends, as a test wants it.
type calls struct {
	mu   sync.Mutex
	made int
	log  []string // of what was called
	// fault decides about the n-th call, counted from 1.
	fault func(n int, name string) region.Fault
}

// invocation is one run of a worker's process.
type invocation struct{ killed bool }

type invocationKey struct{}

// pass makes a call, unless a fault befalls it. After [region.ErrKilled] no call of the
// invocation has any effect.
func (c *calls) pass(ctx context.Context, name string, call func() error) error {
	inv, _ := ctx.Value(invocationKey{}).(*invocation)
	c.mu.Lock()
	c.made++
	c.log = append(c.log, name)
	var f region.Fault
	if c.fault != nil {
		f = c.fault(c.made, name)
	}
	dead := inv != nil && inv.killed
	if inv != nil && (errors.Is(f.Before, region.ErrKilled) || errors.Is(f.After, region.ErrKilled)) {
		inv.killed = true
	}
	c.mu.Unlock()
	switch {
	case dead:
		return region.ErrKilled
	case f.Before != nil:
		return f.Before
	}
	if err := call(); err != nil {
		return err
	}
	return f.After
}

// faultyStore is a registry's store whose calls pass.
type faultyStore struct {
	registry.Store
	calls *calls
}

type item = store.Item[json.RawMessage]

func (s faultyStore) Get(ctx context.Context, keys ...store.Key) (found map[store.Key]item, err error) {
	err = s.calls.pass(ctx, "Get", func() (err error) { found, err = s.Store.Get(ctx, keys...); return err })
	return found, err
}

func (s faultyStore) PutAll(ctx context.Context, items ...item) (conflicts []store.Key, err error) {
	if len(items) == 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	err = s.calls.pass(ctx, "PutAll", func() (err error) { conflicts, err = s.Store.PutAll(ctx, items...); return err })
	if errors.Is(err, errConflict) {
		return []store.Key{items[0].Key}, nil
	}
	return conflicts, err
}

// errConflict has a write that took effect look as if others had written before: the SDK
// has sent it twice, because the first answer was lost.
var errConflict = errors.New("conflict")

// cloud is where the fake kinds make things: two parts for each step, each by a call.
type cloud struct {
	calls *calls

	mu      sync.Mutex
	things  map[string]string // content by tenant/step/part
	applied []string          // tenant/step, in order
	undone  []string
	// undoneWith are the parameters of those.
	undoneWith []string
	busy       map[string]bool
	overlap    []string // steps of which two tries ran at once
	// script is what the tries of a step do before they do their work: an error each, or nil.
	script map[string][]error
	// during, if set, runs in the middle of each Apply.
	during func(in step.Input)
}

func newCloud(c *calls) *cloud {
	return &cloud{calls: c, things: map[string]string{}, busy: map[string]bool{}, script: map[string][]error{}}
}

func (c *cloud) set(ctx context.Context, name, content string) error {
	return c.calls.pass(ctx, "set "+name, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.things[name] = content
		return nil
	})
}

func (c *cloud) remove(ctx context.Context, name string) error {
	return c.calls.pass(ctx, "remove "+name, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.things, name)
		return nil
	})
}

// left are the names of what is there.
func (c *cloud) left() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.things))
}

// next is what the script has for a try of a step.
func (c *cloud) next(in step.Input) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.script[in.Step]
	if len(all) == 0 {
		return nil
	}
	c.script[in.Step] = all[1:]
	return all[0]
}

func (c *cloud) enter(in step.Input) (leave func()) {
	key := in.Tenant + "/" + in.Step
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[key] {
		c.overlap = append(c.overlap, key)
	}
	c.busy[key] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy[key] = false
	}
}

// kind is a fake kind of a class. Its parameters are what it puts into the cloud.
type kind struct {
	cloud   *cloud
	class   step.Class
	outputs []step.Output // that the real kind has
}

func (k kind) Describe() step.Description {
	return step.Description{Name: string(k.class), Class: k.class, Parameters: func() any { return &map[string]string{} }}
}

func (k kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	state := step.Absent
	err := k.cloud.calls.pass(ctx, "check "+in.Step, func() error {
		k.cloud.mu.Lock()
		defer k.cloud.mu.Unlock()
		if k.cloud.things[thing(in, "content")] == string(in.Parameters) {
			state = step.Present
		}
		return nil
	})
	return state, err
}

func thing(in step.Input, part string) string { return in.Tenant + "/" + in.Step + "/" + part }

// errPanic has the kind panic.
var errPanic = errors.New("panic")

func (k kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	defer k.cloud.enter(in)()
	if err := k.cloud.next(in); errors.Is(err, errPanic) {
		panic("nil map")
	} else if err != nil {
		return nil, k.perhapsKilled(ctx, err)
	}
	if err := k.cloud.set(ctx, thing(in, "shell"), in.Tenant); err != nil {
		return nil, err
	}
	if k.cloud.during != nil {
		k.cloud.during(in)
	}
	if err := k.cloud.set(ctx, thing(in, "content"), string(in.Parameters)); err != nil {
		return nil, err
	}
	k.cloud.mu.Lock()
	defer k.cloud.mu.Unlock()
	k.cloud.applied = append(k.cloud.applied, in.Tenant+"/"+in.Step)
	outputs := step.Outputs{"id": in.Tenant + "-" + in.Step, "parameters": string(in.Parameters)}
	for _, o := range k.outputs {
		outputs[o.Name] = in.Step + "-" + o.Name
	}
	return outputs, nil
}

// perhapsKilled ends the process where the script says so.
func (k kind) perhapsKilled(ctx context.Context, err error) error {
	if inv, ok := ctx.Value(invocationKey{}).(*invocation); ok && errors.Is(err, region.ErrKilled) {
		k.cloud.calls.mu.Lock()
		inv.killed = true
		k.cloud.calls.mu.Unlock()
	}
	return err
}

func (k kind) Undo(ctx context.Context, in step.Input) error {
	defer k.cloud.enter(in)()
	if err := k.cloud.next(in); errors.Is(err, errPanic) {
		panic("nil map")
	} else if err != nil {
		return k.perhapsKilled(ctx, err)
	}
	if len(in.Parameters) == 0 {
		return step.Refuse(errors.New("the parameters are missing"), "")
	}
	for _, part := range []string{"content", "shell"} {
		if err := k.cloud.remove(ctx, thing(in, part)); err != nil {
			return err
		}
	}
	k.cloud.mu.Lock()
	defer k.cloud.mu.Unlock()
	k.cloud.undone = append(k.cloud.undone, in.Step)
	k.cloud.undoneWith = append(k.cloud.undoneWith, string(in.Parameters))
	return nil
}

// failing is an error of a class.
func failing(class step.ErrorClass) error {
	return &step.Error{Class: class, Err: fmt.Errorf("the cloud says %s", class)}
}
