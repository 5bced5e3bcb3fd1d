package blueprint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"deployhooks/pkg/tenant/step"
)

// Render returns the step's parameters with every reference replaced. outputs are those of
// the steps it needs, by their names. A parameter that is one reference and nothing else gets
// the value as it is; within a text, the value's text. A field that the spec leaves out has
// its schema's default, or else no value: the parameter is left out, and in a text it is empty.
func (b *Blueprint) Render(s Step, spec json.RawMessage, outputs map[string]step.Outputs) (json.RawMessage, error) {
	parameters, err := decode(s.Parameters)
	if err != nil {
		return nil, fmt.Errorf("render %s: parameters: %w", s.Name, err)
	}
	v, err := b.values(spec)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", s.Name, err)
	}
	v.environment, v.outputs = s.Environment, outputs
	rendered, err := v.render(parameters)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", s.Name, err)
	}
	return json.Marshal(rendered)
}

// Hosts returns a tenant's host names, those of the environments in the order of their names. An
// error means that the spec asks for names that cannot be.
func (b *Blueprint) Hosts(spec json.RawMessage) ([]string, error) {
	v, err := b.values(spec)
	if err != nil {
		return nil, fmt.Errorf("hosts: %w", err)
	}
	var hosts []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.Environments)) {
		v.environment = name
		host, err := v.text(b.Environments[name].Host)
		if err == nil {
			err = CheckHost(host)
		}
		if err == nil && slices.Contains(hosts, host) {
			err = fmt.Errorf("%s is the host of another environment as well", host)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("host of %s: %w", name, err))
		}
		hosts = append(hosts, host)
	}
	return hosts, errors.Join(errs...)
}

// InputHash identifies what a step works with: its kind, its rendered parameters and the
// content of its files. A step whose hash is that of its last success has nothing to do.
func (b *Blueprint) InputHash(s Step, rendered json.RawMessage) string {
	h := sha256.New()
	part := func(p []byte) { fmt.Fprintf(h, "%d:%s", len(p), p) }
	part([]byte(s.Kind))
	part(rendered)
	for _, name := range s.Files {
		part([]byte(name))
		part(b.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// values is what references can refer to.
type values struct {
	blueprint   *Blueprint
	schema      map[string]any
	spec        any
	environment string
	outputs     map[string]step.Outputs
}

func (b *Blueprint) values(spec json.RawMessage) (values, error) {
	schema, err := decode(b.Spec)
	if err != nil {
		return values{}, fmt.Errorf("schema of the spec: %w", err)
	}
	decoded, err := decode(spec)
	if err != nil {
		return values{}, fmt.Errorf("spec: %w", err)
	}
	object, _ := schema.(map[string]any)
	return values{blueprint: b, schema: object, spec: decoded}, nil
}

// absent is the value of an optional field that a spec leaves out.
type absent struct{}

// render replaces the references in v.
func (vs values) render(v any) (any, error) {
	switch v := v.(type) {
	case string:
		segments, err := Parse(v)
		if err != nil {
			return nil, err
		}
		if len(segments) == 1 && segments[0].Reference != nil {
			return vs.value(segments[0].Reference)
		}
		return vs.text(v)
	case []any:
		rendered := make([]any, 0, len(v))
		for _, item := range v {
			r, err := vs.render(item)
			if err != nil {
				return nil, err
			}
			if r != (any)(absent{}) {
				rendered = append(rendered, r)
			}
		}
		return rendered, nil
	case map[string]any:
		rendered := make(map[string]any, len(v))
		for key, item := range v {
			r, err := vs.render(item)
			if err != nil {
				return nil, err
			}
			if r != (any)(absent{}) {
				rendered[key] = r
			}
		}
		return rendered, nil
	}
	return v, nil
}

// text replaces the references in a text.
func (vs values) text(s string) (string, error) {
	segments, err := Parse(s)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, part := range segments {
		if part.Reference == nil {
			text.WriteString(part.Literal)
			continue
		}
		v, err := vs.value(part.Reference)
		if err != nil {
			return "", err
		}
		switch v := v.(type) {
		case string:
			text.WriteString(v)
		case bool, json.Number:
			fmt.Fprint(&text, v)
		case absent:
		default:
			return "", fmt.Errorf("%s is no text, number or boolean", part.Reference)
		}
	}
	return text.String(), nil
}

// value is what a reference refers to.
func (vs values) value(r Reference) (any, error) {
	if len(r) < 2 {
		return nil, fmt.Errorf("%s refers to nothing", r)
	}
	switch r[0] {
	case "spec":
		return vs.field(r)
	case "environment":
		e, known := vs.blueprint.Environments[vs.environment]
		setting, set := e.Settings[r[1]]
		switch {
		case known && len(r) == 2 && r[1] == "name":
			return vs.environment, nil
		case known && len(r) == 2 && r[1] == "host":
			return vs.text(e.Host)
		case known && len(r) == 2 && set:
			return vs.text(setting)
		}
	case "steps":
		if len(r) == 3 {
			for _, name := range []string{r[1] + "-" + vs.environment, r[1]} {
				if output, ok := vs.outputs[name][r[2]]; ok {
					return output, nil
				}
			}
			return nil, fmt.Errorf("%s: step %s has not reported this output", r, r[1])
		}
	}
	return nil, fmt.Errorf("%s refers to nothing", r)
}

// field is the value of a field of the spec.
func (vs values) field(r Reference) (any, error) {
	schema, value := vs.schema, vs.spec
	for _, name := range r[1:] {
		properties, _ := schema["properties"].(map[string]any)
		field, known := properties[name].(map[string]any)
		if !known {
			return nil, fmt.Errorf("%s: the spec has no such field", r)
		}
		schema = field
		object, _ := value.(map[string]any)
		given, ok := object[name]
		if !ok {
			given, ok = field["default"]
		}
		if !ok {
			given = absent{}
		}
		value = given
	}
	return value, nil
}

// decode reads one JSON value, and keeps numbers as they are written.
func decode(text json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}
