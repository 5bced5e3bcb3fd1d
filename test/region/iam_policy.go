package region

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// policyStatement is one statement of an identity-based policy. Elements that
// are not simulated (NotAction, NotResource, Principal, policy variables,
// further condition operators and keys) are refused when the policy is read:
// to ignore one would allow or deny what AWS would not.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policyStatement struct {
	sid        string
	deny       bool
	actions    []string // patterns
	resources  []string // patterns
	conditions []policyCondition
	needed     map[string]bool // the action patterns that something rested on
}

// policyCondition is one key under one operator: its values are alternatives.
type policyCondition struct {
	set      string // "ForAllValues", "ForAnyValue", or "" for a key with one value
	operator string
	ifExists bool
	key      string // in lower case
	values   []string
}

// conditionKeys are the keys that calls here have; those that end in "/" are
// followed by a tag's key (Service Authorization Reference, "Condition keys").
// Keys are not case-sensitive.
var conditionKeys = []string{
	"aws:resourcetag/", "aws:requesttag/", "autoscaling:resourcetag/", "ssm:resourcetag/", "rds:db-tag/", "kms:viaservice", "iam:passedtoservice",
	"aws:principalaccount", "aws:resourceaccount", "aws:requestedregion", "events:source", "events:detail-type",
	"autoscaling:trafficsourceidentifiers", "aws:tagkeys", "ec2:launchtemplate", "ec2:createaction",
}

// stringOrList is how policies write lists of one.
type stringOrList []string

func (l *stringOrList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = stringOrList{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

type writtenStatement struct {
	Sid, Effect      string
	Action, Resource stringOrList
	Condition        map[string]map[string]stringOrList
}

// readPolicy reads the statements of a policy document.
func readPolicy(document []byte) ([]*policyStatement, error) {
	var policy struct {
		Version   string
		Id        string
		Statement json.RawMessage
	}
	if err := strictly(document, &policy); err != nil {
		return nil, err
	}
	if policy.Version != "2012-10-17" {
		return nil, fmt.Errorf("policy version %q is not simulated", policy.Version)
	}
	written := make([]writtenStatement, 1)
	if err := strictly(policy.Statement, &written[0]); err != nil {
		if err := strictly(policy.Statement, &written); err != nil {
			return nil, err
		}
	}
	var statements []*policyStatement
	for n, w := range written {
		s, err := w.read()
		if err != nil {
			return nil, fmt.Errorf("statement %d %q: %w", n+1, w.Sid, err)
		}
		if s.sid == "" {
			s.sid = fmt.Sprintf("statement %d", n+1)
		}
		statements = append(statements, s)
	}
	return statements, nil
}

func strictly(document []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (w writtenStatement) read() (*policyStatement, error) {
	s := &policyStatement{sid: w.Sid, deny: w.Effect == "Deny", actions: w.Action, resources: w.Resource, needed: map[string]bool{}}
	if w.Effect != "Allow" && w.Effect != "Deny" || len(w.Action) == 0 || len(w.Resource) == 0 {
		return nil, fmt.Errorf("needs an Effect, an Action and a Resource")
	}
	texts := slices.Concat(w.Action, w.Resource)
	for operator, keys := range w.Condition {
		for key, values := range keys {
			c, err := readCondition(operator, key, values)
			if err != nil {
				return nil, err
			}
			s.conditions, texts = append(s.conditions, c), append(texts, values...)
		}
	}
	for _, text := range texts {
		if strings.Contains(text, "${") {
			return nil, fmt.Errorf("policy variables are not simulated: %s", text)
		}
	}
	return s, nil
}

func readCondition(operator, key string, values []string) (policyCondition, error) {
	c := policyCondition{operator: operator, key: strings.ToLower(key), values: values}
	if set, rest, ok := strings.Cut(operator, ":"); ok {
		c.set, c.operator = set, rest
	}
	c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
	known := slices.ContainsFunc(conditionKeys, func(k string) bool {
		tag, ok := strings.CutPrefix(c.key, k)
		return ok && strings.HasSuffix(k, "/") == (tag != "")
	})
	switch {
	case c.set != "" && c.set != "ForAllValues" && c.set != "ForAnyValue":
		return c, fmt.Errorf("the set operator %s is not simulated", c.set)
	case !known:
		return c, fmt.Errorf("the condition key %s is not simulated", key)
	}
	switch c.operator {
	case "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike", "ArnEquals", "ArnLike":
	case "Null":
		if c.set != "" || c.ifExists || len(values) != 1 || values[0] != "true" && values[0] != "false" {
			return c, fmt.Errorf("the condition Null of %s needs true or false", key)
		}
	default:
		return c, fmt.Errorf("the condition operator %s is not simulated", operator)
	}
	return c, nil
}

// matches reports whether the statement is about what a call needs.
func (s *policyStatement) matches(n need) bool {
	return slices.ContainsFunc(s.actions, func(p string) bool { return matchesAction(p, n.action) }) &&
		slices.ContainsFunc(s.resources, func(p string) bool { return matchesPattern(p, n.resource) }) &&
		!slices.ContainsFunc(s.conditions, func(c policyCondition) bool { return !c.met(n.values(c.key)) })
}

// everyRequest are the condition keys that every request has.
var everyRequest = map[string][]string{"aws:principalaccount": {Account}, "aws:resourceaccount": {Account}, "aws:requestedregion": {Name}}

// values are those that the request has for a condition key.
func (n need) values(key string) []string {
	if values, ok := n.keys[key]; ok {
		return values
	}
	return everyRequest[key]
}

// actionsFor are the statement's patterns for an action.
func (s *policyStatement) actionsFor(action string) []string {
	var found []string
	for _, p := range s.actions {
		if matchesAction(p, action) {
			found = append(found, p)
		}
	}
	return found
}

// matchesAction matches without regard to case.
func matchesAction(pattern, action string) bool {
	return strings.EqualFold(pattern, action) || strings.ContainsAny(pattern, "*?") && matchesPattern(strings.ToLower(pattern), strings.ToLower(action))
}

// met evaluates a condition on the values that a request has for its key. A
// key that is missing meets no condition but negated ones, those that end in
// IfExists, and ForAllValues ("IAM JSON policy elements: Condition operators"
// and "Set operators for multivalued context keys").
func (c policyCondition) met(values []string) bool {
	if c.operator == "Null" {
		return (len(values) == 0) == (c.values[0] == "true")
	}
	negated := c.operator == "StringNotEquals" || c.operator == "StringNotLike"
	if len(values) == 0 {
		return c.ifExists || c.set == "ForAllValues" || negated && c.set == ""
	}
	one := func(value string) bool {
		return slices.ContainsFunc(c.values, func(want string) bool { return c.compare(want, value) }) != negated
	}
	if c.set == "ForAllValues" {
		return !slices.ContainsFunc(values, func(v string) bool { return !one(v) })
	}
	return slices.ContainsFunc(values, one)
}

func (c policyCondition) compare(want, value string) bool {
	switch c.operator {
	case "StringEquals", "StringNotEquals":
		return want == value
	case "StringEqualsIgnoreCase":
		return strings.EqualFold(want, value)
	}
	return matchesPattern(want, value)
}

// matchesPattern matches * with any characters and ? with one.
func matchesPattern(pattern, text string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for n := 0; n <= len(text); n++ {
				if matchesPattern(pattern[1:], text[n:]) {
					return true
				}
			}
			return false
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}
