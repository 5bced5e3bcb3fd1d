// Package sesidentity is the step that makes a domain known to Amazon SES, so that a tenant's
// mail comes from it.
package sesidentity

import (
	"encoding/json"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Domain   string `json:"domain" required:"true" doc:"Domain that mail is sent from, such as acme.mail.example.com."`
	Sender   string `json:"sender" doc:"Address that mail is sent from; noreply@ the domain by default."`
	Fallback string `json:"fallback" doc:"Address of a verified domain that mail is sent from until SES has verified the domain, so that a launch never waits for it."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "ses-identity",
		Summary:    "Creates the SES identity of a domain with Easy DKIM; its DNS records are outputs, for a step of kind dns.",
		Class:      step.Mail,
		Parameters: func() any { return new(Parameters) },
		Outputs: []step.Output{
			{Name: "identity", Doc: "The domain."},
			{Name: "sender", Doc: "Address to send from: the fallback while the domain is not verified."},
			{Name: "dkim1", Doc: "First DNS record that proves the domain, as NAME CNAME VALUE."},
			{Name: "dkim2", Doc: "Second DNS record."},
			{Name: "dkim3", Doc: "Third DNS record."},
		},
		Permissions: func(json.RawMessage) []step.Permission {
			return []step.Permission{{
				Actions:   []string{"ses:CreateEmailIdentity", "ses:TagResource", "ses:GetEmailIdentity", "ses:DeleteEmailIdentity"},
				Resources: []string{"arn:{partition}:ses:{region}:{account}:identity/*"},
			}}
		},
		Policy: step.Policy{TimeLimit: time.Minute, Expected: time.Second, Recheck: true},
	}
}
