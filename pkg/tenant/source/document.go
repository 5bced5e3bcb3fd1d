package source

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/spec"
)

// The longest names. With a tenant's name of 32 characters, what is made of them fits: a
// database's name, <tenant>_<environment>, 63 bytes (PostgreSQL, "Identifiers and Key Words"); a
// state's name, <step>-<environment> and what the workflow adds, 80 characters (Step Functions
// Developer Guide, "State machine structure").
const (
	maxName        = 32
	maxEnvironment = 16
	maxTenant      = 32
)

// document reads the whole blueprint: first what can be referred to, then what refers.
func (l *loader) document(root *yaml.Node) {
	section := func(*yaml.Node, string) {} // read below, in this order
	l.fields(root, "", map[string]read{
		"name":         func(n *yaml.Node, path string) { l.out.Name = l.label(n, path, maxName) },
		"environments": section, "spec": section, "steps": section,
	}, "name", "steps")
	l.specSection(child(root, "spec"))
	if n := child(root, "environments"); n != nil {
		l.environmentsSection(n)
	}
	if n := child(root, "steps"); n != nil {
		l.stepsSection(n)
	}
}

// environmentsSection reads the environments: first their names and settings, then what they say.
func (l *loader) environmentsSection(n *yaml.Node) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		l.fault(n, "environments", "has to be a mapping of names, such as production, to {host, settings}")
		return
	}
	hosts := map[string]string{}
	l.each(n, func(key, value *yaml.Node) {
		path := join("environments", key.Value)
		name := l.label(key, path, maxEnvironment)
		e := blueprint.Environment{Settings: map[string]string{}}
		l.fields(value, path, map[string]read{
			"host": func(n *yaml.Node, path string) {
				e.Host = l.host(n, path)
				if other := hosts[e.Host]; other != "" && e.Host != "" {
					l.fault(n, path, "is the host of %s as well: each environment needs its own", other)
				}
				hosts[e.Host] = name
			},
			"settings": func(n *yaml.Node, path string) { l.settings(n, path, e.Settings) },
		}, "host")
		l.environments = append(l.environments, name)
		l.out.Environments[name] = e
	})
}

// settings reads what differs between environments: texts, which can refer to the spec.
func (l *loader) settings(n *yaml.Node, path string, settings map[string]string) {
	if n.Kind != yaml.MappingNode {
		l.fault(n, path, "has to be a mapping of names to texts")
		return
	}
	l.each(n, func(key, value *yaml.Node) {
		path := join(path, key.Value)
		switch {
		case key.Value == "name" || key.Value == "host":
			l.fault(key, path, "every environment has this already: choose another name")
		case !identifier.MatchString(key.Value):
			l.fault(key, path, "is no name of a setting: use letters, digits and _")
		case strings.HasSuffix(value.Value, "$"):
			l.fault(value, path, "ends with $, which would quote a reference that follows it: put it where it is used")
		}
		settings[key.Value] = l.text(value, path)
		l.secret(value, path, key.Value)
		for _, s := range l.segments(value, path) {
			l.onlySpec(value, path, s.Reference)
		}
	})
}

// host reads the host name of an environment. It has to differ by tenant, so it refers to the spec,
// to be in a zone that the blueprint names, and to be a host name with the longest values that the spec can have.
func (l *loader) host(n *yaml.Node, path string) string {
	text := l.text(n, path)
	segments := l.segments(n, path)
	var longest strings.Builder
	refers := false
	for _, s := range segments {
		longest.WriteString(s.Literal)
		if s.Reference == nil {
			continue
		}
		refers = true
		longest.WriteString(strings.Repeat("x", maxTenant))
		if f := l.onlySpec(n, path, s.Reference); f.optional || f.kind != "" && f.kind != "string" {
			l.fault(n, path, "%s has to be a required text for a host name: use ${spec.name}", s.Reference)
		}
	}
	switch err := blueprint.CheckHost(longest.String()); {
	case text == "" || len(segments) == 0:
	case !refers:
		l.fault(n, path, "would be the same for every tenant: refer to the spec, as in ${spec.name}.example.com")
	case !strings.Contains(segments[len(segments)-1].Literal, "."):
		l.fault(n, path, "would let a spec choose the zone, and with it somebody else's host: end with the zone, as in ${spec.name}.example.com")
	case err != nil:
		l.fault(n, path, "with %d characters for each reference: %v", maxTenant, err)
	}
	return text
}

// onlySpec checks a reference that can be to the spec only.
func (l *loader) onlySpec(n *yaml.Node, path string, r blueprint.Reference) field {
	if r == nil {
		return field{}
	}
	if r[0] != "spec" {
		l.fault(n, path, "%s is not known here: hosts and settings can refer to the spec only", r)
		return field{}
	}
	f := l.specField(n, path, r)
	if f.kind == "array" || f.kind == "object" {
		l.fault(n, path, "%s is of type %s: a text can hold texts, numbers and booleans", r, f.kind)
	}
	return f
}

// secret reports a text that must not be in plain sight.
func (l *loader) secret(n *yaml.Node, path, name string) {
	if what := spec.Secret(name, n.Value); n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && what != "" {
		l.fault(n, path, "looks like %s: put it into Secrets Manager and give its ARN", what)
	}
}

// segments splits a text at its references; nil if it is none or broken.
func (l *loader) segments(n *yaml.Node, path string) []blueprint.Segment {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return nil
	}
	segments, err := blueprint.Parse(n.Value)
	if err != nil {
		l.fault(n, path, "%v", err)
	}
	return segments
}

// at says where an item of a list is.
func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
