package wire

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	smithytime "github.com/aws/smithy-go/time"
)

// shapes knows how the members of Go types are called on the wire.
type shapes struct {
	lowerCamel bool
	renamed    map[string]string
	members    []reflect.Type // the member types of all unions
	items      string         // what elements of lists are called in XML; "member" unless set
}

// fields yields the fields of a struct that are on the wire, with their names
// there. What the SDK adds for itself is left out.
func (s shapes) fields(v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		t := v.Type()
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() || f.Name == "ResultMetadata" || f.Name == "ErrorCodeOverride" {
				continue
			}
			if !yield(s.name(t, f.Name), v.Field(i)) {
				return
			}
		}
	}
}

func (s shapes) name(t reflect.Type, field string) string {
	if name, ok := s.renamed[t.Name()+"."+field]; ok {
		return name
	}
	// The SDK adds an underscore to a name that is also a method's.
	field = strings.TrimSuffix(field, "_")
	if !s.lowerCamel {
		return field
	}
	first, size := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(first)) + field[size:]
}

// item is the name of the elements of a list in XML.
func (s shapes) item(list reflect.Type) string {
	return cmp.Or(s.renamed["[]"+list.Elem().Name()], s.items, "member")
}

// A union is an interface U in Go; its member m is a struct UMemberM with one
// field Value. On the wire it is a structure of which one member is set.

// memberNamed returns a new member of a union, and its value to fill.
func (s shapes) memberNamed(union reflect.Type, name string) (member, value reflect.Value, err error) {
	for _, t := range s.members {
		if s.memberName(union, t) == name && reflect.PointerTo(t).Implements(union) {
			member = reflect.New(t)
			return member, member.Elem().FieldByName("Value"), nil
		}
	}
	return member, value, fmt.Errorf("%q is no member of the union %s", name, union.Name())
}

// memberOf returns the name of the member that a union value is, and its value.
func (s shapes) memberOf(union reflect.Value) (name string, value reflect.Value, err error) {
	member := union.Elem()
	if member.Kind() == reflect.Pointer && !member.IsNil() {
		if value = member.Elem().FieldByName("Value"); value.IsValid() {
			return s.memberName(union.Type(), member.Elem().Type()), value, nil
		}
	}
	return "", value, fmt.Errorf("%s is no member of the union %s", member.Type(), union.Type().Name())
}

func (s shapes) memberName(union, member reflect.Type) string {
	return s.name(member, strings.TrimPrefix(member.Name(), union.Name()+"Member"))
}

// parse sets a scalar from its text: a parameter of a form or a JSON number.
func parse(v reflect.Value, text string) error {
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
	default:
		return fmt.Errorf("no text can be a %s", v.Type())
	}
	if err != nil {
		return fmt.Errorf("%q is not a %s", text, v.Kind())
	}
	return nil
}

// format writes a scalar as text.
func format(v reflect.Value) (string, error) {
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), nil
	case reflect.Float32, reflect.Float64:
		return formatFloat(v.Float(), v.Type().Bits()), nil
	}
	return "", fmt.Errorf("a %s has no form on the wire", v.Type())
}

// formatFloat writes a number; those that JSON lacks have names.
func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func isTime(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }

func isBlob(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func setBlob(v reflect.Value, text string) error {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("not base64: %w", err)
	}
	v.SetBytes(b)
	return nil
}

func blobText(v reflect.Value) string { return base64.StdEncoding.EncodeToString(v.Bytes()) }

// isAbsent tells a member that is not on the wire: unset, or an enumeration's
// empty value. Numbers and booleans that are not pointers have a default, and
// AWS sends it.
func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}

// dateTime is the format of timestamps in awsQuery; the JSON protocols use
// seconds since the epoch. Both carry milliseconds.
func dateTime(v reflect.Value) string {
	return smithytime.FormatDateTime(v.Interface().(time.Time))
}

func parseDateTime(v reflect.Value, text string) error {
	t, err := smithytime.ParseDateTime(text)
	if err != nil {
		return fmt.Errorf("%q is no time such as 2022-10-13T15:50:45Z", text)
	}
	v.Set(reflect.ValueOf(t))
	return nil
}
