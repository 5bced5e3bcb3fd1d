// Package spec is what a tenant shall be: its schema, made of the fields that every tenant
// has and those of the blueprint, and the rules that a schema cannot say. Package intake
// validates each request with it, and package source the schema of a blueprint.
package spec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"deployhooks/pkg/tenant/palette"
	"deployhooks/pkg/tenant/registry"
)

// The limits of a spec. It is kept with the tenant and with each operation, in items of at most
// 400 KB (DynamoDB Developer Guide, "Service, account, and table quotas").
const (
	MaxBytes = 64 << 10
	MaxDepth = 16
	// MaxFaults bounds an answer: somebody who gets more has sent something else than a spec.
	MaxFaults = 50
)

// Validate is [Compiled.Validate] for a schema that is used once. The schema is that of a compiled
// blueprint; compiling it takes some milliseconds.
func Validate(schema, raw json.RawMessage) []registry.Fault {
	c, err := New(schema)
	if err != nil {
		return []registry.Fault{{Path: "spec", Fault: "cannot be checked: deploy the blueprint again: " + err.Error()}}
	}
	return c.Validate(raw)
}

// Compiled is the schema of a blueprint's specs, ready to check them. It can be kept as long as the
// blueprint, and used by several at once.
type Compiled struct {
	schema *jsonschema.Schema
	fields map[string]any // the schema, decoded
}

// New makes the schema of a compiled blueprint ready.
func New(schema json.RawMessage) (*Compiled, error) {
	compiled, err := Compile(schema)
	if err != nil {
		return nil, fmt.Errorf("compile the schema of the spec: %w", err)
	}
	c := &Compiled{schema: compiled}
	if err := json.Unmarshal(schema, &c.fields); err != nil {
		return nil, fmt.Errorf("decode the schema of the spec: %w", err)
	}
	return c, nil
}

// Validate lists every fault of a spec, each with its path and what would be right. The
// texts repeat no value of the spec, as it could be a secret.
func (c *Compiled) Validate(raw json.RawMessage) []registry.Fault {
	v := validation{Compiled: c, seen: map[registry.Fault]bool{}}
	if v.readable(raw) {
		v.conform()
		v.texts("spec", "", v.spec)
		v.rules()
	}
	slices.SortStableFunc(v.faults, func(a, b registry.Fault) int { return cmp.Compare(a.Path, b.Path) })
	if more := len(v.faults) - MaxFaults; more > 0 {
		v.faults = append(v.faults[:MaxFaults], registry.Fault{Path: "spec", Fault: fmt.Sprintf("and %d more", more)})
	}
	return v.faults
}

// validation is one check of one spec.
type validation struct {
	*Compiled
	spec   any // decoded
	faults []registry.Fault
	seen   map[registry.Fault]bool
}

func (v *validation) fault(path, format string, arguments ...any) {
	f := registry.Fault{Path: path, Fault: fmt.Sprintf(format, arguments...)}
	if !v.seen[f] {
		v.seen[f] = true
		v.faults = append(v.faults, f)
	}
}

// texts checks every string: what cannot be seen, or makes text read other than it is, and secrets.
func (v *validation) texts(path, name string, value any) {
	switch value := value.(type) {
	case string:
		for _, r := range value {
			if why := invisible(r); why != "" {
				v.fault(path, "holds the character %U, %s: leave it out", r, why)
			}
		}
		if what := Secret(name, value); what != "" {
			v.fault(path, "looks like %s: put it into Secrets Manager and give its ARN, as a spec holds no secrets", what)
		}
	case []any:
		for i, item := range value {
			v.texts(fmt.Sprintf("%s[%d]", path, i), name, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if KnownSecret(name) != "" {
				v.fault(path, "has a field whose name looks like a secret: a spec holds none")
				continue
			}
			v.texts(join(path, name), name, value[name])
		}
	}
}

// invisible says why a character has no place in a text of a spec.
func invisible(r rune) string {
	switch {
	case r == '\n':
		return ""
	case r < ' ' || r >= 0x7f && r <= 0x9f:
		return "a control character"
	case r == '\ufffd':
		return "which stands for text that could not be decoded"
	case r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r == 0xad || r == 0x61c:
		return "which cannot be seen and changes how text is read"
	case r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe || r >= 0xe0000 && r <= 0xe0fff:
		return "which is no character of a text"
	}
	return ""
}

// reserved are names that mean something else in host names, databases or paths.
func reserved() []string {
	return []string{
		"admin", "administrator", "api", "app", "assets", "auth", "autodiscover", "blog", "blueprints", "cdn", "default", "deployhooks", "dev", "example",
		"ftp", "imap", "localhost", "login", "mail", "monitoring", "pop", "postgres", "postmaster", "prod", "production", "public", "rdsadmin",
		"root", "smtp", "staging", "static", "status", "support", "system", "template0", "template1", "test", "tenant", "tenants", "training", "webmail", "www",
	}
}

// rules are those that the schema cannot say.
func (v *validation) rules() {
	object, _ := v.spec.(map[string]any)
	name, _ := object["name"].(string)
	switch {
	case slices.Contains(reserved(), name):
		v.fault("spec.name", "%s is reserved: choose the tenant's own name", name)
	case strings.HasPrefix(name, "pg-"):
		v.fault("spec.name", "names that begin with pg- are PostgreSQL's own: choose another")
	}
	colours := map[string]string{}
	given, _ := object["palette"].(map[string]any)
	properties, _ := v.at("palette")["properties"].(map[string]any)
	for colour, field := range properties {
		colours[colour], _ = given[colour].(string)
		if _, ok := given[colour]; !ok {
			colours[colour], _ = field.(map[string]any)["default"].(string)
		}
	}
	for colour, text := range palette.Check(colours) {
		v.fault("spec.palette."+colour, "%s", text)
	}
}

// at is the schema of a field, given by its path; nil if there is none.
func (v *validation) at(path ...string) map[string]any {
	schema := v.fields
	for _, name := range path {
		properties, _ := schema["properties"].(map[string]any)
		next, ok := properties[name].(map[string]any)
		if !ok {
			next, ok = schema["items"].(map[string]any)
		}
		if !ok {
			next, _ = schema["additionalProperties"].(map[string]any)
		}
		schema = next
	}
	return schema
}
