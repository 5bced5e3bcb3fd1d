package blueprint

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"deployhooks/pkg/tenant/step"
)

// Kinds documents kinds of steps in Markdown, each with its parameters and outputs.
func Kinds(kinds map[string]step.Description) string {
	var doc strings.Builder
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		fmt.Fprintf(&doc, "### %s\n\n%s\n\n%s\n\n", name, k.Summary, facts(k))
		doc.WriteString("| parameter | type | needed | |\n| --- | --- | --- | --- |\n")
		for _, f := range fields(k) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			needed := ""
			if f.Tag.Get("required") == "true" {
				needed = "yes"
			}
			fmt.Fprintf(&doc, "| `%s` | %s | %s | %s |\n", tag, typeName(f.Type), needed, cell(f.Tag.Get("doc")))
		}
		doc.WriteString("\n| output | |\n| --- | --- |\n")
		for _, o := range k.Outputs {
			fmt.Fprintf(&doc, "| `%s` | %s |\n", o.Name, cell(o.Doc))
		}
		doc.WriteString("\n")
	}
	return doc.String()
}

// fields are the parameters of a kind.
func fields(k step.Description) []reflect.StructField {
	if k.Parameters == nil {
		return nil
	}
	var found []reflect.StructField
	for f := range reflect.TypeOf(k.Parameters()).Elem().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			found = append(found, f)
		}
	}
	return found
}

// facts is how a kind is run, in a sentence each.
func facts(k step.Description) string {
	p := k.Policy
	text := fmt.Sprintf("Class %s. Takes about %s, %s at most for one try.", k.Class, p.Expected, p.TimeLimit)
	if p.Wait > 0 {
		text += fmt.Sprintf(" Waits up to %s for what takes its time.", p.Wait)
	}
	if p.Retain {
		text += " A removal retains what it made, unless the blueprint says otherwise."
	}
	return text
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "map of " + typeName(t.Elem())
	case reflect.Struct:
		return "object"
	}
	return "integer"
}

// cell is a text that fits a table of Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

// Table documents the steps of a blueprint in Markdown, in an order in which they can run.
func (b *Blueprint) Table() string {
	var doc strings.Builder
	doc.WriteString("| step | kind | class | needs | takes about | after a removal |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range b.Steps {
		after := "removed"
		if s.Retain {
			after = "retained"
		}
		fmt.Fprintf(&doc, "| %s | %s | %s | %s | %s | %s |\n",
			s.Name, s.Kind, s.Class, cmp.Or(strings.Join(s.Needs, ", "), "nothing"), s.Policy.Expected, after)
	}
	return doc.String()
}
