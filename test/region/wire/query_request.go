package wire

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxParameterDepth bounds how deep a parameter's name nests. The deepest of
// the APIs here has fewer than half as many steps.
const maxParameterDepth = 32

// parameter is a node of the tree that the dotted names of a form spell, for
// example Tags.member.1.Key=team.
type parameter struct {
	text     string
	children map[string]*parameter
}

func parameters(form url.Values) (*parameter, error) {
	root := &parameter{}
	for name, values := range form {
		if isCommonParameter(name) {
			continue
		}
		steps := strings.Split(name, ".")
		if len(steps) > maxParameterDepth {
			return nil, fmt.Errorf("a parameter's name nests deeper than %d", maxParameterDepth)
		}
		at := root
		for _, step := range steps {
			if at.children == nil {
				at.children = map[string]*parameter{}
			}
			if at.children[step] == nil {
				at.children[step] = &parameter{}
			}
			at = at.children[step]
		}
		at.text = values[0]
	}
	return root, nil
}

// isCommonParameter reports whether a parameter says how to take a request
// instead of being part of the input.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
func isCommonParameter(name string) bool {
	return name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-")
}

// elements returns the elements of a list or map in order. Their step is
// "member" mostly and "entry" for maps, but some lists name it differently and
// flattened ones leave it out; since the Go type says that a list it is, any
// name will do. A list that is there and empty is a parameter without a value.
func (p *parameter) elements() ([]*parameter, error) {
	steps := slices.Collect(maps.Keys(p.children))
	if len(steps) == 1 {
		if _, err := strconv.Atoi(steps[0]); err != nil {
			return p.children[steps[0]].elements()
		}
	}
	at := make(map[string]int, len(steps))
	for _, step := range steps {
		i, err := strconv.Atoi(step)
		if err != nil || i < 1 {
			return nil, fmt.Errorf("%q is no number of a list's element", step)
		}
		at[step] = i
	}
	slices.SortFunc(steps, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	elements := make([]*parameter, len(steps))
	for i, step := range steps {
		elements[i] = p.children[step]
	}
	return elements, nil
}

// keyAndValue splits an entry of a map, whose two parts are key and value or
// Name and Value.
func (p *parameter) keyAndValue() (key, value *parameter, err error) {
	for step, child := range p.children {
		switch strings.ToLower(step) {
		case "key", "name":
			key = child
		case "value":
			value = child
		}
	}
	if key == nil {
		return nil, nil, fmt.Errorf("an entry has no key")
	}
	if value == nil {
		value = &parameter{}
	}
	return key, value, nil
}

func (c queryCodec) decode(req *request, input any) error {
	root, err := parameters(req.form)
	if err != nil {
		return err
	}
	return c.set(reflect.ValueOf(input).Elem(), root)
}

// set fills v from a parameter. Parameters that v lacks are refused, as in JSON.
func (c queryCodec) set(v reflect.Value, p *parameter) error {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return c.set(v.Elem(), p)
	case isTime(v.Type()):
		return parseDateTime(v, p.text)
	case isBlob(v.Type()):
		return setBlob(v, p.text)
	}
	switch v.Kind() {
	case reflect.Struct:
		return c.setStruct(v, p)
	case reflect.Slice:
		return c.setList(v, p)
	case reflect.Map:
		return c.setMap(v, p)
	}
	if len(p.children) > 0 {
		return fmt.Errorf("a structure found where %s belongs", kindOfGo(v.Type()))
	}
	return parse(v, p.text)
}

func (c queryCodec) setStruct(v reflect.Value, p *parameter) error {
	known := make(map[string]bool, v.NumField())
	for name, field := range c.fields(v) {
		known[name] = true
		child, ok := p.children[name]
		if !ok {
			continue
		}
		if err := c.set(field, child); err != nil {
			return within(name, err)
		}
	}
	return refuseUnknown(slices.Collect(maps.Keys(p.children)), known)
}

func (c queryCodec) setList(v reflect.Value, p *parameter) error {
	elements, err := p.elements()
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
	for i, element := range elements {
		if err := c.set(v.Index(i), element); err != nil {
			return within(strconv.Itoa(i+1), err)
		}
	}
	return nil
}

func (c queryCodec) setMap(v reflect.Value, p *parameter) error {
	entries, err := p.elements()
	if err != nil {
		return err
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(entries)))
	for i, entry := range entries {
		key, value, err := entry.keyAndValue()
		if err != nil {
			return within(strconv.Itoa(i+1), err)
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := c.set(element, value); err != nil {
			return within(key.text, err)
		}
		v.SetMapIndex(reflect.ValueOf(key.text).Convert(v.Type().Key()), element)
	}
	return nil
}
