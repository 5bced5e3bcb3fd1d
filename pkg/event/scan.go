package event

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The functions of this file take text that encoding/json has found valid.
// They only find where things begin and end.

// membersOf lists the fields of a JSON object, in their order.
func membersOf(text []byte) []member {
	members := make([]member, 0, 12)
	for i := skipSpace(text, 1); i < len(text) && text[i] == '"'; {
		keyEnd := skipString(text, i)
		key := text[i+1 : keyEnd-1]
		if hasEscape(key) {
			key = []byte(unquote(text[i:keyEnd]))
		}
		start := skipSpace(text, skipSpace(text, keyEnd)+1) // past the colon
		end := skipValue(text, start)
		value := text[start:end]
		if value[0] == 'n' {
			value = nil
		}
		members = append(members, member{key: key, value: value})
		i = nextItem(text, end)
	}
	return members
}

// elementsOf lists the elements of a JSON array.
func elementsOf(text []byte) [][]byte {
	var elements [][]byte
	for i := skipSpace(text, 1); i < len(text) && text[i] != ']'; {
		end := skipValue(text, i)
		elements = append(elements, text[i:end])
		i = nextItem(text, end)
	}
	return elements
}

// nextItem returns where the next item of an object or array begins, given
// where one ends, or where the closing bracket is.
func nextItem(text []byte, i int) int {
	i = skipSpace(text, i)
	if i < len(text) && text[i] == ',' {
		i = skipSpace(text, i+1)
	}
	return i
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the end of the value that begins at i. It counts brackets
// instead of calling itself, so that depth costs nothing.
func skipValue(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			i++
		default:
			i = skipLiteral(text, i)
		}
		if depth == 0 {
			break
		}
	}
	return i
}

// skipLiteral returns the end of the number, boolean or null that begins at i.
func skipLiteral(text []byte, i int) int {
	for i < len(text) && !strings.ContainsRune(",:]} \n\r\t", rune(text[i])) {
		i++
	}
	return i
}

func hasEscape(text []byte) bool { return bytes.IndexByte(text, '\\') >= 0 }

// unquote returns the text that a JSON string stands for.
func unquote(value []byte) string {
	if !hasEscape(value) {
		return string(value[1 : len(value)-1])
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "" // valid JSON strings have no other way to fail
	}
	return text
}

// equalFold reports whether a key is a field's name, in whatever letter case.
// Names of fields are ASCII, so a key of another length is another name.
func equalFold(key []byte, field string) bool {
	return len(key) == len(field) && strings.EqualFold(string(key), field)
}
