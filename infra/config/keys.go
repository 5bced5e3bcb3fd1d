package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"deployhooks/pkg/nearest"
)

// renamed are keys that there were once, and what does the same now.
func renamed() map[string]string {
	return map[string]string{"mode": "repairMode and drainMode", "sweepEveryMinutes": "repairSweepMinutes and drainSweepMinutes", "tag": "repairTag"}
}

// looksLikeOurs reports whether a key of the CDK context is meant for this
// program: it begins as ours do, give or take two letters and whatever is no
// letter, or it is one of ours without the prefix.
func looksLikeOurs(key string) bool {
	plain, prefix := letters(key), letters(Prefix)
	for end := max(0, len(prefix)-2); end <= min(len(plain), len(prefix)+2); end++ {
		if nearest.Distance(plain[:end], prefix) <= 2 {
			return true
		}
	}
	return slices.ContainsFunc(everyKey(), func(k string) bool { return letters(k) == plain })
}

// everyKey are the keys that there are and that there were, without the prefix.
func everyKey() []string { return slices.AppendSeq(knownKeys(), maps.Keys(renamed())) }

// remedy says what to write instead of an unknown key.
func remedy(key string) string {
	plain := letters(key)
	closest, least := "", len(plain)+len(Prefix)
	for _, k := range everyKey() {
		if d := min(nearest.Distance(plain, letters(Prefix+k)), nearest.Distance(plain, letters(k))); d < least {
			closest, least = k, d
		}
	}
	if least > 4 || least > len(closest)/2 {
		return "known keys are: " + Prefix + strings.Join(knownKeys(), ", "+Prefix)
	}
	if now, gone := renamed()[closest]; gone {
		return fmt.Sprintf("%s%s has been renamed; write %s%s", Prefix, closest, Prefix, strings.ReplaceAll(now, " and ", " and "+Prefix))
	}
	return "write " + Prefix + closest
}

func knownKeys() []string {
	var keys []string
	for _, s := range Settings() {
		keys = append(keys, s.Key)
	}
	return keys
}

// letters is a key in small letters, without anything that is no letter.
func letters(key string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, key)
}
