package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// redacted stands for what is removed as a whole.
const redacted = "REDACTED"

// redactor removes from JSON what may not leave an account. The same account or address is
// replaced by the same other one in everything that one redactor reads.
type redactor struct {
	accounts, addresses map[string]string // replacements
	words               *regexp.Regexp    // nil for none
}

func newRedactor(words []string) *redactor {
	r := &redactor{accounts: map[string]string{}, addresses: map[string]string{}}
	if len(words) > 0 {
		for i, w := range words {
			words[i] = regexp.QuoteMeta(w)
		}
		r.words = regexp.MustCompile("(?i)" + strings.Join(words, "|"))
	}
	return r
}

var (
	// secretKey are fields whose text is removed. An UUID stays: it is the token of a
	// lifecycle action or of a repeated call, which opens nothing by itself.
	secretKey = regexp.MustCompile(`(?i)(token|secret|passw|credential|signature|authorization|userdata|privatekey|certificatebody)`)
	uuid      = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// personKey are fields that name people, or that people write.
	personKey = regexp.MustCompile(`(?i)^(user_?names?|key_?name|principal_?id|created_?by|requested_?by|owner|description|.*e_?mail.*)$`)
	// identityKey are the fields of an identity that name nobody.
	identityKey = regexp.MustCompile(`^(type|invokedBy)$`)
	// parameterKey are the parameters of a call that are identifiers, states or bounds. All
	// others may hold anything.
	parameterKey = regexp.MustCompile(`(?i)(names?|ids?|arns?|identifiers?|states?|status|type|result|transition|policy|zones?|action|source)$`)
)

// place is where in a document a value is.
type place struct {
	key        string
	identity   bool // below userIdentity
	parameters bool // below requestParameters or responseElements
}

func (p place) field(key string) place {
	p.key = key
	switch key {
	case "userIdentity":
		p.identity = true
	case "requestParameters", "responseElements":
		p.parameters = true
	}
	return p
}

// json redacts a document, and writes it as the fixtures are written. Fields that are
// null, as the SDK's types have them by the dozen, are left out with withoutNulls.
func (r *redactor) json(document []byte, withoutNulls bool) ([]byte, error) {
	compact, err := r.document(document, withoutNulls, place{})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (r *redactor) document(document []byte, withoutNulls bool, at place) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	return r.value(d, withoutNulls, at)
}

// value redacts the next value, and keeps the order of its fields.
func (r *redactor) value(d *json.Decoder, withoutNulls bool, at place) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return r.object(d, withoutNulls, at)
		}
		return r.array(d, withoutNulls, at)
	case string:
		return encode(r.string(token, at))
	case json.Number:
		text := r.text(token.String())
		if !json.Valid([]byte(text)) { // a word that was given
			return encode(text)
		}
		return []byte(text), nil
	}
	return encode(token)
}

func (r *redactor) array(d *json.Decoder, withoutNulls bool, at place) ([]byte, error) {
	var elements [][]byte
	for d.More() {
		element, err := r.value(d, withoutNulls, at)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	_, err := d.Token()
	return fmt.Appendf(nil, "[%s]", bytes.Join(elements, []byte(","))), err
}

func (r *redactor) object(d *json.Decoder, withoutNulls bool, at place) ([]byte, error) {
	var names []string
	var values []json.RawMessage
	var tag string // the key of a tag, which may come after its value
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		names, values = append(names, token.(string)), append(values, value)
		if strings.EqualFold(names[len(names)-1], "key") {
			_ = json.Unmarshal(value, &tag) // any other type is no tag's key
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var fields [][]byte
	for i, key := range names {
		below := at.field(key)
		if strings.EqualFold(key, "value") && tag != "" && !publicTag(tag) {
			below.key = "secret"
		}
		value, err := r.document(values[i], withoutNulls, below)
		if err != nil {
			return nil, err
		}
		if withoutNulls && string(value) == "null" {
			continue
		}
		name, err := encode(r.text(key))
		if err != nil {
			return nil, err
		}
		fields = append(fields, fmt.Appendf(name, ":%s", value))
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(fields, []byte(","))), nil
}

// publicTag reports whether a tag's value says something about the release: it is AWS's or
// ours.
func publicTag(key string) bool {
	return strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "deployhooks:")
}

// string redacts a text by the field that it is in, and by what it holds.
func (r *redactor) string(s string, at place) string {
	switch {
	case s == "":
		return s
	case at.identity && !identityKey.MatchString(at.key), personKey.MatchString(at.key):
		return redacted
	case secretKey.MatchString(at.key) && !uuid.MatchString(s):
		return redacted
	case strings.EqualFold(at.key, "useragent"):
		s, _, _ = strings.Cut(s, " ")
	case strings.ContainsAny(s[:1], "{[") && json.Valid([]byte(s)):
		if inner, err := r.document([]byte(s), false, at); err == nil {
			return string(inner)
		}
	case at.parameters && !parameterKey.MatchString(at.key):
		return redacted
	}
	return r.text(s)
}

// encode is a value as JSON, with the characters of HTML as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
