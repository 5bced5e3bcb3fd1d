package registry

import (
	"fmt"
	"slices"
	"time"
)

// Begin starts a removal whose delay is over. It reports whether to go on: not if
// the operation was cancelled, or another attempt runs. Any other operation has begun.
func (tx *Tx) Begin(operation string, attempt int, by string) (bool, error) {
	op, err := tx.Operation(operation)
	if err != nil || op.Attempt != attempt || op.State != Running && op.State != Delayed {
		return false, err
	}
	t, err := tx.Tenant()
	if err != nil || op.State == Running || tx.now.Before(op.NotBefore) {
		return op.State == Running, err
	}
	op.State, t.State = Running, Removing
	if err := tx.Put(op, t); err != nil {
		return false, err
	}
	return true, tx.Audit(op.ID, by, "the removal begins")
}

// End ends an attempt of an operation: [Held] for an operator, or for good as
// [Succeeded], [Abandoned] or [Cancelled]. The tenant becomes what the operation made of it,
// names that are not needed any more are free, and the next queued operation becomes the
// tenant's: the caller of End, or else intake's sweep, starts it. An operation that has ended,
// or whose attempt is another, stays as it is: End may be called twice.
//
// A launch that is abandoned goes on as a removal of what it has made.
func (tx *Tx) End(operation string, attempt int, state OperationState, by, reason string) error {
	op, err := tx.Operation(operation)
	if err != nil || op.ID == "" || op.Over() || op.Attempt != attempt || op.State == state {
		return err
	}
	t, err := tx.Tenant()
	if err != nil {
		return err
	}
	op.State, op.Reason = state, reason
	op.Ledger = op.Ledger.Add(fmt.Sprintf("%s-%d", state, attempt), Matter{State: state, Attempt: attempt, At: tx.now})
	if err := tx.Audit(op.ID, by, describe(op)); err != nil {
		return err
	}
	if state == Held {
		return tx.Put(op)
	}
	op.Ended = tx.now
	if err := tx.Put(op); err != nil {
		return err
	}
	freed := slices.Concat(t.Hosts, op.Hosts)
	switch {
	case state == Succeeded:
		t = t.after(op, tx.now)
	case state == Abandoned && op.Kind == Change: // what it has done stays
		t.Blueprint, t.RemoveMachine = op.Blueprint, op.RemoveMachine
		t.Hosts = slices.Compact(slices.Sorted(slices.Values(freed)))
	}
	return tx.advance(t, op, freed, by)
}

// after is the tenant after an operation that succeeded.
func (t Tenant) after(op Operation, now time.Time) Tenant {
	switch op.Kind {
	case Remove:
		t.State, t.Removed, t.Hosts = Removed, now, nil
		return t
	case Launch:
		t.Activated = now
	}
	t.State, t.Spec, t.Blueprint, t.RemoveMachine, t.Hosts = Active, op.Spec, op.Blueprint, op.RemoveMachine, op.Hosts
	return t
}

// advance takes an ended operation out of its tenant, makes the next one the tenant's, and frees
// the hosts that no operation needs any more.
func (tx *Tx) advance(t Tenant, ended Operation, freed []string, by string) error {
	t.Queued = slices.DeleteFunc(slices.Clone(t.Queued), func(id string) bool { return id == ended.ID })
	waiting, err := tx.Operations(t.Queued...)
	if err != nil {
		return err
	}
	undone := ended.Kind == Launch && ended.State == Abandoned
	if undone { // nothing is left for the queued operations to change
		cancelled, err := tx.cancel(waiting)
		if err != nil {
			return err
		}
		freed, t.Queued, waiting = append(freed, cancelled...), nil, nil
	}
	switch {
	case undone:
		op := undo(ended, tx.now)
		t.State, t.Operation, t.Hosts = Removing, op.ID, op.Hosts
		err = tx.start(op, by)
	case t.Operation != ended.ID: // it was queued
		var op Operation
		op, err = tx.Operation(t.Operation)
		waiting = append(waiting, op)
	case len(waiting) > 0:
		op := waiting[0].Begun(tx.now)
		if op.Kind == Remove { // what there is now, not what there was when it was requested
			op.Spec, op.Blueprint, op.Machine, op.RemoveMachine = t.Spec, t.Blueprint, t.RemoveMachine, t.RemoveMachine
		}
		t.Operation, t.Queued = op.ID, t.Queued[1:]
		err = tx.start(op, by)
	default:
		t.Operation = ""
	}
	if err != nil {
		return err
	}
	if err := tx.Put(t); err != nil {
		return err
	}
	freed = slices.DeleteFunc(freed, func(h string) bool {
		return slices.ContainsFunc(waiting, func(op Operation) bool { return slices.Contains(op.Hosts, h) })
	})
	return tx.Release(freed...)
}

// cancel cancels queued operations and returns their hosts.
func (tx *Tx) cancel(waiting []Operation) (hosts []string, err error) {
	for _, op := range waiting {
		op.State, op.Ended, op.Reason = Cancelled, tx.now, "the tenant is removed"
		op.Ledger = op.Ledger.Add(string(Cancelled), Matter{State: Cancelled, At: tx.now})
		hosts = append(hosts, op.Hosts...)
		if err := tx.Put(op); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

// start puts an operation that is the tenant's from now on.
func (tx *Tx) start(op Operation, by string) error {
	if err := tx.Put(op); err != nil {
		return err
	}
	return tx.Audit(op.ID, by, describe(op))
}

// Begun is an operation that is the tenant's from now on. A removal waits until its state machine
// calls [Tx.Begin].
func (o Operation) Begun(now time.Time) Operation {
	o.State, o.Reason, o.Attempt, o.Started = Running, "", 1, now
	if o.Kind == Remove {
		o.State = Delayed
		o.Ledger = o.Ledger.Add(string(Delayed), Matter{State: Delayed, At: now})
	}
	return o
}

// Retried is a held operation in its next attempt, of a tenant in a state.
func (o Operation) Retried(tenant TenantState) Operation {
	o.State, o.Reason, o.Attempt = Running, "", o.Attempt+1
	if o.Kind == Remove && tenant != Removing {
		o.State = Delayed
	}
	return o
}

// undo is the removal of what an abandoned launch has made. It is not delayed and cannot
// be cancelled: half a tenant is of no use.
func undo(launch Operation, now time.Time) Operation {
	return Operation{
		State: Running, Attempt: 1, Started: now,
		ID: launch.ID + "-undo", Tenant: launch.Tenant, Kind: Remove, Request: launch.Request,
		Spec: launch.Spec, Blueprint: launch.Blueprint, Machine: launch.RemoveMachine, RemoveMachine: launch.RemoveMachine,
		Hosts: launch.Hosts, Created: now, NotBefore: now,
	}
}

// describe says in an audit event what became of an operation.
func describe(op Operation) string {
	text := fmt.Sprintf("%s %s", op.Kind, op.State)
	if op.Reason != "" {
		text += ": " + op.Reason
	}
	return text
}
