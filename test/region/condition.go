package region

import (
	"cmp"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// condition is a condition expression of DynamoDB: attribute_exists(x),
// attribute_not_exists(x), comparisons, AND, OR, NOT and parentheses, on
// top-level attributes. Anything else is an error that says so.
type condition struct {
	expression *string
	names      map[string]string
	values     map[string]ddb.AttributeValue
	showItem   bool
}

// check says whether an item (nil if there is none) meets a condition.
func check(c condition, old item) error {
	if c.expression == nil {
		if len(c.names) > 0 || len(c.values) > 0 {
			return failure("ValidationException", "ExpressionAttributeNames can only be specified when using expressions")
		}
		return nil
	}
	p := &conditionParser{condition: c, item: old, used: map[string]bool{}}
	p.tokens = conditionTokens.FindAllString(*c.expression, -1)
	met := p.or()
	if p.err == nil && p.next() != "" {
		p.fail("unexpected %q", p.tokens[p.at-1])
	}
	p.checkUsed()
	if p.err != nil {
		return p.err
	}
	if !met {
		e := &ddb.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
		if c.showItem {
			e.Item = old
		}
		return e
	}
	return nil
}

var conditionTokens = regexp.MustCompile(`[#:]?[A-Za-z_][A-Za-z0-9_]*|[#:][0-9A-Za-z_]+|<>|<=|>=|[=<>(),]|\S`)

// conditionParser evaluates while it reads: the expressions are short, and
// both sides of AND and OR are read whatever the first one comes to.
type conditionParser struct {
	condition
	item   item
	tokens []string
	at     int
	used   map[string]bool
	err    error
}

func (p *conditionParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = failure("ValidationException", "Invalid ConditionExpression: "+format, args...)
	}
}

func (p *conditionParser) peek() string {
	if p.at >= len(p.tokens) {
		return ""
	}
	return p.tokens[p.at]
}

func (p *conditionParser) next() string {
	t := p.peek()
	p.at++
	return t
}

func (p *conditionParser) accept(token string) bool {
	if strings.EqualFold(p.peek(), token) {
		p.at++
		return true
	}
	return false
}

func (p *conditionParser) expect(token string) {
	if !p.accept(token) {
		p.fail("expected %q before %q", token, p.peek())
	}
}

func (p *conditionParser) or() bool {
	met := p.and()
	for p.err == nil && p.accept("OR") {
		other := p.and()
		met = met || other
	}
	return met
}

func (p *conditionParser) and() bool {
	met := p.not()
	for p.err == nil && p.accept("AND") {
		other := p.not()
		met = met && other
	}
	return met
}

func (p *conditionParser) not() bool {
	if p.accept("NOT") {
		return !p.not()
	}
	if p.accept("(") {
		met := p.or()
		p.expect(")")
		return met
	}
	return p.term()
}

func (p *conditionParser) term() bool {
	if p.at+1 < len(p.tokens) && p.tokens[p.at+1] == "(" {
		return p.function()
	}
	left := p.operand()
	operator := p.next()
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, operator) {
		p.fail("the simulated region does not know the operator %q", operator)
		return false
	}
	right := p.operand()
	return p.err == nil && compare(left, operator, right)
}

func (p *conditionParser) function() bool {
	name := p.next()
	if name != "attribute_exists" && name != "attribute_not_exists" {
		p.fail("the simulated region does not know the function %s", name)
		return false
	}
	p.expect("(")
	exists := p.operand() != nil
	p.expect(")")
	return exists == (name == "attribute_exists")
}

// operand is the value of an attribute or of a placeholder; nil for an
// attribute that is not there.
func (p *conditionParser) operand() ddb.AttributeValue {
	token := p.next()
	switch {
	case strings.HasPrefix(token, ":"):
		v, ok := p.values[token]
		if !ok {
			p.fail("An expression attribute value used in expression is not defined; attribute value: %s", token)
		}
		p.used[token] = true
		return v
	case strings.HasPrefix(token, "#"):
		name, ok := p.names[token]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", token)
		}
		p.used[token] = true
		return p.item[name]
	case token == "" || !regexp.MustCompile(`^[A-Za-z_]\w*$`).MatchString(token):
		p.fail("expected an attribute or a value instead of %q", token)
		return nil
	}
	return p.item[token]
}

// checkUsed: DynamoDB refuses names and values that no expression uses.
func (p *conditionParser) checkUsed() {
	for name := range p.names {
		if !p.used[name] {
			p.fail("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for name := range p.values {
		if !p.used[name] {
			p.fail("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
}

// compare compares values of the same type. Of different types they are
// unequal, and an order between them never holds; nor does any comparison
// with an attribute that is not there.
func compare(left ddb.AttributeValue, operator string, right ddb.AttributeValue) bool {
	if left == nil || right == nil {
		return operator == "<>" && (left == nil) != (right == nil)
	}
	order, comparable, ordered := 0, false, true
	switch l := left.(type) {
	case *ddb.AttributeValueMemberS:
		if r, ok := right.(*ddb.AttributeValueMemberS); ok {
			order, comparable = cmp.Compare(l.Value, r.Value), true
		}
	case *ddb.AttributeValueMemberN:
		if r, ok := right.(*ddb.AttributeValueMemberN); ok {
			a, okA := new(big.Rat).SetString(l.Value)
			b, okB := new(big.Rat).SetString(r.Value)
			if okA && okB {
				order, comparable = a.Cmp(b), true
			}
		}
	case *ddb.AttributeValueMemberBOOL:
		if r, ok := right.(*ddb.AttributeValueMemberBOOL); ok {
			comparable, ordered = true, false
			if l.Value != r.Value {
				order = 1
			}
		}
	}
	switch operator {
	case "=":
		return comparable && order == 0
	case "<>":
		return !comparable || order != 0
	}
	if !comparable || !ordered {
		return false
	}
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
