package region

import (
	"maps"
	"math/big"
	"slices"
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// change is one action of an UpdateExpression on a path. All of them read the
// item as it was.
type change struct {
	clause string
	path   path
	// apply is the attribute's new value, nil to remove it.
	apply func(old item) (ddb.AttributeValue, error)
}

// update reads an UpdateExpression; no changes without one.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
func (p *placeholders) update(text *string) ([]change, error) {
	if text == nil {
		return nil, nil
	}
	x := p.parser("UpdateExpression", *text)
	var changes []change
	var seen []string
	for x.err == nil && x.peek() != "" {
		clause := strings.ToUpper(x.next())
		if slices.Contains(seen, clause) {
			x.fail("The \"%s\" section can only be used once in an update expression;", clause)
		}
		seen = append(seen, clause)
		for x.err == nil {
			changes = append(changes, x.change(clause))
			if !x.accept(",") {
				break
			}
		}
	}
	for n, c := range changes {
		if len(c.path) > 1 && x.err == nil {
			return nil, failure("NotImplemented", "the simulated region does not know updates of nested attributes")
		}
		for _, other := range changes[:n] {
			if other.path.String() == c.path.String() {
				x.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%s]", other.path, c.path)
			}
		}
	}
	return changes, x.err
}

func (x *parser) change(clause string) change {
	c := change{clause: clause}
	switch clause {
	case "SET":
		c.path = x.path()
		x.expect("=")
		c.apply = x.sum()
	case "REMOVE":
		c.path = x.path()
		c.apply = func(item) (ddb.AttributeValue, error) { return nil, nil }
	case "ADD", "DELETE":
		c.path = x.path()
		by := x.operand()
		kind := kindOf(by.constant)
		if x.err == nil && !strings.HasSuffix(kind, "S") || kind == "S" {
			if clause != "ADD" || kind != "N" {
				x.fail("Incorrect operand type for operator or function; operator: %s, operand type: %s", clause, kind)
			}
		}
		c.apply = func(old item) (ddb.AttributeValue, error) { return combined(clause, c.path.get(old), by.constant) }
	default:
		x.at--
		x.syntax()
	}
	return c
}

type computed func(item) (ddb.AttributeValue, error)

// sum reads the right side of SET: an operand, or two with + or - between.
func (x *parser) sum() computed {
	left := x.settable()
	operator := x.peek()
	if operator != "+" && operator != "-" {
		return left
	}
	x.at++
	right := x.settable()
	return func(old item) (ddb.AttributeValue, error) {
		a, err := left(old)
		if err != nil {
			return nil, err
		}
		b, err := right(old)
		if err != nil {
			return nil, err
		}
		return sumOf(a, b, operator == "-")
	}
}

// settable reads an operand of SET, if_not_exists(path, operand) or
// list_append(operand, operand).
func (x *parser) settable() computed {
	name := x.peek()
	if x.peekAt(1) == "(" && (name == "if_not_exists" || name == "list_append") {
		x.at += 2
		first := x.settable()
		x.expect(",")
		second := x.settable()
		x.expect(")")
		return func(old item) (ddb.AttributeValue, error) {
			a, errA := first(old)
			b, errB := second(old)
			if name == "if_not_exists" {
				if a != nil {
					return a, nil
				}
				return b, errB
			}
			left, okA := a.(*ddb.AttributeValueMemberL)
			right, okB := b.(*ddb.AttributeValueMemberL)
			if errA != nil || errB != nil || !okA || !okB {
				return nil, validation("An operand in the update expression has an incorrect data type")
			}
			return &ddb.AttributeValueMemberL{Value: slices.Concat(left.Value, right.Value)}, nil
		}
	}
	o := x.operand()
	return func(old item) (ddb.AttributeValue, error) {
		if v := o.value(old); v != nil {
			return v, nil
		}
		return nil, validation("The provided expression refers to an attribute that does not exist in the item")
	}
}

func sumOf(a, b ddb.AttributeValue, negative bool) (ddb.AttributeValue, error) {
	left, okA := a.(*ddb.AttributeValueMemberN)
	right, okB := b.(*ddb.AttributeValueMemberN)
	if !okA || !okB {
		return nil, validation("An operand in the update expression has an incorrect data type")
	}
	m, err := number(left.Value)
	if err != nil {
		return nil, err
	}
	n, err := number(right.Value)
	if err != nil {
		return nil, err
	}
	if negative {
		n = new(big.Rat).Neg(n)
	}
	return stored(&ddb.AttributeValueMemberN{Value: numberText(new(big.Rat).Add(m, n))}, 1)
}

// combined adds a number, or adds elements to a set or deletes them from it. A
// set that becomes empty is removed.
func combined(clause string, old, by ddb.AttributeValue) (ddb.AttributeValue, error) {
	if kindOf(by) == "N" {
		if old == nil {
			return by, nil
		}
		return sumOf(old, by, false)
	}
	kind, elements, err := setElements(old)
	if err != nil || old != nil && kind != kindOf(by) {
		return nil, validation("An operand in the update expression has an incorrect data type")
	}
	kind, change, err := setElements(by)
	if err != nil {
		return nil, err
	}
	elements = slices.DeleteFunc(elements, func(e string) bool { return slices.Contains(change, e) })
	if clause == "ADD" {
		elements = append(elements, change...)
	}
	if len(elements) == 0 {
		return nil, nil
	}
	return setOf(kind, elements), nil
}

// updated is an item after changes, and the attributes that they touched.
func (t *table) updated(old, key item, changes []change) (result, error) {
	is := result{item: maps.Clone(old)}
	if old == nil {
		is.item = maps.Clone(key)
	}
	for _, c := range changes {
		name := c.path.String()
		if slices.Contains(names(t.keys), name) {
			return is, validation("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
		v, err := c.apply(old)
		if err != nil {
			return is, err
		}
		is.touched = append(is.touched, name)
		if v == nil {
			delete(is.item, name)
			continue
		}
		if is.item[name], err = stored(v, 1); err != nil {
			return is, err
		}
	}
	if itemBytes(is.item) > maxItemBytes {
		return is, validation("Item size to update has exceeded the maximum allowed size")
	}
	return is, t.goodItem(is.item)
}
