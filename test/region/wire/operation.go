package wire

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// operation is one method of a client.
type operation struct {
	name   string
	method reflect.Value
	input  reflect.Type // the struct, not its pointer
}

// newInput returns a pointer to an empty input.
func (o operation) newInput() any { return reflect.New(o.input).Interface() }

// call calls the method. The output is a pointer to a struct, never nil when
// the error is.
func (o operation) call(ctx context.Context, input any) (any, error) {
	results := o.method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(input)})
	if err, _ := results[1].Interface().(error); err != nil {
		return nil, err
	}
	if results[0].IsNil() {
		return reflect.New(results[0].Type().Elem()).Interface(), nil
	}
	return results[0].Interface(), nil
}

// operations lists the client's methods that are operations, by name.
func (s Service) operations() map[string]operation {
	client := reflect.ValueOf(s.Client)
	found := map[string]operation{}
	for i := range client.NumMethod() {
		name := client.Type().Method(i).Name
		if method := client.Method(i); isOperation(name, method.Type()) {
			found[name] = operation{name: name, method: method, input: method.Type().In(1).Elem()}
		}
	}
	if len(found) == 0 {
		panic(fmt.Sprintf("wire: no method of %T (%s) looks like an operation of an SDK client", s.Client, s.ID))
	}
	return found
}

// Operations are the names of the operations that the client serves, sorted.
func (s Service) Operations() []string { return slices.Sorted(maps.Keys(s.operations())) }

// isOperation reports whether a method is
//
//	X(context.Context, *XInput, ...func(*Options)) (*XOutput, error)
func isOperation(name string, t reflect.Type) bool {
	return t.IsVariadic() && t.NumIn() == 3 && t.NumOut() == 2 &&
		t.In(0) == reflect.TypeFor[context.Context]() &&
		isPointerToStruct(t.In(1)) && t.In(1).Elem().Name() == name+"Input" &&
		isPointerToStruct(t.Out(0)) && t.Out(0).Elem().Name() == name+"Output" &&
		t.Out(1) == reflect.TypeFor[error]()
}

func isPointerToStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}
