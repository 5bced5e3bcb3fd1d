package spec

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A form is that of a kind of credential.
type form struct {
	what  string
	marks []string // one of them is in each: far quicker to find than the form
	form  *regexp.Regexp
}

// forms are those of credentials that end up in configuration by mistake.
var forms = sync.OnceValue(func() []form {
	return []form{
		{"a private key", []string{"PRIVATE KEY"}, regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY`)},
		// IAM User Guide, "Unique identifiers": AKIA for long-term access keys, ASIA for temporary ones.
		{"an AWS access key", []string{"AKIA", "ASIA"}, regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)},
		{
			"a GitHub token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
			regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})`),
		},
		{"a Slack token", []string{"xox"}, regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
		{"a Google API key", []string{"AIza"}, regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}\b`)},
		{"a Stripe key", []string{"k_live_", "k_test_"}, regexp.MustCompile(`\b[rs]k_(live|test)_[A-Za-z0-9]{16,}`)},
		{"a JSON Web Token", []string{".eyJ"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`)},
		// Cloudflare Fundamentals, "Token formats": the prefix, 40 characters and a checksum.
		{"a Cloudflare token", []string{"cfut_", "cfat_", "cfk_"}, regexp.MustCompile(`\b(cfut|cfat|cfk)_[A-Za-z0-9_-]{40,}`)},
		{"a URL with a password", []string{"://"}, regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@$]+@`)},
	}
})

var (
	secretName = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|secret|token|credential|private_?-?key|api_?-?key|access_?-?key)s?$`)
	arn        = regexp.MustCompile(`^arn:[a-z-]+:[a-z0-9-]+:`)
	word       = regexp.MustCompile(`[A-Za-z0-9+/_=-]{32,}`)
)

// Secret reports what a text looks like that must not be in plain sight: "an AWS access key", or
// empty. The name is that of the field or parameter; empty if there is none. References and
// ARNs are no secrets.
func Secret(name, text string) string {
	if kind := KnownSecret(text); kind != "" {
		return kind
	}
	if arn.MatchString(text) {
		return ""
	}
	if secretName.MatchString(name) && text != "" && !strings.Contains(text, "${") {
		return "a secret, by its name"
	}
	if strings.Contains(text, "://") {
		text = strings.ReplaceAll(text, "/", " ") // a path is many words
	}
	for _, w := range word.FindAllString(text, -1) {
		switch {
		case random(w):
			return "a key or token, as it is long and random"
		case len(w) == 37 && strings.Trim(w, "0123456789abcdef") == "":
			return "a Cloudflare API key" // a global key of the former format
		}
	}
	return ""
}

// KnownSecret is [Secret] for what is known by its form alone, for whole files.
func KnownSecret(text string) string {
	for _, f := range forms() {
		if slices.ContainsFunc(f.marks, func(m string) bool { return strings.Contains(text, m) }) && f.form.MatchString(text) {
			return f.what
		}
	}
	return ""
}

// random reports whether a long word is none that a person made up: capitals, small letters and
// digits mixed, with more than 4 bits of entropy a character. Hexadecimal digests and UUIDs, which
// name public things as well, have at most 4.
func random(w string) bool {
	if !strings.ContainsAny(w, "0123456789") || strings.ToLower(w) == w || strings.ToUpper(w) == w {
		return false
	}
	counts := map[rune]float64{}
	for _, r := range w {
		counts[r]++
	}
	entropy, n := 0.0, float64(len(w))
	for _, c := range counts {
		entropy -= c / n * math.Log2(c/n)
	}
	return entropy > 4
}
