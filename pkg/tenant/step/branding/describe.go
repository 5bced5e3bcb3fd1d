package branding

import (
	"time"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix  string            `json:"prefix" required:"true" doc:"Prefix of the files in the tenants' bucket, with the tenant's name as one of its folders."`
	Palette map[string]string `json:"palette" required:"true" doc:"Colours by role, such as background: \"#ffffff\". A role is letters, digits and hyphens. Text, onPrimary and link must be readable on background and primary."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "branding",
		Summary:    "Publishes a palette as CSS custom properties (branding.css) and as JSON (branding.json) at keys that never change, after checking its contrast.",
		Class:      step.Storage,
		Parameters: func() any { return new(Parameters) },
		Outputs: []step.Output{
			{Name: "css", Doc: "Key of branding.css in the bucket."},
			{Name: "json", Doc: "Key of branding.json in the bucket."},
		},
		Permissions: bucket.Permissions,
		Policy:      step.Policy{TimeLimit: time.Minute, Expected: time.Second},
	}
}
