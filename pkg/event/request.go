package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Decode stores the request in the value that v points to, by the rules of
// encoding/json but strictly: a field that v does not have, or that is there
// twice in any letter case, is a fault, because a request half understood is
// worse than one refused. The field "action" has to be among v's.
//
// What is wrong with the request comes as a [*MalformedError] that names the
// field; what is wrong with v comes as encoding/json says it.
func (r Request) Decode(v any) error { return decode(r.Body, v) }

// Decode stores the continuation's body in the value that v points to, by the same
// rules as [Request.Decode].
func (c Continuation) Decode(v any) error { return decode(c.Body, v) }

func decode(text json.RawMessage, v any) error {
	var faults faults
	body := readObject(text, MaxMessage, nil, &faults)
	if body == nil {
		return faults.err()
	}
	findTwins(body.text, nil, 0, &faults)
	if err := faults.err(); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decodeFault(decoder.Decode(v))
}

// decodeFault turns an error of encoding/json into one that says the same
// without quoting the request.
func decodeFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	var wrongTarget *json.InvalidUnmarshalError
	var faults faults
	switch {
	case err == nil, errors.As(err, &wrongTarget):
		return err
	case errors.As(err, &wrongType):
		kind, _, _ := strings.Cut(wrongType.Value, " ") // "number 1.5" would quote it
		faults.add(fieldPath(wrongType.Field), "is of type "+kind+", which does not fit "+wrongType.Type.String())
	case strings.HasPrefix(err.Error(), unknownField):
		name := strings.Trim(strings.TrimPrefix(err.Error(), unknownField), `"`)
		faults.add(fieldPath(name), "is not a field of this request")
	default:
		faults.add(nil, "does not fit what the action takes")
	}
	return faults.err()
}

// unknownField is how encoding/json begins an error that it has no type for.
const unknownField = "json: unknown field "

// fieldPath is the path of a field that the request named, in a length that fits a
// log.
func fieldPath(name string) *path {
	if name == "" {
		return nil
	}
	var root *path
	return root.in(cutTo(name, maxWord))
}

// findTwins adds a fault for every field that is there twice, at any depth up
// to [maxNesting]. Deeper is a fault too.
func findTwins(text []byte, at *path, depth int, faults *faults) {
	if depth > maxNesting {
		faults.add(at, "is nested more than "+strconv.Itoa(maxNesting)+" deep")
		return
	}
	switch text[0] {
	case '{':
		seen := make(map[string]bool)
		for _, m := range membersOf(text) {
			name := string(m.key)
			here := at.in(cutTo(name, maxWord))
			if folded := fold(name); seen[folded] {
				faults.add(here, "appears more than once")
			} else {
				seen[folded] = true
			}
			if len(m.value) > 0 {
				findTwins(m.value, here, depth+1, faults)
			}
		}
	case '[':
		for i, element := range elementsOf(text) {
			findTwins(element, at.at(i), depth+1, faults)
		}
	}
}

// fold brings letter cases together as encoding/json does: by way of the upper
// case, so that the long s and the Kelvin sign fall in with s and k.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }
