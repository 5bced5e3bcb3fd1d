package glob

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"web-*", "web-production", true},
		{"web-*", "web-", true},
		{"web-*", "worker", false},
		{"web-?", "web-1", true},
		{"web-?", "web-12", false},
		{"web/*", "web/eu/1", true}, // a slash is a letter like any other
		{"*", "shop ünd mehr", true},
		{"", "web", false},
		{"web-[", "web-[", false}, // broken; UnmarshalText refuses it
	} {
		if got := Pattern(c.pattern).Match(c.name); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.name, got)
		}
	}
}

func TestUnmarshalText(t *testing.T) {
	var p Pattern
	if err := p.UnmarshalText([]byte("web-[")); err == nil {
		t.Error("a broken pattern is taken")
	}
	if err := p.UnmarshalText([]byte("web-*")); err != nil || p != "web-*" {
		t.Errorf("read %q, %v", p, err)
	}
}
