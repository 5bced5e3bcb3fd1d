package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Faults of values that were probably meant to be something else.
var (
	errEmpty  = errors.New("empty; leave the key out to get its default")
	errSpaces = errors.New("surrounded by spaces; remove them")
)

// quote shows a value as it was given.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(b)
}

// text takes a string.
func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errors.New("not a string")
	}
	return s, nil
}

// isJSON reports whether a string is a JSON list or object, as a shell leaves it
// of -c key='["a","b"]'.
func isJSON(s string) bool {
	return strings.ContainsAny(s[:1], "[{") && json.Valid([]byte(s))
}

// matching takes a string of a form.
func matching(v any, form *regexp.Regexp, fault string) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !form.MatchString(s) {
		return "", errors.New(fault)
	}
	return s, nil
}

// boolean takes true or false, as JSON has it or as the command line does.
func boolean(v any) (bool, error) {
	switch v {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

// oneOf takes one of a few words, in their exact spelling.
func oneOf[T ~string](v any, allowed ...T) (T, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !slices.Contains(allowed, T(s)) {
		return "", errors.New("not one of the allowed words")
	}
	return T(s), nil
}

// number takes a whole number, as JSON has it or as the command line does.
func number(v any) (int, error) {
	switch v := v.(type) {
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	case int:
		return v, nil
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("not a whole number")
}

func between(v any, least, most int) (int, error) {
	n, err := number(v)
	if err != nil {
		return 0, err
	}
	if n < least || n > most {
		return 0, errors.New("out of range")
	}
	return n, nil
}

// list takes a JSON list of strings, or a string with commas, and checks each
// element.
func list(v any, check func(string) error) ([]string, error) {
	var given []string
	switch v := v.(type) {
	case string:
		given = strings.Split(v, ",")
	case []any:
		for _, element := range v {
			s, ok := element.(string)
			if !ok {
				return nil, fmt.Errorf("%s is not a string", quote(element))
			}
			given = append(given, s)
		}
	default:
		return nil, errors.New("neither a list nor a string")
	}
	var out []string
	for _, s := range given {
		err := check(s)
		switch {
		case strings.TrimSpace(s) == "":
			err = errors.New("empty; is a variable of the shell unset, or a comma too many?")
		case strings.TrimSpace(s) != s:
			err = errSpaces
		case slices.Contains(out, s):
			err = errors.New("given twice")
		}
		if err != nil {
			return nil, fmt.Errorf("%q is %w", s, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func glob(v any) (string, error) {
	pattern, err := text(v)
	if err != nil {
		return "", err
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return "", errors.New("not a glob pattern")
	}
	return pattern, nil
}
