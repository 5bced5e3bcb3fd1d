package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Faults of values that were probably meant to be something else.
var (
	errEmpty  = errors.New("empty; leave the key out to get its default")
	errSpaces = errors.New("surrounded by spaces; remove them")
)

// value is a kind of value: what is allowed, in words, and how it is read to where
// it belongs, as JSON has it or as the command line does, which has only strings.
type value struct {
	allowed string
	read    func(given any) error
}

// and adds to the words.
func (v value) and(words string) value {
	v.allowed += words
	return v
}

// quote shows a value as it was given.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(b)
}

// text is a string that passes a check.
func text[T ~string](to *T, allowed string, check func(string) error) value {
	return value{allowed, func(given any) error {
		s, ok := given.(string)
		if !ok {
			return errors.New("not a string")
		}
		*to = T(s)
		return check(s)
	}}
}

// oneOf is one of a few words, in their exact spelling.
func oneOf[T ~string](to *T, words ...T) value {
	allowed := ""
	for i, w := range words {
		switch {
		case i == len(words)-1:
			allowed += " or "
		case i > 0:
			allowed += ", "
		}
		allowed += string(w)
	}
	return text(to, allowed, func(s string) error {
		if !slices.Contains(words, T(s)) {
			return errors.New("not one of the allowed words")
		}
		return nil
	})
}

func glob(to *string, words string) value {
	return text(to, "a glob pattern with * ? and [a-z]"+words, func(s string) error {
		if _, err := path.Match(s, ""); err != nil {
			return errors.New("not a glob pattern")
		}
		return nil
	})
}

func boolean(to *bool) value {
	return value{"true or false", func(given any) error {
		*to = given == true || given == "true"
		if !*to && given != false && given != "false" {
			return errors.New("neither true nor false")
		}
		return nil
	}}
}

// number is a whole number that passes a check.
func number(to *int, allowed string, check func(int) error) value {
	return value{allowed, func(given any) error {
		n, err := strconv.Atoi(strings.Trim(quote(given), `"`))
		if err != nil {
			return errors.New("not a whole number")
		}
		*to = n
		return check(n)
	}}
}

func between(to *int, least, most int) value {
	return number(to, fmt.Sprintf("a whole number from %d to %d", least, most), func(n int) error {
		if n < least || n > most {
			return errors.New("out of range")
		}
		return nil
	})
}

// list is a JSON list of strings, or a string with commas. Each element passes a
// check.
func list(to *[]string, allowed string, check func(string) error) value {
	return value{allowed + ", as a list or separated by commas", func(given any) error {
		var elements []any
		switch given := given.(type) {
		case string:
			for s := range strings.SplitSeq(given, ",") {
				elements = append(elements, s)
			}
		case []any:
			elements = given
		default:
			return errors.New("neither a list nor a string")
		}
		for _, e := range elements {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("%s is not a string", quote(e))
			}
			err := check(s)
			switch {
			case strings.TrimSpace(s) == "":
				err = errors.New("empty; is a variable of the shell unset, or a comma too many?")
			case strings.TrimSpace(s) != s:
				err = errSpaces
			case slices.Contains(*to, s):
				err = errors.New("given twice")
			}
			if err != nil {
				return fmt.Errorf("%q is %w", s, err)
			}
			*to = append(*to, s)
		}
		return nil
	}}
}
