package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
)

// Reconcile turns a request into an operation, once, and starts the operation unless it is
// queued. After an error the request is delivered again.
func (i *Intake) Reconcile(ctx context.Context, e event.TenantRequest) (registry.Operation, error) {
	r, err := i.read(ctx, e)
	if err != nil {
		return registry.Operation{}, err
	}
	var d Decision
	err = i.Registry.Update(ctx, r.partition(), func(tx *registry.Tx) error {
		k, err := i.observe(ctx, tx, r)
		if err != nil {
			return err
		}
		d = Plan(r, k)
		return save(tx, r, d)
	})
	if err != nil {
		return registry.Operation{}, err
	}
	if !d.Repeated {
		i.log.InfoContext(ctx, "request decided", "tenant", r.partition(), "operation", d.Operation.ID, "state", string(d.Operation.State), "faults", len(d.Operation.Faults))
	}
	return d.Operation, i.settle(ctx, d.Operation)
}

// read decodes a request, and finds the faults that do not depend on the tenant's state.
func (i *Intake) read(ctx context.Context, e event.TenantRequest) (Request, error) {
	r := Request{ID: e.ID, Tenant: e.Tenant, Operation: registry.OperationKind(e.Operation)}
	fault := func(path, text string) { r.Faults = append(r.Faults, registry.Fault{Path: path, Fault: text}) }
	for _, f := range e.Faults {
		fault(f.Path, f.Reason)
	}
	if e.Spec != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, e.Spec); err != nil {
			return r, fmt.Errorf("read the spec of a request: %w", err)
		}
		r.Spec = compact.Bytes()
	}
	switch r.Operation {
	case registry.Launch, registry.Change, registry.Remove:
	default:
		r.Operation = "" // whatever it is, it is not kept
		if len(e.Faults) == 0 {
			fault("operation", `is none of "launch", "change" and "remove"`)
		}
	}
	if len(e.Faults) > 0 { // what there is of the request says little
		return r, nil
	}
	if err := blueprint.CheckLabel(e.Tenant); err != nil {
		fault("tenant", err.Error())
	}
	if e.ID == "" {
		fault("id", "is missing: a request that comes in no message needs one")
	}
	switch r.Operation {
	case registry.Launch, registry.Change:
		return r, i.readSpec(ctx, &r)
	case registry.Remove:
		if r.Spec != nil {
			fault("spec", "has no meaning in a removal: leave it out")
		}
	}
	return r, nil
}

// readSpec adds the faults of a spec, or else the hosts that it needs.
func (i *Intake) readSpec(ctx context.Context, r *Request) error {
	if r.Spec == nil {
		r.Faults = append(r.Faults, registry.Fault{Path: "spec", Fault: "is missing"})
		return nil
	}
	b, err := i.blueprint(ctx, i.cfg.Offer.Blueprint)
	if err != nil {
		return err
	}
	r.Faults = append(r.Faults, i.Validate(b.Spec, r.Spec)...)
	var s struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(r.Spec, &s) == nil && s.Name != r.Tenant && len(r.Faults) == 0 {
		r.Faults = append(r.Faults, registry.Fault{Path: "spec.name", Fault: "is not the request's tenant: they must be the same"})
	}
	if len(r.Faults) > 0 {
		return nil
	}
	if r.Hosts, err = b.Hosts(r.Spec); err != nil {
		r.Faults = append(r.Faults, registry.Fault{Path: "spec.name", Fault: err.Error()})
	}
	return nil
}

// observe reads what the plan needs: in one call for a new tenant, in two for another.
func (i *Intake) observe(ctx context.Context, tx *registry.Tx, r Request) (Known, error) {
	k := Known{At: tx.Now(), Offer: i.cfg.Offer, RemovalDelay: i.cfg.RemovalDelay}
	ids := []string{r.acceptedID(), r.rejectedID()}
	if err := tx.LoadNames(ids, r.Hosts); err != nil {
		return k, err
	}
	same, err1 := tx.Operations(ids...)
	owners, err2 := tx.Owners(r.Hosts...)
	t, err3 := tx.Tenant()
	if err := errors.Join(err1, err2, err3); err != nil {
		return k, err
	}
	k.Accepted, k.Rejected, k.Owners, k.Tenant = same[0], same[1], owners, t
	if t.Operation != "" {
		all, err := tx.Operations(append([]string{t.Operation}, t.Queued...)...)
		if err != nil {
			return k, err
		}
		k.Current, k.Queued = all[0], all[1:]
	}
	if r.Operation != registry.Change {
		return k, nil
	}
	var err error
	k.Missing, err = i.missing(ctx, k)
	return k, err
}

// missing are the steps of the blueprints of the tenant and of its open operations that the
// offered blueprint lacks, or has of another kind.
func (i *Intake) missing(ctx context.Context, k Known) (names []string, err error) {
	versions := []string{k.Tenant.Blueprint}
	for _, op := range append([]registry.Operation{k.Current}, k.Queued...) {
		versions = append(versions, op.Blueprint)
	}
	slices.Sort(versions)
	for _, version := range slices.Compact(versions) {
		if version == "" || version == k.Offer.Blueprint {
			continue
		}
		offered, err := i.blueprint(ctx, k.Offer.Blueprint)
		if err != nil {
			return nil, err
		}
		b, err := i.blueprint(ctx, version)
		if err != nil {
			return nil, err
		}
		for _, s := range b.Steps {
			if now, found := offered.Step(s.Name); !found || now.Kind != s.Kind {
				names = append(names, s.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (i *Intake) blueprint(ctx context.Context, version string) (*blueprint.Blueprint, error) {
	b, err := i.Blueprints(ctx, version)
	if err != nil {
		return nil, fault.Own(fmt.Errorf("read blueprint %s: %w", version, err))
	}
	return b, nil
}

// save writes a decision, all or nothing.
func save(tx *registry.Tx, r Request, d Decision) error {
	if d.Repeated {
		return nil
	}
	err := tx.Put(d.Operation)
	if d.Tenant.Name != "" {
		err = errors.Join(err, tx.Put(d.Tenant), tx.Claim(d.Operation.Hosts...))
	}
	what := fmt.Sprintf("%s requested: %s", r.Operation, d.Operation.State)
	if d.Operation.State == registry.Rejected {
		what = fmt.Sprintf("request rejected, faults: %d", len(d.Operation.Faults))
	}
	return errors.Join(err, tx.Audit(d.Operation.ID, "request "+r.ID, what))
}

// settle starts operations whose turn it is by the registry, and sends their notifications.
// An operation whose start fails for good is held for an operator; a notification that fails
// is left to the sweep.
func (i *Intake) settle(ctx context.Context, ops ...registry.Operation) error {
	var errs []error
	for _, op := range ops {
		if op.State == registry.Running || op.State == registry.Delayed {
			if err := i.start(ctx, op); err != nil {
				errs = append(errs, fmt.Errorf("start %s: %w", op.ID, err))
			}
		}
		i.notify(ctx, op)
	}
	return errors.Join(errs...)
}

func (i *Intake) start(ctx context.Context, op registry.Operation) error {
	err := i.Engine.Start(ctx, op)
	if err == nil || fault.MayPass(err) {
		return err
	}
	reason := "it cannot be started: " + fault.Message(err)
	switch {
	case fault.Is(err, fault.Denied):
		reason += ". " + fault.AllowRemedy(err)
	case fault.Is(err, fault.NotFound):
		reason += ". Deploy blueprint " + op.Blueprint + " again, then retry"
	}
	return i.conclude(ctx, op, reason)
}

// conclude holds an operation whose attempt will not end by itself, and settles what follows.
// One that has ended meanwhile stays as it is.
func (i *Intake) conclude(ctx context.Context, op registry.Operation, reason string) error {
	var held registry.Operation
	err := i.Registry.Update(ctx, op.Tenant, func(tx *registry.Tx) error {
		err := tx.Load(op.ID)
		if err != nil {
			return err
		}
		if err := tx.End(op.ID, op.Attempt, registry.Held, by, reason); err != nil {
			return err
		}
		held, err = tx.Operation(op.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("hold %s: %w", op.ID, err)
	}
	i.notify(ctx, held)
	return nil
}
