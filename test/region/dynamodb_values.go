package region

import (
	"bytes"
	"cmp"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Limits of values (DynamoDB developer guide, "Quotas" and "Supported data
// types and naming rules").
const (
	maxItemBytes      = 400 << 10
	maxPartitionBytes = 2048
	maxSortBytes      = 1024
	maxDigits         = 38
	maxExponent       = 125
	minExponent       = -130
	maxNesting        = 32
)

// validation is DynamoDB's answer to nearly everything that is wrong.
func validation(format string, args ...any) error {
	return failure("ValidationException", format, args...)
}

var decimalNumber = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// number reads a number: up to 38 significant digits, between 1E-130 and
// 9.99E+125 or negative or zero.
func number(text string) (*big.Rat, error) {
	if !decimalNumber.MatchString(text) {
		return nil, validation("The parameter cannot be converted to a numeric value: %s", text)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.TrimLeft(strings.Replace(strings.TrimLeft(mantissa, "+-"), ".", "", 1), "0")
	if digits == "" {
		return new(big.Rat), nil
	}
	if len(strings.TrimRight(digits, "0")) > maxDigits {
		return nil, validation("Attempting to store more than 38 significant digits in a Number")
	}
	e, err := strconv.Atoi(cmp.Or(exponent, "0"))
	whole, fraction, _ := strings.Cut(strings.TrimLeft(mantissa, "+-"), ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		e -= len(fraction) - len(strings.TrimLeft(fraction, "0"))
	}
	switch e += len(whole) - 1; {
	case e > maxExponent || err != nil && !strings.HasPrefix(exponent, "-"):
		return nil, validation("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case e < minExponent || err != nil:
		return nil, validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	n, _ := new(big.Rat).SetString(text)
	return n, nil
}

// numberText is how DynamoDB returns a number: without leading and trailing
// zeros.
func numberText(n *big.Rat) string {
	if n.IsInt() {
		return n.Num().String()
	}
	return strings.TrimRight(n.FloatString(maxDigits-minExponent), "0")
}

// stored is a copy of a value as DynamoDB keeps it, or what is wrong with it.
func stored(v ddb.AttributeValue, depth int) (ddb.AttributeValue, error) {
	if depth > maxNesting {
		return nil, validation("Nesting Levels have exceeded supported limits: Attributes should have no more than %d levels of nesting", maxNesting)
	}
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		return &ddb.AttributeValueMemberS{Value: v.Value}, nil
	case *ddb.AttributeValueMemberB:
		return &ddb.AttributeValueMemberB{Value: slices.Clone(v.Value)}, nil
	case *ddb.AttributeValueMemberBOOL:
		return &ddb.AttributeValueMemberBOOL{Value: v.Value}, nil
	case *ddb.AttributeValueMemberNULL:
		if !v.Value {
			return nil, validation("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return &ddb.AttributeValueMemberNULL{Value: true}, nil
	case *ddb.AttributeValueMemberN:
		n, err := number(v.Value)
		if err != nil {
			return nil, err
		}
		return &ddb.AttributeValueMemberN{Value: numberText(n)}, nil
	case *ddb.AttributeValueMemberSS, *ddb.AttributeValueMemberNS, *ddb.AttributeValueMemberBS:
		return storedSet(v)
	case *ddb.AttributeValueMemberL:
		list := make([]ddb.AttributeValue, len(v.Value))
		for n, e := range v.Value {
			var err error
			if list[n], err = stored(e, depth+1); err != nil {
				return nil, err
			}
		}
		return &ddb.AttributeValueMemberL{Value: list}, nil
	case *ddb.AttributeValueMemberM:
		m, err := storedItem(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		return &ddb.AttributeValueMemberM{Value: m}, nil
	}
	return nil, validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

func storedItem(of item, depth int) (item, error) {
	m := item{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		v, err := stored(of[name], depth)
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

// storedSet: sets are not empty, and hold nothing twice.
func storedSet(v ddb.AttributeValue) (ddb.AttributeValue, error) {
	kind, elements, err := setElements(v)
	if err != nil {
		return nil, err
	}
	if len(elements) == 0 {
		return nil, validation("One or more parameter values were invalid: An %s set  may not be empty", map[string]string{"SS": "string", "NS": "number", "BS": "binary"}[kind])
	}
	unique := slices.Compact(slices.Sorted(slices.Values(elements)))
	if len(unique) < len(elements) {
		return nil, validation("One or more parameter values were invalid: Input collection [%s] contains duplicates.", strings.Join(elements, ", "))
	}
	return setOf(kind, elements), nil
}

// setElements are the elements of a set as text, numbers in one form.
func setElements(v ddb.AttributeValue) (kind string, elements []string, err error) {
	switch v := v.(type) {
	case *ddb.AttributeValueMemberSS:
		return "SS", slices.Clone(v.Value), nil
	case *ddb.AttributeValueMemberNS:
		for _, text := range v.Value {
			n, err := number(text)
			if err != nil {
				return "NS", nil, err
			}
			elements = append(elements, numberText(n))
		}
		return "NS", elements, nil
	case *ddb.AttributeValueMemberBS:
		for _, b := range v.Value {
			elements = append(elements, string(b))
		}
		return "BS", elements, nil
	}
	return "", nil, nil
}

func setOf(kind string, elements []string) ddb.AttributeValue {
	switch kind {
	case "SS":
		return &ddb.AttributeValueMemberSS{Value: elements}
	case "NS":
		return &ddb.AttributeValueMemberNS{Value: elements}
	}
	var all [][]byte
	for _, e := range elements {
		all = append(all, []byte(e))
	}
	return &ddb.AttributeValueMemberBS{Value: all}
}

// kindOf is a value's type as expressions name it; "" for none.
func kindOf(v ddb.AttributeValue) string {
	switch v.(type) {
	case *ddb.AttributeValueMemberS:
		return "S"
	case *ddb.AttributeValueMemberN:
		return "N"
	case *ddb.AttributeValueMemberB:
		return "B"
	case *ddb.AttributeValueMemberBOOL:
		return "BOOL"
	case *ddb.AttributeValueMemberNULL:
		return "NULL"
	case *ddb.AttributeValueMemberL:
		return "L"
	case *ddb.AttributeValueMemberM:
		return "M"
	}
	kind, _, _ := setElements(v)
	return kind
}

// order compares two strings, numbers or binaries. ok is false for values of
// other types, or of two: between those there is no order.
func order(left, right ddb.AttributeValue) (order int, ok bool) {
	switch l := left.(type) {
	case *ddb.AttributeValueMemberS:
		if r, ok := right.(*ddb.AttributeValueMemberS); ok {
			return strings.Compare(l.Value, r.Value), true // of the UTF-8 bytes
		}
	case *ddb.AttributeValueMemberN:
		if r, ok := right.(*ddb.AttributeValueMemberN); ok {
			a, errA := number(l.Value)
			b, errB := number(r.Value)
			if errA == nil && errB == nil {
				return a.Cmp(b), true
			}
		}
	case *ddb.AttributeValueMemberB:
		if r, ok := right.(*ddb.AttributeValueMemberB); ok {
			return bytes.Compare(l.Value, r.Value), true
		}
	}
	return 0, false
}

// equal compares values of any type: sets whatever their order, lists and maps
// by their elements. Values of different types are unequal.
func equal(left, right ddb.AttributeValue) bool {
	if n, ok := order(left, right); ok {
		return n == 0
	}
	if left == nil || right == nil || kindOf(left) != kindOf(right) {
		return false
	}
	switch l := left.(type) {
	case *ddb.AttributeValueMemberBOOL:
		return l.Value == right.(*ddb.AttributeValueMemberBOOL).Value
	case *ddb.AttributeValueMemberNULL:
		return true
	case *ddb.AttributeValueMemberL:
		return slices.EqualFunc(l.Value, right.(*ddb.AttributeValueMemberL).Value, equal)
	case *ddb.AttributeValueMemberM:
		return equalItems(l.Value, right.(*ddb.AttributeValueMemberM).Value)
	}
	_, a, _ := setElements(left)
	_, b, _ := setElements(right)
	return len(a) > 0 && slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func equalItems(a, b item) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if !equal(v, b[name]) {
			return false
		}
	}
	return true
}

// itemBytes is the size of an item ("DynamoDB item sizes and formats").
func itemBytes(i item) int {
	var n int
	for name, v := range i {
		n += len(name) + valueBytes(v)
	}
	return n
}

func valueBytes(v ddb.AttributeValue) int {
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		return len(v.Value)
	case *ddb.AttributeValueMemberN:
		return numberBytes(v.Value)
	case *ddb.AttributeValueMemberB:
		return len(v.Value)
	case *ddb.AttributeValueMemberM:
		n := 3 + itemBytes(v.Value)
		return n + len(v.Value)
	case *ddb.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + valueBytes(e)
		}
		return n
	}
	kind, elements, _ := setElements(v)
	if kind == "" {
		return 1
	}
	var n int
	for _, e := range elements {
		if kind == "NS" {
			n += numberBytes(e)
		} else {
			n += len(e)
		}
	}
	return n
}

// numberBytes: "approximately 1 byte per two significant digits, plus 1 byte".
func numberBytes(text string) int {
	digits := strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(text), "0")
	return (len(digits)+1)/2 + 1
}
