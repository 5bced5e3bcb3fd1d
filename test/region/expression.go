package region

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxExpression and the messages below are those of DynamoDB ("Expression
// parameters" in its quotas; messages observed).
const maxExpression = 4 << 10

// parser reads one expression. It stops at the first error.
type parser struct {
	*placeholders
	kind   string // such as ConditionExpression
	tokens []string
	at     int
	err    error
}

var expressionTokens = regexp.MustCompile(`[#:]?[A-Za-z0-9_]+|<>|<=|>=|\S`)

func (p *placeholders) parser(kind, text string) *parser {
	x := &parser{placeholders: p, kind: kind, tokens: expressionTokens.FindAllString(text, -1)}
	switch {
	case len(x.tokens) == 0:
		x.fail("The expression can not be empty;")
	case len(text) > maxExpression:
		x.fail("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	return x
}

func (x *parser) fail(format string, args ...any) {
	if x.err == nil {
		x.err = validation("Invalid "+x.kind+": "+format, args...)
	}
}

// syntax fails at the next token.
func (x *parser) syntax() {
	token := x.peek()
	if token == "" {
		token = "<EOF>"
	}
	near := x.tokens[min(max(x.at-1, 0), len(x.tokens)):min(x.at+2, len(x.tokens))]
	x.fail("Syntax error; token: \"%s\", near: \"%s\"", token, strings.Join(near, " "))
}

func (x *parser) peek() string { return x.peekAt(0) }

func (x *parser) peekAt(n int) string {
	if x.at+n >= len(x.tokens) {
		return ""
	}
	return x.tokens[x.at+n]
}

func (x *parser) next() string {
	t := x.peek()
	x.at++
	return t
}

func (x *parser) accept(token string) bool {
	if strings.EqualFold(x.peek(), token) {
		x.at++
		return true
	}
	return false
}

func (x *parser) expect(token string) {
	if !x.accept(token) {
		x.syntax()
	}
}

func (x *parser) end() {
	if x.err == nil && x.peek() != "" {
		x.syntax()
	}
}

// closes is where the parenthesis that opens at a token is closed.
func (x *parser) closes(from int) int {
	depth := 0
	for n := from; n < len(x.tokens); n++ {
		switch x.tokens[n] {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return n
			}
		}
	}
	return -1
}

// operand is a value of an item, or a placeholder for one.
type operand struct {
	text     string             // as it is written
	constant ddb.AttributeValue // of a placeholder
	isPath   bool
	path     path
	value    func(item) ddb.AttributeValue // nil where there is none
}

// operand reads a path, a value or size(path).
func (x *parser) operand() operand {
	token := x.peek()
	if x.err != nil {
		return operand{value: func(item) ddb.AttributeValue { return nil }}
	}
	if strings.HasPrefix(token, ":") {
		x.at++
		v, ok := x.values[token]
		if !ok {
			x.fail("An expression attribute value used in expression is not defined; attribute value: %s", token)
		}
		x.used[token] = true
		return operand{text: token, constant: v, value: func(item) ddb.AttributeValue { return v }}
	}
	if token == "size" && x.peekAt(1) == "(" {
		x.at += 2
		of := x.operand()
		if !of.isPath {
			x.fail("Operator or function requires a document path; operator or function: size")
		}
		x.expect(")")
		return operand{text: "size(" + of.text + ")", value: func(i item) ddb.AttributeValue { return sizeOf(of.value(i)) }}
	}
	p := x.path()
	return operand{text: p.String(), isPath: true, path: p, value: p.get}
}

// sizeOf is what size() is of: lengths, and numbers of elements.
func sizeOf(v ddb.AttributeValue) ddb.AttributeValue {
	var n int
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		n = len([]rune(v.Value))
	case *ddb.AttributeValueMemberB:
		n = len(v.Value)
	case *ddb.AttributeValueMemberL:
		n = len(v.Value)
	case *ddb.AttributeValueMemberM:
		n = len(v.Value)
	default:
		kind, elements, _ := setElements(v)
		if kind == "" {
			return nil
		}
		n = len(elements)
	}
	return &ddb.AttributeValueMemberN{Value: strconv.Itoa(n)}
}

// path is a document path: attribute names (string) and indexes (int).
type path []any

func (p path) String() string {
	var b strings.Builder
	for n, step := range p {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if n > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// path reads a document path. Only a name behind # may be a reserved word.
func (x *parser) path() path {
	p := path{x.name()}
	for x.err == nil {
		switch {
		case x.accept("."):
			p = append(p, x.name())
		case x.accept("["):
			n, err := strconv.Atoi(x.peek())
			if err != nil || n < 0 {
				x.syntax()
			}
			x.at++
			x.expect("]")
			p = append(p, n)
		default:
			return p
		}
	}
	return p
}

var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func (x *parser) name() string {
	token := x.peek()
	switch {
	case x.err != nil:
		return ""
	case strings.HasPrefix(token, "#") && len(token) > 1:
		name, ok := x.names[token]
		if !ok {
			x.fail("An expression attribute name used in the document path is not defined; attribute name: %s", token)
		}
		x.used[token] = true
		x.at++
		return name
	case !attributeName.MatchString(token):
		x.syntax()
	case reserved()[strings.ToUpper(token)]:
		x.fail("Attribute name is a reserved keyword; reserved keyword: %s", token)
	}
	x.at++
	return token
}

// get is the value at a path, nil where there is none.
func (p path) get(i item) ddb.AttributeValue {
	var v ddb.AttributeValue = &ddb.AttributeValueMemberM{Value: i}
	for _, step := range p {
		switch step := step.(type) {
		case string:
			m, ok := v.(*ddb.AttributeValueMemberM)
			if !ok || m.Value[step] == nil {
				return nil
			}
			v = m.Value[step]
		case int:
			l, ok := v.(*ddb.AttributeValueMemberL)
			if !ok || step >= len(l.Value) {
				return nil
			}
			v = l.Value[step]
		}
	}
	return v
}

// projection reads a ProjectionExpression of top-level attributes; nil keeps
// items whole.
func (p *placeholders) projection(text *string) (func(item) item, error) {
	if text == nil {
		return maps.Clone[item], nil
	}
	x := p.parser("ProjectionExpression", *text)
	var names []string
	for x.err == nil {
		path := x.path()
		if x.err == nil && len(path) > 1 {
			return nil, failure("NotImplemented", "the simulated region does not know projections of nested attributes")
		}
		if name := path.String(); slices.Contains(names, name) {
			x.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%s]", name, name)
		} else {
			names = append(names, name)
		}
		if !x.accept(",") {
			break
		}
	}
	x.end()
	return func(i item) item { return only(i, names) }, x.err
}

// only is the part of an item with those names; nil of no item.
func only(i item, names []string) item {
	if i == nil {
		return nil
	}
	part := item{}
	for _, name := range names {
		if v := i[name]; v != nil {
			part[name] = v
		}
	}
	return part
}

// messageOf is the message of an error that [failure] made.
func messageOf(err error) string {
	if e, ok := err.(interface{ ErrorMessage() string }); ok {
		return e.ErrorMessage()
	}
	return ""
}
