package wire

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// queryCodec speaks awsQuery: forms in (query_request.go), XML out.
type queryCodec struct {
	namespace string
	shapes
}

func (queryCodec) contentType() string { return "text/xml" }

func (c queryCodec) output(operation, requestID string, output any) ([]byte, error) {
	var e xmlEncoder
	e.shapes = c.shapes
	e.open(operation+"Response", c.namespace)
	e.open(operation+"Result", "")
	if err := e.members(reflect.ValueOf(output).Elem()); err != nil {
		return nil, err
	}
	e.shut(operation + "Result")
	e.open("ResponseMetadata", "")
	e.text("RequestId", requestID)
	e.shut("ResponseMetadata")
	e.shut(operation + "Response")
	return e.Bytes(), nil
}

func (c queryCodec) fault(f fault, requestID string, _ http.Header) []byte {
	var e xmlEncoder
	e.shapes = c.shapes
	e.open("ErrorResponse", c.namespace)
	e.open("Error", "")
	e.text("Type", f.side())
	e.text("Code", f.code)
	e.text("Message", f.message)
	if f.members.IsValid() {
		for name, member := range e.fields(f.members) {
			if name != "Message" && !isAbsent(member) {
				// What cannot be written is left out: the error counts more.
				_ = e.element(name, member)
			}
		}
	}
	e.shut("Error")
	e.text("RequestId", requestID)
	e.shut("ErrorResponse")
	return e.Bytes()
}

// xmlEncoder writes elements by hand, because the names of elements are not
// those of Go's fields and lists have an element around them.
type xmlEncoder struct {
	bytes.Buffer
	shapes
}

func (e *xmlEncoder) open(name, namespace string) {
	e.WriteString("<" + name)
	if namespace != "" {
		e.WriteString(` xmlns="` + namespace + `"`)
	}
	e.WriteByte('>')
}

func (e *xmlEncoder) shut(name string) { e.WriteString("</" + name + ">") }

func (e *xmlEncoder) text(name, text string) {
	e.open(name, "")
	_ = xml.EscapeText(e, []byte(text)) // a buffer takes everything
	e.shut(name)
}

func (e *xmlEncoder) members(v reflect.Value) error {
	for name, field := range e.fields(v) {
		// A list that is not set is an empty element, as in the answers of
		// the services that speak awsQuery; the AWS CLI then shows [].
		if isAbsent(field) && !isList(field) {
			continue
		}
		write := func() error { return e.element(name, field) }
		if item := e.renamed[v.Type().Name()+"."+name+"[]"]; item != "" {
			write = func() error { return e.around(name, func() error { return e.list(field, item) }) }
		}
		if err := write(); err != nil {
			return within(name, err)
		}
	}
	return nil
}

func (e *xmlEncoder) element(name string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		return e.element(name, v.Elem())
	}
	switch {
	case isTime(v.Type()):
		e.text(name, dateTime(v))
		return nil
	case isBlob(v.Type()):
		e.text(name, blobText(v))
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return e.around(name, func() error { return e.members(v) })
	case reflect.Slice:
		return e.around(name, func() error { return e.list(v, e.item(v.Type())) })
	case reflect.Map:
		return e.around(name, func() error { return e.entries(v) })
	}
	text, err := format(v)
	if err != nil {
		return err
	}
	e.text(name, text)
	return nil
}

func (e *xmlEncoder) around(name string, inside func() error) error {
	e.open(name, "")
	err := inside()
	e.shut(name)
	return err
}

func isList(v reflect.Value) bool { return v.Kind() == reflect.Slice && !isBlob(v.Type()) }

func (e *xmlEncoder) list(v reflect.Value, item string) error {
	for i := range v.Len() {
		if err := e.element(item, v.Index(i)); err != nil {
			return within(strconv.Itoa(i), err)
		}
	}
	return nil
}

func (e *xmlEncoder) entries(v reflect.Value) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		err := e.around("entry", func() error {
			e.text("key", key.String())
			return e.element("value", v.MapIndex(key))
		})
		if err != nil {
			return within(key.String(), err)
		}
	}
	return nil
}
