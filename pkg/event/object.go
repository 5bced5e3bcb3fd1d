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
// and would read a message as often as it has envelopes. So the text is
// checked once by encoding/json, and this finds its way in what was checked.
type object struct {
	text    []byte
	at      *place
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
func readObject(text []byte, limit int, at *place, faults *faults) *object {
	switch {
	case len(text) > limit:
		faults.add(at, "has "+strconv.Itoa(len(text))+" bytes, more than the "+strconv.Itoa(limit)+" that AWS delivers")
		return nil
	case !utf8.Valid(text):
		// encoding/json would put U+FFFD in its place, and a name would
		// quietly become another one.
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
func newObject(text []byte, at *place, faults *faults) *object {
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
			o.fault(field, "is there more than once")
			return found
		}
		found = m.value
	}
	return found
}

// peek returns a string field, or "" where there is none or something else. It
// is for telling what an object is, before anything can be called wrong.
func (o *object) peek(field string) string {
	for _, m := range o.members {
		if m.value != nil && m.value[0] == '"' && equalFold(m.key, field) {
			return unquote(m.value)
		}
	}
	return ""
}

// optional returns a string field, or "" where there is none. The limit is in
// characters.
func (o *object) optional(field string, limit int) string {
	value := o.find(field)
	if value == nil {
		return ""
	}
	if value[0] != '"' {
		o.fault(field, mismatch(value, "a string"))
		return ""
	}
	text := unquote(value)
	if count := utf8.RuneCountInString(text); count > limit {
		o.fault(field, "has "+strconv.Itoa(count)+" characters, more than the "+strconv.Itoa(limit)+" allowed")
		return ""
	}
	return text
}

// name returns a string field that an event is nothing without.
func (o *object) name(field string, limit int) string {
	before := len(*o.faults)
	text := o.optional(field, limit)
	switch {
	case len(*o.faults) > before:
		return ""
	case text == "" && !o.has(field):
		o.fault(field, "is missing")
	case text == "":
		o.fault(field, "is empty")
	case strings.ContainsFunc(text, unfitForName):
		o.fault(field, "holds a character that no name has")
	}
	return text
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

// embedded returns a field that holds an object, either as one or as a string
// with the object's JSON in it, as CodeDeploy sends some. Where it holds plain
// words instead, it returns those. It returns nothing where there is no such
// field or it is empty.
func (o *object) embedded(field string) (*object, string) {
	value := o.find(field)
	if value == nil {
		return nil, ""
	}
	switch value[0] {
	case '{':
		return newObject(value, o.at.in(field), o.faults), ""
	case '"':
		text := strings.TrimSpace(unquote(value))
		if strings.HasPrefix(text, "{") {
			return readObject([]byte(text), MaxMessage, o.at.in(field), o.faults), ""
		}
		return nil, text
	}
	o.fault(field, mismatch(value, "an object"))
	return nil, ""
}

// prose returns a text for people, cut to a length that fits a notice.
func (o *object) prose(field string) string {
	return cut(o.optional(field, MaxMessage))
}

// cut shortens a text for people to [maxProse] characters.
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
