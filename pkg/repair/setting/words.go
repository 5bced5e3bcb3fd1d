package setting

import (
	"strconv"
	"strings"
	"unicode"
)

// Join lists names for people. A name holds no line break and no control
// character afterwards, so that it cannot pretend to be text of ours.
func Join(names []string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = Plain(n)
	}
	return strings.Join(words, ", ")
}

// Plain is a name as it is, or quoted if it holds what is not printable.
func Plain(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
