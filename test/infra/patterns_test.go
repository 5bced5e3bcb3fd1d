package infra

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"
)

// bound are the references in patterns with what they are in the recorded events.
func bound() map[string]string {
	return map[string]string{
		"<Converge>": "arn:aws:states:eu-west-1:123456789012:stateMachine:deployhooks-converge",
		"<Remove>":   "arn:aws:states:eu-west-1:123456789012:stateMachine:deployhooks-remove",
	}
}

// takers are the rules of a template that take an event, sorted, by a matcher of
// the author of EventBridge's own.
func (t template) takers(test *testing.T, event []byte) []string {
	test.Helper()
	q, err := quamina.New()
	if err != nil {
		test.Fatal(err)
	}
	for id, rule := range t.of("AWS::Events::Rule") {
		pattern := bind(test, id, rule.Properties["EventPattern"])
		b, err := json.Marshal(pattern)
		if err != nil {
			test.Fatal(err)
		}
		if err := q.AddPattern(name(id), string(b)); err != nil {
			test.Fatalf("the pattern of %s: %v", id, err)
		}
	}
	matches, err := q.MatchesForEvent(event)
	if err != nil {
		test.Fatalf("%v: %s", err, event)
	}
	var rules []string
	for _, m := range matches {
		rules = append(rules, m.(string))
	}
	slices.Sort(rules)
	return rules
}

// bind is a pattern with its references resolved. It fails the test on everything
// that EventBridge and the matcher do not both have, with one meaning: exact
// strings, and objects {"prefix": "…"} and {"exists": …} are what is left ("Comparison
// operators for use in event patterns in Amazon EventBridge", Amazon EventBridge User
// Guide, and PATTERNS.md of Quamina).
func bind(t *testing.T, rule string, pattern any) any {
	t.Helper()
	fields, ok := pattern.(map[string]any)
	if !ok {
		t.Fatalf("%s: %v is no pattern", rule, pattern)
	}
	bound := map[string]any{}
	for key, value := range fields {
		values, leaf := value.([]any)
		switch {
		case strings.HasPrefix(key, "$"):
			t.Fatalf("%s: the matcher has no %s", rule, key)
		case !leaf:
			bound[key] = bind(t, rule, value)
		default:
			var all []any
			for _, v := range values {
				all = append(all, bindValue(t, rule, v))
			}
			bound[key] = all
		}
	}
	return bound
}

func bindValue(t *testing.T, rule string, value any) any {
	t.Helper()
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if v["Ref"] != nil || v["Fn::GetAtt"] != nil {
			resolved, ok := bound()[words(v)]
			if !ok {
				t.Fatalf("%s matches %s: say in bound() what that is in the recorded events", rule, words(v))
			}
			return resolved
		}
		if _, ok := v["prefix"].(string); ok && len(v) == 1 {
			return v
		}
		if _, ok := v["exists"].(bool); ok && len(v) == 1 {
			return v
		}
	}
	t.Fatalf("%s: the matcher and EventBridge may not read %v alike", rule, value)
	return nil
}
