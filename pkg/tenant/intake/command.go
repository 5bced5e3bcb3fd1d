package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
)

// Command is an operator's request. The answer to one about a tenant is its [Status].
//
//	{"action": "tenants"}                              all tenants
//	{"action": "tenant",   "tenant": "acme"}           how one stands
//	{"action": "retry",    "tenant": "acme"}           run the held operation again: what is done stays done
//	{"action": "abandon",  "tenant": "acme"}           end the held operation; an abandoned launch is undone
//	{"action": "cancel",   "tenant": "acme"}           cancel the removal that has not begun, or the queued "operation"
//	{"action": "release",  "tenant": "acme"}           let a removed tenant's name, and the data that was retained, be used again
//	{"action": "complete", "tenant": "acme", "step": "store-accounts", "by": "jo@example.com"}
//	{"action": "sweep"}                                do what missed events left undone
type Command struct {
	Action    string `json:"action"`
	Tenant    string `json:"tenant,omitempty"`
	Operation string `json:"operation,omitempty"`
	Step      string `json:"step,omitempty"`
	// By is who sends it, for the audit.
	By string `json:"by,omitempty"`
}

// Answer implements [invoke.Domain].
func (i *Intake) Answer(ctx context.Context, e event.Request) (any, error) {
	var c Command
	if err := e.Decode(&c); err != nil {
		return nil, err
	}
	act := map[string]func(context.Context, Command) error{
		"tenant": func(context.Context, Command) error { return nil }, "retry": i.retry, "abandon": i.abandon, "cancel": i.cancel, "release": i.release, "complete": i.complete,
	}[c.Action]
	switch {
	case c.Action == "tenants":
		return i.tenants(ctx)
	case c.Action == "sweep":
		if err := i.sweep(ctx); err != nil {
			return nil, err
		}
		return i.tenants(ctx)
	case act == nil:
		return nil, fmt.Errorf(`action %q is not known: give "tenants", "tenant", "retry", "abandon", "cancel", "release", "complete" or "sweep"`, c.Action)
	case c.Tenant == "":
		return nil, fmt.Errorf(`action %q needs a "tenant"`, c.Action)
	}
	if c.By == "" {
		c.By = "operator"
	}
	if err := act(ctx, c); err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.Action, c.Tenant, err)
	}
	return i.status(ctx, c.Tenant)
}

// change runs a transaction on the tenant's operation, and settles what came of it.
func (i *Intake) change(ctx context.Context, c Command, fn func(*registry.Tx, registry.Tenant, registry.Operation) error) error {
	var ops []registry.Operation
	err := i.Registry.Update(ctx, c.Tenant, func(tx *registry.Tx) error {
		t, err := tx.Tenant()
		switch {
		case err != nil:
			return err
		case t.Name == "":
			return errors.New("there is no such tenant")
		}
		before, err := tx.Operation(t.Operation)
		if err != nil {
			return err
		}
		if c.Operation != "" && c.Operation != before.ID {
			if before, err = tx.Operation(c.Operation); err != nil {
				return err
			}
		}
		if before.ID == "" {
			return errors.New("it has no such operation")
		}
		if err := fn(tx, t, before); err != nil {
			return err
		}
		if t, err = tx.Tenant(); err != nil {
			return err
		}
		ops, err = tx.Operations(before.ID, t.Operation)
		return err
	})
	if err != nil {
		return err
	}
	if ops[0].ID == ops[1].ID || ops[1].ID == "" {
		ops = ops[:1]
	}
	return i.settle(ctx, ops...)
}

func (i *Intake) retry(ctx context.Context, c Command) error {
	return i.change(ctx, c, func(tx *registry.Tx, t registry.Tenant, op registry.Operation) error {
		switch {
		case t.Operation == op.ID && (op.State == registry.Running || op.State == registry.Delayed):
			return nil // by an earlier try of the same command: it is started again, to no effect
		case op.State != registry.Held:
			return refused(op, "retried", registry.Held)
		}
		// The state machine of the same blueprint may have been made anew since.
		if op = op.Retried(t.State); op.Blueprint == i.cfg.Offer.Blueprint {
			op.Machine, op.RemoveMachine = i.cfg.Offer.machineOf(op.Kind), i.cfg.Offer.RemoveMachine
		}
		return errors.Join(tx.Put(op), tx.Audit(op.ID, c.By, fmt.Sprintf("retry, attempt %d", op.Attempt)))
	})
}

func (i *Intake) abandon(ctx context.Context, c Command) error {
	return i.change(ctx, c, func(tx *registry.Tx, t registry.Tenant, op registry.Operation) error {
		switch {
		case op.Kind == registry.Remove:
			return fmt.Errorf("%s is a removal, which leaves half a tenant if it is abandoned: retry it", op.ID)
		case op.State == registry.Abandoned:
			return nil
		case op.State != registry.Held:
			return refused(op, "abandoned", registry.Held)
		}
		return tx.End(op.ID, op.Attempt, registry.Abandoned, c.By, "")
	})
}

func (i *Intake) cancel(ctx context.Context, c Command) error {
	return i.change(ctx, c, func(tx *registry.Tx, t registry.Tenant, op registry.Operation) error {
		waits := op.State == registry.Queued || op.State == registry.Delayed ||
			op.State == registry.Held && op.Kind == registry.Remove && t.State != registry.Removing
		switch {
		case op.State == registry.Cancelled:
			return nil
		case !waits:
			return refused(op, "cancelled", registry.Queued, registry.Delayed)
		}
		return tx.End(op.ID, op.Attempt, registry.Cancelled, c.By, "")
	})
}

// release lets the name of a removed tenant be used again although data of it was retained: the
// operator says that it is the same client's, or is deleted.
func (i *Intake) release(ctx context.Context, c Command) error {
	return i.Registry.Update(ctx, c.Tenant, func(tx *registry.Tx) error {
		t, err := tx.Tenant()
		switch {
		case err != nil:
			return err
		case t.Name == "":
			return errors.New("there is no such tenant")
		case t.State != registry.Removed:
			return fmt.Errorf("it is %s: only the name of a removed tenant can be released", t.State)
		case len(t.Retained) == 0:
			return nil
		}
		what := "released the name, with what was retained: " + strings.Join(t.Retained, ", ")
		t.Retained = nil
		if err := tx.Put(t); err != nil {
			return err
		}
		return tx.Audit("", c.By, what)
	})
}

// refused says why an operator cannot do something with an operation.
func refused(op registry.Operation, what string, needs ...registry.OperationState) error {
	return fmt.Errorf("operation %s is %s: only one that is %v can be %s", op.ID, op.State, needs, what)
}

// complete records that a person has completed a manual task, and ends the wait for it. Of two
// completions the first is kept.
func (i *Intake) complete(ctx context.Context, c Command) error {
	if c.Step == "" || c.By == "operator" {
		return errors.New(`it needs the "step" of the task, and who completed it as "by"`)
	}
	var token string
	err := i.Registry.Update(ctx, c.Tenant, func(tx *registry.Tx) error {
		m, err := tx.Task(c.Step)
		switch {
		case err != nil:
			return err
		case m.Step == "":
			return fmt.Errorf("it has no manual task %q", c.Step)
		case !m.Cancelled.IsZero():
			return fmt.Errorf("its task %s was cancelled at %s", c.Step, m.Cancelled)
		}
		token = m.Token
		if !m.Completed.IsZero() {
			return nil
		}
		m.Completed, m.CompletedBy = tx.Now(), c.By
		return errors.Join(tx.Put(m), tx.Audit("", c.By, "manual task "+c.Step+" completed"))
	})
	if err != nil || token == "" {
		return err
	}
	if err := i.Engine.Resume(ctx, token); err != nil {
		return fmt.Errorf("the task is completed, but its reminders were not stopped: invoke this again: %w", err)
	}
	return nil
}
