package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestFaults changes one thing of a valid blueprint each: old is replaced by new, and the fault is
// reported in the line of the change.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		line           int
		fault          string
	}{
		// The form of the document.
		{"unknown field", "retain: false", "retian: false", 38, "steps[2] database: there is no field retian: write retain"},
		{"field written twice", "    kind: manual", "    kind: manual\n    kind: config", 42, "field kind is written twice, the first time in line 41"},
		{"missing kind", "  - name: reserve\n    kind: reserve", "  - name: reserve", 20, "steps[0] reserve: field kind is missing"},
		{"anchor", "settings: {size: large}", "settings: &s {size: large}", 5, "anchors and aliases are not supported"},
		{"alias", "size: large", "size: *s", 0, "unknown anchor 's' referenced"},
		{"tag", "size: large", "size: !!binary large", 5, "tags such as !!binary are not supported"},
		{"name that is a number", "{title: Announce,", "{title: Announce, 1: x,", 43, "a field's name has to be a text"},
		{"no text", "kind: manual", "kind: [manual]", 41, "steps[3] announce.kind: has to be a text"},
		{"empty text", "size: large", `size: ""`, 5, "environments.production.settings.size: is empty"},
		{"number for a text", "size: large", "size: 1", 5, "has to be a text: write it in quotes"},
		{"steps are no list", "steps:\n", "steps: {}\nx:\n", 19, "steps: has to be a list"},
		{"second document", "name: product", "name: product\n---\nname: other", 2, "has a second document"},

		// Names.
		{"name that is no DNS label", "name: product", "name: Product", 1, "name: a DNS label has the character U+0050"},
		{"homoglyph", "name: product", "name: prоduct", 1, "U+043E at position 3"},
		{"name too long", "name: product", "name: " + strings.Repeat("x", 33), 1, "has 33 characters: at most 32"},
		{"environment too long", "  staging:\n", "  " + strings.Repeat("x", 17) + ":\n", 6, "has 17 characters: at most 16"},
		{"two steps of a name", "name: announce", "name: reserve", 40, "there is another step reserve, in line 20"},
		{"a step named as another's for an environment", "name: announce", "name: config-staging", 40, "there is another step config-staging"},
		{"setting that every environment has", "size: large", "host: large", 5, "every environment has this already"},
		{"setting that no reference can name", "size: large", "si-ze: large", 5, "is no name of a setting"},

		{"setting that would quote what follows", "size: large", "size: large$", 5, "size: ends with $"},

		// Steps and kinds.
		{"unknown kind", "kind: config", "kind: confg", 23, "there is no kind confg: write config"},
		{"unknown environment", "environments: [production, staging]\n    needs: [database]", "environments: [production, stagign]\n    needs: [database]", 24, "there is no environment stagign: write staging"},
		{"unknown need", "needs: [database]", "needs: [datbase]", 25, "there is no step datbase: write database"},
		{"need named twice", "needs: [database]", "needs: [database, database]", 25, "names database twice"},
		{"needs something of another environment only", "environments: [production, staging]\n    needs: [reserve]", "environments: [production]\n    needs: [reserve]", 25, "database is not made for staging, only for production"},
		{"needs what people do", "  - name: announce\n    kind: manual\n    needs: [config]", "  - name: late\n    kind: reserve\n    needs: [announce]\n  - name: announce\n    kind: manual\n    needs: [config]", 42, "announce is done by people"},
		{"needs itself", "needs: [database]", "needs: [config]", 22, "needs itself: config needs config: remove"},
		{"circle", "needs: [reserve]\n    retain", "needs: [config]\n    retain", 22, "needs itself: config needs database needs config: remove"},

		// Parameters.
		{"missing parameter", "migrations: db, ", "", 39, "parameters: field migrations is missing"},
		{"unknown parameter", "migrations: db", "migrations: db, migration: db", 39, "there is no field migration: write migrations"},
		{"missing parameters", "    parameters: {title: Announce, instructions: \"Show ${steps.config-production.url}\"}\n", "", 40, "steps[3] announce.parameters: field title is missing"},
		{"parameters of a kind without", "kind: reserve", "kind: reserve\n    parameters: {x: 1}", 22, "there is no field x: there are none here"},
		{"text for a boolean", "public: ${spec.beta}", "public: perhaps", 28, "public: has to be true or false"},
		{"text for a number", "days: ${spec.seats}", "days: ten", 29, "days: has to be a whole number"},
		{"value for a list", `extensions: "${spec.languages}"`, "extensions: hstore", 39, "extensions: has to be a list"},
		{"list for a mapping", "templates: {main: config.tmpl}", "templates: [config.tmpl]", 27, "templates: has to be a mapping"},
		{"a rule of the kind", "days: ${spec.seats}", "days: 31", 27, "days are at most 30"},
		{"a rule of the kind on its files", "main: config.tmpl", "main: broken.tmpl", 27, "broken.tmpl is no template"},

		// References.
		{"unknown field of the spec", "${spec.title} on", "${spec.titel} on", 32, "${spec.titel}: spec has no field titel: write title"},
		{"unknown nested field", "${spec.title} on", "${spec.contacts.onwer} on", 32, "spec.contacts has no field onwer: write owner"},
		{"unknown setting", "${environment.size}", "${environment.sise}", 39, "environment production has no setting sise: write size"},
		{"environment of a step without", "{title: Announce,", "{title: \"${environment.name}\",", 43, "the step has no environment: give it environments: [production, staging]"},
		{"unknown step", "${steps.database.secret}", "${steps.databse.secret}", 33, "there is no such step: write ${steps.<step>.<output>}: write database"},
		{"unknown output", "${steps.database.secret}", "${steps.database.secrt}", 33, "kind database has no output secrt: write secret"},
		{"output of a step that is not needed", "needs: [database]", "needs: [reserve]", 33, "${steps.database.secret}: the step does not need database: add it to its needs"},
		{"output of which environment", "config-production.url", "config.url", 43, "which environment's? write ${steps.config-production.url}"},
		{"reference that is not closed", "${environment.host}", "${environment.host", 31, "${ is not closed"},
		{"reference to nothing", "${environment.host}", "${host}", 31, "${host} is no reference"},
		{"logic in a reference", "${environment.host}", "'${spec.beta ? 1 : 2}'", 31, "is no reference"},
		{"list in a text", "${spec.title} on", "${spec.languages} on", 32, "${spec.languages} is of type array"},
		{"text for a number by reference", "days: ${spec.seats}", "days: ${spec.title}", 29, "${spec.title} is of type string and the parameter of type integer"},
		{"list for a text by reference", "host: ${environment.host}", "host: ${spec.languages}", 31, "of type array of string and the parameter of type string"},
		{"optional field for a parameter that is needed", "{title: Announce,", "{title: \"${spec.motto}\",", 43, "${spec.motto} can be left out of a spec, and this parameter is needed"},

		// Hosts.
		{"environment without host", "    host: ${spec.name}.example.com\n", "", 4, "environments.production: field host is missing"},
		{"host that is the same for all tenants", "host: ${spec.name}.example.com", "host: www.example.com", 4, "would be the same for every tenant"},
		{"host that is none", "host: ${spec.name}.example.com", "host: ${spec.name}_example.com", 4, "the character U+005F"},
		{"host too long with long values", "host: ${spec.name}.example.com", "host: ${spec.name}-${spec.name}.example.com", 4, "has 65 characters"},
		{"host whose zone is from the spec", "host: ${spec.name}.example.com", "host: ${spec.name}.${spec.name}", 4, "would let a spec choose the zone"},
		{"host that is whole from the spec", "host: ${spec.name}.example.com", "host: ${spec.name}", 4, "would let a spec choose the zone"},
		{"host of two environments", "host: ${spec.name}-staging.example.com", "host: ${spec.name}.example.com", 7, "is the host of production as well"},
		{"host from an optional field", "host: ${spec.name}.example.com", "host: ${spec.motto}.example.com", 4, "has to be a required text"},
		{"host from a step", "host: ${spec.name}.example.com", "host: ${steps.database.name}.example.com", 4, "can refer to the spec only"},

		// The schema of the spec.
		{"common field", "seats: {type", "title: {type", 15, "spec.properties.title: is a common field"},
		{"no type", "beta: {type: boolean}", "beta: {}", 16, "spec.properties.beta: field type is missing"},
		{"unknown type", "beta: {type: boolean}", "beta: {type: bool}", 16, "bool is no type"},
		{"unknown keyword", "maxLength: 100", "maxLenght: 100", 17, "there is no field maxLenght: write maxLength"},
		{"reference in a schema", "beta: {type: boolean}", "beta: {type: boolean, $ref: '#'}", 16, "there is no field $ref"},
		{"unknown format", "maxLength: 100", "format: phone", 17, "format phone is not known"},
		{"broken keyword", "maxLength: 100", "maxLength: -1", 17, "spec.properties.motto.maxLength: minimum: got -1, want 0, by the rules of JSON Schema"},
		{"broken pattern", "maxLength: 100", "pattern: '('", 17, "spec.properties.motto.pattern"},
		{"default that is not allowed", "default: [en]", "default: [1]", 14, "default: is not what the field's own schema allows"},
		{"required and no field", "required: [seats]", "required: [seat]", 18, "seat is no field"},

		// Files.
		{"missing file", "migrations: db", "migrations: dbs", 39, "there is no file dbs"},
		{"empty file", "migrations: db", "migrations: empty", 39, "file empty is empty"},
		{"empty directory", "migrations: db", "migrations: none", 39, "directory none has no files"},
		{"large file", "migrations: db", "migrations: large", 39, "file large has more than 4194304 bytes"},
		{"path out of the directory", "migrations: db", "migrations: ../db", 39, "is no path below the blueprint's directory"},
		{"path by reference", "migrations: db", "migrations: '${spec.name}'", 39, "can refer to the environment only"},

		// Secrets.
		{"secret by name", "public: ${spec.beta}", "password: hunter2", 28, "password: looks like a secret, by its name"},
		{"secret by name in a map", "host: ${environment.host}", "apiToken: abc", 31, "apiToken: looks like a secret, by its name"},
		{"secret in a setting", "size: large", "db_password: large", 5, "db_password: looks like a secret, by its name"},
		{"AWS key", "size: large", "size: AKIAIOSFODNN7EXAMPLE", 5, "size: looks like an AWS access key"},
		{"random text", "size: large", "size: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 5, "size: looks like a key or token"},
		{"private key in a file", "migrations: db", "migrations: key.pem", 39, "file key.pem holds a private key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(valid, c.old) == 0 {
				t.Fatalf("the blueprint has no %q", c.old)
			}
			_, err := Load(files(strings.Replace(valid, c.old, c.new, 1)), kinds())
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("accepted: it would fail at a launch, or do something else: %v", err)
			}
			if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Line == c.line && strings.Contains(f.Text, c.fault) }) {
				t.Errorf("the faults are\n%v\nand none in line %d: %s", err, c.line, c.fault)
			}
		})
	}
}

// TestAllFaultsAtOnce holds that nobody has to synthesise once for each mistake.
func TestAllFaultsAtOnce(t *testing.T) {
	text := strings.NewReplacer("kind: config", "kind: confg", "size: small", "password: x", "migrations: db", "migrations: dbs",
		"maxLength: 100", "maxLenght: 100", "${spec.title}", "${spec.titel}").Replace(valid)
	_, err := Load(files(text), kinds())
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := []string{ // a kind that is not known has no parameters to check
		"blueprint.yaml:8: environments.staging.settings.password: looks like",
		"blueprint.yaml:17: spec.properties.motto: there is no field maxLenght: write maxLength",
		"blueprint.yaml:23: steps[1] config.kind: there is no kind confg: write config",
		"blueprint.yaml:39: steps[2] database.parameters.migrations: there is no file dbs",
		"blueprint.yaml:39: steps[2] database.parameters.size: ${environment.size}: environment staging has no setting size: known are host, name, password",
	}
	for i, w := range want {
		if i >= len(faults) || !strings.HasPrefix(faults[i].Error(), w) {
			t.Errorf("fault %d is not %s, of\n%v", i, w, faults)
		}
	}
	if len(faults) != len(want) {
		t.Errorf("%d faults and not %d:\n%v", len(faults), len(want), faults)
	}
}

// TestNoBlueprint holds what is reported when there is nothing to compile.
func TestNoBlueprint(t *testing.T) {
	none := files(valid)
	delete(none, Main)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for name, c := range map[string]struct {
		text, fault string
	}{
		"a list":            {"[1, 2]", "has to be a mapping"},
		"a syntax error":    {"name: [", "is no YAML document"},
		"a tab":             {"name: a\nsteps:\n\t- name: b\n", "blueprint.yaml:3: is no YAML document: found character that cannot start any token: indent with spaces"},
		"a bomb of aliases": {bomb, "anchors and aliases are not supported"},
		"deep":              {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested deeper than 32 levels"},
		"empty":             {"", "is empty"},
		"a comment":         {"# nothing\n", "is no YAML document"},
		"too large":         {"name: " + strings.Repeat("x", 1<<20), "has more than"},
	} {
		if _, err := Load(files(c.text), kinds()); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(none, kinds()); err == nil || !strings.Contains(err.Error(), "there is no file blueprint.yaml") {
		t.Errorf("no file: %v", err)
	}
}
