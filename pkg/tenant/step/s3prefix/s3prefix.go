// Package s3prefix is the step that gives a tenant a prefix of the tenants' bucket, with its
// first content.
package s3prefix

import (
	"time"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix  string `json:"prefix" required:"true" doc:"Prefix of the tenant's objects, with the tenant's name as one of its folders, such as acme/production/."`
	Content string `json:"content" doc:"Folder of the first objects. They are copied once, and never over an object that is there."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "s3-prefix",
		Summary:    "Fills a prefix of the tenants' bucket with its first objects, and writes the IAM policy that limits the tenant's instance to it.",
		Class:      step.Storage,
		Parameters: func() any { return new(Parameters) },
		Files:      []string{"content"},
		Outputs: []step.Output{
			{Name: "bucket", Doc: "Name of the tenants' bucket."},
			{Name: "prefix", Doc: "The prefix, with a slash at its end."},
			{Name: "policy", Doc: "IAM policy, as JSON, that limits a role to the prefix."},
		},
		Permissions: bucket.Permissions,
		Policy:      step.Policy{TimeLimit: 5 * time.Minute, Expected: time.Second},
	}
}
