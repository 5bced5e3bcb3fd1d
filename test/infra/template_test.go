package infra

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// template is a CloudFormation template in plain Go values.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct {
		Value       any
		Description string
	}
	// Whole is the template as the CDK made it, with what the fields above leave out.
	Whole json.RawMessage
}

type resource struct {
	Type                string
	Properties          map[string]any
	DeletionPolicy      string
	DependsOn           []string
	UpdateReplacePolicy string
}

// newTemplate is what the CDK made, in plain values.
func newTemplate(from map[string]any) (template, error) {
	b, err := json.Marshal(from)
	if err != nil {
		return template{}, err
	}
	return readTemplate(b)
}

func readTemplate(b []byte) (template, error) {
	t := template{Whole: b}
	return t, json.Unmarshal(b, &t)
}

// of returns the resources of a type, by logical ID.
func (t template) of(kind string) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	return found
}

// only returns the one resource of a type whose logical ID begins with prefix.
func (t template) only(kind, prefix string) resource {
	var found []resource
	for id, r := range t.of(kind) {
		if strings.HasPrefix(id, prefix) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		panic(fmt.Sprintf("%d resources %s of type %s, want one", len(found), prefix, kind))
	}
	return found[0]
}

// at walks into maps by key; nil for what is not there.
func at(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// asList is a value that CloudFormation lets stand alone or in a list.
func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// hash is what the CDK appends to logical IDs.
var hash = regexp.MustCompile(`[0-9A-F]{8}$`)

// name is a logical ID for people.
func name(logicalID string) string { return hash.ReplaceAllString(logicalID, "") }

// words renders a value with its references in angle brackets, for people and
// for comparisons.
func words(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return "<" + name(strings.TrimPrefix(ref, "AWS::")) + ">"
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return "<" + name(get[0].(string)) + "." + get[1].(string) + ">"
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, words(part))
			}
			return strings.Join(parts, join[0].(string))
		}
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+"="+words(v[key]))
		}
		return strings.Join(parts, " ")
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, words(part))
		}
		return strings.Join(parts, ", ")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// statement is one statement of a policy, rendered.
type statement struct {
	SID, Effect string
	Actions     []string
	Resources   []string
	Principal   string
	Condition   string
}

func statements(document any) []statement {
	var all []statement
	for _, s := range asList(at(document, "Statement")) {
		one := statement{
			SID: words(orEmpty(at(s, "Sid"))), Effect: words(at(s, "Effect")),
			Principal: words(orEmpty(at(s, "Principal"))), Condition: words(orEmpty(at(s, "Condition"))),
		}
		for _, action := range asList(at(s, "Action")) {
			one.Actions = append(one.Actions, words(action))
		}
		for _, r := range asList(at(s, "Resource")) {
			one.Resources = append(one.Resources, words(r))
		}
		all = append(all, one)
	}
	return all
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// permissions are the statements of the policies of a role.
func (t template) permissions(rolePrefix string) []statement {
	var all []statement
	for id, policy := range t.of("AWS::IAM::Policy") {
		if strings.HasPrefix(id, rolePrefix) {
			all = append(all, statements(policy.Properties["PolicyDocument"])...)
		}
	}
	return all
}
