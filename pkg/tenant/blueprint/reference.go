package blueprint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Reference is one ${…}, by its parts: {"spec", "contacts", "owner"}. Only compiled blueprints have
// those that begin with "text": the text of what follows, for a parameter that is one.
type Reference []string

func (r Reference) String() string { return "${" + strings.Join(r, ".") + "}" }

// Segment is a part of a text: a reference, or a literal if there is none.
type Segment struct {
	Literal   string
	Reference Reference
}

var reference = regexp.MustCompile(`^(spec|environment|steps|text)(\.[A-Za-z0-9_-]+)+$`)

// Parse splits a text at its references. $${ stands for the literal ${.
func Parse(text string) ([]Segment, error) {
	var segments []Segment
	literal := func(s string) {
		if n := len(segments); n > 0 && segments[n-1].Reference == nil {
			segments[n-1].Literal += s
		} else if s != "" {
			segments = append(segments, Segment{Literal: s})
		}
	}
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			literal(text)
			return segments, nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			literal(escaped + "${")
			text = after
			continue
		}
		literal(before)
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("${ is not closed: add }, or write $${ for the text ${")
		}
		if !reference.MatchString(name) {
			return nil, fmt.Errorf("${%s} is no reference: write ${spec.<field>}, ${environment.<setting>} or ${steps.<step>.<output>}, or $${ for the text ${", name)
		}
		segments = append(segments, Segment{Reference: strings.Split(name, ".")})
		text = rest
	}
}
