package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
)

// settleTime is how long the sweep leaves an operation to the message that brought it,
// which is delivered again when its function fails.
const settleTime = 2 * time.Minute

// sweep reconciles what events missed: it starts operations that were accepted and never
// started, holds those whose execution ended without its last task, and sends notifications that
// were not sent.
func (i *Intake) sweep(ctx context.Context) error {
	open, err := i.Registry.Open(ctx)
	errs := make([]error, len(open))
	var g errgroup.Group
	g.SetLimit(concurrency)
	for n, op := range open {
		g.Go(func() error {
			if errs[n] = i.revisit(ctx, op); errs[n] != nil {
				errs[n] = fmt.Errorf("sweep %s: %w", op.ID, errs[n])
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errors.Join(append(errs, err)...)
}

// revisit reconciles one open operation, which may have changed since it was listed.
func (i *Intake) revisit(ctx context.Context, op registry.Operation) error {
	if i.now().Sub(op.Started) < settleTime || op.State != registry.Running && op.State != registry.Delayed {
		i.notify(ctx, op)
		return nil
	}
	status, err := i.Engine.Ended(ctx, op)
	switch {
	case err != nil && (fault.MayPass(err) || fault.Is(err, fault.Denied)): // its steps go on without this permission
		return err
	case err != nil:
		return i.conclude(ctx, op, "its execution cannot be followed: "+fault.Message(err))
	case status == workflow.NotStarted:
		return i.settle(ctx, op)
	case status == "":
		i.notify(ctx, op)
		return nil
	}
	return i.ended(ctx, workflow.ExecutionOf(op), status)
}

// ended reconciles an operation whose execution has ended: one that is not concluded is held, the
// next operation of the tenant is started, and operators are notified.
func (i *Intake) ended(ctx context.Context, x workflow.Execution, status string) error {
	var ops []registry.Operation
	err := i.Registry.Update(ctx, x.Tenant, func(tx *registry.Tx) error {
		ops = nil
		if err := tx.Load(x.Operation); err != nil {
			return err
		}
		op, err := tx.Operation(x.Operation)
		if err != nil || op.ID == "" {
			return err
		}
		if op.State == registry.Running || op.State == registry.Delayed { // its last task would have said otherwise
			reason := fmt.Sprintf("its execution ended (%s) before all steps had their turn", strings.ToLower(status))
			if err := tx.End(op.ID, x.Attempt, registry.Held, by, reason); err != nil {
				return err
			}
		}
		t, err := tx.Tenant()
		if err != nil {
			return err
		}
		if op, err = tx.Operation(op.ID); err != nil {
			return err
		}
		ops = append(ops, op)
		if t.Operation != "" && t.Operation != op.ID {
			next, err := tx.Operation(t.Operation)
			if err != nil {
				return err
			}
			ops = append(ops, next)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.settle(ctx, ops...)
}
