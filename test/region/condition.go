package region

import (
	_ "embed"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// placeholders are the attribute names and values of one request, which all of
// its expressions share. DynamoDB refuses those that none uses.
type placeholders struct {
	names  map[string]string
	values map[string]ddb.AttributeValue
	used   map[string]bool
}

func newPlaceholders(names map[string]string, values map[string]ddb.AttributeValue) *placeholders {
	return &placeholders{names: names, values: values, used: map[string]bool{}}
}

// check refuses placeholders that are wrong or that no expression has used.
// parsed says whether the request has any expression, and takesValues names the
// one that values belong to.
func (p *placeholders) check(parsed bool, takesValues string) error {
	switch {
	case p.names != nil && !parsed:
		return validation("ExpressionAttributeNames can only be specified when using expressions")
	case p.values != nil && !parsed:
		return validation("ExpressionAttributeValues can only be specified when using expressions: %s is null", takesValues)
	case p.names != nil && len(p.names) == 0:
		return validation("ExpressionAttributeNames must not be empty")
	case p.values != nil && len(p.values) == 0:
		return validation("ExpressionAttributeValues must not be empty")
	}
	for _, name := range slices.Sorted(maps.Keys(p.names)) {
		if !placeholderName.MatchString(name) || name[0] != '#' {
			return validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", name)
		}
		if !p.used[name] {
			return validation("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !placeholderName.MatchString(name) || name[0] != ':' {
			return validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", name)
		}
		if _, err := stored(p.values[name], 1); err != nil {
			return validation("ExpressionAttributeValues contains invalid value: %s for key %s", messageOf(err), name)
		}
		if !p.used[name] {
			return validation("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
	return nil
}

var placeholderName = regexp.MustCompile(`^[#:][A-Za-z0-9_]+$`)

// condition is the condition of a write.
type condition struct {
	expression *string
	names      map[string]string
	values     map[string]ddb.AttributeValue
	showItem   bool
}

// predicate says whether an item, nil if there is none, meets an expression.
type predicate func(item) bool

// predicate reads the condition, whatever the item is. Without an expression
// every item meets it.
func (c condition) predicate() (predicate, error) {
	p := newPlaceholders(c.names, c.values)
	met, err := p.predicate("ConditionExpression", c.expression)
	if err != nil {
		return nil, err
	}
	return met, p.check(c.expression != nil, "ConditionExpression")
}

// failed is the answer to a condition that is not met.
func (c condition) failed(old item) error {
	e := &ddb.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
	if c.showItem {
		e.Item = old
	}
	return e
}

// predicate reads a ConditionExpression or FilterExpression.
func (p *placeholders) predicate(kind string, text *string) (predicate, error) {
	if text == nil {
		return func(item) bool { return true }, nil
	}
	x := p.parser(kind, *text)
	met := x.or()
	x.end()
	return met, x.err
}

//go:embed dynamodb_reserved.txt
var reservedText string

// reserved are the words that may not stand for attributes in expressions
// ("Reserved words in DynamoDB").
var reserved = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for _, word := range strings.Fields(reservedText) {
		words[word] = true
	}
	return words
})

// or, and, not and term are the levels of precedence, from the lowest.
func (x *parser) or() predicate {
	met := x.and()
	for x.err == nil && x.accept("OR") {
		left, right := met, x.and()
		met = func(i item) bool { return left(i) || right(i) }
	}
	return met
}

func (x *parser) and() predicate {
	met := x.not()
	for x.err == nil && x.accept("AND") {
		left, right := met, x.not()
		met = func(i item) bool { return left(i) && right(i) }
	}
	return met
}

func (x *parser) not() predicate {
	switch {
	case x.accept("NOT"):
		met := x.not()
		return func(i item) bool { return !met(i) }
	case x.accept("("):
		from := x.at
		met := x.or()
		x.expect(")")
		if x.err == nil && x.tokens[from] == "(" && x.closes(from) == x.at-2 {
			x.fail("The expression has redundant parentheses;")
		}
		return met
	}
	return x.term()
}

var comparators = []string{"=", "<>", "<", "<=", ">", ">="}

func (x *parser) term() predicate {
	if slices.Contains(testFunctions, x.peek()) && x.peekAt(1) == "(" {
		return x.function()
	}
	left := x.operand()
	switch operator := strings.ToUpper(x.next()); {
	case operator == "BETWEEN":
		low := x.operand()
		x.expect("AND")
		high := x.operand()
		x.between(low, high)
		return func(i item) bool {
			a, okA := order(left.value(i), low.value(i))
			b, okB := order(left.value(i), high.value(i))
			return okA && okB && a >= 0 && b <= 0
		}
	case operator == "IN":
		all := x.list()
		return func(i item) bool {
			return slices.ContainsFunc(all, func(o operand) bool { return equal(left.value(i), o.value(i)) })
		}
	case slices.Contains(comparators, operator):
		right := x.operand()
		x.comparable(operator, left, right)
		return func(i item) bool { return compare(left.value(i), operator, right.value(i)) }
	}
	x.at--
	x.syntax()
	return func(item) bool { return false }
}

// comparable refuses comparisons that can never be right.
func (x *parser) comparable(operator string, left, right operand) {
	if left.text == right.text {
		x.fail("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: [%s]", operator, left.text)
	}
	for _, o := range []operand{left, right} {
		if operator != "=" && operator != "<>" && o.constant != nil {
			if _, ok := order(o.constant, o.constant); !ok {
				x.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, kindOf(o.constant))
			}
		}
	}
}

func (x *parser) between(low, high operand) {
	x.comparable("BETWEEN", low, high)
	if low.constant == nil || high.constant == nil {
		return
	}
	if n, ok := order(low.constant, high.constant); !ok {
		x.fail("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: %s, upper bound operand: %s", low.text, high.text)
	} else if n > 0 {
		x.fail("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: %s, upper bound operand: %s", low.text, high.text)
	}
}

// list is the list of IN: 1 to 100 operands.
func (x *parser) list() []operand {
	var all []operand
	x.expect("(")
	for {
		all = append(all, x.operand())
		if x.err != nil || !x.accept(",") {
			break
		}
	}
	x.expect(")")
	if len(all) > 100 {
		x.fail("Invalid number of operands for operator or function; operator or function: IN, number of operands: %d", len(all)+1)
	}
	return all
}

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

// compare compares values of the same type. Of different types they are
// unequal, and an order between them never holds; nor does any comparison
// with an attribute that is not there, but for <>.
func compare(left ddb.AttributeValue, operator string, right ddb.AttributeValue) bool {
	switch operator {
	case "=":
		return left != nil && equal(left, right)
	case "<>":
		return (left != nil || right != nil) && !equal(left, right)
	}
	n, ok := order(left, right)
	switch {
	case !ok:
		return false
	case operator == "<":
		return n < 0
	case operator == "<=":
		return n <= 0
	case operator == ">":
		return n > 0
	}
	return n >= 0
}
