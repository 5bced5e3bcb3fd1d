package region

import (
	"slices"
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// keyCondition is a KeyConditionExpression: the partition key equals a value,
// and perhaps a comparison of the sort key, joined by AND
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html).
type keyCondition struct {
	attributes []string // that are compared, in order
	values     []ddb.AttributeValue
	equals     []bool // whether each is compared by =
	met        predicate
}

func (p *placeholders) keyCondition(text *string) (keyCondition, error) {
	if text == nil {
		return keyCondition{}, validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	x := p.parser("KeyConditionExpression", *text)
	k := keyCondition{met: func(item) bool { return true }}
	for x.err == nil {
		x.keyTerm(&k)
		if !x.accept("AND") {
			break
		}
	}
	if operator := strings.ToUpper(x.peek()); operator == "OR" || operator == "IN" || operator == "<>" {
		x.fail("Invalid operator used in KeyConditionExpression: %s", operator)
	}
	x.end()
	if x.err == nil && len(k.attributes) > 2 {
		x.fail("Conditions can be of length 1 or 2 only")
	}
	return k, x.err
}

// keyTerm reads one comparison, which may stand in parentheses.
func (x *parser) keyTerm(k *keyCondition) {
	if x.accept("(") {
		x.keyTerm(k)
		x.expect(")")
		return
	}
	from := x.at
	operator := strings.ToUpper(x.peekAt(1))
	switch {
	case x.peek() == "begins_with":
		x.at += 2
	case operator == "<>" || operator == "IN" || x.peek() == "NOT" || x.peekAt(1) == "(":
		x.fail("Invalid operator used in KeyConditionExpression: %s", strings.Trim(operator, "("))
		return
	}
	of := x.operand()
	x.at = from
	met := x.term()
	if x.err == nil && (!of.isPath || len(of.path) > 1) {
		x.fail("Invalid condition in KeyConditionExpression: the left side must be a key attribute")
	}
	last := x.constantBehind(from)
	if x.err == nil && last == nil {
		x.fail("Invalid condition in KeyConditionExpression: the right side must be a value")
	}
	if x.err != nil {
		return
	}
	before := k.met
	k.attributes = append(k.attributes, of.text)
	k.values = append(k.values, last)
	k.equals = append(k.equals, operator == "=")
	k.met = func(i item) bool { return before(i) && met(i) }
}

// constantBehind is the first value after a token.
func (x *parser) constantBehind(from int) ddb.AttributeValue {
	for _, token := range x.tokens[from:min(x.at, len(x.tokens))] {
		if strings.HasPrefix(token, ":") {
			return x.values[token]
		}
	}
	return nil
}

// fits checks that the condition is one on those keys.
func (k keyCondition) fits(keys []keyAttribute) error {
	n := slices.Index(k.attributes, keys[0].name)
	switch {
	case n < 0:
		return validation("Query condition missed key schema element: %s", keys[0].name)
	case !k.equals[n]:
		return validation("Query key condition not supported")
	case len(k.attributes) == 2 && (len(keys) < 2 || k.attributes[1-n] != keys[1].name):
		missed := keys[len(keys)-1].name
		return validation("Query condition missed key schema element: %s", missed)
	}
	for n, name := range k.attributes {
		at := slices.IndexFunc(keys, func(a keyAttribute) bool { return a.name == name })
		if kindOf(k.values[n]) != keys[at].kind {
			return validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
		}
		if keyText(k.values[n]) == "" {
			return validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		}
	}
	return nil
}
