package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/spec"
)

// queueLimit is how many operations of a tenant wait for the one that runs.
const queueLimit = 10

// Request is a request about a tenant.
type Request struct {
	ID, Tenant string
	Operation  registry.OperationKind
	Spec       json.RawMessage // compact
	// Faults are those of the request's form and of its spec.
	Faults []registry.Fault
	// Hosts are the host names that the spec leads to.
	Hosts []string
}

// Known is what was observed.
type Known struct {
	At           time.Time
	Offer        Offer
	RemovalDelay time.Duration
	Tenant       registry.Tenant
	// Current is the tenant's operation, and Queued are those after it.
	Current registry.Operation
	Queued  []registry.Operation
	// Accepted and Rejected are the operations that the same request has become already.
	Accepted, Rejected registry.Operation
	// Owners are the tenants that have the hosts.
	Owners map[string]string
	// Missing are the steps that the tenant has, or will have by open operations, and that the
	// offered blueprint lacks or has of another kind.
	Missing []string
}

// Decision is what becomes of a request.
type Decision struct {
	Operation registry.Operation
	// Repeated means that the request became this operation before: nothing is to be written.
	Repeated bool
	// Tenant is as it shall be; without a name it stays as it is.
	Tenant registry.Tenant
}

// acceptedID is the ID of the operation that a request becomes. It follows from the request, and
// is the name of an execution: 80 characters at most (StartExecution, AWS Step Functions API
// Reference), of which later attempts and manual tasks need some.
func (r Request) acceptedID() string {
	return fmt.Sprintf("%s-%s-%s", r.Tenant, r.Operation, digest(r.Tenant, string(r.Operation), r.ID))
}

// rejectedID is the same of a request that is rejected. It depends on the spec: the sender may correct
// it and send it under the same ID.
func (r Request) rejectedID() string {
	return "rejected-" + digest(r.Tenant, string(r.Operation), r.ID, string(r.Spec))
}

func digest(parts ...string) string {
	hash := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(hash, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// partition is the tenant whose records a request is kept with.
func (r Request) partition() string {
	if blueprint.CheckLabel(r.Tenant) != nil {
		return registry.Unnamed
	}
	return r.Tenant
}

// Plan decides what becomes of a request: accepted and begun, accepted and queued, or rejected
// with every fault.
func Plan(r Request, k Known) Decision {
	switch {
	case k.Rejected.ID != "":
		return Decision{Operation: k.Rejected, Repeated: true}
	case k.Accepted.ID != "" && len(r.Faults) == 0 && (r.Operation == registry.Remove || bytes.Equal(k.Accepted.Spec, r.Spec)):
		return Decision{Operation: k.Accepted, Repeated: true}
	}
	faults := slices.Concat(r.Faults, k.faults(r)) // a copy
	if k.Accepted.ID != "" {
		faults = append(faults, registry.Fault{Path: "id", Fault: "was used for another spec: give each request an ID of its own"})
	}
	if len(faults) > 0 {
		return Decision{Operation: reject(r, faults, k.At)}
	}
	return accept(r, k)
}

// faults are those of a request that depend on the state of the tenant.
func (k Known) faults(r Request) (faults []registry.Fault) {
	fault := func(path, format string, arguments ...any) {
		faults = append(faults, registry.Fault{Path: path, Fault: fmt.Sprintf(format, arguments...)})
	}
	t := k.Tenant
	exists := t.Name != "" && t.State != registry.Removed
	switch r.Operation {
	case registry.Launch:
		if exists {
			fault("tenant", "exists and is %s: send a change, or choose another name", t.State)
		} else if len(t.Retained) > 0 {
			fault("tenant", "was removed, and the data of these steps was retained, which the new tenant would get: %s. Choose another name, or have an operator release this one and send the request under another ID", strings.Join(t.Retained, ", "))
		}
	case registry.Change, registry.Remove:
		if !exists {
			fault("tenant", "does not exist: launch it first")
			break
		}
		if end, found := k.removal(); found {
			fault("tenant", "is to be removed by operation %s: cancel that first, as long as it has not begun", end.ID)
		}
		if len(k.Queued) >= queueLimit {
			fault("tenant", "has %d operations that wait for %s, which is %s: send this one later, under another ID", len(k.Queued), k.Current.ID, k.Current.State)
		}
		if len(k.Missing) > 0 {
			fault("tenant", "has steps that the deployed blueprint lacks or has of another kind, so that nobody would undo them: %s. Keep them in the blueprint until no tenant has them, or remove the tenant and launch it anew", strings.Join(k.Missing, ", "))
		}
		if r.Operation == registry.Remove && k.protected() {
			fault("tenant", "is protected: send a change with \"protected\": false first")
		}
	}
	for _, h := range r.Hosts {
		if owner := k.Owners[h]; owner != "" && owner != r.Tenant {
			fault("spec.name", "leads to the host %s, which is another tenant's: choose another name", h)
		}
	}
	return faults
}

// removal is the removal that runs or waits.
func (k Known) removal() (registry.Operation, bool) {
	for _, op := range append([]registry.Operation{k.Current}, k.Queued...) {
		if op.Kind == registry.Remove && !op.Over() {
			return op, true
		}
	}
	return registry.Operation{}, false
}

// protected reports whether the tenant may not be removed, by the spec that was accepted last.
func (k Known) protected() bool {
	spec := k.Tenant.Spec
	for _, op := range append([]registry.Operation{k.Current}, k.Queued...) {
		if op.Kind == registry.Change && !op.Over() {
			spec = op.Spec
		}
	}
	var s struct {
		Protected bool `json:"protected"`
	}
	return json.Unmarshal(spec, &s) == nil && s.Protected
}

// reject keeps nothing of the spec, not even the name of a field that looks like a secret: it
// may be what the request is rejected for.
func reject(r Request, faults []registry.Fault, at time.Time) registry.Operation {
	for i, f := range faults {
		names := strings.Split(f.Path, ".")
		for n, name := range names {
			if spec.Secret("", name) != "" {
				names[n] = "…"
			}
		}
		faults[i].Path = strings.Join(names, ".")
	}
	op := registry.Operation{
		ID: r.rejectedID(), Tenant: r.partition(), Kind: r.Operation, State: registry.Rejected, Request: r.ID,
		Faults: faults, Created: at, Ended: at,
	}
	op.Ledger = op.Ledger.Add(string(registry.Rejected), registry.Matter{State: registry.Rejected, At: at})
	return op
}

func accept(r Request, k Known) Decision {
	t := k.Tenant
	op := registry.Operation{
		ID: r.acceptedID(), Tenant: r.Tenant, Kind: r.Operation, State: registry.Queued, Request: r.ID, Created: k.At,
		Spec: r.Spec, Hosts: r.Hosts, Blueprint: k.Offer.Blueprint, Machine: k.Offer.ConvergeMachine, RemoveMachine: k.Offer.RemoveMachine,
	}
	switch r.Operation {
	case registry.Launch:
		t = registry.Tenant{
			Name: r.Tenant, State: registry.Launching, Spec: r.Spec, Blueprint: op.Blueprint, RemoveMachine: op.RemoveMachine, Hosts: r.Hosts, Created: k.At,
		}
	case registry.Remove: // by the blueprint that made it
		op.Spec, op.Blueprint, op.Machine, op.RemoveMachine = t.Spec, t.Blueprint, t.RemoveMachine, t.RemoveMachine
		op.NotBefore = k.At.Add(k.RemovalDelay)
	}
	if t.Operation != "" {
		op.Reason = fmt.Sprintf("waits for %s, which is %s", k.Current.ID, k.Current.State)
		t.Queued = append(slices.Clone(t.Queued), op.ID)
		return Decision{Operation: op, Tenant: t}
	}
	op = op.Begun(k.At)
	t.Operation = op.ID
	return Decision{Operation: op, Tenant: t}
}
