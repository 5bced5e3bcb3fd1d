package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/workflow"
)

// continuation is what the schedule sends to the queue.
type continuation struct {
	Sweep *struct{} `json:"sweep,omitempty"`
}

// Handle implements [invoke.Domain]. Messages about one tenant are handled one after
// another, in their order.
func (i *Intake) Handle(ctx context.Context, batch []event.Message) []error {
	errs := make([]error, len(batch))
	byTenant := map[string][]int{}
	for n, m := range batch {
		about := subject(m.Event)
		byTenant[about] = append(byTenant[about], n)
	}
	var g errgroup.Group
	g.SetLimit(concurrency)
	for _, indexes := range byTenant {
		g.Go(func() error {
			var err error
			for _, n := range indexes {
				if err == nil {
					err = i.handle(ctx, batch[n].Event)
				}
				errs[n] = err // later messages fail with it, to stay in order
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errs
}

// subject is the tenant that an event is about.
func subject(e event.Event) string {
	switch e := e.(type) {
	case event.TenantRequest:
		return e.Tenant
	case event.Execution:
		return executionOf(e).Tenant
	}
	return ""
}

// executionOf is the input of an execution, zero for one that is none of ours.
func executionOf(e event.Execution) (x workflow.Execution) {
	if json.Unmarshal([]byte(e.Input), &x) != nil {
		return workflow.Execution{}
	}
	return x
}

func (i *Intake) handle(ctx context.Context, e event.Event) error {
	switch e := e.(type) {
	case event.TenantRequest:
		_, err := i.Reconcile(ctx, e)
		return err
	case event.Execution:
		if x := executionOf(e); finalStatus(e.Status) != "" && x.Attempt > 0 {
			return i.ended(ctx, x, e.Status)
		}
	case event.Continuation:
		var c continuation
		if err := e.Decode(&c); err != nil {
			return err
		}
		if c.Sweep == nil {
			return errors.New(`a continuation needs "sweep"`)
		}
		return i.sweep(ctx)
	}
	i.log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%T", e))
	return nil
}
