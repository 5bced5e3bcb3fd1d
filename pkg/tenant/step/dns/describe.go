package dns

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Provider string   `json:"provider" required:"true" doc:"cloudflare or route53."`
	Zone     string   `json:"zone" required:"true" doc:"ID of the zone (Cloudflare) or of the hosted zone (Route 53)."`
	Token    string   `json:"token" doc:"For Cloudflare: ARN of the Secrets Manager secret that holds an API token which may edit the zone's DNS."`
	Records  []string `json:"records" required:"true" doc:"The records, each as in a zone file: NAME TYPE VALUE, such as \"shop.example.com CNAME lb.example.net\". Types: A, AAAA, CNAME, TXT; one record of a name and type."`
	TTL      int      `json:"ttl" doc:"Seconds that resolvers may keep the records: 60 to 86400, 300 by default."`
}

// Validate reports what the schema of the parameters cannot.
func (p Parameters) Validate() error {
	var faults []error
	switch {
	case p.Provider != "cloudflare" && p.Provider != "route53":
		faults = append(faults, fmt.Errorf("provider is %q: want cloudflare or route53", p.Provider))
	case p.Provider == "cloudflare" && p.Token == "":
		faults = append(faults, errors.New("token is missing: Cloudflare needs one"))
	}
	if p.TTL != 0 && (p.TTL < 60 || p.TTL > 86400) {
		faults = append(faults, fmt.Errorf("ttl is %d: want 60 to 86400 seconds", p.TTL))
	}
	_, err := p.records("")
	return errors.Join(append(faults, err)...)
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "dns",
		Summary:    "Creates the tenant's DNS records at Cloudflare or Route 53, and never touches a record that it has not made.",
		Class:      step.Network,
		Parameters: func() any { return new(Parameters) },
		Outputs:    []step.Output{{Name: "records", Doc: "The records, one a line, as in the parameters."}},
		Permissions: func(parameters json.RawMessage) []step.Permission {
			var p Parameters
			if json.Unmarshal(parameters, &p) == nil && p.Provider == "cloudflare" {
				return []step.Permission{{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{step.Resource(parameters, "token")}}}
			}
			zone := step.Resource(parameters, "zone")
			return []step.Permission{{
				Actions:   []string{"route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets"},
				Resources: []string{"arn:{partition}:route53:::hostedzone/" + zone},
			}}
		},
		Policy: step.Policy{TimeLimit: 2 * time.Minute, Expected: 2 * time.Second},
	}
}
