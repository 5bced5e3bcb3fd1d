package region

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// Call is one API call, as the gate saw it.
type Call struct {
	Service   string // the SDK's ServiceID, such as "Auto Scaling"
	Operation string // such as "AttachTrafficSources"
	At        time.Time
	// Err is what the caller got; nil in calls shown to hooks, which are
	// asked before the outcome is known.
	Err error
	// Input is the SDK's input. It is the caller's: read it, do not change it.
	Input any
}

// Fault makes a call fail. The zero Fault lets it be.
type Fault struct {
	Before error // fail without effect
	After  error // take effect, then fail
	// Partial makes a call on several things succeed without all of them:
	// PutEvents and SendMessageBatch fail their last entry, BatchGetItem and
	// BatchWriteItem leave half unprocessed. Other calls take no notice.
	Partial bool
}

// gate is what every call passes.
type gate struct {
	calls   []Call
	onCall  func(Call)
	faults  func(Call) Fault
	buckets buckets // nil without throttling
	partial bool    // for the call that is being served
}

// Calls are the calls since the beginning, or since [Region.ForgetCalls], in
// the order in which they took effect. What AWS's services do among
// themselves is not among them.
func (r *Region) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gate.calls)
}

// ForgetCalls empties the record of calls.
func (r *Region) ForgetCalls() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate.calls = nil
}

// OnCall has hook run before each call takes effect, without the region's
// lock: a hook that sleeps is a slow network. nil removes it.
func (r *Region) OnCall(hook func(Call)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate.onCall = hook
}

// SetFaults has hook decide which calls fail. It is asked once a call, with
// the region's lock held, so it must not call the region. nil removes it.
func (r *Region) SetFaults(hook func(Call) Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate.faults = hook
}

// call passes one API call through the gate. simulated lists the input's
// fields that serve knows, separated by spaces: a call that sets another one
// fails, because to ignore it would be to lie about what AWS would do.
func call[I, O any](ctx context.Context, r *Region, service, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	if in == nil {
		in = new(I)
	}
	fail := func(err error) (*O, error) {
		return nil, &smithy.OperationError{ServiceID: service, OperationName: operation, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(&aws.RequestCanceledError{Err: err})
	}
	r.mu.Lock()
	hook := r.gate.onCall
	c := Call{Service: service, Operation: operation, At: r.clock.now, Input: in}
	r.mu.Unlock()
	if hook != nil {
		hook(c)
		if err := ctx.Err(); err != nil {
			return fail(&aws.RequestCanceledError{Err: err})
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	c.At = r.clock.now
	out, err := pass(r, c, in, simulated, serve)
	c.Err = err
	r.gate.calls = append(r.gate.calls, c)
	if err != nil {
		return fail(err)
	}
	return out, nil
}

// pass asks throttling, the fault hook, the caller's policy and the service
// itself, in this order.
func pass[I, O any](r *Region, c Call, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	if r.gate.buckets != nil && !r.gate.buckets.take(c) {
		return nil, dress(Throttled(), c)
	}
	var fault Fault
	if r.gate.faults != nil {
		fault = r.gate.faults(c)
	}
	if fault.Before != nil {
		return nil, dress(fault.Before, c)
	}
	if err := r.authorizeCall(c); err != nil {
		return nil, err
	}
	if field := unsimulated(in, simulated); field != "" {
		return nil, failure("NotImplemented", "the simulated region does not know the field %s of %s %s", field, c.Service, c.Operation)
	}
	r.gate.partial = fault.Partial
	out, err := serve(in)
	if err == nil && fault.After != nil {
		return nil, dress(fault.After, c)
	}
	return out, err
}

// authorizeCall checks everything that a call needs against the policy of the
// caller, if it has one.
func (r *Region) authorizeCall(c Call) error {
	if r.caller == nil {
		return nil
	}
	needs, ok := r.needs(c)
	if !ok {
		return failure("NotImplemented", "the simulated region does not know what IAM asks of %s %s", c.Service, c.Operation)
	}
	for _, n := range needs {
		if err := r.caller.authorize(c, n); err != nil {
			return err
		}
	}
	return nil
}

// unsimulated is the name of an input field that is set and not simulated.
func unsimulated(in any, simulated string) string {
	known := strings.Fields(simulated)
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !v.Field(i).IsZero() && !slices.Contains(known, f.Name) {
			return f.Name
		}
	}
	return ""
}
