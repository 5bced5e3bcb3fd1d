package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
	. "deployhooks/pkg/tenant/registry"
	"deployhooks/test/dynamo"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func now() time.Time { return noon }

// each runs a test on every store, empty.
func each(t *testing.T, test func(*testing.T, Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, NewMemory()) })
	layout := Layout("registry")
	dynamo.Each(t, layout.Table, []string{layout.Partition, layout.Sort}, func(t *testing.T, db dynamo.DB) {
		test(t, NewDynamoDB(db, layout.Table))
	})
}

func update(t *testing.T, r *Registry, tenant string, fn func(*Tx) error) {
	t.Helper()
	if err := r.Update(t.Context(), tenant, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, r *Registry, tenant string) View {
	t.Helper()
	v, err := r.View(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRecords(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := New(s, now)
		acme := Tenant{Name: "acme", State: Launching, Spec: json.RawMessage(`{"title":"Äcme"}`), Operation: "one", Created: noon}
		one := Operation{ID: "one", Tenant: "acme", Kind: Launch, State: Running, Created: noon}
		ended := Operation{ID: "a-later-one", Tenant: "acme", Kind: Change, State: Succeeded, Created: noon.Add(time.Hour)}
		step := Step{Tenant: "acme", Name: "database-staging", State: StepDone}
		task := ManualTask{Tenant: "acme", Step: "store-accounts", Title: "Open the accounts"}
		update(t, r, "acme", func(tx *Tx) error {
			return errors.Join(tx.Put(ended, acme, one, step, task), tx.Audit("one", "sns", "first"), tx.Audit("one", "sns", "second"))
		})
		update(t, r, "beta", func(tx *Tx) error { return tx.Put(Tenant{Name: "beta"}) })

		want := View{Tenant: acme, Operations: []Operation{one, ended}, Steps: []Step{step}, Tasks: []ManualTask{task}}
		if diff := cmp.Diff(want, view(t, r, "acme")); diff != "" {
			t.Error(diff)
		}
		if got := view(t, r, "acme"); got.Operation("one").ID != "one" || got.Operation("none").ID != "" {
			t.Error("an operation is not found by its ID")
		}
		if v := view(t, r, "nobody"); !cmp.Equal(v, View{}) {
			t.Errorf("a tenant that does not exist has %+v", v)
		}
		update(t, r, "acme", func(tx *Tx) error { return readsEverything(t, tx) })

		tenants, err := r.Tenants(t.Context())
		if err != nil || len(tenants) != 2 || tenants[0].Name != "acme" || tenants[1].Name != "beta" {
			t.Errorf("tenants are %+v, %v", tenants, err)
		}
		open, err := r.Open(t.Context())
		if err != nil || len(open) != 1 || open[0].ID != "one" {
			t.Errorf("open are %+v, %v: one that ended costs for ever, or one that runs is forgotten", open, err)
		}
		var audit []string
		events, err := r.History(t.Context(), "acme", 9)
		for _, e := range events {
			audit = append(audit, e.What)
		}
		if err != nil || !slices.Equal(audit, []string{"second", "first"}) {
			t.Errorf("history is %v, %v", audit, err)
		}
		if events, err := r.History(t.Context(), "acme", 1); err != nil || len(events) != 1 || events[0].What != "second" {
			t.Errorf("the newest event is %v, %v", events, err)
		}
	})
}

// readsEverything reads in a transaction what TestRecords wrote.
func readsEverything(t *testing.T, tx *Tx) error {
	if err := tx.Load("one", "database-staging", "none"); err != nil {
		return err
	}
	tenant, err1 := tx.Tenant()
	op, err2 := tx.Operation("one")
	steps, err3 := tx.Steps("database-staging", "none")
	task, err4 := tx.Task("store-accounts")
	all, err5 := tx.Operations("none", "one")
	switch {
	case tenant.Name != "acme" || op.Kind != Launch || task.Title == "" || len(all) != 2 || all[0].ID != "" || all[1].ID != "one":
		t.Errorf("a transaction reads %+v, %+v, %+v, %+v", tenant, op, task, all)
	case steps["database-staging"].State != StepDone, !cmp.Equal(steps["none"], Step{Tenant: "acme", Name: "none"}):
		t.Errorf("a transaction reads the steps %+v", steps)
	}
	return errors.Join(err1, err2, err3, err4, err5)
}

func TestUpdateWritesAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := New(s, now)
		refused := errors.New("refused")
		err := r.Update(t.Context(), "acme", func(tx *Tx) error {
			return errors.Join(tx.Put(Tenant{Name: "acme"}), tx.Claim("acme.example.com"), refused)
		})
		if !errors.Is(err, refused) || !cmp.Equal(view(t, r, "acme"), View{}) {
			t.Errorf("refused with %v, it wrote %+v", err, view(t, r, "acme"))
		}
		if err := r.Update(t.Context(), "acme", func(tx *Tx) error { return tx.Put(Tenant{Name: "beta"}) }); !fault.IsOwn(err) {
			t.Errorf("another tenant's record is written: %v", err)
		}
		update(t, r, "acme", func(tx *Tx) error {
			if err := tx.Put(Tenant{Name: "acme", State: Launching}); err != nil {
				return err
			}
			if got, err := tx.Tenant(); got.State != Launching || err != nil {
				t.Errorf("a transaction does not read what it put: %+v, %v", got, err)
			}
			return tx.Put(Tenant{Name: "acme", State: Active})
		})
		if got := view(t, r, "acme").Tenant.State; got != Active {
			t.Errorf("put twice, the tenant is %q", got)
		}
	})
}

// TestParallelUpdates holds that no update is lost, whoever else writes.
func TestParallelUpdates(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := New(s, now)
		var g errgroup.Group
		for range 8 {
			g.Go(func() error {
				return r.Update(t.Context(), "acme", func(tx *Tx) error {
					step, err := tx.Steps("one")
					if err != nil {
						return err
					}
					one := step["one"]
					one.Attempt++
					return errors.Join(tx.Put(one), tx.Audit("", "test", "counted"))
				})
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		events, _ := r.History(t.Context(), "acme", 9)
		if v := view(t, r, "acme"); v.Steps[0].Attempt != 8 || len(events) != 8 {
			t.Errorf("8 updates made %d, with %d audit events", v.Steps[0].Attempt, len(events))
		}
	})
}

// flaky is a store whose answers get lost, with or without effect.
type flaky struct {
	Store
	before, after error // of the next write
	conflict      bool  // the next write took effect, and its retry conflicted with it
}

func (f *flaky) PutAll(ctx context.Context, items ...store.Item[json.RawMessage]) ([]store.Key, error) {
	before, after, conflict := f.before, f.after, f.conflict
	f.before, f.after, f.conflict = nil, nil, false
	if before != nil {
		return nil, before
	}
	conflicts, err := f.Store.PutAll(ctx, items...)
	if conflict {
		return []store.Key{items[0].Key}, err
	}
	return conflicts, errors.Join(err, after)
}

func TestLostAnswers(t *testing.T) {
	lost := errors.New("lost")
	for name, f := range map[string]flaky{"before the effect": {before: lost}, "after the effect": {after: lost}, "after the effect, found by a retry": {conflict: true}} {
		t.Run(name, func(t *testing.T) {
			db := f
			db.Store = NewMemory()
			r := New(&db, now)
			take := func(tx *Tx) error { // as a worker takes the lease of a step
				steps, err := tx.Steps("one")
				if err != nil || steps["one"].Holder == "me" {
					return err
				}
				return tx.Put(Step{Tenant: "acme", Name: "one", Holder: "me", Attempt: steps["one"].Attempt + 1})
			}
			err := r.Update(t.Context(), "acme", take)
			if reported := f.before == nil && f.after == nil; errors.Is(err, lost) == reported {
				t.Errorf("says %v", err)
			}
			update(t, r, "acme", take)
			if got := view(t, r, "acme").Steps; len(got) != 1 || got[0].Attempt != 1 {
				t.Errorf("the step is %+v: it was taken twice", got)
			}
		})
	}
}

func TestUpdateIsBounded(t *testing.T) {
	m := NewMemory()
	r, runs := New(m, now), 0
	err := r.Update(t.Context(), "acme", func(tx *Tx) error {
		runs++
		if _, err := tx.Tenant(); err != nil {
			return err
		}
		other := New(m, now).Update(t.Context(), "acme", func(tx *Tx) error { return tx.Put(Tenant{Name: "acme"}) })
		return errors.Join(other, tx.Put(Tenant{Name: "acme", State: Active}))
	})
	if !errors.Is(err, ErrConflict) || !fault.MayPass(err) || runs > 50 {
		t.Errorf("after %d runs it says %v: it loops until the function is ended", runs, err)
	}
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := New(s, now)
		claim := func(tenant string, names ...string) error {
			return r.Update(t.Context(), tenant, func(tx *Tx) error { return tx.Claim(names...) })
		}
		release := func(tenant string, names ...string) {
			update(t, r, tenant, func(tx *Tx) error { return tx.Release(names...) })
		}
		if err := errors.Join(claim("acme", "a.example.com", "b.example.com"), claim("acme", "b.example.com", "c.example.com")); err != nil {
			t.Fatalf("a tenant's own names: %v", err)
		}
		err := claim("beta", "free.example.com", "a.example.com", "b.example.com")
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "a.example.com") || !strings.Contains(err.Error(), "b.example.com") {
			t.Errorf("taken names say %v", err)
		}
		if err := claim("gamma", "free.example.com"); err != nil {
			t.Errorf("half of a claim was written: %v", err)
		}
		release("beta", "a.example.com")
		if err := claim("beta", "a.example.com"); !errors.Is(err, ErrTaken) {
			t.Errorf("a name was released by somebody else: %v", err)
		}
		release("acme", "a.example.com", "a.example.com")
		release("acme", "a.example.com", "never")
		update(t, r, "beta", func(tx *Tx) error {
			if err := errors.Join(tx.Claim("a.example.com"), tx.Release("a.example.com")); err != nil {
				return err
			}
			return tx.Claim("a.example.com")
		})
		update(t, r, "acme", func(tx *Tx) error {
			owners, err := tx.Owners("a.example.com", "b.example.com", "never")
			if want := map[string]string{"a.example.com": "beta", "b.example.com": "acme"}; !cmp.Equal(owners, want) {
				t.Errorf("owners are %v", owners)
			}
			return err
		})
	})
}

// TestNameClaimedByTwo holds that one of two gets a name that both see free.
func TestNameClaimedByTwo(t *testing.T) {
	each(t, func(t *testing.T, s Store) {
		r := New(s, now)
		var mu sync.Mutex
		var got []string
		var both sync.WaitGroup
		both.Add(2)
		var g errgroup.Group
		for _, tenant := range []string{"acme", "beta"} {
			g.Go(func() error {
				once := sync.OnceFunc(func() { both.Done(); both.Wait() })
				err := r.Update(t.Context(), tenant, func(tx *Tx) error {
					if _, err := tx.Owners("demo.example.com"); err != nil {
						return err
					}
					once() // both have seen it free
					return errors.Join(tx.Claim("demo.example.com"), tx.Put(Tenant{Name: tenant}))
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got = append(got, tenant)
				} else if !errors.Is(err, ErrTaken) {
					return err
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		tenants, err := r.Tenants(t.Context())
		if len(got) != 1 || err != nil || len(tenants) != 1 || tenants[0].Name != got[0] {
			t.Errorf("%v have the name, and the tenants are %+v, %v", got, tenants, err)
		}
	})
}

func TestLease(t *testing.T) {
	s := Step{Holder: "a", Lease: noon.Add(time.Minute)}
	for name, c := range map[string]struct {
		step   Step
		holder string
		at     time.Time
		want   bool
	}{
		"held by another":                  {s, "b", noon, true},
		"held by the same":                 {s, "a", noon, false},
		"expired":                          {s, "b", noon.Add(time.Minute), false},
		"held by nobody":                   {Step{Lease: noon.Add(time.Minute)}, "b", noon, false},
		"held by another until the moment": {s, "b", noon.Add(time.Minute - 1), true},
	} {
		if got := c.step.LeasedByOther(c.holder, c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestDamagedRecords holds that a record which cannot be read is named and is not taken for none.
func TestDamagedRecords(t *testing.T) {
	s := NewMemory()
	r := New(s, now)
	update(t, r, "good", func(tx *Tx) error { return tx.Put(Tenant{Name: "good"}) })
	update(t, r, "bad", func(tx *Tx) error { return tx.Put(Tenant{Name: "bad"}) })
	key := store.Key{Partition: "tenant#bad", Sort: "tenant"}
	if _, err := s.Put(t.Context(), store.Item[json.RawMessage]{Key: key, Version: 1, Value: json.RawMessage(`{"name":7}`)}); err != nil {
		t.Fatal(err)
	}
	names := func(err error) bool { return fault.IsOwn(err) && strings.Contains(fmt.Sprint(err), key.String()) }
	if err := r.Update(t.Context(), "bad", func(tx *Tx) error { _, err := tx.Tenant(); return err }); !names(err) {
		t.Errorf("a transaction says %v", err)
	}
	if _, err := r.View(t.Context(), "bad"); !names(err) {
		t.Errorf("a view says %v", err)
	}
	if all, err := r.Tenants(t.Context()); !names(err) || len(all) != 1 || all[0].Name != "good" {
		t.Errorf("the list is %v, %v: one damaged record hides the others", all, err)
	}
}
