package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Administrator string            `json:"administrator" required:"true" doc:"ARN of the Secrets Manager secret of the server's administrator: JSON with username and password, and with host and port unless they are given here."`
	Host          string            `json:"host" doc:"Host name of the server; that of the administrator's secret by default."`
	Port          int               `json:"port" doc:"Port of the server; that of the administrator's secret by default, else 5432."`
	TLS           string            `json:"tls" doc:"verify-full (the default), require (encrypted, but any certificate) or disable."`
	CA            string            `json:"ca" doc:"File with the certificate authorities of the server, in PEM; the system's by default, which do not include those of Amazon RDS."`
	Database      string            `json:"database" required:"true" doc:"Name of the database."`
	Role          string            `json:"role" doc:"Name of the role that owns the database; the database's name by default."`
	Migrations    string            `json:"migrations" doc:"Folder of goose migrations (*.sql). They run at every launch and change, as the role. One that was edited after it ran for the tenant is refused: add another instead."`
	Content       string            `json:"content" doc:"SQL file with the first content. It runs once, in one transaction with the marker that says that it is complete."`
	Settings      map[string]string `json:"settings" doc:"Values that the first content reads with current_setting('tenant.<name>'), which needs no quoting."`
}

// Validate reports what the schema of the parameters cannot.
func (p Parameters) Validate() error {
	var faults []error
	switch p.TLS {
	case "", "verify-full", "require", "disable":
	default:
		faults = append(faults, fmt.Errorf("tls is %q: want verify-full, require or disable", p.TLS))
	}
	if p.Port < 0 || p.Port > 65535 {
		faults = append(faults, fmt.Errorf("port is %d: want 1 to 65535", p.Port))
	}
	for _, n := range []struct{ parameter, value string }{{"database", p.Database}, {"role", p.role()}} {
		if fault := nameFault(n.value); fault != "" {
			faults = append(faults, fmt.Errorf("%s %q %s", n.parameter, n.value, fault))
		}
	}
	for name := range p.Settings {
		if !settingName.MatchString(name) {
			faults = append(faults, fmt.Errorf("settings has %q: want small letters, digits and underscores, beginning with a letter", name))
		}
	}
	return errors.Join(faults...)
}

// ValidateFiles reports what is wrong with the blueprint's files that the parameters name.
func (p Parameters) ValidateFiles(files fs.FS) error {
	if p.Migrations == "" {
		return nil
	}
	if found, err := fs.Glob(files, strings.TrimSuffix(p.Migrations, "/")+"/*.sql"); err != nil || len(found) == 0 {
		return errors.Join(fmt.Errorf("migrations %s has no *.sql file", p.Migrations), err)
	}
	return nil
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "postgres",
		Summary:    "Creates a PostgreSQL role with a generated secret and a database that only it can use, migrates it, and fills a new one with its first content.",
		Class:      step.Database,
		Parameters: func() any { return new(Parameters) },
		Files:      []string{"ca", "migrations", "content"},
		Outputs: []step.Output{
			{Name: "host", Doc: "Host name of the server."},
			{Name: "port", Doc: "Port of the server."},
			{Name: "database", Doc: "Name of the database."},
			{Name: "role", Doc: "Name of the role."},
			{Name: "secret", Doc: "ARN of the secret with host, port, dbname, username and password, as JSON."},
		},
		Permissions: func(parameters json.RawMessage) []step.Permission {
			return []step.Permission{
				{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{step.Resource(parameters, "administrator")}},
				{
					Actions:   []string{"secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret"},
					Resources: []string{"arn:{partition}:secretsmanager:{region}:{account}:secret:deployhooks/*"},
				},
			}
		},
		Policy: step.Policy{TimeLimit: 10 * time.Minute, Expected: 5 * time.Second},
	}
}
