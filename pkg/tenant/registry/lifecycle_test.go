package registry_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	. "deployhooks/pkg/tenant/registry"
)

// op is an operation of acme in its first attempt.
func op(id string, kind OperationKind, state OperationState, hosts ...string) Operation {
	o := Operation{ID: id, Tenant: "acme", Kind: kind, State: state, Attempt: 1, Hosts: hosts, Created: noon, Blueprint: "new", RemoveMachine: "remove:new", Spec: json.RawMessage(`{"by":"` + id + `"}`)}
	if state == Queued {
		o.Attempt = 0
	}
	return o
}

// TestEnd ends operations of a tenant and sees what becomes of it, its names and the others.
func TestEnd(t *testing.T) {
	old := Tenant{Name: "acme", State: Active, Spec: json.RawMessage(`{"by":"old"}`), Blueprint: "old", RemoveMachine: "remove:old", Hosts: []string{"old"}}
	launching := Tenant{Name: "acme", State: Launching, Spec: json.RawMessage(`{"by":"it"}`), Blueprint: "new", RemoveMachine: "remove:new", Hosts: []string{"new"}}
	for name, c := range map[string]struct {
		tenant  Tenant
		op      Operation // the tenant's, where it does not say otherwise
		queued  []Operation
		end     string // op.ID where empty
		attempt int    // 1 where 0; -1 for 0
		state   OperationState

		want       TenantState
		by         string // whose spec and blueprint the tenant has
		version    string // of the blueprint, where it is another
		runs       string // the tenant's operation
		waits      []string
		owned      []string
		states     map[string]OperationState
		unnotified bool
	}{
		"a launch succeeds": {
			tenant: launching, op: op("it", Launch, Running, "new"), state: Succeeded,
			want: Active, by: "it", owned: []string{"new"}, states: map[string]OperationState{"it": Succeeded},
		},
		"a launch is held": {
			tenant: launching, op: op("it", Launch, Running, "new"), state: Held, queued: []Operation{op("next", Change, Queued, "new")},
			want: Launching, by: "it", runs: "it", waits: []string{"next"}, owned: []string{"new"}, states: map[string]OperationState{"it": Held, "next": Queued},
		},
		"a held launch is abandoned: what it made is undone, and nobody waits for it": {
			tenant: launching, op: op("it", Launch, Held, "new"), state: Abandoned, queued: []Operation{op("next", Change, Queued, "new", "newer")},
			want: Removing, by: "it", runs: "it-undo", owned: []string{"new"}, states: map[string]OperationState{"it": Abandoned, "it-undo": Running, "next": Cancelled},
		},
		"a change succeeds: the hosts that it drops are free": {
			tenant: old, op: op("it", Change, Running, "new"), state: Succeeded,
			want: Active, by: "it", owned: []string{"new"}, states: map[string]OperationState{"it": Succeeded},
		},
		"a change succeeds, and the next one wants the old host": {
			tenant: old, op: op("it", Change, Running, "new"), state: Succeeded, queued: []Operation{op("next", Change, Queued, "new"), op("last", Change, Queued, "old")},
			want: Active, by: "it", runs: "next", waits: []string{"last"}, owned: []string{"new", "old"}, states: map[string]OperationState{"it": Succeeded, "next": Running, "last": Queued},
		},
		"a held change is abandoned: what it has done may stay at its host, and is undone by its blueprint": {
			tenant: old, op: op("it", Change, Held, "new"), state: Abandoned,
			want: Active, by: "old", version: "new", owned: []string{"new", "old"}, states: map[string]OperationState{"it": Abandoned},
		},
		"a queued change is cancelled: its hosts are free": {
			tenant: old, op: op("it", Change, Running, "new"), queued: []Operation{op("next", Change, Queued, "newer"), op("last", Change, Queued, "new")}, end: "next", attempt: -1, state: Cancelled,
			want: Active, by: "old", runs: "it", waits: []string{"last"}, owned: []string{"new", "old"}, states: map[string]OperationState{"it": Running, "next": Cancelled, "last": Queued},
		},
		"a queued removal is next: it is delayed": {
			tenant: old, op: op("it", Change, Running, "new"), state: Succeeded, queued: []Operation{op("next", Remove, Queued)},
			want: Active, by: "it", runs: "next", owned: []string{"new"}, states: map[string]OperationState{"it": Succeeded, "next": Delayed},
		},
		"a delayed removal is cancelled": {
			tenant: old, op: op("it", Remove, Delayed), state: Cancelled,
			want: Active, by: "old", owned: []string{"old"}, states: map[string]OperationState{"it": Cancelled},
		},
		"a removal succeeds: its name and hosts are free": {
			tenant: old, op: op("it", Remove, Running), state: Succeeded,
			want: Removed, by: "old", states: map[string]OperationState{"it": Succeeded},
		},
		"another attempt's end changes nothing": {
			tenant: old, op: op("it", Change, Running, "new"), attempt: 2, state: Held,
			want: Active, by: "old", runs: "it", owned: []string{"new", "old"}, states: map[string]OperationState{"it": Running}, unnotified: true,
		},
		"the end of what ended changes nothing": {
			tenant: old, op: op("it", Change, Succeeded, "new"), state: Held,
			want: Active, by: "old", runs: "it", owned: []string{"new", "old"}, states: map[string]OperationState{"it": Succeeded}, unnotified: true,
		},
		"the end of what does not exist changes nothing": {
			tenant: old, op: op("it", Change, Running, "new"), end: "none", state: Held,
			want: Active, by: "old", runs: "it", owned: []string{"new", "old"}, states: map[string]OperationState{"it": Running}, unnotified: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(NewMemory(), now)
			c.tenant.Operation = c.op.ID
			update(t, r, "acme", func(tx *Tx) error {
				err := errors.Join(tx.Put(c.op), tx.Claim(c.tenant.Hosts...), tx.Claim(c.op.Hosts...))
				for _, q := range c.queued {
					c.tenant.Queued = append(c.tenant.Queued, q.ID)
					err = errors.Join(err, tx.Put(q), tx.Claim(q.Hosts...))
				}
				return errors.Join(err, tx.Put(c.tenant))
			})
			if c.end == "" {
				c.end = c.op.ID
			}
			attempt := map[int]int{0: 1, -1: 0, 2: 2}[c.attempt]
			for range 2 { // called twice, it is the same
				update(t, r, "acme", func(tx *Tx) error { return tx.End(c.end, attempt, c.state, "test", "reason") })
			}
			v := view(t, r, "acme")
			states := map[string]OperationState{}
			for _, o := range v.Operations {
				states[o.ID] = o.State
				if o.Over() == o.Ended.IsZero() && o.State != c.op.State {
					t.Errorf("%s ended at %s", o.ID, o.Ended)
				}
			}
			got := v.Tenant
			if got.State != c.want || got.Operation != c.runs || !slices.Equal(got.Queued, c.waits) || !gocmp.Equal(states, c.states) {
				t.Errorf("the tenant is %s, runs %q and then %v; the operations are %v", got.State, got.Operation, got.Queued, states)
			}
			if version := cmp.Or(c.version, map[bool]string{true: "old", false: "new"}[c.by == "old"]); string(got.Spec) != `{"by":"`+c.by+`"}` || got.Blueprint != version || got.RemoveMachine != "remove:"+version {
				t.Errorf("the tenant has %s of blueprint %s", got.Spec, got.Blueprint)
			}
			if owned := owned(t, r); !slices.Equal(owned, c.owned) {
				t.Errorf("acme owns %v: a host is lost to all, or free while it is in use", owned)
			}
			if ledger := v.Operation(c.end).Ledger; len(ledger.Outbox) != map[bool]int{false: 1, true: 0}[c.unnotified] {
				t.Errorf("to be notified are %+v", ledger.Outbox)
			}
		})
	}
}

func owned(t *testing.T, r *Registry) (hosts []string) {
	t.Helper()
	update(t, r, "acme", func(tx *Tx) error {
		owners, err := tx.Owners("new", "newer", "old")
		for _, h := range []string{"new", "newer", "old"} {
			if owners[h] != "" {
				hosts = append(hosts, h)
			}
		}
		return err
	})
	return hosts
}

func TestBegin(t *testing.T) {
	delayed := op("it", Remove, Delayed)
	delayed.NotBefore = noon
	early := delayed
	early.NotBefore = noon.Add(time.Second)
	for name, c := range map[string]struct {
		op      Operation
		attempt int
		goOn    bool
		state   OperationState
		tenant  TenantState
	}{
		"a removal whose delay is over":    {delayed, 1, true, Running, Removing},
		"a removal before its time":        {early, 1, false, Delayed, Active},
		"a removal that was cancelled":     {op("it", Remove, Cancelled), 1, false, Cancelled, Active},
		"a removal in another attempt":     {delayed, 2, false, Delayed, Active},
		"a launch":                         {op("it", Launch, Running), 1, true, Running, Active},
		"a removal that has begun":         {op("it", Remove, Running), 1, true, Running, Active},
		"a held removal":                   {op("it", Remove, Held), 1, false, Held, Active},
		"an operation that does not exist": {Operation{Tenant: "acme", ID: "other", State: Running}, 1, false, "", Active},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(NewMemory(), now)
			update(t, r, "acme", func(tx *Tx) error { return tx.Put(c.op, Tenant{Name: "acme", State: Active, Operation: "it"}) })
			for range 2 {
				var goOn bool
				update(t, r, "acme", func(tx *Tx) (err error) { goOn, err = tx.Begin("it", c.attempt, "test"); return err })
				if goOn != c.goOn {
					t.Errorf("it goes on: %v", goOn)
				}
			}
			if v := view(t, r, "acme"); v.Operation("it").State != c.state || v.Tenant.State != c.tenant {
				t.Errorf("the operation is %s, the tenant %s", v.Operation("it").State, v.Tenant.State)
			}
		})
	}
}

func TestRetried(t *testing.T) {
	for name, c := range map[string]struct {
		op     Operation
		tenant TenantState
		want   OperationState
	}{
		"a launch": {op("it", Launch, Held), Launching, Running},
		"a removal that was held while it waited": {op("it", Remove, Held), Active, Delayed},
		"a removal that had begun":                {op("it", Remove, Held), Removing, Running},
	} {
		if got := c.op.Retried(c.tenant); got.State != c.want || got.Attempt != 2 || got.Blueprint != "new" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
