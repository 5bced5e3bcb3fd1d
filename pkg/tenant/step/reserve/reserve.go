// Package reserve is the step that claims names, such as a tenant's host names, for
// one tenant: no other tenant can have them until the step is undone.
package reserve

import (
	"encoding/json"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Names []string `json:"names" required:"true" doc:"Names and hosts that no other tenant may have."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "reserve",
		Summary:    "Claims names and hosts in the registry, so that no other tenant gets them.",
		Class:      step.Control,
		Parameters: func() any { return new(Parameters) },
		Outputs:    []step.Output{{Name: "names", Doc: "The names, one a line."}},
		// The registry's own permissions belong to every worker.
		Permissions: func(json.RawMessage) []step.Permission { return nil },
		Policy:      step.Policy{TimeLimit: 30 * time.Second, Expected: 300 * time.Millisecond},
	}
}
