package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
)

// manual is the kind of what only people can do. It takes days, so no step may need it.
const manual = "manual"

// declaration is a step as it is written; it stands for one of each of its environments.
type declaration struct {
	node         *yaml.Node
	path         string // steps[3] database
	name         string
	kind         step.Description
	environments []string // none for a step of the tenant as a whole
	needs        []need
	retain       bool
}

type need struct {
	node *yaml.Node
	name string
}

// stepsSection reads the steps, and then what each has to do with others.
func (l *loader) stepsSection(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > maxSteps {
		l.fault(n, "steps", "has to be a list of 1 to %d steps", maxSteps)
		return
	}
	for i, item := range n.Content {
		l.declare(item, at("steps", i))
	}
	var steps []blueprint.Step
	for _, d := range l.steps {
		for _, s := range l.expand(d) {
			if i := slices.IndexFunc(steps, func(other blueprint.Step) bool { return other.Name == s.Name }); i >= 0 {
				l.fault(d.node, d.path, "there is another step %s, made of %s: rename one", s.Name, steps[i].Kind)
			}
			steps = append(steps, s)
		}
	}
	ordered, circles := order(steps)
	for _, circle := range circles {
		for i, name := range circle {
			circle[i] = l.of(name).name // as it is written: the same circle in each environment is one fault
		}
		d := l.declared[circle[0]]
		l.fault(d.node, d.path, "needs itself: %s: remove one of these needs", strings.Join(circle, " needs "))
	}
	for i, s := range ordered {
		ordered[i].Parameters, ordered[i].Files = l.parameters(l.of(s.Name), s, steps)
	}
	l.out.Steps = ordered
}

// declare reads one step.
func (l *loader) declare(n *yaml.Node, path string) {
	if name := child(n, "name"); name != nil && name.Kind == yaml.ScalarNode {
		path = fmt.Sprintf("%s %.40s", path, name.Value)
	}
	d := &declaration{node: n, path: path}
	kindKnown := false
	l.fields(n, path, map[string]read{
		"name": func(n *yaml.Node, path string) { d.name = l.label(n, path, maxName) },
		"kind": func(n *yaml.Node, path string) {
			name := l.text(n, path)
			if d.kind, kindKnown = l.kinds[name]; !kindKnown && name != "" {
				l.fault(n, path, "there is no kind %.40s: %s", name, instead(name, names(l.kinds)))
			}
		},
		"environments": func(n *yaml.Node, path string) {
			l.texts(n, path, func(item *yaml.Node, name string) {
				if _, known := l.out.Environments[name]; !known {
					l.fault(item, path, "there is no environment %.40s: %s", name, instead(name, names(l.out.Environments)))
				} else {
					d.environments = append(d.environments, name)
				}
			})
		},
		"needs": func(n *yaml.Node, path string) {
			l.texts(n, path, func(item *yaml.Node, name string) { d.needs = append(d.needs, need{item, name}) })
		},
		"retain":     func(n *yaml.Node, path string) { d.retain = l.boolean(n, path) },
		"parameters": func(*yaml.Node, string) {},
	}, "name", "kind")
	if child(n, "retain") == nil {
		d.retain = d.kind.Policy.Retain
	}
	switch other := l.declared[d.name]; {
	case d.name == "":
	case !kindKnown: // it has its fault, and those who need it none
		l.declared[d.name] = d
	case other != nil:
		l.fault(n, path, "there is another step %s, in line %d: rename one", d.name, other.node.Line)
	default:
		l.declared[d.name] = d
		l.steps = append(l.steps, d)
	}
}

// expand makes the steps that a declaration stands for, without their parameters.
func (l *loader) expand(d *declaration) []blueprint.Step {
	var steps []blueprint.Step
	environments := d.environments
	if len(environments) == 0 {
		environments = []string{""}
	}
	for _, e := range environments {
		s := blueprint.Step{
			Name: expanded(d.name, e), Kind: d.kind.Name, Environment: e,
			Retain: d.retain, Policy: d.kind.Policy, Class: d.kind.Class,
		}
		for _, n := range d.needs {
			s.Needs = append(s.Needs, l.needed(d, n, e)...)
		}
		slices.Sort(s.Needs)
		s.Needs = slices.Compact(s.Needs)
		steps = append(steps, s)
	}
	return steps
}

func expanded(name, environment string) string {
	if environment == "" {
		return name
	}
	return name + "-" + environment
}

// of is the declaration that a step was made of.
func (l *loader) of(name string) *declaration {
	if d := l.declared[name]; d != nil {
		return d
	}
	for _, d := range l.declared {
		for _, e := range d.environments {
			if expanded(d.name, e) == name {
				return d
			}
		}
	}
	return nil
}

// needed lists the steps that a need of a step in an environment stands for: the one of the same
// environment; for a step of the tenant as a whole, those of all environments.
func (l *loader) needed(d *declaration, n need, environment string) []string {
	path := join(d.path, "needs")
	other := l.of(n.name)
	switch {
	case other == nil:
		l.fault(n.node, path, "there is no step %.60s: %s", n.name, instead(n.name, names(l.declared)))
		return nil
	case other.kind.Name == manual:
		l.fault(n.node, path, "%s is done by people, in days: nothing can need it: remove it from the needs", n.name)
		return nil
	case n.name != other.name || len(other.environments) == 0:
		return []string{n.name}
	case environment == "":
		var all []string
		for _, e := range other.environments {
			all = append(all, expanded(other.name, e))
		}
		return all
	case !slices.Contains(other.environments, environment):
		l.fault(n.node, path, "%s is not made for %s, only for %s: add the environment to one or remove it from the other",
			n.name, environment, strings.Join(other.environments, ", "))
		return nil
	}
	return []string{expanded(other.name, environment)}
}

// order sorts steps so that each comes after those it needs, and otherwise stay as they are
// written. Steps that cannot be sorted are in circles or behind one: it returns the circles.
func order(steps []blueprint.Step) (ordered []blueprint.Step, circles [][]string) {
	done := map[string]bool{}
	left := slices.Clone(steps)
	for {
		i := slices.IndexFunc(left, func(s blueprint.Step) bool {
			return !slices.ContainsFunc(s.Needs, func(n string) bool { return !done[n] })
		})
		if i < 0 {
			break
		}
		done[left[i].Name] = true
		ordered = append(ordered, left[i])
		left = slices.Delete(left, i, i+1)
	}
	needs := map[string][]string{}
	for _, s := range left {
		needs[s.Name] = s.Needs
	}
	inCircle := map[string]bool{}
	for _, s := range left {
		if inCircle[s.Name] {
			continue
		}
		if circle := way(needs, s.Name, s.Name, map[string]bool{}); circle != nil {
			circles = append(circles, circle)
			for _, name := range circle {
				inCircle[name] = true
			}
		}
	}
	return append(ordered, left...), circles
}

// way finds how one step needs another, as the names from the one to the other; nil if it does not.
func way(needs map[string][]string, from, to string, seen map[string]bool) []string {
	for _, n := range needs[from] {
		if n == to {
			return []string{from, to}
		}
		if seen[n] {
			continue
		}
		seen[n] = true
		if rest := way(needs, n, to, seen); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
