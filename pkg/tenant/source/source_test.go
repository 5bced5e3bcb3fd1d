package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"text/template"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/spec"
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

// ValidateFiles is the kind's rule on its files: here, that braces are closed.
func (p configParameters) ValidateFiles(files fs.FS) error {
	for _, name := range p.Templates {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if _, err := template.New(name).Funcs(template.FuncMap{"yaml": fmt.Sprint}).Parse(string(text)); err != nil {
			return fmt.Errorf("%s is no template: %w", name, err)
		}
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

var large = make([]byte, blueprint.MaxFile+1)

func files(main string) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	return fstest.MapFS{
		Main: file(main), "config.tmpl": file("host: {{.host | yaml}}\n"), "db/1.sql": file("select 1;"), "db/2.sql": file("select 2;"),
		"db/.hidden": file("x"), "README.md": file("not used by any step"), "empty": file(""), "broken.tmpl": file("{{.host"),
		"key.pem": file("-----BEGIN RSA PRIVATE KEY-----\n"), "large": {Data: large, Mode: 0o644}, "none/.keep": file("x"),
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
	if got := strings.Join(order, " "); got != want {
		t.Errorf("steps run before what they need, or need something else:\n got %s\nwant %s", got, want)
	}
	database, _ := b.Step("database-staging")
	if want := (blueprint.Step{
		Name: "database-staging", Kind: "database", Environment: "staging", Needs: []string{"reserve"},
		Parameters: json.RawMessage(`{"extensions":"${spec.languages}","migrations":"db","size":"small"}`),
		Files:      []string{"db/1.sql", "db/2.sql"}, Class: step.Database,
		Policy: step.Policy{TimeLimit: time.Minute, Retain: true}, // of the kind; the blueprint says retain: false
	}); !reflect.DeepEqual(database, want) {
		t.Errorf("compiled to\n%+v and not\n%+v", database, want)
	}
	config, _ := b.Step("config-production")
	for _, part := range []string{
		`"host":"${spec.name}.example.com"`, // of the environment, with its own references
		`"secret":"${steps.database-production.secret}"`,
		`"days":"${spec.seats}"`,
		`"text":"${spec.title} on production: ${spec.seats}, ${spec.motto}; $${HOME}"`,
	} {
		if !strings.Contains(string(config.Parameters), part) {
			t.Errorf("the parameters of config-production lack %s: %s", part, config.Parameters)
		}
	}
	if got := slices.Sorted(maps.Keys(b.Files)); !slices.Equal(got, []string{"config.tmpl", "db/1.sql", "db/2.sql"}) {
		t.Errorf("files are %v: only those that steps use belong to the blueprint", got)
	}
}

func TestVersion(t *testing.T) {
	version := load(t, valid).Version
	if again := load(t, valid).Version; again != version {
		t.Errorf("the same blueprint has version %s and then %s: each deployment would be a new one", version, again)
	}
	if comment := load(t, "# a comment\n"+valid).Version; comment != version {
		t.Error("a comment makes a new version")
	}
	changed := files(valid)
	changed["db/2.sql"].Data = []byte("select 3;")
	b, err := Load(changed, kinds())
	if err != nil || b.Version == version {
		t.Errorf("another migration has the same version (%v): its tenants would never get it", err)
	}
}

// TestVariants holds what the blueprint above has no room for.
func TestVariants(t *testing.T) {
	b := load(t, strings.Replace(valid, "    retain: false\n", "", 1))
	if s, _ := b.Step("database-production"); !s.Retain {
		t.Error("a database that its kind retains is removed, although the blueprint does not say so")
	}
	b = load(t, strings.Replace(valid, "host: ${environment.host}", "host: ${spec.seats}", 1))
	if s, _ := b.Step("config-production"); !strings.Contains(string(s.Parameters), `"host":"${text.spec.seats}"`) {
		t.Errorf("a number is no text where one is needed: %s", s.Parameters)
	}
	b = load(t, strings.Replace(valid, "beta: {type: boolean}", "beta: {type: boolean}\n    clinic: {type: object, properties: {beds: {type: integer}}}", 1))
	schema, err := spec.New(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if faults := fmt.Sprint(schema.Validate(json.RawMessage(`{"clinic":{"bets":1}}`))); !strings.Contains(faults, "spec.clinic.bets there is no such field: write beds") {
		t.Errorf("a misspelt field in an object is passed over: %s", faults)
	}
}

// TestFileLimits holds what is not read into a blueprint.
func TestFileLimits(t *testing.T) {
	linked := files(valid)
	linked["db/3.sql"] = &fstest.MapFile{Data: []byte("1.sql"), Mode: fs.ModeSymlink}
	if _, err := Load(linked, kinds()); err == nil || !strings.Contains(err.Error(), "db/3.sql is neither a file nor a directory") {
		t.Errorf("a link is followed: %v", err)
	}
	many := files(valid)
	for i := range blueprint.MaxFiles / len(large[1:]) {
		many[fmt.Sprintf("db/large%d", i)] = &fstest.MapFile{Data: large[1:], Mode: 0o644}
	}
	if _, err := Load(many, kinds()); err == nil || !strings.Contains(err.Error(), "the files have more than 16777216 bytes") {
		t.Errorf("files of any size: %v", err)
	}
}

// TestMarks: only the marks themselves count, not a text that speaks of them.
func TestMarks(t *testing.T) {
	main := "# replace what is marked REPLACE\nname: shop # REPLACE\nsteps:\n  # REPLACE: the zone\n  - zone: Z1\n"
	if got := Marks(fstest.MapFS{Main: {Data: []byte(main)}}); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("marked are the lines %v: a platform engineer looks in vain", got)
	}
	if got := Marks(fstest.MapFS{}); got != nil {
		t.Errorf("without a file, the lines %v are marked", got)
	}
}
