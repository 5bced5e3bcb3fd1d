package source

import (
	"reflect"
	"strings"
)

// jsonType is the type of JSON that decodes into a type of a parameter.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	}
	return "integer"
}

// typeName is a type for people.
func typeName(kind, items string) string {
	if items == "" {
		return kind
	}
	return kind + " of " + items
}

// literals leaves out the references that only have a value later and do not fit the type now.
func literals(v any, t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	object, isObject := v.(map[string]any)
	if _, isText := v.(string); isText && t.Kind() != reflect.String || !isObject {
		if isText && t.Kind() != reflect.String {
			return nil
		}
		return v
	}
	kept := map[string]any{}
	for name, item := range object {
		kept[name] = literals(item, member(t, name))
	}
	return kept
}

// member is the type of a field of a struct or a value of a map.
func member(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	for f := range t.Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type
		}
	}
	return reflect.TypeFor[any]()
}
