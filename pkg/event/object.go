package event

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a JSON object of which some fields are read, each by its name in
// any letter case, because the services do not agree on one.
//
// encoding/json would do that too, but would let the last of several fields of
// one name win, would put the field's contents into its errors for some types,
// and would read a message as often as it has envelopes. So encoding/json checks
// the text once, and this finds its way in what was checked.
type object struct {
	text    []byte
	at      *path
	members []member
	faults  *faults
}

// member is a field as it stands in the text.
type member struct {
	key   []byte // without its quotes
	value []byte // nil stands for null
}

// readObject reads a text that must be one JSON object. It returns nil, and
// adds a fault, if it is not.
func readObject(text []byte, limit int, at *path, faults *faults) *object {
	switch {
	case len(text) > limit:
		faults.add(at, "has "+strconv.Itoa(len(text))+" bytes, more than the "+strconv.Itoa(limit)+" that AWS delivers")
		return nil
	case !utf8.Valid(text):
		// encoding/json would replace it by U+FFFD, and a name would silently
		// become another one.
		faults.add(at, "is not UTF-8")
		return nil
	case !json.Valid(text):
		faults.add(at, syntaxFault(text))
		return nil
	}
	text = text[skipSpace(text, 0):]
	if text[0] != '{' {
		faults.add(at, mismatch(text, "an object"))
		return nil
	}
	return newObject(text, at, faults)
}

// newObject takes a text that is known to be a valid JSON object.
func newObject(text []byte, at *path, faults *faults) *object {
	return &object{text: text, at: at, members: membersOf(text), faults: faults}
}

// syntaxFault says what keeps a text from being JSON.
func syntaxFault(text []byte) string {
	var ignored json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(text, &ignored)
	switch {
	case len(text) == 0:
		return "is empty"
	case !errors.As(err, &syntax):
		return "is not JSON"
	case syntax.Offset >= int64(len(text)) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return "is not JSON: it is cut off after " + strconv.Itoa(len(text)) + " bytes"
	}
	return "is not JSON from byte " + strconv.FormatInt(syntax.Offset, 10) + " on"
}

// mismatch says that a value is of another type than wanted.
func mismatch(value []byte, want string) string {
	return "is " + kindOf(value) + ", not " + want
}

// kindOf names the type of a JSON value. No value is null.
func kindOf(value []byte) string {
	if len(value) == 0 {
		return "null"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// fault adds a fault at one of the object's fields.
func (o *object) fault(field, reason string) { o.faults.add(o.at.in(field), reason) }

// has reports whether there is such a field, other than null.
func (o *object) has(field string) bool {
	for _, m := range o.members {
		if m.value != nil && equalFold(m.key, field) {
			return true
		}
	}
	return false
}

// find returns the value of a field, or nil where there is none or null. A
// field that is there twice is a fault: one cannot know which was meant.
func (o *object) find(field string) []byte {
	var found []byte
	for _, m := range o.members {
		if m.value == nil || !equalFold(m.key, field) {
			continue
		}
		if found != nil {
			o.fault(field, "appears more than once")
			return found
		}
		found = m.value
	}
	return found
}

// peek returns a string field, or "" where there is none or something else. It
// is for finding out what an object is.
func (o *object) peek(field string) string {
	for _, m := range o.members {
		if m.value != nil && m.value[0] == '"' && equalFold(m.key, field) {
			return unquote(m.value)
		}
	}
	return ""
}

// optional returns a string field that an event can do without. One that is
// damaged counts as absent. The limit is in characters.
func (o *object) optional(field string, limit int) string {
	value := o.only(field)
	if kindOf(value) != "a string" {
		return ""
	}
	text := unquote(value)
	if unfit(text, limit) != "" {
		return ""
	}
	return text
}

// only returns the value of a field, or nil where there is none, or null, or more
// than one.
func (o *object) only(field string) []byte {
	var ignored faults
	lenient := *o
	lenient.faults = &ignored
	value := lenient.find(field)
	if len(ignored) > 0 {
		return nil
	}
	return value
}

// name returns a string field that an event is nothing without.
func (o *object) name(field string, limit int) string {
	value := o.find(field)
	switch {
	case value == nil:
		o.fault(field, "is missing")
	case value[0] != '"':
		o.fault(field, mismatch(value, "a string"))
	default:
		text := unquote(value)
		reason := unfit(text, limit)
		if reason == "" {
			return text
		}
		o.fault(field, reason)
	}
	return ""
}

// unfit says why a text cannot be a name, or is empty.
func unfit(text string, limit int) string {
	count := utf8.RuneCountInString(text)
	switch {
	case text == "":
		return "is empty"
	case count > limit:
		return "has " + strconv.Itoa(count) + " characters, more than the " + strconv.Itoa(limit) + " allowed"
	case strings.ContainsFunc(text, unfitForName):
		return "holds a character that no name has"
	}
	return ""
}

// unfitForName reports the characters that no name has. Of the control
// characters Auto Scaling allows three, as does XML; U+FFFD is what
// encoding/json makes of half a surrogate pair.
func unfitForName(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	}
	return r < ' ' || r == 0x7f || r == utf8.RuneError
}

// object returns a field that holds an object and is needed, or nil after a
// fault.
func (o *object) object(field string) *object {
	value := o.find(field)
	switch {
	case value == nil:
		o.fault(field, "is missing")
		return nil
	case value[0] != '{':
		o.fault(field, mismatch(value, "an object"))
		return nil
	}
	return newObject(value, o.at.in(field), o.faults)
}

// array returns the elements of a field that is there and holds an array, or
// nil after a fault.
func (o *object) array(field string) [][]byte {
	value := o.find(field)
	if kindOf(value) != "an array" {
		o.fault(field, mismatch(value, "an array"))
		return nil
	}
	return elementsOf(value)
}

// objects returns those elements of a field that are objects; none where the field
// is no array. It is for lists that an event can do without.
func (o *object) objects(field string) (all []*object) {
	value := o.only(field)
	if kindOf(value) != "an array" {
		return nil
	}
	for _, element := range elementsOf(value) {
		if element[0] == '{' {
			all = append(all, newObject(element, nil, o.faults))
		}
	}
	return all
}

// cut shortens a text for operators to [maxProse] characters.
func cut(text string) string { return cutTo(text, maxProse) }

// cutTo shortens a text to a number of characters and a sign that it was
// longer.
func cutTo(text string, limit int) string {
	count := 0
	for i := range text {
		if count == limit {
			return text[:i] + "…"
		}
		count++
	}
	return text
}
