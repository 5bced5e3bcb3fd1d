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
// its schema's default, or else no value: a text is empty, any other parameter is left out.
func (b *Blueprint) Render(s Step, spec json.RawMessage, outputs map[string]step.Outputs) (json.RawMessage, error) {
	parameters, err := decode(s.Parameters)
	if err != nil {
		return nil, fmt.Errorf("render %s: parameters: %w", s.Name, err)
	}
	v, err := b.values(spec, outputs)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", s.Name, err)
	}
	rendered, err := v.render(parameters)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", s.Name, err)
	}
	return json.Marshal(rendered)
}

// Hosts returns a tenant's host names, those of the environments in the order of their names. An
// error means that the spec asks for names that cannot be.
func (b *Blueprint) Hosts(spec json.RawMessage) ([]string, error) {
	v, err := b.values(spec, nil)
	if err != nil {
		return nil, fmt.Errorf("hosts: %w", err)
	}
	var hosts []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.Environments)) {
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
	blueprint *Blueprint
	schema    map[string]any // of the spec, decoded
	spec      any
	outputs   map[string]step.Outputs
}

func (b *Blueprint) values(spec json.RawMessage, outputs map[string]step.Outputs) (*values, error) {
	decoded, err := decode(spec)
	if err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	return &values{blueprint: b, spec: decoded, outputs: outputs}, nil
}

// absent is the value of an optional field that a spec leaves out, with its type.
type absent struct{ kind string }

// render replaces the references in v.
func (vs *values) render(v any) (any, error) {
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
			if _, left := r.(absent); !left {
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
			if a, left := r.(absent); !left {
				rendered[key] = r
			} else if a.kind == "string" { // a template finds it, and finds it empty
				rendered[key] = ""
			}
		}
		return rendered, nil
	}
	return v, nil
}

// text replaces the references in a text.
func (vs *values) text(s string) (string, error) {
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
		v, err := vs.textOf(part.Reference)
		if err != nil {
			return "", err
		}
		text.WriteString(v)
	}
	return text.String(), nil
}

// textOf is the text of what a reference refers to.
func (vs *values) textOf(r Reference) (string, error) {
	v, err := vs.value(r)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, json.Number:
		return fmt.Sprint(v), nil
	case absent:
		return "", nil
	}
	return "", fmt.Errorf("%s is no text, number or boolean", r)
}

// value is what a reference refers to.
func (vs *values) value(r Reference) (any, error) {
	if len(r) < 2 {
		return nil, fmt.Errorf("%s refers to nothing", r)
	}
	switch {
	case r[0] == "spec":
		return vs.field(r)
	case r[0] == "text":
		return vs.textOf(r[1:])
	case r[0] == "steps" && len(r) == 3:
		if output, ok := vs.outputs[r[1]][r[2]]; ok {
			return output, nil
		}
		return nil, fmt.Errorf("%s: step %s has not reported this output", r, r[1])
	}
	return nil, fmt.Errorf("%s refers to nothing", r)
}

// field is the value of a field of the spec.
func (vs *values) field(r Reference) (any, error) {
	value := vs.spec
	for _, name := range r[1:] {
		object, _ := value.(map[string]any)
		next, given := object[name]
		if !given {
			return vs.fallback(r)
		}
		value = next
	}
	return value, nil
}

// fallback is the value of a field that the spec leaves out, or that is in an object it leaves out.
func (vs *values) fallback(r Reference) (any, error) {
	if vs.schema == nil { // decoded only if it is needed: it is long
		decoded, err := decode(vs.blueprint.Spec)
		if err != nil {
			return nil, fmt.Errorf("schema of the spec: %w", err)
		}
		vs.schema, _ = decoded.(map[string]any)
	}
	schema, value := vs.schema, vs.spec
	for _, name := range r[1:] {
		properties, _ := schema["properties"].(map[string]any)
		next, known := properties[name].(map[string]any)
		if !known {
			return nil, fmt.Errorf("%s: the spec has no such field", r)
		}
		object, _ := value.(map[string]any)
		given, ok := object[name]
		if !ok {
			given, ok = next["default"]
		}
		if !ok {
			kind, _ := next["type"].(string)
			given = absent{kind}
		}
		schema, value = next, given
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
