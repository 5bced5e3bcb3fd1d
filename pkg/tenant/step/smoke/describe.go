package smoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step. Each of the first five has its check; one that is left out is
// not made.
type Parameters struct {
	URL      string `json:"url" doc:"Address of the log-in page (https). Its host must resolve, its certificate be valid, and the page answer with status 200."`
	Title    string `json:"title" doc:"Text that the log-in page must show, such as the tenant's title."`
	Identity string `json:"identity" doc:"SES identity that must be verified."`
	Database string `json:"database" doc:"ARN of the secret of a postgres step: its role must be able to log in."`
	Branding string `json:"branding" doc:"Address (https) at which the palette must be published as JSON."`
	TLS      string `json:"tls" doc:"How to log in to the database: verify-full (the default), require or disable."`
	CA       string `json:"ca" doc:"File with the certificate authorities of the database server, in PEM."`
}

// Validate reports what the schema of the parameters cannot.
func (p Parameters) Validate() error {
	var faults []error
	if p.URL == "" && p.Identity == "" && p.Database == "" && p.Branding == "" {
		faults = append(faults, errors.New("nothing is checked: want at least one of url, identity, database and branding"))
	}
	if p.Title != "" && p.URL == "" {
		faults = append(faults, errors.New("title needs a url"))
	}
	for _, a := range []string{p.URL, p.Branding} {
		if a == "" || strings.Contains(a, "${") {
			continue
		}
		if u, err := url.Parse(a); err != nil || u.Scheme != "https" || u.Hostname() == "" {
			faults = append(faults, fmt.Errorf("%q is not an https address", a))
		}
	}
	return errors.Join(faults...)
}

// Description of the kind. It is of class database, as only that one reaches the
// databases: the checks of pages need a VPC that reaches the internet.
func Description() step.Description {
	return step.Description{
		Name:       "smoke",
		Summary:    "Checks what users will meet: DNS, TLS, the log-in page, the mail identity, the database log-in and the published palette.",
		Class:      step.Database,
		Parameters: func() any { return new(Parameters) },
		Files:      []string{"ca"},
		Outputs:    []step.Output{{Name: "checks", Doc: "What was checked, one a line."}},
		Permissions: func(json.RawMessage) []step.Permission {
			return []step.Permission{
				{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{"arn:{partition}:secretsmanager:{region}:{account}:secret:deployhooks/*"}},
				{Actions: []string{"ses:GetEmailIdentity"}, Resources: []string{"arn:{partition}:ses:{region}:{account}:identity/*"}},
			}
		},
		Policy: step.Policy{TimeLimit: time.Minute, Wait: 5 * time.Minute, Interval: 15 * time.Second, Expected: 5 * time.Second},
	}
}
