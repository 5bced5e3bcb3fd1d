package nearest

import "testing"

func TestOf(t *testing.T) {
	names := []string{"title", "locale", "contacts", "x"}
	for word, want := range map[string]string{
		"titel": "title", "contact": "contacts", "Locale": "locale",
		"colour": "", "": "", "y": "", "something else": "",
	} {
		if got := Of(word, names); got != want {
			t.Errorf("instead of %q somebody is told to write %q and not %q", word, got, want)
		}
	}
}
