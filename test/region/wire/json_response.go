package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"

	smithytime "github.com/aws/smithy-go/time"
)

func (c jsonCodec) output(_, _ string, output any) ([]byte, error) {
	document, err := c.document(reflect.ValueOf(output).Elem())
	if err != nil {
		return nil, err
	}
	return marshal(document)
}

// document turns a value into what [json.Marshal] writes as AWS would.
func (c jsonCodec) document(v reflect.Value) (any, error) {
	switch {
	case isTime(v.Type()):
		return json.Number(strconv.FormatFloat(smithytime.FormatEpochSeconds(v.Interface().(time.Time)), 'f', -1, 64)), nil
	case isBlob(v.Type()):
		return blobText(v), nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return c.document(v.Elem())
	case reflect.Struct:
		return c.object(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			var err error
			if list[i], err = c.document(v.Index(i)); err != nil {
				return nil, within(strconv.Itoa(i), err)
			}
		}
		return list, nil
	case reflect.Map:
		object := make(map[string]any, v.Len())
		for key, element := range v.Seq2() {
			var err error
			if object[key.String()], err = c.document(element); err != nil {
				return nil, within(key.String(), err)
			}
		}
		return object, nil
	case reflect.Interface:
		return c.union(v)
	}
	return scalar(v)
}

func (c jsonCodec) object(v reflect.Value) (any, error) {
	object := map[string]any{}
	for name, field := range c.fields(v) {
		// A list that is not set is an empty one in the answers of the services
		// that speak JSON 1.1 (the examples of their API references and of the
		// CLI's); DynamoDB and SQS leave it out.
		if isAbsent(field) && (c.protocol != JSON11 || !isList(field)) {
			continue
		}
		document, err := c.document(field)
		if err != nil {
			return nil, within(name, err)
		}
		object[name] = document
	}
	return object, nil
}

func (c jsonCodec) union(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	name, value, err := c.memberOf(v)
	if err != nil {
		return nil, err
	}
	document, err := c.document(value)
	if err != nil {
		return nil, within(name, err)
	}
	return map[string]any{name: document}, nil
}

func scalar(v reflect.Value) (any, error) {
	text, err := format(v)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case reflect.String:
		return text, nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return text, nil
		}
	}
	return json.Number(text), nil
}

// fault writes an error. Clients differ in whether they read "message" or
// "Message", and services in what they send, so both are there.
func (c jsonCodec) fault(f fault, _ string, header http.Header) []byte {
	object := map[string]any{}
	if f.members.IsValid() {
		// The error itself is what is being told, so a member that cannot be
		// written is left out.
		if document, err := c.document(f.members); err == nil {
			object = document.(map[string]any)
		}
	}
	object["__type"] = f.name()
	object["message"], object["Message"] = f.message, f.message
	if code := c.queryCode(f); code != "" {
		header.Set("X-Amzn-Query-Error", code+";"+f.side())
	}
	body, err := marshal(object)
	if err != nil {
		return []byte(`{"__type":"InternalFailure"}`)
	}
	return body
}

// queryCode is the code that clients of a service which once spoke awsQuery
// report instead of the error's name.
func (c jsonCodec) queryCode(f fault) string {
	if c.queryCodes == nil {
		return ""
	}
	if code, ok := c.queryCodes[f.name()]; ok {
		return code
	}
	return f.code
}

// marshal is json.Marshal without escaping what only HTML cares for.
func marshal(document any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(document)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
