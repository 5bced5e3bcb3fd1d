package region

import (
	"slices"
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var testFunctions = []string{"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"}

// function reads a function that is true or false.
func (x *parser) function() predicate {
	name := x.next()
	x.expect("(")
	of := x.operand()
	if !of.isPath {
		x.fail("Operator or function requires a document path; operator or function: %s", name)
	}
	var argument operand
	if name != "attribute_exists" && name != "attribute_not_exists" {
		x.expect(",")
		argument = x.operand()
		x.goodArgument(name, argument.constant)
	}
	x.expect(")")
	switch name {
	case "attribute_exists":
		return func(i item) bool { return of.value(i) != nil }
	case "attribute_not_exists":
		return func(i item) bool { return of.value(i) == nil }
	case "attribute_type":
		return func(i item) bool {
			want, ok := argument.constant.(*ddb.AttributeValueMemberS)
			return ok && of.value(i) != nil && kindOf(of.value(i)) == want.Value
		}
	case "begins_with":
		return func(i item) bool { return beginsWith(of.value(i), argument.value(i)) }
	}
	return func(i item) bool { return contains(of.value(i), argument.value(i)) }
}

func (x *parser) goodArgument(function string, v ddb.AttributeValue) {
	kind := kindOf(v)
	switch {
	case function == "begins_with" && v != nil && kind != "S" && kind != "B", function == "attribute_type" && kind != "S":
		x.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", function, kind)
	case function == "attribute_type" && !slices.Contains([]string{"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}, v.(*ddb.AttributeValueMemberS).Value):
		x.fail("Invalid attribute type name found; type: %s", v.(*ddb.AttributeValueMemberS).Value)
	}
}

func beginsWith(v, prefix ddb.AttributeValue) bool {
	a, okA := bytesOf(v)
	b, okB := bytesOf(prefix)
	return okA && okB && kindOf(v) == kindOf(prefix) && strings.HasPrefix(a, b)
}

// bytesOf is the text of a string or the bytes of a binary.
func bytesOf(v ddb.AttributeValue) (string, bool) {
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		return v.Value, true
	case *ddb.AttributeValueMemberB:
		return string(v.Value), true
	}
	return "", false
}

// contains: part of a string or binary, or an element of a set or list.
func contains(v, part ddb.AttributeValue) bool {
	if l, ok := v.(*ddb.AttributeValueMemberL); ok {
		return slices.ContainsFunc(l.Value, func(e ddb.AttributeValue) bool { return equal(e, part) })
	}
	if kind, elements, _ := setElements(v); kind != "" {
		text, ok := bytesOf(part)
		if n, isNumber := part.(*ddb.AttributeValueMemberN); isNumber {
			if r, err := number(n.Value); err == nil {
				text, ok = numberText(r), true
			}
		}
		return ok && kind == kindOf(part)+"S" && slices.Contains(elements, text)
	}
	a, okA := bytesOf(v)
	b, okB := bytesOf(part)
	return okA && okB && kindOf(v) == kindOf(part) && strings.Contains(a, b)
}
