package activate

import (
	"context"
	"encoding/json"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct{ bucket bucket.Bucket }

// New returns the kind, for the tenants' bucket.
func New(b bucket.Bucket) *Kind { return &Kind{b} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Record is the activation record. It says nothing of when and by which operation: the
// same activation is the same record.
type Record struct {
	Tenant      string            `json:"tenant"`
	Environment string            `json:"environment,omitempty"`
	Host        string            `json:"host"`
	Values      map[string]string `json:"values,omitempty"`
}

// Check compares the record with the wanted one.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	key, record, err := record(in)
	if err != nil {
		return "", err
	}
	return k.bucket.State(ctx, map[string][]byte{key: record}, in.Before["record"])
}

// Apply writes the record.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	key, record, err := record(in)
	if err != nil {
		return nil, err
	}
	return step.Outputs{"record": key}, k.bucket.Converge(ctx, map[string][]byte{key: record}, in.Before["record"])
}

// Undo deletes the record.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	key, record, err := record(in)
	if err != nil {
		return err
	}
	return k.bucket.Undo(ctx, map[string][]byte{key: record}, in.Before["record"])
}

func record(in step.Input) (key string, record []byte, err error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return "", nil, err
	}
	prefix, err := bucket.Prefix(in, p.Prefix)
	if err != nil {
		return "", nil, err
	}
	record, err = json.MarshalIndent(Record{in.Tenant, in.Environment, p.Host, p.Values}, "", "  ")
	return prefix + "activation.json", append(record, '\n'), err
}
