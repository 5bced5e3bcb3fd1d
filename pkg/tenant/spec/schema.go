package spec

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"deployhooks/pkg/tenant/blueprint"
)

//go:embed common.json
var common []byte

// Schema is the JSON Schema (2020-12) of a spec: the common fields, and the further ones of a
// blueprint with the names of those that a spec must have.
func Schema(fields map[string]any, required []string) (json.RawMessage, error) {
	var schema map[string]any
	if err := json.Unmarshal(common, &schema); err != nil {
		return nil, fmt.Errorf("common fields of the spec: %w", err)
	}
	properties := schema["properties"].(map[string]any)
	for name, field := range fields {
		if _, taken := properties[name]; taken {
			return nil, fmt.Errorf("%s is a common field of every spec", name)
		}
		properties[name] = field
	}
	for _, name := range required {
		if _, known := fields[name]; !known {
			return nil, fmt.Errorf("%s is required and no field", name)
		}
		schema["required"] = append(schema["required"].([]any), name)
	}
	return json.Marshal(schema)
}

// Common lists the names of the common fields.
func Common() []string {
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(common, &schema); err != nil {
		return nil // a test decodes it
	}
	return slices.Sorted(maps.Keys(schema.Properties))
}

// Compile checks a schema and makes it ready. It loads nothing from elsewhere.
func Compile(schema json.RawMessage) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(jsonschema.SchemeURLLoader{})
	c.AssertFormat()
	for name, check := range formats() {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return check(s)
			}
			return nil
		}})
	}
	if err := c.AddResource("spec.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("spec.json")
}

// Formats are the values of "format" that a field can have.
func Formats() []string { return slices.Sorted(maps.Keys(formats())) }

func formats() map[string]func(string) error {
	return map[string]func(string) error{"hostname": blueprint.CheckHost, "email": checkEmail, "uri": checkURI}
}

// checkEmail accepts the addresses that people have: an unquoted local part of at most 64 ASCII
// characters (RFC 5321, sections 4.1.2 and 4.5.3.1.1) at a host name.
func checkEmail(s string) error {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 {
		return errors.New("write name@example.com, with 1 to 64 characters before the @")
	}
	local := s[:at]
	if strings.Trim(local, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-") != "" ||
		strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return errors.New("before the @ use letters, digits and single dots, not quoted")
	}
	return blueprint.CheckHost(s[at+1:])
}

// checkURI accepts pages that anybody can visit: https, a host name in plain letters, and no
// credentials. What looks like another host (another script, a user name before an @) is refused.
func checkURI(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("write https://www.example.com/page")
	case u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return errors.New("write https:// and a host name")
	case u.User != nil:
		return errors.New("leave out what is before the @: a spec holds no credentials")
	case u.Port() != "":
		return errors.New("leave out the port")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>\\^`{|}", r) }):
		return errors.New("escape what is not plain in it with %")
	}
	return blueprint.CheckHost(strings.ToLower(u.Host))
}
