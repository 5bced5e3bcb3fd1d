package workflow

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"deployhooks/pkg/tenant/step"
)

// failure is the error of a task as the engines get it: the name by which they retry, and
// a text that may be shown.
type failure struct {
	kind, text string
	remedy     string
}

func (f *failure) Error() string {
	if f.remedy == "" {
		return f.text
	}
	return f.text + ": " + f.remedy
}

// ErrorType is the error's name in the state machine.
func (f *failure) ErrorType() string { return f.kind }

// failureOf is what may be shown of an error.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	remedy := step.RemedyOf(err)
	text := strings.TrimSuffix(err.Error(), ": "+remedy)
	return &failure{kind: string(step.ClassOf(err)), text: scrub(text), remedy: scrub(remedy)}
}

// refuse is an error that no retry helps.
func refuse(format string, args ...any) error {
	return &failure{kind: string(step.Refused), text: scrub(fmt.Sprintf(format, args...))}
}

// longestText bounds the text of an error in the registry and in a state machine's history.
const longestText = 1000

// secrets are the forms in which a secret gets into the text of an error: kinds must
// not let it, and this is the second line of defence.
var secrets = []struct {
	form *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`://[^/\s:@]*:[^/\s@]*@`), "://[removed]@"},
	{regexp.MustCompile(`(?i)([a-z0-9_-]*(?:password|passwd|pwd|secret|token|api[_-]?key|authorization|credential)[a-z0-9_-]*)("?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:bearer\s+|basic\s+)?[^\s,;&]+)`), "$1$2[removed]"},
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), "[removed]"},
	{regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), "[removed]"},
}

// scrub cuts a text and removes what looks like a secret.
func scrub(text string) string {
	for _, s := range secrets {
		text = s.form.ReplaceAllString(text, s.by)
	}
	if len(text) <= longestText {
		return text
	}
	cut := longestText
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
