package config

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoting writes a value so that a format reads exactly this text, as one token. An error says
// that the format cannot hold it.
type quoting func(value string) (string, error)

// quotings are those of the formats, by a file's ending.
var quotings = map[string]quoting{".yml": yaml, ".yaml": yaml, ".json": jsonText, ".conf": nginx, ".sh": shell}

// yaml is a double-quoted scalar. It is quoted whatever it is: no, 1.0 and ~ are texts too. The
// escapes of Go are among those of YAML (YAML 1.2.2, 5.7), and what Go leaves as it is, is
// printable there.
func yaml(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errors.New("is not valid UTF-8")
	}
	return strconv.Quote(value), nil
}

func jsonText(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errors.New("is not valid UTF-8")
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// nginxPlain needs no quotes, so that it can be part of a longer token as well.
var nginxPlain = regexp.MustCompile(`^[A-Za-z0-9._:/@+=,-]+$`)

// nginx is a quoted token. nginx replaces variables in quotes too and has no escape for the
// dollar sign, so that a value with one cannot be written ("set $dollar" by the geo module
// is the known way around it, for people).
func nginx(value string) (string, error) {
	switch {
	case strings.Contains(value, "$"):
		return "", errors.New("has a dollar sign, which nginx takes for a variable")
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", errors.New("has a control character")
	case nginxPlain.MatchString(value):
		return value, nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, nil
}

// shell is a single-quoted word (POSIX, "Single-Quotes").
func shell(value string) (string, error) {
	if strings.Contains(value, "\x00") {
		return "", errors.New("has a NUL character")
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'", nil
}

func plainBool(value string) (string, error) {
	if value != "true" && value != "false" {
		return "", errors.New("is neither true nor false")
	}
	return value, nil
}

func plainInteger(value string) (string, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != value {
		return "", errors.New("is no integer")
	}
	return value, nil
}
