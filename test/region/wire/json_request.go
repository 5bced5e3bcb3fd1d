package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// jsonCodec speaks awsJson1_0 and awsJson1_1: requests here, responses in
// json_response.go.
type jsonCodec struct {
	protocol Protocol
	shapes
	queryCodes map[string]string
}

func (c jsonCodec) contentType() string {
	if c.protocol == JSON10 {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}

func (c jsonCodec) decode(req *request, input any) error {
	if len(bytes.TrimSpace(req.body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(req.body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body goes on after its JSON object")
	}
	return c.set(reflect.ValueOf(input).Elem(), document)
}

// set fills v from a JSON document. Members that v lacks are refused: AWS ignores
// most of them, but here they are a mistake, or newer than the pinned SDK.
func (c jsonCodec) set(v reflect.Value, document any) error {
	if document == nil {
		return nil
	}
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return c.set(v.Elem(), document)
	case isTime(v.Type()):
		return setEpoch(v, document)
	}
	switch document := document.(type) {
	case map[string]any:
		return c.setObject(v, document)
	case []any:
		return c.setList(v, document)
	case string:
		return setString(v, document)
	case json.Number:
		if !v.CanInt() && !v.CanFloat() {
			return mismatch(v, document)
		}
		return parse(v, document.String())
	case bool:
		if v.Kind() != reflect.Bool {
			return mismatch(v, document)
		}
		v.SetBool(document)
	}
	return nil
}

func (c jsonCodec) setObject(v reflect.Value, object map[string]any) error {
	switch v.Kind() {
	case reflect.Struct:
		known := make(map[string]bool, v.NumField())
		for name, field := range c.fields(v) {
			known[name] = true
			if err := c.set(field, object[name]); err != nil {
				return within(name, err)
			}
		}
		return refuseUnknown(slices.Collect(maps.Keys(object)), known)
	case reflect.Map:
		v.Set(reflect.MakeMapWithSize(v.Type(), len(object)))
		for key, document := range object {
			element := reflect.New(v.Type().Elem()).Elem()
			if err := c.set(element, document); err != nil {
				return within(key, err)
			}
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
		}
		return nil
	case reflect.Interface:
		return c.setUnion(v, object)
	}
	return mismatch(v, object)
}

func (c jsonCodec) setList(v reflect.Value, list []any) error {
	if v.Kind() != reflect.Slice || isBlob(v.Type()) {
		return mismatch(v, list)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, document := range list {
		if err := c.set(v.Index(i), document); err != nil {
			return within(strconv.Itoa(i), err)
		}
	}
	return nil
}

func (c jsonCodec) setUnion(v reflect.Value, object map[string]any) error {
	for name, document := range object {
		if document == nil {
			continue
		}
		if v.IsValid() && !v.IsNil() {
			return fmt.Errorf("more than one member of the union %s is set", v.Type().Name())
		}
		member, value, err := c.memberNamed(v.Type(), name)
		if err != nil {
			return err
		}
		if err := c.set(value, document); err != nil {
			return within(name, err)
		}
		v.Set(member)
	}
	return nil
}

func setString(v reflect.Value, s string) error {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(s)
		return nil
	case isBlob(v.Type()):
		return setBlob(v, s)
	case v.CanFloat() && (s == "NaN" || s == "Infinity" || s == "-Infinity"):
		return parse(v, s)
	}
	return mismatch(v, s)
}

func setEpoch(v reflect.Value, document any) error {
	number, ok := document.(json.Number)
	if !ok {
		return mismatch(v, document)
	}
	seconds, err := number.Float64()
	if err != nil {
		return fmt.Errorf("%s is no time in seconds since 1970", number)
	}
	// Rounded, because the milliseconds are not exact in a floating-point
	// number, and cutting them off, as the SDK does, loses one now and then.
	v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()))
	return nil
}

func mismatch(v reflect.Value, document any) error {
	return fmt.Errorf("%s found where %s belongs", kindOfJSON(document), kindOfGo(v.Type()))
}

func kindOfJSON(document any) string {
	switch document.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	}
	return "a boolean"
}

func kindOfGo(t reflect.Type) string {
	switch {
	case isTime(t):
		return "a number of seconds since 1970"
	case isBlob(t):
		return "a base64 string"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map, t.Kind() == reflect.Interface:
		return "an object"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	}
	return "a number"
}

// refuseUnknown says which of the members that a caller has sent is not known.
func refuseUnknown(sent []string, known map[string]bool) error {
	slices.Sort(sent)
	for _, name := range sent {
		if !known[name] {
			return fmt.Errorf("%s: there is no such member in the API that is served here", name)
		}
	}
	return nil
}

// within adds a step to the path at which a request's document is wrong.
func within(step string, err error) error { return fmt.Errorf("%s: %w", step, err) }
