package region

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// aslPath is a path field: the default, a path, or null (ASL, "Filters").
type aslPath struct {
	text string // "$" unless set
	null bool
}

func (p *aslPath) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		p.null = true
		return nil
	}
	return json.Unmarshal(text, &p.text)
}

// referencePath is the form of paths that is simulated: members only.
var referencePath = regexp.MustCompile(`^\$(\.[A-Za-z_][A-Za-z0-9_-]*)*$`)

// lookup reads a path of a document.
func lookup(document any, text string) (any, *aslError) {
	if !referencePath.MatchString(text) {
		return nil, &aslError{"States.Runtime", fmt.Sprintf("the simulated region does not know the path %q", text)}
	}
	for _, member := range strings.Split(text, ".")[1:] {
		object, ok := document.(map[string]any)
		value, has := object[member]
		if !ok || !has {
			return nil, &aslError{"States.ParameterPathFailure", fmt.Sprintf("The JSONPath '%s' could not be found in the input", text)}
		}
		document = value
	}
	return document, nil
}

// input applies InputPath or OutputPath: null is an empty object (ASL, "Filters").
func (p aslPath) filter(document any) (any, *aslError) {
	switch {
	case p.null:
		return map[string]any{}, nil
	case p.text == "":
		return document, nil
	}
	return lookup(document, p.text)
}

// place applies ResultPath: null discards the result, "$" replaces the input, and another
// path puts the result into the raw input (ASL, "ResultPath").
func (p aslPath) place(input, result any) (any, *aslError) {
	switch {
	case p.null:
		return input, nil
	case p.text == "" || p.text == "$":
		return result, nil
	case !referencePath.MatchString(p.text):
		return nil, &aslError{"States.ResultPathMatchFailure", "the simulated region does not know the path " + p.text}
	}
	return put(input, strings.Split(p.text, ".")[1:], result), nil
}

func put(document any, members []string, value any) any {
	if len(members) == 0 {
		return value
	}
	object := map[string]any{}
	if old, ok := document.(map[string]any); ok {
		object = maps.Clone(old)
	}
	object[members[0]] = put(object[members[0]], members[1:], value)
	return object
}

// fill fills a payload template: a field whose name ends in ".$" takes a path of the
// input, or of the context object with "$$" (ASL, "Payload Template").
func fill(template json.RawMessage, input, context any) (any, *aslError) {
	if len(template) == 0 {
		return input, nil
	}
	var document any
	if err := json.Unmarshal(template, &document); err != nil {
		return nil, &aslError{"States.Runtime", err.Error()}
	}
	return fillIn(document, input, context)
}

func fillIn(template, input, context any) (any, *aslError) {
	switch template := template.(type) {
	case map[string]any:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(template)) {
			value, err := fillMember(name, template[name], input, context)
			if err != nil {
				return nil, err
			}
			object[strings.TrimSuffix(name, ".$")] = value
		}
		return object, nil
	case []any:
		list := make([]any, len(template))
		for i, element := range template {
			var err *aslError
			if list[i], err = fillIn(element, input, context); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return template, nil
}

func fillMember(name string, template, input, context any) (any, *aslError) {
	if !strings.HasSuffix(name, ".$") {
		return fillIn(template, input, context)
	}
	text, ok := template.(string)
	switch {
	case !ok:
		return nil, &aslError{"States.Runtime", fmt.Sprintf("the value of %s has to be a path", name)}
	case strings.HasPrefix(text, "$$"):
		return lookup(context, text[1:])
	}
	return lookup(input, text)
}

// aslChoice is a choice rule. Of the comparisons, those of one string or Boolean are
// simulated (ASL, "Choice Rule").
type aslChoice struct {
	Variable      string
	StringEquals  *string
	BooleanEquals *bool
	IsPresent     *bool
	Next          string
	Comment       string
}

func (c aslChoice) matches(input any) (bool, *aslError) {
	value, err := lookup(input, c.Variable)
	if c.IsPresent != nil {
		return (err == nil) == *c.IsPresent, nil
	}
	if err != nil {
		return false, &aslError{"States.Runtime", "Invalid path '" + c.Variable + "': the choice state's condition path references an invalid value."}
	}
	switch {
	case c.StringEquals != nil:
		return value == *c.StringEquals, nil
	case c.BooleanEquals != nil:
		return value == *c.BooleanEquals, nil
	}
	return false, &aslError{"States.Runtime", "the simulated region does not know the comparison of the choice to " + c.Next}
}
