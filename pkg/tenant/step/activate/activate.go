// Package activate is the step that marks a tenant's instance as active, by an object that
// the instance, a load balancer's function or a portal reads.
package activate

import (
	"time"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix string            `json:"prefix" required:"true" doc:"Prefix of the tenant in the tenants' bucket, with the tenant's name as one of its folders: activation.json is written there."`
	Host   string            `json:"host" required:"true" doc:"Host name that the instance serves."`
	Values map[string]string `json:"values" doc:"More values of the activation record."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:        "activate",
		Summary:     "Publishes the activation record (activation.json), which turns an instance from provisioned to serving. A removal takes it back first.",
		Class:       step.Storage,
		Parameters:  func() any { return new(Parameters) },
		Outputs:     []step.Output{{Name: "record", Doc: "Key of the activation record in the bucket."}},
		Permissions: bucket.Permissions,
		Policy:      step.Policy{TimeLimit: 30 * time.Second, Expected: 500 * time.Millisecond},
	}
}
