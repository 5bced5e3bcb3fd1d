package source

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
)

// kinds are small stand-ins: what is tested here does not depend on what a kind does.
func kinds() map[string]step.Description {
	return map[string]step.Description{
		"reserve": {Name: "reserve", Class: step.Control},
		"database": {
			Name: "database", Class: step.Database, Files: []string{"migrations"},
			Policy:  step.Policy{TimeLimit: time.Minute, Retain: true},
			Outputs: []step.Output{{Name: "name"}, {Name: "secret"}},
			Parameters: func() any {
				return new(struct {
					Migrations string   `json:"migrations" required:"true"`
					Size       string   `json:"size"`
					Extensions []string `json:"extensions"`
					Limit      int      `json:"limit"`
				})
			},
		},
		"config": {
			Name: "config", Class: step.Storage, Files: []string{"templates"}, Outputs: []step.Output{{Name: "url"}},
			Parameters: func() any { return new(configParameters) },
		},
		"manual": {
			Name: "manual", Class: step.Control, Outputs: []step.Output{{Name: "done"}},
			Parameters: func() any {
				return new(struct {
					Title        string `json:"title" required:"true"`
					Instructions string `json:"instructions"`
				})
			},
		},
	}
}

type configParameters struct {
	Templates map[string]string `json:"templates"`
	Values    map[string]string `json:"values"`
	Public    bool              `json:"public"`
	Days      int               `json:"days"`
	Password  string            `json:"password"`
}

func (p configParameters) Validate() error {
	if p.Days > 30 {
		return errors.New("days are at most 30")
	}
	return nil
}

// valid is a blueprint with something of everything.
const valid = `name: product
environments:
  production:
    host: ${spec.name}.example.com
    settings: {size: large}
  staging:
    host: ${spec.name}-staging.example.com
    settings: {size: small}
spec:
  properties:
    languages:
      type: array
      items: {type: string, maxLength: 20}
      default: [en]
    seats: {type: integer, minimum: 1}
    beta: {type: boolean}
    motto: {type: string, maxLength: 100}
  required: [seats]
steps:
  - name: reserve
    kind: reserve
  - name: config
    kind: config
    environments: [production, staging]
    needs: [database]
    parameters:
      templates: {main: config.tmpl}
      public: ${spec.beta}
      days: ${spec.seats}
      values:
        host: ${environment.host}
        text: "${spec.title} on ${environment.name}: ${spec.seats}, ${spec.motto}; $${HOME}"
        secret: ${steps.database.secret}
  - name: database
    kind: database
    environments: [production, staging]
    needs: [reserve]
    retain: false
    parameters: {migrations: db, size: "${environment.size}", extensions: "${spec.languages}"}
  - name: announce
    kind: manual
    needs: [config]
    parameters: {title: Announce, instructions: "Show ${steps.config-production.url}"}
`

func files(main string) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	return fstest.MapFS{
		Main: file(main), "config.tmpl": file("host: {{.host | yaml}}\n"), "db/1.sql": file("select 1;"), "db/2.sql": file("select 2;"),
		"db/.hidden": file("x"), "README.md": file("not used by any step"), "empty": file(""), "broken.tmpl": file("{{.host"),
		"key.pem": file("-----BEGIN RSA PRIVATE KEY-----\n"), "large": file(strings.Repeat("x", blueprint.MaxFile+1)), "none/.keep": file("x"),
	}
}

func load(t *testing.T, main string) *blueprint.Blueprint {
	t.Helper()
	b, err := Load(files(main), kinds())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoad(t *testing.T) {
	b := load(t, valid)
	var order []string
	for _, s := range b.Steps {
		order = append(order, s.Name+":"+strings.Join(s.Needs, "+"))
	}
	want := "reserve: database-production:reserve config-production:database-production " +
		"database-staging:reserve config-staging:database-staging announce:config-production+config-staging"
	_ = want
	t.Log(strings.Join(order, " "))
	for _, s := range b.Steps {
		t.Log(s.Name, string(s.Parameters), s.Files, s.Retain)
	}
	t.Log(b.Version, len(b.Files))
}
