package wire_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"time"

	"deployhooks/test/region/wire"
)

// filler fills the SDK's inputs and outputs with random values.
type filler struct {
	*rand.Rand
	// density is the share of optional members that are set.
	density float64
	unions  []any
	// bare leaves out what awsQuery cannot carry: empty structures and maps.
	bare bool
	// inside counts the types that are being filled, to end recursion.
	inside map[reflect.Type]int
}

// deepestRecursion is how often a type may be inside itself, as an attribute
// value of DynamoDB is.
const deepestRecursion = 2

func newFiller(seed uint64, service wire.Service, density float64) *filler {
	return &filler{Rand: rand.New(rand.NewPCG(seed, 0)), density: density, unions: service.Unions, bare: service.Protocol == wire.Query, inside: map[reflect.Type]int{}}
}

// fill sets v, and panics on a type that cannot be on the wire, or on a union
// of which the service does not list the members.
func (f *filler) fill(v reflect.Value) {
	f.inside[v.Type()]++
	defer func() { f.inside[v.Type()]-- }()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		// From 1970 to 2106, with the milliseconds that the wire carries.
		v.Set(reflect.ValueOf(time.UnixMilli(f.Int64N(math.MaxUint32 * 1000)).UTC()))
		return
	case v.Type() == reflect.TypeFor[[]byte]():
		b := make([]byte, f.IntN(20))
		for i := range b {
			b[i] = byte(f.IntN(256))
		}
		v.SetBytes(b)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		f.fillStruct(v)
	case reflect.Slice:
		n := f.length()
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		n := f.length()
		if f.bare {
			n = max(n, 1)
		}
		for range n {
			key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString("k" + f.text())
			f.fill(element)
			v.SetMapIndex(key, element)
		}
	case reflect.Interface:
		f.fillUnion(v)
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 1)
	case reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(f.Int64N(1<<(v.Type().Bits()-1)-1) - 1<<(v.Type().Bits()-2))
	case reflect.Float64:
		v.SetFloat(f.NormFloat64() * math.Pow10(f.IntN(12)-6))
	case reflect.Float32:
		v.SetFloat(float64(float32(f.NormFloat64())))
	default:
		panic(fmt.Sprintf("a %s cannot be on the wire", v.Type()))
	}
}

func (f *filler) fillStruct(v reflect.Value) {
	var members []reflect.Value
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.IsExported() && field.Name != "ResultMetadata" && field.Name != "ErrorCodeOverride" {
			members = append(members, v.Field(i))
		}
	}
	for _, member := range members {
		if !isOptional(member) || f.Float64() < f.density && f.inside[v.Type()] <= deepestRecursion {
			f.fill(member)
		}
	}
	if f.bare && v.IsZero() && len(members) > 0 {
		f.fill(members[0])
	}
}

func isOptional(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// fillUnion sets a union to one of its members, the plain ones where it would
// nest too deep.
func (f *filler) fillUnion(v reflect.Value) {
	var members []reflect.Type
	for _, member := range f.unions {
		t := reflect.TypeOf(member)
		value, _ := t.Elem().FieldByName("Value")
		plain := value.Type.Kind() == reflect.String || value.Type.Kind() == reflect.Struct
		if t.Implements(v.Type()) && (plain || f.inside[v.Type()] <= deepestRecursion) {
			members = append(members, t)
		}
	}
	if len(members) == 0 {
		panic(fmt.Sprintf("the members of the union %s are not listed in the service", v.Type()))
	}
	member := reflect.New(members[f.IntN(len(members))].Elem())
	f.fill(member.Elem().FieldByName("Value"))
	v.Set(member)
}

// length is that of a list or a map: short, now and then empty, and rarely past
// nine so that the order of numbers is not that of strings.
func (f *filler) length() int {
	switch n := f.IntN(40); {
	case n < 2 && f.density < 1:
		return 0
	case n == 2 && len(f.inside) < 12:
		return 12
	default:
		return 1 + n%2
	}
}

// text is a string with what the formats have to escape in it.
func (f *filler) text() string {
	awkward := []string{"<", "&", ">", `"`, "'", "%41", "+", "=", ";", ".", " ", "\n", "\t", `\`, "é", "日本", "😀", "member", "0"}
	s := strconv.Itoa(f.IntN(1000))
	for range f.IntN(4) {
		s += awkward[f.IntN(len(awkward))] + strconv.Itoa(f.IntN(10))
	}
	return s
}
