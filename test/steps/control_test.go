package steps

import (
	"context"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
)

func TestReserve(t *testing.T) {
	ctx := context.Background()
	s := newState()
	k := s.process(&network{}).kinds["reserve"]
	names := func(tenant, name string, names ...string) subject { return subject{tenant, name, names} }
	first := names("a", "hosts", "Shop.Example.com.", "stg.example.com")
	out, err := k.Apply(ctx, first.input(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Apply(ctx, names("b", "hosts", "new.example.com", "shop.example.com").input(t)); class(err) != step.Conflict || !strings.Contains(err.Error(), "shop.example.com") {
		t.Errorf("%v: two tenants have one host", err)
	}
	if _, err := k.Apply(ctx, names("c", "hosts", "new.example.com").input(t)); err != nil {
		t.Errorf("%v: a refused claim keeps a name", err)
	}
	changed := names("a", "hosts", "shop.example.com").input(t)
	changed.Before = out
	if state, err := k.Check(ctx, changed); err != nil || state != step.Drifted {
		t.Errorf("a name that is wanted no more: %s, %v", state, err)
	}
	if _, err := k.Apply(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Apply(ctx, names("b", "hosts", "stg.example.com").input(t)); err != nil {
		t.Errorf("%v: a former name is never free again", err)
	}
	for _, wrong := range [][]string{nil, {""}, {"a b"}} {
		if _, err := k.Apply(ctx, names("d", "hosts", wrong...).input(t)); class(err) != step.Refused {
			t.Errorf("names %q: %v", wrong, err)
		}
	}
}

type subject struct {
	tenant, name string
	names        []string
}

func (s subject) input(t *testing.T) step.Input {
	return input(t, s.tenant, s.name, map[string]any{"names": s.names})
}

func TestManual(t *testing.T) {
	ctx := context.Background()
	s := newState()
	k := s.process(&network{}).kinds["manual"]
	tenant := newTenant()
	in := input(t, tenant, "calendar", parameters()["manual"])
	task := func() (found registry.ManualTask) {
		t.Helper()
		view, err := s.registry.View(ctx, tenant)
		if err != nil || len(view.Tasks) != 1 {
			t.Fatalf("%d tasks, %v", len(view.Tasks), err)
		}
		return view.Tasks[0]
	}
	run := func() {
		t.Helper()
		if _, err := k.Apply(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	run()
	run()
	if got := task(); got.Instructions != "Enter https://"+tenant+".example.com/callback" || got.Due != noon.AddDate(0, 0, 3) {
		t.Errorf("task %+v: people enter a wrong address, or have no due date", got)
	}
	if x := s.engine.started[tenant+"-launch-1-calendar"]; x.Wait != 36*3600 {
		t.Errorf("the first reminder comes after %d s and not at half-time: people hear of the task when it is late", x.Wait)
	}
	complete := func() {
		t.Helper()
		err := s.registry.Update(ctx, tenant, func(tx *registry.Tx) error {
			found, err := tx.Task("calendar")
			found.Completed = noon
			return joined(err, func() error { return tx.Put(found) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	complete()
	started := len(s.engine.started)
	in.Operation = tenant + "-change-1"
	run()
	if task().Completed.IsZero() || len(s.engine.started) != started {
		t.Error("a completed task is asked for again: people do it twice")
	}
	changed := parameters()["manual"]
	changed["instructions"] = "Enter https://TENANT.example.org/callback"
	in.Parameters = input(t, tenant, "calendar", changed).Parameters
	if state, err := k.Check(ctx, in); err != nil || state != step.Drifted {
		t.Errorf("other instructions: %s, %v", state, err)
	}
	run()
	if got := task(); !got.Completed.IsZero() || !strings.Contains(got.Instructions, "example.org") || len(s.engine.started) != started+1 {
		t.Errorf("task %+v: nobody enters the new address", got)
	}
	if err := k.Undo(ctx, in); err != nil || task().Cancelled.IsZero() {
		t.Errorf("Undo: %v: people are reminded of a tenant that is gone", err)
	}
	run()
	if !task().Cancelled.IsZero() {
		t.Error("a tenant launched again has no task")
	}
	complete()
	if err := k.Undo(ctx, in); err != nil {
		t.Fatal(err)
	}
	run()
	if got := task(); !got.Completed.IsZero() || !got.Cancelled.IsZero() {
		t.Errorf("task %+v: what was done for a removed tenant counts as done for the next of its name", got)
	}
}

// TestManualDue: a task is due when the blueprint says, and one that is overdue is reminded of at once.
func TestManualDue(t *testing.T) {
	s := newState()
	k := s.process(&network{}).kinds["manual"]
	p := parameters()["manual"]
	p["due"] = "10h"
	in := input(t, newTenant(), "calendar", p)
	out, err := k.Apply(context.Background(), in)
	if x := s.engine.started[in.Operation+"-calendar"]; err != nil || x.Wait != 5*3600 || out["due"] != "2026-03-02T22:00:00Z" {
		t.Errorf("due %s, reminded after %d s, %v: people are asked at another time", out["due"], x.Wait, err)
	}
	err = s.registry.Update(context.Background(), in.Tenant, func(tx *registry.Tx) error {
		found, err := tx.Task("calendar")
		found.Due = noon.AddDate(0, 0, -1)
		return joined(err, func() error { return tx.Put(found) })
	})
	if err != nil {
		t.Fatal(err)
	}
	in.Operation = in.Tenant + "-change-1"
	if _, err := k.Apply(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if x := s.engine.started[in.Operation+"-calendar"]; x.Wait != 1 {
		t.Errorf("an overdue task is reminded of after %d s: a negative wait fails its execution", x.Wait)
	}
}

func joined(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}
