package branding

import (
	"encoding/json"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix   string            `json:"prefix" required:"true" doc:"Prefix of the files in the tenants' bucket, with the tenant's name as one of its folders."`
	Palette  map[string]string `json:"palette" required:"true" doc:"Colours by role, such as background: \"#ffffff\". A role is small letters, digits and hyphens."`
	Contrast []string          `json:"contrast" doc:"Pairs of roles that must be readable on each other, such as text/background (the default): a contrast of 4.5 to 1."`
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
		Permissions: func(json.RawMessage) []step.Permission {
			return []step.Permission{{Actions: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resources: []string{"{bucket}/*"}}, {Actions: []string{"s3:ListBucket"}, Resources: []string{"{bucket}"}}}
		},
		Policy: step.Policy{TimeLimit: time.Minute, Expected: time.Second},
	}
}
