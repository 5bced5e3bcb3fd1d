// Package glob matches names with patterns as in a shell, for the functions'
// configurations.
package glob

import (
	"fmt"
	"path"
	"strings"
)

// Pattern is a pattern on names, with * and ? as in a shell.
type Pattern string

// UnmarshalText reads a pattern from the environment.
func (p *Pattern) UnmarshalText(text []byte) error {
	if _, err := path.Match(string(text), ""); err != nil {
		return fmt.Errorf("pattern %q: %w; use * for any characters and ? for one", text, err)
	}
	*p = Pattern(text)
	return nil
}

// Match reports whether the name matches. AWS's names may hold slashes, which
// [path.Match] would treat as separators. The empty pattern matches no name.
func (p Pattern) Match(name string) bool {
	const slash = "\x00"
	ok, err := path.Match(strings.ReplaceAll(string(p), "/", slash), strings.ReplaceAll(name, "/", slash))
	return ok && err == nil
}
